"""The probabilities of labels as bars, one column for each model that answers; a row can be chosen.

Where several are compared, an upright line in the bars of the second and third stands where the first one's bar ends,
and behind the figure stands by how many points it differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio import theme
from studio.plain import tip

ROW, TALL, HEAD, NOTE = 26, 36, 24, 22  # heights in pixels; TALL where several models are compared
BAR = 10
MOST_COMPARED = 5  # rows where several models are compared, which are higher
NAMES, GAP = 0.36, 10  # largest share of the width for names; pixels
WIDEST_FIGURE = "100.0%"
NO_SUCH = "–"  # the model knows no such label
LEFT, RIGHT = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight


@dataclass(frozen=True)
class Column:
    """What one model answers: shares from 0 to 1 by name, and the name it chose. `values` empty: no answer yet."""

    title: str
    values: dict[str, float]
    chosen: str = ""


class ComparedBars(QWidget):
    """`show_columns` lists the likeliest names of all columns, `most` of them. `chosen(name)`: a row was clicked.

    Up and Down go from row to row, Return or Space chooses. While it is disabled all is muted.
    """

    chosen = Signal(str)

    def __init__(self, name: str, most: int = 8, click: str = "Click one to choose it"):
        """`click` says in the tooltip what a click does."""
        super().__init__()
        self._most, self._click = most, click
        self._columns: list[Column] = []
        self._names: list[str] = []
        self._marked = ""
        self._row, self._under = 0, -1
        self.rest = 0  # names that are not listed
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        theme.changed.connect(self._repaint)

    def show_columns(self, columns: Sequence[Column], marked: str = "") -> None:
        """Show these in place of what there was; the row `marked` is the one that was chosen."""
        self._columns, self._marked = list(columns), marked
        highest = {name: max(column.values.get(name, 0.0) for column in columns)
                   for column in columns for name in column.values}  # fmt: skip
        likeliest = sorted(highest, key=lambda name: -highest[name])
        most = min(self._most, MOST_COMPARED) if self._compares else self._most
        self._names, self.rest = likeliest[:most], max(0, len(likeliest) - most)
        self._row = min(self._row, max(0, len(self._names) - 1))
        self.setAccessibleDescription("; ".join(filter(None, map(self._spoken, self._columns))))
        self.setToolTip(tip(self._whole()) if self._names else "")
        self.updateGeometry()
        self.update()

    @property
    def names(self) -> list[str]:
        """The names that are listed, from above."""
        return list(self._names)

    def row_place(self, name: str) -> QPointF:
        """The middle of a listed name's row, to be clicked."""
        return QPointF(self.width() / 2, self._top(self._names.index(name)) + self._height / 2)

    def sizeHint(self) -> QSize:
        height = self._top(len(self._names)) + (NOTE if self.rest else 0)
        return QSize(320, max(round(height), 4))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, self.sizeHint().height())

    @property
    def _compares(self) -> bool:
        return len(self._columns) > 1

    @property
    def _height(self) -> int:
        """Of a row."""
        return TALL if self._compares else ROW

    # What it says

    def _spoken(self, column: Column) -> str:
        told = ", ".join(f"{name} {column.values[name]:.0%}" for name in self._names if name in column.values)
        return f"{column.title}: {told}" if told and self._compares else told

    def _whole(self) -> str:
        """All names with all shares, and what a click does."""
        names = sorted({name for column in self._columns for name in column.values},
                       key=lambda name: -max(column.values.get(name, 0.0) for column in self._columns))  # fmt: skip
        lines = [f"{name}: " + ", ".join(_exact(column, name) for column in self._columns) for name in names[:40]]
        return "\n".join([f"{self._click} (Up, Down, Return).", *lines])

    # What a person does

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._point(self._row_at(event.position().y()))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._point(-1)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        row = self._row_at(event.position().y())
        if event.button() == Qt.MouseButton.LeftButton and row >= 0:
            self._row = row
            self._choose()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if self._names and event.key() in steps:
            self._row = max(0, min(len(self._names) - 1, self._row + steps[Qt.Key(event.key())]))
            self.update()
        elif self._names and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._choose()
        else:
            super().keyPressEvent(event)

    def _choose(self) -> None:
        self.update()
        self.chosen.emit(self._names[self._row])

    def _point(self, row: int) -> None:
        if row != self._under:
            self._under = row
            self.setCursor(Qt.CursorShape.PointingHandCursor if row >= 0 else Qt.CursorShape.ArrowCursor)
            self.update()

    def _row_at(self, y: float) -> int:
        row = int((y - self._top(0)) // self._height)
        return row if 0 <= row < len(self._names) else -1

    def _top(self, row: int) -> float:
        return (HEAD if self._compares else 0) + row * self._height

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._names:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for number in range(len(self._names)):
            self._paint_row(painter, number)
        if self._compares:
            self._paint_head(painter)
        if self.rest:
            self._paint_note(painter)
        painter.end()

    def _paint_head(self, painter: QPainter) -> None:
        for number, column in enumerate(self._columns):
            left, width = self._column(number)
            self._write(painter, QRectF(left, 0, width, HEAD), column.title, LEFT, theme.colours().muted)

    def _paint_note(self, painter: QPainter) -> None:
        self._embolden(painter, False)
        place = QRectF(self._names_width() + GAP, self._top(len(self._names)), self.width(), NOTE)
        self._write(painter, place, f"and {self.rest} less likely", LEFT, theme.colours().muted)

    def _paint_row(self, painter: QPainter, number: int) -> None:
        colours, name, top = theme.colours(), self._names[number], self._top(number)
        focused = self.hasFocus() and number == self._row
        if number == self._under or focused or name == self._marked:
            painter.setPen(QPen(QColor(colours.accent), 2) if focused else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colours.accent_soft))
            painter.drawRoundedRect(QRectF(1, top + 1, self.width() - 2, self._height - 2), 4, 4)
        self._embolden(painter, any(name == column.chosen for column in self._columns))
        self._write(painter, QRectF(4, top, self._names_width() - 4, self._height), name, RIGHT, self._ink)
        for place in range(len(self._columns)):
            self._paint_cell(painter, place, name, top)

    def _paint_cell(self, painter: QPainter, place: int, name: str, top: float) -> None:
        """The figure behind its bar, or above it where there are several columns."""
        column, colours = self._columns[place], theme.colours()
        left, width = self._column(place)
        room = self._bold_width(WIDEST_FIGURE) + 2
        figure, track = QRectF(left + width - room, top, room, ROW), QRectF(left, top + 8, width - room - 6, BAR)
        if self._compares:
            figure, track = QRectF(left, top + 2, width, 18), QRectF(left, top + 22, width, BAR - 2)
        self._embolden(painter, name == column.chosen)
        share = column.values.get(name)
        if share is None:
            self._write(painter, figure, NO_SUCH if column.values else "…", LEFT, colours.muted)
            return
        self._paint_bar(painter, track, share, name == column.chosen)
        self._write(painter, figure, f"{share:.1%}", LEFT, self._ink)
        first = self._columns[0].values.get(name)
        if place and first is not None:
            self._paint_difference(painter, track, figure.adjusted(room, 0, 0, 0), first, share)

    def _paint_bar(self, painter: QPainter, track: QRectF, share: float, chosen: bool) -> None:
        colours = theme.colours()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.raised))
        painter.drawRoundedRect(track, 3, 3)
        painter.setBrush(QColor(colours.accent if chosen and self.isEnabled() else colours.muted))
        painter.drawRoundedRect(QRectF(track.x(), track.y(), track.width() * share, track.height()), 3, 3)

    def _paint_difference(self, painter: QPainter, track: QRectF, place: QRectF, first: float, share: float) -> None:
        x = track.x() + track.width() * first
        painter.setPen(QPen(QColor(theme.colours().text), 2))
        painter.drawLine(QLineF(x, track.top() - 2, x, track.bottom() + 2))
        points = round(100 * share) - round(100 * first)
        if points:
            self._write(painter, place, f"{points:+d}".replace("-", "−"), LEFT, theme.colours().muted)

    @property
    def _ink(self) -> str:
        """Of names and figures: muted where they hold no more."""
        return theme.colours().text if self.isEnabled() else theme.colours().muted

    def _names_width(self) -> float:
        """As wide as the longest name in bold needs, within reason."""
        longest = max(map(self._bold_width, self._names), default=0.0)
        return min(longest + 10, self.width() * NAMES)

    def _bold_width(self, text: str) -> float:
        bold = self.font()
        bold.setBold(True)
        return QFontMetricsF(bold).horizontalAdvance(text)

    def _column(self, number: int) -> tuple[float, float]:
        """Left edge and width of a column of bars."""
        left, count = self._names_width() + GAP, len(self._columns)
        width = (self.width() - left - 4) / count
        return left + number * width, width - (GAP if count > 1 else 0)

    @staticmethod
    def _embolden(painter: QPainter, bold: bool) -> None:
        font = painter.font()
        font.setBold(bold)
        painter.setFont(font)

    @staticmethod
    def _write(painter: QPainter, place: QRectF, text: str, side: Qt.AlignmentFlag, colour: str) -> None:
        painter.setPen(QColor(colour))
        short = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(place.width()))
        painter.drawText(place, side | Qt.AlignmentFlag.AlignVCenter, short)

    @Slot()
    def _repaint(self) -> None:
        self.update()


def _exact(column: Column, name: str) -> str:
    return f"{column.values[name]:.2%}" if name in column.values else "–"
