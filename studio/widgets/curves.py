"""The numbers a live plot draws, kept in at most 1,500 buckets: reading on costs only what is new."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ulmfit_core import events
from ulmfit_core.events import EpochEnded, Plan
from ulmfit_core.run import Steps, read_steps

BUCKETS = 1500
SMOOTH_SHARE = 0.01  # of the whole run: what the smoothed loss averages over
SMOOTH_LEAST = 4.0


class Curves:
    """One run's plan, epochs and curves, as far as its two files tell them today."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.plan: Plan | None = None
        self.epochs: list[EpochEnded] = []
        self.ended = False
        self.count = 0
        self._told: tuple[int, int] | None = None

    def read(self) -> bool:
        """Take in what the files hold beyond the last reading. True if there was anything."""
        paths = self.folder / "events.jsonl", self.folder / "steps.f32"
        sizes = size_of(paths[0]), size_of(paths[1])
        before, self._told = self._told, sizes
        if before is None or before[0] != sizes[0]:
            self._read_events(paths[0])
        if self.plan and (before is None or before[1] != sizes[1]):
            self._read_steps(paths[1], self.plan)
        return before != sizes

    def _read_events(self, path: Path) -> None:
        told = events.read_events(path)
        self.epochs = [event for event in told if isinstance(event, EpochEnded)]
        plans = [event for event in told if isinstance(event, Plan)]
        if plans and plans[-1] != self.plan:
            self.plan = plans[-1]
            self._make_buckets(self.plan)

    def _read_steps(self, path: Path, plan: Plan) -> None:
        steps = read_steps(path)
        if len(steps.values) < self.count:  # a resumed run has cut its log back to the checkpoint
            self._make_buckets(plan)
        if len(steps.values) > self.count:
            self._take(steps)

    def _make_buckets(self, plan: Plan) -> None:
        self.count = 0
        self._width = max(1, -(-plan.total_steps // BUCKETS))
        size = -(-plan.total_steps // self._width)
        self._low, self._high = np.full(size, np.nan), np.full(size, np.nan)
        self._sums, self._members = np.zeros(size), np.zeros(size)
        self._rates = np.full((len(plan.groups), size), np.nan)

    def _take(self, steps: Steps) -> None:
        fresh = steps.values[self.count :]
        self.count = len(steps.values)
        size = len(self._low)
        # The log counts steps from 1, the plan from 0; the plot follows the plan.
        number = fresh[:, steps.columns.index("step")].astype(np.int64) - 1
        at = np.clip(number // self._width, 0, size - 1)
        loss = fresh[:, steps.columns.index("loss")].astype(float)
        np.fmin.at(self._low, at, loss)
        np.fmax.at(self._high, at, loss)
        sound = np.isfinite(loss)
        self._sums += np.bincount(at[sound], loss[sound], size)
        self._members += np.bincount(at[sound], minlength=size)
        for row, column in zip(self._rates, steps.rate_columns):
            row[at] = positive(fresh[:, steps.columns.index(column)])  # of equal places the last one stays

    # What is drawn. Every x is a number of steps done.

    @property
    def _middles(self) -> np.ndarray:
        return (np.arange(len(self._low)) + 0.5) * self._width - 0.5

    def raw(self) -> tuple[np.ndarray, np.ndarray]:
        """The loss from the lowest to the highest of each bucket, so that no peak is lost."""
        filled = np.isfinite(self._low)
        x = np.repeat(self._middles[filled], 2)
        return x, np.column_stack([self._low[filled], self._high[filled]]).ravel()

    def smoothed(self) -> tuple[np.ndarray, np.ndarray]:
        filled = self._members > 0
        means = self._sums[filled] / self._members[filled]
        return self._middles[filled], smooth(means, max(SMOOTH_LEAST, SMOOTH_SHARE * len(self._low)))

    def rates(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """One line a layer group; not a number where the group is frozen."""
        return [(self._middles, row) for row in self._rates]

    def validation(self) -> tuple[list[float], list[float]]:
        return points(self.epochs)

    def best(self) -> tuple[list[float], list[float]]:
        """The validation point of the epoch that is kept."""
        return points([event for event in self.epochs if event.best][-1:])

    def loss_range(self) -> tuple[float, float] | None:
        """Lowest and highest loss so far, or nothing before the first."""
        seen = np.concatenate([self._low, self._high, self.validation()[1]]) if self.plan else np.empty(0)
        seen = seen[np.isfinite(seen)]
        return (float(seen.min()), float(seen.max())) if len(seen) else None


def points(epochs: list[EpochEnded]) -> tuple[list[float], list[float]]:
    """(step, validation loss) of the epochs that have one."""
    told = [(float(event.step), event.metrics.get("valid_loss", np.nan)) for event in epochs]
    sound = [pair for pair in told if np.isfinite(pair[1])]
    return [step for step, _ in sound], [loss for _, loss in sound]


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def positive(values: np.ndarray | list[float]) -> np.ndarray:
    """Not a number in place of zero and below, which have no place on a log axis."""
    values = np.asarray(values, float)
    return np.where(values > 0, values, np.nan)


def smooth(values: np.ndarray, span: float) -> np.ndarray:
    """Exponential moving average, corrected for its beginning: the first value is its own average."""
    keep = 1 - 1 / span
    smoothed, total, weight = np.empty(len(values)), 0.0, 0.0
    for place, value in enumerate(values.tolist()):
        total = keep * total + (1 - keep) * value
        weight = keep * weight + (1 - keep)
        smoothed[place] = total / weight
    return smoothed
