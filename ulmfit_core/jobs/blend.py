"""The end of a classifier's training: its answers are made as sure as they are right, and blended where that helps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ulmfit_core.config import blend_note
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.inference.blend import best_exponents, fit_words, held_out, loss
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.models.word_counts import Exponents, Pool, WordCounts
from ulmfit_core.project import Project
from ulmfit_core.run import Run
from ulmfit_core.training import metrics

# Fewer training rows are drawn where there are more of either, since pairs of words take much memory.
MOST_ROWS = 100_000
MOST_CHARACTERS = 40_000_000


def blend_with_words(
    project: Project, run: Run, bundle: Bundle, network_probabilities: Callable[[], np.ndarray]
) -> dict[str, Any]:
    """Give the bundle of a trained classifier its pool, as `classify.blend` says. Returns what the report tells.

    Unless it is off, the network's probabilities are made as sure as validation rows say, blended or not.
    `network_probabilities` gives those of the labelled validation rows, (rows, labels).
    """
    settings = project.recipe.classify
    if settings.blend == "off":
        return {}
    dataset = Dataset.open(project.dataset_folder)
    words = fit_words(*_training_rows(dataset, settings.seed), len(dataset.labels), run.poll)
    run.poll()
    report = measure(words, dataset, network_probabilities(), settings.seed)
    report["used"] = is_blended(report, settings.blend)
    if report["used"]:
        bundle.pool = Pool(Exponents(**report["exponents"]), words)
    else:
        bundle.pool = Pool(Exponents(report["network_exponent"]))
    run.message(f"The answers are {decision(report)}")
    return {"blend": report}


def is_blended(report: dict[str, Any], choice: str) -> bool:
    """Whether word counts are blended in: `auto` asks rows held out from choosing the exponents for a lower loss than
    that of the network at its own exponent.

    That no more answers be wrong is not asked for: on 20 to 400 rows this kept out blends that were ahead on others.
    """
    if "blend" not in report:
        return False
    return choice == "on" or report["blend"]["valid_loss"] < report["calibrated"]["valid_loss"]


def measure(words: WordCounts | None, dataset: Dataset, network: np.ndarray, seed: int) -> dict[str, Any]:
    """The exponents that all validation rows choose, and the figures of all sides on these rows.

    `network`: as it was trained; `calibrated`: at its own exponent. Each row of this and of the blend's figures is held
    out from choosing the exponents that it is pooled with.
    """
    rows = dataset.labelled_rows("valid")
    truth = dataset.label_ids[rows]
    report = {
        "valid_rows": len(rows),
        "network_exponent": best_exponents(network, None, truth).network,
        "network": _figures(network, truth),
        "calibrated": _figures(held_out(network, None, truth, seed), truth),
    }
    if words is None:
        return report
    alone = words.probabilities(dataset.texts(rows))
    exponents = best_exponents(network, alone, truth)
    return {
        **report,
        "weight": exponents.weight,
        "exponents": asdict(exponents),
        "train_rows": words.rows,
        "word_counts": _figures(alone, truth),
        "blend": _figures(held_out(network, alone, truth, seed), truth),
    }


def _figures(shares: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    return {"valid_loss": loss(shares, truth), **metrics.classification(shares.argmax(1), truth)}


def _training_rows(dataset: Dataset, seed: int) -> tuple[list[str], np.ndarray]:
    """Texts and label numbers of the labelled training rows; where they are too many, of some drawn by `seed`."""
    rows = dataset.labelled_rows("train")
    if len(rows) > MOST_ROWS:
        rows = np.random.default_rng(seed).permutation(rows)[:MOST_ROWS]
    texts = dataset.texts(rows)
    count = _within(texts, MOST_CHARACTERS)
    return texts[:count], dataset.label_ids[rows[:count]]


def _within(texts: Sequence[str], characters: int) -> int:
    """How many of the texts, from the first, have at most so many characters together."""
    return int(np.searchsorted(np.cumsum([len(text) for text in texts]), characters, side="right"))


def decision(report: dict[str, Any]) -> str:
    """What the answers are, and by which figures that was decided, for a person."""
    answers = blend_note(report["weight"]) if report["used"] else _alone(report["network_exponent"])
    named = {
        "blended": "blend", "the network alone": "calibrated", "as it was trained": "network",
        "word counts alone": "word_counts",
    }  # fmt: skip
    figures = (
        f"{name} loss {report[key]['valid_loss']:.3f}, {report[key]['accuracy']:.1%} right"
        for name, key in named.items()
        if key in report
    )
    return f"{answers}. On {report['valid_rows']:,} validation rows: {'; '.join(figures)}."


def _alone(exponent: float) -> str:
    """That the network answers alone, and what was made of its probabilities."""
    change = "less sure" if exponent < 1 else "surer"
    return f"the network's alone, made {change} by the validation rows (power {exponent:.2f})"
