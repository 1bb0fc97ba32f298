"""The strip that says what stands between the person and the shown step, and offers the way on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Signal, Slot

from studio import interrupted, steps
from studio.notice import Notice
from studio.screens import SCREENS
from studio.session import Session
from ulmfit_core.project import RunInfo


class Hint(Notice):
    """At most one: a run that can go on, else why the shown step cannot start, is left out or out of date."""

    wants = Signal(str)  # the name of the screen to go to

    def __init__(self, session: Session):
        super().__init__()
        self._session = session
        self._current = ""
        self._known: set[Path] = set()  # runs that were started or declined in this window
        self._act: Callable[[], object] = lambda: None
        self.acted.connect(self._do)
        self.dismissed.connect(self._decline)
        session.run_started.connect(self._follow_start)

    def show_for(self, current: str) -> None:
        """Say what is to be said while the screen of that name is shown."""
        self._current = current
        project = self._session.project
        self.clear()
        if project is None or self._session.job or current not in SCREENS:
            return
        run = None if self._session.read_only else steps.interrupted(project)
        if run and run.folder not in self._known:
            self._offer_to_resume(run)
        else:
            self._explain_step()

    def _offer_to_resume(self, run: RunInfo) -> None:
        self._act = lambda: self._resume(run)
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
        if not self._explain_waiting(f"This step is out of date. {reason}", "warning"):
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
        """A dismissed offer to resume is not made again for this run while the window is open."""
        run = self._session.project and steps.interrupted(self._session.project)
        if run:
            self._known.add(run.folder)

    @Slot(str, object)
    def _follow_start(self, job: str, folder: Path) -> None:
        self._known.add(folder)
