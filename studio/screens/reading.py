"""How the chosen file is read: each part of the guess in plain words, and a control to overrule it.

Only what counts for the kind of file is shown, and what was set for it, so that it can be set back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QComboBox, QGridLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from studio import theme
from studio.plain import tip
from studio.widgets.card import line
from studio.widgets.controls import ChoiceBox
from studio.widgets.path_field import PathField
from ulmfit_core.config import DataSettings
from ulmfit_core.data import patterns

LABEL_WIDTH = 96
KINDS = {
    "table": "Table",
    "jsonl": "JSON, one object a line",
    "json": "JSON",
    "parquet": "Parquet table",
    "arrow": "Arrow table",
    "sqlite": "Database",
    "workbook": "Spreadsheet",
    "text": "Plain text",
    "pattern": "A label in each line",
    "paired": "Texts, labels in another file",
    "folder": "A folder for each label",
}
# The kinds of a file of characters, which may be taken for one another.
CHARACTERS = {"table", "text", "pattern", "paired"}
DELIMITERS = {
    ",": "Comma", ";": "Semicolon", "\t": "Tab", "|": "Bar", "@": "Last at sign (@)", " ": "First space",
}  # fmt: skip
HEADERS = {"yes": "Names the columns", "no": "Is a row already"}
UNITS = {"line": "Each line", "paragraph": "Each paragraph"}
ENCODINGS = {
    "utf-8": "Unicode, UTF-8", "utf-8-sig": "Unicode, UTF-8", "utf-16": "Unicode, UTF-16",
    "cp1252": "Western, Windows", "latin-1": "Western, Latin 1", "cp1250": "Central European, Windows",
    "cp1251": "Cyrillic, Windows", "koi8-r": "Cyrillic, KOI8-R", "cp1253": "Greek, Windows",
    "cp1254": "Turkish, Windows", "cp1255": "Hebrew, Windows", "cp1256": "Arabic, Windows",
    "shift_jis": "Japanese, Shift JIS", "gb18030": "Chinese, GB 18030", "big5": "Chinese, Big5",
    "euc_kr": "Korean, EUC-KR", "mac_roman": "Western, old Mac",
}  # fmt: skip
EXAMPLE = "{label} {text}"
FORMS = (EXAMPLE, "{label}: {text}", "{text} #{label}", "{text} [{label}]", "{id}|{label}|{text}")
PATTERNS = {
    **{form: form for form in FORMS},
    patterns.FASTTEXT: "__label__x text, as fastText writes it",
    patterns.TREC: "LABEL:fine text, as TREC writes it",
}
PATTERN_HELP = (
    "How each line is made up. {text} stands for the text and {label} for the label; any other name in braces becomes "
    "a column of its own. What stands between them is what stands in the line: with {label}: {text} the line "
    "“sport: They won” has the label “sport” and the text “They won”."
)
HELP = {
    "kind": "What sort of file it is. Take another sort if the preview is not what you expect.",
    "member": "Which file of the archive or folder is read.",
    "sheet": "Which sheet, table or list is read.",
    "delimiter": "The sign between two columns.",
    "header": "Whether the first line holds the names of the columns.",
    "text_unit": "What counts as one text.",
    "line_pattern": PATTERN_HELP,
    "encoding": "How the letters are stored. Take another one if letters look wrong. Others can be typed, as cp866.",
    "labels_file": "A file with one label a line, for the text in the same line of this one.",
}
TITLES = {
    "kind": "Kind", "member": "File in it", "sheet": "Sheet", "delimiter": "Separator", "header": "First line",
    "text_unit": "A text is", "line_pattern": "Each line is", "encoding": "Encoding", "labels_file": "Labels file",
}  # fmt: skip
SHEETS = {"sqlite": "Table", "json": "List"}
# What counts for which kind of file.
APPLYING = {
    "table": ("kind", "delimiter", "header", "encoding"),
    "text": ("kind", "text_unit", "encoding", "labels_file"),
    "pattern": ("kind", "line_pattern", "encoding"),
    "paired": ("kind", "encoding", "labels_file"),
    "jsonl": ("encoding",),
    "json": ("encoding",),
    "workbook": ("header",),
    "folder": ("encoding",),
}
TYPED = (".csv", ".tsv", ".tab", ".txt")
KNOBS = ("member", "sheet", "delimiter", "header", "text_unit", "line_pattern", "encoding", "labels_file")


@dataclass(frozen=True)
class Look:
    """What a look at a file found: its first rows (readers.Preview), or why it cannot be read, and what to choose.

    `members` and `sheets` are those of kinds.Choices; `there` is False where there is no such file.
    """

    preview: Any = None
    refusal: str = ""
    members: list[str] = field(default_factory=list)
    sheets: list[str] = field(default_factory=list)
    there: bool = True


def applying(settings: DataSettings, look: Look) -> set[str]:
    """The controls that count for the file. One that cannot be read may be a text file that was taken wrongly."""
    kind = look.preview.reader if look.preview else kind_of(settings)
    if kind == "auto" and look.there and Path(settings.data).suffix.lower() in TYPED:
        kind = "table"
    shown = set(APPLYING.get(kind, ()))
    shown |= {name for name, there in (("member", look.members), ("sheet", look.sheets)) if there}
    return shown | {name for name in KNOBS if getattr(settings, name) not in ("", "auto")}


def kind_of(settings: DataSettings) -> str:
    """The kind that the settings ask for, or auto."""
    if settings.labels_file:
        return "paired"
    if settings.delimiter != "auto":
        return "table"
    if settings.line_pattern != "auto":
        return "pattern"
    return "text" if settings.text_unit != "auto" else "auto"


def knobs_for(kind: str, delimiter: str) -> dict[str, Any]:
    """The settings that make a file of characters be read as this kind; `delimiter` is the one that was guessed."""
    knobs: dict[str, Any] = {"delimiter": "auto", "text_unit": "auto", "line_pattern": "auto", "labels_file": ""}
    asked = {
        "table": {"delimiter": delimiter or ","},
        "text": {"text_unit": "line"},
        "pattern": {"line_pattern": EXAMPLE},
    }
    return knobs | asked.get(kind, {})


class OpenBox(QComboBox):
    """Automatic and a list of values with words for them, beside which another may be typed; `chosen(value)`."""

    chosen = Signal(object)

    def __init__(self, name: str, words: dict[str, str]):
        super().__init__()
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._told = ""
        for value, text in {"auto": "Automatic", **words}.items():
            self.addItem(text, value)
        self.activated.connect(self._finished)
        typed = QLineEdit()
        typed.setAccessibleName(name)
        typed.setAcceptDrops(False)  # it would insert the address as text
        typed.editingFinished.connect(self._finished)
        self.setLineEdit(typed)

    def read(self) -> str:
        """The value whose words are shown, or what was typed."""
        text = self.currentText().strip()
        place = self.findText(text)
        return self.itemData(place) if place >= 0 else text or "auto"

    def write(self, value: str) -> None:
        self._told = value
        place = self.findData(value)
        with QSignalBlocker(self):
            self.setCurrentIndex(place)
            self.setEditText(self.itemText(place) if place >= 0 else value)

    def wheelEvent(self, event: QWheelEvent) -> None:
        super().wheelEvent(event) if self.hasFocus() else event.ignore()

    def _finished(self) -> None:
        value = self.read()
        if value != self._told:
            self._told = value
            self.chosen.emit(value)


class Reading(QWidget):
    """`changed(knobs)`: the person overruled a part of the guess; knobs are names and values of the DataSettings."""

    changed = Signal(dict)

    def __init__(self) -> None:
        super().__init__()
        self._delimiter = ""
        self.controls = _controls()
        self.note = line("", "muted")
        self.titles = {name: QLabel(TITLES[name]) for name in self.controls}
        self._lay_out()
        self._connect()

    def set_look(self, settings: DataSettings, look: Look) -> None:
        """Show what is guessed for the file, what the settings ask for, and only what counts."""
        shown = applying(settings, look)
        self._delimiter = look.preview.delimiter if look.preview else ""
        self._offer("member", look.members, "Choose one" if not look.preview else "All that fit", settings.member)
        self._offer("sheet", look.sheets, _sheet_guess(look), settings.sheet)
        for name, guess in guesses(look.preview).items():
            box = self.controls[name]
            assert isinstance(box, QComboBox)
            box.setItemText(0, f"Automatic: {guess}" if guess else "Automatic")
        for name in KNOBS[2:]:
            self._write(name, getattr(settings, name))
        self._write("kind", kind_of(settings))
        self.titles["sheet"].setText(SHEETS.get(look.preview.reader if look.preview else "", "Sheet"))
        for name, control in self.controls.items():
            control.setVisible(name in shown)
            self.titles[name].setVisible(name in shown)
        self._say(look, shown)

    def has_something(self) -> bool:
        """Whether there is anything to see."""
        return not self.note.isHidden() or any(not control.isHidden() for control in self.controls.values())

    def _say(self, look: Look, shown: set[str]) -> None:
        """The kind in words where it is not among the controls."""
        named = look.preview is not None and "kind" not in shown
        self.note.setText(f"{KINDS.get(look.preview.reader, look.preview.reader)}." if named else "")
        self.note.setVisible(named)

    def _offer(self, name: str, values: list[str], nothing: str, chosen: str) -> None:
        """A list of what lies in the file, behind an entry for the guess."""
        box = self.controls[name]
        assert isinstance(box, ChoiceBox)
        with QSignalBlocker(box):
            box.clear()
            box.addItem(nothing, "")
            for value in dict.fromkeys([*values, chosen] if chosen else values):
                box.addItem(value, value)
                box.setItemData(box.count() - 1, tip(value), Qt.ItemDataRole.ToolTipRole)
            box.write(chosen)

    def _write(self, name: str, value: str) -> None:
        control = self.controls[name]
        if isinstance(control, PathField):
            control.set_path(value)
        else:
            control.write(value)

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.SMALL)
        grid.setVerticalSpacing(theme.SMALL)
        grid.setColumnMinimumWidth(0, LABEL_WIDTH)
        grid.setColumnStretch(1, 1)
        for place, (name, control) in enumerate(self.controls.items()):
            self.titles[name].setBuddy(control)
            control.setToolTip(HELP[name])
            control.setAccessibleDescription(HELP[name])
            grid.addWidget(self.titles[name], place, 0)
            grid.addWidget(control, place, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SMALL)
        column.addWidget(self.note)
        column.addLayout(grid)

    def _connect(self) -> None:
        for name, control in self.controls.items():
            tell = self._tell_kind if name == "kind" else lambda value, name=name: self.changed.emit({name: value})
            control.chosen.connect(tell)

    def _tell_kind(self, kind: str) -> None:
        self.changed.emit(knobs_for(kind, self._delimiter))


def _controls() -> dict[str, ChoiceBox | OpenBox | PathField]:
    kinds = {name: KINDS[name] for name in KINDS if name in CHARACTERS}
    made: dict[str, ChoiceBox | OpenBox | PathField] = {
        "kind": _list(kinds),
        "member": _list({}),
        "sheet": _list({}),
        "delimiter": _list(DELIMITERS),
        "header": _list(HEADERS),
        "text_unit": _list(UNITS),
        "line_pattern": OpenBox("Pattern of a line", PATTERNS),
        "encoding": OpenBox("Name of the encoding", {name: f"{words} ({name})" for name, words in ENCODINGS.items()}),
        "labels_file": PathField("Labels file"),
    }
    for name, control in made.items():
        control.setAccessibleName(TITLES[name])
        if isinstance(control, QComboBox):
            # As wide as there is room; the list that opens shows the whole words.
            control.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            control.setMinimumContentsLength(8)
    return made


def _list(words: dict[str, str]) -> ChoiceBox:
    return ChoiceBox(["auto", *words], {"auto": "Automatic", **words})


def guesses(preview: Any) -> dict[str, str]:
    """What the program takes the file for, in words, by control; empty before anything is known."""
    if preview is None:
        return dict.fromkeys(("kind", "delimiter", "header", "text_unit", "line_pattern", "encoding"), "")
    units = UNITS | {"article": "each article"}
    return {
        "kind": KINDS.get(preview.reader, preview.reader).lower(),
        "delimiter": DELIMITERS.get(preview.delimiter, preview.delimiter).lower(),
        "header": HEADERS["yes" if preview.header else "no"].lower(),
        "text_unit": units.get(preview.unit, "").lower(),
        "line_pattern": PATTERNS.get(preview.pattern, preview.pattern),
        "encoding": encoding_words(preview.encoding),
    }


def encoding_words(encoding: str) -> str:
    """A codec's name as people know it; nothing where each file has its own."""
    return "" if encoding == "auto" else ENCODINGS.get(encoding, encoding)


def _sheet_guess(look: Look) -> str:
    if look.preview is None:
        return "Automatic"
    return "All lists" if look.preview.reader == "json" else f"Automatic: {look.sheets[0]}" if look.sheets else ""
