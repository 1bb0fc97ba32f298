"""Below the list of runs: what checkpoints take of the disk, and how much they may."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from studio import theme
from studio.session import Session
from studio.widgets.controls import NumberBox
from studio.widgets.declared import make_control, meaning
from studio.worker import Background
from ulmfit_core import storage
from ulmfit_core.config import StorageSettings

KEY = "storage.checkpoints"
LOOK_MILLISECONDS = 3000  # between two looks at the disk while it is seen
ABOUT = (
    "A checkpoint is a training as it stood at some moment, from which it can go on after a stop or a crash. Over the "
    "limit those of finished runs go first; what these runs made stays."
)


class KeptCheckpoints(QWidget):
    """One line: how much it is, and the limit."""

    def __init__(self, session: Session):
        super().__init__()
        self._session = session
        self.taken = QLabel()
        self.taken.setProperty("role", "muted")
        self.taken.setToolTip(ABOUT)
        limit = make_control(StorageSettings(), "checkpoints")
        assert isinstance(limit, NumberBox)
        self.limit = limit
        self.limit.setAccessibleName("Most disk space for checkpoints")
        self.limit.setToolTip(meaning(StorageSettings.model_fields["checkpoints"]))
        self._lay_out()
        self._reader = Background(self)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MILLISECONDS)
        self._timer.timeout.connect(self._look)
        self._reader.answered.connect(self._show_taken)
        self.limit.chosen.connect(self._change)
        session.project_changed.connect(self._follow)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.SMALL)
        row.addWidget(self.taken)
        label = QLabel("They &may take up to")
        label.setProperty("role", "muted")
        label.setBuddy(self.limit)
        row.addWidget(label)
        row.addWidget(self.limit)
        row.addStretch(1)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._follow()
        self._look()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()
        self._reader.forget()

    @Slot()
    def _look(self) -> None:
        project = self._session.project
        if project and not self._reader.busy:
            self._reader.ask(lambda: storage.taken(project))

    @Slot(object)
    def _show_taken(self, size: int) -> None:
        self.taken.setText(f"Checkpoints take {size / storage.MEGABYTE:,.1f} MB.")

    @Slot()
    def _follow(self) -> None:
        """What the project's settings say now."""
        project = self._session.project
        if project and not self.limit.hasFocus():
            self.limit.write(project.recipe.storage.checkpoints)
        self.limit.setEnabled(project is not None and not self._session.read_only)

    @Slot(object)
    def _change(self, limit: int) -> None:
        project = self._session.project
        if not self._session.change(KEY, limit) and project:
            self.limit.write(project.recipe.storage.checkpoints)  # though it has the focus
