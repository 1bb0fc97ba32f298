"""On the Try it screen: what an answer should have been. The text joins the data with that label; one can undo it.

Corrections are kept in the project (ulmfit_core/data/edits.py) and count from the next import on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from studio import theme
from studio.screens.try_it_words import changing, corrections_sentence, new_label_sentence, new_labels
from studio.screens.watched import labels_of
from studio.widgets.card import line
from studio.widgets.table import Table
from studio.worker import Background
from ulmfit_core import edit_log
from ulmfit_core.edit_log import Edit, key_of
from ulmfit_core.project import Project

HEADERS = ["Label", "Before", "Text"]
NARROWEST = 130  # pixels of the field for the label
LEAST_TABLE = 92
NOTHING = "Corrections are listed here."
MARK = "Choose a line to undo it."


class ShouldBe(QWidget):
    """“This should be …”: one of the labels or a new one. `wanted(label)` when it is to be added to the data."""

    wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._usable = False
        self.label, self._line = QComboBox(), QLineEdit()
        self.label.setLineEdit(self._line)
        self.label.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.label.setAccessibleName("The label that the text should have")
        self.label.setToolTip("Choose a label, or type a new one: it becomes a class of its own.")
        self._line.setPlaceholderText("a label")
        self.label.setMinimumWidth(NARROWEST)
        self.label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.label.editTextChanged.connect(self._offer)
        self._line.returnPressed.connect(self._want)
        self.button = QPushButton("Add to the d&ata")
        self.button.setToolTip("Add the text with this label to your data; the next training learns from it.")
        self.button.clicked.connect(self._want)
        name = QLabel("This shou&ld be")
        name.setBuddy(self.label)
        across = QHBoxLayout(self)
        across.setContentsMargins(0, 0, 0, 0)
        for part in (name, self.label, self.button):
            across.addWidget(part, 1 if part is self.label else 0)
        self._offer()

    def set_labels(self, labels: Sequence[str]) -> None:
        """What can be chosen; what is typed stays."""
        if list(labels) != [self.label.itemText(at) for at in range(self.label.count())]:
            typed = self.label.currentText()
            self.label.clear()
            self.label.addItems(list(labels))
            self.label.setCurrentText(typed)

    def let_use(self, usable: bool) -> None:
        self._usable = usable
        self._offer()

    def clear(self) -> None:
        """Nothing chosen: the next text has a label of its own."""
        self.label.setCurrentIndex(-1)
        self.label.setEditText("")

    @Slot()
    @Slot(str)
    def _offer(self, _: str = "") -> None:
        self.label.setEnabled(self._usable)
        self.button.setEnabled(self._usable and bool(self.label.currentText().strip()))

    @Slot()
    def _want(self) -> None:
        if self.button.isEnabled():
            self.wanted.emit(self.label.currentText().strip())


class Corrections(QWidget):
    """The list, with undo. `changed`: another one is kept, or one less; `retrain`: the person wants to train again."""

    changed = Signal()
    retrain = Signal()
    troubled = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._project: Project | None = None
        self._may_write = True
        self._version: object = None
        self._background = Background(self)
        self._background.answered.connect(self._written)
        self._background.refused.connect(self._refuse)
        self.edits: list[Edit] = []
        self._make_parts()

    def use(self, project: Project, known: Sequence[str], may_write: bool) -> None:
        """Show this project's corrections; `known` are the labels that the classifier has."""
        self._project, self._may_write = project, may_write
        log = edit_log.read(project.folder)
        if log.active != self._version:
            self._version = log.active
            self.edits = changing(log.active)
            self.table.set_rows(HEADERS, [[one.label, one.before or "–", " ".join(one.text.split())]
                                          for one in self.edits])  # fmt: skip
        self.told.setText("\n".join(self._sentences(project, list(log.active), known)))
        self.train.setVisible(bool(self.edits))
        self._offer()

    def labels(self, project: Project, known: Sequence[str]) -> list[str]:
        """All that a text may be called: the classifier's labels, the data's, and the person's own."""
        own = [edit.label for edit in changing(edit_log.read(project.folder).active)]
        return list(dict.fromkeys([*known, *labels_of(project), *own]))

    def add(self, text: str, label: str) -> None:
        """Keep it, once: off the main thread, since that waits until the disk has it."""
        held = edit_log.corrections(tuple(reversed(self.edits))).get(key_of(text))
        if held is None or held.label != label:
            self._write(lambda edits, project: edits.add(project, text, label))

    @Slot()
    def undo_marked(self) -> None:
        row = self.table.currentRow()
        if self.undo.isEnabled() and 0 <= row < len(self.edits):
            number = self.edits[row].number
            self.table.setFocus()  # the button can be pressed no more
            self._write(lambda edits, project: edits.undo(project, number))

    def minimumSizeHint(self) -> QSize:
        """As high as its sentences are, wrapped at its width, with the table and the buttons below."""
        return QSize(super().minimumSizeHint().width(), self._column.minimumHeightForWidth(self.width()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def _write(self, write: Callable[[Any, Any], object]) -> None:
        from ulmfit_core.data import edits

        project = self._project
        if project and self._may_write:
            self._background.ask(lambda: write(edits, project))

    @Slot(object)
    def _written(self, _: object) -> None:
        self.changed.emit()

    @Slot(str)
    def _refuse(self, sentence: str) -> None:
        self.troubled.emit(sentence)

    def _sentences(self, project: Project, active: list[Edit], known: Sequence[str]) -> list[str]:
        taken_in = bool(self.edits) and project.state("classify").mark == "done"
        new = [] if taken_in else [new_label_sentence(*pair) for pair in new_labels(active, known).items()]
        return [corrections_sentence(len(self.edits), taken_in), *new]

    @Slot()
    def _offer(self) -> None:
        self.undo.setEnabled(self._may_write and bool(self.table.selectedIndexes()))

    def _make_parts(self) -> None:
        self.table = Table("Corrections")
        self.table.nothing = NOTHING
        self.table.setMinimumHeight(LEAST_TABLE)
        self.table.set_rows(HEADERS, [])
        self.table.itemSelectionChanged.connect(self._offer)
        self.told = line("", "muted")
        self.told.setTextFormat(Qt.TextFormat.PlainText)  # labels stay what they are
        self.undo, self.train = QPushButton("&Undo"), QPushButton("Go to Classi&fy")
        self.undo.setToolTip("Take the marked correction back (Delete).")
        self.undo.clicked.connect(self.undo_marked)
        self.train.setToolTip("Go where the classifier is trained; “Train everything” on the left does all at once.")
        self.train.clicked.connect(self.retrain)
        shortcut = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.table, self.undo_marked)
        shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
        below = QHBoxLayout()
        below.addWidget(line(MARK, "hint"), 1)
        for part in (self.train, self.undo):
            below.addWidget(part)
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(0, theme.SMALL, 0, 0)
        column.setSpacing(theme.SMALL)
        column.addWidget(self.told)
        column.addWidget(self.table, 1)
        column.addLayout(below)
