"""What the two colours of shaded words mean."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio import theme
from studio.plain import tip
from studio.widgets import shaded_text

SQUARE, GAP, HEIGHT = 12, 6, 22  # pixels


class Legend(QWidget):
    """`tell(label)` shows it for the words of that label, at the right of its place; a long name is cut."""

    def __init__(self) -> None:
        super().__init__()
        self._label = ""
        self.setAccessibleName("What the colours of the words mean")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._repaint)
        self.hide()

    def tell(self, label: str) -> None:
        self._label = label
        told = f"Blue words speak for “{label}”, dashed orange ones against it."
        self.setAccessibleDescription(told)
        self.setToolTip(tip(f"{told} The stronger the colour, the more a word counts beside the others of this text."))
        self.show()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(210, HEIGHT)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        metrics = QFontMetricsF(self.font())
        against = SQUARE + 3 * GAP + metrics.horizontalAdvance("against")
        words = SQUARE + GAP + metrics.horizontalAdvance(f"for “{self._label}”")
        start = max(0.0, self.width() - against - words)
        end = self._paint(painter, start, 1.0, f"for “{self._label}”", self.width() - against)
        self._paint(painter, end + 2 * GAP, -1.0, "against", self.width())
        painter.end()

    def _paint(self, painter: QPainter, left: float, weight: float, text: str, right: float) -> float:
        """A square in the colour and the text beside it, which ends at `right` at the latest. Returns where it ends."""
        top = (self.height() - SQUARE) / 2
        painter.fillRect(round(left), round(top), SQUARE, SQUARE, shaded_text.colour(weight))
        if weight < 0:
            painter.setPen(QPen(QColor(theme.line_colours()[shaded_text.AGAINST]), 2))
            painter.drawLine(round(left), round(top) + SQUARE, round(left) + SQUARE, round(top) + SQUARE)
        painter.setPen(QColor(theme.colours().muted))
        metrics = QFontMetricsF(self.font())
        start = left + SQUARE + GAP
        short = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(0.0, right - start))
        painter.drawText(round(start), round((self.height() + metrics.ascent() - metrics.descent()) / 2), short)
        return float(start + metrics.horizontalAdvance(short))

    @Slot()
    def _repaint(self) -> None:
        self.update()
