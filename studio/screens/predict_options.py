"""The left side of the Predict screen: which file, what its columns mean, where the answers go, how they are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QScrollArea, QVBoxLayout, QWidget

from studio import remembered, theme
from studio.screens.columns import Columns
from studio.screens.reading import Look, Reading
from studio.widgets.card import card, line
from studio.widgets.controls import ChoiceBox, TickBox
from studio.widgets.fold_card import FoldCard
from studio.widgets.labelled import labelled
from studio.widgets.path_field import PathField
from ulmfit_core import files
from ulmfit_core.config import DataSettings

WIDTH = 384
FORMATS = {
    ".csv": "Table for spreadsheets (CSV)",
    ".jsonl": "One JSON object a line",
    ".parquet": "Parquet table",
}
FILE = "A table, spreadsheet, JSON, text or database file. Its texts need no labels. Drop it anywhere on this page."
KNOWN_LABELS = "Only if the file has labels: it is told how often the answers are the same."
KEEP = "Keep the other columns beside the answers"
KEEP_TIP = "Copies every other column of your file into the answers. The text itself is always in them."
FAST = "Read faster, with rounded weights"
FAST_NOTE = "About 1.4 times as fast at the usual size, more with large networks; a few answers may differ."
FAST_TIP = "The model's weights are rounded to 8 bits, which a processor reads faster. A few answers may differ."


def proposed(data: str, ending: str) -> str:
    """Where the answers go if the person says nothing: beside the input."""
    path = files.at_home(data).absolute()
    name = path.name if path.is_dir() else path.name.split(".")[0] or path.name
    return str(path.with_name(f"{name}-answers{ending}"))


class SaveField(PathField):
    """The path of a file that is yet to be written."""

    def __init__(self, name: str, kinds: str):
        super().__init__(name, kinds=kinds)
        self.edit.setPlaceholderText("Path of the file with the answers")
        self.browse.setToolTip("Choose folder and name in a dialog.")
        self.setAcceptDrops(False)  # a file that is dropped is one to read

    @Slot()
    def _browse_file(self) -> None:
        start = self.path() or remembered.folder()
        path, _ = QFileDialog.getSaveFileName(self, self._name, start, self._kinds)
        if path:
            remembered.use_folder(path)
            self.choose(path)


class Options(QScrollArea):
    """`changed(knobs)`: DataSettings that the person set, `data` among them. `place_changed`: where the answers go."""

    changed = Signal(dict)
    place_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._proposed = ""
        self._look = Look()
        self.file = PathField("File to answer", folders=True)
        self.reading = Reading()
        self.columns = Columns(KNOWN_LABELS)
        kinds = ";;".join(f"{title} (*{ending})" for ending, title in FORMATS.items())
        self.out = SaveField("Where to save the answers", kinds)
        self.format = ChoiceBox(FORMATS, FORMATS)
        self.keep, self.fast = TickBox(), TickBox()
        self._name_all()
        self._lay_out()
        self._connect()
        self.set_columns([])

    def options(self) -> dict[str, Any]:
        """What the job is told of where and how, besides what it reads."""
        return {
            "out": files.at_home(self.out.path()),
            "keep": ["all"] if self.keep.read() else [],
            "eight_bits": self.fast.read(),
        }

    # Showing

    def set_settings(self, settings: DataSettings, look: Look) -> None:
        self.file.set_path(settings.data)
        self.reading.set_look(settings, look)
        self.columns.set_settings(settings)
        self.about.setVisible(not settings.data)
        self.reading_card.setVisible(bool(settings.data) and self.reading.has_something())
        self.answers_card.setVisible(bool(settings.data))
        if look is not self._look:
            self._look = look
            if look.members or look.sheets or look.refusal:
                self.reading_card.open()

    def set_columns(self, columns: list[str]) -> None:
        self.columns.set_columns(columns)
        self.columns_card.setVisible(bool(columns))

    def propose(self, data: str) -> None:
        """A place beside a newly chosen file, unless the person chose one for it."""
        if self.out.path() in ("", self._proposed):
            self._proposed = proposed(data, self.format.read()) if data else ""
            self.out.set_path(self._proposed)
            self.out.edit.setCursorPosition(len(self._proposed))  # the name is seen, not the folders

    # What the person does

    @Slot(object)
    def _choose_format(self, ending: str) -> None:
        path = self.out.path()
        if path:
            kept = path == self._proposed
            named = Path(path)
            path = str(named.with_suffix(ending) if named.suffix.lower() in FORMATS else named) if named.name else path
            self._proposed = path if kept else self._proposed
            self.out.set_path(path)
        self.place_changed.emit()

    @Slot(str)
    def _choose_place(self, path: str) -> None:
        """The name says the format where it has an ending; else it gets the one of the format."""
        named = Path(path) if path else None
        if named and named.suffix.lower() in FORMATS:
            self.format.write(named.suffix.lower())
        elif named and not named.suffix:
            self.out.set_path(f"{path}{self.format.read()}")
        self.place_changed.emit()

    @Slot(str, object)
    def _tell(self, name: str, value: object) -> None:
        self.changed.emit({name: value})

    @Slot(str)
    def _tell_file(self, path: str) -> None:
        self.changed.emit({"data": path})

    @Slot()
    def _tell_place(self) -> None:
        self.place_changed.emit()

    # Building

    def _name_all(self) -> None:
        self.file.setToolTip(FILE)
        self.format.setAccessibleName("Format of the answers")
        self.format.setToolTip("What kind of file the answers become.")
        for box, text, tip in ((self.keep, KEEP, KEEP_TIP), (self.fast, FAST, FAST_TIP)):
            box.setText(text)
            box.setToolTip(tip)
            box.setAccessibleDescription(tip)
        self.out.setToolTip("A new file for the answers; your own file is never changed.")

    def _lay_out(self) -> None:
        self.about = line(FILE, "muted")
        self.reading_card = FoldCard("How it is read", self.reading)
        self.columns_card = card("What the columns mean", "", self.columns)
        place = labelled("Save as", self.out)
        note = line(FAST_NOTE, "hint")
        self.answers_card = card("The answers", "", place, labelled("Format", self.format), self.keep, self.fast, note)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, theme.SMALL, 0)
        column.setSpacing(theme.MEDIUM)
        column.addWidget(card("Your file", "", self.file, self.about))
        for part in (self.reading_card, self.columns_card, self.answers_card):
            column.addWidget(part)
        column.addStretch()
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it
        self.setFixedWidth(WIDTH)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def _connect(self) -> None:
        self.file.chosen.connect(self._tell_file)
        self.reading.changed.connect(self.changed)
        self.reading_card.heading.clicked.connect(self._bring_reading_into_sight)
        self.columns.changed.connect(self._tell)
        self.out.chosen.connect(self._choose_place)
        self.format.chosen.connect(self._choose_format)
        for box in (self.keep, self.fast):
            box.chosen.connect(self._tell_place)

    @Slot()
    def _bring_reading_into_sight(self) -> None:
        """Once it is laid out: what opens at the lower edge would not be seen."""
        QTimer.singleShot(0, self, lambda: self.ensureWidgetVisible(self.reading_card, 0, theme.SMALL))
