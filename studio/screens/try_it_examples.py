"""On the Try it screen: the training examples that the classifier takes for most like the text, with their labels."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from studio import theme
from studio.screens.try_it_models import Answered, Lent
from studio.widgets.card import line
from studio.widgets.table import Table
from studio.worker import Background
from ulmfit_core.project import Project

HEADERS = ["Label", "Alike", "Training text"]
# Up to so many training texts are read without being asked for; more take a while.
UNASKED = 2000
LEAST_TABLE = 92  # two examples with their heading
NOTHING = "Training texts that the classifier takes for most like yours are listed here with their labels."
LOOKING = "Looking for similar training texts …"
OF_TRAINING = "Similar texts are looked up with the saved classifier, not with the model in training."
ASKING = "To find them the classifier must once read {:,} training texts, which may take minutes."


class Examples(QWidget):
    """`show_for` begins to look; `opened(text)`: an example is to be tried itself."""

    opened = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._project: Project | None = None
        self._answered: Answered | None = None
        self._asked = False
        self._index = Lent()
        self._background = Background(self)
        self._background.answered.connect(self._show)
        self._background.refused.connect(self._refuse)
        self._make_parts()

    def show_for(self, project: Project, answered: Answered) -> None:
        """Look for examples like the text that was answered; a model in training is not asked."""
        self._project, self._answered = project, answered
        if answered.since:
            self.clear(OF_TRAINING)
            return
        self._look()

    def clear(self, why: str = NOTHING) -> None:
        self._background.forget()
        self._answered = None
        self._offer(False)
        self.table.nothing = why
        self._list([])

    @Slot()
    def _ask(self) -> None:
        self._asked = True
        self._offer(False)
        self._look()

    def _look(self) -> None:
        project, answered, index = self._project, self._answered, self._index
        if project is None or answered is None:
            return
        if not self.table.rowCount():
            self.table.nothing = LOOKING
            self.table.viewport().update()
        most = None if self._asked else UNASKED
        self._background.ask(lambda: nearest(index, project, answered, most))

    @Slot(object)
    def _show(self, found: list[Any] | int) -> None:
        """The examples, or how many texts would have to be read to find them."""
        self._offer(isinstance(found, int))
        if isinstance(found, int):
            self.hint.setText(ASKING.format(found))
            self.table.nothing = NOTHING
            self._list([])
            return
        self._list([[one.label, f"{max(0.0, one.similarity):.0%}", " ".join(one.text.split())] for one in found])

    @Slot(str)
    def _refuse(self, sentence: str) -> None:
        self.table.nothing = sentence
        self._list([])

    def _list(self, rows: list[list[str]]) -> None:
        self.table.set_rows(HEADERS, rows)
        self.table.viewport().update()

    def _offer(self, waits: bool) -> None:
        self.hint.setVisible(waits)
        self.button.setVisible(waits)

    def hasHeightForWidth(self) -> bool:
        """Never: a sentence takes its height from the table."""
        return False

    @Slot()
    def _open(self) -> None:
        row = self.table.currentRow()
        if row >= 0:
            self.opened.emit(self.table.texts()[row][2])

    def _make_parts(self) -> None:
        self.table = Table("Most similar training examples")
        self.table.nothing = NOTHING
        self.table.setToolTip("How alike: 100% means that the classifier sees no difference. Double-click to try one.")
        self.table.setMinimumHeight(LEAST_TABLE)
        self.table.activated.connect(self._open)
        self.hint = line("", "muted")
        self.button = QPushButton("Look for s&imilar examples")
        self.button.setToolTip("Have the classifier read the training texts once; what it saw is kept for next time.")
        self.button.clicked.connect(self._ask)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SMALL)
        heading = QLabel("Most similar training examples")
        heading.setProperty("role", "subheading")
        for part in (heading, self.hint, self.button):
            column.addWidget(part)
        column.addWidget(self.table, 1)
        self._offer(False)
        self._list([])


def nearest(index: Lent, project: Project, answered: Answered, most: int | None) -> list[Any] | int:
    """The examples, or the number of texts to be read for them where these are more than `most` and none was read yet.

    Not for the main thread.
    """
    from ulmfit_core.data.dataset import Dataset
    from ulmfit_core.inference.neighbours import MOST, Neighbours

    predictor = answered.predictor
    if most is not None and not index.has(predictor) and not read_before(project):
        rows = len(Dataset.open(project.dataset_folder).labelled_rows("train"))
        if rows > most:
            return min(rows, MOST)
    known = index.get(predictor, lambda: Neighbours.of(project, predictor))
    return list(known.nearest(answered.text))


def read_before(project: Project) -> bool:
    """Whether training texts were read since the classifier was trained: what was seen then is kept."""
    from ulmfit_core.inference.neighbours import CACHE

    model = project.bundle_folder("classify") / "model.json"
    kept = (project.folder / CACHE).glob("features-*.safetensors")
    return model.exists() and any(path.stat().st_mtime >= model.stat().st_mtime for path in kept)
