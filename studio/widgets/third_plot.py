"""A third plot to choose: what else a run logs of each step, by layer group or for all of them."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg

from studio import theme
from studio.widgets.curves import Curves, Line, extent, nothing, positive, smooth
from studio.widgets.plot_panel import NumberAxis, Panel, key, pen
from studio.widgets.plot_window import Window
from studio.widgets.rate_plot import group_colours

# Column, or the beginning of a column for each layer group → what is chosen, the plot's title, what it means, and
# whether its axis is logarithmic.
KINDS = {
    "": ("No third plot", "", "Only the loss and the learning rates.", False),
    "grad_norm": (
        "Gradient norm", "Gradient norm",
        "How hard the texts push at the weights, before clipping. Jumps upwards warn of a rate that is too high.", True,
    ),
    "grad_norm:": (
        "Layers' gradients", "Gradient norm by layer",
        "How hard the texts push at each layer group, before clipping.", True,
    ),
    "update_ratio:": (
        "Layers' updates", "Update ÷ weights by layer",
        "How far one step moves each layer group, as a share of the size of its weights. "
        "A thousandth is a common rule of thumb.", True,
    ),
    "momentum": ("Momentum", "Momentum", "How much of the direction of earlier steps each step keeps.", False),
    "weight_decay": ("Weight decay", "Weight decay", "How strongly the weights are pulled towards zero.", False),
    "speed": ("Tokens per second", "Tokens per second", "How fast the training reads, averaged like the loss.", False),
}  # fmt: skip
SMOOTHED = ("grad_norm", "grad_norm:", "update_ratio:")
FAR = 3.5  # times the usual distance of two points: between points that far apart no line is drawn
NONE_LOGGED = "This run did not log it."


class ThirdPlot(Panel):
    """Hidden while nothing is chosen."""

    def __init__(self, box: pg.ViewBox):
        self.axis = NumberAxis("left")
        super().__init__("", self.axis, box=box)
        self.kind = ""
        self.lines: list[pg.PlotCurveItem] = []
        self._names: list[str] = []
        self.hide()

    def choose(self, kind: str) -> None:
        _, title, meaning, log = KINDS[kind]
        self.kind, self.axis.log = kind, log
        self.heading.setText(title)
        self.heading.setToolTip(meaning)
        self.plot.setAccessibleName(f"Plot of {title.lower()}")
        self.clear()
        self.setVisible(bool(kind))

    def clear(self) -> None:
        self._names = []
        for line in self.lines:
            line.setData([], [])
        self.blank()
        self.legend.say("")

    def draw(self, curves: Curves, window: Window) -> tuple[float, float] | None:
        """Draw what is known, and tell the lowest and highest value in sight."""
        found = self._found(curves)
        if self._names != list(found) or len(self.lines) < len(found):
            self._names = list(found)
            while len(self.lines) < len(found):
                self.lines.append(self.add(pg.PlotCurveItem(), 5))
            self.recolour()
        seen = []
        for line, (x, values) in zip(self.lines, found.values()):
            values = np.log10(positive(values)) if self.axis.log else values
            line.setData(window.place(x), values, connect="finite")
            seen.append(values[(x >= window.first) & (x <= window.last)])
        self.say_legend()
        return extent(np.concatenate([*seen, np.empty(0)]))

    def _found(self, curves: Curves) -> dict[str, Line]:
        """The lines of what is chosen, by the names of their layer groups; one name is empty where it is for all."""
        if self.kind == "speed":
            return {"": curves.speed()}
        if not self.kind.endswith(":"):
            return {"": self._averaged(curves, self.kind)} if self.kind in curves.columns else {}
        columns = [name for name in curves.columns if name.startswith(self.kind)]
        return {name.removeprefix(self.kind): self._averaged(curves, name) for name in columns}

    def _averaged(self, curves: Curves, column: str) -> Line:
        x, values = joined(*curves.line(column))
        sound = np.isfinite(values)
        if self.kind in SMOOTHED and curves.span and sound.any():
            widths = np.diff(x[sound], prepend=x[sound][0] - 1)
            values = values.copy()
            values[sound] = smooth(values[sound], curves.span, widths)
        return x, values

    def recolour(self) -> None:
        super().recolour()
        for line, colour in zip(self.lines, self._colours()):
            line.setPen(pen(colour, width=2))

    def _colours(self) -> list[str]:
        """Those of the learning rates for layer groups; the loss's own for a single line."""
        return group_colours(len(self._names)) if self.kind.endswith(":") else [theme.line_colours()[0]]

    def say_legend(self) -> None:
        if not self._names:
            self.legend.say(NONE_LOGGED)
        elif self.kind.endswith(":"):
            entries = [key(colour, "━", name) for name, colour in zip(self._names, self._colours())]
            self.legend.say("&nbsp; ".join(entries), "the colours of the learning rates", "")
        else:
            self.legend.say("")

    def say_values(self, place: float) -> None:
        """The values under the crosshair, as they are drawn."""
        told = []
        for line, colour in zip(self.lines[: len(self._names)], self._colours()):
            value = nearest(line.xData, line.yData, place)
            value = 10**value if self.axis.log and value is not None else value
            told.append(key(colour, "━", f"{value:.3g}" if value is not None else "–"))
        self.legend.say("&nbsp; ".join(told), "&nbsp; ".join(told[-2:]), "")


def joined(x: np.ndarray, values: np.ndarray) -> Line:
    """Only the points that have a value; a gap is left where the next one is far."""
    sound = np.isfinite(values)
    if sound.sum() < 2:
        return (x[sound], values[sound]) if len(x) else nothing()
    x, values = x[sound], values[sound]
    distances = np.diff(x)
    gaps = np.flatnonzero(distances > FAR * np.median(distances)) + 1
    return np.insert(x, gaps, x[gaps] - 0.5), np.insert(values, gaps, np.nan)


def nearest(x: np.ndarray | None, values: np.ndarray | None, place: float) -> float | None:
    """The value that is drawn nearest to a place."""
    if x is None or values is None or not len(x):
        return None
    value = float(values[int(np.abs(x - place).argmin())])
    return value if np.isfinite(value) else None
