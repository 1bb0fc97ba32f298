"""Which label was taken for which: rows are the truth, columns the answers, the shade is the share of the row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from studio import theme
from studio.plain import tip
from studio.widgets.copied_rows import CopiesRows

CELL, ROW, HEAD = 44, 30, 30  # least width, heights
WIDEST, WIDEST_NAME = 72, 110  # of a column and of the true labels; longer names end in dots
AROUND = 10  # pixels of a heading besides its text
SEEN = 8  # rows of which the table is never shorter
FITS, FITS_OF_MORE = 6, 4  # columns of which it is never narrower; fewer where it has to be scrolled anyway
DRAWN = 60  # classes that a picture has at most
PADDING = "QHeaderView::section { padding: 4px 4px; }"
Index = QModelIndex | QPersistentModelIndex
NOWHERE = QModelIndex()


class Counts(QAbstractTableModel):
    """The cells of some of the classes, by their places among `labels`; each is made when it comes into sight."""

    def __init__(self, labels: Sequence[str], counts: Sequence[Sequence[int]], places: Sequence[int], shares: bool):
        super().__init__()
        self.labels, self.places, self.shares, self._counts = list(labels), list(places), shares, counts
        self._totals = [sum(row) for row in counts]

    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.places)

    columnCount = rowCount

    def pair(self, index: Index) -> tuple[str, str]:
        """(true label, answer) of a cell."""
        return self.labels[self.places[index.row()]], self.labels[self.places[index.column()]]

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        count, total, part = self._cell(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{part:.0%}" if self.shares else str(count)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignCenter
        if role == Qt.ItemDataRole.BackgroundRole:
            return QBrush(shade_and_ink(part)[0])
        if role == Qt.ItemDataRole.ForegroundRole:
            return QBrush(shade_and_ink(part)[1])
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            truth, answer = self.pair(index)
            told = f"{count} of {total} texts labelled “{truth}” were called “{answer}” ({part:.1%})."
            return tip(told) if role == Qt.ItemDataRole.ToolTipRole else told
        return None

    def headerData(self, section: int, way: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        label = self.labels[self.places[section]]
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(f"Answered “{label}”" if way == Qt.Orientation.Horizontal else f"Truly “{label}”")
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return shortened(label, WIDEST if way == Qt.Orientation.Horizontal else WIDEST_NAME)

    def _cell(self, index: Index) -> tuple[int, int, float]:
        """Its count, its row's total, and the share of the row."""
        row = self.places[index.row()]
        count, total = self._counts[row][self.places[index.column()]], self._totals[row]
        return count, total, count / total if total else 0.0


class Confusion(CopiesRows, QTableView):
    """A table of counts. One hue by lightness, so that it reads without telling red from green.

    `picked(true label, answer)`: a cell was clicked, or Return pressed on it.
    """

    picked = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self._labels: list[str] = []
        self._counts: list[list[int]] = []
        self._places: list[int] = []
        self._model = Counts([], [], [], shares=False)
        self.setAccessibleName("Confusion matrix: rows are true labels, columns are answers")
        self.setToolTip("Click a cell, or press Return on it, to list its wrong answers below.")
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setItemDelegate(Outlined(self))
        self.setTabKeyNavigation(False)
        self.setStyleSheet(PADDING)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW)
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.setTextElideMode(Qt.TextElideMode.ElideRight)
            header.setHighlightSections(False)
        for pressed in (self.clicked, self.activated):
            pressed.connect(self._pick)
        theme.changed.connect(self._repaint)

    def set_counts(self, labels: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
        self._labels, self._counts = list(labels), [[int(count) for count in row] for row in counts]
        self.show_classes(range(len(labels)))

    def show_classes(self, places: Sequence[int]) -> None:
        """Only these classes, by their places among the labels, in this order."""
        self._places = list(places)
        self._model = Counts(self._labels, self._counts, self._places, self._model.shares)
        self.setModel(self._model)
        self._fit()

    def show_shares(self, shares: bool) -> None:
        """Per cent of the row in place of counts."""
        self._model.shares = shares
        self.viewport().update()

    def choose(self, row: int, column: int) -> None:
        """Make a cell the current one, by its place in what is seen."""
        self.setCurrentIndex(self._model.index(row, column))

    def texts(self) -> list[list[str]]:
        size = range(len(self._places))
        return [[self._model.index(row, column).data() for column in size] for row in size]

    def rows_to_copy(self) -> list[Sequence[str]]:
        """What is seen, with true labels down and answers across."""
        names = [self._labels[place] for place in self._places]
        return [["", *names], *([name, *row] for name, row in zip(names, self.texts(), strict=True))]

    def spread(self) -> Confusion:
        """The same classes in a table of its own that shows them all, DRAWN at most: for a picture."""
        copy = Confusion()
        copy.set_counts(self._labels, self._counts)
        copy.show_classes(self._places[:DRAWN])
        copy.show_shares(self._model.shares)
        for off in (copy.setVerticalScrollBarPolicy, copy.setHorizontalScrollBarPolicy):
            off(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        columns = sum(copy.columnWidth(column) for column in range(len(copy._places)))
        frame = 2 * (copy.frameWidth() + 2)
        copy.resize(copy.verticalHeader().width() + columns + frame, HEAD + ROW * len(copy._places) + frame)
        return copy

    def sizeHint(self) -> QSize:
        """No more than it needs; it grows where there is room."""
        return self.minimumSize()

    def _fit(self) -> None:
        """Columns as wide as their names and counts need, within reason; room for the first of them."""
        plain, heads = QFontMetrics(self.font()), heading_metrics()
        for column, place in enumerate(self._places):
            most = max((str(row[place]) for row in self._counts), key=len, default="")
            needed = max(heads.horizontalAdvance(self._labels[place]), plain.horizontalAdvance(most)) + AROUND
            self.setColumnWidth(column, max(CELL, min(WIDEST, needed)))
        names = self.verticalHeader()
        names.setFixedWidth(min(WIDEST_NAME, names.sizeHint().width()))
        frame = 2 * self.frameWidth()
        seen = len(self._places) if len(self._places) <= FITS else FITS_OF_MORE
        first = sum(self.columnWidth(column) for column in range(seen))
        self.setMinimumSize(names.width() + first + frame, HEAD + ROW * min(len(self._places), SEEN) + frame)

    @Slot(QModelIndex)
    def _pick(self, index: QModelIndex) -> None:
        self.picked.emit(*self._model.pair(index))

    @Slot()
    def _repaint(self) -> None:
        self.viewport().update()


def heading_metrics() -> QFontMetrics:
    """Of the letters that headings have."""
    font = QFont(QApplication.font())
    font.setWeight(QFont.Weight.DemiBold)
    return QFontMetrics(font)


def shortened(label: str, room: int) -> str:
    """A label as it stands in a heading of so many pixels: Qt reckons without its bold letters, and cuts them."""
    return heading_metrics().elidedText(label, Qt.TextElideMode.ElideRight, room - AROUND)


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
