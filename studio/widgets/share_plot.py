"""A plot of shares against shares, 0 to 100 % on both axes: calibration, precision and recall, coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Signal, Slot
from PySide6.QtWidgets import QSizePolicy

from studio import theme
from studio.widgets.plot_panel import Panel, key, pen

LEAST_HEIGHT = 170
ROOM = 0.025  # beyond 0 and 1, so that no point is cut
SIGNS = {"line": "━━", "dashed": "╍╍", "points": "●", "hollow": "○"}
POINT = 8  # pixels


@dataclass(frozen=True)
class Shares:
    """A line of the plot. `colour` is a place among the theme's line colours, -1 for grey; `look` one of SIGNS."""

    name: str
    across: Sequence[float]
    up: Sequence[float]
    colour: int = 0
    look: str = "line"


class FifthsAxis(pg.AxisItem):
    """Ticks at 0, 20 … 100 %."""

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        return [(0.2, [number / 5 for number in range(6)])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [f"{value:.0%}" for value in values]


class SharePlot(Panel):
    """`draw` replaces what was drawn; `mark` moves a vertical line that says where one is.

    `resized`: 0 and 100 % of the lower axis may stand elsewhere.
    """

    resized = Signal()

    def __init__(self, title: str, across: str, up: str):
        super().__init__(title, FifthsAxis("left"), FifthsAxis("bottom"))
        self.heading.hide()  # the card around it says what it is
        self.lines: list[Shares] = []
        self._items: list[tuple[pg.PlotCurveItem, pg.ScatterPlotItem]] = []
        self._mark = self.add(pg.InfiniteLine(angle=90), 2)
        self._mark.hide()
        self.plot.setAccessibleName(f"Plot: {title}")
        self.plot.setMinimumHeight(LEAST_HEIGHT)
        self.plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)  # as high as there is room
        self.plot.getAxis("bottom").setLabel(across)
        self.plot.getAxis("left").setLabel(up)
        self.plot.getAxis("left").setWidth(62)
        self.plot.setXRange(-ROOM, 1 + ROOM, padding=0)
        self.set_range(-ROOM, 1 + ROOM)
        self.plot.getViewBox().sigResized.connect(self.resized)
        theme.changed.connect(self._recolour)
        self._recolour()

    def draw(self, lines: Sequence[Shares], spoken: str) -> None:
        """`spoken` says what is seen, for those who do not see it."""
        self.lines = list(lines)
        while len(self._items) < len(lines):
            self._items.append((self.add(pg.PlotCurveItem(antialias=True), 4), self.add(pg.ScatterPlotItem(), 5)))
        for number, (curve, points) in enumerate(self._items):
            line = lines[number] if number < len(lines) else Shares("", [], [])
            x, y = np.asarray(line.across, float), np.asarray(line.up, float)
            curve.setData(x, y, connect="finite")
            dotted = line.look in ("points", "hollow")
            points.setData(*((x, y) if dotted else ([], [])))
        self.plot.setAccessibleDescription(spoken)
        self._recolour()

    def mark(self, share: float) -> None:
        self._mark.setPos(share)
        self._mark.show()

    def ends(self) -> tuple[int, int]:
        """Where 0 and 100 % of the lower axis stand, in pixels from the left."""
        view = self.plot.getViewBox()
        places = (self.plot.mapFromScene(view.mapViewToScene(QPointF(share, 0))) for share in (0, 1))
        left, right = (self.plot.viewport().mapTo(self, place).x() for place in places)
        return left, right

    @Slot()
    def _recolour(self) -> None:
        self.recolour()
        self._mark.setPen(pen(theme.colours().muted, dashed=True))
        for line, (curve, points) in zip(self.lines, self._items, strict=False):
            colour = colour_of(line)
            thin = line.look == "hollow" or line.look == "dashed"
            curve.setPen(pen(colour, width=1 if thin else 2, dashed=line.look == "dashed"))
            points.setSize(POINT)
            points.setPen(pen(colour))
            points.setBrush(theme.colours().surface if line.look == "hollow" else colour)
        self.legend.say("&nbsp; ".join(key(colour_of(line), SIGNS[line.look], line.name) for line in self.lines))


def colour_of(line: Shares) -> str:
    return theme.colours().muted if line.colour < 0 else theme.line_colours()[line.colour]
