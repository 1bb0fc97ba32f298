"""The rail on the left: one row for each screen with a mark that says where its step stands."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFocusEvent, QFont, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from studio import theme

ROW_HEIGHT = 54
MARK_SIZE = 26
MARK = Qt.ItemDataRole.UserRole
NAME = Qt.ItemDataRole.UserRole + 1

# What each mark is called below the title and by a screen reader.
WORDS = {
    "empty": "Waiting", "ready": "Ready", "running": "Running", "paused": "Paused", "done": "Done",
    "stale": "Out of date", "skipped": "Left out", "none": "",
}  # fmt: skip
# Marks as polygons and lines in a square of 26 by 26, so that they differ by shape and not by colour alone.
SIGNS = {
    "done": [(7.5, 13.5), (11.5, 17.5), (18.5, 9.0)],
    "skipped": [(8.0, 13.0), (18.0, 13.0)],
    "running": [(10.0, 7.5), (19.0, 13.0), (10.0, 18.5), (10.0, 7.5)],
}


@dataclass(frozen=True)
class Row:
    """What the rail shows of one screen. mark "none": the screen is no step and has no state."""

    name: str
    title: str
    mark: str
    reason: str = ""
    meaning: str = ""  # what the screen is for


class Rail(QListWidget):
    """`chosen(name)` when the person goes to a row by mouse, arrow keys or Return; `entered(name)` after that, where
    it was no arrow key: whoever walks along the rail stays on it.
    """

    chosen = Signal(str)
    entered = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setItemDelegate(RowPainter(self))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Steps")
        self.setToolTip("The steps of the project, from its data to trying it; Up and Down go from one to the next.")
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setProperty("rail", True)
        self.currentItemChanged.connect(self._choose)
        for picked in (self.itemClicked, self.itemActivated):  # of the row that is current already
            picked.connect(self._choose)
            picked.connect(self._enter)

    def keyboardSearch(self, search: str) -> None:
        """Letters go to no row: whoever clicks a step and begins to type means its screen."""

    def set_rows(self, rows: list[Row]) -> None:
        """Show these rows; the items stay where their number is the same, so that focus and choice stay."""
        while self.count() < len(rows):
            self.addItem(QListWidgetItem())
        for number, row in enumerate(rows):
            self._fill(self.item(number), row)

    def select(self, name: str) -> None:
        """Mark the row of the screen that is shown; none for a screen without a row."""
        self.blockSignals(True)
        rows = [number for number in range(self.count()) if self.item(number).data(NAME) == name]
        self.setCurrentRow(rows[0] if rows else -1)
        self.blockSignals(False)
        self.viewport().update()

    def _fill(self, item: QListWidgetItem, row: Row) -> None:
        words = WORDS[row.mark]
        item.setText(row.title)
        item.setData(MARK, row.mark)
        item.setData(NAME, row.name)
        standing = ". ".join(part for part in (words, row.reason) if part)
        item.setToolTip("\n".join(part for part in (standing, row.meaning) if part))
        spoken = ", ".join(part for part in (row.title, words, row.reason) if part)
        item.setData(Qt.ItemDataRole.AccessibleTextRole, spoken)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Where no row is current Qt takes the first one, but to come by is not to choose."""
        self.blockSignals(True)
        super().focusInEvent(event)
        self.blockSignals(False)

    @Slot(QListWidgetItem)
    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(item.data(NAME))

    @Slot(QListWidgetItem)
    def _enter(self, item: QListWidgetItem) -> None:
        self.entered.emit(item.data(NAME))


class RowPainter(QStyledItemDelegate):
    """Paints a row: mark, title, and the state in words below."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(200, ROW_HEIGHT)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect: QRect = option.rect.adjusted(6, 2, -6, -2)
        self._paint_ground(painter, rect, option.state)
        corner = QPointF(rect.left() + 10, rect.center().y() - 12.5)
        paint_mark(painter, corner, index.data(MARK), index.row() + 1)
        self._paint_words(painter, rect.adjusted(46, 0, -4, 0), index.data(), WORDS[index.data(MARK)])
        painter.restore()

    def _paint_ground(self, painter: QPainter, rect: QRect, state: QStyle.StateFlag) -> None:
        colours = theme.colours()
        selected = bool(state & QStyle.StateFlag.State_Selected)
        focused = selected and bool(state & QStyle.StateFlag.State_HasFocus)
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        fill = colours.accent_soft if selected else colours.raised if hovered else colours.background
        painter.setPen(QPen(QColor(colours.accent), 2) if focused else Qt.PenStyle.NoPen)
        painter.setBrush(QColor(fill))
        painter.drawRoundedRect(QRectF(rect).adjusted(1, 1, -1, -1), 8, 8)

    def _paint_words(self, painter: QPainter, rect: QRect, title: str, words: str) -> None:
        font = QFont(painter.font())
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(QColor(theme.colours().text))
        upper = rect.adjusted(0, 0, 0, -rect.height() // 2) if words else rect
        lower = Qt.AlignmentFlag.AlignBottom if words else Qt.AlignmentFlag.AlignVCenter
        painter.drawText(upper, lower, title)
        font.setWeight(QFont.Weight.Normal)
        font.setPointSizeF(font.pointSizeF() * 0.88)
        painter.setFont(font)
        painter.setPen(QColor(theme.colours().muted))
        painter.drawText(rect.adjusted(0, rect.height() // 2, 0, 0), Qt.AlignmentFlag.AlignTop, words)


def paint_mark(painter: QPainter, corner: QPointF, mark: str, number: int) -> None:
    """A disc: with the step's number (empty, ready), or a tick, a dash, a triangle, an exclamation mark."""
    colours = theme.colours()
    tint = {
        "ready": colours.accent, "running": colours.accent, "paused": colours.accent,
        "done": colours.good, "stale": colours.warning,
    }.get(mark, colours.muted)  # fmt: skip
    filled = mark in ("running", "paused", "done", "stale")
    painter.setPen(QPen(QColor(tint), 2, Qt.PenStyle.DotLine if mark == "empty" else Qt.PenStyle.SolidLine))
    painter.setBrush(QColor(tint) if filled else Qt.BrushStyle.NoBrush)
    disc = QRectF(corner.x(), corner.y(), MARK_SIZE, MARK_SIZE)
    if mark != "none":
        painter.drawEllipse(disc.adjusted(1, 1, -1, -1))
    ink = QColor(colours.background if filled else tint)
    if mark in SIGNS:
        _paint_sign(painter, corner, mark, ink)
    else:
        text = {"stale": "!", "paused": "Ⅱ", "none": "≡"}.get(mark, str(number))
        _paint_letter(painter, disc, text, ink)


def _paint_sign(painter: QPainter, corner: QPointF, mark: str, ink: QColor) -> None:
    points = QPolygonF([QPointF(x, y) + corner for x, y in SIGNS[mark]])
    painter.setPen(QPen(ink, 2.4, c=Qt.PenCapStyle.RoundCap, j=Qt.PenJoinStyle.RoundJoin))
    if mark == "running":
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink)
        painter.drawPolygon(points)
    else:
        painter.drawPolyline(points)


def _paint_letter(painter: QPainter, disc: QRectF, text: str, ink: QColor) -> None:
    font = QFont(painter.font())
    font.setWeight(QFont.Weight.Bold)
    painter.save()
    painter.setFont(font)
    painter.setPen(ink)
    painter.drawText(disc, Qt.AlignmentFlag.AlignCenter, text)
    painter.restore()
