"""The strip that says what stands between the person and the shown step, and offers the way on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Signal, Slot

from studio import interrupted, steps
from studio.notice import Notice
from studio.screens import SCREENS
from studio.session import Session
from studio.worker import Background
from ulmfit_core.config import SCRATCH, STARTER, Recipe
from ulmfit_core.jobs.base import starter_misfit
from ulmfit_core.project import Project, RunInfo

FROM_SCRATCH = "Begin from scratch"
TRAINED = ("pretrain", "finetune", "classify")
BETTER = "Begin from scratch instead: the model then learns from your texts, and from general text in their language."
Import = tuple[Path, int]  # a dataset folder, and when it was written


class Hint(Notice):
    """At most one: that the starter does not suit the texts, else a run that can go on, else why the shown step
    cannot start, is left out or out of date."""

    wants = Signal(str)  # the name of the screen to go to

    def __init__(self, session: Session):
        super().__init__()
        self._session = session
        self._current = ""
        self._known: set[Path] = set()  # runs that were started or declined in this window
        self._act: Callable[[], object] = lambda: None
        self._let_be: Callable[[], object] = lambda: None
        self._looking = Background(self)
        self._looked_at: Import | None = None
        self._misfit = ""  # why the starter does not suit what was looked at
        self._looking.answered.connect(self._show_misfit)
        self._looking.refused.connect(session.refused)
        self.acted.connect(self._do)
        self.dismissed.connect(self._decline)
        session.run_started.connect(self._follow_start)

    def show_for(self, current: str) -> None:
        """Say what is to be said while the screen of that name is shown."""
        self._current = current
        project = self._session.project
        self._let_be = lambda: None
        self.clear()
        if project is None or current not in SCREENS:
            return
        self._look_at_language(project)
        if self._misfit and project.recipe.base == STARTER:
            self._offer_scratch()
        elif not self._session.job:
            self._explain(project)

    def _explain(self, project: Project) -> None:
        run = None if self._session.read_only else steps.interrupted(project)
        if run and run.folder not in self._known:
            self._offer_to_resume(run)
        else:
            self._explain_step()

    # The starter's language

    def _look_at_language(self, project: Project) -> None:
        """Find out, once for each import and off the main thread, whether the starter suits the texts."""
        written = project.dataset_folder / "dataset.json"
        if project.recipe.base != STARTER or not written.exists():
            return
        found = (project.folder, written.stat().st_mtime_ns)
        if found != self._looked_at:
            self._looked_at, self._misfit = found, ""
            copy = Project(project.folder, Recipe(base=STARTER))
            self._looking.ask(lambda: starter_misfit(copy))

    @Slot(object)
    def _show_misfit(self, reason: str) -> None:
        self._misfit = reason
        self.show_for(self._current)

    def _offer_scratch(self) -> None:
        self._act = lambda: self._session.change("base", SCRATCH)
        self._let_be = self._keep_starter
        self.show_message(f"{self._misfit} {BETTER}", "warning", FROM_SCRATCH)

    def _keep_starter(self) -> None:
        """A dismissed warning does not come back for this import while the window is open."""
        self._misfit = ""
        self.show_for(self._current)

    # The steps

    def _offer_to_resume(self, run: RunInfo) -> None:
        self._act = lambda: self._resume(run)
        self._let_be = lambda: self._known.add(run.folder)
        self.show_message(interrupted.sentence(run), "info", "Resume", "Not now")

    def _resume(self, run: RunInfo) -> None:
        self.wants.emit(steps.screen_of(run.job))
        self._session.start(run.job, resume=run.folder)

    def _explain_step(self) -> None:
        state = steps.state_of(self._session, self._current)
        if state.mark == "skipped":
            self.show_message(f"This step is left out. {state.reason}", "info")
        elif state.mark == "stale":
            self._explain_stale(state.reason)
        elif state.mark == "empty":
            self._explain_waiting(f"This step cannot start yet. {state.reason}", "info")

    def _explain_stale(self, reason: str) -> None:
        """A training step's own bar says where its settings changed: a strip more would push the screen down."""
        waits = self._explain_waiting(f"This step is out of date. {reason}", "warning")
        if not waits and self._current not in TRAINED:
            self.show_message(f"{reason} Run this step again to bring it up to date.", "warning")

    def _explain_waiting(self, sentence: str, level: str) -> bool:
        """Say what the shown step waits for and offer to go there. False if it waits for no other step."""
        assert self._session.project is not None
        step = steps.blocking_step(self._session.project, self._current)
        if step:
            self._act = lambda: self.wants.emit(steps.screen_of(step))
            self.show_message(sentence, level, f"Go to “{steps.title_of(step)}”")
        return bool(step)

    @Slot()
    def _do(self) -> None:
        self._act()

    @Slot()
    def _decline(self) -> None:
        """What was dismissed is not said again: an offer to resume for its run, a warning for its import."""
        dismiss, self._let_be = self._let_be, lambda: None
        dismiss()

    @Slot(str, object)
    def _follow_start(self, job: str, folder: Path) -> None:
        self._known.add(folder)
