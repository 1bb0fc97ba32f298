"""Each layer group's learning rate: dashed as planned, full as far as it has happened."""

from __future__ import annotations

import math

import numpy as np
import pyqtgraph as pg

from studio import theme
from studio.widgets.curves import Curves, positive
from studio.widgets.plot_panel import Panel, RateAxis, key, pen
from studio.widgets.plot_window import Window
from ulmfit_core.events import Plan

DECADES = 4  # of the learning rate below its peak; a one-cycle ends in nothing


class RatePlot(Panel):
    """One colour a group, the bottom group first."""

    def __init__(self, box: pg.ViewBox):
        super().__init__("Learning rate", RateAxis("left"), box=box)
        self.coming: list[pg.PlotCurveItem] = []
        self.live: list[pg.PlotCurveItem] = []

    def show_plan(self, plan: Plan, window: Window) -> None:
        while len(self.coming) < len(plan.groups):
            self.coming.append(self.add(pg.PlotCurveItem(), 1))
            self.live.append(self.add(pg.PlotCurveItem(), 5))
        x = window.place(np.array(plan.rate_steps, float))
        for line, rates in zip(self.coming, plan.rates):
            line.setData(x, np.log10(positive(rates)), connect="finite")

    def draw(self, curves: Curves, window: Window) -> None:
        for line, (x, rates) in zip(self.live, curves.rates()):
            line.setData(window.place(x), np.log10(positive(rates)), connect="finite")

    def clear(self) -> None:
        for line in (*self.coming, *self.live):
            line.setData([], [])

    def recolour(self) -> None:
        super().recolour()
        for line, live, colour in zip(self.coming, self.live, group_colours(len(self.coming))):
            line.setPen(pen(colour, dashed=True))
            live.setPen(pen(colour, width=2))

    def say_legend(self, plan: Plan | None) -> None:
        if plan is None:
            self.legend.say("")
            return
        groups = [key(colour, "━", name) for name, colour in zip(plan.groups, group_colours(len(plan.groups)))]
        planned = key(theme.colours().muted, "┄", "planned")
        self.legend.say("&nbsp; ".join([*groups, planned]), "&nbsp; ".join(groups), "")

    def say_values(self, rates: list[float]) -> None:
        """The rates under the crosshair; none for a group that is frozen."""
        told = [
            key(colour, "━", f"{rate:.2g}" if rate > 0 else "frozen")
            for rate, colour in zip(rates, group_colours(len(rates)))
        ]
        self.legend.say("&nbsp; ".join(told), "&nbsp; ".join(told[-2:]), told[-1] if told else "")


def group_colours(count: int) -> list[str]:
    colours = theme.line_colours()
    return [colours[place % len(colours)] for place in range(count)]


def rate_range(plan: Plan) -> tuple[float, float]:
    """Logarithms of the lowest and highest rate that have a place on the axis."""
    rates = [rate for group in plan.rates for rate in group if rate > 0] or [1e-3]
    highest = math.log10(max(rates))
    lowest = max(math.log10(min(rates)), highest - DECADES)
    return lowest - 0.15, highest + 0.15
