"""Learning rate and momentum as pure functions of the step (ULMFiT paper 3.2; Smith 2018 for one cycle)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from ulmfit_core import catalog
from ulmfit_core.config import StageSettings


class Schedule(Protocol):
    """`rate` is the share of the highest learning rate at step `t` of `total`; both count from 0."""

    def rate(self, t: int, total: int) -> float: ...

    def momentum(self, t: int, total: int) -> float: ...


def slanted_triangle(t: int, total: int, cut_frac: float, ratio: float) -> float:
    """STLR in [1/ratio, 1]: rises to the cut, then falls to the end of the span.

    The paper prints the second denominator as cut·(1/cut_frac - 1), which overshoots into negative rates where
    total·cut_frac is not whole; total - cut is what it means.
    """
    cut = max(1, math.floor(total * cut_frac))
    p = t / cut if t < cut else 1 - (t - cut) / max(1, total - cut)
    return (1 + p * (ratio - 1)) / ratio


def cosine(start: float, end: float, share: float) -> float:
    """Half a cosine from `start` (share 0) to `end` (share 1)."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def one_cycle(t: int, total: int, pct_start: float, low: float, high: float, end: float) -> float:
    """Cosine from `low` up to `high` in the first `pct_start` of the steps (at least one), then down to `end`."""
    turn = max(1.0, total * pct_start)
    if t < turn:
        return cosine(low, high, t / turn)
    return cosine(high, end, (t - turn) / max(1.0, total - turn))


@dataclass(frozen=True)
class Slanted:
    """From 1/ratio up to 1 at cut_frac of the steps, then back; the momentum stays (ULMFiT paper 3.2)."""

    settings: StageSettings

    def rate(self, t: int, total: int) -> float:
        return slanted_triangle(t, total, self.settings.cut_frac, self.settings.ratio)

    def momentum(self, t: int, total: int) -> float:
        return self.settings.momentum


@dataclass(frozen=True)
class OneCycle:
    """From 1/25 up to 1, then down to 1e-5; the momentum goes the other way (Smith 2018; figures of fastai)."""

    settings: StageSettings

    def rate(self, t: int, total: int) -> float:
        return one_cycle(t, total, self.settings.pct_start, 1 / 25, 1.0, 1e-5)

    def momentum(self, t: int, total: int) -> float:
        high, low = self.settings.momentum, self.settings.momentum_low
        return one_cycle(t, total, self.settings.pct_start, high, low, high)


@dataclass(frozen=True)
class Cosine:
    """Falls from 1 towards 0, which step `total` would reach: the last step has sin²(π / (2·total)), still above 0."""

    settings: StageSettings

    def rate(self, t: int, total: int) -> float:
        return cosine(1.0, 0.0, t / total)

    def momentum(self, t: int, total: int) -> float:
        return self.settings.momentum


@dataclass(frozen=True)
class FlatAnneal:
    """The highest rate for `flat_share` of the steps, then a cosine towards 0, which step `total` would reach."""

    settings: StageSettings

    def rate(self, t: int, total: int) -> float:
        flat = total * self.settings.flat_share
        return 1.0 if t < flat else cosine(1.0, 0.0, (t - flat) / (total - flat))

    def momentum(self, t: int, total: int) -> float:
        return self.settings.momentum


@dataclass(frozen=True)
class Constant:
    settings: StageSettings

    def rate(self, t: int, total: int) -> float:
        return 1.0

    def momentum(self, t: int, total: int) -> float:
        return self.settings.momentum


def schedule(name: str, settings: StageSettings) -> Schedule:
    """The schedule of that name in the catalog."""
    return catalog.resolve("schedule", name)(settings)
