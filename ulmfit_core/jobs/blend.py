"""The end of a classifier's training: word counts are fitted and, where that helps, blended into its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ulmfit_core.config import blend_note
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.inference.blend import best_weight, fit_words, held_out, loss
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.models.word_counts import Blend, WordCounts
from ulmfit_core.project import Project
from ulmfit_core.run import Run
from ulmfit_core.training import metrics

# Fewer training rows are drawn where there are more of either, since pairs of words take much memory.
MOST_ROWS = 100_000
MOST_CHARACTERS = 40_000_000


def blend_with_words(
    project: Project, run: Run, bundle: Bundle, network_probabilities: Callable[[], np.ndarray]
) -> dict[str, Any]:
    """Give the bundle of a trained classifier its blend, as `classify.blend` says. Returns what the report tells.

    `network_probabilities` gives those of the labelled validation rows, (rows, labels).
    """
    settings = project.recipe.classify
    if settings.blend == "off":
        return {}
    dataset = Dataset.open(project.dataset_folder)
    words = fit_words(*_training_rows(dataset, settings.seed), len(dataset.labels))
    if words is None:
        run.message("There are no words to blend the answers with: they are the network's alone.")
        return {}
    run.poll()
    report = measure(words, dataset, network_probabilities(), settings.seed)
    report["used"] = settings.blend == "on" or report["blend"]["valid_loss"] < report["network"]["valid_loss"]
    if report["used"]:
        bundle.blend = Blend(words, report["weight"])
    run.message(f"The answers are {decision(report)}")
    return {"blend": report}


def measure(words: WordCounts, dataset: Dataset, network: np.ndarray, seed: int) -> dict[str, Any]:
    """The weight that all validation rows choose, and the figures of both sides and of the blend on these rows.

    Each row of the blend's figures is held out from choosing the weight that it is blended with.
    """
    rows = dataset.labelled_rows("valid")
    truth = dataset.label_ids[rows]
    alone = words.probabilities(dataset.texts(rows))
    return {
        "weight": best_weight(network, alone, truth),
        "valid_rows": len(rows),
        "train_rows": words.rows,
        "network": _figures(network, truth),
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
    answers = blend_note(report["weight"]) if report["used"] else "the network's alone"
    named = {"blended": "blend", "the network alone": "network", "word counts alone": "word_counts"}
    figures = (
        f"{name} loss {report[key]['valid_loss']:.3f}, {report[key]['accuracy']:.1%} right"
        for name, key in named.items()
    )
    return f"{answers}. On {report['valid_rows']:,} validation rows: {'; '.join(figures)}."
