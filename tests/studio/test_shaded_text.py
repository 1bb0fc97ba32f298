"""Words shaded by weight: the right letters, readable and told apart, pointed at by mouse and by keyboard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QTextCursor
from PySide6.QtTest import QTest

from studio import theme
from studio.widgets.shaded_text import ShadedText, colour, document_places
from tests.studio.test_theme import EYES, contrast, seen


@dataclass(frozen=True)
class Share:
    start: int
    end: int
    weight: float


def shares_of(text: str, **weights: float) -> list[Share]:
    return [Share(text.index(word), text.index(word) + len(word), weight) for word, weight in weights.items()]


@pytest.fixture
def part(qtbot) -> ShadedText:
    made = ShadedText(editable=True)
    qtbot.addWidget(made)
    made.resize(300, 120)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.mark.parametrize(
    "text",
    ["a great film", "\U0001f600\U0001f600 a great film", "a\r\n\r\ngreat\r\nfilm", "a\n<b>great</b> &amp; \tfilm"],
)
def test_the_letters_of_the_word_are_shaded(part, text):
    part.set_text(text, shares_of(text, great=1.0, film=-0.5))
    assert part.shading() == [("great", 1.0), ("film", -0.5)]
    assert {selection.cursor.selectedText() for selection in part.extraSelections()} == {"great", "film"}


def test_places_of_characters_in_the_document():
    assert document_places("") == [0]
    assert document_places("ab\U0001f600c") == [0, 1, 2, 4, 5]
    assert document_places("a\r\nb") == [0, 1, 2, 2, 3]


def test_light_words_stay_as_they_are_and_strength_follows_the_weight(part):
    text = "one two three"
    part.set_text(text, shares_of(text, one=2.0, two=-1.0, three=0.01))
    shaded = [selection.format.background().color() for selection in part.extraSelections()]
    assert len(shaded) == 2 and shaded[0].alphaF() == pytest.approx(2 * shaded[1].alphaF(), abs=0.01)
    strongest = shaded[0].alphaF()
    part.set_text(text, shares_of(text, one=2.0), full=8.0)
    (faint,) = (selection.format.background().color() for selection in part.extraSelections())
    assert faint.alphaF() == pytest.approx(strongest / 4, abs=0.01), "where no word counts much, colours are faint"
    part.set_text(text, shares_of(text, one=0.0))
    assert part.extraSelections() == [], "where no word counts none is shaded"


def test_of_a_long_text_the_heaviest_words_are_shaded(part, monkeypatch):
    monkeypatch.setattr("studio.widgets.shaded_text.MOST_SHADED", 2)
    text = "one two three"
    part.set_text(text, shares_of(text, one=0.5, two=-2.0, three=1.0))
    assert {selection.cursor.selectedText() for selection in part.extraSelections()} == {"two", "three"}
    assert len(part.shading()) == 3, "each can be pointed at"


def test_shading_touches_neither_text_nor_undo(qtbot, part):
    qtbot.keyClicks(part, "a great film")
    part.shade("a great film", shares_of("a great film", great=1.0))
    qtbot.keyClicks(part, " indeed")
    assert part.shading() == [("great", 1.0)]
    part.moveCursor(QTextCursor.MoveOperation.Start)
    qtbot.keyClicks(part, "such ")
    assert part.toPlainText() == "such a great film indeed"
    assert part.shading() == [("great", 1.0)], "the colour moves with its word"
    while part.document().isUndoAvailable():
        part.undo()
    assert part.toPlainText() == ""


def test_the_word_at_the_text_cursor_is_pointed_at(qtbot, part):
    text = "a great film"
    part.set_text(text, shares_of(text, a=0.1, great=1.0, film=-0.5))
    told = []
    part.hovered.connect(told.append)
    part.setFocus()
    for _ in range(len(text)):
        qtbot.keyClick(part, Qt.Key.Key_Right)
    assert part.pointed == 2 and told == [1, 2]
    part.moveCursor(QTextCursor.MoveOperation.Start)
    assert part.pointed == 0


def middle_of(part: ShadedText, start: int, end: int) -> QPoint:
    cursor = QTextCursor(part.document())
    cursor.setPosition(start)
    left = part.cursorRect(cursor)
    cursor.setPosition(end)
    return QPoint((left.left() + part.cursorRect(cursor).right()) // 2, left.center().y())


def test_the_word_under_the_mouse_goes_before_that_of_the_cursor(qtbot, part):
    text = "a great film"
    part.set_text(text, shares_of(text, a=0.1, great=1.0, film=-0.5))
    QTest.mouseMove(part.viewport(), middle_of(part, 8, 12))
    qtbot.waitUntil(lambda: part.pointed == 2, timeout=2000)
    QTest.mouseMove(part.viewport(), QPoint(280, 100))
    qtbot.waitUntil(lambda: part.pointed == 0, timeout=2000)  # beside the text: the cursor stands before “a”


def test_to_be_read_it_cannot_be_changed(qtbot):
    part = ShadedText()
    qtbot.addWidget(part)
    part.set_text("a great film")
    qtbot.keyClicks(part, "x")
    assert part.toPlainText() == "a great film"


@pytest.mark.parametrize("name", theme.THEMES)
@pytest.mark.parametrize("weight", [1.0, -1.0])
def test_the_darkest_shade_leaves_the_letters_readable(monkeypatch, name, weight):
    monkeypatch.setattr(theme, "_name", name)
    assert contrast(theme.THEMES[name].text, over_the_surface(colour(weight), name)) >= 4.5


@pytest.mark.parametrize("name", theme.THEMES)
@pytest.mark.parametrize("eye", EYES)
def test_for_and_against_are_told_apart_by_colour_blind_eyes(monkeypatch, name, eye):
    monkeypatch.setattr(theme, "_name", name)
    one, other = (seen(over_the_surface(colour(weight), name), eye) for weight in (1.0, -1.0))
    assert np.linalg.norm(one - other) >= 15


def over_the_surface(shade: QColor, name: str) -> str:
    ground, share = QColor(theme.THEMES[name].surface), shade.alphaF()
    mixed = [share * a + (1 - share) * b for a, b in zip(shade.getRgbF()[:3], ground.getRgbF()[:3], strict=True)]
    return QColor.fromRgbF(*mixed).name()


