"""The bar under a screen that starts a job: its buttons, how far it is, how long it takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from studio import theme
from studio.plain import tip
from studio.session import Session
from studio.widgets import pace
from studio.widgets.beside import Beside
from ulmfit_core import catalog, events
from ulmfit_core.project import RunInfo, StepState, busy_sentence
from ulmfit_core.run import read_steps
from ulmfit_core.training.plan import tail_length

TICK_MILLISECONDS = 250
PARTS = 1000  # of a progress bar
TRAINED = ("pretrain", "finetune", "classify")
FINISH_TIP = "End early and well: the learning rates fall to zero over {tail}, then the best result is kept."
END_TIP = "End without waiting until the learning rates are at zero. The best result so far is kept."
NARROW = 600  # pixels, below which the sentence stands under the buttons


class RunBar(QWidget):
    """Start, pause, finish, stop and resume one step's job, and watch it."""

    def __init__(self, session: Session, step: str, verb: str = "&Start"):
        super().__init__()
        self.session = session
        self.step = step
        self._verb = verb
        self._plan: events.Plan | None = None
        self._progress: events.Progress | None = None
        self._step = 0
        self._figures = ""
        self._tail = "A few steps"
        self._resumable: RunInfo | None = None
        self.overall, self.phase, self.epoch = Meter("Whole run"), Meter("Phase"), Meter("Epoch")
        self.status = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.status.setProperty("role", "muted")
        self._make_buttons()
        self._lay_out()
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MILLISECONDS)
        self._timer.timeout.connect(self.tick)
        session.project_changed.connect(self.refresh)
        session.run_started.connect(self._begin)
        session.event.connect(self._hear)
        session.run_ended.connect(self.refresh)

    @property
    def running(self) -> bool:
        return self.session.job == self.step

    # What the buttons do

    @Slot()
    def start(self) -> None:
        self.session.start(self.step)

    @Slot()
    def resume(self) -> None:
        if self._resumable:
            self.session.start(self.step, resume=self._resumable.folder)

    @Slot()
    def pause_or_continue(self) -> None:
        (self.session.resume if self.session.paused else self.session.pause)()
        self.tick()

    @Slot()
    def finish(self) -> None:
        self.session.finish()
        self.tick()

    @Slot()
    def stop(self) -> None:
        self.session.stop()
        self.tick()

    # What it shows

    @Slot()
    def refresh(self) -> None:
        """Follow the session and the project: which buttons may be pressed, what there is to say."""
        if not self.isVisible():
            return
        had_focus = any(each.hasFocus() for each in self._buttons)
        self.overall.setVisible(self.running)
        self.phase.setVisible(self.running and self._plan is not None)
        self.epoch.setVisible(self.running and self._plan is not None)
        if self.running:
            self._offer_start(False, None)
            self.tick()
            self._timer.start()
        else:
            self._timer.stop()
            self._show_idle()
            self._offer_control(False)
        if had_focus:
            self._keep_focus()

    @Slot()
    def tick(self) -> None:
        """Look at the running job's files and put the figures up."""
        if not self.running:
            return
        control = self.session.control
        self._offer_control(bool(control and not control.stopping))
        if self._plan and self.session.run_folder:
            self._show_training(self._plan, self.session.run_folder)
        elif self._progress:
            self.overall.show_progress(self._progress)
        self.status.setText(self._running_sentence())

    @Slot(str, object)
    def _begin(self, job: str, folder: Path) -> None:
        self._plan = self._progress = None
        self._step = 0
        if job == self.step:
            self._plan = plan_of(folder)  # a resumed run has announced it before
        self.overall.show_progress(events.Progress("Getting ready …", 0, 0))
        self.refresh()

    @Slot(object)
    def _hear(self, event: events.Event) -> None:
        if not self.running:
            return
        if isinstance(event, events.Plan):
            self._plan = event
            self.refresh()
        elif isinstance(event, events.Progress):
            self._progress = event

    def _show_training(self, plan: events.Plan, folder: Path) -> None:
        steps = read_steps(folder / "steps.f32")
        at = pace.standing(plan, pace.steps_done(steps))
        if at.step != self._step:
            self._step, self._progress = at.step, None  # what was in between, such as validation, is over
        done = pace.share(at.step, plan.total_steps)
        self.overall.show_share(f"Step {at.step:,} of {plan.total_steps:,}", done)
        title = plan.phases[at.phase]["title"]
        self.phase.show_share(f"Phase {at.phase + 1} of {len(plan.phases)}", at.phase_share, title)
        self.epoch.show_share(f"Epoch {at.epoch + 1} of {len(plan.epoch_ends)}", at.epoch_share)
        left, speed = plan.total_steps - at.step, pace.speed(steps)
        self._figures = figures(left, *speed)
        self._describe_finish(at.step, left, speed[0])

    def _describe_finish(self, done: int, left: int, steps_per_second: float) -> None:
        """How long it takes to finish, from now on or from when it was asked for."""
        control = self.session.control
        asked = bool(control and control.finishing)
        length = left if asked else tail_length(done, left)
        self._tail = tail_text(length, steps_per_second)
        say(self.finish_button, END_TIP if asked else FINISH_TIP.format(tail=self._tail))

    def _running_sentence(self) -> str:
        control = self.session.control
        if control and control.stopping:
            return "Stopping. The last finished step is kept."
        if control and control.hurried:
            return "Ending: the best result so far is measured and kept."
        if control and control.finishing:
            return f"Finishing: the learning rates fall to zero. {self._tail} to go, then the best result is kept."
        if self.session.paused:
            return "Paused. Press Continue to go on."
        if self._plan is None:
            return "At work. " + memory_text()
        beside = f"{self._progress.label} …   " if self._progress else ""
        return beside + self._figures

    def _show_idle(self) -> None:
        project, hindrance = self.session.project, self._hindrance()
        if project is None or hindrance:
            self._offer_start(False, None)
            self.status.setText(hindrance)
            return
        waiting = project.skip_reason(self.step) or project.waits_for(self.step)
        run = project.resumable_run(self.step) if self.step in TRAINED and not waiting else None
        self._offer_start(not waiting, run)
        if run:
            self.status.setText(stopped_sentence(run))
        else:
            self.status.setText(waiting or idle_sentence(project.state(self.step), self.step in TRAINED))

    def _hindrance(self) -> str:
        """Why nothing at all can be started now."""
        job, other = self.session.job, self.session.access.worker
        if job:
            return f"“{catalog.JOBS[job].title}” is at work. This step can start when it is done."
        if self.session.read_only:
            return "This window only reads the project."
        return busy_sentence(other.sentence) if other else ""

    def _keep_focus(self) -> None:
        """A button that can no longer be pressed would send the focus astray, and a keyboard user with it."""
        usable = [each for each in self._buttons if each.isVisible() and each.isEnabled()]
        if usable and not any(each.hasFocus() for each in usable):
            usable[0].setFocus()

    def _offer_start(self, may: bool, run: RunInfo | None) -> None:
        self._resumable = run
        self.resume_button.setVisible(run is not None)
        self.start_button.setText("Start &anew" if run else self._verb)
        done = self.session.project is not None and self.session.project.state(self.step).mark == "done"
        self.start_button.setProperty("primary", not run and not done)  # going on is the likelier wish
        self.start_button.style().polish(self.start_button)
        self.start_button.setEnabled(may)

    def _offer_control(self, may: bool) -> None:
        control = self.session.control
        for each in (self.pause_button, self.finish_button, self.stop_button):
            each.setEnabled(may and not (control and control.hurried))
        self.pause_button.setText("&Continue" if self.session.paused else "&Pause")
        self.finish_button.setText("&End at once" if control and control.finishing else "&Finish now")

    # Making it

    def _make_buttons(self) -> None:
        self.resume_button = button("&Resume", "Go on with the stopped run at its last step.", self.resume)
        self.start_button = button(self._verb, "Begin this step with the settings shown.", self.start)
        self.pause_button = button("&Pause", "Hold the work; it goes on where it was.", self.pause_or_continue)
        self.finish_button = button("&Finish now", FINISH_TIP.format(tail="a few steps"), self.finish)
        self.stop_button = button("S&top", "Stop soon. The last finished step is kept.", self.stop)
        self._buttons = (
            self.resume_button, self.start_button, self.pause_button, self.finish_button, self.stop_button,
        )  # fmt: skip
        self.resume_button.setProperty("primary", True)
        if self.step not in TRAINED:
            for extra in (self.pause_button, self.finish_button):
                extra.hide()

    def _lay_out(self) -> None:
        buttons = QWidget()
        across = QHBoxLayout(buttons)
        across.setContentsMargins(0, 0, 0, 0)
        for each in (*self._buttons[1:], self.resume_button):  # which comes and goes, so that none other moves
            across.addWidget(each)
        across.addStretch(1)
        meters = QHBoxLayout()
        meters.setSpacing(theme.MEDIUM)
        for meter in (self.overall, self.phase, self.epoch):
            meters.addWidget(meter, 1)
        keep_room(self.overall)  # the height of all three
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(Beside(NARROW, {buttons: 0, self.status: 1}))
        column.addLayout(meters)

    def _keep_widths(self) -> None:
        """Room for all captions of a button, the start's in its bold letters: nothing beside it moves."""
        self.start_button.setProperty("primary", True)
        self.start_button.style().polish(self.start_button)
        keep_width(self.start_button, self._verb, "Start &anew")
        keep_width(self.pause_button, "&Pause", "&Continue")
        keep_width(self.finish_button, "&Finish now", "&End at once")

    # A hidden bar rests

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._keep_widths()
        self.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()


