"""Two linked plots of a training: the loss, and each layer group's learning rate with its coming schedule.

Painted four times a second at most, on fixed axes, from at most 1,500 buckets a line: faster redraws and
ranges that follow the data steal time from the training in the same process (reference/studio.md).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QLabel, QStackedLayout, QVBoxLayout, QWidget

from studio import theme
from studio.widgets.curves import Curves, positive
from studio.widgets.plot_panel import Panel, RateAxis, pen
from ulmfit_core.events import Plan

REDRAW_MILLISECONDS = 250
DECADES = 4  # of the learning rate below its peak; a one-cycle ends in nothing
LABELLED_SHARE = 0.09  # of the width: a phase narrower than this has no room for its name


class LivePlot(QWidget):
    """The curves of one run, followed while it works; or a coming schedule; or a sentence in their place."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Plot of loss and learning rate")
        self.curves: Curves | None = None
        self.plan: Plan | None = None
        self._loss_range: tuple[float, float] | None = None
        self._lay_out()
        self._make_items()
        self._timer = QTimer(self)
        self._timer.setInterval(REDRAW_MILLISECONDS)
        self._timer.timeout.connect(self.reread)
        theme.changed.connect(self._recolour)
        self._recolour()
        self.clear()

    # What it shows

    def show_run(self, folder: Path) -> None:
        """Draw the run in `folder` and follow it as its files grow."""
        self.clear()
        self.curves = Curves(folder)
        self.say("The run has begun. Its curves appear with the first steps.")
        self.reread()

    def show_plan(self, plan: Plan, steps_per_epoch: int = 0) -> None:
        """Draw a coming schedule alone; with `steps_per_epoch` the axis counts epochs."""
        self.clear()
        self._count_in(steps_per_epoch)
        self._draw_plan(plan)
        self._hint.setText("The loss appears here when the training runs.\nBelow is the coming schedule.")

    def show_loss(self, shown: bool) -> None:
        """Whether the loss is seen above the learning rate, which else has all the room."""
        self._loss.setVisible(shown)

    def clear(self) -> None:
        """Forget everything; the sentence takes the plots' place."""
        self.curves = self.plan = self._loss_range = None
        for item in (self._raw, self._smoothed, *self._live, *self._coming):
            item.setData([], [])
        for points in (self._validation, self._best):
            points.setData([], [])
        self._loss.blank()
        self._count_in(0)
        self._hint.setText("")
        self._pages.setCurrentIndex(0)

    def say(self, sentence: str) -> None:
        """What stands here while there is nothing to draw."""
        self._sentence.setText(sentence)

    # Reading and drawing

    @Slot()
    def reread(self) -> None:
        """Draw what the files have gained. A run that has ended costs two looks at file sizes."""
        if self.curves is None or not self.curves.read() or self.curves.plan is None:
            return
        if self.curves.plan is not self.plan:
            self._draw_plan(self.curves.plan)
        self._draw_loss(self.curves)
        for line, (x, rates) in zip(self._live, self.curves.rates()):
            line.setData(x, np.log10(rates), connect="finite")
        self._tell()

    def _draw_plan(self, plan: Plan) -> None:
        self.plan = plan
        self._pages.setCurrentIndex(1)
        for panel in (self._loss, self._rate):
            panel.plot.setXRange(0, max(1, plan.total_steps), padding=0.015)
        while len(self._coming) < len(plan.groups):
            self._coming.append(self._rate.add(pg.PlotCurveItem(), 1))
            self._live.append(self._rate.add(pg.PlotCurveItem(), 5))
        for line, rates in zip(self._coming, plan.rates):
            line.setData(np.array(plan.rate_steps, float), np.log10(positive(rates)), connect="finite")
        self._rate.set_range(*rate_range(plan))
        self._draw_phases(plan)
        self._recolour()

    def _draw_phases(self, plan: Plan) -> None:
        steps = [float(phase["first_step"]) for phase in plan.phases]
        names = phase_names(plan)
        self._loss.set_borders(steps if len(steps) > 1 else [], names)
        self._rate.set_borders(steps if len(steps) > 1 else [], [""] * len(names))

    def _draw_loss(self, curves: Curves) -> None:
        self._raw.setData(*curves.raw(), skipFiniteCheck=True)
        self._smoothed.setData(*curves.smoothed(), skipFiniteCheck=True)
        self._validation.setData(*curves.validation())
        self._best.setData(*curves.best())
        seen = curves.loss_range()
        self._hint.setText("" if seen else "Waiting for the first step.")
        if seen:
            self._fit_loss(*seen)

    def _fit_loss(self, low: float, high: float) -> None:
        """Widen the axis only when the loss leaves it, with room to spare, so that it seldom moves."""
        if self._loss_range and self._loss_range[0] <= low and high <= self._loss_range[1]:
            return
        room = max(0.1 * (high - low), 0.02)
        self._loss_range = max(0.0, low - room), high + room
        self._loss.set_range(*self._loss_range)

    def _tell(self) -> None:
        """The newest figures, for those who do not see the curves."""
        if self.curves and self.plan and self.curves.count:
            loss = self.curves.smoothed()[1][-1]
            done = f"step {self.curves.count:,} of {self.plan.total_steps:,}"
            self.setAccessibleDescription(f"Smoothed loss {loss:.3f} at {done}.")

    # Making and colouring

    def _lay_out(self) -> None:
        self._loss = Panel("Loss", pg.AxisItem("left"))
        self._rate = Panel("Learning rate", RateAxis("left"))
        self._loss.plot.getAxis("bottom").setStyle(showValues=False)
        self._rate.plot.setXLink(self._loss.plot)
        self._sentence = QLabel(wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        self._sentence.setProperty("role", "muted")
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._sentence)
        self._pages.addWidget(self._both_plots())

    def _both_plots(self) -> QWidget:
        self._hint = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self._hint.setProperty("role", "muted")
        self._hint.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        QVBoxLayout(self._loss.plot).addWidget(self._hint)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._loss, 3)
        column.addWidget(self._rate, 2)
        return page

    def _make_items(self) -> None:
        self._raw = self._loss.add(pg.PlotCurveItem(antialias=True), 1)
        self._smoothed = self._loss.add(pg.PlotCurveItem(), 5)
        self._validation = self._loss.add(pg.ScatterPlotItem(size=9, symbol="d"), 8)
        self._best = self._loss.add(pg.ScatterPlotItem(size=17, symbol="o", brush=None), 9)
        self._coming: list[pg.PlotCurveItem] = []
        self._live: list[pg.PlotCurveItem] = []

    def _count_in(self, steps_per_epoch: int) -> None:
        axis = self._rate.plot.getAxis("bottom")
        axis.enableAutoSIPrefix(False)
        axis.setScale(1 / steps_per_epoch if steps_per_epoch else 1.0)
        axis.setLabel("epoch" if steps_per_epoch else "step")

    @Slot()
    def _recolour(self) -> None:
        loss, validation = theme.line_colours()[:2]
        self._loss.recolour()
        self._rate.recolour()
        self._raw.setPen(pen(loss, alpha=80))
        self._smoothed.setPen(pen(loss, width=2))
        self._validation.setBrush(validation)
        self._validation.setPen(None)
        self._best.setPen(pen(validation, width=2))
        for line, live, colour in zip(self._coming, self._live, self._group_colours()):
            line.setPen(pen(colour, dashed=True))
            live.setPen(pen(colour, width=2))
        self._loss.legend.setText(loss_legend())
        self._rate.legend.setText(rate_legend(self.plan, self._group_colours()))

    def _group_colours(self) -> list[str]:
        colours = theme.line_colours()
        return [colours[number % len(colours)] for number in range(len(self._coming))]

    # Hidden plots rest

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.reread()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()


