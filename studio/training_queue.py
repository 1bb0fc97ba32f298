"""The queue: every step that is open, one after the other in the session's worker, up to a last one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from studio.standing import standing_of_evaluation
from ulmfit_core import faults
from ulmfit_core.config import Recipe
from ulmfit_core.events import Ended
from ulmfit_core.project import INPUTS, TITLES, Project, RunInfo

if TYPE_CHECKING:
    from studio.session import Session

LAST = list(INPUTS)[-1]
NOTHING_OPEN = "Everything is done already: there is nothing to train."


def open_steps(project: Project, last: str = LAST) -> list[str]:
    """The steps up to `last` that are part of the recipe and not done, in their order."""
    upto = list(INPUTS)[: list(INPUTS).index(last) + 1]
    return [step for step in upto if project.state(step).mark not in ("done", "skipped")]


class TrainingQueue(QObject):
    """What comes is derived anew after each step, so a setting that is changed meanwhile counts.

    A step that fails or is stopped ends the queue. A training that was stopped goes on from its checkpoint, as does one
    that memory or a graphics card failed.
    """

    changed = Signal()  # what is done, runs or comes
    ended = Signal(str, str)  # done, stopped or failed; a sentence for the person

    def __init__(self, session: Session):
        super().__init__(session)
        self._session = session
        self._last = ""  # the last step that is wanted; empty where no queue is at work
        self._folder: Path | None = None  # of the project
        self._recipe: Recipe | None = None  # what the import is to try
        self._word: Ended | None = None  # the last word of the step that ended
        self.done: list[str] = []
        session.run_ended.connect(self._follow)

    @property
    def active(self) -> bool:
        return bool(self._last)

    @property
    def running(self) -> str:
        """The step at work, or an empty string."""
        return self._session.job or "" if self.active else ""

    @property
    def coming(self) -> list[str]:
        """The steps after the one at work."""
        project = self._session.project
        if not self.active or project is None:
            return []
        return [step for step in open_steps(project, self._last) if step != self.running]

    def start(self, recipe: Recipe | None = None) -> bool:
        """Run all open steps; `recipe` is tried by the import. A step that runs already is waited for.

        False, and `session.refused`, where nothing is open or the first step cannot start.
        """
        project = self._session.project
        if project is None or not open_steps(project):
            self._session.refused.emit(NOTHING_OPEN if project else "Open or create a project first.")
            return False
        self._last, self._folder, self._recipe, self.done = LAST, project.folder, recipe, []
        if self._session.job in INPUTS:
            self.changed.emit()
        else:
            self._start_next(project)
        return self.active

    def take_out(self, step: str) -> None:
        """Leave out a step that comes, and those after it, which need it."""
        coming = self.coming
        kept = coming[: coming.index(step)]
        self._last = kept[-1] if kept else self.running
        self.changed.emit()

    def stop(self) -> None:
        """Stop the step at work and let no other follow; what was finished is kept."""
        self._session.stop()

    def forget(self) -> None:
        """Let no other step follow, and say nothing of it."""
        self._last = ""
        self.changed.emit()

    @Slot(str, object)
    def _follow(self, job: str, ended: Ended) -> None:
        """The next step begins when all who heard of this end have done what they do about it."""
        if self.active:
            self._word = ended
            self.done += [job] if ended.status == "done" and job in INPUTS else []
            QTimer.singleShot(0, self._go_on)

    @Slot()
    def _go_on(self) -> None:
        project, word = self._session.project, self._word
        if not self.active or word is None:
            return
        if word.status != "done" or project is None or project.folder != self._folder:
            self._end("stopped" if word.status == "done" else word.status, word)
        elif open_steps(project, self._last):
            self._start_next(project)
        else:
            self._end("done", word)

    def _start_next(self, project: Project) -> None:
        step = open_steps(project, self._last)[0]
        unfinished = project.resumable_run(step)
        resume = unfinished.folder if unfinished and _goes_on(unfinished) else None
        recipe, self._recipe = (self._recipe if step == "import" else None), None
        self.done = [each for each in self.done if each != step]  # a step whose settings changed runs once more
        if not self._session.start(step, recipe=recipe, resume=resume):
            self._last = ""
        self.changed.emit()

    def _end(self, status: str, word: Ended) -> None:
        self._last = ""
        self.changed.emit()
        self.ended.emit(status, _sentence(status, word, self.done))


def _goes_on(run: RunInfo) -> bool:
    """Whether a training is worth going on with: not where it failed by itself."""
    return run.status != "failed" or faults.GOES_ON in run.reason


def _sentence(status: str, word: Ended, done: list[str]) -> str:
    if status == "failed":
        return f"Training everything ended early. {word.reason}"
    if status == "stopped":
        return "Training everything was stopped. “Train everything” goes on from here."
    if "baseline_tfidf" in word.report:
        return f"Everything is trained. {standing_of_evaluation(word.report)}"
    return f"Done: {', '.join(TITLES[step] for step in done)}."
