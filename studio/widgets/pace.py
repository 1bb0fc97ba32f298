"""Where a training stands and how fast it goes, reckoned from its plan and its log of steps."""

from __future__ import annotations

import bisect
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ulmfit_core.events import Plan
from ulmfit_core.run import Steps

WINDOW_SECONDS = 30.0
TAIL = 5000  # steps looked at: more than 30 s hold, unless a step takes less than 6 ms
# A step that took so long, and so many times what is usual, was no work: the machine slept, or texts were validated.
REST_SECONDS, REST_TIMES = 60.0, 20.0


@dataclass(frozen=True)
class Standing:
    """Counted from 0: the epoch and phase at work, and the share of each that is done."""

    step: int
    epoch: int
    epoch_share: float
    phase: int
    phase_share: float


def standing(plan: Plan, step: int) -> Standing:
    """Where `step` steps lead to in the plan."""
    epoch = min(bisect.bisect_right(plan.epoch_ends, step), len(plan.epoch_ends) - 1)
    begin = plan.epoch_ends[epoch - 1] if epoch else 0
    phase = max(bisect.bisect_right([row["first_step"] for row in plan.phases], step) - 1, 0)
    first, last = plan.phases[phase]["first_step"], plan.phases[phase]["last_step"]
    of_epoch = share(step - begin, plan.epoch_ends[epoch] - begin)
    return Standing(step, epoch, of_epoch, phase, share(step - first, last - first))


def share(done: float, total: float) -> float:
    return min(1.0, max(0.0, done / total)) if total > 0 else 0.0


def steps_done(steps: Steps) -> int:
    """How many, by the last one; 0 where a damaged log does not tell."""
    if not len(steps.values) or "step" not in steps.columns:
        return 0
    last = steps["step"][-1]
    return max(0, int(last)) if np.isfinite(last) else 0


def speed(steps: Steps) -> tuple[float, float]:
    """Steps and tokens a second over the last half minute of work; zeros before two steps are known."""
    tail = Steps(steps.columns, steps.values[-TAIL:])
    if len(tail.values) < 2 or not {"seconds", "tokens"} <= set(steps.columns):
        return 0.0, 0.0
    seconds, tokens = _at_work(tail["seconds"].astype(float)), tail["tokens"].astype(float)
    begin = min(int(seconds.searchsorted(seconds[-1] - WINDOW_SECONDS)), len(seconds) - 2)
    span = seconds[-1] - seconds[begin]
    if not span > 0:  # no number is not either
        return 0.0, 0.0
    return (len(seconds) - 1 - begin) / span, float(tokens[begin + 1 :].sum()) / span


def _at_work(seconds: np.ndarray) -> np.ndarray:
    """The same times of at least two steps, from 0, without rests: after one a step took what is usual."""
    gaps = np.maximum(np.diff(seconds), 0.0)
    usual = float(np.median(gaps))
    worked = np.where(is_rest(gaps, usual), usual, gaps)
    return np.concatenate([[0.0], np.cumsum(worked)])


def is_rest(seconds: np.ndarray | float, usual: float) -> np.ndarray:
    """Whether nothing was done in so many seconds, where `usual` ones lie between two news."""
    return np.greater(seconds, max(REST_SECONDS, REST_TIMES * usual))


def duration(seconds: float) -> str:
    """3 min 20 s: two units at most, the smaller one dropped where it is noise."""
    whole = max(0, round(seconds))
    hours, minutes = whole // 3600, whole % 3600 // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def memory_megabytes() -> float:
    """What the program holds in memory; 0 where the system does not say."""
    path = Path("/proc/self/statm")
    if not path.exists():
        return 0.0
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
