"""Taking a run's settings over into the project, after showing what that changes; and starting it again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from studio import theme
from studio.screens.run_compare import SideBySide, help_of, name_of, shown
from studio.screens.run_story import Story, job_title
from studio.session import Session
from studio.widgets.card import line
from ulmfit_core import run_settings
from ulmfit_core.config import Recipe
from ulmfit_core.errors import UserError
from ulmfit_core.models import description
from ulmfit_core.project import BUNDLES, INPUTS, TITLES, Project, read_run
from ulmfit_core.run_settings import Change

ONLY_USE, START = 1, 2  # what the person chose in the dialog


@dataclass(frozen=True)
class Again:
    """The project's recipe with a run's settings: what that changes, what stands in the way of starting, what to know.

    `options` are what the job is told besides.
    """

    story: Story
    wanted: Recipe
    changes: list[Change]
    obstacle: str
    caution: str
    options: dict[str, Any]


def prepare(opened: Project, story: Story) -> Again:
    """Raises UserError where the run's settings are not known to this program."""
    if story.step not in run_settings.PARTS:
        raise UserError(f"“{job_title(story.info.job)}” has no settings that could be used again.")
    then = run_settings.recipe_of(story.info.folder)
    keys = [run_settings.keys_of(recipe, story.step) for recipe in (then, opened.recipe)]
    every = list(dict.fromkeys([*keys[0], *keys[1]]))
    wanted = run_settings.with_settings(opened.recipe, then, every)
    changed = run_settings.changes([opened.recipe, wanted], every)
    subject = Project(opened.folder, wanted)
    obstacle = subject.skip_reason(story.step) or subject.waits_for(story.step)
    return Again(story, wanted, changed, obstacle, _caution(subject, story.step), _options(story))


def use(session: Session, again: Again) -> None:
    """Make the run's settings the project's. Raises UserError or OSError where they cannot be saved."""
    opened = session.project
    assert opened is not None
    before, opened.recipe = opened.recipe, again.wanted
    try:
        opened.save()
    except (UserError, OSError):
        opened.recipe = before
        raise
    session.project_changed.emit()


def start(session: Session, again: Again) -> bool:
    """Start the run's job once more. An import takes its settings along: they count only if it succeeds."""
    job = again.story.info.job
    return session.start(job, again.wanted if job == "import" else None, **again.options)


def _options(story: Story) -> dict[str, Any]:
    paths = {name: Path(value) for name, value in story.options.items() if name in ("data", "out") and value}
    return {**story.options, **paths}


def _caution(project: Project, step: str) -> str:
    """Where the model that `step` would start from was trained with other settings than these."""
    before = next((name for name in _below(step) if not project.skip_reason(name)), "")
    maker = description.known(project.bundle_folder(before)).get("facts", {}).get("run", "") if before else ""
    folder = project.folder / "runs" / maker
    if not maker or not (folder / "config.toml").exists():
        return ""
    if read_run(folder).fingerprint == project.fingerprint(before):
        return ""
    title = TITLES[before]
    return f"“{title}” was last trained with other settings: for the same start run it again first."


def _below(step: str) -> list[str]:
    """The training steps before this one, the nearest first."""
    names = [name for name in INPUTS[step] if name in BUNDLES]
    return [*names, *(each for name in names for each in _below(name))]


class AgainDialog(QDialog):
    """Shows what would change and asks. `exec` returns ONLY_USE, START, or 0 where all stays as it is."""

    def __init__(self, again: Again, starting: bool, parent: QWidget | None = None):
        super().__init__(parent)
        title = job_title(again.story.info.job)
        self.setWindowTitle("Run again" if starting else "Use these settings")
        self.table = SideBySide("Settings that change")
        self.table.setToolTip("What the project has now, and what it would have.")
        self.cancel = QPushButton("&Cancel" if again.changes or starting else "&Close", self)
        self.cancel.setToolTip("Leave everything as it is.")
        self.start = QPushButton("Use and &start" if again.changes else "&Start", self)
        self.use = QPushButton("&Use these settings", self)
        self.start.setToolTip(f"Make these settings the project's and start “{title}”.")
        self.use.setToolTip("Make these settings the project's and start nothing.")
        self.sentences = [line(text) for text in sentences(again, starting) if text]
        self._fill_table(again)
        self._lay_out(again, starting)

    def _fill_table(self, again: Again) -> None:
        rows = [[name_of(change.key), *(shown(change.field, value) for value in change.values)]
                for change in again.changes]  # fmt: skip
        self.table.set_rows(["Setting", "Now", "Then"], rows)
        for row, change in enumerate(again.changes):
            for item in filter(None, (self.table.item(row, column) for column in range(3))):
                item.setToolTip(help_of(change, item.text()))

    def _lay_out(self, again: Again, starting: bool) -> None:
        column = QVBoxLayout(self)
        column.setSpacing(theme.MEDIUM)
        column.addWidget(self.sentences[0])
        if again.changes:
            column.addWidget(self.table, 1)
        for sentence in self.sentences[1:]:
            column.addWidget(sentence)
        column.addLayout(self._buttons(again, starting))
        self.resize(640, 420 if again.changes else 0)

    def _buttons(self, again: Again, starting: bool) -> QHBoxLayout:
        """Only those that do something; Enter presses the first that may be pressed."""
        self.start.setVisible(starting)
        self.start.setEnabled(not again.obstacle)
        self.use.setVisible(bool(again.changes))
        self.start.clicked.connect(self._choose_start)
        self.use.clicked.connect(self._choose_use)
        self.cancel.clicked.connect(self.reject)
        row = QHBoxLayout()
        row.addStretch(1)
        every = (self.start, self.use, self.cancel)
        for button in every:
            row.addWidget(button)
        first = next(button for button in every if not button.isHidden() and button.isEnabled())
        first.setDefault(True)
        self._first = first
        return row

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._first.setFocus()

    @Slot()
    def _choose_start(self) -> None:
        self.done(START)

    @Slot()
    def _choose_use(self) -> None:
        self.done(ONLY_USE)


def sentences(again: Again, starting: bool) -> list[str]:
    """What the dialog says: what changes, then what stands in the way or is to be known."""
    title = job_title(again.story.info.job)
    count = len(again.changes)
    if count:
        first = f"{count} setting{'s' * (count != 1)} of the project would change to what this run had:"
    else:
        first = "The project has all settings of this run already."
    more = [again.caution]
    if starting and again.obstacle:
        more = [f"“{title}” cannot start with them yet. {again.obstacle}"]
    if count:
        more.append("Nothing is deleted. Steps whose settings change count as out of date until they are run again.")
    return [first, *more]
