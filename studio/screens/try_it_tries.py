"""On the Try it screen: the tries of this session, which no one keeps, and those that the project keeps."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from studio import kept_tries, theme
from studio.kept_tries import Try
from studio.widgets.card import line
from studio.widgets.table import Table
from ulmfit_core.config import NOT_SURE, UNKNOWN
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project

HEADERS = ["Answer", "Sure", "Text"]
LEAST_TABLE = 92  # two tries with their heading
SETTLED_MILLISECONDS = 1500  # that an answer stands before its text counts as a try of its own
MOST = 50
RECENT = "Texts that you try are listed here until you close the project. Only “Keep this try” keeps one for longer."
KEPT = "Texts that you keep are listed here with their answers; the project keeps them."
AGAIN = "Double-click a line (or Return) to put its text back above."


class RecentTries(QWidget):
    """The last tries of this session, the newest first. `opened(text)`: one is to be tried again."""

    opened = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.tries: list[Try] = []
        self._newest: Try | None = None
        self.table = tries_table("The last tries of this session", RECENT)
        self.table.activated.connect(self._open)
        self._settling = QTimer(self, singleShot=True, interval=SETTLED_MILLISECONDS)
        self._settling.timeout.connect(self.settle)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)

    def note(self, one: Try) -> None:
        """An answer is shown. It becomes a try when it stands for a while, or when another text takes its place."""
        if self._newest and not goes_on(self._newest.text, one.text):
            self.settle()
        self._newest = one
        self._settling.start()

    @Slot()
    def settle(self) -> None:
        """What is shown is a try from now on; one whose text it goes on with is not listed any more."""
        newest, self._newest = self._newest, None
        self._settling.stop()
        if newest:
            others = [one for one in self.tries if one.text != newest.text]
            if others and goes_on(others[0].text, newest.text):
                others.pop(0)
            self.tries = [newest, *others][:MOST]
            self.table.set_rows(HEADERS, [try_row(one) for one in self.tries])

    @Slot()
    def _open(self) -> None:
        row = self.table.currentRow()
        if 0 <= row < len(self.tries):
            self.opened.emit(self.tries[row].text)


class KeptTries(QWidget):
    """The tries that the project keeps. `opened(text)`: one is to be tried again; `troubled`: a file cannot be used."""

    opened = Signal(str)
    troubled = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.may_write = True  # not in a window that only reads
        self._project: Project | None = None
        self._tries: list[Try] = []
        self._version: object = None
        self._make_parts()

    def use(self, project: Project) -> None:
        """Show what this project keeps, read anew where the file is another than the one that is shown."""
        self._project = project
        if kept_tries.version_of(project) != self._version:
            self._tries = []
            self._change(project, lambda: kept_tries.read(project))
        self._offer_removal()

    def keep(self, one: Try) -> None:
        project = self._project
        if project and self.may_write:
            self._change(project, lambda: kept_tries.add(project, one))

    @Slot()
    def remove_marked(self) -> None:
        row, project = self.table.currentRow(), self._project
        if project and self.remove.isEnabled() and 0 <= row < len(self._tries):
            one = self._tries[row]
            self._change(project, lambda: kept_tries.remove(project, one))
            self.table.selectRow(min(row, len(self._tries) - 1))

    def _change(self, project: Project, change: Callable[[], list[Try]]) -> None:
        """What cannot be read or written is told, and what was shown stays."""
        try:
            self._tries = change()
        except UserError as error:
            self.troubled.emit(str(error))
        self._version = kept_tries.version_of(project)
        self.table.set_rows(HEADERS, [try_row(one) for one in self._tries])
        self._offer_removal()

    @Slot()
    def _offer_removal(self) -> None:
        self.remove.setEnabled(self.may_write and bool(self.table.selectedIndexes()))

    @Slot()
    def _open(self) -> None:
        row = self.table.currentRow()
        if 0 <= row < len(self._tries):
            self.opened.emit(self._tries[row].text)

    def _make_parts(self) -> None:
        self.table = tries_table("Kept tries", KEPT)
        self.table.itemSelectionChanged.connect(self._offer_removal)
        self.table.activated.connect(self._open)
        self.remove = QPushButton("&Remove")
        self.remove.setToolTip("Keep the marked try no longer (Delete).")
        self.remove.setEnabled(False)
        self.remove.clicked.connect(self.remove_marked)
        shortcut = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.table, self.remove_marked)
        shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)
        below = QHBoxLayout()
        below.addWidget(line(AGAIN, "hint"), 1)
        below.addWidget(self.remove)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SMALL)
        column.addWidget(self.table, 1)
        column.addLayout(below)


def tries_table(name: str, nothing: str) -> Table:
    table = Table(name)
    table.nothing = nothing
    table.setToolTip(AGAIN)
    table.setMinimumHeight(LEAST_TABLE)
    table.set_rows(HEADERS, [])
    return table


def try_row(one: Try) -> list[str]:
    """The probability is the likeliest label's, so that beside “unknown” it would say the opposite of what is meant."""
    sure = "" if one.label in (NOT_SURE, UNKNOWN) else f"{one.probability:.1%}"
    return [one.label, sure, " ".join(one.text.split())]


def goes_on(before: str, after: str) -> bool:
    """Whether one of two texts is the other with its end typed further, or taken back."""
    one, other = before.rstrip(), after.rstrip()
    return one.startswith(other) or other.startswith(one)
