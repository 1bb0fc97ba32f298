"""Which settings a run used, and in what they differ from others: for comparing runs, repeating one, its card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from ulmfit_core import config, reading
from ulmfit_core.config import Recipe
from ulmfit_core.errors import UserError
from ulmfit_core.project import INPUTS, Project

# The parts of the recipe that a step reads, beside those of the steps before it.
PARTS = {
    "import": ("data",),
    "vocab": ("vocab", "base"),
    "pretrain": ("pretrain", "model"),
    "finetune": ("finetune", "model", "base"),
    "classify": ("classify", "model", "base"),
    "evaluate": (),
}
# A job that is no step uses what this step uses.
USES_AS = {"predict": "evaluate", "find_lr": "classify"}
SECTIONS = ("data", "vocab", "model", "pretrain", "finetune", "classify")


@dataclass(frozen=True)
class Change:
    """One setting by its dotted name, with its values: one a recipe that was compared."""

    key: str
    values: tuple[Any, ...]

    @property
    def field(self) -> FieldInfo:
        return field_of(self.key)


def recipe_of(run: Path) -> Recipe:
    """The recipe of a run, by its folder. Raises UserError where it has settings that this program does not know."""
    path = run / "config.toml"
    try:
        return Recipe.model_validate(reading.toml(reading.text(path), path).get("recipe"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing, so nobody knows its settings. Restore it from a copy.") from None
    except ValidationError as error:
        where, _ = reading.first_of(error)
        raise UserError(f"{path}: another version of this program wrote the setting “{where}”.") from None


def step_of(job: str, options: dict[str, Any]) -> str:
    """The step whose settings a job uses: its own, or that of the stage in its options."""
    return options.get("stage") or USES_AS.get(job, job)


def steps_to(project: Project, step: str) -> list[str]:
    """The steps that `step` needs and that are part of the recipe, in their order, itself the last."""
    return [name for name in _all_to(step) if not project.skip_reason(name)]


def _all_to(step: str) -> list[str]:
    """Every step that `step` may need, in their order, itself the last."""
    before = [each for name in INPUTS[step] for each in _all_to(name)]
    return [*dict.fromkeys(before), step]


def keys_of(recipe: Recipe, step: str) -> list[str]:
    """The dotted names of all settings that a step's result depends on, those of the steps before it included."""
    steps = steps_to(Project(Path(), recipe), step)
    used = {part for name in (*steps, step) for part in PARTS[name]}
    keys = ["base"] if "base" in used else []
    for section in SECTIONS:
        if section in used:
            names = type(getattr(recipe, section)).model_fields
            keys += [f"{section}.{name}" for name in names if name not in config.OUTSIDE_FINGERPRINT]
        elif section in _all_to(step):
            keys.append(f"{section}.enabled")  # that it is left out matters too
    return keys


def field_of(key: str) -> FieldInfo:
    """The declaration of a setting."""
    model: type[BaseModel] = Recipe
    *path, name = key.split(".")
    for part in path:
        inner = model.model_fields[part].annotation
        assert isinstance(inner, type) and issubclass(inner, BaseModel)
        model = inner
    return model.model_fields[name]


def value_of(recipe: Recipe, key: str) -> Any:
    """A setting's value, of plain types (a table of phases is a list of dicts)."""
    value: Any = recipe
    for part in key.split("."):
        value = getattr(value, part)
    if isinstance(value, list):
        return [row.model_dump() if isinstance(row, BaseModel) else row for row in value]
    return value


def changes(recipes: list[Recipe], keys: list[str]) -> list[Change]:
    """Those of the settings `keys` that are not the same in all recipes."""
    found = [Change(key, tuple(value_of(recipe, key) for recipe in recipes)) for key in keys]
    return [change for change in found if any(value != change.values[0] for value in change.values)]


def with_settings(recipe: Recipe, other: Recipe, keys: list[str]) -> Recipe:
    """A copy of `recipe` that has the settings `keys` of `other`."""
    changed = recipe.model_copy(deep=True)
    for key in keys:
        config.set_value(changed, key, value_of(other, key))
    return changed


def in_words(value: Any) -> str:
    """A value as people read it: a table of phases by its size, nothing as a dash."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(in_words, value)) or "—"
    if isinstance(value, dict):
        return " · ".join(f"{name} {in_words(each)}" for name, each in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value) or "—"

