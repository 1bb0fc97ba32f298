"""What checkpoints take of the disk, and which of them give way where that is more than the project may take."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from ulmfit_core import files
from ulmfit_core.project import Project

FOLDER = "checkpoint"
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Kept:
    """The checkpoints of one run: their folder and the bytes they take."""

    folder: Path
    size: int

    @property
    def run(self) -> str:
        return self.folder.parent.name


def kept(project: Project) -> list[Kept]:
    """The checkpoints of all runs, the oldest run first."""
    folders = (run / FOLDER for run in project.run_folders())
    return [Kept(folder, files.size_of(folder)) for folder in folders if folder.is_dir()]


def taken(project: Project) -> int:
    """Bytes of the checkpoints of all runs."""
    return sum(each.size for each in kept(project))


def summary(project: Project) -> str:
    """What checkpoints take, as a sentence."""
    limit = project.recipe.storage.checkpoints
    most = f"at most {limit:,} MB (storage.checkpoints)" if limit else "no limit (storage.checkpoints = 0)"
    return f"Checkpoints take {taken(project) / MEGABYTE:,.1f} MB; {most}."


def with_todays_limit(project: Project) -> Project:
    """The project with the limit that its project.toml has now; as it is while that cannot be read.

    So a limit that is raised while a training is at work holds from its next checkpoint on.
    """
    saved = project.saved_recipe()
    return Project(project.folder, project.recipe.model_copy(update={"storage": saved.storage})) if saved else project


def make_room(project: Project, run: Path) -> str:
    """Let the checkpoints of finished runs go, the oldest first, until all keep to the limit. Says which, or "".

    `run` is the folder of the one at work, whose checkpoints stay, as do those of all runs that may be gone on with.
    What a finished run made stays too: its model, its best weights, its curves. What cannot be removed stays, too.
    """
    present, dropped = kept(project), list[Kept]()
    over = sum(each.size for each in present) - project.recipe.storage.checkpoints * MEGABYTE
    if over <= 0 or not project.recipe.storage.checkpoints:
        return ""
    done = {info.folder for info in project.runs() if info.status == "done" and info.folder != run}
    for each in present:
        if over > 0 and each.folder.parent in done:
            with contextlib.suppress(OSError):  # another person's, or gone by another hand: no reason to end a training
                files.remove_folder(each.folder)
                dropped.append(each)
            over -= each.size - files.size_of(each.folder)
    return _told(project, dropped) if dropped else ""


def _told(project: Project, dropped: list[Kept]) -> str:
    freed = sum(each.size for each in dropped) / MEGABYTE
    return (
        f"Checkpoints took more than {project.recipe.storage.checkpoints:,} MB, so those of finished runs were removed "
        f"({freed:,.1f} MB): {', '.join(each.run for each in dropped)}. Models, best weights and curves are untouched."
    )


def is_over(project: Project) -> bool:
    """Whether checkpoints take more than they may."""
    limit = project.recipe.storage.checkpoints
    return bool(limit) and taken(project) > limit * MEGABYTE
