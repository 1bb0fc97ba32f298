"""The sample project: happy and sad verses that ship with the program, copied into a project."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from resources import resource_path
from ulmfit_core import config, files, presets
from ulmfit_core.config import DataSettings, Recipe
from ulmfit_core.project import Project

# The sample has 30,000 words in all: few pieces, and many passes over them.
SETTINGS = {
    "vocab.size": 1500,
    "pretrain.epochs": 8,
    "pretrain.drop_mult": 0.3,
    "finetune.epochs": 10,
    "classify.epochs": 10,
    "classify.lr_max": 0.02,
    "classify.drop_mult": 0.7,
}
FILES = ("verses.csv", "lines.txt", "corpus.txt")


def default_folder() -> Path:
    """Where the sample project of this user lies."""
    return Path(platformdirs.user_data_dir("ulmfit-studio", appauthor=False)) / "sample"


def open_or_make(folder: Path | None = None) -> Project:
    """The sample project, made on first use. Raises UserError where it can be neither opened nor made."""
    folder = folder or default_folder()
    if (folder / "project.toml").is_file():
        return Project.open(folder)
    project = Project.create(folder, recipe())
    for name in FILES:  # copied, so that the project stands alone
        files.write_bytes(folder / "data" / name, resource_path(f"sample/{name}").read_bytes())
    return project


def recipe() -> Recipe:
    """Its files are named relative to the project's folder, which may be moved."""
    verses, lines, corpus = (f"data/{name}" for name in FILES)
    data = DataSettings(
        data=verses, text=["text"], label="label", split_column="split", unlabelled=lines, corpus=corpus
    )  # fmt: skip
    made = presets.apply_preset(Recipe(name="Happy and sad verses", data=data), "quick")
    for key, value in SETTINGS.items():
        config.set_value(made, key, value)
    return made
