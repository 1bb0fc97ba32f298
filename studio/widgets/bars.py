"""Shares as horizontal bars with name and per cent; the chosen one stands out by weight and colour."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio import theme

ROW, GAP = 26, 6
SLIM = 20, 0  # the same where there is little height
NAMES, FIGURES = 0.4, 62  # largest share of the width for names, pixels for the figures


class Bars(QWidget):
    """`set_values` takes shares from 0 to 1 by name, in the order in which they are shown."""

    def __init__(self, name: str, most: int = 12, slim: bool = False):
        super().__init__()
        self._row, self._gap = SLIM if slim else (ROW, GAP)
        self._name, self._most = name, most
        self._values: list[tuple[str, float]] = []
        self._chosen = ""
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._repaint)

    def set_values(self, values: dict[str, float], chosen: str = "") -> None:
        self._values = list(values.items())[: self._most]
        self._chosen = chosen
        spoken = ", ".join(f"{name} {value:.0%}" for name, value in self._values)
        self.setAccessibleDescription(spoken)
        self.setToolTip("\n".join(f"{name}: {value:.2%}" for name, value in values.items()))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(320, max(1, len(self._values)) * (self._row + self._gap))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number, (name, value) in enumerate(self._values):
            self._paint_row(painter, number * (self._row + self._gap), name, value)
        painter.end()

    def _paint_row(self, painter: QPainter, top: float, name: str, value: float) -> None:
        colours, chosen = theme.colours(), name == self._chosen
        font = self.font()
        font.setBold(chosen)
        painter.setFont(font)
        names = self._names_width()
        track = QRectF(names + 10, top + 4, self.width() - names - FIGURES - 14, self._row - 8)
        painter.setPen(QColor(colours.text))
        self._write(painter, QRectF(0, top, names, self._row), name, Qt.AlignmentFlag.AlignRight)
        figures = QRectF(track.right() + 8, top, FIGURES - 4, self._row)
        self._write(painter, figures, f"{value:.1%}", Qt.AlignmentFlag.AlignLeft)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.raised))
        painter.drawRoundedRect(track, 4, 4)
        painter.setBrush(QColor(colours.accent if chosen else colours.muted))
        painter.drawRoundedRect(QRectF(track.x(), track.y(), track.width() * value, track.height()), 4, 4)

    def _names_width(self) -> float:
        """As wide as the longest name in bold needs, within reason."""
        bold = self.font()
        bold.setBold(True)
        longest = max(QFontMetricsF(bold).horizontalAdvance(name) for name, _ in self._values)
        return min(longest + 4, self.width() * NAMES)

    @staticmethod
    def _write(painter: QPainter, place: QRectF, text: str, side: Qt.AlignmentFlag) -> None:
        short = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(place.width()))
        painter.drawText(place, side | Qt.AlignmentFlag.AlignVCenter, short)

    @Slot()
    def _repaint(self) -> None:
        self.update()
