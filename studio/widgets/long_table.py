"""A read-only table of any length: a row is asked for when it comes into sight, so that 100,000 scroll as ten do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QHeaderView, QTableView

from studio.plain import tip
from studio.widgets.copied_rows import CopiesRows
from studio.widgets.table import LEFT, RIGHT, WIDEST, prepare

MEASURED = 200  # rows from which the widths of the columns follow
Index = QModelIndex | QPersistentModelIndex
NOWHERE = QModelIndex()  # what Qt asks a table about, which has no rows inside rows


class Rows(QAbstractTableModel):
    """Rows of values, all of one length. Whole numbers are flush right."""

    def __init__(self, headers: Sequence[str], rows: Sequence[Sequence[object]]):
        super().__init__()
        self.headers, self.rows = list(headers), rows

    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.headers)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            text = str(self.rows[index.row()][index.column()])
            return tip(text) if role == Qt.ItemDataRole.ToolTipRole else text
        return self._side(index.column()) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def headerData(self, section: int, across: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and across == Qt.Orientation.Horizontal:
            return self.headers[section]
        return self._side(section) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def _side(self, column: int) -> Qt.AlignmentFlag:
        return RIGHT if self.rows and isinstance(self.rows[0][column], int) else LEFT


class LongTable(CopiesRows, QTableView):
    """Ctrl+C copies the marked rows; the last column takes what width is left."""

    def __init__(self, name: str):
        super().__init__()
        self._model = Rows([], [])
        prepare(self, name)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.horizontalHeader().setStretchLastSection(True)
        self.horizontalHeader().setResizeContentsPrecision(MEASURED)

    def set_rows(self, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Show these rows, which are not copied, in place of what there was."""
        self._model = Rows(headers, rows)
        self.setModel(self._model)
        self.resizeColumnsToContents()
        for column in range(len(headers) - 1):
            self.setColumnWidth(column, min(self.columnWidth(column) + 2, WIDEST))

    def texts(self) -> list[list[str]]:
        return [[str(value) for value in row] for row in self._model.rows]

    def rows_to_copy(self) -> list[Sequence[str]]:
        """The marked rows, or all rows."""
        selection = self.selectionModel().selection()
        parts = [selection.at(number) for number in range(selection.count())]
        marked = sorted({row for part in parts for row in range(part.top(), part.bottom() + 1)})
        places = marked or range(len(self._model.rows))
        return [self._model.headers, *([str(value) for value in self._model.rows[place]] for place in places)]
