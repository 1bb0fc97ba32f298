"""Shares as horizontal bars, each with the interval in which the true share likely lies, against one share for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QLineF, QRectF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio import theme

ROW, BAR, WHISKER = 28, 14, 8  # heights in pixels
NAMES = 0.34  # largest share of the width for names
FIGURES = 150  # pixels for “100.0% of 12,345”


@dataclass(frozen=True)
class Part:
    """Shares from 0 to 1; `marked` where it stands out for the worse."""

    name: str
    rows: int
    share: float
    low: float
    high: float
    marked: bool = False


class IntervalBars(QWidget):
    """`set_parts` shows a bar for each part, and a line through all where the whole stands."""

    def __init__(self, name: str):
        super().__init__()
        self._name = name
        self._parts: list[Part] = []
        self._whole = 0.0
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._repaint)

    def set_parts(self, parts: Sequence[Part], whole: float) -> None:
        self._parts, self._whole = list(parts), whole
        told = [f"{part.name}: {part.share:.1%} right of {part.rows:,}, likely {part.low:.1%} to {part.high:.1%}"
                for part in parts]  # fmt: skip
        self.setAccessibleDescription("; ".join(told))
        self.setToolTip("\n".join([*told, f"All texts: {whole:.1%} (the upright line)"]))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(420, max(1, len(self._parts)) * ROW + 4)

    def minimumSizeHint(self) -> QSize:
        return QSize(280, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._parts:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        names = self._names_width()
        track = QRectF(names + 12, 0, max(40.0, self.width() - names - FIGURES - 24), self.height())
        for number, part in enumerate(self._parts):
            self._paint_row(painter, number * ROW + 2, part, track)
        place = track.x() + track.width() * self._whole
        painter.setPen(QPen(QColor(theme.colours().text), 1, Qt.PenStyle.DashLine))
        painter.drawLine(QLineF(place, 0, place, self.height()))
        painter.end()

    def _paint_row(self, painter: QPainter, top: float, part: Part, track: QRectF) -> None:
        colours = theme.colours()
        font = self.font()
        font.setBold(part.marked)
        painter.setFont(font)
        painter.setPen(QColor(colours.text))
        named = QRectF(0, top, track.x() - 12, ROW)
        short = painter.fontMetrics().elidedText(part.name, Qt.TextElideMode.ElideRight, int(named.width()))
        painter.drawText(named, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, short)
        figures = QRectF(track.right() + 12, top, FIGURES, ROW)
        said = f"{part.share:.1%} of {part.rows:,}"
        painter.drawText(figures, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, said)
        middle = top + ROW / 2
        painter.setPen(Qt.PenStyle.NoPen)
        for width, colour in ((1.0, colours.raised), (part.share, colours.warning if part.marked else colours.accent)):
            painter.setBrush(QColor(colour))
            painter.drawRoundedRect(QRectF(track.x(), middle - BAR / 2, track.width() * width, BAR), 3, 3)
        self._paint_interval(painter, middle, part, track)

    @staticmethod
    def _paint_interval(painter: QPainter, middle: float, part: Part, track: QRectF) -> None:
        """A line from low to high with a stroke at either end, edged so that it stands out from bar and track."""
        low, high = (track.x() + track.width() * share for share in (part.low, part.high))
        lines = [
            QLineF(low, middle, high, middle),
            *(QLineF(end, middle - WHISKER / 2, end, middle + WHISKER / 2) for end in (low, high)),
        ]
        for width, colour in ((3.5, theme.colours().surface), (1.5, theme.colours().text)):
            painter.setPen(QPen(QColor(colour), width))
            painter.drawLines(lines)

    def _names_width(self) -> float:
        font = self.font()
        font.setBold(True)
        longest = max(self.fontMetrics().horizontalAdvance(part.name) for part in self._parts)
        return min(longest * 1.1 + 4, self.width() * NAMES)

    @Slot()
    def _repaint(self) -> None:
        self.update()
