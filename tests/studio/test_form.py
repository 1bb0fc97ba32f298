"""The form: built from declarations, applies what the model allows, says in words what it does not."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel

from studio.widgets.controls import ChoiceBox, NumberBox, TextBox, TickBox, share_text, shares
from studio.widgets.declared import GROUPS, LABELS, REST, grouped
from studio.widgets.form import Form
from ulmfit_core.config import (
    ClassifySettings,
    DataSettings,
    FinetuneSettings,
    ModelSettings,
    PhaseSettings,
    PretrainSettings,
    StageSettings,
    VocabSettings,
)


@pytest.fixture
def form(qtbot) -> Form:
    made = Form(FinetuneSettings())
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def type_into(qtbot, control, text: str) -> None:
    control.setFocus()
    control.selectAll()
    qtbot.keyClicks(control, text)


def changes_of(form: Form) -> list[tuple[str, object]]:
    heard: list[tuple[str, object]] = []
    form.changed.connect(lambda name, value: heard.append((name, value)))
    return heard


def test_every_knob_but_tables_has_a_control_of_its_kind(form):
    assert set(form.rows) == set(FinetuneSettings.model_fields) - {"phases"}
    kinds = {"lr_max": NumberBox, "epochs": NumberBox, "schedule": ChoiceBox, "variable_bptt": TickBox}
    assert {name: type(form.control(name)) for name in kinds} == kinds
    assert isinstance(Form(DataSettings()).control("text"), TextBox)


def test_help_label_and_names_come_from_the_declaration(form):
    row = form.rows["lr_max"]
    assert row.note.text() == "Highest learning rate, reached by the last layer group."
    assert form.control("lr_max").accessibleName() == "Highest learning rate"
    assert any(label.buddy() is form.control("lr_max") for label in form.findChildren(QLabel))
    assert "paper 3.2" in form.rows["layer_factor"].toolTip()


def test_advanced_knobs_are_folded_away_until_asked_for(qtbot, form):
    assert form.control("lr_max").isVisible()
    assert not form.control("beta2").isVisible()
    qtbot.mouseClick(form.advanced.heading, Qt.MouseButton.LeftButton)
    assert form.control("beta2").isVisible()


@pytest.mark.parametrize("typed", ["0.0001", "1e-4", " .0001 "])
def test_tiny_rates_are_taken_and_shown_in_full(qtbot, form, typed):
    heard = changes_of(form)
    type_into(qtbot, form.control("lr_max"), typed)
    qtbot.keyClick(form.control("lr_max"), Qt.Key.Key_Return)
    assert heard == [("lr_max", 0.0001)]
    assert form.control("lr_max").text() == "0.0001"


def test_whole_numbers_are_whole_and_carry_their_unit(qtbot, form):
    heard = changes_of(form)
    type_into(qtbot, form.control("epochs"), "7")
    qtbot.keyClick(form.control("epochs"), Qt.Key.Key_Return)
    assert heard == [("epochs", 7)] and isinstance(heard[0][1], int)
    assert form.control("epochs").text() == "7 epochs"
    type_into(qtbot, form.control("epochs"), "1")
    qtbot.keyClick(form.control("epochs"), Qt.Key.Key_Return)
    assert form.control("epochs").text() == "1 epoch"


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("lr_max", "0", "greater than 0"),
        ("lr_max", "101", "less than or equal to 100"),
        ("epochs", "2.5", "integer"),
        ("drop_mult", "plenty", "A number is needed here."),
    ],
)
def test_what_the_model_refuses_is_said_and_not_applied(qtbot, form, name, typed, words):
    heard = changes_of(form)
    before = form.control(name).read()
    type_into(qtbot, form.control(name), typed)
    assert words in form.rows[name].note.text()
    qtbot.keyClick(form.control(name), Qt.Key.Key_Return)
    assert heard == []
    assert form.control(name).read() == before
    assert words in form.rows[name].note.text(), "the reason must stay after the value went back"


def test_the_reason_goes_when_the_value_is_mended(qtbot, form):
    type_into(qtbot, form.control("lr_max"), "1000")
    type_into(qtbot, form.control("lr_max"), "0.01")
    assert "less than" not in form.rows["lr_max"].note.text()


def test_a_zero_that_is_no_quantity_is_a_word(form):
    assert form.control("batch_size").text() == "automatic"
    assert form.control("batch_size").read() == 0
    assert "“automatic” chooses" in form.rows["batch_size"].note.text()


def test_choices_are_told_by_value_not_by_title(qtbot, form):
    heard = changes_of(form)
    box = form.control("schedule")
    assert box.currentText() == "Slanted triangle"
    qtbot.keyClick(box, Qt.Key.Key_Down)
    assert heard == [("schedule", "one_cycle")]


def test_a_list_is_a_line_of_text(qtbot):
    form = Form(DataSettings())
    qtbot.addWidget(form)
    heard = changes_of(form)
    qtbot.keyClicks(form.control("text"), "title, body")
    qtbot.keyClick(form.control("text"), Qt.Key.Key_Return)
    assert heard == [("text", ["title", "body"])]


def test_the_wheel_turns_only_what_has_the_focus(qtbot, form):
    heard = changes_of(form)
    form.control("epochs").setFocus()
    for name in ("lr_max", "schedule"):
        wheel(form.control(name))
    assert heard == []
    wheel(form.control("epochs"))
    assert [name for name, _ in heard] == ["epochs"]


def wheel(control) -> None:
    middle = QPointF(control.rect().center())
    none, phase = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    turn = QWheelEvent(
        middle, control.mapToGlobal(middle), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton, none, phase, False
    )
    QApplication.sendEvent(control, turn)


def test_another_model_is_shown_without_signals(form):
    heard = changes_of(form)
    form.set_model(FinetuneSettings(lr_max=0.02, schedule="constant", variable_bptt=False))
    assert form.control("lr_max").read() == 0.02
    assert form.control("schedule").read() == "constant"
    assert form.control("variable_bptt").read() is False
    assert heard == []


def test_half_typed_text_survives_a_refresh(qtbot, form):
    type_into(qtbot, form.control("lr_max"), "0.00")
    form.set_model(FinetuneSettings())
    assert form.control("lr_max").text() == "0.00"


def test_chosen_names_come_first_and_in_that_order(qtbot):
    form = Form(ClassifySettings(), ["lr_max", "epochs"])
    qtbot.addWidget(form)
    assert list(form.rows)[:2] == ["lr_max", "epochs"]
    own = {"max_length", "head", "head_drop", "keep_best_by", "label_smoothing", "class_weights", "blend", "grow"}
    assert set(form.rows) == set(StageSettings.model_fields) - {"phases"} | own


@pytest.mark.parametrize(
    ("typed", "values"), [("1/6, 1/3, 1, 1", [1 / 6, 1 / 3, 1.0, 1.0]), ("0.5,2e-3", [0.5, 0.002]), ("", [])]
)
def test_shares_are_numbers_with_commas_between_them(qtbot, form, typed, values):
    form.set_model(FinetuneSettings(layer_shares=[0.25]))
    heard = changes_of(form)
    type_into(qtbot, form.control("layer_shares"), typed)
    if not typed:
        qtbot.keyClick(form.control("layer_shares"), Qt.Key.Key_Backspace)
    qtbot.keyClick(form.control("layer_shares"), Qt.Key.Key_Return)
    assert heard == [("layer_shares", values)]
    assert form.control("layer_shares").read() == values


def test_shares_that_are_no_numbers_are_said_and_not_applied(qtbot, form):
    heard = changes_of(form)
    type_into(qtbot, form.control("layer_shares"), "1/6, lots")
    assert "Numbers are needed" in form.rows["layer_shares"].note.text()
    qtbot.keyClick(form.control("layer_shares"), Qt.Key.Key_Return)
    assert heard == []


@pytest.mark.parametrize("value", [1 / 6, 1 / 3, 0.5, 1.0, 2.6**-3, 1e-7, 0.1 + 0.2])
def test_a_share_is_written_so_that_it_reads_back_the_same(value):
    assert shares(share_text(value)) == [value]


@pytest.mark.parametrize("kind", [PretrainSettings, FinetuneSettings, ClassifySettings])
def test_advanced_settings_stand_under_headings(qtbot, kind):
    made = Form(kind())
    qtbot.addWidget(made)
    headings = [label.text() for label in made.advanced.findChildren(QLabel) if label.property("role") == "group"]
    assert headings == [name for name in (*GROUPS, REST) if name in headings] and len(headings) > 3
    names = list(kind.model_fields)
    assert sorted(name for members in grouped(names).values() for name in members) == sorted(names)


def test_labels_and_headings_name_settings_that_exist():
    kinds = (PretrainSettings, FinetuneSettings, ClassifySettings, VocabSettings, ModelSettings, PhaseSettings)
    known = {name for kind in (*kinds, DataSettings) for name in kind.model_fields}
    assert {name for members in GROUPS.values() for name in members} <= known
    assert set(LABELS) <= known


def test_hidden_settings_do_not_count(qtbot, form):
    heading = form.advanced.heading
    before = heading.text()
    form.show_rows(["beta2", "nonmono"], False)
    assert heading.text() != before
    form.show_rows(["beta2", "nonmono"], True)
    assert heading.text() == before
