"""What a vocabulary's size is worth: tokens a word and the share of tokens known, each against the size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSizePolicy

from studio import theme
from studio.widgets.beside import Beside
from studio.widgets.plot_panel import Panel, key, pen, round_step

ROOM = 0.15  # of the values' range, above and below them
TICKS = 5  # about so many on the axis of shares
NEAR = 0.18  # of the width: two sizes nearer than this have room for one label
NARROW = 540  # pixels: less than that is not enough for two plots side by side
LEAST_HEIGHT = 130
LABEL_AXIS = "size of the vocabulary"


class ShareAxis(pg.AxisItem):
    """Shares as percentages, with as many decimals as tell its ticks apart; nothing above 100 %."""

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        spacing = round_step((high - low) / TICKS)
        last = math.floor(min(high, 1) / spacing + 1e-6)
        return [(spacing, [number * spacing for number in range(math.ceil(low / spacing), last + 1)])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        decimals = max(0, -math.floor(math.log10(spacing * 100) + 1e-9))
        return [f"{value:.{decimals}%}" if value < 1 else "100%" for value in values]


class SizeCurve(Panel):
    """One value against the size, on a logarithmic scale: a dot for each smaller size, a diamond for the chosen one.

    `write` puts a value into words; they stand above the plot for the size under the mouse. `top` is always in sight,
    and there are `least` above and below all values, so that a hair's breadth does not pass for a gain.
    """

    def __init__(
        self, title: str, axis: pg.AxisItem, write: Callable[[float], str], least: float, top: float = -math.inf
    ):
        super().__init__(title, axis)
        self._write, self._least, self._top = write, least, top
        self._sizes = self._values = np.empty(0)
        self._line = self.add(pg.PlotCurveItem(antialias=True), 1)
        self._smaller = self.add(pg.ScatterPlotItem(size=8, symbol="o"), 5)
        self._chosen = self.add(pg.ScatterPlotItem(size=14, symbol="d"), 6)
        self.plot.setAccessibleName(f"Plot of {title.lower()} against the size of the vocabulary")
        self.plot.getAxis("bottom").setLabel(LABEL_AXIS)
        self.plot.setMinimumHeight(LEAST_HEIGHT)
        self.plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)  # as high as there is room
        self.plot.scene().sigMouseMoved.connect(self._point)
        theme.changed.connect(self._recolour_all)
        self._recolour_all()

    def show_values(self, sizes: Sequence[int], values: Sequence[float]) -> None:
        """Draw them; the last one is the chosen size."""
        self._sizes, self._values = np.asarray(sizes, float), np.asarray(values, float)
        places = np.log2(self._sizes)
        self._line.setData(places, self._values)
        self._smaller.setData(places[:-1], self._values[:-1])
        self._chosen.setData(places[-1:], self._values[-1:])
        self.plot.setXRange(float(places[0]), float(places[-1]), padding=0.12)  # room for the outermost labels
        self.plot.getAxis("bottom").setTicks([size_ticks(sizes)])
        self.set_range(*self._range(float(self._values.min()), float(self._values.max())))
        spoken = "; ".join(self.words_at(place) for place in range(len(sizes)))
        self.plot.setAccessibleDescription(f"{spoken}. The last one is this vocabulary.")
        self._write_legend()

    def _range(self, low: float, high: float) -> tuple[float, float]:
        high = max(high, self._top)
        room = max(ROOM * (high - low), self._least)
        return low - room, high + room

    def words_at(self, place: int) -> str:
        return f"{self._sizes[place]:,.0f}: {self._write(self._values[place])}"

    @Slot(object)
    def _point(self, position: Any) -> None:
        """The values of the size nearest to the mouse, left or right of it."""
        if len(self._sizes):
            at = self.plot.getPlotItem().getViewBox().mapSceneToView(position).x()
            place = int(np.abs(np.log2(self._sizes) - at).argmin())
            self.legend.setText(f"<b>{self.words_at(place)}</b>")

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._write_legend()

    def _write_legend(self) -> None:
        line, chosen = theme.line_colours()[:2]
        self.legend.setText("&nbsp; ".join([key(chosen, "◆", "this one"), key(line, "●", "smaller")]))

    @Slot()
    def _recolour_all(self) -> None:
        line, chosen = theme.line_colours()[:2]
        self.recolour()
        self._line.setPen(pen(line))
        self._smaller.setBrush(line)
        self._chosen.setBrush(chosen)
        for points in (self._smaller, self._chosen):
            points.setPen(None)
        self._write_legend()


class SizePlot(Beside):
    """Both curves."""

    def __init__(self) -> None:
        self.length = SizeCurve("Tokens a word", pg.AxisItem("left"), "{:.2f} tokens a word".format, least=0.05)
        self.known = SizeCurve("Tokens known", ShareAxis("left"), "{:.2%} known".format, least=0.0005, top=1.0)
        super().__init__(NARROW, {self.length: 1, self.known: 1})

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.length.plot.getAxis("bottom").showLabel(not self.stacked)  # the plot below says it

    def show_sizes(self, by_size: Sequence[dict[str, Any]]) -> None:
        """`by_size` as in a report of the vocabulary job.

        What is unknown is counted against the tokens of the chosen size: else it would pass for knowledge to cut the
        same text into more pieces.
        """
        sizes = [row["size"] for row in by_size]
        lengths = [row["tokens_per_word"] for row in by_size]
        self.length.show_values(sizes, lengths)
        unknown = [row["unknown"] * length / max(lengths[-1], 1e-9) for row, length in zip(by_size, lengths)]
        self.known.show_values(sizes, [1 - share for share in unknown])


def size_ticks(sizes: Sequence[int]) -> list[tuple[float, str]]:
    """Places and labels of the sizes that have room for one, the largest first."""
    places = [math.log2(size) for size in sizes]
    least = NEAR * max(places[-1] - places[0], 1e-9)
    shown: list[tuple[float, str]] = []
    for place, size in zip(reversed(places), reversed(sizes)):
        if not shown or shown[-1][0] - place >= least:
            shown.append((place, f"{size:,}"))
    return shown
