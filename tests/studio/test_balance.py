"""The line that weighs rate, weight decay, batch and momentum: the formula's figure, beside that of the last run."""

from __future__ import annotations

import pytest

from studio.widgets.balance import BalanceHint, comparison, earlier_settings
from ulmfit_core import presets
from ulmfit_core.config import FinetuneSettings, Recipe


def settings(**values) -> FinetuneSettings:
    return FinetuneSettings(**{"lr_max": 0.01, "weight_decay": 0.1, "momentum": 0.9, "batch_size": 50, **values})


def test_the_value_is_told_with_what_it_was():
    told = comparison(settings(lr_max=0.02), settings(), "in the last run")
    assert "= 0.0004" in told and "0.0002" in told and "2 times what it was in the last run" in told


def test_changes_that_cancel_out_leave_it_the_same():
    assert "as in the last run" in comparison(settings(lr_max=0.02, batch_size=100), settings(), "in the last run")


@pytest.mark.parametrize(
    ("now", "before", "words"),
    [
        ({"batch_size": 0, "lr_max": 0.03}, {"batch_size": 0}, "3 times what it was in the last run"),
        ({"batch_size": 0}, {}, "set one to see the value"),
        ({}, {"batch_size": 0}, "nothing to compare"),
        ({"weight_decay": 0.0}, {}, "off, so it is 0"),
        ({}, {"weight_decay": 0.0}, "weight decay was off"),
    ],
)
def test_what_cannot_be_known_is_said(now, before, words):
    assert words in comparison(settings(**now), settings(**before), "in the last run")


def test_before_the_first_run_it_compares_with_the_preset_then_with_the_run(qtbot, project_session, write_run):
    project = project_session.project
    project_session.change("finetune.lr_max", 0.008)
    preset = presets.apply_preset(Recipe(), project.recipe.preset).finetune
    assert earlier_settings(project, "finetune") == (preset, f"in the preset “{project.recipe.preset}”")
    write_run(project, "finetune")
    assert earlier_settings(project, "finetune") == (project.recipe.finetune, "in the last run")
    project_session.change("finetune.lr_max", 0.002)
    hint = BalanceHint()
    qtbot.addWidget(hint)
    hint.show_for(project, "finetune")
    assert "0.25 times what it was in the last run" in hint.text() and "Smith 2018" in hint.text()
    project_session.change("finetune.phases", [{"epochs": 1}])
    hint.show_for(project, "finetune")
    assert "Each phase of the table" in hint.text()


def test_a_run_whose_settings_are_damaged_is_not_compared_with(project_session, write_run):
    folder = write_run(project_session.project, "finetune")
    (folder / "config.toml").write_text("= no settings")
    _, words = earlier_settings(project_session.project, "finetune")
    assert words.startswith("in the preset")
