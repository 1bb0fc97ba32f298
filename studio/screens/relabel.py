"""A row of controls to correct the label of a text: another label, or that the one it has is right, and undo.

Corrections are kept in the project (ulmfit_core/data/edits.py) and count from the next import on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from studio import theme
from studio.plain import tip
from studio.session import Session
from studio.widgets.card import line
from studio.widgets.controls import ChoiceBox
from studio.worker import Background
from ulmfit_core.edit_log import CONFIRMED, Edit, key_of

RETRAIN = "Corrections count once the data is imported and the classifier trained again: “Train everything” does both."
NARROWEST = 120  # pixels of the list of labels
TOLD = 60  # characters of a text in a tooltip


@dataclass(frozen=True)
class Doubt:
    """A text, the label that it has, and the one that it may have to have."""

    text: str
    label: str
    suggested: str


class Relabel(QWidget):
    """`changed`: a correction was kept or taken back. `troubled(sentence)`: it could not be."""

    changed = Signal()
    troubled = Signal(str)

    def __init__(self, session: Session, confirms: bool = False):
        super().__init__()
        self._session = session
        self._doubt: Doubt | None = None
        self._undoable: Edit | None = None
        self._taken_back: Edit | None = None  # the last thing done was to take it back
        self._background = Background(self)
        self.label = ChoiceBox([])
        self.change = QPushButton("Change to this &label")
        self.right = QPushButton("The label &is right")
        self.right.setVisible(confirms)
        self.undo = QPushButton("&Undo")
        self.told = line(RETRAIN, "muted")
        self.told.setTextFormat(Qt.TextFormat.PlainText)  # labels stay what they are
        self._name_all()
        self._lay_out()
        self.label.chosen.connect(self._offer)
        self.change.clicked.connect(self._change)
        self.right.clicked.connect(self._confirm)
        self.undo.clicked.connect(self._take_back)
        self._background.answered.connect(self._done)
        self._background.refused.connect(self._refuse)
        self.offer(None, None)

    def set_labels(self, labels: Sequence[str]) -> None:
        self.label.clear()
        for label in labels:
            self.label.addItem(label, label)
        self.offer(None, None)

    def offer(self, doubt: Doubt | None, undoable: Edit | None) -> None:
        """Correct this text from now on; `undoable` is what “Undo” takes back."""
        self._doubt, self._undoable = doubt, undoable
        if doubt:
            self.label.write(doubt.suggested)
        self.undo.setToolTip(tip(undo_words(undoable)))
        self.undo.setAccessibleDescription(undo_words(undoable))
        self._offer()

    def say(self, sentence: str) -> None:
        """In place of what is said of corrections; nothing puts that back."""
        self.told.setText(sentence or RETRAIN)

    @Slot()
    @Slot(object)
    def _offer(self, _: object = None) -> None:
        free = not self._background.busy and not self._session.read_only
        doubt = self._doubt
        self.label.setEnabled(free and doubt is not None)
        self.change.setEnabled(free and doubt is not None and self.label.read() not in (None, doubt.label))
        self.right.setEnabled(free and doubt is not None)
        self.undo.setEnabled(free and self._undoable is not None)

    @Slot()
    def _change(self) -> None:
        doubt, label = self._doubt, self.label.read()
        if doubt:
            self._write(lambda edits, project: edits.relabel(project, doubt.text, label, doubt.label))

    @Slot()
    def _confirm(self) -> None:
        doubt = self._doubt
        if doubt:
            self._write(lambda edits, project: edits.confirm(project, doubt.text, doubt.label))

    @Slot()
    def _take_back(self) -> None:
        edit = self._undoable
        if edit:
            self._write(lambda edits, project: edits.undo(project, edit.number), edit)

    def _write(self, write: Callable[[Any, Any], object], taken_back: Edit | None = None) -> None:
        """In a thread: it waits until the disk has it."""
        from ulmfit_core.data import edits

        project = self._session.project
        if project:
            self._taken_back = taken_back
            self._background.ask(lambda: write(edits, project))
            self._offer()

    @Slot(object)
    def _done(self, _: object) -> None:
        """Whoever offered this text looks again at what is corrected now; steps may have become out of date."""
        self.changed.emit()
        if self._taken_back:
            self.say(f"Taken back: {edit_words(self._taken_back)}.")
        self._session.project_changed.emit()
        self._offer()

    @Slot(str)
    def _refuse(self, sentence: str) -> None:
        self.troubled.emit(sentence)
        self._offer()

    def _name_all(self) -> None:
        self.label.setAccessibleName("The label that the text shall have")
        self.label.setToolTip("Choose the right label of the chosen text.")
        self.label.setMinimumWidth(NARROWEST)
        self.label.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.change.setToolTip("Give the chosen text this label. The data file itself stays as it is.")
        self.right.setToolTip("The label is no mistake: ask no more.")

    def _lay_out(self) -> None:
        across = QHBoxLayout()
        for part in (self.label, self.change, self.right, self.undo):
            across.addWidget(part)
        across.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SMALL)
        column.addLayout(across)
        column.addWidget(self.told)


def decided(session: Session) -> dict[str, Edit]:
    """What the person said of a text, by its key: the last word where there are several."""
    from ulmfit_core.data import edits

    return {key_of(edit.text): edit for edit in edits.active(session.project)} if session.project else {}


def undo_words(edit: Edit | None) -> str:
    if edit is None:
        return "There is nothing to take back."
    return f"Take back {edit_words(edit)}."


def edit_words(edit: Edit) -> str:
    """What was said, and of which text."""
    text = " ".join(edit.text.split())
    short = text if len(text) <= TOLD else text[:TOLD] + " …"
    kept = f"that “{edit.label}” is right" if edit.kind == CONFIRMED else f"the label “{edit.label}”"
    return f"{kept}, for “{short}”"
