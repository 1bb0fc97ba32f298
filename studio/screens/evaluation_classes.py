"""On the Evaluate screen: every class in figures, and for the chosen one what it costs to find more of its texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from studio.screens.evaluation_overview import CLASS_HEADS, ModestTable, explain_columns
from studio.screens.evaluation_pages import Measured, Page
from studio.session import Session
from studio.widgets.beside import Beside
from studio.widgets.card import card, line
from studio.widgets.share_plot import SharePlot, Shares
from ulmfit_core.inference import findings

HEADS = {
    **CLASS_HEADS,
    "Label": "A click on a heading sorts; a second one turns it round.",
    "Average": "Average precision: the precision, averaged over all recalls. 100% is a curve along the upper edge.",
}
LEAST_TABLE, ROW = 250, 32  # pixels
NARROWEST = 90
NARROW = 900  # pixels, below which the curve stands under the table
# Heading → what its column is sorted by: a class's label, figures and curve.
KEYS: tuple[Callable[[str, dict[str, float], Any], Any], ...] = (
    lambda label, row, curve: label.lower(),
    lambda label, row, curve: row["support"],
    lambda label, row, curve: row["precision"],
    lambda label, row, curve: row["recall"],
    lambda label, row, curve: row["f1"],
    lambda label, row, curve: average_of(curve),
)
F1 = 4  # the column that the table is sorted by at first, the lowest on top


class ClassesPage(Page):
    """`wanted(label)`: its wrong answers are to be listed."""

    wanted = Signal(str)

    def __init__(self, session: Session):
        super().__init__(session)
        self._curves: dict[str, Any] = {}
        self._order, self._down = F1, False
        self._shown: list[str] = []
        self.search = QLineEdit(placeholderText="Find a class", clearButtonEnabled=True)
        self.table = ModestTable("Figures of each class, sortable")
        self.table.narrowest = NARROWEST
        self.plot = SharePlot("Precision and recall", "recall: share of its texts that are found", "precision")
        self.sentence = line()
        self.sentence.setTextFormat(Qt.TextFormat.PlainText)  # labels stay what they are
        self.wrong = QPushButton("&List its wrong answers")
        self._name_all()
        self._put_together()
        self.search.textChanged.connect(self._list)
        self.table.itemSelectionChanged.connect(self._show_chosen)
        self.table.horizontalHeader().sectionClicked.connect(self._order_by)
        self.table.cellActivated.connect(self._want)
        self.wrong.clicked.connect(self._want)

    def look_up(self, measured: Measured) -> Any:
        """The curve of each label."""
        from ulmfit_core.inference import analysis

        return analysis.precision_recall(measured.answers())

    def show_found(self, found: Any) -> None:
        self._curves = found
        self.search.setVisible(len(found) > 12)
        self._list()

    @property
    def chosen(self) -> str:
        """The label whose row is marked; "" for none."""
        row = self.table.currentRow()
        return self._shown[row] if 0 <= row < len(self._shown) else ""

    @Slot(int)
    def _order_by(self, column: int) -> None:
        self._down = not self._down if column == self._order else False
        self._order = column
        self._list()

    @Slot()
    @Slot(str)
    def _list(self, _: str = "") -> None:
        assert self.measured is not None
        figures, kept = self.measured.report["per_class"], self.chosen
        wanted = self.search.text().strip().lower()
        found = [label for label in figures if wanted in label.lower()]
        by = KEYS[self._order]
        found.sort(key=lambda label: by(label, figures[label], self._curves.get(label)), reverse=self._down)
        self._shown = found
        rows = [row_of(label, figures[label], self._curves.get(label)) for label in found]
        self.table.setMinimumHeight(min(LEAST_TABLE, (len(figures) + 1) * ROW))
        self.table.set_rows(heads(self._order, self._down), rows)
        explain_columns(self.table, HEADS)
        self.table.selectRow(found.index(kept) if kept in found else 0)
        self._show_chosen()

    @Slot()
    def _show_chosen(self) -> None:
        label = self.chosen
        curve = self._curves.get(label)
        self.wrong.setEnabled(bool(label))
        self.sentence.setText(findings.class_sentence(self.measured.report, label) if label and self.measured else "")
        lines = [Shares(label, curve.recall, curve.precision)] if curve is not None else []
        self.plot.draw(lines, spoken(label, curve))

    @Slot()
    @Slot(int, int)
    def _want(self, *_: int) -> None:
        if self.chosen:
            self.wanted.emit(self.chosen)

    def _name_all(self) -> None:
        self.search.setAccessibleName("Find a class by its name")
        self.search.setToolTip("Only classes with these letters in their name are listed.")
        self.table.setToolTip("Choose a class to see its curve. Return lists its wrong answers.")
        self.table.horizontalHeader().setSectionsClickable(True)
        self.plot.setToolTip(
            "To find more of a class's texts (to the right), more others are taken for it (downwards). The longer a "
            "curve stays near the top, the better the class can be told apart."
        )
        self.wrong.setToolTip("Show what this class was taken for, and what was taken for it, in the overview.")

    def _put_together(self) -> None:
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.wrong)
        for part in (self.sentence, self.plot):
            column.addWidget(part, 1 if part is self.plot else 0)
        column.addLayout(buttons)
        classes = card("Each class", "", self.search, self.table)
        self.column.addWidget(Beside(NARROW, {classes: 5, card("The chosen class", "", right): 4}), 1)


def heads(order: int, down: bool) -> list[str]:
    """The headings, with an arrow at that which the rows are sorted by: Qt's own would cover figures' headings."""
    return [f"{name} {'▼' if down else '▲'}" if place == order else name for place, name in enumerate(HEADS)]


def average_of(curve: Any) -> float:
    """The average precision of a class; below all others where it has no texts."""
    return -1.0 if curve is None or curve.average_precision is None else float(curve.average_precision)


def row_of(label: str, row: dict[str, float], curve: Any) -> list[str]:
    average = average_of(curve)
    shares = [f"{row[name]:.1%}" for name in ("precision", "recall", "f1")]
    return [label, f"{row['support']:,.0f}", *shares, f"{average:.1%}" if 0 <= average <= 1 else "–"]


def spoken(label: str, curve: Any) -> str:
    return f"“{label}”: average precision {average_of(curve):.1%}" if curve is not None else ""
