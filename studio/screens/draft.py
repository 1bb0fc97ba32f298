"""What is chosen on the Data screen before it is imported: what the file is found to be, and guesses taken over."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from studio.screens.reading import KNOBS, Look
from studio.screens.summary import settings_of
from ulmfit_core import files
from ulmfit_core.config import DataSettings
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project, RunInfo

LOOKED_AT = 1000  # rows: a file that is sorted by class shows more than one of them
COLUMNS = ("label", "id_column", "split_column", "group_column")
LISTS = ("text", "keep")  # of columns


def look_at(project: Project | None, settings: DataSettings) -> Look:
    """The first rows of the chosen file, and what there is to choose in it; takes a moment, off the main thread."""
    from ulmfit_core.data import readers  # brings pyarrow, which the first paint need not wait for
    from ulmfit_core.jobs.import_data import locate

    path = (locate(project, settings.data) if project else None) or Path(settings.data)
    members, sheets = list[str](), list[str]()
    try:
        members, sheets = readers.choices(path, settings)
        return Look(told_apart(readers.preview(path, settings, LOOKED_AT)), "", members, sheets)
    except UserError as error:
        return Look(None, str(error), members, sheets, there=files.at_home(path).exists())


def told_apart(preview: Any) -> Any:
    """The preview with columns of one name known by their numbers, as columns without a name are."""
    count = Counter(preview.columns)
    keys = [name if count[name] == 1 else str(place) for place, name in enumerate(preview.columns, start=1)]
    known = {"": "", **dict(zip(preview.columns, keys))}
    guesses = {name: known[getattr(preview, name)] for name in ("label", "split", "id", "group")}
    return replace(preview, columns=keys, text=[known[name] for name in preview.text], **guesses)


def by_name(settings: DataSettings, columns: list[str]) -> DataSettings:
    """The settings with columns named that they give by number."""

    def named(column: str) -> str:
        by_number = column.isdigit() and column not in columns and 1 <= int(column) <= len(columns)
        return columns[int(column) - 1] if by_number else column

    others = {name: named(getattr(settings, name)) for name in COLUMNS}
    lists = {name: [named(column) for column in getattr(settings, name)] for name in LISTS}
    return settings.model_copy(update={**lists, **others})


def unknown(knobs: dict[str, Any]) -> dict[str, Any]:
    """What is to be guessed for another file: how it is read and what its columns mean, unless `knobs` says it."""
    blank = DataSettings()
    names = [name for name in (*LISTS, *COLUMNS, *KNOBS) if name not in knobs]
    return {name: getattr(blank, name) for name in names}


def guessed(preview: Any) -> dict[str, Any]:
    """What the columns of a file seem to mean, as settings."""
    return {
        "text": list(preview.text), "label": preview.label, "id_column": preview.id, "split_column": preview.split,
    }  # fmt: skip


def with_guesses(settings: DataSettings, preview: Any, before: Any) -> DataSettings:
    """The settings for the columns of `preview`: what the person chose as far as it is there, else what is guessed.

    `before` is the preview that the settings were guessed from, if any.
    """
    settings = by_name(settings, preview.columns)
    settings = settings.model_copy(update={"keep": [name for name in settings.keep if name in preview.columns]})
    guess, columns = guessed(preview), ("", *preview.columns)
    untouched = before and all(getattr(settings, name) == value for name, value in guessed(before).items())
    if untouched or not settings.text or not set(settings.text) <= set(columns):
        return settings.model_copy(update=guess)
    gone = {name for name in COLUMNS if getattr(settings, name) not in columns}
    return settings.model_copy(update={name: guess.get(name, "") for name in gone})


def chosen_for(run: RunInfo, project: Project) -> DataSettings:
    """What was chosen for an import, as its run remembers it; what the project has where another version wrote it."""
    return settings_of(run) or project.recipe.data


def cut_off_sentence(project: Project, settings: DataSettings) -> str:
    done = "What was imported before is untouched. " if (project.dataset_folder / "dataset.json").exists() else ""
    return (
        f"The import of {Path(settings.data).name} was cut off before its end. {done}"
        "What was chosen for it stands here again: import it again, or change it first."
    )
