"""The steps of a run in at most 1,500 buckets: reading on costs only what is new, drawing never more than that."""

from __future__ import annotations

import numpy as np

BUCKETS = 1500


class Buckets:
    """Lowest, highest and mean of each column in each bucket, of what is finite.

    Bucket i holds the steps [edges[i], edges[i + 1]), counted from 0. In the columns numbered `gaps` zero is nothing.
    """

    def __init__(self, edges: np.ndarray, columns: int, gaps: list[int]):
        self.edges = edges
        self.next = int(edges[0])  # the first step that was not taken in yet
        self._gaps = gaps
        shape = len(edges) - 1, columns
        self.low, self.high = np.full(shape, np.nan), np.full(shape, np.nan)
        self.sums, self.members = np.zeros(shape), np.zeros(shape)

    def take(self, values: np.ndarray, most: int) -> bool:
        """Take in what `values` (steps, columns) has further, `most` steps of it. False: there is no more."""
        end = min(len(values), int(self.edges[-1]))
        upto = min(end, self.next + most)
        if upto > self.next:
            self._add(values[self.next : upto], np.arange(self.next, upto))
            self.next = upto
        return upto < end

    def _add(self, values: np.ndarray, numbers: np.ndarray) -> None:
        fresh = np.array(values, float)
        fresh[~np.isfinite(fresh)] = np.nan
        for column in self._gaps:
            fresh[fresh[:, column] == 0, column] = np.nan
        bucket = np.searchsorted(self.edges, numbers, "right") - 1
        begins = np.flatnonzero(np.diff(bucket, prepend=-1))
        at, sound = bucket[begins], np.isfinite(fresh)
        self.low[at] = np.fmin(self.low[at], np.fmin.reduceat(fresh, begins))
        self.high[at] = np.fmax(self.high[at], np.fmax.reduceat(fresh, begins))
        self.sums[at] += np.add.reduceat(np.where(sound, fresh, 0), begins)
        self.members[at] += np.add.reduceat(sound, begins, dtype=float)

    @property
    def middles(self) -> np.ndarray:
        """The middle step of each bucket."""
        return (self.edges[:-1] + self.edges[1:] - 1) / 2

    @property
    def widths(self) -> np.ndarray:
        return np.diff(self.edges)

    def means(self, column: int) -> np.ndarray:
        """Not a number where there is nothing."""
        members = self.members[:, column]
        return np.divide(self.sums[:, column], members, out=np.full(len(members), np.nan), where=members > 0)


def even_edges(first: int, last: int) -> np.ndarray:
    """Borders of buckets of one width over the steps [first, last)."""
    width = max(1, -(-(last - first) // BUCKETS))
    return np.append(np.arange(first, last, width), last)


def growing_edges(first: int, last: int) -> np.ndarray:
    """Borders that are even on a logarithmic axis of the steps counted from 1."""
    edges = np.geomspace(first + 1, last + 1, BUCKETS + 1).round().astype(np.int64) - 1
    return edges[np.diff(edges, prepend=-1) > 0]


def smooth(values: np.ndarray, span: float, widths: np.ndarray | float = 1.0, start: float | None = None) -> np.ndarray:
    """Exponential moving average over about `span` steps, of values that stand for `widths` steps each.

    It is corrected for its beginning, where the first value is its own average, unless it goes on from `start`.
    """
    keeps = np.broadcast_to((1 - 1 / max(span, 1.0)) ** np.asarray(widths, float), len(values))
    smoothed = np.empty(len(values))
    total, weight = (0.0, 0.0) if start is None else (start, 1.0)
    for place, (value, keep) in enumerate(zip(values.tolist(), keeps.tolist())):
        total = keep * total + (1 - keep) * value
        weight = keep * weight + (1 - keep)
        smoothed[place] = total / weight if weight else value
    return smoothed
