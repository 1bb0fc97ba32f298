"""The validation text cut as this program cuts it, for a side that has a reader of its own. Needs numpy alone."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

IGNORED = -100


def windows(ids: np.ndarray, batch: int, length: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The text in `batch` columns, in windows of (inputs, targets), both (batch, time) int64.

    Every token but the first is a target once; what fills up the last columns is `IGNORED`.
    """
    column = math.ceil((len(ids) - 1) / batch)
    inputs, targets = np.zeros(batch * column, np.int64), np.full(batch * column, IGNORED, np.int64)
    inputs[: len(ids) - 1], targets[: len(ids) - 1] = ids[:-1], ids[1:]
    inputs, targets = inputs.reshape(batch, column), targets.reshape(batch, column)
    for start in range(0, column, length):
        yield inputs[:, start : start + length], targets[:, start : start + length]
