"""Bars of labels: the likeliest first, models side by side, rows chosen by mouse and by keyboard."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor

from studio import theme
from studio.widgets.compared_bars import MOST_COMPARED, Column, ComparedBars

ELIDE = Qt.TextElideMode.ElideRight
OWN = Column("This one", {"glad": 0.7, "cross": 0.3}, "glad")
OTHER = Column("Another", {"glad": 0.2, "cross": 0.1, "bored": 0.7}, "bored")


@pytest.fixture
def bars(qtbot) -> ComparedBars:
    made = ComparedBars("Probability of each label")
    qtbot.addWidget(made)
    made.resize(400, 300)
    made.show()
    return made


def test_the_likeliest_of_any_model_come_first(bars):
    bars.show_columns([OWN])
    assert bars.names == ["glad", "cross"] and bars.accessibleDescription() == "glad 70%, cross 30%"
    bars.show_columns([OWN, OTHER])
    assert bars.names == ["glad", "bored", "cross"]
    assert bars.accessibleDescription() == "This one: glad 70%, cross 30%; Another: glad 20%, bored 70%, cross 10%"
    bars.show_columns([])
    assert bars.names == [] and bars.accessibleDescription() == ""


def test_of_many_labels_only_the_likeliest_are_listed_and_the_rest_counted(bars):
    many = Column("", {f"class {number}": number / 1000 for number in range(30)})
    bars.show_columns([many])
    assert bars.names[:2] == ["class 29", "class 28"] and len(bars.names) == 8 and bars.rest == 22
    alone = bars.sizeHint().height()
    bars.show_columns([many, many])
    assert len(bars.names) == MOST_COMPARED < 8 and bars.sizeHint().height() < 2 * alone


@pytest.mark.parametrize("columns", [[OWN], [OWN, OTHER]])
def test_the_largest_figure_is_written_whole(bars, columns, monkeypatch):
    sure = Column("Sure", {"glad": 1.0}, "glad")
    written = []
    elided = ComparedBars._write
    monkeypatch.setattr(
        ComparedBars, "_write",
        staticmethod(lambda painter, place, text, *how: (
            written.append((text, painter.fontMetrics().elidedText(text, ELIDE, int(place.width())))),
            elided(painter, place, text, *how),
        )),
    )  # fmt: skip
    bars.show_columns([sure, *columns[1:]])
    bars.grab()
    assert ("100.0%", "100.0%") in written


def test_while_disabled_all_is_muted(bars):
    bars.show_columns([OWN])
    colours = [theme.colours().accent, theme.colours().text]
    for usable in (True, False):
        bars.setEnabled(usable)
        image = bars.grab().toImage()
        seen = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())}
        assert (QColor(colours[0]).name() in seen) is usable


def test_a_click_chooses_the_row(qtbot, bars):
    bars.show_columns([OWN, OTHER])
    for name in ("cross", "bored"):
        with qtbot.waitSignal(bars.chosen) as told:
            qtbot.mouseClick(bars, Qt.MouseButton.LeftButton, pos=bars.row_place(name).toPoint())
        assert told.args == [name]


def test_the_keyboard_goes_from_row_to_row(qtbot, bars):
    bars.show_columns([OWN])
    chosen = []
    bars.chosen.connect(chosen.append)
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Down, Qt.Key.Key_Space, Qt.Key.Key_Down, Qt.Key.Key_Enter, Qt.Key.Key_Up):
        qtbot.keyClick(bars, key)
    qtbot.keyClick(bars, Qt.Key.Key_Return)
    assert chosen == ["glad", "cross", "cross", "glad"]
    bars.show_columns([])
    qtbot.keyClick(bars, Qt.Key.Key_Return)
    assert len(chosen) == 4, "without rows nothing is chosen"


@pytest.mark.parametrize("columns", [[OWN], [OWN, OTHER], [OWN, Column("Slow", {}), OTHER]])
@pytest.mark.parametrize("width", [200, 330, 700])
def test_bars_stay_in_their_columns_at_any_width(bars, columns, width):
    bars.resize(width, 300)
    bars.show_columns(columns, "glad")
    assert not bars.grab().isNull()
    places = [bars._column(number) for number in range(len(columns))]
    assert all(wide > 20 for _, wide in places)
    assert places[-1][0] + places[-1][1] <= width
    assert all(left + wide <= after for (left, wide), (after, _) in zip(places, places[1:], strict=False))
