"""Whichever write fails, with a full disk or a broken one: a sentence, nothing lost, and the same result later on."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from tests.faults import material
from tests.faults.failing_disk import FailingDisk
from tests.faults.material import Material
from ulmfit_core import run, sample
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project
from ulmfit_core.run import launch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="which file is written is looked up in /proc")
NUMBERS = (errno.ENOSPC, errno.EIO)
# In the run of every day; all writes with `make faults`.
SHARE = 13


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "ROOM_SECONDS", 0.01)


def writes_of(tiny: Material, step: str, folder: Path) -> int:
    """How much a step writes where nothing fails."""
    project = Project.open(tiny.copy(step, folder))
    with FailingDisk(project.folder).at_work() as disk:
        assert launch(project, step).status == "done"
    return disk.count


def look_at(tiny: Material, step: str, folder: Path, nth: int, number: int) -> str:
    """Run a step whose n-th write fails, then again without; what was wrong about it, or an empty string."""
    project = Project.open(tiny.copy(step, folder))
    before, after = material.made(project), tiny.after[step]
    with FailingDisk(project.folder, nth, number).at_work() as disk:
        ended = launch(project, step)
    where = f"{step}, write {nth} ({disk.failed}), {os.strerror(number)}"
    if ended.status == "failed" and material.complaint_about(ended.reason):
        return f"{where}: {material.complaint_about(ended.reason)}"
    if ended.status == "done" and number == errno.EIO and disk.failed:
        return f"{where}: nobody was told"
    again = Project.open(folder)
    for name, now in material.made(again).items():
        if now not in (before[name], after[name]):
            return f"{where}: {name} is neither the old one nor the new one"
    if list(folder.rglob("error.log")):
        return f"{where}: a traceback in error.log"
    last = material.run_again(again, step)
    if last.status != "done":
        return f"{where}: then {last.status}: {last.reason}"
    return "" if material.made(again) == after else f"{where}: another result"


@pytest.mark.parametrize("step", material.STEPS)
def test_any_write_may_fail(tiny: Material, tmp_path: Path, step: str) -> None:
    """Every thirteenth one of a step, full and broken disks in turn."""
    count = writes_of(tiny, step, tmp_path / "counted")
    begin = 1 + material.STEPS.index(step) % SHARE
    found = [
        look_at(tiny, step, tmp_path / str(nth), nth, NUMBERS[turn % 2])
        for turn, nth in enumerate(range(begin, count + 1, SHARE))
    ]
    assert len(found) > 1 and not list(filter(None, found)), "\n".join(filter(None, found))


@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
@pytest.mark.parametrize("step", material.STEPS)
def test_every_write_may_fail(tiny: Material, tmp_path: Path, step: str, number: int) -> None:
    count = writes_of(tiny, step, tmp_path / "counted")
    found = [look_at(tiny, step, tmp_path / str(nth), nth, number) for nth in range(1, count + 1)]
    print(f"{step}: {count} writes, each failed once with {errno.errorcode[number]}")
    assert not list(filter(None, found)), "\n".join(filter(None, found))


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.get)
def test_any_write_of_a_sample_may_fail_and_the_next_start_makes_it_whole(tmp_path: Path, number: int) -> None:
    with FailingDisk(tmp_path / "counted").at_work() as disk:
        whole = material.contents(sample.open_or_make(tmp_path / "counted" / "sample").folder)
    assert disk.count > 10
    for nth in range(1, disk.count + 1):
        place = tmp_path / str(nth)
        with FailingDisk(place, nth, number).at_work():
            try:
                sample.open_or_make(place / "sample")
            except UserError as error:
                assert not material.complaint_about(str(error)) and ("full" in str(error)) == (number == errno.ENOSPC)
        assert material.contents(sample.open_or_make(place / "sample").folder) == whole, f"write {nth}"
        assert os.listdir(place) == ["sample"]
