"""One plot of a training: heading, legend, fixed axes, a cheap grid and borders of phases."""

from __future__ import annotations

import html
import math
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from studio import theme

LEAST_HEIGHT = 64
# Shapes of pyqtgraph and the signs that stand for them in texts: lines are told apart without colour too.
SHAPES = (("o", "●"), ("s", "■"), ("t1", "▲"), ("d", "◆"), ("t", "▼"), ("star", "★"), ("p", "⬟"), ("x", "✖"))
FAINT = {"light": 80, "dark": 150}  # opacity of a thin line behind a thick one, of 255, by theme
STALE = 0.4  # opacity of what earlier settings led to
# The phase's name stands right of its border, near the top.
BORDER: dict[str, Any] = {"label": "", "labelOpts": {"position": 0.93, "anchors": [(0, 0.5), (0, 0.5)]}}


class NumberAxis(pg.AxisItem):
    """Plain numbers; with `log` the values are logarithms, and the ticks stand where the numbers are round."""

    def __init__(self, side: str, log: bool = False):
        super().__init__(side)
        self.log = log
        self.label_size = 15 if side in ("left", "right") else 55  # pixels along the axis
        self.enableAutoSIPrefix(False)

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        if not self.log:
            return super().tickValues(low, high, size)
        ticks = [tick for tick in log_ticks(low, high) if low <= tick <= high]
        room = max(2, int(size / self.label_size))
        return [(1.0, ticks[:: -(-len(ticks) // room) or 1])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        if self.log:
            return [number(10**value) for value in values]
        if spacing * scale >= 1:
            return [f"{value * scale:,.0f}" for value in values]
        return super().tickStrings(values, scale, spacing)


class RateAxis(NumberAxis):
    """Learning rates by their logarithms: 0.001, 0.01 …"""

    def __init__(self, side: str):
        super().__init__(side, log=True)


class StepAxis(NumberAxis):
    """Steps, counted from 1 where they are logarithms; or epochs."""

    def count_in(self, steps_per_epoch: int) -> None:
        """Count epochs of so many steps; 0 for steps."""
        self.setScale(1 / steps_per_epoch if steps_per_epoch else 1.0)


class Legend(QLabel):
    """Says the longest of several texts that has room; it never asks for more room than there is."""

    def __init__(self) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._texts: tuple[str, ...] = ()

    def say(self, *texts: str) -> None:
        """The longest text first."""
        self._texts = texts
        self._choose()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._choose()

    def _choose(self) -> None:
        for text in self._texts:
            self.setText(text)
            if self.sizeHint().width() <= self.width():
                return


class Panel(QWidget):
    """One plot under its heading and legend, with horizontal grid lines and vertical phase borders."""

    def __init__(
        self, title: str, axis: pg.AxisItem, bottom: pg.AxisItem | None = None, box: pg.ViewBox | None = None
    ):
        super().__init__()
        axes = {"left": axis, **({"bottom": bottom} if bottom else {})}
        self.plot = pg.PlotWidget(axisItems=axes, **({"viewBox": box} if box else {}))
        self.legend = Legend()
        self.heading = QLabel(title)
        self.heading.setProperty("role", "subheading")
        self._grid: list[pg.InfiniteLine] = []
        self._borders: list[pg.InfiniteLine] = []
        self._lay_out()
        self._quieten()

    def _lay_out(self) -> None:
        self.top = QHBoxLayout()
        self.top.setSpacing(theme.MEDIUM)
        self.top.addWidget(self.heading)
        self.top.addWidget(self.legend, 1)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(2)
        self.column.addLayout(self.top)
        self.column.addWidget(self.plot, 1)

    def _quieten(self) -> None:
        """No menu and no range that follows the data; what the mouse may do is for the box of the view to say."""
        self.plot.setMouseEnabled(False, False)
        self.plot.setMenuEnabled(False)
        self.plot.hideButtons()
        self.plot.disableAutoRange()
        self.plot.getAxis("left").setWidth(58)
        self.plot.getPlotItem().setContentsMargins(0, 8, 14, 4)  # room for the outermost labels
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot.setMinimumHeight(LEAST_HEIGHT)

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

    def show_stale(self, stale: bool) -> None:
        """Pale where the curves are of earlier settings."""
        self.plot.getPlotItem().setOpacity(STALE if stale else 1.0)

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
        lacking = len(places) - len(lines)
        for _ in range(lacking):
            lines.append(self.add(pg.InfiniteLine(angle=angle, **(BORDER if angle else {})), -10))
        for line, place in zip(lines, places):
            line.setPos(place)
        for number, line in enumerate(lines):
            line.setVisible(number < len(places))
        if lacking > 0:
            self.recolour()

    @staticmethod
    def _name(line: pg.InfiniteLine, name: str) -> None:
        line.label.setFormat(name)
        line.label.setVisible(bool(name))


def log_ticks(low: float, high: float) -> list[float]:
    """Logarithms of round numbers between those two: decades, with 2 and 5 of each, or even steps in a narrow range."""
    if high - low < 0.8:
        least, most = 10**low, 10**high
        spacing = round_step((most - least) / 4)
        return [math.log10(n * spacing) for n in range(math.ceil(least / spacing), int(most / spacing) + 1) if n > 0]
    mantissas = (1, 2, 5) if high - low < 2.2 else (1,)
    decades = range(math.floor(low), math.ceil(high) + 1)
    return [decade + math.log10(mantissa) for decade in decades for mantissa in mantissas]


def round_step(about: float) -> float:
    """The next of 1, 2, 5, 10, 20 … or their fractions that is not smaller."""
    decade = 10.0 ** math.floor(math.log10(about))
    return next(factor * decade for factor in (1, 2, 5, 10) if factor * decade >= about * (1 - 1e-9))


def number(value: float) -> str:
    """As short as it can be read: 12,000, 4.5, 0.0004, 1e-9."""
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 0.000000099 or value == 0:
        return np.format_float_positional(float(f"{value:.4g}"), trim="-")
    return f"{value:.2g}".replace("e-0", "e-")


def frame(part: QWidget) -> None:
    """Draw, while `part` paints itself, what shows that the keyboard is its own."""
    painter = QPainter(part)
    painter.setPen(QPen(QColor(theme.colours().accent), 2))
    painter.drawRect(part.rect().adjusted(1, 1, -1, -1))
    painter.end()


def pen(colour: str, width: int = 1, dashed: bool = False, alpha: int = 255) -> QPen:
    shade = QColor(colour)
    shade.setAlpha(alpha)
    return pg.mkPen(shade, width=width, style=Qt.PenStyle.DashLine if dashed else Qt.PenStyle.SolidLine)


def key(colour: str, sign: str, text: str) -> str:
    """An entry of a legend: a sign in its line's colour, and what the line is."""
    return f'<span style="color:{colour}">{sign}</span>&nbsp;{html.escape(text).replace(" ", "&nbsp;")}'
