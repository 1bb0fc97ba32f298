"""Trainings that did not come to their end: what is said of them, and the offer to go on at the next start."""

from __future__ import annotations

import datetime
from pathlib import Path

from PySide6.QtCore import Signal, Slot

from studio import recent, steps
from studio.notice import Notice
from studio.session import Session
from studio.widgets import pace
from studio.widgets.run_bar import plan_of
from studio.worker import Background
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project, RunInfo
from ulmfit_core.run import read_steps

HOW = {"unfinished": "was cut off", "stopped": "was stopped", "failed": "failed"}


def sentence(run: RunInfo, where: str = "") -> str:
    """Which training ended early, at which step and when, and from where it can go on."""
    plan, saved = plan_of(run.folder), steps.last_step(run)
    done = max(saved, pace.steps_done(read_steps(run.folder / "steps.f32")))
    of = f" of {plan.total_steps:,}" if plan else ""
    since = "there" if saved == done else f"step {saved:,}, where it was last saved"
    title = f"“{steps.title_of(run.job)}”{where}"
    return f"{title} {HOW[run.status]} at step {done:,}{of}, {when(run.folder)}. It can go on from {since}."


def when(folder: Path) -> str:
    """“today at 21:40” or “on 21 Nov at 21:40”: the last sign of life in a run's logs."""
    logs = (folder / "steps.f32", folder / "events.jsonl", folder / "checkpoint" / "state.json")
    last = datetime.datetime.fromtimestamp(max(path.stat().st_mtime for path in logs if path.exists()))
    day = "today" if last.date() == datetime.date.today() else f"on {last.day} {last:%b}"
    return f"{day} at {last:%H:%M}"


def last_cut_off() -> tuple[Project, RunInfo] | None:
    """The training that was cut off in the project opened last; a person's own stop is no such thing."""
    folder = next(iter(recent.projects()), None)
    if folder is None:
        return None
    try:
        project = Project.open(folder)
    except UserError:  # whoever opens it is told
        return None
    run = steps.interrupted(project)
    return (project, run) if run and run.status == "unfinished" else None


class LastTime(Notice):
    """Over Welcome: the training that a crash cut off last time, with the offer to go on with it."""

    wants = Signal(str)  # the name of the screen to go to

    def __init__(self, session: Session):
        super().__init__()
        self._session = session
        self._found: tuple[Project, RunInfo] | None = None
        self._search = Background(self)
        self._search.answered.connect(self._offer)
        self.acted.connect(self._resume)
        session.project_changed.connect(self._withdraw)

    def look(self) -> None:
        """Look for such a training, unless a project is open: that one says so itself."""
        if self._session.project is None:
            self._search.ask(last_cut_off)

    @Slot(object)
    def _offer(self, found: tuple[Project, RunInfo] | None) -> None:
        self._found = found
        if found and self._session.project is None:
            project, run = found
            self.show_message(sentence(run, f" in “{project.recipe.name}”"), "info", "&Resume", "Not no&w")

    @Slot()
    def _resume(self) -> None:
        assert self._found is not None
        project, run = self._found
        try:
            self._session.open(project.folder)
        except UserError as error:
            self._session.refused.emit(str(error))
            return
        self.wants.emit(steps.screen_of(run.job))
        self._session.start(run.job, resume=run.folder)

    @Slot()
    def _withdraw(self) -> None:
        self.clear()