class Meter(QWidget):
    """A progress bar under a line of text that says what it measures."""

    def __init__(self, name: str):
        super().__init__()
        self.caption = Elided()
        self.caption.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.bar = QProgressBar()
        self.bar.setRange(0, PARTS)
        self.bar.setAccessibleName(name)
        self.bar.setProperty("slim", True)
        self.bar.setTextVisible(False)  # the line of text above tells the share too
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.caption)
        column.addWidget(self.bar)

    def show_share(self, text: str, share: float, more: str = "") -> None:
        """`more` comes last, where a narrow window has no room for it."""
        self.caption.say(f"{text} ({share:.0%})" + (f": {more}" if more else ""))
        self.bar.setRange(0, PARTS)
        self.bar.setValue(round(share * PARTS))

    def show_progress(self, progress: events.Progress) -> None:
        """A task that counts rows or bytes, or one of unknown length."""
        if progress.total > 0:
            counted = f"{progress.done:,.0f} of {progress.total:,.0f}"
            self.show_share(f"{progress.label}: {counted}", pace.share(progress.done, progress.total))
        else:
            self.caption.say(progress.label)
            self.bar.setRange(0, 0)


class Elided(QLabel):
    """One line that ends in dots where it has no room, and is told whole by its tooltip."""

    def __init__(self) -> None:
        super().__init__(textFormat=Qt.TextFormat.PlainText)
        self._whole = ""

    def say(self, text: str) -> None:
        self._whole = text
        self.setToolTip(tip(text))
        self.setAccessibleName(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self.setText(self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideRight, self.width()))


