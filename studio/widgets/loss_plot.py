"""The loss of one run: of each step, smoothed, and at each validation, with the kept epoch marked."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg

from studio import theme
from studio.widgets.curves import Curves, extent, positive
from studio.widgets.plot_panel import FAINT, NumberAxis, Panel, key, pen
from studio.widgets.plot_window import Window


class LossPlot(Panel):
    """On an axis of losses, or with `log` of their logarithms."""

    def __init__(self, box: pg.ViewBox):
        self.axis = NumberAxis("left")
        super().__init__("Loss", self.axis, box=box)
        self.raw = self.add(pg.PlotCurveItem(antialias=True), 1)
        self.smoothed = self.add(pg.PlotCurveItem(), 5)
        # Drawn anew each time, not copied from a sheet of ready-made signs, which a drawing in SVG cannot do.
        self.validation = self.add(pg.ScatterPlotItem(size=9, symbol="d", useCache=False), 8)
        self.best = self.add(pg.ScatterPlotItem(size=17, symbol="o", brush=None, useCache=False), 9)
        self._smooth = True

    def value(self, loss: np.ndarray | list[float]) -> np.ndarray:
        """Where losses stand on the axis."""
        return np.log10(positive(loss)) if self.axis.log else np.asarray(loss, float)

    def draw(self, curves: Curves, window: Window) -> tuple[float, float] | None:
        """Draw what is known, and tell the lowest and highest value in sight."""
        if self._smooth != (curves.smoothing != "off"):
            self._smooth = not self._smooth
            self.recolour()
        seen = []
        for item, (x, loss) in (
            (self.raw, curves.raw()), (self.smoothed, curves.smoothed()),
            (self.validation, curves.validation()), (self.best, curves.best()),
        ):  # fmt: skip
            value = self.value(loss)
            item.setData(window.place(np.asarray(x, float)), value)
            seen.append(value[(np.asarray(x) >= window.first) & (np.asarray(x) <= window.last)] if len(x) else value)
        return extent(np.concatenate(seen))

    def clear(self) -> None:
        for item in (self.raw, self.smoothed, self.validation, self.best):
            item.setData([], [])
        self.blank()

    def recolour(self) -> None:
        super().recolour()
        loss, validation = theme.line_colours()[:2]
        self.raw.setPen(pen(loss, alpha=FAINT[theme.current()] if self._smooth else 255))
        self.smoothed.setPen(pen(loss, width=2))
        self.validation.setBrush(validation)
        self.validation.setPen(None)
        self.best.setPen(pen(validation, width=2))

    def say_legend(self) -> None:
        loss, validation = theme.line_colours()[:2]
        lines = [key(loss, "─", "each step")] + ([key(loss, "━", "smoothed")] if self._smooth else [])
        marks = [key(validation, "◆", "validation"), key(validation, "◯", "best")]
        self.legend.say("&nbsp; ".join([*lines, *marks]), "&nbsp; ".join([lines[-1], *marks]), marks[0])
