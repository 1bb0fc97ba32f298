"""On the Evaluate screen: the wrong answers, all or those of one kind, in the order that the person chooses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QModelIndex, Qt, Signal, Slot
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from studio import theme
from studio.plain import tip
from studio.screens.chosen_answer import ChosenAnswer
from studio.screens.evaluation_pages import Measured
from studio.session import Session
from studio.widgets.card import line
from studio.widgets.controls import ChoiceBox
from studio.widgets.long_table import LongTable
from ulmfit_core.inference import findings
from ulmfit_core.inference.findings import Which, WrongAnswer

HEADERS = ["True label", "Answer", "Sure", "Text"]
READING = "Reading the answers …"
MOST = 10_000  # that are listed
SHOWN_CHARACTERS = 400
LEAST_TABLE = 216  # seven rows with their heading
BY_COLUMN = ("truth", "given", "sure", "text")
ORDERS = {
    "worst": "Most wrong first", "sure": "Surest first", "truth": "By true label", "given": "By answer",
    "text": "By text",
}  # fmt: skip
KEYS: dict[str, Callable[[WrongAnswer], Any]] = {
    "worst": lambda one: one.of_truth,
    "sure": lambda one: -one.sure,
    "truth": lambda one: (one.truth, one.of_truth),
    "given": lambda one: (one.given, one.of_truth),
    "text": lambda one: one.text[:SHOWN_CHARACTERS].lower(),
}


class Rows(Sequence[list[str]]):
    """The cells of wrong answers, made when they come into sight: their texts may be long, and they are many."""

    def __init__(self, found: Sequence[WrongAnswer]):
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, place: Any) -> Any:
        return row_of(self._found[place])


class WrongAnswers(QWidget):
    """`opened(text)`: to be tried on the classifier. `freed`: all are listed again."""

    opened = Signal(str)
    freed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._report: dict[str, Any] | None = None
        self._found: list[WrongAnswer] | None = None  # None: they are being read
        self._which = Which()
        self._reversed = False
        self.shown: list[WrongAnswer] = []
        self.finding, self.count = line(), QLabel()
        self.table = LongTable("Wrong answers")
        self.order = ChoiceBox(ORDERS, ORDERS)
        self.all = QPushButton("Show &all")
        self.open_button = QPushButton("&Open in Try it")
        self.chosen = ChosenAnswer(session)
        self._name_all()
        self._lay_out()
        self._connect()

    def show_report(self, report: dict[str, Any]) -> None:
        """Another report, whose wrong answers come by `show_found` once they are read."""
        self._report, self._found, self._which = report, None, Which()
        self.chosen.set_labels(report["labels"])
        self._list()

    def show_found(self, found: Sequence[WrongAnswer]) -> None:
        """What was chosen meanwhile stays so."""
        self._found = list(found)
        self._list()

    def show_only(self, which: Which) -> None:
        self._which = which
        self._list()

    # What the person does

    @Slot()
    def _free(self) -> None:
        self.show_only(Which())
        self.table.setFocus()  # the button that had it is gone
        self.freed.emit()

    @Slot()
    def _go_on(self) -> None:
        """The next one is chosen in the list; a button that can be pressed no more would pass the focus on."""
        self.table.setFocus()

    @Slot()
    @Slot(object)
    def _reorder(self) -> None:
        self._reversed = False
        self._list()

    @Slot(int)
    def _order_by(self, column: int) -> None:
        """A second click on the same heading turns the order round."""
        order = BY_COLUMN[column]
        self._reversed = not self._reversed if self.order.read() == order else False
        self.order.write(order)
        self._list()

    @Slot()
    @Slot(QModelIndex)
    def open_chosen(self) -> None:
        place = self.table.currentIndex().row()
        if 0 <= place < len(self.shown):
            self.opened.emit(self.shown[place].text)

    # What is seen

    def _list(self) -> None:
        if self._report is None:
            return
        order = self.order.read()
        chosen = [one for one in self._found or () if self._which.has(one)]
        self.shown = sorted(chosen, key=KEYS[order], reverse=self._reversed)
        self.table.set_rows(HEADERS, Rows(self.shown))
        self.table.selectionModel().currentRowChanged.connect(self._choose)
        self._mark_order(order)
        label = self._which.label or findings.weakest(self._report)
        weakest = "" if self._which else "Weakest class: "
        told = weakest + findings.class_sentence(self._report, label) if label else ""
        self.finding.setText(" ".join(filter(None, (told, findings.sure_sentence(self._found or (), label)))))
        self.finding.setVisible(bool(label))
        reading = self._found is None
        self.count.setText(READING if reading else count_sentence(self._report, self._which, len(self.shown)))
        self.count.setToolTip(tip(self.count.text()))
        self.all.setVisible(bool(self._which))
        for part in (self.table, self.order, self.open_button, self.chosen):
            part.setVisible(bool(self.shown))
        if self.shown:
            self.table.selectRow(0)
        self._choose()

    @Slot()
    @Slot(QModelIndex, QModelIndex)
    def _choose(self, *_: QModelIndex) -> None:
        """What is said of one wrong answer follows the row that is marked."""
        place = self.table.currentIndex().row()
        self.chosen.show_answer(self.shown[place] if 0 <= place < len(self.shown) else None)

    def _mark_order(self, order: str) -> None:
        """An arrow in the heading of the column that the order follows."""
        header = self.table.horizontalHeader()
        header.setSortIndicatorShown(order in BY_COLUMN)
        down = self._reversed != (order == "sure")
        if order in BY_COLUMN:
            way = Qt.SortOrder.DescendingOrder if down else Qt.SortOrder.AscendingOrder
            header.setSortIndicator(BY_COLUMN.index(order), way)

    def _name_all(self) -> None:
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.setToolTip("Return or a double click opens the text in “Try it”. A click on a heading sorts by it.")
        self.table.horizontalHeader().setSectionsClickable(True)
        self.table.horizontalHeader().setToolTip(
            "Sure: the probability that the classifier gave its answer. A click sorts; a second one turns it round."
        )
        self.order.setAccessibleName("Order of the wrong answers")
        self.order.setToolTip("Most wrong first: those whose true label was thought least likely.")
        self.all.setToolTip("List the wrong answers of all labels again.")
        self.open_button.setToolTip("See what the classifier says to the chosen text, and change its words (Return).")
        self.table.setMinimumHeight(LEAST_TABLE)
        self.finding.setTextFormat(Qt.TextFormat.PlainText)  # labels stay what they are
        self.count.setTextFormat(Qt.TextFormat.PlainText)
        self.count.setProperty("role", "muted")
        self.count.setMinimumWidth(60)

    def _lay_out(self) -> None:
        across = QHBoxLayout()
        across.addWidget(self.count, 1)
        for part in (self.all, self.order, self.open_button):
            across.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SMALL)
        column.addWidget(self.finding)
        column.addLayout(across)
        column.addWidget(self.table, 1)
        column.addWidget(self.chosen)
        column.addStretch(0)

    def _connect(self) -> None:
        self.all.clicked.connect(self._free)
        self.order.chosen.connect(self._reorder)
        self.table.horizontalHeader().sectionClicked.connect(self._order_by)
        self.table.activated.connect(self.open_chosen)
        self.open_button.clicked.connect(self.open_chosen)
        for button in (self.chosen.relabel.change, self.chosen.relabel.undo):
            button.clicked.connect(self._go_on)


def read_wrong(measured: Measured) -> list[WrongAnswer]:
    """The wrong answers of an evaluation, MOST at most: from its file, else the few that its report names.

    Off the main thread. Raises UserError where the file is damaged.
    """
    from ulmfit_core.inference import answers  # brings pyarrow, which the first paint need not wait for

    known = measured.answers_if_kept()
    return answers.wrong(known, MOST) if known else findings.worst_of(measured.report)


def row_of(one: WrongAnswer) -> list[str]:
    return [one.truth, one.given, f"{one.sure:.1%}", short(one.text)]


def short(text: str) -> str:
    """The beginning of a text in one line."""
    begun = " ".join(text[: 2 * SHOWN_CHARACTERS].split())
    return begun if len(begun) <= SHOWN_CHARACTERS else begun[:SHOWN_CHARACTERS] + " …"


def count_sentence(report: dict[str, Any], which: Which, shown: int) -> str:
    """Which wrong answers are listed, and how many there are."""
    wrong = report["rows"] - findings.right_answers(report)
    if not wrong:
        return f"Nothing was wrong: all {report['rows']:,} answers are right."
    if which.either:
        said = f"{shown:,} wrong with “{which.either}” as true label or answer"
    elif which.given:
        said = f"{shown:,} of “{which.truth}” taken for “{which.given}”"
    elif which.truth:
        said = f"{shown:,} of “{which.truth}” answered wrong"
    else:
        said = f"{wrong:,} of {report['rows']:,} answers are wrong"
        return said if shown == wrong else f"{said}, {shown:,} are listed; “Evaluate” lists more"
    return said
