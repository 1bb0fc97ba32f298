"""A column of shares in a table: the figure, and beside it a bar as long as the share is large among the others."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRectF, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from studio import theme

FIGURES = 62  # pixels at the right for “100.0%”
HEIGHT = 8
LEAST = 16  # pixels, below which a bar would say nothing


class ShareBar(QStyledItemDelegate):
    """For cells such as “12.3%”, flush right. A bar of `largest` per cent fills what is left of the cell."""

    def __init__(self, parent: QObject):
        super().__init__(parent)
        self.largest = 100.0

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        cell = QRectF(option.rect).adjusted(theme.SMALL, 0, -FIGURES, 0)
        if cell.width() < LEAST:
            return
        share = min(1.0, float(index.data().removesuffix("%")) / (self.largest or 1))
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        colours = theme.colours()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.on_accent if chosen else colours.accent))
        painter.drawRoundedRect(
            QRectF(cell.x(), cell.center().y() - HEIGHT / 2, max(2.0, cell.width() * share), HEIGHT), 3, 3
        )
        painter.restore()
