"""The strip that shows the queue at work: what is done, what runs, what comes and can be taken out."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton

from studio import steps, theme
from studio.session import Session
from ulmfit_core.project import INPUTS

TAKE_OUT = "Take “{}” out of the queue, and what follows it."
STOP = "Stop what runs and let nothing follow. What was learned is kept, and “Train everything” goes on from there."


class QueueStrip(QFrame):
    """Hidden while there is no queue."""

    def __init__(self, session: Session):
        super().__init__()
        self._queue = session.queue
        self.setProperty("notice", "info")
        self.setAccessibleName("Train everything: the steps in the queue")
        self.words = {step: QLabel() for step in INPUTS}  # of what is done or runs
        self.buttons = {step: QPushButton() for step in INPUTS}  # of what comes
        self.stop = QPushButton("Stop all")
        self.stop.setToolTip(STOP)
        self.stop.clicked.connect(self._queue.stop)
        self._lay_out()
        self._queue.changed.connect(self.refresh)
        session.project_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        self.setVisible(self._queue.active)
        if not self._queue.active:
            return
        coming = self._queue.coming
        for step in INPUTS:
            self.words[step].setText(self._word(step))
            self.words[step].setVisible(bool(self.words[step].text()))
            self.buttons[step].setVisible(step in coming)

    def _word(self, step: str) -> str:
        title = steps.title_of(step)
        if step == self._queue.running:
            return f"<b>▸ {title}</b>"
        return f"✓ {title}" if step in self._queue.done else ""

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.SMALL, theme.SMALL)
        layout.setSpacing(theme.SMALL)
        layout.addWidget(QLabel("Queue:"))
        for step in INPUTS:
            title = steps.title_of(step)
            button = self.buttons[step]
            button.setText(f"{title}  ✕")
            button.setToolTip(TAKE_OUT.format(title))
            button.setAccessibleName(button.toolTip())
            button.clicked.connect(partial(self._queue.take_out, step))
            layout.addWidget(self.words[step])
            layout.addWidget(button)
        layout.addStretch(1)
        layout.addWidget(self.stop)
