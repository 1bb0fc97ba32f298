"""Linked plots of a training: loss, learning rates with their coming schedule, when each layer group learns, a third.

Painted four times a second at most, on axes that seldom move, from at most 1,500 buckets a line: faster redraws and
ranges that follow the data steal time from the training in the same process.
"""

from __future__ import annotations

import html
import time
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt, QTimer, Slot
from PySide6.QtGui import QFocusEvent, QHideEvent, QKeyEvent, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QLabel, QStackedLayout, QVBoxLayout, QWidget

from studio import theme
from studio.widgets.crosshair import Bubble, Crosshair
from studio.widgets.curves import CHUNK, Curves
from studio.widgets.learn_strip import LearnStrip
from studio.widgets.loss_plot import LossPlot
from studio.widgets.plot_navigation import KEYS, Navigation
from studio.widgets.plot_panel import LEAST_HEIGHT, NumberAxis, Panel, StepAxis, frame
from studio.widgets.plot_taking import Taking
from studio.widgets.plot_tools import PlotTools
from studio.widgets.plot_window import ZoomBox
from studio.widgets.rate_plot import RatePlot, group_colours, rate_range
from studio.widgets.third_plot import ThirdPlot
from ulmfit_core.events import Plan

REDRAW_MILLISECONDS = 250
RATES_SECONDS = 1.0  # between two drawings of the learning rates, which move slowly
BETWEEN_CHUNKS = 5  # milliseconds that are left to others while a long log is read
CATCHING_UP = 0.2  # seconds between two drawings while a long log is read
OWN_WINDOW = 1000, 700  # pixels at first
LOW = 320  # pixels: where there is less height the bands give way, and the rates have less of it than the loss
LEAST_LOSS = 110  # pixels; a screen that has less scrolls
LEAST_RATES = 56  # pixels of the rates where it is low
LABELLED_SHARE = 0.09  # of the width: a phase narrower than this has no room for its name
ROOM = 0.08  # of the range of values, free above and below them
RING = 12  # pixels that stay free around the points of the loss, for the ring around the best one
RIGHT_ROOM = 0.03  # of the steps, for the same ring at the end
NOTE_MILLISECONDS = 6000
ARROWS: dict[int, int] = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
ARROW_PRESSES = 200  # from one end of what is seen to the other
FASTER = 10  # with Shift


