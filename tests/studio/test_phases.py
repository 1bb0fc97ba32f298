"""The table of phases: filled from a way of unfreezing, edited by keyboard, its words the plan's own."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication

from studio.widgets.phases import EMPTY, REPLACES, PhaseTable
from ulmfit_core.config import ClassifySettings, PhaseSettings, planned_phases
from ulmfit_core.training.plan import make_plan

GROUPS = ["embedding", "rnn1", "rnn2", "rnn3", "head"]


@pytest.fixture
def settings() -> ClassifySettings:
    return ClassifySettings(epochs=4, frozen_epochs=2, lr_max=0.02)


@pytest.fixture
def table(qtbot, settings) -> PhaseTable:
    """Applies what it is told, as the screen does."""
    made = PhaseTable()
    qtbot.addWidget(made)
    made.resize(760, 320)
    made.set_settings(settings, GROUPS)

    def apply(name: str, rows: list[PhaseSettings]) -> None:
        setattr(settings, name, rows)
        made.set_settings(settings, GROUPS)

    made.changed.connect(apply)
    made.show()
    qtbot.waitExposed(made)
    return made


def titles(table: PhaseTable) -> list[str]:
    return [table.control(row, "groups").currentText() for row in range(table.table.rowCount())]


@pytest.mark.parametrize("unfreezing", ["last", "gradual", "chain", "all"])
def test_filling_gives_the_phases_of_that_way_in_the_plans_words(table, settings, unfreezing):
    planned = planned_phases(settings.model_copy(update={"unfreezing": unfreezing}), len(GROUPS))
    table.fill(unfreezing)
    assert planned_phases(settings, len(GROUPS)) == planned
    plan = make_plan(settings, GROUPS, lambda epoch: 3)
    assert titles(table) == [phase.title for phase in plan.phases]
    assert table.note.text() == REPLACES


def test_filling_from_the_settings_takes_their_epochs_and_rate(table, settings):
    table.fill_button.menu().actions()[0].trigger()
    assert [row.epochs for row in settings.phases] == [2, 2, 2, 2, 4]
    assert {row.lr_max for row in settings.phases} == {0.02}
    assert titles(table)[0] == "Only head" and titles(table)[-1] == "All layers"
    assert titles(table)[1] == "rnn3 and above"


def test_rows_are_added_moved_and_removed_by_keyboard(qtbot, table, settings):
    assert table.note.text() == EMPTY and not table.remove_button.isEnabled()
    for _ in range(2):
        qtbot.keyClick(table.add_button, Qt.Key.Key_Space)
    assert len(settings.phases) == 2
    table.control(1, "epochs").setFocus()
    table.control(1, "epochs").selectAll()
    qtbot.keyClicks(table.control(1, "epochs"), "7")
    qtbot.keyClick(table.control(1, "epochs"), Qt.Key.Key_Return)
    assert [row.epochs for row in settings.phases] == [1, 7]
    assert table.up_button.isEnabled() and not table.down_button.isEnabled()
    qtbot.keyClick(table.up_button, Qt.Key.Key_Space)
    assert [row.epochs for row in settings.phases] == [7, 1]
    assert table.table.currentRow() == 0, "the moved row stays marked"
    qtbot.keyClick(table.remove_button, Qt.Key.Key_Space)
    assert [row.epochs for row in settings.phases] == [1]
    qtbot.keyClick(table.remove_button, Qt.Key.Key_Space)
    assert settings.phases == [] and table.note.text() == EMPTY


def test_what_is_refused_is_said_and_nothing_is_lost(qtbot, table, settings):
    table.fill("last")
    before = list(settings.phases)
    box = table.control(0, "lr_max")
    box.setFocus()
    box.selectAll()
    qtbot.keyClicks(box, "101")
    assert "Phase 1" in table.note.text() and "less than or equal to 100" in table.note.text()
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert settings.phases == before and box.read() == before[0].lr_max


def test_every_choice_of_groups_reads_back_as_it_was_chosen(qtbot, table, settings):
    table.fill("all")
    box = table.control(0, "groups")
    for index in range(box.count()):
        box.setCurrentIndex(index)
        box.activated.emit(index)
        plan = make_plan(settings, GROUPS, lambda epoch: 3)
        assert plan.phases[0].title == box.currentText()
    assert settings.phases[0].alone, "the last choices train one group alone"


def test_the_row_with_the_focus_is_marked_and_all_cells_are_named(qtbot, table):
    table.resize(500, 190)
    table.fill("gradual")
    table.control(3, "schedule").setFocus()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is table.control(3, "schedule"))
    assert table.table.currentRow() == 3
    place = table.control(3, "schedule").mapTo(table.table.viewport(), QPoint(0, 0))
    assert table.table.viewport().rect().contains(place), "Tab leads to no hidden row"
    assert table.control(3, "schedule").accessibleName() == "Phase 4: Learning-rate schedule"


def test_a_smaller_model_keeps_the_rows(table, settings):
    table.fill("gradual")
    rows = list(settings.phases)
    table.set_settings(settings, ["embedding", "rnn1", "head"])
    assert titles(table) == ["Only head", "rnn1 and above", "All layers", "All layers", "All layers"]
    assert settings.phases == rows


@pytest.mark.parametrize("width", [560, 900])
def test_the_words_for_what_is_trained_have_room(qtbot, table, width):
    table.fill("gradual")
    table.resize(width, 320)
    box = table.control(1, "groups")
    qtbot.waitUntil(lambda: box.width() >= box.sizeHint().width())
