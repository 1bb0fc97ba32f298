"""What a run's two files tell, as lines to draw: the whole run, or the part of it that a person looks at."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from studio.widgets.buckets import BUCKETS, Buckets, even_edges, growing_edges, smooth
from ulmfit_core import events
from ulmfit_core.events import Ended, EpochEnded, Event, Plan
from ulmfit_core.run import Steps, read_steps

__all__ = ["BUCKETS", "Curves", "positive", "smooth"]

# How smooth the loss is drawn → the share of the whole run that it is averaged over.
SMOOTHING = {"off": 0.0, "less": 0.01, "more": 0.05}
SMOOTH_LEAST = 4.0  # steps
CHUNK = 10_000  # steps taken in at once, which keeps a frame short
# Columns in which zero means frozen or not looked at.
GAPS = ("lr:", "grad_norm:", "update_ratio:")

Line = tuple[np.ndarray, np.ndarray]


class Curves:
    """One run's plan, epochs and curves, as far as its two files tell them today. Every x is a number of steps done."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.plan: Plan | None = None
        self.epochs: list[EpochEnded] = []
        self.ended = False
        self.behind = False  # whether the files hold more than was taken in yet
        self.smoothing = "less"
        self.columns: tuple[str, ...] = ()
        self.whole: Buckets | None = None
        self._part: Buckets | None = None  # finer or otherwise spread than the whole
        self._asked: tuple[int, int, bool] | None = None  # what `_part` shall show: first step, last step, log axis
        self._told: tuple[int, int] | None = None

    @property
    def count(self) -> int:
        """Steps taken in."""
        return self.whole.next if self.whole else 0

    # Reading

    def read(self, most: int | None = None) -> bool:
        """Take in what the files hold beyond the last reading, at most so many steps. True if there was anything."""
        paths = self.folder / "events.jsonl", self.folder / "steps.f32"
        sizes = size_of(paths[0]), size_of(paths[1])
        before, self._told = self._told, sizes
        if before is None or before[0] != sizes[0]:
            self._read_events(events.read_events(paths[0]))
        changed = before != sizes or self.behind
        if self.plan and changed:
            self._take(read_steps(paths[1]), self.plan, most or max(1, sizes[1]))
        return changed

    def look_at(self, first: int, last: int, log: bool) -> None:
        """From now on draw the steps [first, last) as finely as they fit; `log` for an axis of logarithms."""
        asked = (max(0, first), last, log)
        whole = self.plan is not None and asked == (0, self.plan.total_steps, False)
        if asked != self._asked:
            self._asked, self._part = (None if whole else asked), None
            self.behind = self.behind or not whole

    def _read_events(self, told: list[Event]) -> None:
        self.epochs = [event for event in told if isinstance(event, EpochEnded)]
        self.ended = any(isinstance(event, Ended) for event in told[-1:])
        plans = [event for event in told if isinstance(event, Plan)]
        if plans and plans[-1] != self.plan:
            self.plan, self.whole, self._part = plans[-1], None, None

    def _take(self, steps: Steps, plan: Plan, most: int) -> None:
        if steps.columns != self.columns or len(steps.values) < self.count:  # a resumed run has cut its log back
            self.columns, self.whole, self._part = steps.columns, None, None
        if not self.columns:
            return
        self.whole = self.whole or self._buckets(even_edges(0, plan.total_steps))
        if self._asked and self._part is None:
            first, last, log = self._asked
            self._part = self._buckets((growing_edges if log else even_edges)(first, last))
        self.behind = self.whole.take(steps.values, most)
        if self._part:
            self.behind = self._part.take(steps.values, most) or self.behind

    def _buckets(self, edges: np.ndarray) -> Buckets:
        gaps = [place for place, name in enumerate(self.columns) if name.startswith(GAPS)]
        return Buckets(edges, len(self.columns), gaps)

    # What is drawn

    @property
    def drawn(self) -> Buckets | None:
        """The part that is looked at once it is taken in, the whole until then."""
        part = self._part
        return part if part and part.next >= min(self.count, part.edges[-1]) else self.whole

    def raw(self) -> Line:
        """The loss from the lowest to the highest of each bucket, so that no peak is lost."""
        if not (self.drawn and "loss" in self.columns):
            return nothing()
        low, high = (values[:, self.columns.index("loss")] for values in (self.drawn.low, self.drawn.high))
        filled = np.isfinite(low)
        return np.repeat(self.drawn.middles[filled], 2), np.column_stack([low[filled], high[filled]]).ravel()

    def smoothed(self) -> Line:
        """The loss averaged as `smoothing` says; nothing where that is off."""
        return self.smoothed_line("loss") if SMOOTHING[self.smoothing] else nothing()

    def smoothed_line(self, column: str) -> Line:
        x, values, widths = self._filled(self.drawn, column)
        if self.drawn is self.whole or not len(x):
            return x, smooth(values, self.span, widths)
        earlier, old, old_widths = self._filled(self.whole, column)
        before = smooth(old, self.span, old_widths)[earlier < x[0]]
        return x, smooth(values, self.span, widths, float(before[-1]) if len(before) else None)

    def line(self, column: str) -> Line:
        """The mean of a column in each bucket; not a number where there is nothing."""
        if not (self.drawn and column in self.columns):
            return nothing()
        return self.drawn.middles, self.drawn.means(self.columns.index(column))

    def rates(self) -> list[Line]:
        """One line a layer group; not a number where the group is frozen."""
        return [self.line(column) for column in self.columns if column.startswith("lr:")]

    def speed(self) -> Line:
        """Tokens a second, averaged like the loss."""
        if not (self.drawn and {"tokens", "seconds"} <= set(self.columns)):
            return nothing()
        tokens, seconds = (self.columns.index(name) for name in ("tokens", "seconds"))
        filled = self.drawn.members[:, seconds] > 0
        time = self.drawn.high[filled, seconds]
        took, widths = np.diff(time, prepend=time[:1]), self.drawn.widths[filled]
        took[:1] = took[1:2] if len(took) > 1 else time[:1]  # how long the first ones took is told by no step before
        span = self.span or 1.0
        read = smooth(self.drawn.sums[filled, tokens], span, widths)
        return self.drawn.middles[filled], read / np.maximum(smooth(took, span, widths), 1e-9)

    def validation(self) -> tuple[list[float], list[float]]:
        return points(self.epochs)

    def best(self) -> tuple[list[float], list[float]]:
        """The validation point of the epoch that is kept."""
        return points([event for event in self.epochs if event.best][-1:])

    def loss_range(self) -> tuple[float, float] | None:
        """Lowest and highest loss of the whole run so far, or nothing before the first."""
        if self.whole is None or "loss" not in self.columns:
            return extent(np.array(self.validation()[1]))
        column = self.columns.index("loss")
        return extent(np.concatenate([self.whole.low[:, column], self.whole.high[:, column], self.validation()[1]]))

    def row(self, step: int) -> dict[str, float]:
        """The logged figures of one step, counted from 0; none where it was not logged."""
        steps = read_steps(self.folder / "steps.f32")
        if not 0 <= step < len(steps.values):
            return {}
        return dict(zip(steps.columns, steps.values[step].tolist()))

    @property
    def span(self) -> float:
        """Steps that are averaged over; 0 for none."""
        share = SMOOTHING[self.smoothing]
        return max(SMOOTH_LEAST, share * (self.plan.total_steps if self.plan else 0)) if share else 0.0

    def _filled(self, buckets: Buckets | None, column: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Middles, means and widths of the buckets that hold a value."""
        if buckets is None or column not in self.columns:
            return np.empty(0), np.empty(0), np.empty(0)
        means = buckets.means(self.columns.index(column))
        filled = np.isfinite(means)
        return buckets.middles[filled], means[filled], buckets.widths[filled]


def points(epochs: list[EpochEnded]) -> tuple[list[float], list[float]]:
    """(step, validation loss) of the epochs that have one."""
    told = [(float(event.step), event.metrics.get("valid_loss", np.nan)) for event in epochs]
    sound = [pair for pair in told if np.isfinite(pair[1])]
    return [step for step, _ in sound], [loss for _, loss in sound]


def extent(values: np.ndarray) -> tuple[float, float] | None:
    """Lowest and highest of the finite values, if there are any."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else None


def nothing() -> Line:
    return np.empty(0), np.empty(0)


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def positive(values: np.ndarray | list[float]) -> np.ndarray:
    """Not a number in place of zero and below, which have no place on a log axis."""
    values = np.asarray(values, float)
    return np.where(values > 0, values, np.nan)
