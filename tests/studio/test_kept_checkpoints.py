"""Below the list of runs: what checkpoints take of the disk, and the limit, which the person may change."""

from __future__ import annotations

import sys

import pytest
from PySide6.QtCore import Qt

from studio.main_window import MainWindow
from studio.screens.kept_checkpoints import KeptCheckpoints
from studio.screens.runs import RunsScreen
from studio.session import Session
from tests.faults.failing_disk import FailingDisk
from ulmfit_core.project import Project


@pytest.fixture
def line(window: MainWindow, project_session: Session, run_job) -> KeptCheckpoints:
    run_job(project_session, "import")
    folder = project_session.project.runs()[-1].folder / "checkpoint"
    folder.mkdir()
    (folder / "state-1-0.safetensors").write_bytes(bytes(2_500_000))
    window.go("runs")
    screen = window.screens["runs"]
    assert isinstance(screen, RunsScreen)
    return screen.checkpoints


def test_it_says_how_much_they_take_and_may(qtbot, line: KeptCheckpoints) -> None:
    qtbot.waitUntil(lambda: line.taken.text() == "Checkpoints take 2.5 MB.", timeout=10_000)
    assert line.isVisible() and line.limit.text() == "5000 MB"


def test_a_limit_that_is_typed_is_kept(qtbot, line: KeptCheckpoints, project_session: Session) -> None:
    line.limit.selectAll()
    qtbot.keyClicks(line.limit, "0")
    qtbot.keyClick(line.limit, Qt.Key.Key_Return)
    assert Project.open(project_session.project.folder).recipe.storage.checkpoints == 0
    assert line.limit.text() == "no limit"
    assert project_session.project.state("import").mark == "done"


@pytest.mark.skipif(sys.platform != "linux", reason="which file is written is looked up in /proc")
def test_a_limit_that_cannot_be_saved_goes_back_under_the_cursor(
    line: KeptCheckpoints, project_session: Session
) -> None:
    line.limit.setFocus()
    with FailingDisk(project_session.project.folder, 1, for_good=True).at_work():
        line.limit.setValue(77)
    assert line.limit.hasFocus() and line.limit.text() == "5000 MB"