def rate_range(plan: Plan) -> tuple[float, float]:
    """Logarithms of the lowest and highest rate that have a place on the axis."""
    rates = [rate for group in plan.rates for rate in group if rate > 0] or [1e-3]
    highest = math.log10(max(rates))
    lowest = max(math.log10(min(rates)), highest - DECADES)
    return lowest - 0.15, highest + 0.15


def phase_names(plan: Plan) -> list[str]:
    """What each phase begins to train, or its title where that is nothing new; nothing where it is too narrow."""
    known: set[str] = set()
    names = []
    for phase in plan.phases:
        fresh = [group for group in phase["groups"] if group not in known]
        name = (" + " if known else " ") + fresh[-1] if len(fresh) == 1 else f" {phase['title']}"
        wide = phase["last_step"] - phase["first_step"] >= LABELLED_SHARE * plan.total_steps
        names.append(name if wide else "")
        known.update(fresh)
    return names


def key(colour: str, sign: str, text: str) -> str:
    return f'<span style="color:{colour}">{sign}</span>&nbsp;{text.replace(" ", "&nbsp;")}'


def loss_legend() -> str:
    loss, validation = theme.line_colours()[:2]
    lines = [key(loss, "─", "each step"), key(loss, "━", "smoothed")]
    return "&nbsp; ".join([*lines, key(validation, "◆", "validation"), key(validation, "◯", "best")])


def rate_legend(plan: Plan | None, colours: list[str]) -> str:
    if plan is None:
        return ""
    groups = [key(colour, "━", name) for name, colour in zip(plan.groups, colours)]
    return "&nbsp; ".join([*groups, key(theme.colours().muted, "┄", "planned")])
