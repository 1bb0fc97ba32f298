"""A small plot of figures by epoch: one line each, told apart by colour and by the shape of its points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Slot

from studio import theme
from studio.widgets.plot_panel import SHAPES, Panel, pen

MOST_TICKS = 12
ROOM = 0.12  # of the values' range, above and below them: points are not cut
HEIGHT = 62  # pixels that it needs at least


@dataclass(frozen=True)
class Line:
    """`epochs` count from 1; 0 is before the first one."""

    name: str
    epochs: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


class HalvesAxis(pg.AxisItem):
    """Ticks at 0, 50 and 100 %."""

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        return [(0.5, [0.0, 0.5, 1.0])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [f"{value:.0%}" for value in values]


class EpochCurves(Panel):
    """`show_lines` draws some lines in place of those before. Of `shares` the axis spans 0 to 100 %."""

    def __init__(self, title: str, shares: bool = False):
        super().__init__(title, HalvesAxis("left") if shares else pg.AxisItem("left"))
        self._shares = shares
        self.heading.setProperty("role", "hint")
        self.lines: list[Line] = []
        self._items: list[tuple[pg.PlotCurveItem, pg.ScatterPlotItem]] = []
        self.plot.setMinimumHeight(HEIGHT)
        self.plot.getAxis("left").setWidth(44)
        self.plot.setAccessibleName(f"Plot: {title}")
        theme.changed.connect(self._recolour)
        self._recolour()

    def show_lines(self, lines: Sequence[Line], epochs: int = 0) -> None:
        """`epochs` that the axis has at least."""
        self.lines = list(lines)
        while len(self._items) < len(lines):
            self._add_item()
        for number, (curve, points) in enumerate(self._items):
            line = lines[number] if number < len(lines) else Line("")
            x, y = np.array(line.epochs, float), np.array(line.values, float)
            curve.setData(x, y)
            points.setData(x, y)
        self._fit(epochs)
        self._recolour()
        self.plot.setAccessibleDescription("; ".join(spoken(line) for line in lines if line.values))

    def _add_item(self) -> None:
        shape = SHAPES[len(self._items) % len(SHAPES)][0]
        curve = self.add(pg.PlotCurveItem(), 3)
        self._items.append((curve, self.add(pg.ScatterPlotItem(size=8, symbol=shape), 5)))

    def _fit(self, epochs: int) -> None:
        values = [value for line in self.lines for value in line.values if np.isfinite(value)]
        if not values:
            self.blank()
            return
        places = [epoch for line in self.lines for epoch in line.epochs]
        first, last = min(places), max([*places, epochs, 1])
        self.plot.setXRange(first - 0.3, last + 0.3, padding=0)
        step = max(1, -(-(last - first) // MOST_TICKS))
        ticks = [(at, str(at) if at else "before") for at in range(first, last + 1, step)]
        self.plot.getAxis("bottom").setTicks([ticks])
        low, high = (0.0, 1.0) if self._shares else (min(values), max(values))
        room = max(ROOM * (high - low), 0.01)
        self.set_range(low - room, high + room)

    @Slot()
    def _recolour(self) -> None:
        self.recolour()
        colours = theme.line_colours()
        for number, (curve, points) in enumerate(self._items):
            colour = colours[number % len(colours)]
            curve.setPen(pen(colour, width=2))
            points.setBrush(colour)
            points.setPen(None)


def sign(number: int) -> str:
    """The sign that stands for the points of a line."""
    return SHAPES[number % len(SHAPES)][1]


def spoken(line: Line) -> str:
    return f"{line.name}: {line.values[0]:.2f} at first, {line.values[-1]:.2f} now"
