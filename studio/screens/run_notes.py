"""What the person says of a run: tags and a note, kept in the run's folder as they are typed."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QLabel, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from studio import theme
from studio.widgets.labelled import labelled
from ulmfit_core.errors import UserError
from ulmfit_core.project import RunInfo, read_run

SAVE_MILLISECONDS = 700  # after the last key; at once when another run or screen is shown


class NotesEditor(QWidget):
    """`saved` when something new was kept, `refused(sentence)` where it could not be: it stays here then."""

    saved = Signal()
    refused = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.run: RunInfo | None = None
        self.tags, self.notes, self.state = QLineEdit(), QPlainTextEdit(), QLabel()
        self.state.setProperty("role", "muted")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SAVE_MILLISECONDS)
        self._timer.timeout.connect(self.save)
        self._lay_out()
        self.tags.textEdited.connect(self._begin)
        self.notes.textChanged.connect(self._begin)
        self.tags.editingFinished.connect(self.save)

    def show_run(self, run: RunInfo) -> None:
        """Show a run's notes. What is being typed for this run stays, what was typed for another is kept there.

        Raises FileNotFoundError where the run is gone.
        """
        if self.run and self.run.id == run.id:
            if self._changed():
                return
            run = read_run(run.folder)  # what was looked up in a thread may be older than what was saved here
        else:
            self.save()
            self.state.setText("")
        self.run = run
        if self.notes.toPlainText().strip() != run.notes:
            self._write(self.notes, run.notes)
        if _tags_in(self.tags.text()) != list(run.tags):
            self.tags.setText(", ".join(run.tags))

    def let_write(self, may: bool) -> None:
        self.tags.setReadOnly(not may)
        self.notes.setReadOnly(not may)

    @Slot()
    def save(self) -> None:
        """Keep what was typed, if anything was."""
        self._timer.stop()
        if self.run is None or not self._changed():
            return
        try:
            self.run = self.run.annotate(self.notes.toPlainText(), _tags_in(self.tags.text()))
        except UserError as error:
            self.refused.emit(str(error))
            return
        self.state.setText("Saved.")
        self.saved.emit()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.save()

    @Slot()
    def _begin(self) -> None:
        if self.run and self._changed():
            self.state.setText("")
            self._timer.start()

    def _changed(self) -> bool:
        assert self.run is not None
        return (self.notes.toPlainText().strip(), _tags_in(self.tags.text())) != (self.run.notes, list(self.run.tags))

    @staticmethod
    def _write(box: QPlainTextEdit, text: str) -> None:
        box.blockSignals(True)
        box.setPlainText(text)
        box.blockSignals(False)

    def _lay_out(self) -> None:
        self.tags.setPlaceholderText("baseline, small vocabulary")
        self.tags.setAccessibleName("Tags")
        self.tags.setToolTip("Short words to find this run by, separated by commas.")
        self.notes.setPlaceholderText("Why did you run it, and what did you learn from it?")
        self.notes.setAccessibleName("Notes")
        self.notes.setToolTip("What you want to remember of this run.")
        self.notes.setTabChangesFocus(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(*[theme.MEDIUM] * 4)
        column.addWidget(labelled("&Tags", self.tags))
        column.addWidget(labelled("Note&s", self.notes), 1)
        column.addWidget(self.state)


def _tags_in(text: str) -> list[str]:
    """The words between the commas, each once."""
    return list(dict.fromkeys(" ".join(tag.split()) for tag in text.split(",") if tag.strip()))
