"""A read-only table: sensible widths, whole texts as tooltips, Ctrl+C copies what is marked."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QTableView, QTableWidget, QTableWidgetItem

from studio import theme
from studio.plain import tip
from studio.widgets.copied_rows import CopiesRows

WIDEST = 420  # of a column, except the last one, which takes what is left
NARROWEST = 140  # to which the widest column gives way
ROW_HEIGHT = 26
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
NUMERIC = set("0123456789.,-+% ★")


class Table(CopiesRows, QTableWidget):
    """Rows of texts. Columns that hold numbers are flush right."""

    def __init__(self, name: str = "Table"):
        super().__init__()
        self._headers: list[str] = []
        self._widths: list[int] = []  # that the columns would like to have
        self.kept_share = 0.0  # of the width, which the widest column keeps where not all columns can be seen
        self.narrowest = NARROWEST
        self.nothing = ""  # a sentence that stands here while there are no rows
        prepare(self, name)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.horizontalHeader().setDefaultAlignment(LEFT)

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

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.nothing and not self.rowCount():
            painter = QPainter(self.viewport())
            painter.setPen(QColor(theme.colours().muted))
            place = self.viewport().rect().adjusted(14, 10, -14, -10)
            painter.drawText(place, Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignLeft, self.nothing)
            painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share_width()

    def rows_to_copy(self) -> list[Sequence[str]]:
        """The marked rows, or all rows."""
        marked = sorted({index.row() for index in self.selectedIndexes()}) or range(self.rowCount())
        return [self._headers, *(self._texts_of(row) for row in marked)]

    def _texts_of(self, row: int) -> list[str]:
        return [self.model().index(row, column).data() for column in range(self.columnCount())]

    def _fit_columns(self) -> None:
        """Widths after the contents; a last column of text takes what is left, numbers stay with the others."""
        last = self.item(0, self.columnCount() - 1)
        numeric = last is not None and last.textAlignment() == RIGHT
        self.horizontalHeader().setStretchLastSection(not numeric)
        self.resizeColumnsToContents()
        for column in range(self.columnCount() - (not numeric)):
            self.setColumnWidth(column, min(self.columnWidth(column) + 2, WIDEST))
        self._widths = [self.columnWidth(column) for column in range(self.columnCount())]
        self._share_width()
        for column in range(self.columnCount()):
            first, head = self.item(0, column), self.horizontalHeaderItem(column)
            if head:
                head.setTextAlignment(Qt.AlignmentFlag(first.textAlignment()) if first else LEFT)

    def _share_width(self) -> None:
        """The widest column gives way where it would push others out of sight, less where they do not fit anyway."""
        if not self._widths:
            return
        widest = max(self._widths)
        lack = max(0, sum(self._widths) - self.viewport().width())
        kept = round(self.kept_share * self.viewport().width())
        least = self.narrowest if widest - lack >= self.narrowest else max(self.narrowest, kept)
        self.setColumnWidth(self._widths.index(widest), max(min(widest, least), widest - lack))


def prepare(table: QTableView, name: str) -> None:
    """What all tables of rows have in common."""
    table.setAccessibleName(name)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    table.setAlternatingRowColors(True)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setStyleSheet("QTableView::item { padding: 0 6px; }")  # in line with the headings
    table.setTabKeyNavigation(False)  # Tab leads on to the next control
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
    table.horizontalHeader().setHighlightSections(False)


def cell(text: str) -> QTableWidgetItem:
    item = QTableWidgetItem(text)
    item.setToolTip(tip(text))
    item.setTextAlignment(RIGHT if text and set(text) <= NUMERIC else LEFT)
    return item
