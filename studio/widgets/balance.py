"""The line under the settings that weighs rate, weight decay, batch and momentum against each other (Smith 2018)."""

from __future__ import annotations

import functools
from pathlib import Path

from pydantic import ValidationError
from PySide6.QtWidgets import QLabel

from ulmfit_core import presets, reading
from ulmfit_core.config import Recipe, StageSettings, regularisation
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project

TITLE = "<b>Regularisation</b> · learning rate × weight decay / (batch × (1 − momentum))"
EACH_ITS_OWN = "Each phase of the table has a learning rate of its own, and so a value of its own."
PURPOSE = "If you change one of the four, change another with it, so that this stays about the same (Smith 2018)."


class BalanceHint(QLabel):
    """What the settings come to, and what they came to before: in the last run, or in the preset."""

    def __init__(self) -> None:
        super().__init__(wordWrap=True)
        self.setProperty("role", "hint")
        self.setAccessibleName("Regularisation")

    def show_for(self, project: Project, step: str) -> None:
        if getattr(project.recipe, step).phases:
            self.setText(f"{TITLE}<br>{EACH_ITS_OWN}")
            return
        before, name = earlier_settings(project, step)
        self.setText(f"{TITLE}<br>{comparison(getattr(project.recipe, step), before, name)}<br>{PURPOSE}")


def comparison(now: StageSettings, before: StageSettings, name: str) -> str:
    """The value now and before. A batch that is chosen by the size of the data leaves only their ratio."""
    if not now.weight_decay:
        return "Weight decay is off, so it is 0."
    if now.batch_size and before.batch_size:
        return f"= {_value(now)}; {_times(now, before, name)}, where it was {_value(before)}."
    if now.batch_size:
        return f"= {_value(now)}. The batch size {name} was automatic, so there is nothing to compare it with."
    if before.batch_size:
        return f"The batch size is automatic: set one to see the value. {name.capitalize()} it was {_value(before)}."
    return f"{_times(now, before, name).capitalize()}. Set a batch size to see the value."


def _value(settings: StageSettings) -> str:
    return f"{regularisation(settings, settings.batch_size):.2g}"


def _times(now: StageSettings, before: StageSettings, name: str) -> str:
    was = regularisation(before, before.batch_size or 1)
    if not was:
        return f"{name} weight decay was off"
    ratio = regularisation(now, now.batch_size or 1) / was
    return f"as {name}" if abs(ratio - 1) < 0.005 else f"{ratio:.2g} times what it was {name}"


def earlier_settings(project: Project, step: str) -> tuple[StageSettings, str]:
    """The settings of the step's newest run, else those of the project's preset; and what to call that."""
    in_last_run = _settings_of_last_run(project, step)
    if in_last_run:
        return in_last_run, "in the last run"
    known = project.recipe.preset in presets.PRESETS
    recipe = presets.apply_preset(Recipe(), project.recipe.preset) if known else Recipe()
    return getattr(recipe, step), f"in the preset “{project.recipe.preset}”" if known else "by default"


def _settings_of_last_run(project: Project, step: str) -> StageSettings | None:
    """None without a run, and where its settings are damaged or of another version of the program."""
    last = next(project.runs_of(step), None)
    if last is None:
        return None
    kind = type(getattr(project.recipe, step))
    try:
        settings: StageSettings = kind.model_validate(_recipe_of(last.folder).get(step))
    except (ValidationError, UserError):
        return None
    return settings


@functools.lru_cache(maxsize=8)
def _recipe_of(folder: Path) -> dict[str, dict[str, object]]:
    """What a run was started with; it never changes."""
    path = folder / "config.toml"
    return reading.fitting(reading.toml(reading.text(path), path).get("recipe"), reading.Record, path)
