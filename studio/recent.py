"""The projects opened lately, newest first, in a JSON file of the user's configuration folder."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import platformdirs

from ulmfit_core import files

KEPT = 10


def path() -> Path:
    return Path(platformdirs.user_config_dir("ulmfit-studio", appauthor=False)) / "recent.json"


def listed() -> list[Path]:
    """All folders of the list, those that are missing now too. A damaged list counts as empty."""
    try:
        return [Path(name) for name in json.loads(path().read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def projects() -> list[Path]:
    """The folders that still are projects."""
    return [folder for folder in listed() if not missing(folder)]


def missing(folder: Path) -> str:
    """Why that project cannot be opened, or an empty string."""
    if (folder / "project.toml").is_file():
        return ""
    return "it is no project any more" if folder.is_dir() else "the folder is not there"


def add(folder: Path) -> None:
    """Put a project first."""
    _keep([folder, *(other for other in listed() if other != folder)])


def forget(folder: Path) -> None:
    """Take a project off the list; the project itself stays."""
    _keep([other for other in listed() if other != folder])


def _keep(folders: list[Path]) -> None:
    """A configuration folder that cannot be written costs the list, not the work."""
    with contextlib.suppress(OSError):
        files.clear_abandoned(path().parent)
        files.write_json(path(), [str(folder) for folder in folders[:KEPT]])
