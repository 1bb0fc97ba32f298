"""On the Try it screen: other models that answer the same text, side by side with the project's classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QPushButton, QVBoxLayout, QWidget

from studio import remembered, theme
from studio.screens.try_it_models import Answered, Source, version_of
from studio.screens.try_it_others import Model, from_folder, in_training_model, of_version, title_of, versions_of
from studio.widgets.card import line
from studio.widgets.compared_bars import Column
from studio.worker import Background
from ulmfit_core.project import Project
from ulmfit_core.run import Control

MOST = 2  # beside the one that answers first
IN_TRAINING = "The model in training"
FOLDER = "Another project or model…"
NONE = "No earlier training left a model"


class Rival(QObject):
    """One of the compared models with what it says of the newest text."""

    told = Signal()

    def __init__(self, model: Model, parent: QObject):
        super().__init__(parent)
        self.model = model
        self.answered: Answered | None = None
        self.trouble = ""
        self._background = Background(self)
        self._background.answered.connect(self._take)
        self._background.refused.connect(self._refuse)

    def ask(self, text: str) -> None:
        model = self.model
        if text.strip():
            self._background.ask(lambda: model.answer(text))
        else:
            self._background.forget()
            self.answered, self.trouble = None, ""

    @property
    def column(self) -> Column:
        if self.answered is None:
            return Column(self.model.title, {})
        prediction = self.answered.prediction
        return Column(self.model.title, prediction.probabilities, prediction.label)

    @property
    def sentence(self) -> str:
        """Who it is, and what it answers."""
        if self.trouble or self.answered is None:
            return f"{self.model.title}: {self.trouble or '…'}"
        prediction, since = self.answered.prediction, self.answered.since
        told = f"“{prediction.label}” {prediction.probabilities[prediction.label]:.1%}"
        withheld = f" ({prediction.answer})" if prediction.answer != prediction.label else ""
        return f"{self.model.title}: {told}{withheld}{', ' + since if since else ''}"

    @Slot(object)
    def _take(self, answered: Answered) -> None:
        self.answered, self.trouble = answered, ""
        self.told.emit()

    @Slot(str)
    def _refuse(self, sentence: str) -> None:
        self.answered, self.trouble = None, sentence
        self.told.emit()


class Rivals(QWidget):
    """The button to add one, and a line for each with a button to take it away. `changed`: an answer or the list."""

    changed = Signal()

    def __init__(self, source: Source) -> None:
        """`source`: what answers first, which is not offered a second time."""
        super().__init__()
        self._source = source
        self._project: Project | None = None
        self._control: Control | None = None
        self._text = ""
        self._versions: list[Any] = []
        self._listed: object = None
        self._why = NONE
        self.rivals: list[Rival] = []
        self._looking = Background(self)
        self._looking.answered.connect(self._take_versions)
        self._looking.refused.connect(self._lack_versions)
        self.button = QPushButton("Co&mpare with")
        self.button.setToolTip("Let another model answer the same text beside this one.")
        self.menu = QMenu(self.button)
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.button.setMenu(self.menu)
        self._rows: list[Row] = []
        self._lines = QVBoxLayout(self)
        self._lines.setContentsMargins(0, 0, 0, 0)
        self._lines.setSpacing(theme.SMALL)
        self.hide()

    def use(self, project: Project, control: Control | None) -> None:
        """Offer this project's models; one in training that is not any more goes."""
        self._project, self._control = project, control
        for rival in list(self.rivals):
            if rival.model.title == IN_TRAINING and control is None:
                self.remove(rival)
        newest = next(((run.id, run.status) for run in project.runs_of("classify")), None)
        listed = (project.folder, newest, version_of(project.bundle_folder("classify")))
        if listed != self._listed:
            self._listed = listed
            self._looking.ask(lambda: versions_of(project))

    def ask(self, text: str) -> None:
        """Have all of them answer this text; none for an empty one."""
        self._text = text
        for rival in self.rivals:
            rival.ask(text)
        self._show()

    @property
    def columns(self) -> list[Column]:
        return [rival.column for rival in self.rivals]

    def add(self, model: Model) -> None:
        if len(self.rivals) < MOST and model.title not in [rival.model.title for rival in self.rivals]:
            rival = Rival(model, self)
            rival.told.connect(self._show)
            self.rivals.append(rival)
            rival.ask(self._text)
            self._rebuild()

    def remove(self, rival: Rival) -> None:
        self.rivals.remove(rival)
        rival.deleteLater()
        self._rebuild()
        self.button.setFocus()

    def add_folder(self, folder: Path) -> None:
        """Compare with what another project's or model's folder holds."""
        self.add(Model(folder.name or str(folder), from_folder(folder)))

    # The menu

    @Slot()
    def _fill_menu(self) -> None:
        self.menu.clear()
        taken = [rival.model.title for rival in self.rivals]
        for model in self._models():
            action = self.menu.addAction(model.title)
            action.setEnabled(model.title not in taken)
            action.setData(model)
            action.triggered.connect(self._choose)
        if self.menu.isEmpty():
            self.menu.addAction(self._why).setEnabled(False)
        self.menu.addSeparator()
        self.menu.addAction(FOLDER).triggered.connect(self._browse)

    def _models(self) -> list[Model]:
        project, control, trained = self._project, self._control, self._source.control is not None
        found = [Model(IN_TRAINING, in_training_model(control))] if control and not trained else []
        if project is None:
            return found
        others = [version for version in self._versions if version.key or trained]
        return [*found, *(Model(title_of(version), of_version(project, version)) for version in others)]

    @Slot()
    def _choose(self) -> None:
        action = self.sender()
        if isinstance(action, QAction):
            self.add(action.data())

    @Slot()
    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "A project or a model to compare with", remembered.folder())
        if folder:
            self.add_folder(Path(folder))

    @Slot(object)
    def _take_versions(self, versions: list[Any]) -> None:
        self._versions, self._why = versions, NONE

    @Slot(str)
    def _lack_versions(self, sentence: str) -> None:
        self._versions, self._why = [], sentence

    # What is seen

    def _rebuild(self) -> None:
        for row in self._rows:
            row.hide()
            row.deleteLater()
        self._rows = [Row(rival) for rival in self.rivals]
        for row in self._rows:
            row.away.clicked.connect(self._take_away)
            self._lines.addWidget(row)
        self.button.setEnabled(len(self.rivals) < MOST)
        self._show()

    @Slot()
    def _take_away(self) -> None:
        pressed = [row for row in self._rows if row.away is self.sender()]
        self.remove(pressed[0].rival)

    @Slot()
    def _show(self) -> None:
        for row in self._rows:
            row.said.setText(row.rival.sentence)
        self.setVisible(bool(self.rivals))
        self.changed.emit()


class Row(QWidget):
    """A line of what one of the compared models says, with a button to compare with it no longer."""

    def __init__(self, rival: Rival):
        super().__init__()
        self.rival = rival
        self.said = line("", "muted")
        self.said.setTextFormat(Qt.TextFormat.PlainText)  # labels stay what they are
        self.away = QPushButton("Remove")
        self.away.setAccessibleName(f"Compare no longer with {rival.model.title}")
        self.away.setToolTip("Compare with this model no longer.")
        across = QHBoxLayout(self)
        across.setContentsMargins(0, 0, 0, 0)
        across.addWidget(self.said, 1)
        across.addWidget(self.away)