class LivePlot(QWidget):
    """The curves of one run, followed while it works; or a coming schedule; or a sentence in their place."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Plot of loss and learning rate")
        self.setToolTip(KEYS)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.curves: Curves | None = None
        self.plan: Plan | None = None
        self._loss_shown = True
        self._fitted: dict[Panel, tuple[float, float]] = {}  # vertical ranges that the values have room in
        self._drawn_at = self._rates_drawn_at = 0.0
        self._rates_lag = False  # whether less of the rates is drawn than is known
        self._make_panels()
        self._lay_out()
        self._connect()
        self._recolour()
        self.clear()

    # What it shows

    def show_run(self, folder: Path) -> None:
        """Draw the run in `folder` and follow it as its files grow."""
        self.clear()
        self.curves = self.taking.curves = Curves(folder)
        self.say("The run has begun. Its curves appear with the first steps.")
        self._choose()

    def show_plan(self, plan: Plan, steps_per_epoch: int = 0) -> None:
        """Draw a coming schedule alone; with `steps_per_epoch` the axis counts epochs."""
        self.clear()
        self._count_in(steps_per_epoch)
        self._draw_plan(plan)
        self._share_height()
        self._hint.setText("The loss appears here when the training runs.\nBelow is the coming schedule.")

    def show_stale(self, stale: bool) -> None:
        """Whether the curves are of earlier settings."""
        for panel in self.panels:
            panel.show_stale(stale)

    def show_loss(self, shown: bool) -> None:
        """Whether the loss is seen above the learning rate, which else has all the room."""
        self._loss_shown = shown
        self._share_height()

    def clear(self) -> None:
        """Forget everything; the sentence takes the plots' place."""
        self.curves = self.plan = self.taking.curves = None
        self.look.reset(1)
        self._fitted.clear()
        for panel in (self.loss, self.rate, self.third):
            panel.clear()
        self.crosshair.hide()
        self.note.hide()
        self._count_in(0)
        self._hint.setText("")
        self._pages.setCurrentIndex(0)

    def _count_in(self, steps_per_epoch: int) -> None:
        self.steps.count_in(steps_per_epoch)
        self.strip.count_in("epoch" if steps_per_epoch else "step")

    def say(self, sentence: str) -> None:
        """What stands here while there is nothing to draw."""
        self._sentence.setText(sentence)

    # Reading and drawing

    @Slot()
    def reread(self) -> None:
        """Draw what the files have gained. A run that has ended costs two looks at file sizes."""
        if self.curves is None or not (self.curves.read(CHUNK) or self._rates_lag) or self.curves.plan is None:
            return
        if self.curves.plan is not self.plan:
            self._draw_plan(self.curves.plan)
        catching_up = self.curves.behind and self.isVisible()
        if not catching_up or time.monotonic() - self._drawn_at >= CATCHING_UP:
            self._draw()
        if catching_up:
            QTimer.singleShot(BETWEEN_CHUNKS, self.reread)

    def _draw_plan(self, plan: Plan) -> None:
        new_length = self.plan is None or plan.total_steps != self.plan.total_steps
        self.plan = plan
        self._pages.setCurrentIndex(1)
        if new_length:
            self.look.reset(plan.total_steps)
        self.strip.show_groups(plan.groups)
        self._recolour()
        self._look()

    def _look(self) -> None:
        """Put the axes where the window of steps is, and all that depends on them."""
        window, plan = self.look.window, self.plan
        if plan is None:
            return
        places = float(window.place(window.first)), float(window.place(window.last))
        for panel in self.panels:
            panel.plot.setXRange(*places, padding=0 if window.zoomed else RIGHT_ROOM)
        begins = [phase["first_step"] for phase in plan.phases] if len(plan.phases) > 1 else []
        last = window.last - LABELLED_SHARE * (window.last - window.first)
        names = [name if window.first <= step <= last else "" for step, name in zip(begins, phase_names(plan))]
        for panel in self.panels:
            named = panel is self.upper and (self.curves is not None or not self._loss_shown)
            drawn = begins if self.curves or panel is not self.loss else []
            shown = names if named else [""] * len(names)
            panel.set_borders([float(window.place(step)) for step in drawn], shown)
        self.rate.show_plan(plan, window)
        for panel, chosen in ({self.rate: rate_range(plan)} | self.look.heights).items():
            if panel is not self.strip:
                panel.set_range(*chosen)
        self.strip.draw(plan, self.curves, window, group_colours(len(plan.groups)))
        if self.curves:
            self.curves.look_at(int(window.first), int(np.ceil(window.last)), window.log)
        growing = self.curves is not None and not self.curves.ended
        self.tools.offer(self.look.zoomed, window.follows, window.zoomed and growing)

    def _draw(self) -> None:
        curves, plan, window = self.curves, self.plan, self.look.window
        if curves is None or plan is None:
            return
        self._drawn_at, self.look.newest = time.monotonic(), curves.count
        if window.follow(curves.count):
            self._look()
        self._fit(self.loss, self.loss.draw(curves, window))
        self._hint.setText("" if self.loss in self._fitted else "Waiting for the first step.")
        if self.third.isVisibleTo(self):
            self._fit(self.third, self.third.draw(curves, window))
        self._rates_lag = not curves.ended and self._drawn_at - self._rates_drawn_at < RATES_SECONDS
        if not self._rates_lag:
            self._rates_drawn_at = self._drawn_at
            self.rate.draw(curves, window)
            self.strip.draw(plan, curves, window, group_colours(len(plan.groups)))
        self._tell(curves, plan)
        if self.crosshair.shown:
            self.crosshair.tell(curves, plan, self.upper)

    def _fit(self, panel: Panel, seen: tuple[float, float] | None) -> None:
        """Widen an axis only when the values leave it, with room to spare, so that it seldom moves."""
        fitted = self._fitted.get(panel)
        if seen is None or panel in self.look.heights or (fitted and fitted[0] <= seen[0] and seen[1] <= fitted[1]):
            return
        share = max(ROOM, RING / max(panel.plot.height(), 4 * RING)) if panel is self.loss else ROOM
        room = max(share * (seen[1] - seen[0]), 0.02 * abs(seen[1]), 1e-9)
        log = isinstance(panel, LossPlot | ThirdPlot) and panel.axis.log
        low = seen[0] - room if log or seen[0] < 0 else max(0.0, seen[0] - room)
        self._fitted[panel] = low, seen[1] + room
        panel.set_range(*self._fitted[panel])

    def _tell(self, curves: Curves, plan: Plan) -> None:
        """The newest figures, for those who do not see the curves."""
        losses = self.loss.smoothed.yData
        if losses is not None and len(losses) and not self.crosshair.shown:
            done = f"step {curves.count:,} of {plan.total_steps:,}"
            self.setAccessibleDescription(f"Smoothed loss {losses[-1]:.3f} at {done}.")

    # What a person looks at

    @Slot()
    def _choose(self) -> None:
        """Draw anew as the tools say."""
        self.look.window.log = self.steps.log = self.tools.log_steps
        if self.loss.axis.log != self.tools.log_loss:
            self.loss.axis.log = self.tools.log_loss
            self.look.heights.pop(self.loss, None)
        if self.third.kind != self.tools.third:
            self.third.choose(self.tools.third)
            self.look.heights.pop(self.third, None)
        if self.curves:
            self.curves.smoothing = self.tools.smoothing
        self._share_height()
        self._look_anew()

    @Slot()
    def _look_anew(self) -> None:
        """Draw the part that is looked at now."""
        self._fitted.clear()
        self._look()
        if self.curves:
            self.curves.behind = True  # there is something to draw
            self._drawn_at = self._rates_drawn_at = 0.0
            self.reread()
        self._say_legends()

    @Slot(object)
    def _point(self, position: QPointF) -> None:
        """The mouse is there in the scene of the plot that sends this."""
        panel = next(panel for panel in self.panels if panel.plot.scene() is self.sender())
        box = panel.plot.getViewBox()
        if self.plan is not None and box.sceneBoundingRect().contains(position):
            self.cross(self.look.window.step(box.mapSceneToView(position).x()))

    def cross(self, step: float) -> None:
        """Put the crosshair on the step nearest to that."""
        if self.plan is not None:
            last = max(1, self.curves.count) if self.curves else self.plan.total_steps
            self.crosshair.move(min(max(0, round(step)), last - 1), self.look.window)
            self.crosshair.tell(self.curves, self.plan, self.upper)
            self.setAccessibleDescription(self.crosshair.words)

    def event(self, event: QEvent) -> bool:
        """What mouse and keys do is told beside the plots, not over the figures under the crosshair."""
        return (event.type() == QEvent.Type.ToolTip and self.crosshair.shown) or super().event(event)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        if not self.hasFocus():
            self._uncross()

    def _uncross(self) -> None:
        self.crosshair.hide()
        self._say_legends()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        pressed, shown = event.key(), self.crosshair.shown
        if pressed == Qt.Key.Key_Escape and self.isWindow():
            self.close()
        elif self.plan is None:
            super().keyPressEvent(event)
        elif pressed in ARROWS:
            window = self.look.window
            by = max(1, round((window.last - window.first) / ARROW_PRESSES))
            faster = FASTER if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
            self.cross((self.crosshair.step if shown else window.last) + ARROWS[pressed] * by * faster)
        elif pressed in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.cross(self.look.window.first if pressed == Qt.Key.Key_Home else self.look.window.last)
        elif not self.look.press(pressed, self.crosshair.step if shown else None):
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.plots.update()
        if event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
            self.cross(self.look.window.last)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.plots.update()
        if not self.underMouse():
            self._uncross()

    @Slot(str)
    def _note(self, sentence: str) -> None:
        """Say for a while how it went with what was asked for."""
        self.note.show_at(html.escape(sentence), self.upper.pos())
        self._note_timer.start()

    @Slot()
    def open_window(self) -> None:
        """The same run once more, in a window that can be as large as the screen."""
        if self.curves is None:
            return
        made = LivePlot()
        made.setParent(self.window(), Qt.WindowType.Window)
        made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        made.setWindowTitle(f"Curves of {self.curves.folder.name}")
        made.setContentsMargins(*[theme.MEDIUM] * 4)
        made.resize(*OWN_WINDOW)
        made.show_run(self.curves.folder)
        made.show()

    # Making and colouring

    def _make_panels(self) -> None:
        boxes = [ZoomBox(enableMenu=False) for _ in range(4)]
        self.plots = _Framed(self)
        self.steps = StepAxis("bottom")
        self.loss, self.third, self.rate = LossPlot(boxes[0]), ThirdPlot(boxes[1]), RatePlot(boxes[2])
        self.strip = LearnStrip(NumberAxis("left"), self.steps, boxes[3])
        self.panels: list[Panel] = [self.loss, self.third, self.rate, self.strip]
        for panel in self.panels[:-1]:
            panel.plot.getAxis("bottom").setStyle(showValues=False, tickLength=0)
            panel.plot.getAxis("bottom").setHeight(3)
        self.crosshair = Crosshair(self.plots, self.loss, self.third, self.rate, self.strip)
        self.look = Navigation(self.panels)
        self.tools = PlotTools()
        self.note = Bubble(self.plots)
        self.taking = Taking(self.plots, (self.tools, self.note))
        self._note_timer = QTimer(self)
        self._note_timer.setSingleShot(True)
        self._note_timer.setInterval(NOTE_MILLISECONDS)
        self._timer = QTimer(self)
        self._timer.setInterval(REDRAW_MILLISECONDS)

    def _connect(self) -> None:
        self._timer.timeout.connect(self.reread)
        theme.changed.connect(self._recolour)
        self.tools.changed.connect(self._choose)
        self.tools.all_wanted.connect(self.look.show_all)
        self.tools.follow_wanted.connect(self.look.follow)
        self.tools.asked.connect(self.taking.take)
        self.tools.window_wanted.connect(self.open_window)
        self.taking.told.connect(self._note)
        self._note_timer.timeout.connect(self.note.hide)
        self.look.changed.connect(self._look_anew)
        for panel in self.panels:
            panel.plot.scene().sigMouseMoved.connect(self._point)

    def _lay_out(self) -> None:
        self._sentence = QLabel(wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        self._sentence.setProperty("role", "muted")
        self._hint = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self._hint.setProperty("role", "muted")
        self._hint.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        QVBoxLayout(self.loss.plot).addWidget(self._hint)
        self._column = QVBoxLayout(self.plots)
        self._column.setContentsMargins(3, 3, 3, 3)
        self._column.setSpacing(2)
        for panel in self.panels:
            self._column.addWidget(panel)
        self.loss.top.addWidget(self.tools)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._sentence)
        self._pages.addWidget(self.plots)

    def _share_height(self) -> None:
        """Before the start the schedule has most of it, later the loss."""
        coming = self.curves is None
        self.loss.setVisible(self._loss_shown)
        self.third.setVisible(bool(self.third.kind) and not coming and self._loss_shown)
        self.tools.setVisible(self._loss_shown and not coming)
        low = self.height() < LOW
        for panel, share in ((self.loss, 1 if coming else 5), (self.third, 3), (self.rate, 2 if low else 3)):
            self._column.setStretchFactor(panel, share)
        self.loss.plot.setMinimumHeight(LEAST_HEIGHT if coming else LEAST_LOSS)
        self.rate.plot.setMinimumHeight(LEAST_RATES if low and not coming else LEAST_HEIGHT)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.strip.set_low(event.size().height() < LOW)
        self._share_height()

    @property
    def upper(self) -> Panel:
        """The topmost plot with lines in it: the phases are named there."""
        return self.loss if self._loss_shown and self.curves else self.rate

    @Slot()
    def _recolour(self) -> None:
        for panel in self.panels:
            panel.recolour()
        self.crosshair.recolour()
        if self.plan is not None:
            self.strip.draw(self.plan, self.curves, self.look.window, group_colours(len(self.plan.groups)))
        self._say_legends()

    def _say_legends(self) -> None:
        if self.crosshair.shown:
            return
        self.loss.say_legend() if self.curves else self.loss.legend.say("")
        self.rate.say_legend(self.plan)
        if self.third.kind:
            self.third.say_legend()

    # Hidden plots rest

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.reread()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()


class _Framed(QWidget):
    """The plots, with a frame while the keyboard is theirs."""

    def __init__(self, owner: QWidget):
        super().__init__()
        self._owner = owner

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self._owner.hasFocus():
            frame(self)


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
