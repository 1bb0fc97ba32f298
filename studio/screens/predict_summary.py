"""What came out of a file: how many rows got which answer, what could not be used, and the first answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from studio import theme
from studio.widgets.card import line
from studio.widgets.share_bar import ShareBar
from studio.widgets.table import Table
from studio.worker import Background
from ulmfit_core.config import NOT_SURE, UNKNOWN, DataSettings
from ulmfit_core.inference import file_summary

NOTHING = "When a file is answered, it is told here how many rows got which answer, and the first answers are shown."
SHOWN_ROWS = 30
SHOWN_CHARACTERS = 300
MOST_LABELS = 1000  # that are listed
ROWS_IN_SIGHT = 6  # of the short tables
LEAST_TEXT = 100  # pixels, so that the answers stay in sight in a narrow window
LEAST_TABLE = 138  # four of the first answers with their heading
FRONT = ("row", "file", "id", "text", "answer", "probability")


class FirstAnswers(Table):
    """Asks for its least height alone: else the page is as high as it would like, and more than the window."""

    def sizeHint(self) -> QSize:
        return self.minimumSize()


class PredictSummary(QScrollArea):
    """A sentence, two short tables, the head of the file that was written, and buttons that open it."""

    def __init__(self) -> None:
        super().__init__()
        self._out = Path()
        self.headline, self.agreement, self.notes = line(NOTHING), line(), line(role="muted")
        self.labels = Table("Rows by answer")
        self._bars = ShareBar(self.labels)
        self.labels.setItemDelegateForColumn(2, self._bars)
        self.reasons = Table("Rows that could not be used")
        self.first = FirstAnswers("First answers")
        self.first.narrowest = LEAST_TEXT
        self.first_heading = line("The first answers", "subheading")
        self.open = QPushButton("Open the fi&le")
        self.folder = QPushButton("Show it in its &folder")
        self._reading = Background(self)
        self._lay_out()
        self._connect()
        self._show_parts(False)

    def show_report(self, report: dict[str, Any], notes: list[str]) -> None:
        """`report` is the job's, `notes` what it said besides."""
        self._out = Path(report["out"])
        self.headline.setText(f"{file_summary.headline(report)} The answers are in {self._out}.")
        self.agreement.setText(file_summary.agreement(report))
        self.notes.setText("\n".join(notes))
        self._show_labels(report)
        reasons = [[f"{count:,}", reason] for reason, count in report["reasons"].items()]
        self.reasons.set_rows(["Rows", "Could not be used because"], reasons)
        fit(self.reasons)
        self._show_parts(True)
        out = self._out
        self._reading.ask(lambda: first_rows(out))

    def _show_labels(self, report: dict[str, Any]) -> None:
        found = file_summary.counts(report)[:MOST_LABELS]
        answered = report["answered"]
        rows = [[label, f"{count:,}", f"{count / answered:.1%}"] for label, count in found]
        self.labels.set_rows(["Answer", "Rows", "Share"], rows)
        self.labels.horizontalHeader().setStretchLastSection(True)  # room for the bars
        fit(self.labels)

    def _show_parts(self, shown: bool) -> None:
        for part in (self.labels, self.first, self.first_heading, self.open, self.folder):
            part.setVisible(shown)
        self.reasons.setVisible(shown and self.reasons.rowCount() > 0)
        for sentence in (self.agreement, self.notes):
            sentence.setVisible(shown and bool(sentence.text()))

    @Slot(object)
    def _show_first(self, found: tuple[list[str], list[list[str]]]) -> None:
        self.first.set_rows(*found)

    @Slot(str)
    def _show_gone(self, reason: str) -> None:
        self.first.nothing = reason
        self.first.set_rows([], [])

    @Slot()
    def _open_file(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._out)))

    @Slot()
    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._out.parent)))

    def _connect(self) -> None:
        self.open.clicked.connect(self._open_file)
        self.folder.clicked.connect(self._open_folder)
        self._reading.answered.connect(self._show_first)
        self._reading.refused.connect(self._show_gone)

    def _lay_out(self) -> None:
        self.open.setToolTip("Open the answers with the program that your system has for such files.")
        self.folder.setToolTip("Open the folder in which the answers lie.")
        for label in (self.headline, self.agreement, self.notes):
            label.setTextFormat(Qt.TextFormat.PlainText)  # names of files and columns stay what they are
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        buttons = QHBoxLayout()
        buttons.addWidget(self.open)
        buttons.addWidget(self.folder)
        buttons.addStretch()
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(*[theme.MEDIUM] * 4)
        column.setSpacing(theme.MEDIUM)
        for part in (self.headline, self.agreement):
            column.addWidget(part)
        column.addLayout(buttons)
        column.addWidget(self.labels)
        column.addWidget(self.reasons)
        column.addWidget(self.first_heading)
        column.addWidget(self.first, 1)
        column.addWidget(self.notes)
        column.addStretch(0)
        self.first.setMinimumHeight(LEAST_TABLE)
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it


def fit(table: Table) -> None:
    """As high as its rows, up to ROWS_IN_SIGHT of them."""
    head = table.horizontalHeader().sizeHint().height()
    rows = min(table.rowCount(), ROWS_IN_SIGHT)
    table.setFixedHeight(head + rows * table.verticalHeader().defaultSectionSize() + theme.SMALL)


def first_rows(out: Path) -> tuple[list[str], list[list[str]]]:
    """Heads and first rows of a file of answers, without the probability of each label and what is empty in all rows.

    Takes a moment: call it off the main thread. Raises UserError where the file is gone.
    """
    from ulmfit_core.data import readers  # brings pyarrow, which the first paint need not wait for

    found = readers.preview(out, DataSettings(header="yes"), SHOWN_ROWS)
    behind = found.columns[found.columns.index("reason") + 1 :]  # a reason stands where the answer would
    places = {name: found.columns.index(name) for name in (*FRONT, *behind) if name in found.columns}
    told = {name for name, place in places.items() if name == "answer" or any(row[place] for row in found.rows)}
    heads = [name for name in places if name in told]
    facts = [dict(zip(found.columns, row, strict=False)) for row in found.rows]
    return heads, [[shown(name, row) for name in heads] for row in facts]


def shown(name: str, row: dict[str, str]) -> str:
    """A cell of a row of answers, short: the reason where no answer stands, and whose the share is where the answer is
    withheld."""
    cell = row[name]
    if name == "answer" and not cell:
        return f"– {row['reason']}"
    if name == "probability" and cell:
        likeliest = f"{row.get('label', '')} " if row["answer"] in (UNKNOWN, NOT_SURE) else ""
        return f"{likeliest}{float(cell):.1%}"
    return " ".join(cell[:SHOWN_CHARACTERS].split())
