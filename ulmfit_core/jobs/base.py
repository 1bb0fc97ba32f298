"""Where the pretrained language model lies that a project starts from. Loads no torch."""

from __future__ import annotations

from pathlib import Path

from ulmfit_core.errors import UserError
from ulmfit_core.provenance import base_path


def base_folder(base: str) -> Path:
    """The folder of `starter` or of a bundle of the person's. Raises UserError where it holds no model."""
    folder = base_path(base)
    if not (folder / "model.json").exists():
        name = "The starter language model" if base == "starter" else f"The language model {base}"
        raise UserError(f"{name} is not there. Set the base to none, or to the folder of a bundle.")
    return folder
