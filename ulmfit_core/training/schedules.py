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
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def one_cycle(t: int, total: int, pct_start: float, low: float, high: float, end: float) -> float:
    """Cosine from `low` up to `high` in the first `pct_start` of the steps, then down to `end`."""
    turn = max(1.0, total * pct_start)
    if t < turn:
        return cosine(low, high, t / turn)
    return cosine(high, end, (t - turn) / max(1.0, total - turn))


@dataclass(frozen=True)
class Slanted:
    settings: StageSettings

    def rate(self, t: int, total: int) -> float:
        return slanted_triangle(t, total, self.settings.cut_frac, self.settings.ratio)

    def momentum(self, t: int, total: int) -> float:
        return self.settings.momentum


@dataclass(frozen=True)
class OneCycle:
    settings: StageSettings

    def rate(self, t: int, total: int) -> float:
        return one_cycle(t, total, self.settings.pct_start, 1 / 25, 1.0, 1e-5)

    def momentum(self, t: int, total: int) -> float:
        high, low = self.settings.momentum, self.settings.momentum_low
        return one_cycle(t, total, self.settings.pct_start, high, low, high)


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
