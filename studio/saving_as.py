"""“Save as”: asks for a name and what to take along, then copies the project off the main thread, with progress."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from studio import theme
from studio.notice import Notice
from studio.session import Session
from studio.worker import Background
from ulmfit_core import files
from ulmfit_core.project import Project
from ulmfit_core.project_copy import Copying

TICK_MILLISECONDS = 100


class SaveAs(QDialog):
    """`saved(folder)` when the copy is whole. Until then the copy does not exist, and the project stays as it is."""

    saved = Signal(object)

    def __init__(self, session: Session, parent: QWidget):
        super().__init__(parent)
        assert session.project is not None
        self._project: Project = session.project
        self._copying: Copying | None = None
        self._work = Background(self)
        self._work.answered.connect(self._finish)
        self._work.refused.connect(self._refuse)
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MILLISECONDS)
        self._timer.timeout.connect(self._tick)
        self.setWindowTitle("Save the project as")
        self._make_parts()
        self._lay_out()
        self._show_outcome()

    def target(self) -> Path:
        return files.at_home(self.place.text().strip()) / self.name.text().strip()

    # What a person does

    @Slot()
    def copy(self) -> None:
        """Begin."""
        self._copying = Copying(self._project, self.target(), self.name.text().strip(), self.with_runs.isChecked())
        self.notice.clear()
        self._show_busy(True)
        self._work.ask(self._copying.work)

    @Slot()
    def reject(self) -> None:
        """While it copies: stop, and take back what was copied."""
        if self._work.busy and self._copying:
            self._copying.control.stop()
        else:
            super().reject()

    @Slot()
    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Where to put the copy", self.place.text())
        if folder:
            self.place.setText(folder)

    # What it shows

    @Slot()
    def _show_outcome(self) -> None:
        complete = bool(self.name.text().strip() and self.place.text().strip())
        self.save.setEnabled(complete)
        self.outcome.setText(f"The copy will be {self.target()}" if complete else "Type a name and a place.")

    def _show_busy(self, busy: bool) -> None:
        for part in (self.name, self.place, self.browse, self.with_runs, self.without_runs, self.save):
            part.setEnabled(not busy)
        self.progress.setVisible(busy)
        (self._timer.start if busy else self._timer.stop)()

    @Slot()
    def _tick(self) -> None:
        if self._copying:
            self.progress.setRange(0, 1000 if self._copying.total else 0)
            self.progress.setValue(round(1000 * self._copying.done / max(1, self._copying.total)))

    @Slot(object)
    def _finish(self, folder: Path) -> None:
        self._show_busy(False)
        self.accept()
        self.saved.emit(folder)

    @Slot(str)
    def _refuse(self, reason: str) -> None:
        self._show_busy(False)
        stopped = self._copying is not None and self._copying.control.stopping
        self.notice.show_message("Stopped. Nothing was made." if stopped else reason, "info" if stopped else "error")

    # Making it

    def _make_parts(self) -> None:
        self.name = QLineEdit(f"{self._project.recipe.name} copy")
        self.place = QLineEdit(str(self._project.folder.parent))
        self.browse = QPushButton("B&rowse…")
        self.with_runs = QRadioButton("&All runs, with their curves and results")
        self.without_runs = QRadioButton("&Only what today's models come from")
        self.with_runs.setChecked(True)
        self.outcome = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.outcome.setProperty("role", "muted")
        self.progress = QProgressBar()
        self.progress.hide()
        self.notice = Notice()
        self.buttons = QDialogButtonBox()
        self.save = self.buttons.addButton("&Save the copy", QDialogButtonBox.ButtonRole.ActionRole)
        self.cancel = self.buttons.addButton("Cance&l", QDialogButtonBox.ButtonRole.RejectRole)
        self.save.setProperty("primary", True)
        self._name_parts()
        self._connect()

    def _name_parts(self) -> None:
        tips = {
            self.name: ("Name of the copy", "What the copy is called; its folder gets the same name."),
            self.place: ("Folder in which the copy is made", "The copy becomes a new folder in this one."),
            self.browse: ("Browse", "Choose the place in a dialog."),
            self.with_runs: ("All runs", "Everything that the project holds."),
            self.without_runs: ("Only today's runs", "The newest finished run of each step: what is done stays done."),
            self.save: ("Save the copy", "Copy the project. This one stays open and as it is until that is done."),
            self.cancel: ("Cancel", "Make no copy; stop one that is being made."),
            self.progress: ("Copying", "How much is copied."),
        }
        for part, (name, tip) in tips.items():
            part.setAccessibleName(name)
            part.setToolTip(tip)

    def _connect(self) -> None:
        self.browse.clicked.connect(self._browse)
        self.save.clicked.connect(self.copy)
        self.buttons.rejected.connect(self.reject)
        for field in (self.name, self.place):
            field.textChanged.connect(self._show_outcome)

    def _lay_out(self) -> None:
        place = QHBoxLayout()
        place.addWidget(self.place, 1)
        place.addWidget(self.browse)
        fields = QFormLayout()
        fields.addRow("N&ame", self.name)
        fields.addRow("P&lace", place)
        fields.labelForField(place).setBuddy(self.place)  # type: ignore[attr-defined]
        fields.addRow("", self.outcome)
        fields.addRow("With it", self.with_runs)
        fields.addRow("", self.without_runs)
        column = QVBoxLayout(self)
        column.setSpacing(theme.MEDIUM)
        column.addWidget(self.notice)
        column.addLayout(fields)
        column.addWidget(self.progress)
        column.addWidget(self.buttons)
        self.setMinimumWidth(560)
