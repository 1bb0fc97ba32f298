"""The list of runs: a table that reads a row when it comes into sight, and the line that filters it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QItemSelection, QItemSelectionModel, Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableView,
    QWidget,
)

from studio import plain
from studio.screens.run_story import Line, job_title
from studio.widgets.copied_rows import CopiesRows
from studio.widgets.long_table import NOWHERE, Index
from studio.widgets.table import LEFT, RIGHT, prepare

HEADERS = ["Job", "Started", "Status", "Time", "Best result", "Tags and notes"]
WIDEST = {"Job": 190, "Status": 130, "Best result": 230}  # in pixels; the last column takes what is left
RESULT, NARROWEST, LAST_LEAST = HEADERS.index("Best result"), 140, 118  # the result gives way to tags and notes
MEASURED = 40  # rows from which the widths of the columns follow
RESULT_WORDS = (
    "Validation: measured on the rows by which the best epoch is chosen, so it flatters a little.\n"
    "Test: measured on rows that had no part in the training.\n"
    "Accuracy: the share of texts answered right; more is better.\n"
    "Perplexity: among how many words, as it were, a language model still hesitates; less is better."
)
EVERY_JOB, EVERY_TAG = "All jobs", "All tags"


class Lines(QAbstractTableModel):
    """The runs of the list, a row each."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []

    def rowCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.lines)

    def columnCount(self, parent: Index = NOWHERE) -> int:
        return 0 if parent.isValid() else len(HEADERS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return self.lines[index.row()].cells()[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain.tip(tip(self.lines[index.row()], index.column()))
        return self._side(index.column()) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def headerData(self, section: int, across: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole and across == Qt.Orientation.Horizontal:
            return HEADERS[section]
        if role == Qt.ItemDataRole.ToolTipRole and HEADERS[section] == "Best result":
            return RESULT_WORDS
        return self._side(section) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def take(self, lines: list[Line]) -> bool:
        """Show these lines. False: the rows stayed where they were and only some of their texts are new."""
        if [line.info.id for line in lines] != [line.info.id for line in self.lines]:
            self.beginResetModel()
            self.lines = lines
            self.endResetModel()
            return True
        before, self.lines = self.lines, lines
        for row, (old, new) in enumerate(zip(before, lines)):
            if old is not new:
                self.dataChanged.emit(self.index(row, 0), self.index(row, len(HEADERS) - 1))
        return False

    @staticmethod
    def _side(column: int) -> Qt.AlignmentFlag:
        return RIGHT if HEADERS[column] == "Time" else LEFT


def tip(line: Line, column: int) -> str:
    if HEADERS[column] == "Status" and line.info.reason:
        return f"{line.status}: {line.info.reason}"
    if HEADERS[column] == "Started":
        return line.started
    return line.info.notes or line.cells()[column] if HEADERS[column] == "Tags and notes" else line.cells()[column]


class RunTable(CopiesRows, QTableView):
    """Several rows may be chosen. `chosen` is emitted when they are others than before."""

    chosen = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._lines = Lines()
        self._told: list[str] = []
        self._result_width = NARROWEST  # that the column of results would like to have
        prepare(self, "Runs")
        self.setToolTip("Choose a run with the arrows or the mouse; hold Shift or Ctrl to choose several.")
        self.setModel(self._lines)
        self.setSelectionMode(QTableView.SelectionMode.ExtendedSelection)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.horizontalHeader().setStretchLastSection(True)
        self.horizontalHeader().setResizeContentsPrecision(MEASURED)
        self.selectionModel().selectionChanged.connect(self._tell)

    def set_lines(self, lines: list[Line]) -> None:
        """Show these runs; those that were chosen stay so. Where none is left the first one is."""
        ids = self.chosen_ids()
        self.selectionModel().blockSignals(True)
        if self._lines.take(lines):
            self._fit_columns()
            self.choose(ids)
        self.selectionModel().blockSignals(False)
        self._tell()

    def lines(self) -> list[Line]:
        return self._lines.lines

    def chosen_lines(self) -> list[Line]:
        """The chosen runs, from the top down."""
        return [self._lines.lines[row] for row in sorted({index.row() for index in self.selectedIndexes()})]

    def chosen_ids(self) -> list[str]:
        return [line.info.id for line in self.chosen_lines()]

    def choose(self, ids: Iterable[str]) -> None:
        """Choose the runs of these ids; the first row where none of them is shown."""
        wanted = set(ids)
        rows = [row for row, line in enumerate(self._lines.lines) if line.info.id in wanted]
        rows = rows or ([0] if self._lines.lines else [])
        selection = QItemSelection()
        for row in rows:
            selection.select(self._lines.index(row, 0), self._lines.index(row, len(HEADERS) - 1))
        flags = QItemSelectionModel.SelectionFlag
        if rows:
            self.selectionModel().setCurrentIndex(self._lines.index(rows[0], 0), flags.NoUpdate)
        self.selectionModel().select(selection, flags.ClearAndSelect)
        self.viewport().update()

    def texts(self) -> list[list[str]]:
        return [line.cells() for line in self._lines.lines]

    def rows_to_copy(self) -> list[Sequence[str]]:
        return [HEADERS, *(line.cells() for line in self.chosen_lines())]

    @Slot()
    def _tell(self) -> None:
        ids = self.chosen_ids()
        if ids != self._told:
            self._told = ids
            self.chosen.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share_width()

    def _fit_columns(self) -> None:
        self.resizeColumnsToContents()
        for column, header in enumerate(HEADERS[:-1]):
            self.setColumnWidth(column, min(self.columnWidth(column) + 2, WIDEST.get(header, 200)))
        self._result_width = self.columnWidth(RESULT)
        self._share_width()

    def _share_width(self) -> None:
        others = sum(self.columnWidth(column) for column in range(RESULT))
        room = self.viewport().width() - others - LAST_LEAST
        self.setColumnWidth(RESULT, max(min(self._result_width, NARROWEST), min(self._result_width, room)))


class Filter(QWidget):
    """Which runs are listed: those with a text, of a job, with a tag."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.text, self.job, self.tag = QLineEdit(), QComboBox(), QComboBox()
        self.count = QLabel()
        self.count.setProperty("role", "muted")
        self.text.setPlaceholderText("Find: a job, a result, a tag, words of a note …")
        self.text.setClearButtonEnabled(True)
        self._name(self.text, "Find runs", "List only the runs that have these words in any column (Ctrl+F).")
        self._name(self.job, "Job", "List only the runs of one job.")
        self._name(self.tag, "Tag", "List only the runs with one tag.")
        self._offer(self.job, EVERY_JOB, {})
        self._offer(self.tag, EVERY_TAG, {})
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.text, 1)
        for part in (self.job, self.tag, self.count):
            row.addWidget(part)
        self.text.textChanged.connect(self.changed)
        self.job.currentIndexChanged.connect(self.changed)
        self.tag.currentIndexChanged.connect(self.changed)

    def offer(self, lines: list[Line]) -> None:
        """The jobs and tags that occur."""
        jobs = sorted({line.info.job for line in lines}, key=job_title)
        self._offer(self.job, EVERY_JOB, {job_title(job): job for job in jobs})
        tags = sorted({tag for line in lines for tag in line.info.tags})
        self._offer(self.tag, EVERY_TAG, {tag: tag for tag in tags})
        self.tag.setVisible(bool(tags))

    def taken(self, lines: list[Line]) -> list[Line]:
        """Those that are to be listed; tells how many there are."""
        words = self.text.text().lower().split()
        job, tag = self.job.currentData(), self.tag.currentData()
        found = [line for line in lines if _has(line, words, job, tag)]
        some = len(found) < len(lines)
        self.count.setText(f"{len(found):,} of {len(lines):,} runs" if some else f"{len(lines):,} runs")
        return found

    def clear(self) -> None:
        self.text.clear()
        self.job.setCurrentIndex(0)
        self.tag.setCurrentIndex(0)

    @staticmethod
    def _name(part: QWidget, name: str, tip: str) -> None:
        part.setAccessibleName(name)
        part.setToolTip(tip)

    @staticmethod
    def _offer(box: QComboBox, every: str, choices: dict[str, str]) -> None:
        """Fill a list; what was chosen stays so, though it occur no more, until something else is."""
        wanted = box.currentData()
        choices = choices if not wanted or wanted in choices.values() else {**choices, wanted: wanted}
        if [box.itemText(place) for place in range(box.count())] == [every, *choices]:
            return
        box.blockSignals(True)
        box.clear()
        box.addItem(every, "")
        for title, value in choices.items():
            box.addItem(title, value)
        box.setCurrentIndex(max(0, box.findData(wanted)))
        box.blockSignals(False)


def _has(line: Line, words: list[str], job: str, tag: str) -> bool:
    if (job and line.info.job != job) or (tag and tag not in line.info.tags):
        return False
    text = " ".join([*line.cells(), line.info.id, line.info.reason]).lower() if words else ""
    return all(word in text for word in words)
