"""Copies a project into a new folder, which appears when it is whole; the project itself is only read."""

from __future__ import annotations

import shutil
from pathlib import Path

from ulmfit_core import files, lock
from ulmfit_core.errors import UserError
from ulmfit_core.project import INPUTS, Project, busy_sentence
from ulmfit_core.run import Control, Stopped

LEFT_OUT = (lock.WINDOW, lock.WORK, "project.toml")  # the last one is written for the copy
PIECE = 4 << 20  # bytes copied between two looks at the control


class Copying:
    """One copy. `done` and `total` count bytes and may be read from any thread while `work` runs in another."""

    def __init__(self, project: Project, target: Path, name: str, with_runs: bool):
        """`with_runs` False takes along the newest finished run of each step alone, so that what is done stays done."""
        self.project, self.target, self.name, self.with_runs = project, target, name, with_runs
        self.control = Control()
        self.done = self.total = 0

    def work(self) -> Path:
        """Make the copy and return its folder.

        Raises UserError where it cannot be made or was stopped; nothing is left of it then.
        """
        self._refuse_if_unsound()
        try:
            with files.replacing_folder(self.target) as folder:
                self._fill(folder)
        except Stopped:
            raise UserError("Stopped. Nothing was made.") from None
        except OSError as error:
            raise UserError(f"The copy in {self.target} failed: {error.strerror}. Nothing was made.") from None
        return self.target

    def _refuse_if_unsound(self) -> None:
        if self.target.exists() and (not self.target.is_dir() or any(self.target.iterdir())):
            raise UserError(f"{self.target} exists already and is not empty. Choose another name.")
        if self.project.folder in self.target.absolute().parents:
            raise UserError("The copy cannot lie inside the project itself. Choose another place.")
        busy = lock.holder(self.project.folder, lock.WORK)
        if busy:
            raise UserError(busy_sentence(busy.sentence))

    def _fill(self, folder: Path) -> None:
        sources = [path for path in self._files() if path.is_file()]
        self.total = sum(path.stat().st_size for path in sources)
        for source in sources:
            self._copy(source, folder / source.relative_to(self.project.folder))
        recipe = self.project.recipe.model_copy(deep=True)
        recipe.name = self.name
        Project(folder, recipe).save()

    def _files(self) -> list[Path]:
        """All that is taken along; what begins with a dot is on its way to somewhere else."""
        top = [path for path in self.project.folder.iterdir() if path.name not in LEFT_OUT and path.name[0] != "."]
        found = [path for path in top if path.is_file()]
        for part in (path for path in top if path.is_dir() and path.name != "runs"):
            found += part.rglob("*")
        for run in self._runs():
            found += run.rglob("*")
        return found

    def _runs(self) -> list[Path]:
        if self.with_runs:
            return [run.folder for run in self.project.runs()]
        finished = (self.project.finished_run(step) for step in INPUTS)
        return [run.folder for run in finished if run]

    def _copy(self, source: Path, target: Path) -> None:
        if self.control.stopping:
            raise Stopped
        with source.open("rb") as read, files.replacing_file(target) as written:
            while piece := read.read(PIECE):
                if self.control.stopping:
                    raise Stopped
                written.write(piece)
                self.done += len(piece)
        shutil.copystat(source, target)
