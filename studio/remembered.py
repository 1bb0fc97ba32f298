"""What the window remembers from one start to the next: its place on the screen, the theme, the folder last used.

One ini file in the user's configuration folder, beside the recent projects, on every system.
"""

from __future__ import annotations

from pathlib import Path

import platformdirs
from PySide6.QtCore import QSettings, QStandardPaths

FOLDER = "folder"


def settings() -> QSettings:
    """Texts and byte arrays only: from a file Qt gives back every other kind of value as text."""
    place = Path(platformdirs.user_config_dir("ulmfit-studio", appauthor=False)) / "window.ini"
    return QSettings(str(place), QSettings.Format.IniFormat)


def folder() -> str:
    """Where a dialog that asks for files begins: the folder last used, else the person's own."""
    last = settings().value(FOLDER, "")
    if isinstance(last, str) and last and Path(last).is_dir():
        return last
    return QStandardPaths.writableLocation(QStandardPaths.StandardLocation.HomeLocation)


def use_folder(chosen: str) -> None:
    """Begin there next time: the folder of a file that was chosen, or around a folder that was."""
    settings().setValue(FOLDER, str(Path(chosen).absolute().parent))


def start_at(known: str) -> str:
    """What a dialog shows first: the file that is chosen already, where it can be found, else `folder`."""
    return known if known and Path(known).is_absolute() and Path(known).exists() else folder()
