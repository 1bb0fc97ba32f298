"""On the Evaluate screen: texts whose label in the data is probably wrong, to be corrected or found right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QPlainTextEdit, QPushButton

from studio.screens.evaluation_pages import Measured, Page
from studio.screens.relabel import Doubt, Relabel, decided
from studio.screens.wrong_answers import short
from studio.session import Session
from studio.widgets.card import card, line
from studio.widgets.long_table import LongTable
from ulmfit_core.edit_log import ADD, CONFIRMED, Edit, key_of

HEADERS = ["Label", "Suggested", "Sure", "Text"]
LEAST_TABLE = 164  # five rows with their heading
TEXT_HEIGHT = 58
ABOUT = (
    "Here the classifier is as sure of another label as it is of texts that truly have that one. Often the label in "
    "the data is a mistake; sometimes the text is only hard. The most suspect come first."
)


class Rows(Sequence[list[str]]):
    """The cells of suspect labels, made when they come into sight."""

    def __init__(self, found: Sequence[Any]):
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, place: Any) -> Any:
        one = self._found[place]
        return [one.label, one.suggested, f"{one.probability:.1%}", short(one.text)]


class SuspectsPage(Page):
    """`opened(text)`: to be tried on the classifier. `troubled(sentence)`: a correction could not be kept."""

    opened = Signal(str)
    troubled = Signal(str)

    def __init__(self, session: Session):
        super().__init__(session)
        self._found: list[Any] = []
        self._decided: dict[str, Edit] = {}
        self.shown: list[Any] = []
        self.count = line()
        self.table = LongTable("Suspect labels")
        self.table.setMinimumHeight(LEAST_TABLE)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setToolTip("Return or a double click opens the text in “Try it”.")
        self.text = QPlainTextEdit(readOnly=True)
        self.text.setFixedHeight(TEXT_HEIGHT)
        self.text.setTabChangesFocus(True)
        self.text.setAccessibleName("The chosen text")
        self.relabel = Relabel(session, confirms=True)
        self.open_button = QPushButton("&Open in Try it")
        self.open_button.setToolTip("See what the classifier says to the chosen text, and change its words.")
        self._put_together()
        self.table.activated.connect(self._open)
        self.open_button.clicked.connect(self._open)
        self.relabel.changed.connect(self._list)
        for button in (self.relabel.change, self.relabel.right, self.relabel.undo):
            button.clicked.connect(self._go_on)
        self.relabel.troubled.connect(self.troubled)

    def look_up(self, measured: Measured) -> Any:
        """Every suspect label, the most suspect first."""
        from ulmfit_core.inference import analysis

        return analysis.label_errors(measured.answers())

    def show_found(self, found: Any) -> None:
        assert self.measured is not None
        self._found = found
        self.relabel.set_labels(self.measured.report["labels"])
        self._list()

    @Slot()
    def _list(self) -> None:
        """Those that nothing was said of yet; the row that was chosen gives way to the one below it."""
        row = max(0, self.table.currentIndex().row())
        self._decided = decided(self.session)
        self.shown = [one for one in self._found if key_of(one.text) not in self._decided]
        self.table.set_rows(HEADERS, Rows(self.shown))
        self.table.selectionModel().currentRowChanged.connect(self._offer)
        self.table.setVisible(bool(self.shown))
        self.text.setVisible(bool(self.shown))
        self.open_button.setVisible(bool(self.shown))
        self.count.setText(count_sentence(len(self._found), len(self.shown)))
        if self.shown:
            self.table.selectRow(min(row, len(self.shown) - 1))
        self._offer()

    @Slot()
    @Slot(QModelIndex, QModelIndex)
    def _offer(self, *_: QModelIndex) -> None:
        one = self.chosen
        self.text.setPlainText(one.text if one else "")
        last = last_judged((one.text for one in self._found), self._decided)
        self.relabel.offer(Doubt(one.text, one.label, one.suggested) if one else None, last)
        self.relabel.say(last_words(last))

    @Slot()
    def _go_on(self) -> None:
        """The next one is judged from the list; a button that can be pressed no more would pass the focus on."""
        self.table.setFocus()

    @property
    def chosen(self) -> Any:
        """The suspect label whose row is marked; None for none."""
        row = self.table.currentIndex().row()
        return self.shown[row] if 0 <= row < len(self.shown) else None

    @Slot()
    @Slot(QModelIndex)
    def _open(self, _: object = None) -> None:
        if self.chosen:
            self.opened.emit(self.chosen.text)

    def _put_together(self) -> None:
        self.count.setTextFormat(Qt.TextFormat.PlainText)
        whole = card("", ABOUT, self.count, self.table, self.text)
        whole.layout().setStretchFactor(self.text, 0)  # type: ignore[union-attr]  # the table takes what room there is
        across = QHBoxLayout()
        across.addWidget(self.relabel, 1)
        across.addWidget(self.open_button, 0, Qt.AlignmentFlag.AlignTop)
        whole.layout().addLayout(across)  # type: ignore[union-attr]
        self.column.addWidget(whole, 1)


def count_sentence(found: int, left: int) -> str:
    """How many labels are suspect, and how many of these the person has judged."""
    if not found:
        return "No label is suspect: where the classifier errs, it is not so sure."
    if not left:
        return f"You have judged all {found:,} suspect labels."
    judged = f", {found - left:,} more you have judged" if found > left else ""
    return f"{left:,} {'label is' if left == 1 else 'labels are'} suspect{judged}."


def last_judged(suspects: Iterable[str], said: dict[str, Edit]) -> Edit | None:
    """The last judgement of these texts' labels, None for none; what was added elsewhere is no judgement."""
    keys = {key_of(text) for text in suspects}
    judged = [edit for key, edit in said.items() if key in keys and edit.kind != ADD]
    return max(judged, key=lambda edit: edit.number, default=None)


def last_words(edit: Edit | None) -> str:
    """What was corrected last; "" for nothing."""
    if edit is None:
        return ""
    if edit.kind == CONFIRMED:
        return f"Kept: “{edit.label}” is right."
    return f"Changed to “{edit.label}”. Import and train again to take it in: “Train everything” does both."
