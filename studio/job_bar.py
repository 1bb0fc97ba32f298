"""A bar for the jobs that train nothing (import, vocabulary): start, pause, stop, how far it is, the time left."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from studio import theme
from studio.session import Session
from studio.widgets import pace
from ulmfit_core.events import Ended, Event, Progress

FINE = 1000  # a progress bar counts whole numbers
KNOWN_SECONDS = 3.0  # a rate that was seen for less is chance
KNOWN_SHARE = 0.01
KNOWN_NEWS = 5  # after so many it is known how often they come
PAUSED = "Paused. Press Continue to go on."


class TimeLeft:
    """Reckons the time left of one part of a job from how fast that part went so far, pauses and sleep not counted."""

    def __init__(self) -> None:
        self._label = ""
        self._began = self._heard = self._paused = 0.0
        self._news = 0
        self._first = 0.0  # share that was done when the part began here

    def of(self, event: Progress, now: float) -> float | None:
        """Seconds left of the part that the event tells of; None while too little of it was seen. `now` in seconds."""
        share = pace.share(event.done, event.total)
        if event.label != self._label or share < self._first:
            self._label, self._began, self._first = event.label, now, share
            self._heard, self._news = now, 0
        self._leave_out_sleep(now)
        passed, done = now - self._began, share - self._first
        return passed * (1 - share) / done if passed >= KNOWN_SECONDS and done >= KNOWN_SHARE else None

    def _leave_out_sleep(self, now: float) -> None:
        """A long silence where news come all the time: the machine slept, and its clock went on."""
        silence = now - self._heard
        if self._news >= KNOWN_NEWS and pace.is_rest(silence, (self._heard - self._began) / self._news):
            self._began += silence
        self._heard, self._news = now, self._news + 1

    def pause(self, now: float) -> None:
        self._paused = now

    def go_on(self, now: float) -> None:
        self._began += now - self._paused
        self._heard += now - self._paused


class JobBar(QWidget):
    """`wanted` when the start button is pressed; everything else it sees for itself."""

    wanted = Signal()

    def __init__(self, session: Session, job: str, caption: str):
        super().__init__()
        self.session, self.job = session, job
        self.start = QPushButton(caption)
        self.start.setProperty("primary", True)
        self.start.setToolTip("Begin this step with what is chosen above.")
        self.pause = QPushButton("&Pause")
        self.pause.setToolTip("Hold the work; it goes on where it was.")
        self.stop = QPushButton("&Stop")
        self.stop.setToolTip("Stop now; the project stays as it was before.")
        self.progress = QProgressBar()
        self.progress.setRange(0, FINE)
        self.progress.setAccessibleName("Progress")
        self.label = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.label.setProperty("role", "muted")
        self._left = TimeLeft()
        self._newest: Progress | None = None
        self._lay_out()
        self._connect()
        self._show_work(session.job == job)

    def set_ready(self, ready: bool, sentence: str, done: bool = False) -> None:
        """Whether the job can start or is done already, and a word about that while it does not run."""
        if self.session.job != self.job:
            self.start.setEnabled(ready and not self.session.read_only)
            self.start.setProperty("primary", not done)  # when it is done, Next is the likelier wish
            self.start.style().polish(self.start)
            self.label.setText(sentence)

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.MEDIUM)
        layout.addWidget(self.start)
        layout.addWidget(self.pause)
        layout.addWidget(self.stop)
        layout.addWidget(self.label, 1)
        layout.addWidget(self.progress, 1)

    def _connect(self) -> None:
        self.start.clicked.connect(self.wanted)
        self.pause.clicked.connect(self._pause_or_continue)
        self.stop.clicked.connect(self._stop)
        self.session.run_started.connect(self._follow_start)
        self.session.event.connect(self._follow)
        self.session.run_ended.connect(self._follow_end)

    @Slot()
    def _pause_or_continue(self) -> None:
        if self.session.paused:
            self._left.go_on(time.monotonic())
            self.label.setText("Going on…")
            self.session.resume()
            if self._newest:
                self._follow(self._newest)  # the next news may be a minute away
        else:
            self._left.pause(time.monotonic())
            self.label.setText(PAUSED)
            self.progress.setRange(0, FINE)  # one of unknown length stands still
            self.session.pause()
        self._name_pause()

    def _name_pause(self) -> None:
        self.pause.setText("&Continue" if self.session.paused else "&Pause")

    @Slot()
    def _stop(self) -> None:
        self.label.setText("Stopping…")  # the button stays usable: disabling it would send the focus astray
        self.session.stop()

    @Slot(str, object)
    def _follow_start(self, job: str) -> None:
        if job == self.job:
            self.label.setText("Starting…")
            self.progress.setValue(0)
            self._left, self._newest = TimeLeft(), None
            self._show_work(True)

    @Slot(object)
    def _follow(self, event: Event) -> None:
        if self.session.job != self.job or not isinstance(event, Progress):
            return
        self._newest = event
        self.progress.setRange(0, FINE if event.total else 0)  # one of unknown length moves to and fro
        self.progress.setValue(round(FINE * pace.share(event.done, event.total)))
        left = self._left.of(event, time.monotonic())
        if not self._is_held():
            self.label.setText(event.label + (f": {pace.duration(left)} left" if left is not None else ""))

    def _is_held(self) -> bool:
        """Whether the person asked for a pause or a stop: what was on its way says nothing against that."""
        control = self.session.control
        return control is not None and (control.paused or control.stopping)

    @Slot(str, object)
    def _follow_end(self, job: str, ended: Ended) -> None:
        if job == self.job:
            self.label.clear()
            self._show_work(False)

    def _show_work(self, working: bool) -> None:
        """Start keeps its place, so that a double click on it does not hit Stop; the focus stays in the bar."""
        had_focus = self.start.hasFocus() or self.pause.hasFocus() or self.stop.hasFocus()
        self.start.setEnabled(not working)
        self._name_pause()
        self.pause.setVisible(working)
        self.stop.setVisible(working)
        self.progress.setVisible(working)
        if had_focus:
            (self.stop if working else self.start).setFocus()