def button(text: str, tip: str, press: Callable[[], None]) -> QPushButton:
    made = QPushButton(text)
    say(made, tip)
    made.clicked.connect(press)
    return made


def keep_room(part: QWidget) -> None:
    """Nothing around `part` moves when it is hidden or shown."""
    kept = part.sizePolicy()
    kept.setRetainSizeWhenHidden(True)
    part.setSizePolicy(kept)


def keep_width(button: QPushButton, *captions: str) -> None:
    """Make the button wide enough for each of its captions."""
    button.ensurePolished()
    shown, widths = button.text(), []
    for caption in captions:
        button.setText(caption)
        widths.append(button.sizeHint().width())
    button.setText(shown)
    button.setMinimumWidth(max(widths))


def say(button: QPushButton, tip: str) -> None:
    """What the button does, for the eye and for a screen reader."""
    button.setToolTip(tip)
    button.setAccessibleDescription(tip)


def tail_text(steps: int, steps_per_second: float) -> str:
    """“20 steps (5 s)”; without the time where the speed is not known."""
    length = f"{steps:,} step{'s' * (steps != 1)}"
    return f"{length} ({pace.duration(steps / steps_per_second)})" if steps_per_second > 0 else length


def plan_of(folder: Path) -> events.Plan | None:
    """The newest plan that a run has told: one that is finished early tells another."""
    told = events.read_events(folder / "events.jsonl")
    return next((event for event in reversed(told) if isinstance(event, events.Plan)), None)


def stopped_sentence(run: RunInfo) -> str:
    plan, done = plan_of(run.folder), pace.steps_done(read_steps(run.folder / "steps.f32"))
    where = f" at step {done:,} of {plan.total_steps:,}" if plan else ""
    if run.status == "failed":
        return f"Broke off{where}. Resume goes on from the last checkpoint."
    return f"Stopped{where}. Resume goes on from there."


def idle_sentence(state: StepState, has_settings: bool) -> str:
    if state.mark == "done":
        return "Done. You may change settings and start again." if has_settings else "Done."
    return state.reason or "Ready to start."


def figures(steps_left: int, steps_per_second: float, tokens_per_second: float) -> str:
    """Time left and speed of a training, its memory and what a graphics card that it works on is doing, in one line."""
    from ulmfit_core.device import accelerator_figures  # loads torch, which a training at work has loaded

    if steps_per_second <= 0:
        return "The time left is known after a few steps.   " + memory_text()
    left = pace.duration(steps_left / steps_per_second)
    speed = f"Time left {left}   ·   {tokens_per_second:,.0f} tokens/s"
    return "   ·   ".join(filter(None, [speed, memory_text(), accelerator_figures()]))


def memory_text() -> str:
    megabytes = pace.memory_megabytes()
    return f"Memory {megabytes:,.0f} MB" if megabytes else ""
