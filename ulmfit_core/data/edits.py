"""A person's corrections of the data: new labels, added texts, labels found right. They outlive every new import.

They are kept in the project's `edits.jsonl` with their whole texts and are applied by text, so that a file that is
imported again, or another one, has them too. White space does not matter.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field

from ulmfit_core import edit_log
from ulmfit_core.edit_log import ADD, CONFIRMED, RELABEL, Edit, EditLog, key_of
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project

# What added texts are said to come from, where rows are named by their file.
SOURCE = "your corrections"


def relabel(project: Project, text: str, label: str, before: str = "") -> Edit:
    """From the next import on every row with this text has this label; `before` is the one it had, for people to see.

    Raises UserError for an empty text or label, in a read-only project, and where nothing can be written.
    """
    return _append(project, RELABEL, text, label, before)


def add(project: Project, text: str, label: str) -> Edit:
    """From the next import on the text teaches the classifier; where the data has it already, it is relabelled there.

    Raises UserError as `relabel` does.
    """
    return _append(project, ADD, text, label, "")


def confirm(project: Project, text: str, label: str) -> Edit:
    """Remember that a label that looked wrong is right. No row changes. Raises UserError as `relabel` does."""
    return _append(project, CONFIRMED, text, label, label)


def undo(project: Project, number: int) -> None:
    """Take back an active edit. Raises UserError where there is none of that number, and as `relabel` does."""
    with _writing(project) as log:
        if number not in [edit.number for edit in log.active]:
            raise UserError(f"There is no correction {number} that could be taken back. It may have been already.")
        edit_log.append_undo(project.folder, log.last + 1, number, _now())


def active(project: Project) -> list[Edit]:
    """The edits that were not undone, oldest first. Of two for one text the later one holds."""
    return list(edit_log.read(project.folder).active)


def version_of(project: Project) -> str:
    """Changes with what the active edits change in the rows; "" where that is nothing."""
    return edit_log.version(project.folder)


def _append(project: Project, kind: str, text: str, label: str, before: str) -> Edit:
    if not key_of(text) or not label.strip():
        raise UserError("A correction needs a text and a label. Type both.")
    with _writing(project) as log:
        edit = Edit(log.last + 1, kind, text, label.strip(), before, _now())
        edit_log.append(project.folder, edit)
    return edit


@contextlib.contextmanager
def _writing(project: Project) -> Iterator[EditLog]:
    project.refuse_if_read_only()
    try:
        yield edit_log.read(project.folder)
    except OSError as error:
        path = project.folder / edit_log.NAME
        raise UserError(f"The correction cannot be kept in {path}: {error.strerror}. Mend that first.") from None


def _now() -> str:
    return datetime.datetime.now().isoformat(timespec="seconds")


@dataclass
class Corrections:
    """The corrections as an import meets them.

    `wanted` by the text's key; `labels` by the row, of all rows that it met; `added` became rows of their own.
    `damaged` lines of the log could not be read.
    """

    wanted: dict[str, Edit] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)
    added: list[Edit] = field(default_factory=list)
    damaged: int = 0

    @classmethod
    def of(cls, project: Project) -> Corrections:
        """Those of a project; none where its rows have no labels that could be corrected."""
        log = edit_log.read(project.folder) if project.recipe.data.label else EditLog()
        return cls(edit_log.corrections(log.active), damaged=log.damaged)

    def meet(self, row: int, text: str) -> None:
        """Take note of a row of the import, whose number is `row`."""
        if not self.wanted:
            return
        key = key_of(text)
        if key in self.wanted:
            self.met.add(key)
            self.labels[row] = self.wanted[key].label

    def not_met(self, kind: str) -> list[Edit]:
        """Those of a kind whose text no row has had so far."""
        return [edit for key, edit in self.wanted.items() if edit.kind == kind and key not in self.met]
