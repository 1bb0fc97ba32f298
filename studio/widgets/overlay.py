"""Several runs over one another: the loss with its validation, and the learning rate of the top layer group."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QHideEvent, QPen, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio import theme
from studio.widgets.controls import ChoiceBox
from studio.widgets.curves import CHUNK, Curves, extent, positive
from studio.widgets.plot_panel import Panel, RateAxis, key, pen

REDRAW_MILLISECONDS = 250
BETWEEN_CHUNKS = 5  # milliseconds that are left to others while a long log is read
CATCHING_UP = 0.2  # seconds between two drawings meanwhile
DECADES = 4  # of the learning rate below its peak
# Told apart by more than their colour: the stroke of a line and the shape of its validation points.
STROKES = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)
SIGNS = ("━━", "╍╍", "┉┉", "━·")
SHAPES = ("d", "s", "t", "o", "star", "+")
ACROSS = {"epoch": "Epochs", "step": "Steps", "share": "Share of the run"}


class Overlay(QWidget):
    """Two to six runs by name; those that are at work are followed."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Plot of loss and learning rate of several runs")
        self.runs: list[tuple[str, Curves]] = []
        self._drawn_at = 0.0
        self._lay_out()
        self._lines: list[dict[str, pg.GraphicsObject]] = []
        self._timer = QTimer(self)
        self._timer.setInterval(REDRAW_MILLISECONDS)
        self._timer.timeout.connect(self.reread)
        theme.changed.connect(self._recolour)

    def show_runs(self, runs: Sequence[tuple[str, Path]]) -> None:
        """Draw the runs in these folders over one another, each under its name."""
        self.runs = [(name, Curves(folder)) for name, folder in runs]
        while len(self._lines) < len(self.runs):
            self._lines.append(self._make_lines())
        for lines in self._lines:
            for item in lines.values():
                item.setData([], [])
        for panel in (self._loss, self._rate):
            panel.blank()
        self._recolour()
        self.reread()

    # Reading and drawing

    @Slot()
    def reread(self) -> None:
        """Draw what the files have gained. Runs that have ended cost a look at their files' sizes."""
        changed = [curves.read(CHUNK) for _, curves in self.runs]
        catching_up = self.isVisible() and any(curves.behind for _, curves in self.runs)
        if any(changed) and (not catching_up or time.monotonic() - self._drawn_at >= CATCHING_UP):
            self._draw()
        if catching_up:
            QTimer.singleShot(BETWEEN_CHUNKS, self.reread)

    @Slot(object)
    def _draw(self, _: object = None) -> None:
        self._drawn_at = time.monotonic()
        losses, rates, ends = [], [], [1.0 if self.across.read() != "step" else 0.0]
        for (_, curves), lines in zip(self.runs, self._lines):
            losses += self._draw_loss(curves, lines)
            rates.append(self._draw_rate(curves, lines))
            if curves.plan:
                ends.append(float(self._place(curves, np.array([curves.plan.total_steps]))[0]))
        self._fit(extent(np.concatenate([*losses, np.empty(0)])), extent(np.concatenate([*rates, np.empty(0)])))
        for panel in (self._loss, self._rate):
            panel.plot.setXRange(0, max(ends), padding=0.015)
        self._rate.plot.getAxis("bottom").setLabel(ACROSS[self.across.read()].lower())
        self._tell()

    def _draw_loss(self, curves: Curves, lines: dict[str, pg.GraphicsObject]) -> list[np.ndarray]:
        """Draw one run's losses and return them."""
        x, smoothed = curves.smoothed()
        lines["loss"].setData(self._place(curves, x), smoothed, skipFiniteCheck=True)
        steps, validation = curves.validation()
        lines["validation"].setData(self._place(curves, np.array(steps)), validation)
        return [smoothed, np.array(validation)]

    def _draw_rate(self, curves: Curves, lines: dict[str, pg.GraphicsObject]) -> np.ndarray:
        """Draw one run's rate of the top layer group and return its logarithms."""
        rates = curves.rates()
        x, values = rates[-1] if rates else (np.empty(0), np.empty(0))
        logs = np.log10(positive(values))
        lines["rate"].setData(self._place(curves, x), logs, connect="finite")
        return logs

    def _place(self, curves: Curves, steps: np.ndarray) -> np.ndarray:
        """Where a number of steps stands on the axis that was chosen."""
        if curves.plan is None or self.across.read() == "step":
            return steps
        if self.across.read() == "share":
            return steps / max(1, curves.plan.total_steps)
        ends = [0, *curves.plan.epoch_ends]
        return np.interp(steps, ends, np.arange(len(ends)))

    def _fit(self, losses: tuple[float, float] | None, rates: tuple[float, float] | None) -> None:
        if losses:
            room = max(0.08 * (losses[1] - losses[0]), 0.02)
            self._loss.set_range(max(0.0, losses[0] - room), losses[1] + room)
        if rates:
            self._rate.set_range(max(rates[0], rates[1] - DECADES) - 0.15, rates[1] + 0.15)

    def _tell(self) -> None:
        """The newest figures, for those who do not see the curves."""
        told = [(name, curves.smoothed()[1], curves.validation()[1]) for name, curves in self.runs]
        parts = [
            f"{name}: smoothed loss {loss[-1]:.3f}" + (f", lowest validation loss {min(valid):.3f}" if valid else "")
            for name, loss, valid in told if len(loss)
        ]  # fmt: skip
        self.setAccessibleDescription("; ".join(parts))

    # Making and colouring

    def _lay_out(self) -> None:
        self._loss = Panel("Loss", pg.AxisItem("left"))
        self._rate = Panel("Learning rate", RateAxis("left"))
        self._loss.plot.getAxis("bottom").setStyle(showValues=False)
        self._rate.legend.setText("of the top layer group")
        self.across = ChoiceBox(ACROSS, ACROSS)
        self.across.setAccessibleName("What the runs are laid side by side in")
        self.across.setToolTip("Runs of different length are best compared by epoch or by share of the run.")
        self.across.chosen.connect(self._draw)
        self.names = QLabel(wordWrap=True)
        self.names.setTextFormat(Qt.TextFormat.RichText)
        top = QHBoxLayout()
        top.addWidget(self.names, 1)
        top.addWidget(self.across)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(top)
        column.addWidget(self._loss, 3)
        column.addWidget(self._rate, 2)

    def _make_lines(self) -> dict[str, pg.GraphicsObject]:
        return {
            "loss": self._loss.add(pg.PlotCurveItem(), 5),
            "validation": self._loss.add(pg.ScatterPlotItem(size=9), 8),
            "rate": self._rate.add(pg.PlotCurveItem(), 5),
        }

    @Slot()
    def _recolour(self) -> None:
        self._loss.recolour()
        self._rate.recolour()
        self._loss.legend.setText("line: smoothed, while training &nbsp; points: validation")
        for number, lines in enumerate(self._lines):
            colour = colour_of(number)
            for name in ("loss", "rate"):
                lines[name].setPen(stroke(number))
            lines["validation"].setBrush(colour)
            lines["validation"].setPen(None)
            lines["validation"].setSymbol(SHAPES[number % len(SHAPES)])
        shown = [key(colour_of(place), SIGNS[place % len(SIGNS)], name) for place, (name, _) in enumerate(self.runs)]
        self.names.setText(" &nbsp; ".join(shown))

    # A hidden plot rests

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.reread()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()


def colour_of(number: int) -> str:
    colours = theme.line_colours()
    return colours[number % len(colours)]


def stroke(number: int) -> QPen:
    drawn = pen(colour_of(number), width=2)
    drawn.setStyle(STROKES[number % len(STROKES)])
    return drawn
