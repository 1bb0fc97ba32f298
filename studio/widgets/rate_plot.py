"""Each layer group's learning rate: dashed as planned, full as far as it has happened, with a shape for each group."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg

from studio import theme
from studio.widgets.curves import Curves, positive
from studio.widgets.learn_strip import SHORT
from studio.widgets.plot_panel import SHAPES, Panel, RateAxis, key, pen
from studio.widgets.plot_window import Window
from ulmfit_core.config import rate_text
from ulmfit_core.events import Plan

DECADES = 4  # of the learning rate below its peak; a one-cycle ends in nothing
SIGNED = 7  # places at which a line has the shape of its group


class RatePlot(Panel):
    """One colour and one shape a group, the bottom group first."""

    def __init__(self, box: pg.ViewBox):
        super().__init__("Learning rate", RateAxis("left"), box=box)
        self.coming: list[pg.PlotCurveItem] = []
        self.live: list[pg.PlotCurveItem] = []
        self.signs: list[pg.ScatterPlotItem] = []

    def show_plan(self, plan: Plan, window: Window) -> None:
        while len(self.coming) < len(plan.groups):
            self.coming.append(self.add(pg.PlotCurveItem(), 1))
            self.live.append(self.add(pg.PlotCurveItem(), 5))
            shape = SHAPES[len(self.signs) % len(SHAPES)][0]
            self.signs.append(self.add(pg.ScatterPlotItem(size=8, symbol=shape, useCache=False), 6))
        steps = np.array(plan.rate_steps, float)
        x, seen = window.place(steps), (steps >= window.first) & (steps <= window.last)
        for number, (line, signs, rates) in enumerate(zip(self.coming, self.signs, plan.rates)):
            logs = np.log10(positive(rates))
            line.setData(x, logs, connect="finite")
            at = sign_places(np.flatnonzero(np.isfinite(logs) & seen), number, len(plan.groups))
            signs.setData(x[at], logs[at])

    def draw(self, curves: Curves, window: Window) -> None:
        for line, (x, rates) in zip(self.live, curves.rates()):
            line.setData(window.place(x), np.log10(positive(rates)), connect="finite")

    def clear(self) -> None:
        for line in (*self.coming, *self.live, *self.signs):
            line.setData([], [])

    def recolour(self) -> None:
        super().recolour()
        for line, live, signs, colour in zip(self.coming, self.live, self.signs, group_colours(len(self.coming))):
            line.setPen(pen(colour, dashed=True))
            live.setPen(pen(colour, width=2))
            signs.setBrush(colour)
            signs.setPen(None)

    def say_legend(self, plan: Plan | None) -> None:
        if plan is None:
            self.legend.say("")
            return
        groups, short = self._keys(plan.groups), self._keys([SHORT.get(name, name) for name in plan.groups])
        planned = key(theme.colours().muted, "┄", "planned")
        self.legend.say(*("&nbsp; ".join(each) for each in ([*groups, planned], groups, short)), " ".join(short))

    @staticmethod
    def _keys(names: list[str]) -> list[str]:
        return [key(colour, sign_of(row), names[row]) for row, colour in enumerate(group_colours(len(names)))]

    def say_values(self, rates: list[float]) -> None:
        """The rates under the crosshair; none for a group that is frozen."""
        told = [
            key(colour, sign_of(row), rate_text(rates[row]) if rates[row] > 0 else "frozen")
            for row, colour in enumerate(group_colours(len(rates)))
        ]
        self.legend.say("&nbsp; ".join(told), "&nbsp; ".join(told[-2:]), told[-1] if told else "")


def sign_of(group: int) -> str:
    """The sign that stands for the shape of a layer group."""
    return SHAPES[group % len(SHAPES)][1]


def sign_places(places: np.ndarray, number: int, count: int) -> np.ndarray:
    """Where, of the places that a line has, its shape is drawn: beside those of the `count` lines, not above them."""
    if len(places) == 0:
        return places
    shares = (np.arange(SIGNED) + (number + 0.5) / count) / SIGNED
    return places[np.unique((shares * (len(places) - 1)).astype(int))]


def group_colours(count: int) -> list[str]:
    colours = theme.line_colours()
    return [colours[place % len(colours)] for place in range(count)]


def rate_range(plan: Plan) -> tuple[float, float]:
    """Logarithms of the lowest and highest rate that have a place on the axis."""
    rates = [rate for group in plan.rates for rate in group if rate > 0] or [1e-3]
    highest = math.log10(max(rates))
    lowest = max(math.log10(min(rates)), highest - DECADES)
    return lowest - 0.15, highest + 0.15
