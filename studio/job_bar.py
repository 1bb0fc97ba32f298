"""A bar for the short jobs (import, vocabulary): start, how far it is, stop."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from studio import theme
from studio.session import Session
from ulmfit_core.events import Ended, Event, Progress

FINE = 1000  # a progress bar counts whole numbers


class JobBar(QWidget):
    """`wanted` when the start button is pressed; everything else it sees for itself."""

    wanted = Signal()

    def __init__(self, session: Session, job: str, caption: str):
        super().__init__()
        self.session, self.job = session, job
        self.start = QPushButton(caption)
        self.start.setProperty("primary", True)
        self.start.setToolTip("Begin this step with what is chosen above.")
        self.stop = QPushButton("&Stop")
        self.stop.setToolTip("Stop now; the project stays as it was before.")
        self.progress = QProgressBar()
        self.progress.setRange(0, FINE)
        self.progress.setAccessibleName("Progress")
        self.label = QLabel(wordWrap=True)
        self.label.setProperty("role", "muted")
        self._lay_out()
        self._connect()
        self._show_work(session.job == job)

    def set_ready(self, ready: bool, sentence: str, done: bool = False) -> None:
        """Whether the job can start or is done already, and a word about that while it does not run."""
        if self.session.job != self.job:
            self.start.setEnabled(ready)
            self.start.setProperty("primary", not done)  # when it is done, Next is the likelier wish
            self.start.style().polish(self.start)
            self.label.setText(sentence)

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.MEDIUM)
        layout.addWidget(self.start)
        layout.addWidget(self.stop)
        layout.addWidget(self.label, 1)
        layout.addWidget(self.progress, 1)

    def _connect(self) -> None:
        self.start.clicked.connect(self.wanted)
        self.stop.clicked.connect(self._stop)
        self.session.run_started.connect(self._follow_start)
        self.session.event.connect(self._follow)
        self.session.run_ended.connect(self._follow_end)

    @Slot()
    def _stop(self) -> None:
        self.label.setText("Stopping…")  # the button stays usable: disabling it would send the focus astray
        self.session.stop()

    @Slot(str, object)
    def _follow_start(self, job: str) -> None:
        if job == self.job:
            self.label.setText("Starting…")
            self.progress.setValue(0)
            self._show_work(True)

    @Slot(object)
    def _follow(self, event: Event) -> None:
        if self.session.job == self.job and isinstance(event, Progress):
            self.label.setText(event.label)
            self.progress.setValue(round(FINE * event.done / event.total) if event.total else 0)

    @Slot(str, object)
    def _follow_end(self, job: str, ended: Ended) -> None:
        if job == self.job:
            self.label.clear()
            self._show_work(False)

    def _show_work(self, working: bool) -> None:
        """Start keeps its place, so that a double click on it does not hit Stop; the focus stays in the bar."""
        had_focus = self.start.hasFocus() or self.stop.hasFocus()
        self.start.setEnabled(not working)
        self.stop.setVisible(working)
        self.progress.setVisible(working)
        if had_focus:
            (self.stop if working else self.start).setFocus()
