"""Deleting runs: to the system's trash after a question, for good only where there is no trash and after another."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QFile
from PySide6.QtWidgets import QMessageBox, QWidget

from studio.ask import confirmed
from studio.screens.run_story import Line
from ulmfit_core.errors import UserError
from ulmfit_core.models import description
from ulmfit_core.project import BUNDLES, TITLES, Project

ROLE = QMessageBox.ButtonRole.DestructiveRole


def asked(parent: QWidget, opened: Project, lines: list[Line]) -> bool:
    """Whether the person wants these runs away, knowing what that means."""
    text = f"Delete {told(lines)}?"
    more = [consequence(opened, line) for line in lines]
    more = [*filter(None, more), "The folder with log, curves, notes and checkpoint goes to the trash."]
    return confirmed(parent, "Delete runs", text, "\n\n".join(more), yes="&Delete", no="&Keep", role=ROLE)


def told(lines: list[Line]) -> str:
    if len(lines) > 1:
        return f"{len(lines)} runs"
    return f"the run “{lines[0].title}” of {lines[0].info.created.replace('T', ', ')}"


def consequence(opened: Project, line: Line) -> str:
    """What the project loses with a run, or an empty string."""
    run = line.info
    parts = []
    if run.job in BUNDLES and maker_of(opened.bundle_folder(run.job)) == run.id:
        parts.append(f"The project's present model of “{TITLES[run.job]}” is from this run. The model itself stays.")
    newest = opened.finished_run(run.job) if run.job in TITLES else None
    if newest and newest.id == run.id:
        parts.append(f"“{TITLES[run.job]}” may count as not done without it.")
    return " ".join(parts)


def maker_of(bundle: Path) -> str:
    """The id of the run that made a bundle; empty where there is none."""
    return str(description.known(bundle).get("facts", {}).get("run", ""))


def remove(parent: QWidget, opened: Project, lines: list[Line]) -> None:
    """Move the folders to the trash. Where there is none, ask whether to delete for good.

    Raises UserError or OSError where a folder cannot be removed; those before it are gone then.
    """
    opened.refuse_if_read_only()
    left = [line for line in lines if not moved_to_trash(line.info.folder)]
    if left and _for_good(parent, left):
        for line in left:
            opened.delete_run(line.info)


def moved_to_trash(folder: Path) -> bool:
    moved = QFile.moveToTrash(str(folder))
    return bool(moved[0] if isinstance(moved, tuple) else moved)


def _for_good(parent: QWidget, lines: list[Line]) -> bool:
    text = f"There is no trash for {told(lines)}. Delete for good?"
    more = "It cannot be brought back."
    return confirmed(parent, "Delete for good", text, more, yes="Delete for &good", no="&Keep", role=ROLE)


def refuse_running(lines: list[Line]) -> None:
    """Raise UserError where one of them is at work."""
    busy = next((line for line in lines if line.at_work), None)
    if busy:
        raise UserError(f"“{busy.title}” is {busy.at_work}. Stop it first, then delete its run.")
