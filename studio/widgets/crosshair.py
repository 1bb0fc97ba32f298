"""A line through all plots at one step, and the figures of that step beside it."""

from __future__ import annotations

import bisect

import pyqtgraph as pg
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QLabel, QWidget

from studio import theme
from studio.widgets.curves import Curves
from studio.widgets.learn_strip import LearnStrip
from studio.widgets.loss_plot import LossPlot
from studio.widgets.plot_panel import Panel, key, number
from studio.widgets.plot_window import Window
from studio.widgets.rate_plot import RatePlot
from studio.widgets.third_plot import ThirdPlot, nearest
from ulmfit_core.events import Plan

DISTANCE = 10  # pixels of the figures from the line


class Bubble(QLabel):
    """A small card over the plots, which the mouse does not notice."""

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self._over = parent
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setProperty("card", "true")
        self.setStyleSheet("padding: 3px 7px;")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def show_at(self, text: str, line: QPoint) -> None:
        """Right of a line, or left of it where there is no room."""
        self.setText(text)
        self.adjustSize()
        right = line.x() + DISTANCE
        left = line.x() - DISTANCE - self.width()
        self.move(left if right + self.width() > self._over.width() else right, line.y())
        self.show()
        self.raise_()


class Crosshair:
    """`step` counts from 0. The figures stand over the topmost of the plots that is seen."""

    def __init__(self, plots: QWidget, loss: LossPlot, third: ThirdPlot, rate: RatePlot, strip: LearnStrip):
        self.loss, self.third, self.rate = loss, third, rate
        self.plots, self.bubble = plots, Bubble(plots)
        self.step = 0
        self.shown = False
        self.words = ""  # what it tells, without colours
        self._place = 0.0
        self._lines = [panel.add(pg.InfiniteLine(angle=90), 20) for panel in (loss, third, rate, strip)]
        self.hide()

    def move(self, step: int, window: Window) -> None:
        self.step, self._place, self.shown = step, float(window.place(step)), True
        for line in self._lines:
            line.setPos(self._place)
            line.show()

    def hide(self) -> None:
        self.shown = False
        self.bubble.hide()
        for line in self._lines:
            line.hide()

    def recolour(self) -> None:
        drawn = pg.mkPen(theme.colours().text, width=1, style=Qt.PenStyle.DotLine)
        for line in self._lines:
            line.setPen(drawn)

    def tell(self, curves: Curves | None, plan: Plan, upper: Panel) -> None:
        """Write down the figures of the step."""
        place, parts = where(plan, self.step, curves is not None), []
        if curves is None:
            at = min(bisect.bisect_left(plan.rate_steps, self.step), len(plan.rate_steps) - 1)
            self.rate.say_values([rates[at] for rates in plan.rates])
        else:
            row = curves.row(self.step)
            parts = figures(row, nearest(*curves.smoothed(), self.step), validation_text(curves, self.step))
            self.rate.say_values([value for name, value in row.items() if name.startswith("lr:")])
        if self.third.kind:
            self.third.say_values(self._place)
        box = upper.plot.getViewBox()
        at_top = box.mapViewToScene(QPointF(self._place, box.viewRange()[1][1]))
        spot = upper.plot.mapTo(self.plots, upper.plot.mapFromScene(at_top))
        self.words = "; ".join([place, *(text for _, _, text in parts)])
        self.bubble.show_at("<br>".join([f"<b>{place}</b>", *(key(*part) for part in parts)]), spot)


def where(plan: Plan, step: int, logged: bool) -> str:
    """The step, its epoch and its phase in words; a coming schedule knows no steps yet."""
    epoch = min(bisect.bisect_right(plan.epoch_ends, step), len(plan.epoch_ends) - 1) + 1
    phase = next((row["title"] for row in reversed(plan.phases) if row["first_step"] <= step), "")
    told = (f"Step {step + 1:,}, epoch {epoch}" if logged else f"Epoch {epoch}") + (f": {phase}" if phase else "")
    return told


def figures(row: dict[str, float], smoothed: float | None, validation: str) -> list[tuple[str, str, str]]:
    """Colour, sign and words of each loss that is known."""
    loss, valid = theme.line_colours()[:2]
    told = [(loss, "─", f"loss {number(row['loss'])}")] if "loss" in row else []
    told += [(loss, "━", f"smoothed {number(smoothed)}")] if smoothed is not None else []
    return told + ([(valid, "◆", validation)] if validation else [])


def validation_text(curves: Curves, step: int) -> str:
    """The newest validation loss at a step."""
    known = [event for event in curves.epochs if event.step <= step + 1 and "valid_loss" in event.metrics]
    if not known:
        return ""
    return f"validation {number(known[-1].metrics['valid_loss'])} (epoch {known[-1].epoch + 1})"
