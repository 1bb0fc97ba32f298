"""One plot of a training: heading, legend, fixed axes, a cheap grid and borders of phases."""

from __future__ import annotations

import math
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio import theme

# The phase's name stands right of its border, near the top.
BORDER: dict[str, Any] = {"label": "", "labelOpts": {"position": 0.93, "anchors": [(0, 0.5), (0, 0.5)]}}


class RateAxis(pg.AxisItem):
    """Ticks 0.001, 0.002, 0.005 for values that are logarithms of learning rates."""

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        mantissas = (1, 2, 5) if high - low < 2.2 else (1,)
        decades = range(math.floor(low), math.ceil(high) + 1)
        ticks = [decade + math.log10(mantissa) for decade in decades for mantissa in mantissas]
        return [(1.0, [tick for tick in ticks if low <= tick <= high])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        return [f"{10**value:.1g}" if value < -5.5 else f"{10**value:.5f}".rstrip("0").rstrip(".") for value in values]


class Panel(QWidget):
    """One plot under its heading and legend, with horizontal grid lines and vertical phase borders."""

    def __init__(self, title: str, axis: pg.AxisItem, bottom: pg.AxisItem | None = None):
        super().__init__()
        self.plot = pg.PlotWidget(axisItems={"left": axis, **({"bottom": bottom} if bottom else {})})
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.heading = QLabel(title)
        self.heading.setProperty("role", "subheading")
        self._grid: list[pg.InfiniteLine] = []
        self._borders: list[pg.InfiniteLine] = []
        self._lay_out()
        self._quieten()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.heading)
        top.addStretch(1)
        top.addWidget(self.legend)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(top)
        column.addWidget(self.plot, 1)

    def _quieten(self) -> None:
        """No zoom, no menu, no range that follows the data: a wheel meant for the page moves the page."""
        self.plot.setMouseEnabled(False, False)
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.disableAutoRange()
        self.plot.getAxis("left").setWidth(58)
        self.plot.getPlotItem().setContentsMargins(0, 8, 14, 4)  # room for the outermost labels
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot.setMinimumHeight(90)

    def add(self, item: pg.GraphicsObject, height: float) -> pg.GraphicsObject:
        item.setZValue(height)
        self.plot.addItem(item)
        return item

    def set_range(self, low: float, high: float) -> None:
        """Fix the vertical axis and draw its grid: cheaper than showGrid by an order of magnitude."""
        self.plot.getAxis("left").setStyle(showValues=True)
        self.plot.setYRange(low, high, padding=0)
        size = max(self.plot.height(), 100)
        places = self.plot.getAxis("left").tickValues(low, high, size)[0][1]
        self._place(self._grid, list(places), 0)

    def blank(self) -> None:
        """No values, so no scale."""
        self.plot.getAxis("left").setStyle(showValues=False)
        self._place(self._grid, [], 0)

    def set_borders(self, steps: list[float], names: list[str]) -> None:
        self._place(self._borders, steps, 90)
        for line, name in zip(self._borders, names):
            self._name(line, name)

    def recolour(self) -> None:
        colours = theme.colours()
        self.plot.setBackground(colours.surface)
        for side in ("left", "bottom"):
            self.plot.getAxis(side).setPen(colours.border)
            self.plot.getAxis(side).setTextPen(colours.muted)
        for line in self._grid:
            line.setPen(pen(colours.grid))
        for line in self._borders:
            line.setPen(pen(colours.muted, dashed=True))
            line.label.setColor(colours.muted)
            line.label.fill = pg.mkBrush(colours.surface)  # else grid lines strike the name through

    def _place(self, lines: list[pg.InfiniteLine], places: list[float], angle: int) -> None:
        """Move lines that are there, add what is missing, hide what is too many: none is made anew."""
        while len(lines) < len(places):
            lines.append(self.add(pg.InfiniteLine(angle=angle, **(BORDER if angle else {})), -10))
        for line, place in zip(lines, places):
            line.setPos(place)
        for number, line in enumerate(lines):
            line.setVisible(number < len(places))
        self.recolour()

    @staticmethod
    def _name(line: pg.InfiniteLine, name: str) -> None:
        line.label.setFormat(name)
        line.label.setVisible(bool(name))


def pen(colour: str, width: int = 1, dashed: bool = False, alpha: int = 255) -> QPen:
    shade = QColor(colour)
    shade.setAlpha(alpha)
    return pg.mkPen(shade, width=width, style=Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine)
