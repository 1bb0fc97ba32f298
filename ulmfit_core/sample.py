"""The sample projects: texts that ship with the program, copied into a project of their own each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from resources import resource_path
from ulmfit_core import config, files, presets
from ulmfit_core.config import DataSettings, Recipe
from ulmfit_core.errors import UserError
from ulmfit_core.jobs.base import BASE_OF_NEW
from ulmfit_core.project import Project, refuse_if_in_use


@dataclass(frozen=True)
class Sample:
    """One sample: its sentence for people, the folder of its project and what its recipe consists of.

    `data` names the resource that each file of the data settings is copied from; the copy has its last name.
    """

    title: str
    meaning: str
    folder: str
    data: dict[str, str]
    label: str
    settings: dict[str, Any]


# Each has some 20,000 words in all: many passes over them, from the starter's knowledge of English.
FEW_WORDS: dict[str, Any] = {
    "finetune.epochs": 6,
    "finetune.drop_mult": 0.3,
    "classify.epochs": 10,
}
SAMPLES = {
    "support": Sample(
        "Support messages",
        "Must somebody see to a message to customer support today, or can it wait? It shows the whole way in minutes.",
        "sample-support",
        {"data": "support/messages.csv", "unlabelled": "support/unlabelled.txt"},
        "urgency",
        FEW_WORDS,
    ),
    "verses": Sample(
        "Happy and sad verses",
        "Is a short verse happy or sad? A hard one: the mood is seldom in single words.",
        "sample",
        {"data": "sample/verses.csv", "unlabelled": "sample/lines.txt"},
        "label",
        FEW_WORDS,
    ),
}
DEFAULT = "support"


def named(name: str) -> Sample:
    """The sample of that name. Raises UserError if there is none."""
    if name not in SAMPLES:
        raise UserError(f"There is no sample “{name}”. Choose one of: {', '.join(SAMPLES)}.")
    return SAMPLES[name]


def default_folder(name: str = DEFAULT) -> Path:
    """Where this user's project of a sample lies."""
    return Path(platformdirs.user_data_dir("ulmfit-studio", appauthor=False)) / named(name).folder


def open_or_make(folder: Path | None = None, name: str = DEFAULT) -> Project:
    """The project of a sample, made on first use; a folder that is a project already is opened as it is.

    Raises UserError where it can be neither opened nor made, or there is no sample of that name.
    """
    folder = files.at_home(folder or default_folder(name)).absolute()
    try:
        if not _is_made(folder):
            refuse_if_in_use(folder)
            _make(folder, name)
    except OSError as error:
        if not _is_made(folder):  # else another process was faster
            raise UserError(files.told(error)) from None
    return Project.open(folder)


def _is_made(folder: Path) -> bool:
    return os.path.isfile(folder / "project.toml")


def _make(folder: Path, name: str) -> None:
    """In one piece: a project without its data would be opened as it is from then on."""
    with files.replacing_folder(folder, replace=folder.exists()) as fresh:
        for source in named(name).data.values():  # copied, so that the project stands alone
            files.write_bytes(fresh / _copy_of(source), resource_path(source).read_bytes())
        Project(fresh, recipe(name)).save()


def recipe(name: str = DEFAULT) -> Recipe:
    """A sample's recipe. Its files are named relative to the project's folder, which may be moved."""
    sample = named(name)
    data = DataSettings(text=["text"], label=sample.label, split_column="split")
    made = presets.apply_preset(Recipe(name=sample.title, base=BASE_OF_NEW, data=data), "quick")
    places = {f"data.{place}": _copy_of(source) for place, source in sample.data.items()}
    for key, value in (places | sample.settings).items():
        config.set_value(made, key, value)
    return made


def _copy_of(source: str) -> str:
    return f"data/{Path(source).name}"
