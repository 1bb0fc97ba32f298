"""Which file serves for what: a line for each chosen file, whose place among the others can be changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from studio import theme
from studio.plain import tip
from studio.widgets.controls import ChoiceBox
from ulmfit_core import files
from ulmfit_core.config import DataSettings

NAME_WIDTH = 150
PLACES = {
    "data": "Labelled texts",
    "more": "More labelled texts",
    "valid": "Validation",
    "test": "Test",
    "unlabelled": "Unlabelled texts",
    "corpus": "General text",
    "labels_file": "Labels by line",
}
MEANINGS = {
    "data": "The texts to learn from, each with its label.",
    "more": "Further texts with labels, in the same columns; read after the others.",
    "valid": "Rows by which the best epoch is chosen; the model does not learn from them.",
    "test": "Rows that measure the result at the end; the model never learns from them.",
    "unlabelled": "More texts of the same kind without labels; they teach the language model.",
    "corpus": "Text about anything, to learn the language from first.",
    "labels_file": "One label a line, for the text in the same line of the labelled texts.",
}


def places_of(settings: DataSettings) -> dict[str, str]:
    """The place of each chosen file, in the order of PLACES."""
    found: dict[str, str] = {}
    for place in PLACES:
        value = getattr(settings, place)
        for path in value if isinstance(value, list) else [value]:
            if path:
                found.setdefault(path, place)
    return found


def knobs_of(places: dict[str, str]) -> dict[str, Any]:
    """The settings that say so; a place for one file that is given twice is the last one's."""
    knobs: dict[str, Any] = {place: [] if place == "more" else "" for place in PLACES}
    for path, place in places.items():
        if place == "more":
            knobs["more"].append(path)
        else:
            knobs[place] = path
    if not knobs["data"] and knobs["more"]:
        knobs["data"] = knobs["more"].pop(0)
    return knobs


def moved(settings: DataSettings, path: str, place: str) -> dict[str, Any]:
    """The settings once a file is in another place; the file that was there comes to where this one was."""
    places = places_of(settings)
    before = places.pop(path)
    there = [other for other, where in places.items() if where == place != "more"]
    return knobs_of(places | dict.fromkeys(there, before) | {path: place})


def sorted_in(settings: DataSettings, dropped: list[str], folder: Path) -> dict[str, Any]:
    """The settings once these files are sorted in beside what is chosen; what was placed by hand stays there.

    `folder` is the project's, from which chosen files may be named. Takes a moment: call it off the main thread.
    Raises UserError naming a file that fits nowhere.
    """
    from ulmfit_core.data.roles import roles_of  # brings pyarrow, which the first paint need not wait for

    beside = folder / files.at_home(settings.data)
    known = {str(beside if beside.exists() else files.at_home(settings.data)): settings.data}
    found = roles_of([Path(path) for path in [*(known if settings.data else ()), *dropped]])
    places = places_of(settings)
    for place, paths in found.items():
        for path in paths if isinstance(paths, list) else [paths]:
            places[known.get(path, path)] = place
    return knobs_of(places)


def without(settings: DataSettings, path: str) -> dict[str, Any]:
    return knobs_of({other: place for other, place in places_of(settings).items() if other != path})


class Places(QWidget):
    """`moved(path, place)` and `removed(path)`: what the person wants done with one file."""

    moved = Signal(str, str)
    removed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, Line] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, theme.SMALL, 0, 0)
        self._column.setSpacing(theme.SMALL)
        self._column.addWidget(QLabel("What each file is for"))

    def set_settings(self, settings: DataSettings) -> None:
        """Shown where there are several files; each keeps its line when its place changes."""
        places = places_of(settings)
        for path in [path for path in self.lines if path not in places]:
            self.lines.pop(path).deleteLater()
        for path, place in places.items():
            if path not in self.lines:
                self._add(path)
            self.lines[path].place.write(place)
        self.setVisible(len(places) > 1)

    def order_tabs(self, before: QWidget) -> None:
        """Lines that come later stand behind everything in the chain of Tab: put them behind `before`."""
        for line in self.lines.values():
            for control in (line.place, line.remove):
                QWidget.setTabOrder(before, control)
                before = control

    def _add(self, path: str) -> None:
        line = self.lines[path] = Line(path)
        line.moved.connect(self.moved)
        line.removed.connect(self.removed)
        self._column.addWidget(line)


class Line(QWidget):
    """Name of a file, its place, and a cross that takes it out."""

    moved = Signal(str, str)
    removed = Signal(str)

    def __init__(self, path: str):
        super().__init__()
        self._path = path
        name = Path(path).name
        self.name = QLabel(self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, NAME_WIDTH))
        self.name.setTextFormat(Qt.TextFormat.PlainText)  # names of files stay what they are
        self.name.setToolTip(tip(path))
        self.place = ChoiceBox(PLACES, PLACES)
        self.place.setAccessibleName(f"What {name} is for")
        for index, meaning in enumerate(MEANINGS.values()):
            self.place.setItemData(index, meaning, Qt.ItemDataRole.ToolTipRole)
        self.place.setToolTip("What this file is for. A file that is there already changes places with it.")
        self.remove = QToolButton()
        self.remove.setText("✕")
        self.remove.setAccessibleName(f"Leave out {name}")
        self.remove.setToolTip(tip(f"Leave out {name}; the file itself stays where it is."))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SMALL)
        layout.addWidget(self.name, 1)
        layout.addWidget(self.place)
        layout.addWidget(self.remove)
        self.place.chosen.connect(self._tell_place)
        self.remove.clicked.connect(self._tell_removal)

    def _tell_place(self, place: str) -> None:
        self.moved.emit(self._path, place)

    def _tell_removal(self) -> None:
        self.removed.emit(self._path)
