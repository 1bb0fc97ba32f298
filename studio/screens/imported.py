"""The right side of the Data screen after an import: what came in, and what was left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QFileDialog, QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from studio import remembered, theme
from studio.notice import SIGNS
from studio.screens.summary import SPLIT_TITLES, Counts, Summary
from studio.screens.summary import summary_of as summary_of
from studio.widgets.card import line
from studio.widgets.long_table import LongTable
from studio.widgets.share_bar import ShareBar
from studio.widgets.table import Table
from studio.worker import Background

HEADS = ("Train", "Valid", "Test")  # short, so that all columns are seen
MOST_CLASSES = 1000  # that are listed
LEAST_TABLE = 112  # two classes with their heading
LEAST_NAME = 92  # pixels of a class's name, so that its share stays in sight in a narrow window
SHOWN_REASONS = 4  # at once
NO_CLASSES = "No row has a label, so there is nothing to classify."


class Imported(QScrollArea):
    """What the import said, the rows by split, what else is known of them, and the rows of each class."""

    nothing = "After the import, the number of rows and the classes will appear here."

    def __init__(self) -> None:
        super().__init__()
        self._summary: Summary | None = None
        self.warning = line()
        self.warning.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.strip = strip(self.warning)
        self.label = line()
        self.facts = line(role="muted")
        for label in (self.warning, self.label, self.facts):
            label.setTextFormat(Qt.TextFormat.PlainText)  # names of files and columns stay what they are
        self.findings = QVBoxLayout()  # where a check-up of the data will say what it found
        self.heading = line(role="subheading")
        self.table = Table("Rows of each class")
        self.table.setMinimumHeight(LEAST_TABLE)
        self.table.narrowest = LEAST_NAME
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)  # names often differ at their end
        self._bars = ShareBar(self.table)
        self.table.setItemDelegateForColumn(len(HEADS) + 1, self._bars)
        self._lay_out()
        self.show_summary(None)

    def show_summary(self, summary: Summary | None) -> None:
        """Nothing moves where nothing changed."""
        if summary and summary == self._summary:
            return
        self._summary = summary
        self.label.setText(counts_sentence(summary.found) if summary else self.nothing)
        self._show_warnings(summary.warnings if summary else [])
        self._show_facts(facts_of(summary) if summary else [])
        self._show_classes(summary.found if summary else None)

    def _show_warnings(self, warnings: list[str]) -> None:
        self.warning.setText(listed(warnings))
        self.strip.setAccessibleName(f"Warning: {self.warning.text()}" if warnings else "")
        self.strip.setVisible(bool(warnings))

    def _show_facts(self, facts: list[str]) -> None:
        self.facts.setText(listed(facts))
        self.facts.setVisible(bool(facts))

    def _show_classes(self, found: Counts | None) -> None:
        known = found.classes if found else []
        self.heading.setVisible(bool(known))
        self.table.setVisible(bool(known))
        if not known:
            return
        shown = known if len(known) <= MOST_CLASSES else sorted(known, key=size_of, reverse=True)[:MOST_CLASSES]
        largest = "" if shown is known else f", the {MOST_CLASSES:,} largest"
        total, most = sum(map(size_of, known)) or 1, max(map(size_of, known))
        self.heading.setText(f"{counted(len(known), 'class', 'classes')}{largest}")
        self._bars.largest = 100 * most / total
        decimals = 1 if 10 * most > total else 2
        self.table.set_rows(["Class", *HEADS, "Share"], [class_row(row, total, decimals) for row in shown])
        self.table.horizontalHeader().setStretchLastSection(True)  # room for the bars

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(theme.MEDIUM, theme.MEDIUM, theme.MEDIUM, theme.MEDIUM)
        column.setSpacing(theme.MEDIUM)
        for part in (self.strip, self.label, self.facts):
            column.addWidget(part)
        column.addLayout(self.findings)
        column.addWidget(self.heading)
        column.addWidget(self.table, 1)
        column.addStretch(0)
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the table takes it
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)


def strip(label: QLabel) -> QFrame:
    """A warning that stays."""
    frame = QFrame()
    frame.setProperty("notice", "warning")
    sign = QLabel(SIGNS["warning"])
    sign.setProperty("role", "subheading")
    row = QHBoxLayout(frame)
    row.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.MEDIUM, theme.SMALL)
    row.setSpacing(theme.MEDIUM)
    row.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
    row.addWidget(label, 1)
    return frame


def size_of(row: list[Any]) -> int:
    """All rows of a class."""
    return sum(row[1:])


def class_row(row: list[Any], total: int, decimals: int) -> list[str]:
    """Its name, its rows by split, its share of all."""
    return [row[0], *(f"{number:,}" for number in row[1:]), f"{size_of(row) / total:.{decimals}%}"]


def counts_sentence(found: Counts) -> str:
    """How many rows each split has, and whether they have labels."""
    parts = [f"{SPLIT_TITLES.get(split, split).lower()} {number:,}" for split, number in found.counts.items() if number]
    sentence = f"{counted(sum(found.counts.values()), 'row', 'rows')}: {', '.join(parts)}."
    return sentence if found.classes else f"{sentence} {NO_CLASSES}"


def facts_of(summary: Summary) -> list[str]:
    """What else is known of the rows, a sentence each."""
    found, settings = summary.found, summary.settings
    said = summary.notes
    if found.transductive and not any("transductive" in text for text in said):
        said.append("The language model may read the texts of test rows (transductive is switched on).")
    if found.groups:
        said.append(f"{found.groups:,} groups{f' of “{settings.group_column}”' if settings else ''}.")
    if settings and settings.split == "folds":
        said.append(f"Fold {settings.fold} of {settings.folds} is kept aside.")
    return [*said, *_repeats(found.repeats), *_corpus(found)]


def _repeats(repeats: dict[str, int]) -> list[str]:
    rows, texts = repeats.get("repeated_rows", 0), repeats.get("contradicting_texts", 0)
    said = [f"{counted(rows, 'row repeats', 'rows repeat')} the text of an earlier row."] if rows else []
    return [*said, f"{counted(texts, 'text carries', 'texts carry')} more than one label."] if texts else said


def _corpus(found: Counts) -> list[str]:
    if not found.corpus_size:
        return []
    words = f", {counted(found.corpus_words, 'word', 'words')}" if found.corpus_words else ""
    return [f"General text: {counted(found.corpus_size, 'document', 'documents')}{words}."]


def listed(sentences: list[str]) -> str:
    """Each begins a line of its own, seen also where lines are broken."""
    return "\n".join(f"•  {sentence}" for sentence in sentences) if len(sentences) > 1 else "".join(sentences)


def counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


class LeftOut(QWidget):
    """Every row that was left out, how many for what reason, and a button that saves the list."""

    nothing = "Rows that cannot be used will be listed here with their line and the reason. There are none."

    def __init__(self) -> None:
        super().__init__()
        self._summary: Summary | None = None
        self._saving = Background(self)
        self.label = line()
        self.save = QPushButton("Sav&e as CSV…")
        self.save.setToolTip("Save the whole list with file, row and reason, for a spreadsheet.")
        self.note = line(role="hint")
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self.reasons = Table("Number of rows for each reason")
        self.table = LongTable("Rows left out")
        self._lay_out()
        self.save.clicked.connect(self._ask_where)
        self._saving.answered.connect(self._show_saved)
        self._saving.refused.connect(self._show_refusal)
        self.show_summary(None)

    def show_summary(self, summary: Summary | None) -> None:
        """Nothing moves where nothing changed."""
        if summary and summary == self._summary:
            return
        self._summary = summary
        found = summary.found if summary and summary.found.bad_row_count else None
        self.label.setText(left_out_sentence(found) if found else self.nothing)
        self._say("")
        for part in (self.save, self.table):
            part.setVisible(found is not None)
        self.table.set_rows(["File", "Row", "Reason"], found.bad_rows if found else [])
        self._show_reasons(found.reasons if found else [])

    def save_to(self, path: Path) -> None:
        """Write the whole list to a CSV and say so below."""
        if self._summary:
            folder = self._summary.folder
            self._saving.ask(lambda: save_list(folder, path))

    def _show_reasons(self, reasons: list[tuple[str, int]]) -> None:
        """One reason stands in the list below anyway."""
        self.reasons.setVisible(len(reasons) > 1)
        self.reasons.set_rows(["Rows", "Reason"], [[f"{number:,}", reason] for reason, number in reasons])
        shown = min(len(reasons), SHOWN_REASONS)
        head = self.reasons.horizontalHeader().sizeHint().height()
        self.reasons.setFixedHeight(head + shown * self.reasons.verticalHeader().defaultSectionSize() + theme.SMALL)

    @Slot()
    def _ask_where(self) -> None:
        start = str(Path(remembered.folder()) / "rows-left-out.csv")
        path, _ = QFileDialog.getSaveFileName(self, "Save the rows left out", start, "CSV (*.csv)")
        if path:
            remembered.use_folder(path)
            self.save_to(Path(path))

    @Slot(object)
    def _show_saved(self, saved: tuple[Path, int]) -> None:
        self._say(f"Saved {counted(saved[1], 'row', 'rows')} to {saved[0]}.")

    @Slot(str)
    def _show_refusal(self, reason: str) -> None:
        self._say(reason, "problem")

    def _say(self, sentence: str, role: str = "hint") -> None:
        self.note.setText(sentence)
        self.note.setProperty("role", role)
        self.note.style().polish(self.note)
        self.note.setVisible(bool(sentence))

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(theme.MEDIUM)
        head.addWidget(self.label, 1)
        head.addWidget(self.save, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.MEDIUM, theme.MEDIUM, theme.MEDIUM, theme.MEDIUM)
        column.setSpacing(theme.MEDIUM)
        column.addLayout(head)
        column.addWidget(self.note)
        column.addWidget(self.reasons)
        column.addWidget(self.table, 1)
        column.addStretch(0)


def left_out_sentence(found: Counts) -> str:
    rows = f"{counted(found.bad_row_count, 'row', 'rows')} could not be used."
    sentence = f"{rows} Mend {'it' if found.bad_row_count == 1 else 'them'} in the file and import again."
    if len(found.bad_rows) == found.bad_row_count:
        return sentence
    return f"{sentence} The first {len(found.bad_rows):,} are listed here; the saved list has all that are known."


def save_list(folder: Path, path: Path) -> tuple[Path, int]:
    """Where the list was saved, and its number of rows. Raises UserError where it cannot be written there."""
    from ulmfit_core.data.dataset import Dataset

    out = path if path.suffix else path.with_suffix(".csv")
    return out, Dataset.open(folder).export_bad_rows(out)
