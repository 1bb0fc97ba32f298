"""The right side of the Data screen before an import: the first rows of the file, and those that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLabel, QTableWidgetItem, QVBoxLayout, QWidget

from studio import theme
from studio.plain import tip
from studio.screens.columns import column_title
from studio.screens.reading import KINDS, encoding_words
from studio.widgets.table import Table
from ulmfit_core.config import DataSettings

NOTHING = "Drop a file here, or choose one on the left. Its first rows will appear here."
SHOWN_CHARACTERS = 300
SHOWN_ROWS = 100
SHOWN_BAD_ROWS = 50  # of those further down
TEXT_SHARE = 0.5  # of the width, which the text keeps where there are many columns
SHOWN_COLUMNS = 60  # beside those that mean something
ROLES = {"label": "label", "id_column": "id", "split_column": "split", "group_column": "group"}
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", " ": "a space", "@": "the last “@”"}
UNITS = {"line": "each line is a text", "paragraph": "each paragraph is a text", "article": "each article is a text"}
UNUSABLE = "✕"


@dataclass(frozen=True)
class Shown:
    """A row of the table: its number in the file, its cells, and why it cannot be used if it cannot."""

    number: int
    cells: list[str]
    reason: str = ""


class PreviewPage(QWidget):
    """A sentence above a table; the table is hidden while there is nothing in it."""

    def __init__(self) -> None:
        super().__init__()
        self._preview: Any = None
        self._shown: tuple[list[str], list[Shown]] = ([], [])
        self._texts: list[int] = []  # which of the shown columns hold the text
        self.label = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.table = Table("First rows of the file")
        self.table.kept_share = TEXT_SHARE
        self.table.verticalHeader().setToolTip("Number of the row in the file, as a spreadsheet shows it")
        self._lay_out()
        theme.changed.connect(self._mark)
        self.clear()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.MEDIUM, theme.MEDIUM, theme.MEDIUM, theme.MEDIUM)
        layout.setSpacing(theme.MEDIUM)
        layout.addWidget(self.label)
        layout.addWidget(self.table, 1)
        layout.addStretch(0)

    def clear(self) -> None:
        self._preview = None
        self.say(NOTHING)

    def say(self, sentence: str) -> None:
        """Only a sentence."""
        self.label.setText(sentence)
        self.table.hide()

    def refuse(self, sentence: str) -> None:
        """The file cannot be shown; a notice says why."""
        self._preview = None
        self.say(sentence)

    def show_rows(self, preview: Any) -> None:
        self._preview, self._shown = preview, ([], [])

    def show_roles(self, settings: DataSettings) -> None:
        """Say in the heads of the columns what each is taken for, and mark the rows that cannot be used so."""
        if self._preview is None:
            return
        places = shown_columns(self._preview.columns, settings)
        heads = [_head(self._preview.columns[place], settings) for place in places]
        looked_at = rows_of(self._preview, settings)
        rows = shown_rows(looked_at)
        if (heads, rows) != self._shown:
            self._shown = heads, rows
            cells = [[_cell(row.cells[place]) if row.cells else "" for place in places] for row in rows]
            self.label.setText(_describe(self._preview, looked_at, len(places)))
            self.table.set_rows(heads, cells)
            self.table.show()
            self._texts = [order for order, place in enumerate(places) if self._preview.columns[place] in settings.text]
            self._mark()

    def _mark(self) -> None:
        """Number the rows; what cannot be used says why, across the row where it has no cells."""
        heads, rows = self._shown
        self.table.verticalHeader().setVisible(bool(rows))
        self.table.clearSpans()
        for place, row in enumerate(rows):
            self.table.setVerticalHeaderItem(place, QTableWidgetItem(f"{row.number:,}"))
            if row.reason:
                self._mark_row(place, row, len(heads))

    def _mark_row(self, place: int, row: Shown, width: int) -> None:
        if not row.cells and width > 1:
            self.table.setSpan(place, 0, 1, width)
        told = self._texts if row.cells else [0]
        for column in range(width):
            text = self.table.model().index(place, column).data()
            item = QTableWidgetItem(f"{UNUSABLE} {row.reason}" if column in told else text)
            item.setForeground(QColor(theme.colours().bad))
            item.setToolTip(tip(f"This row cannot be used: {row.reason}"))
            self.table.setItem(place, column, item)


def shown_columns(columns: list[str], settings: DataSettings) -> list[int]:
    """Places of the columns that are shown: those that mean something, the texts in front, then some of the others."""
    named = (*settings.text, *(getattr(settings, knob) for knob in ROLES), *settings.keep)
    meaning = [name for name in named if name in columns]
    first = [columns.index(name) for name in dict.fromkeys(meaning)]
    others = [place for place in range(len(columns)) if place not in first]
    return [*first, *others[:SHOWN_COLUMNS]]


def rows_of(preview: Any, settings: DataSettings) -> list[Shown]:
    """The rows in the order of the file, those that cannot be used among them."""
    texts = [place for place, column in enumerate(preview.columns) if column in settings.text]
    bad = [Shown(row.row, [], _reason(row, Path(settings.data).name)) for row in preview.bad]
    rows = list[Shown]()
    for number, cells in zip(preview.numbers, preview.rows):
        while bad and bad[0].number < number:
            rows.append(bad.pop(0))
        empty = bool(texts) and not any(cells[place].strip() for place in texts)
        rows.append(Shown(number, cells, "no text" if empty else ""))
    return rows + bad


def shown_rows(rows: list[Shown]) -> list[Shown]:
    """The first rows, then those further down that cannot be used."""
    return rows[:SHOWN_ROWS] + [row for row in rows[SHOWN_ROWS:] if row.reason][:SHOWN_BAD_ROWS]


def _reason(row: Any, file: str) -> str:
    """Why a row (formats.BadRow) cannot be used; named where it stands in another file than the chosen one."""
    return row.reason if row.file == file or row.file in row.reason else f"{row.file}: {row.reason}"


def _role(column: str, settings: DataSettings) -> str:
    """What a column is taken for, in a word; nothing where it is not read."""
    if column in settings.text:
        return "text" if len(settings.text) == 1 else f"text {settings.text.index(column) + 1}"
    role = next((role for knob, role in ROLES.items() if getattr(settings, knob) == column), "")
    return role or ("kept" if column in settings.keep else "")


def _head(column: str, settings: DataSettings) -> str:
    role = _role(column, settings)
    return f"{column_title(column)}  ▸ {role}" if role else column_title(column)


def _cell(text: str) -> str:
    return " ".join(text[:SHOWN_CHARACTERS].split())


def _describe(preview: Any, rows: list[Shown], columns: int) -> str:
    """How the file was read, so that a wrong guess is seen, and how many of these rows cannot be used."""
    facts = [KINDS.get(preview.reader, preview.reader)]
    if preview.reader == "table":
        mark = SEPARATORS.get(preview.delimiter, f"“{preview.delimiter}”")
        facts.append(f"columns separated by {mark}")
    if preview.reader in ("table", "workbook"):
        facts.append("first line names the columns" if preview.header else "no line of column names")
    facts += [UNITS[preview.unit]] if preview.unit in UNITS else []
    if preview.reader in ("table", "text", "pattern", "paired", "jsonl"):
        facts.append(encoding_words(preview.encoding))
    bad = sum(bool(row.reason) for row in rows)
    marked = f" Of the first {len(rows):,} rows {bad:,} cannot be used ({UNUSABLE})." if bad else ""
    width = f", {columns} of {len(preview.columns):,} columns" if columns < len(preview.columns) else ""
    return f"{', '.join(facts)}. The first {min(len(rows), SHOWN_ROWS)} rows{width}.{marked}"
