"""How good a classifier's answers are: nine figures as scikit-learn defines them, each with a bootstrap interval.

All but one are functions of the confusion matrix: drawing rows anew is drawing its cells anew, from a multinomial
distribution, and a thousand matrices are counted at once. The area under the ROC curve needs the rows themselves, each
of which weighs as often as it was drawn. Labels that neither a row nor an answer has do not count, as in scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

NAMES = (
    "accuracy", "balanced_accuracy", "macro_f1", "micro_f1", "macro_precision", "macro_recall", "roc_auc", "mcc",
    "kappa",
)  # fmt: skip
RESAMPLES = 1000
# The area under the curve reads every row for every class in every resample: fewer of these where there are many.
AREA_READINGS, LEAST_RESAMPLES = 300_000_000, 200
PART = 100  # resamples that are counted at once
INTERVAL = (2.5, 97.5)  # percent

Counted = dict[str, np.ndarray]


@dataclass(frozen=True)
class Figure:
    """A figure and the 95 % percentile interval of its bootstrap (Efron 1979); None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None


def figures(
    truth: np.ndarray, probabilities: np.ndarray, resamples: int = RESAMPLES, seed: int = 0,
    between: Callable[[], object] = bool,
) -> dict[str, Figure]:
    """Every figure of NAMES, in that order.

    `truth` (rows,) places of the true labels, `probabilities` (rows, labels); the answer is the likeliest label.
    The rows are drawn by `seed`, `between` is called before each part. Raises ValueError without rows.
    """
    if not len(truth):
        raise ValueError("figures of no rows")
    rng = np.random.default_rng(seed)
    cells, counts = confusion_cells(truth, probabilities.argmax(1))
    drawn = [
        of_counts(cells, rng.multinomial(len(truth), counts / len(truth), size), probabilities.shape[1])
        for size in _parts(resamples, between)
    ]
    areas = _areas(truth, probabilities, resamples, rng, between)
    values = of_counts(cells, counts[None], probabilities.shape[1]) | {"roc_auc": areas[:1]}
    resampled = {name: np.concatenate([part[name] for part in drawn]) for name in drawn[0]} | {"roc_auc": areas[1:]}
    return {name: _figure(float(values[name][0]), resampled[name]) for name in NAMES}


def _parts(resamples: int, between: Callable[[], object]) -> Iterator[int]:
    for start in range(0, resamples, PART):
        between()
        yield min(PART, resamples - start)


def _figure(value: float, resampled: np.ndarray) -> Figure:
    known = resampled[np.isfinite(resampled)]
    if not np.isfinite(value) or not len(known):
        return Figure(None, None, None)
    low, high = np.percentile(known, INTERVAL)
    return Figure(value, float(low), float(high))


# Figures of the confusion matrix


def confusion_cells(truth: np.ndarray, given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cells of the confusion matrix that have rows, (cells, 2) places of truth and answer, and their counts."""
    return np.unique(np.stack([truth, given], 1), axis=0, return_counts=True)


def of_counts(cells: np.ndarray, counts: np.ndarray, labels: int) -> Counted:
    """All figures but the area, each (matrices,), of matrices whose counts (matrices, cells) stand in these cells.

    NaN where a figure is not defined.
    """
    of_truth, of_answer = (cells[:, side, None] == np.arange(labels) for side in (0, 1))
    true, given, right = (counts @ chosen.astype(float) for chosen in (of_truth, of_answer, of_truth & of_answer))
    rows = counts.sum(1)
    accuracy = right.sum(1) / rows
    recall, precision = _ratio(right, true), _ratio(right, given)
    counted = (true > 0) | (given > 0)
    return {
        "accuracy": accuracy, "micro_f1": accuracy, "balanced_accuracy": _mean(recall, true > 0),
        "macro_f1": _mean(_ratio(2 * right, true + given), counted), "macro_precision": _mean(precision, counted),
        "macro_recall": _mean(recall, counted), **_agreement(right.sum(1), true, given, rows),
    }  # fmt: skip


def _agreement(right: np.ndarray, true: np.ndarray, given: np.ndarray, rows: np.ndarray) -> Counted:
    """Matthews' correlation (Gorodkin 2004), 0 where one label is all there is; Cohen's kappa, NaN there."""
    chance = (true * given).sum(1)
    above = right * rows - chance
    spread = (rows**2 - (true**2).sum(1)) * (rows**2 - (given**2).sum(1))
    mcc = np.divide(above, np.sqrt(spread), out=np.zeros(len(rows)), where=spread > 0)
    most = rows**2 - chance
    return {"mcc": mcc, "kappa": np.divide(above, most, out=np.full(len(rows), np.nan), where=most > 0)}


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(whole.shape), where=whole > 0)


def _mean(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The mean of each row over its labels that count."""
    return (values * counted).sum(1) / counted.sum(1)


# The area under the ROC curve


def _areas(
    truth: np.ndarray, probabilities: np.ndarray, resamples: int, rng: np.random.Generator,
    between: Callable[[], object],
) -> np.ndarray:  # fmt: skip
    """(1 + resamples,) areas: of the rows as they are, then of rows drawn anew."""
    most = AREA_READINGS // probabilities.size
    resamples = min(resamples, max(LEAST_RESAMPLES, most))
    rows = len(truth)
    parts = [area(truth, probabilities, np.ones((rows, 1), np.float32), between)]
    for size in _parts(resamples, between):
        drawn = [np.bincount(rng.integers(rows, size=rows), minlength=rows) for _ in range(size)]
        parts.append(area(truth, probabilities, np.stack(drawn, 1).astype(np.float32), between))
    return np.concatenate(parts)


def area(
    truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray, between: Callable[[], object] = bool
) -> np.ndarray:
    """(draws,) area under the ROC curve of each label against the rest, their mean over the labels that have rows.

    `weights` (rows, draws): how often each row counts. Of two labels the area of the second, as usual. NaN where no
    label has both rows and others. `between` is called before each label.
    """
    labels = probabilities.shape[1]
    total, counted = np.zeros(weights.shape[1]), np.zeros(weights.shape[1])
    for label in [1] if labels == 2 else np.unique(truth).tolist():
        between()
        one = _area_of(probabilities[:, label], truth == label, weights)
        total += np.nan_to_num(one)
        counted += np.isfinite(one)
    return np.divide(total, counted, out=np.full(len(total), np.nan), where=counted > 0)


def _area_of(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(draws,) the chance that a row of the label scores higher than another one, ties counting half (Mann-Whitney)."""
    levels, place = np.unique(scores[positive], return_inverse=True)
    others = scores[~positive]
    # Other rows fall between two levels (an even number) or on one (an odd number).
    between = np.searchsorted(levels, others, "left") + np.searchsorted(levels, others, "right")
    below = _summed(between, 2 * len(levels) + 1, ~positive, weights)
    here = _summed(place, len(levels), positive, weights)
    beaten = np.cumsum(below, 0, dtype=np.float64)
    wins = (here * (beaten[:-1:2] + below[1::2] / 2)).sum(0)
    pairs = here.sum(0, dtype=np.float64) * below.sum(0, dtype=np.float64)
    return np.divide(wins, pairs, out=np.full(len(wins), np.nan), where=pairs > 0)


def _summed(places: np.ndarray, size: int, chosen: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(size, draws) sums of the weights (rows, draws) of the `chosen` rows (rows,), which have these places."""
    ones = np.ones(len(places), np.float32)
    return csr_matrix((ones, (places, np.flatnonzero(chosen))), (size, len(weights))) @ weights
