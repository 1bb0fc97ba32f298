"""A disk that is full while a model is trained, a folder that may not be written, one that is removed meanwhile."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults import material
from tests.faults.failing_disk import FailingDisk
from tests.faults.material import Material
from ulmfit_core import events, run
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project
from ulmfit_core.run import Control, launch

FULL = re.compile(r"The disk is full: (/.*) could not be written\. Free ([\d,]+) MB; the training goes on by itself\.")
TRAININGS = ("finetune", "classify")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "ROOM_SECONDS", 0.02)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk (tmpfs)")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no small disk (tmpfs) can be mounted here: {mounted.stderr.decode()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


class Filler:
    """Takes all the room on a disk once a training has cut its first checkpoint; hears all that is said of it."""

    def __init__(self, disk: Path, when_told: Callable[[], object]):
        self.path, self.when_told = disk / "filler", when_told
        self.said: list[str] = []

    def hear(self, event: events.Event) -> None:
        if isinstance(event, events.CheckpointSaved) and not self.path.exists() and not self.said:
            fill(self.path)
        if isinstance(event, events.Message):
            self.said.append(event.text)
            if FULL.search(event.text):
                self.when_told()

    def go(self) -> None:
        self.path.unlink()


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 10, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC


@pytest.mark.parametrize("step", TRAININGS)
def test_a_training_waits_for_room_and_goes_on_by_itself(tiny: Material, small_disk: Path, step: str) -> None:
    project = Project.open(tiny.copy(step, small_disk / "project"))
    filler = Filler(small_disk, lambda: threading.Timer(0.2, filler.go).start())
    ended = launch(project, step, sink=filler.hear)
    assert ended.status == "done", ended.reason
    told = FULL.search(filler.said[0])
    assert told and told[1].startswith(str(project.folder)) and int(told[2]) >= 1
    assert filler.said[1] == "There is room on the disk again: the training goes on."
    assert material.made(project) == tiny.after[step]
    logged = events.read_events(project.runs()[-1].folder / "events.jsonl")
    assert [each.text for each in logged if isinstance(each, events.Message)][:2] == filler.said[:2]


@pytest.mark.parametrize("step", TRAININGS)
def test_a_stop_is_heard_while_it_waits(tiny: Material, small_disk: Path, step: str) -> None:
    project, control = Project.open(tiny.copy(step, small_disk / "project")), Control()
    filler = Filler(small_disk, lambda: threading.Timer(0.1, control.stop).start())
    ended = launch(project, step, control=control, sink=filler.hear)
    assert ended.status == "stopped" and filler.path.exists()
    filler.go()
    again = Project.open(project.folder)
    unfinished = again.resumable_run(step)
    assert unfinished is not None
    assert launch(again, step, resume=unfinished.folder).status == "done"
    assert material.made(again) == tiny.after[step]


def test_a_full_disk_is_said_where_nothing_is_trained(tiny: Material, small_disk: Path) -> None:
    project = Project.open(tiny.copy("import", small_disk / "project"))
    fill(small_disk / "filler")
    ended = launch(project, "import")
    assert ended.status == "failed" and "The disk is full" in ended.reason and "Make room" in ended.reason
    (small_disk / "filler").unlink()
    assert Project.open(project.folder).runs() == [] and launch(project, "import").status == "done"


def test_a_folder_that_may_only_be_read_is_told_in_a_sentence(tiny: Material, small_disk: Path) -> None:
    project = Project.open(tiny.copy("classify", small_disk / "project"))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    ended = launch(project, "classify")
    assert ended.status == "failed" and not material.complaint_about(ended.reason)
    assert str(project.folder) in ended.reason and "Read-only file system" in ended.reason
    assert material.made(Project.open(project.folder)) == material.made(project)


def test_what_a_crash_left_in_a_folder_that_may_only_be_read_is_told(tiny: Material, small_disk: Path) -> None:
    """A folder whose new one is there does no harm; one that has none must be brought back first."""
    project = Project.open(tiny.copy("classify", small_disk / "project"))
    shutil.copytree(project.dataset_folder, project.folder / ".dataset.old-1")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert material.made(Project.open(project.folder)) == material.made(project)
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    shutil.rmtree(project.folder / ".dataset.old-1")
    project.dataset_folder.rename(project.folder / ".dataset.old-1")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(UserError, match="Read-only file system"):
        Project.open(project.folder)


@pytest.mark.parametrize("step", TRAININGS)
def test_a_folder_that_becomes_read_only_ends_the_training_resumably(
    tiny: Material, tmp_path: Path, step: str
) -> None:
    project = Project.open(tiny.copy(step, tmp_path / "project"))
    disk = FailingDisk(project.folder, number=errno.EROFS, for_good=True)

    def lock_up(event: events.Event) -> None:
        if isinstance(event, events.CheckpointSaved) and not disk.nth:
            disk.nth = disk.count + 1

    with disk.at_work():
        ended = launch(project, step, sink=lock_up)
    assert ended.status == "failed" and not material.complaint_about(ended.reason)
    assert "cannot be written: Read-only file system. Allow writing there" in ended.reason
    assert material.run_again(Project.open(project.folder), step).status == "done"
    assert material.made(project) == tiny.after[step]


@pytest.mark.parametrize("whole", [False, True], ids=["its run", "the project"])
@pytest.mark.parametrize("step", TRAININGS)
def test_a_folder_that_is_removed_is_told_and_not_made_anew(
    tiny: Material, tmp_path: Path, step: str, whole: bool
) -> None:
    project = Project.open(tiny.copy(step, tmp_path / "project"))
    before = material.made(project)

    def remove(event: events.Event) -> None:
        if isinstance(event, events.CheckpointSaved):
            shutil.rmtree(project.folder if whole else project.runs()[-1].folder, ignore_errors=True)

    ended = launch(project, step, sink=remove)
    assert ended.status == "failed" and not material.complaint_about(ended.reason)
    assert str(project.folder) in ended.reason and ("was moved or removed" in ended.reason or whole)
    if whole:
        assert not project.folder.exists() and os.listdir(tmp_path) == []
    else:
        again = Project.open(project.folder)
        assert material.made(again) == before
        assert launch(again, step).status == "done" and material.made(again) == tiny.after[step]
