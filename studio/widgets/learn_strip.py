"""A band for each layer group that shows when it learns: pale as planned, full as far as it has happened."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont
from PySide6.QtWidgets import QLabel

from studio import theme
from studio.widgets.curves import Curves
from studio.widgets.plot_panel import Panel
from studio.widgets.plot_window import Window
from ulmfit_core.events import Plan

ROW_HEIGHT = 11  # pixels
AXIS_HEIGHT = 24  # of the steps below the bands
THICKNESS = 0.72  # of a row
PALE = 70  # of 255
SHORT = {"embedding": "embed.", "embedding+decoder": "emb+dec"}

Span = tuple[float, float]
Bar = tuple[int, float, float, QColor]


class Bands(pg.GraphicsObject):
    """Filled bars. Each is (row, first place, last place, colour)."""

    def __init__(self) -> None:
        super().__init__()
        self._bars: list[Bar] = []

    def show_bars(self, bars: list[Bar]) -> None:
        self.prepareGeometryChange()
        self._bars = bars
        self.update()

    @property
    def bars(self) -> list[Bar]:
        return self._bars

    def boundingRect(self) -> QRectF:
        if not self._bars:
            return QRectF()
        first, last = min(bar[1] for bar in self._bars), max(bar[2] for bar in self._bars)
        return QRectF(first, 0, last - first, 1 + max(bar[0] for bar in self._bars))

    def paint(self, painter: Any, *_: Any) -> None:
        for row, first, last, colour in self._bars:
            painter.fillRect(QRectF(first, row + (1 - THICKNESS) / 2, last - first, THICKNESS), colour)


class LearnStrip(Panel):
    """The bottom group is the lowest band. Below it are the steps, which all plots above share."""

    def __init__(self, axis: pg.AxisItem, bottom: pg.AxisItem, box: pg.ViewBox):
        super().__init__("", axis, bottom, box)
        self._names: list[str] = []
        self._low = False
        self.heading.hide()
        self.legend.hide()
        self.bands = self.add(Bands(), 1)
        self.plot.getPlotItem().setContentsMargins(0, 0, 14, 0)
        small = QFont()
        small.setPointSizeF(7.5)
        self.plot.getAxis("left").setStyle(tickFont=small, tickLength=0)
        self.unit = QLabel(self.plot)  # left of the steps' numbers, where it takes no height
        self.unit.setProperty("role", "muted")
        self.unit.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setToolTip("Which layers learn when: pale as planned, full as far as the training has come.")

    def show_groups(self, names: list[str]) -> None:
        self._names = names
        self.plot.getAxis("left").setTicks([[(row + 0.5, SHORT.get(name, name)) for row, name in enumerate(names)]])
        self.plot.setYRange(0, max(1, len(names)), padding=0)
        self.set_low(self._low)

    def set_low(self, low: bool) -> None:
        """Whether there is little height: then the bands give way, since the rates above show too who learns."""
        self._low = low
        height = 0 if low else ROW_HEIGHT * len(self._names)
        self.bands.setVisible(not low)
        self.plot.getAxis("left").setStyle(showValues=not low)
        self.plot.setFixedHeight(height + AXIS_HEIGHT)
        self.unit.move(4, height + 3)

    def count_in(self, unit: str) -> None:
        """What the numbers below count."""
        self.unit.setText(unit)
        self.unit.adjustSize()

    def draw(self, plan: Plan, curves: Curves | None, window: Window, colours: list[str]) -> None:
        planned = [spans(np.array(rates) > 0, np.array([*plan.rate_steps, plan.total_steps])) for rates in plan.rates]
        bars = [bar for row, found in enumerate(planned) for bar in bars_of(row, found, colours[row], window, PALE)]
        for row, found in enumerate(learned(curves) if curves else []):
            bars += bars_of(row, found, colours[row], window, 255)
        self.bands.show_bars(bars)

    def recolour(self) -> None:
        super().recolour()
        self.plot.getAxis("left").setTextPen(theme.colours().text)


def bars_of(row: int, found: list[Span], colour: str, window: Window, alpha: int) -> list[Bar]:
    shade = QColor(colour)
    shade.setAlpha(alpha)
    return [(row, float(window.place(first)), float(window.place(last)), shade) for first, last in found]


def learned(curves: Curves) -> list[list[Span]]:
    """When each group has learned, as its logged rates tell."""
    if curves.whole is None:
        return []
    edges = np.minimum(curves.whole.edges, curves.count)
    rates = [curves.whole.means(place) for place, name in enumerate(curves.columns) if name.startswith("lr:")]
    return [spans(np.isfinite(rate), edges) for rate in rates]


def spans(on: np.ndarray, edges: np.ndarray) -> list[Span]:
    """First and last edge of each stretch in which `on` (n,) holds; `edges` are (n + 1,)."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(int)))
    return [(float(edges[begin]), float(edges[end])) for begin, end in zip(changes[::2], changes[1::2])]
