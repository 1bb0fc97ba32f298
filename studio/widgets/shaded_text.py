"""A text whose words are shaded by a weight each: the more a word speaks for something, the stronger its colour.

What speaks against it has another colour and a dashed line below, so that no eye needs the colours alone. The text
stays plain: nothing in it is read as markup, and shading touches neither what is typed nor what can be undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from PySide6.QtCore import QEvent, Qt, Signal, Slot
from PySide6.QtGui import QColor, QMouseEvent, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit, QWidget

from studio import theme

# Blue and orange of the lines of plots: also eyes without red or green cones tell them apart.
FOR, AGAINST = 0, 1
STRONGEST = {"light": 0.42, "dark": 0.5}  # how much of its colour the heaviest word has; its letters stay readable
FAINTEST = 0.08  # of the heaviest weight; lighter words stay as they are
MOST_SHADED = 150  # words; each costs time at every key


class Share(Protocol):
    """Characters `start` to `end` of the text, and what they weigh: above 0 for, below 0 against."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def weight(self) -> float: ...


class ShadedText(QPlainTextEdit):
    """To be read, or to be typed in where `editable`. `hovered`: the number of the word that is pointed at, -1 none.

    That is the word under the mouse, or else the one that the text cursor is in or behind.
    """

    hovered = Signal(int)

    def __init__(self, name: str = "Text", editable: bool = False, parent: QWidget | None = None):
        super().__init__(parent)
        self._words: list[tuple[QTextCursor, float]] = []
        self._full = 0.0
        self._pointed, self._moused = -1, -1
        self.setAccessibleName(name)
        self.setTabChangesFocus(True)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        if not editable:
            self.setReadOnly(True)
            self.setTextInteractionFlags(
                Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
            )
        self.cursorPositionChanged.connect(self._point)
        theme.changed.connect(self._paint_words)

    def set_text(self, text: str, shares: Sequence[Share] = (), full: float = 0.0) -> None:
        """Show another text; `shares` are of its characters, and may overlap none. `full`: as of `shade`."""
        self.setPlainText(text)
        self.shade(text, shares, full)

    def shade(self, text: str, shares: Sequence[Share], full: float = 0.0) -> None:
        """Shade the words of the text that stands here anew; `text` is the one that the shares were found for.

        The heaviest word has the full colour, unless its weight is below `full`, where the colour is as strong as the
        weight is beside that. A word that is edited keeps its colour until it is shaded again.
        """
        self._full = full
        places = document_places(text)
        self._words = [(self._cursor(places[share.start], places[share.end]), share.weight) for share in shares]
        self._paint_words()
        self._pointed = -1
        self._point()

    @property
    def pointed(self) -> int:
        """The number of the word that is pointed at, -1 none."""
        return self._pointed

    def shading(self) -> list[tuple[str, float]]:
        """The shaded words as they stand there, with their weights: what a reader of the screen can be told."""
        return [(cursor.selectedText(), weight) for cursor, weight in self._words]

    def _cursor(self, start: int, end: int) -> QTextCursor:
        cursor = QTextCursor(self.document())
        cursor.setPosition(start)
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        return cursor

    @Slot()
    def _paint_words(self) -> None:
        heavy = sorted(self._words, key=lambda word: -abs(word[1]))[:MOST_SHADED]
        heaviest = max([self._full, *(abs(weight) for _, weight in heavy[:1])])
        selections = []
        for cursor, weight in heavy:
            if heaviest and abs(weight) >= FAINTEST * heaviest:
                one = QTextEdit.ExtraSelection()
                one.cursor, one.format = cursor, _format(weight / heaviest)
                selections.append(one)
        self.setExtraSelections(selections)

    # Pointing

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._moused = self._word_under(event)
        self._point()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._moused = -1
        self._point()

    @Slot()
    def _point(self) -> None:
        at = self._moused if self._moused >= 0 else self._word_at(self.textCursor().position())
        if at != self._pointed:
            self._pointed = at
            self.hovered.emit(at)

    def _word_under(self, event: QMouseEvent) -> int:
        """The word whose letters the mouse is over; beside a line there is none."""
        place = event.position().toPoint()
        at = self._word_at(self.cursorForPosition(place).position())
        return at if at >= 0 and self._covers(at, place.x(), place.y()) else -1

    def _covers(self, number: int, x: int, y: int) -> bool:
        """Whether a point is among the word's letters; a word that is broken over two lines is covered on both."""
        cursor = self._words[number][0]
        first, last = (self.cursorRect(self._cursor(at, at)) for at in (cursor.selectionStart(), cursor.selectionEnd()))
        if not first.top() <= y <= last.bottom():
            return False
        return first.top() != last.top() or first.left() <= x <= last.right()

    def _word_at(self, position: int) -> int:
        """The word that begins before `position` and reaches it, or else the one that begins there."""
        begins = -1
        for number, (cursor, _) in enumerate(self._words):
            if cursor.selectionStart() < position <= cursor.selectionEnd():
                return number
            if cursor.selectionStart() == position < cursor.selectionEnd():
                begins = number
        return begins


def document_places(text: str) -> list[int]:
    """The place in Qt's document of each character of `text`, and of its end.

    Qt counts a character beyond the basic plane as two, and takes a carriage return with its line feed for one.
    """
    places, place = [], 0
    for before, character in zip(["", *text], text):
        places.append(place)
        paired = before == "\r" and character == "\n"
        place += 0 if paired else 2 if character > "\uffff" else 1
    return [*places, place]


def colour(weight: float) -> QColor:
    """The colour of what speaks for (`weight` above 0) or against, as strong as the weight, which is -1 to 1."""
    shade = QColor(theme.line_colours()[FOR if weight > 0 else AGAINST])
    shade.setAlphaF(abs(weight) * STRONGEST[theme.current()])
    return shade


def _format(weight: float) -> QTextCharFormat:
    made = QTextCharFormat()
    made.setBackground(colour(weight))
    if weight < 0:
        made.setUnderlineStyle(QTextCharFormat.UnderlineStyle.DashUnderline)
        made.setUnderlineColor(QColor(theme.line_colours()[AGAINST]))
    return made
