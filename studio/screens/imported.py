"""The right side of the Data screen: the first rows of the file, what was imported, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from studio import theme
from studio.widgets.table import Table
from ulmfit_core.config import DataSettings

SHOWN_CHARACTERS = 300
BAR = 24  # characters of a bar that stands for everything
SPLIT_TITLES = {"train": "Training", "valid": "Validation", "test": "Test", "unlabelled": "Unlabelled"}
SEPARATORS = {"\t": "tabs", " ": "spaces", "": ""}
READERS = {
    "table": "A table", "jsonl": "JSON lines", "parquet": "Parquet", "text": "Plain text",
    "folder": "A folder by label",
}  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """What an imported dataset consists of. `classes` has a row a class: name, then its rows by split."""

    counts: dict[str, int]
    splits: list[str]
    classes: list[list[Any]]
    corpus_size: int
    bad_rows: list[Any]
    bad_row_count: int


def summary_of(folder: Path) -> Summary:
    """Count what lies in a dataset folder. Takes a moment: call it off the main thread."""
    from ulmfit_core.data.dataset import Dataset

    dataset = Dataset.open(folder)
    splits = [split for split in SPLIT_TITLES if split != "unlabelled"]
    by_split = [dataset.class_counts(split) for split in splits]
    classes = [[label, *(counts.get(label, 0) for counts in by_split)] for label in dataset.labels]
    count = dataset.facts.get("bad_row_count", len(dataset.bad_rows))
    return Summary(dataset.counts, splits, classes, dataset.corpus_size, dataset.bad_rows, count)


class Page(QWidget):
    """A sentence above a table; the table is hidden while there is nothing in it."""

    nothing = ""
    name = ""

    def __init__(self) -> None:
        super().__init__()
        self.label = QLabel(wordWrap=True)
        self.table = Table(self.name)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(theme.MEDIUM, theme.MEDIUM, theme.MEDIUM, theme.MEDIUM)
        layout.setSpacing(theme.MEDIUM)
        layout.addWidget(self.label)
        layout.addWidget(self.table, 1)
        layout.addStretch(0)
        self.clear()

    def clear(self) -> None:
        self.say(self.nothing)

    def say(self, sentence: str) -> None:
        """Only a sentence."""
        self.label.setText(sentence)
        self.table.hide()

    def show_table(self, sentence: str, headers: list[str], rows: list[list[Any]]) -> None:
        self.label.setText(sentence)
        self.table.set_rows(headers, rows)
        self.table.show()


class PreviewPage(Page):
    nothing = "The first rows of the file that you choose will appear here."
    name = "First rows of the file"

    def __init__(self) -> None:
        self._preview: Any = None
        self._roles: list[str] = []
        super().__init__()

    def clear(self) -> None:
        self._preview = None
        super().clear()

    def show_rows(self, preview: Any) -> None:
        self._preview, self._roles = preview, []

    def show_roles(self, settings: DataSettings) -> None:
        """Say in the heads of the columns what each is taken for."""
        if self._preview is None:
            return
        roles = [_head(column, settings) for column in self._preview.columns]
        if roles != self._roles:
            self._roles = roles
            rows = [[" ".join(cell[:SHOWN_CHARACTERS].split()) for cell in row] for row in self._preview.rows]
            self.show_table(_describe(self._preview), roles, rows)


def _head(column: str, settings: DataSettings) -> str:
    name = f"Column {column}" if column.isdigit() else column
    role = (
        "text" if column in settings.text
        else "label" if column == settings.label
        else "split" if column == settings.split_column
        else ""
    )  # fmt: skip
    return f"{name}  ▸ {role}" if role else name


def _describe(preview: Any) -> str:
    """How the file was read, so that a wrong guess is seen."""
    facts = [READERS.get(preview.reader, preview.reader)]
    if preview.reader == "table":
        mark = SEPARATORS.get(preview.delimiter, f"“{preview.delimiter}”")
        facts.append(f"separated by {mark}")
        facts.append("first line names the columns" if preview.header else "no line of column names")
    if preview.reader in ("table", "text", "jsonl"):
        facts.append(preview.encoding)
    return f"{', '.join(facts)}. The first {len(preview.rows)} rows:"


class Imported(Page):
    nothing = "After the import, the number of rows and the classes will appear here."
    name = "Rows of each class"

    def show_summary(self, summary: Summary | None) -> None:
        if summary is None:
            self.clear()
            return
        if not summary.classes:
            self.say(f"{_counts(summary)} No row has a label, so there is nothing to classify.")
            return
        headers = ["Class", *(SPLIT_TITLES[split] for split in summary.splits), "Share"]
        total = sum(sum(row[1:]) for row in summary.classes) or 1
        rows = [[*row, share_bar(sum(row[1:]) / total)] for row in summary.classes]
        self.show_table(f"{_counts(summary)} {len(rows)} classes:", headers, rows)


def share_bar(share: float) -> str:
    """A bar of characters: it goes into a table, is read aloud and copied with it."""
    return "━" * max(1, round(BAR * share)) + f" {share:.1%}"


def _counts(summary: Summary) -> str:
    """One sentence: how many rows each split has, and how much general text."""
    parts = [f"{SPLIT_TITLES.get(split, split).lower()} {count:,}" for split, count in summary.counts.items() if count]
    corpus = f" {summary.corpus_size:,} documents of general text." if summary.corpus_size else ""
    return f"{sum(summary.counts.values()):,} rows: {', '.join(parts)}.{corpus}"


class LeftOut(Page):
    nothing = "Rows that cannot be used will be listed here with their line and the reason. There are none."
    name = "Rows left out"

    def show_summary(self, summary: Summary | None) -> None:
        if summary is None or not summary.bad_rows:
            self.clear()
            return
        rows = [[bad.file, bad.row, bad.reason] for bad in summary.bad_rows]
        sentence = f"{summary.bad_row_count:,} rows could not be used. Mend them in the file and import again:"
        self.show_table(sentence, ["File", "Row", "Reason"], rows)
