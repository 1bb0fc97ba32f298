"""The curve of a search for a learning rate: the loss as the rate grows, and what the search suggests."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QKeyEvent, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout

from studio import theme
from studio.widgets.card import line
from studio.widgets.curves import positive
from studio.widgets.plot_panel import FAINT, Panel, RateAxis, frame, key, pen
from ulmfit_core.config import rate_text
from ulmfit_core.run import Steps, read_steps

# Suggestion → its name on screen and what it means.
SUGGESTIONS = {
    "slide": ("Slide", "Where the loss still falls, before it turns up."),
    "valley": ("Valley", "In the middle of the longest fall. Cautious."),
    "minimum": ("Minimum / 10", "A tenth of the rate with the lowest loss. Bold."),
    "steepest": ("Steepest", "Where the loss falls fastest. Often decided by a few texts."),
}
# Each has dashes of its own: lengths of dash and gap, in widths of the line; and the sign that stands for them.
DASHES = {"minimum": [6.0, 2.0], "slide": [3.0, 3.0], "valley": [1.0, 2.0], "steepest": [6.0, 2.0, 1.0, 2.0]}
SIGNS = {"minimum": "╏", "slide": "┇", "valley": "┊", "steepest": "¦"}
LEAST_HEIGHT = 150  # pixels of the plot
NAME_GAP = 4  # pixels between the names of the marks
ABOVE_STEPS = 2  # a mark's place in the pile: between the single steps and the smoothed curve
COMING = (
    "Press “Search”: a curve grows here, the loss at each rate from tiny to huge, and the rates that it suggests are "
    "marked on it."
)
ARROWS: dict[int, int] = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
YOUNG = 0.1  # share of a search in which the mean is of a few batches: its first value may be the lowest by chance
FALL_ROOM = 0.35  # of the fall, above and below it: where the loss shoots up does not matter


class RateCurve(Panel):
    """Draws a search's steps file; its x axis holds logarithms.

    `clicked(rate)` where the person clicks, or presses Enter after going there with the arrow keys.
    """

    clicked = Signal(float)

    def __init__(self) -> None:
        super().__init__("Loss as the rate grows", pg.AxisItem("left"), RateAxis("bottom"))
        self.folder: Path | None = None
        self.steps = _no_steps()
        self.found: dict[str, float] = {}
        self.titles = {name: QLabel() for name in SUGGESTIONS}  # the marks' names in their colours
        self.nothing = line(COMING, "muted")
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.nothing.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        QVBoxLayout(self.plot).addWidget(self.nothing)
        self.plot.setAccessibleName("Plot of the loss against the learning rate")
        self.plot.getAxis("bottom").setLabel("learning rate")
        self.plot.setMinimumHeight(LEAST_HEIGHT)
        self.plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)  # what the texts leave it
        self.plot.scene().sigMouseClicked.connect(self._click)
        self.plot.getPlotItem().getViewBox().sigResized.connect(self._stack_names)
        self._raw = self.add(pg.PlotCurveItem(antialias=True), 1)
        self.smoothed = self.add(pg.PlotCurveItem(), 5)
        self._marks = {name: self.add(mark(), -5) for name in SUGGESTIONS}
        self.now = self.add(pg.InfiniteLine(angle=90), -5)
        self.pointer = self.add(pg.InfiniteLine(angle=90), 10)  # where the mouse or the keys are
        for each in (self.now, self.pointer):
            each.hide()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.column.setContentsMargins(3, 3, 3, 3)  # of a frame while the keyboard is the curve's
        self.setAccessibleName("Curve of the search")
        self.setToolTip("The arrow keys go along the curve.")
        self.plot.scene().sigMouseMoved.connect(self._hover)
        theme.changed.connect(self._recolour_all)
        self._recolour_all()

    def show_search(self, folder: Path | None, report: dict[str, Any]) -> None:
        """Draw another search, or none."""
        self.folder, self.steps = folder, _no_steps()
        for item in (self._raw, self.smoothed):
            item.setData([], [])
        self.pointer.hide()
        self.blank()
        self.show_report(report)
        self.reread()

    def show_report(self, report: dict[str, Any]) -> None:
        """Mark what the search suggests."""
        told = report.get("suggestions", {})
        self.found = {name: told[name] for name in SUGGESTIONS if told.get(name)}
        for name, mark in self._marks.items():
            mark.setVisible(name in self.found)
            mark.setPos(math.log10(self.found.get(name, 1)))
            mark.label.setFormat(SUGGESTIONS[name][0] if name in self.found else "")
        self._stack_names()
        self.plot.setAccessibleDescription(suggestions_text(self.found))

    @Slot()
    def _stack_names(self) -> None:
        """The names of the marks below each other from the top on, closer where the plot is too low for that."""
        height = max(1.0, self.plot.getPlotItem().getViewBox().height())
        row = min(self.fontMetrics().height() + NAME_GAP, height / len(self._marks))
        for place, name in enumerate(sorted(self.found, key=lambda name: -self.found[name])):
            # A name lies over the lines at its right, which are of higher rates.
            self._marks[name].setZValue(ABOVE_STEPS + place / len(self._marks))
            self._marks[name].label.setPosition(1 - (place + 0.5) * row / height)

    def show_rate(self, rate: float) -> None:
        """Mark the rate that the settings have."""
        self.now.setPos(math.log10(rate))
        if not self.now.isVisible():
            self.now.show()
            self._write_legend()

    @Slot()
    def reread(self) -> None:
        """Draw what the search has written so far."""
        steps = read_steps(self.folder / "steps.f32") if self.folder else _no_steps()
        self.nothing.setVisible(not len(steps.values))
        self.plot.getPlotItem().setVisible(bool(len(steps.values)))  # no axes around nothing
        self.legend.setVisible(bool(len(steps.values)))
        if len(steps.values) <= len(self.steps.values):
            return
        self.steps = steps
        x = np.log10(positive(steps["lr"]))
        smoothed = finite(steps["smoothed"])
        self._raw.setData(x, finite(steps["loss"]), connect="finite")
        self.smoothed.setData(x, smoothed, connect="finite")
        self.plot.setXRange(float(x[0]), max(float(x[-1]), float(x[0]) + 1), padding=0.03)
        if np.isfinite(smoothed[int(YOUNG * len(smoothed)) :]).any():
            self.set_range(*loss_range(smoothed))

    @Slot(object)
    def _click(self, event: Any) -> None:
        box = self.plot.getPlotItem().getViewBox()
        if len(self.steps.values) and box.sceneBoundingRect().contains(event.scenePos()):
            self.clicked.emit(10 ** box.mapSceneToView(event.scenePos()).x())

    # Pointing at a rate

    @Slot(object)
    def _hover(self, position: Any) -> None:
        box = self.plot.getPlotItem().getViewBox()
        if box.sceneBoundingRect().contains(position):
            self.point(10 ** box.mapSceneToView(position).x())

    def point(self, rate: float) -> None:
        """Move the pointer to the step of the search that is nearest to a rate, and say its loss."""
        if not len(self.steps.values):
            return
        rates = positive(self.steps["lr"])
        at = int(np.nanargmin(np.abs(np.log(rates / rate))))
        self.pointer.setPos(math.log10(rates[at]))
        self.pointer.show()
        found = rate_text(rates[at])
        told = f"rate {found}: loss {self.steps['loss'][at]:.3f}, smoothed {self.steps['smoothed'][at]:.3f}"
        self.legend.say(f"<b>{told}</b>", f"<b>{found}</b>")
        self.setAccessibleDescription(told)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        pressed = event.key()
        if not len(self.steps.values):
            super().keyPressEvent(event)
        elif pressed in ARROWS:
            rates = positive(self.steps["lr"])
            at = int(np.nanargmin(np.abs(np.log10(rates) - self.pointer.value()))) + ARROWS[pressed]
            start = len(rates) // 2
            self.point(float(rates[min(max(0, at), len(rates) - 1) if self.pointer.isVisible() else start]))
        elif pressed in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.pointer.isVisible():
            self.clicked.emit(10 ** self.pointer.value())
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._leave()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        if not self.hasFocus():
            self._leave()

    def _leave(self) -> None:
        self.pointer.hide()
        self._write_legend()

    def paintEvent(self, event: QPaintEvent) -> None:
        """With a frame while the keyboard is the curve's."""
        super().paintEvent(event)
        if self.hasFocus():
            frame(self)

    @Slot()
    def _recolour_all(self) -> None:
        loss, now, *others = theme.line_colours()
        self.recolour()
        self._raw.setPen(pen(loss, alpha=FAINT[theme.current()]))
        self.smoothed.setPen(pen(loss, width=3))
        self.now.setPen(pen(now, width=2))
        self.pointer.setPen(pen(theme.colours().text, dashed=True))
        for (name, mark), colour in zip(self._marks.items(), others):
            drawn = pen(colour, width=2)
            drawn.setDashPattern(DASHES[name])
            mark.setPen(drawn)
            mark.label.setColor(theme.colours().text)
            mark.label.fill = pg.mkBrush(theme.colours().surface)
            sign = f'<span style="color:{colour}">{SIGNS[name]}</span>'
            self.titles[name].setText(f"<b>{sign} {SUGGESTIONS[name][0]}</b>")
        self._write_legend()

    def _write_legend(self) -> None:
        """Beside the rate in the settings the marks are named where they can be taken."""
        loss, now, *others = theme.line_colours()
        keys = [(loss, "─", "each step"), (loss, "━", "smoothed")]
        if self.now.isVisible():
            keys += [(now, "┃", "rate in the settings")]
        else:
            keys += [(colour, SIGNS[name], SUGGESTIONS[name][0]) for name, colour in zip(SUGGESTIONS, others)]
        told = [key(*each) for each in keys]
        self.legend.say("&nbsp; ".join(told), "&nbsp; ".join(told[1:3]), told[1])


def mark() -> pg.InfiniteLine:
    """The line of a suggestion with its name at its right."""
    return pg.InfiniteLine(angle=90, label="", labelOpts={"anchors": [(0, 0.5), (0, 0.5)]})


def suggestions_text(found: dict[str, float]) -> str:
    return ", ".join(f"{SUGGESTIONS[name][0]} {rate_text(rate)}" for name, rate in found.items() if name in SUGGESTIONS)


def finite(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, float)
    return np.where(np.isfinite(values), values, np.nan)


def loss_range(smoothed: np.ndarray) -> tuple[float, float]:
    """From the lowest loss to the highest before it, with room: what comes after it may leave the plot."""
    settled = smoothed[int(YOUNG * len(smoothed)) :]
    low_at = int(np.nanargmin(settled))
    low, high = float(settled[low_at]), float(np.nanmax(settled[: low_at + 1]))
    room = max(FALL_ROOM * (high - low), 0.02)
    return max(0.0, low - room), high + room


def _no_steps() -> Steps:
    return Steps((), np.empty((0, 0), np.float32))
