"""The end of a classifier's training: its answers are made as sure as they are right, and blended where that helps."""

from __future__ import annotations

from collections.abc import Sequence
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


# Who may answer: its name in a report, and in a sentence. The one with the lowest held-out loss does.
ANSWERS = {"blend": "blended", "calibrated": "the network alone", "word_counts": "word counts alone"}


def blend_with_words(
    project: Project, run: Run, bundle: Bundle, network: np.ndarray
) -> tuple[dict[str, Any], np.ndarray]:
    """Give the bundle of a trained classifier its pool, as `classify.blend` says.

    Unless it is off, the answers are made as sure as validation rows say, blended or not. `network`: its
    probabilities for the labelled validation rows, (rows, labels). Returns what the report tells, and the answers to
    these rows, held out from all that was chosen here.
    """
    settings = project.recipe.classify
    if settings.blend == "off":
        return {}, network
    dataset = Dataset.open(project.dataset_folder)
    words = words_of(dataset, ("train",), settings.seed, run)
    report, held = measure(words, dataset, network, settings.seed)
    answers = who_answers(report, settings.blend)
    exponents = Exponents(**report["exponents"][answers])
    report |= {"answers": answers, "used": exponents.words > 0, "weight": exponents.weight}
    kept = words_of(dataset, ("train", "valid"), settings.seed, run) if report["used"] else None
    bundle.pool = Pool(exponents, kept)
    run.message(f"The answers are {decision(report)}")
    return {"blend": report}, held[answers]


def who_answers(report: dict[str, Any], choice: str) -> str:
    """`auto` takes what has the lowest loss on rows held out from choosing its exponents, `on` always the blend.

    The number of right answers is not asked: on 20 to 400 rows this kept out blends that were ahead on others.
    """
    possible = [name for name in ANSWERS if name in report["exponents"]]
    if choice == "on" and "blend" in possible:
        return "blend"
    return min(possible, key=lambda name: float(report[name]["valid_loss"]))


def measure(
    words: WordCounts | None, dataset: Dataset, network: np.ndarray, seed: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The exponents that all validation rows choose for each who may answer, and the figures on these rows; and the
    probabilities behind the figures.

    `network`: as it was trained. All others are held out from choosing the exponents that they are pooled with.
    """
    rows = dataset.labelled_rows("valid")
    truth = dataset.label_ids[rows]
    sides: dict[str, tuple[np.ndarray | None, np.ndarray | None]] = {"calibrated": (network, None)}
    if words is not None:
        alone = words.probabilities(dataset.texts(rows))
        sides |= {"word_counts": (None, alone), "blend": (network, alone)}
    held = {name: held_out(*side, truth, seed) for name, side in sides.items()}
    report = {
        "valid_rows": len(rows),
        "train_rows": words.rows if words else 0,
        "network": _figures(network, truth),
        "exponents": {name: asdict(best_exponents(*side, truth)) for name, side in sides.items()},
        **{name: _figures(shares, truth) for name, shares in held.items()},
    }
    return report, held


def _figures(shares: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    return {"valid_loss": loss(shares, truth), **metrics.classification(shares.argmax(1), truth)}


def words_of(dataset: Dataset, splits: Sequence[str], seed: int, run: Run) -> WordCounts | None:
    """Word counts fitted on the labelled rows of these splits; of some drawn by `seed` where they are too many."""
    rows = np.concatenate([dataset.labelled_rows(split) for split in splits])
    if len(rows) > MOST_ROWS:
        rows = np.random.default_rng(seed).permutation(rows)[:MOST_ROWS]
    texts = dataset.texts(rows)
    count = _within(texts, MOST_CHARACTERS)
    words = fit_words(texts[:count], dataset.label_ids[rows[:count]], len(dataset.labels), run.poll)
    run.poll()
    return words


def _within(texts: Sequence[str], characters: int) -> int:
    """How many of the texts, from the first, have at most so many characters together."""
    return int(np.searchsorted(np.cumsum([len(text) for text in texts]), characters, side="right"))


def decision(report: dict[str, Any]) -> str:
    """What the answers are, and by which figures that was decided, for a person."""
    answers = blend_note(report["weight"]) if report["used"] else _alone(report["exponents"]["calibrated"]["network"])
    figures = (
        f"{name} loss {report[key]['valid_loss']:.3f}, {report[key]['accuracy']:.1%} right"
        for key, name in {**ANSWERS, "network": "the network as it was trained"}.items()
        if key in report
    )
    rows = f"{report['valid_rows']:,} validation row{'s' * (report['valid_rows'] != 1)}"
    return f"{answers}. On {rows}: {'; '.join(figures)}."


def _alone(exponent: float) -> str:
    """That the network answers alone, and what was made of its probabilities."""
    if f"{exponent:.2f}" == "1.00":
        return "the network's alone, as sure as it was trained to be"
    change = "less sure" if exponent < 1 else "surer"
    return f"the network's alone, made {change} by the validation rows (power {exponent:.2f})"
