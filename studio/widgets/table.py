"""A read-only table: sensible widths, whole texts as tooltips, Ctrl+C copies what is marked."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QApplication, QHeaderView, QTableWidget, QTableWidgetItem

WIDEST = 420  # of a column, except the last one, which takes what is left
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
NUMERIC = set("0123456789.,-+% ")


class Table(QTableWidget):
    """Rows of texts. Columns that hold numbers are flush right."""

    def __init__(self, name: str = "Table"):
        super().__init__()
        self._headers: list[str] = []
        self.setAccessibleName(name)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)  # Tab leads on to the next control
        self.verticalHeader().hide()
        self.horizontalHeader().setStretchLastSection(True)
        self.horizontalHeader().setDefaultAlignment(LEFT)
        self.horizontalHeader().setHighlightSections(False)

    def set_rows(self, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Show these rows in place of what there was."""
        self._headers = list(headers)
        self.setColumnCount(len(headers))
        self.setHorizontalHeaderLabels(self._headers)
        self.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                self.setItem(number, column, cell(str(value)))
        self._fit_columns()

    def texts(self) -> list[list[str]]:
        return [self._texts_of(row) for row in range(self.rowCount())]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)

    def copy(self) -> None:
        """Headers and marked rows, or all rows, separated by tabs: spreadsheets take that."""
        marked = sorted({index.row() for index in self.selectedIndexes()}) or range(self.rowCount())
        lines = [self._headers, *(self._texts_of(row) for row in marked)]
        QApplication.clipboard().setText("\n".join("\t".join(line) for line in lines))

    def _texts_of(self, row: int) -> list[str]:
        return [self.model().index(row, column).data() for column in range(self.columnCount())]

    def _fit_columns(self) -> None:
        self.resizeColumnsToContents()
        for column in range(self.columnCount()):
            self.setColumnWidth(column, min(self.columnWidth(column) + 12, WIDEST))
        # A stretched column of numbers would stand far from its neighbours.
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)


def cell(text: str) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    item.setToolTip(text)
    if text and set(text) <= NUMERIC:
        item.setTextAlignment(RIGHT)
    return item
