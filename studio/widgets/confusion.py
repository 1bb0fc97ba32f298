"""Which label was taken for which: rows are the truth, columns the answers, the shade is the share of the row."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QBrush, QColor, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
)

from studio import theme

CELL, ROW, HEAD = 44, 30, 30  # least width, heights
WIDEST, WIDEST_NAME = 72, 110  # of a column and of the true labels; longer names end in dots
SEEN = 8  # rows of which the table is never shorter
FITS = 6  # columns of which it is never narrower
PADDING = "QHeaderView::section { padding: 4px 4px; }"


class Confusion(QTableWidget):
    """A table of counts. One hue by lightness, so that it reads without telling red from green.

    `picked(true label, answer)`: a cell was clicked, or Return pressed on it.
    """

    picked = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self._counts: list[list[int]] = []
        self._labels: list[str] = []
        self.setAccessibleName("Confusion matrix: rows are true labels, columns are answers")
        self.setToolTip("Click a cell, or press Return on it, to list its wrong answers below.")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setItemDelegate(Outlined(self))
        self.setTabKeyNavigation(False)
        self.setStyleSheet(PADDING)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW)
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.setTextElideMode(Qt.TextElideMode.ElideRight)
            header.setHighlightSections(False)
        for pressed in (self.cellClicked, self.cellActivated):
            pressed.connect(self._pick)
        theme.changed.connect(self._fill)

    def set_counts(self, labels: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
        self._labels, self._counts = list(labels), [list(row) for row in counts]
        self.setRowCount(len(labels))
        self.setColumnCount(len(labels))
        self.setHorizontalHeaderLabels(self._labels)
        self.setVerticalHeaderLabels(self._labels)
        for place, label in enumerate(labels):
            heads = {"Answered": self.horizontalHeaderItem(place), "Truly": self.verticalHeaderItem(place)}
            for words, head in heads.items():
                if head:
                    head.setToolTip(f"{words} “{label}”")
        self._fill()
        self._fit()

    def sizeHint(self) -> QSize:
        """No more than it needs; it grows where there is room."""
        return self.minimumSize()

    def _fit(self) -> None:
        """Columns as wide as their names and counts need, within reason; room for the first FITS of them."""
        self.resizeColumnsToContents()
        for column in range(self.columnCount()):
            self.setColumnWidth(column, max(CELL, min(WIDEST, self.columnWidth(column))))
        names = self.verticalHeader()
        names.setFixedWidth(min(WIDEST_NAME, names.sizeHint().width()))
        frame = 2 * self.frameWidth()
        first = sum(self.columnWidth(column) for column in range(min(self.columnCount(), FITS)))
        self.setMinimumSize(names.width() + first + frame, HEAD + ROW * min(self.rowCount(), SEEN) + frame)

    @Slot(int, int)
    def _pick(self, row: int, column: int) -> None:
        self.picked.emit(self._labels[row], self._labels[column])

    @Slot()
    def _fill(self) -> None:
        for row, counts in enumerate(self._counts):
            for column, count in enumerate(counts):
                self.setItem(row, column, self._cell(row, column, count, sum(counts)))

    def _cell(self, row: int, column: int, count: int, total: int) -> QTableWidgetItem:
        part = count / total if total else 0.0
        shade, ink = shade_and_ink(part)
        item = QTableWidgetItem(str(count))
        item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
        item.setBackground(QBrush(shade))
        item.setForeground(QBrush(ink))
        truth, answer = self._labels[row], self._labels[column]
        item.setToolTip(f"{count} of {total} texts labelled “{truth}” were called “{answer}” ({part:.1%}).")
        return item


class Outlined(QStyledItemDelegate):
    """The chosen cell has a frame and keeps its shade, which says how many there are."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        plain = QStyleOptionViewItem(option)
        plain.state &= ~(QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_HasFocus)
        super().paint(painter, plain, index)
        if chosen:
            painter.save()
            painter.setPen(QPen(QColor(theme.colours().text), 2))
            painter.drawRect(QRectF(option.rect).adjusted(1, 1, -1, -1))
            painter.restore()


def shade_and_ink(part: float) -> tuple[QColor, QColor]:
    """The colour of a cell, and black or white on it: one of the two always has a contrast of 4.5:1."""
    colours = theme.colours()
    shade = mixed(QColor(colours.surface), QColor(colours.accent), part)
    return shade, QColor("black" if luminance(shade) > 0.179 else "white")


def luminance(colour: QColor) -> float:
    """Relative luminance as the rules for contrast define it (WCAG 2)."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour.getRgbF()[:3]]  # type: ignore[index]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def mixed(low: QColor, high: QColor, part: float) -> QColor:
    channels = zip(low.getRgb()[:3], high.getRgb()[:3])  # type: ignore[index]
    return QColor(*(round(a + (b - a) * part) for a, b in channels))
