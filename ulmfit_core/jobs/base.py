"""The pretrained language model that a project starts from: where it lies, and whether it suits. Loads no torch."""

from __future__ import annotations

from pathlib import Path

from ulmfit_core.config import STARTER
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project
from ulmfit_core.provenance import base_path

# What a new project begins with, in the window and on the command line. A recipe that does not say has no base.
BASE_OF_NEW = STARTER
LOOKED_AT = 500  # texts that say which language they are in
LONGEST = 2000  # characters of each


def base_folder(base: str) -> Path:
    """The folder of `starter` or of a bundle of the person's. Raises UserError where it holds no model."""
    folder = base_path(base)
    if not (folder / "model.json").exists():
        name = "The starter language model" if base == STARTER else f"The language model {base}"
        raise UserError(f"{name} is not there. Set the base to none, or to the folder of a bundle.")
    return folder


def starter_misfit(project: Project) -> str:
    """Why the starter is of little use for the imported texts; an empty string where it suits or is not the base.

    It reads up to 500 texts, spread over those that the language model may read: not for a window's main thread.
    """
    if project.recipe.base != STARTER or not (project.dataset_folder / "dataset.json").exists():
        return ""
    from ulmfit_core.data.dataset import Dataset
    from ulmfit_core.text.fit import fit
    from ulmfit_core.text.vocab import Vocabulary

    dataset = Dataset.open(project.dataset_folder)
    rows = dataset.lm_rows()
    texts = dataset.texts(rows[:: max(1, len(rows) // LOOKED_AT)][:LOOKED_AT])
    found = fit(Vocabulary.load(base_folder(STARTER)), [text[:LONGEST] for text in texts])
    if found.is_good:
        return ""
    return (
        "These texts do not look like English, which is all that the starter language model knows "
        f"({found.pieces_per_word:.1f} pieces a word where English has about 1.5; {found.unknown:.0%} unknown)."
    )
