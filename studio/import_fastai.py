"""The dialog that makes a language model of this program from the files that fastai saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QStandardPaths, Qt, Slot
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from studio import theme
from studio.base_model import read_base, sentence_on
from studio.notice import Notice
from studio.session import Session
from studio.widgets.card import line
from studio.widgets.path_field import PathField
from studio.worker import Background
from ulmfit_core import files

ABOUT = (
    "Choose the weights of a language model or an encoder (.pth, .h5) and the vocabulary it was trained with (.pkl), "
    "or an archive of both (.tgz). The files are only read: nothing that may be hidden in them is executed."
)
WEIGHTS = "Weights of fastai, or an archive (*.pth *.pt *.h5 *.tgz *.tar.gz *.tar);;All files (*)"
VOCABULARY = "Vocabulary of fastai (*.pkl);;All files (*)"
ARCHIVES = (".tgz", ".tar.gz", ".tar")  # hold both files
WIDTH = 640


class ImportFastai(QDialog):
    """Imports into a folder of its own; in an open project the model can then become its base."""

    def __init__(self, session: Session, parent: QWidget | None = None):
        super().__init__(parent)
        self.session = session
        self.setWindowTitle("Import a fastai language model")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._background = Background(self)
        self._done: Path | None = None
        self._make_parts()
        self._lay_out()
        self._connect()
        self._refresh()

    # What a person does

    @Slot()
    def bring(self) -> None:
        chosen = [files.at_home(field.path()) for field in (self.weights, self.vocabulary) if field.path()]
        folder = self.target_folder()
        self.notice.clear()
        self._show_work(True)
        self._background.ask(lambda: run_import(chosen, folder))

    @Slot()
    def use(self) -> None:
        """The imported model becomes what the project starts from."""
        if self._done and self.session.change("base", str(self._done)):
            self.accept()

    def target_folder(self) -> Path:
        return files.at_home(self.target.path()).absolute()

    # Following

    @Slot(object)
    def _finish(self, answer: tuple[Path, dict[str, Any]]) -> None:
        self._done, facts = answer
        self._show_work(False)
        more = "" if self.session.project else " Choose this folder as the base of a project, under “Vocabulary”."
        self.notice.show_message(f"Imported into {self._done}: {sentence_on(facts)}{more}")
        self.start.hide()  # the folder is taken now
        self.adjustSize()
        self.take.setVisible(self.session.project is not None)
        self.take.setDefault(True)
        self.take.setFocus()

    @Slot(str)
    def _refuse(self, sentence: str) -> None:
        self._show_work(False)
        self.notice.show_message(sentence, "error")
        self.adjustSize()
        self.weights.setFocus()  # while the fields were locked it went to “Close”, which Return would press

    @Slot()
    def _suggest_target(self) -> None:
        """A place named after the weights, unless the person has chosen one."""
        if not self._own_target and self.weights.path():
            name = Path(self.weights.path()).name.partition(".")[0]
            self.target.set_path(str(models_folder(self.session) / f"imported-{name}"))
        self._refresh()

    @Slot()
    def _keep_target(self) -> None:
        self._own_target = True
        self._refresh()

    @Slot()
    def _refresh(self) -> None:
        both = bool(self.vocabulary.path()) or self.weights.path().endswith(ARCHIVES)
        complete = bool(self.weights.path() and both and self.target.path())
        self.start.setEnabled(complete and not self._background.busy)

    def _show_work(self, working: bool) -> None:
        self.progress.setVisible(working)
        for part in (self.weights, self.vocabulary, self.target, self.start):
            part.setEnabled(not working)

    # Making it

    def _make_parts(self) -> None:
        self._own_target = False
        self.weights = PathField("File of the weights", kinds=WEIGHTS)
        self.vocabulary = PathField("File of the vocabulary", kinds=VOCABULARY)
        self.target = PathField("Folder to import into", folders=True, files=False)
        self.notice = Notice()
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setAccessibleName("Importing")
        self.progress.hide()
        self.start, self.take, self.shut = (
            QPushButton(text) for text in ("&Import", "&Start the project from it", "&Close")
        )
        self.start.setProperty("primary", True)
        self.start.setToolTip("Read the files and write a model of this program into the folder.")
        self.take.setProperty("primary", True)
        self.take.setToolTip("The project takes its vocabulary and goes on from its weights.")
        self.take.hide()

    def _lay_out(self) -> None:
        fields = QGridLayout()
        fields.setVerticalSpacing(theme.MEDIUM)
        named = {"&Weights": self.weights, "&Vocabulary": self.vocabulary, "Import i&nto": self.target}
        for row, (name, field) in enumerate(named.items()):
            label = QLabel(name)
            label.setBuddy(field)
            fields.addWidget(label, row, 0)
            fields.addWidget(field, row, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.progress, 1)
        buttons.addStretch()
        for each in (self.shut, self.start, self.take):
            buttons.addWidget(each)
        column = QVBoxLayout(self)
        column.setContentsMargins(*[theme.LARGE] * 4)
        column.setSpacing(theme.MEDIUM)
        column.addWidget(line(ABOUT, "muted"))
        column.addLayout(fields)
        column.addWidget(self.notice)
        column.addStretch()
        column.addLayout(buttons)
        self.setMinimumWidth(WIDTH)

    def _connect(self) -> None:
        self.start.clicked.connect(self.bring)
        self.take.clicked.connect(self.use)
        self.shut.clicked.connect(self.close)
        self.weights.edit.textChanged.connect(self._suggest_target)
        self.vocabulary.edit.textChanged.connect(self._refresh)
        self.target.edit.textEdited.connect(self._keep_target)
        self.target.chosen.connect(self._keep_target)
        self._background.answered.connect(self._finish)
        self._background.refused.connect(self._refuse)


def models_folder(session: Session) -> Path:
    """Where imported models are put: in the project, else beside the projects."""
    if session.project:
        return session.project.folder / "models"
    documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
    return Path(documents) / "ULMFiT models"


def run_import(files: list[Path], folder: Path) -> tuple[Path, dict[str, Any]]:
    """Off the main thread: it loads torch and reads hundreds of megabytes. Gives the folder and its facts."""
    from ulmfit_core.jobs.import_fastai import import_fastai

    import_fastai(files, folder)
    return folder, read_base(str(folder))
