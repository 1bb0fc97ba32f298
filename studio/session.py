"""The session: the open project and the one job at work. Screens read it, ask it and listen to it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from studio import recent
from studio.access import Access
from studio.log import logger
from studio.training_queue import TrainingQueue
from studio.worker import Worker
from ulmfit_core import catalog, config, files, sample
from ulmfit_core.config import Recipe
from ulmfit_core.errors import UserError
from ulmfit_core.events import Ended
from ulmfit_core.project import Project
from ulmfit_core.run import Control, clear_refused

DRAIN_MILLISECONDS = 100


class Session(QObject):
    """All signals are emitted in the main thread."""

    project_changed = Signal()  # recipe, steps, dataset or models may have changed
    event = Signal(object)  # type: ignore[assignment]  # hides QObject.event, which nobody calls; every ulmfit_core.events.Event of the running job
    run_started = Signal(str, object)  # job, run folder
    run_ended = Signal(str, object)  # job, events.Ended
    refused = Signal(str)  # a sentence for the person: why something asked for was not done

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self.project: Project | None = None
        self.job: str | None = None
        self.run_folder: Path | None = None  # of the running job, or of the last one that ran
        self._worker: Worker | None = None
        self._tried: Recipe | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(DRAIN_MILLISECONDS)
        self._timer.timeout.connect(self._drain)
        self.access = Access(self)
        self.access.changed.connect(self._follow_others)
        self.queue = TrainingQueue(self)

    # The project

    def open(self, folder: Path | str) -> None:
        """Open a project folder. Raises UserError if it is none or a job is running."""
        self._refuse_if_busy()
        self._enter(Project.open(Path(folder)))

    def create(self, folder: Path | str, recipe: Recipe) -> None:
        """Make a new project and open it. Raises UserError if that folder cannot be used."""
        self._refuse_if_busy()
        self._enter(Project.create(Path(folder), recipe))

    def open_sample(self, name: str = sample.DEFAULT) -> None:
        """Open the project of a sample, made on first use. Raises UserError if there is none of that name."""
        self._refuse_if_busy()
        self._enter(sample.open_or_make(name=name))

    def take_over(self) -> None:
        """Change the project from here on. Raises UserError if it is no project any more."""
        assert self.project is not None
        self._enter(Project.open(self.project.folder))

    def close_project(self) -> None:
        self._refuse_if_busy()
        self.leave()
        self.project_changed.emit()

    def leave(self) -> None:
        """Let go of the project: other windows may change it now."""
        self.access.leave()
        self.project = self.run_folder = None

    def change(self, key: str, value: Any) -> bool:
        """Set one knob by its dotted name, such as `vocab.size`, and save. False if it is refused: all is as it was."""
        if self.project is None:
            return False
        before, tried = _copy(self.project.recipe), self._tried and _copy(self._tried)
        try:
            self.project.refuse_if_read_only()
            for recipe in filter(None, (self.project.recipe, self._tried)):
                config.set_value(recipe, key, value)
            self.project.save()
        except (UserError, OSError) as error:
            self.project.recipe, self._tried = before, tried
            self.project_changed.emit()  # so that the control shows again what is in force
            self._tell(error)
            return False
        self.project_changed.emit()
        return True

    def _tell(self, error: UserError | OSError) -> None:
        self.refused.emit(files.told(error) if isinstance(error, OSError) else str(error))

    def _enter(self, project: Project) -> None:
        self.access.enter(project)
        self.project, self.run_folder = project, None
        recent.add(project.folder)
        self.project_changed.emit()

    @property
    def read_only(self) -> str:
        """Why this window may not change the project, as a sentence; empty where it may."""
        return self.project.read_only if self.project else ""

    @Slot()
    def _follow_others(self) -> None:
        """Another process did something: what it saved is read anew where this window saves nothing itself."""
        if self.project and self.read_only:
            try:
                self.project.recipe = Project.open(self.project.folder).recipe
            except UserError as error:
                self.refused.emit(str(error))
        if self.job is None:
            self.project_changed.emit()

    # The job

    @property
    def control(self) -> Control | None:
        return self._worker.control if self._worker else None

    @property
    def paused(self) -> bool:
        return bool(self.control and self.control.paused)

    def start(
        self, job: str, recipe: Recipe | None = None, resume: Path | None = None, **options: Any
    ) -> bool:
        """Run a job of the catalog in the worker thread. False (and `refused`) if it cannot start now."""
        try:
            self._refuse_if_busy()
            self._begin(job, recipe, resume, options)
        except (UserError, OSError) as error:
            self._tell(error)
            return False
        logger.info("%s began in %s", job, self.run_folder)
        self.run_started.emit(job, self.run_folder)
        self.project_changed.emit()
        return True

    def pause(self) -> None:
        if self.control:
            self.control.pause()
            self.project_changed.emit()

    def resume(self) -> None:
        if self.control:
            self.control.resume()
            self.project_changed.emit()

    def stop(self) -> None:
        """Stop at the next opportunity; what was finished is kept."""
        if self.control:
            self.control.stop()

    def finish(self) -> None:
        """End now with the best result so far."""
        if self.control:
            self.control.finish()

    def _refuse_if_busy(self) -> None:
        if self.job:
            title = catalog.JOBS[self.job].title
            raise UserError(f"“{title}” is still running. Stop it or wait until it is done.")

    def _begin(self, job: str, recipe: Recipe | None, resume: Path | None, options: dict[str, Any]) -> None:
        if self.project is None:
            raise UserError("Open or create a project first.")
        self.project.refuse_if_read_only()
        self.project.refuse_if_busy(job)
        # The job works on its own copy: a knob turned meanwhile counts for the next run.
        subject = Project(self.project.folder, _copy(recipe or self.project.recipe))
        self.run_folder = resume or subject.new_run_folder(job)
        self._tried = _copy(recipe) if recipe else None
        options = {"recipe": recipe and subject.recipe, "resume": resume, **options}
        self._worker = Worker(subject, job, self.run_folder, options)
        self.job = job
        self._worker.start()
        self._timer.start()

    @Slot()
    def _drain(self) -> None:
        worker = self._worker
        if worker is None:
            return
        finished = worker.finished  # asked before the queue is emptied, so that no news is left behind
        while worker.news:
            self.event.emit(worker.news.popleft())
        if finished and worker is self._worker:
            self._end(worker)

    def _end(self, worker: Worker) -> None:
        worker.wait()
        self._timer.stop()
        job, self.job, self._worker = self.job, None, None
        ended = worker.ended or Ended("failed", "The job ended without a word.")
        if self.run_folder:
            with contextlib.suppress(OSError):  # one that cannot be removed stays, as a run that failed
                clear_refused(self.run_folder, ended)  # here, because screens of this thread read the folder
        unsaved = self._adopt(ended)
        logger.info("%s ended: %s %s", job, ended.status, ended.reason)
        self.run_ended.emit(job, ended)
        self.project_changed.emit()
        if unsaved:
            self._tell(unsaved)  # last, because the end of a run takes away what was told before it

    def _adopt(self, ended: Ended) -> OSError | None:
        """The recipe that a job tried becomes the project's if the job is done. Returns why it could not be saved.

        The job has saved it as it was at the start: only knobs that were turned meanwhile wait for the next save.
        """
        tried, self._tried = self._tried, None
        if self.project and tried and ended.status == "done":
            self.project.recipe = tried
            try:
                self.project.save()
            except OSError as error:
                return error
        return None


def _copy(recipe: Recipe) -> Recipe:
    return recipe.model_copy(deep=True)
