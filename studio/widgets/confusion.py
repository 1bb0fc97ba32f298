"""Which label was taken for which: rows are the truth, columns the answers, the shade is the share of the row."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QBrush, QColor
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from studio import theme

CELL, ROW, HEAD = 46, 36, 34  # least width, heights
SEEN = 8  # rows of which the table is never shorter


class Confusion(QTableWidget):
    """A table of counts. One hue by lightness, so that it reads without telling red from green."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: list[list[int]] = []
        self._labels: list[str] = []
        self.setAccessibleName("Confusion matrix: rows are true labels, columns are answers")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.horizontalHeader().setMinimumSectionSize(CELL)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(ROW)
        theme.changed.connect(self._fill)

    def set_counts(self, labels: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
        self._labels, self._counts = list(labels), [list(row) for row in counts]
        self.setRowCount(len(labels))
        self.setColumnCount(len(labels))
        self.setHorizontalHeaderLabels(self._labels)
        self.setVerticalHeaderLabels(self._labels)
        self.setMinimumHeight(HEAD + ROW * min(len(labels), SEEN))
        self._fill()

    def sizeHint(self) -> QSize:
        """No more than it needs; it grows where there is room."""
        return self.minimumSize()

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
