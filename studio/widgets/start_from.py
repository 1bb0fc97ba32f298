"""Where a project's language model comes from: pretrained here, or a model that was saved before."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from studio import theme
from studio.base_model import read_base, sentence_on
from studio.import_fastai import ImportFastai
from studio.session import Session
from studio.widgets.controls import ChoiceBox
from studio.widgets.path_field import PathField
from ulmfit_core import files
from ulmfit_core.config import SCRATCH as NONE
from ulmfit_core.config import STARTER
from ulmfit_core.errors import UserError
from ulmfit_core.provenance import base_path

SAVED = "saved"
WORDS = {
    NONE: "Nothing: pretrain it here",
    STARTER: "The English starter of this program",
    SAVED: "A saved language model",
}
HELP = {
    NONE: "The model learns from the general text, or from your texts alone where there is none.",
    SAVED: "Choose the folder of a model: models/pretrained or models/finetuned of any project, or an imported one.",
}


class StartFrom(QWidget):
    """Reads and writes `recipe.base`. A folder that holds no language model is refused with the reason."""

    def __init__(self, session: Session):
        super().__init__()
        self.session = session
        self._wants_saved = False  # chosen in the list, but no folder given yet
        offered = [NONE, STARTER, SAVED] if (base_path(STARTER) / "model.json").exists() else [NONE, SAVED]
        self.choice = ChoiceBox(offered, WORDS)
        self.choice.setAccessibleName("What the project starts from")
        self.choice.setToolTip("A saved model brings its size and its vocabulary, and spares the pretraining.")
        self.folder = PathField("Folder of the saved language model", folders=True, files=False)
        self.bring = QPushButton("&Import from fastai…")
        self.bring.setToolTip("Make such a folder from the weights and the vocabulary that fastai saved.")
        self.note = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._lay_out()
        self.choice.chosen.connect(self._choose)
        self.folder.chosen.connect(self._choose_folder)
        self.bring.clicked.connect(self._import)
        session.project_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show the project's base."""
        project = self.session.project
        if project is None:
            return
        base = project.recipe.base
        self._wants_saved = self._wants_saved and base == NONE
        kind = base if base in (NONE, STARTER) else SAVED
        self.choice.write(SAVED if self._wants_saved else kind)
        self.folder.set_path(base if kind == SAVED else "")
        self._show_parts(SAVED if self._wants_saved else kind)
        # What is at work has begun from it; a window that only reads changes nothing.
        self.setEnabled(self.session.job is None and not self.session.read_only)
        self._explain(base)

    def _explain(self, base: str) -> None:
        try:
            text = HELP[self.choice.read()] if base == NONE else sentence_on(read_base(base))
            self._show_note(text)
        except UserError as error:
            self._show_note(str(error), "problem")

    @Slot(object)
    def _choose(self, kind: str) -> None:
        self._wants_saved = kind == SAVED
        if kind != SAVED:
            self.session.change("base", kind)
        self.refresh()
        if kind == SAVED:
            self.folder.setFocus()

    @Slot(str)
    def _choose_folder(self, path: str) -> None:
        """A folder that will not do changes nothing; what was typed stays, with the reason below it."""
        if not path:
            return
        folder = str(files.at_home(path).absolute())
        try:
            read_base(folder)
        except UserError as error:
            self._show_note(str(error), "problem")
            return
        self.session.change("base", folder)

    @Slot()
    def _import(self) -> None:
        dialog = ImportFastai(self.session, self.window())
        dialog.open()

    def _show_parts(self, kind: str) -> None:
        self.folder.setVisible(kind == SAVED)
        self.bring.setVisible(kind == SAVED)

    def _show_note(self, text: str, role: str = "hint") -> None:
        self.note.setText(text)
        self.note.setProperty("role", role)
        self.note.style().polish(self.note)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SMALL)
        for part in (self.choice, self.folder, self.note, self.bring):
            column.addWidget(part)
