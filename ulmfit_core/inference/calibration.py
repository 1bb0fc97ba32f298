"""Whether answers are as sure as they are right: the expected calibration error and the points of its curve.

Nothing is fitted here. Validation rows say how sure answers are to be: whoever measures on them gives answers that are
held out from that (inference/blend.py: `held_out`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ulmfit_core.inference.blend import loss

BINS = 15  # Guo et al. 2017


@dataclass(frozen=True)
class Bin:
    """Some answers alike in their probability: how many, their mean probability, the share of them that is right."""

    rows: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Side:
    """`ece`: expected calibration error, 0 to 1. `loss`: mean cross-entropy in nats. `bins`: the least sure first."""

    ece: float
    loss: float
    bins: list[Bin]


def calibration(probabilities: np.ndarray, truth: np.ndarray) -> Side:
    """Of answers with these probabilities (rows, labels) to rows with these true labels (rows,).

    The bins are of equal mass (Nguyen & O'Connor 2015): as many rows each as can be. Rows with the same probability
    share a bin, so fewer bins are left where many have. Raises ValueError without rows.
    """
    if not len(truth):
        raise ValueError("calibration of no rows")
    sure = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == truth
    order = np.argsort(sure, kind="stable")
    bins = [_bin(sure[part], right[part]) for part in np.split(order, _borders(sure[order]))]
    error = sum(one.rows * abs(one.accuracy - one.confidence) for one in bins) / len(truth)
    return Side(error, loss(probabilities, truth), bins)


def _borders(ordered: np.ndarray) -> np.ndarray:
    """Where the bins of sorted values begin, all but the first; none tears equal values."""
    places = np.arange(1, BINS) * len(ordered) // BINS
    first = np.unique(np.searchsorted(ordered, ordered[places], "left"))
    return first[first > 0]


def _bin(sure: np.ndarray, right: np.ndarray) -> Bin:
    return Bin(len(sure), float(sure.mean()), float(right.mean()))
