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


def projects() -> list[Path]:
    """The folders that still are projects. A damaged list counts as empty."""
    try:
        names = json.loads(path().read_text(encoding="utf-8"))
        folders = [Path(name) for name in names]
    except (OSError, ValueError, TypeError):
        return []
    return [folder for folder in folders if (folder / "project.toml").is_file()]


def add(folder: Path) -> None:
    """Put a project first. A configuration folder that cannot be written costs the list, not the work."""
    kept = [folder, *(other for other in projects() if other != folder)][:KEPT]
    with contextlib.suppress(OSError):
        files.write_json(path(), [str(other) for other in kept])
