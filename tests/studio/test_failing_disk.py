"""What the window says where the disk is full, fails or may only be read: a sentence in its place, and no more."""

from __future__ import annotations

import errno
import sys

import pytest

from studio.main_window import MainWindow
from studio.screens.training import TrainingScreen
from studio.session import Session
from tests.faults.failing_disk import FailingDisk
from tests.faults.material import complaint_about

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="which file is written is looked up in /proc")
LATE = 60  # writes after which a training is under way


@pytest.fixture
def screen(window: MainWindow, project_session: Session, run_job) -> TrainingScreen:
    """Of fine-tuning, ready to begin."""
    for key, value in {"finetune.epochs": 2, "finetune.threads": 1, "insight.forgetting": False}.items():
        project_session.change(key, value)
    for job in ("import", "vocab"):
        assert run_job(project_session, job).status == "done"
    window.go("finetune")
    found = window.screens["finetune"]
    assert isinstance(found, TrainingScreen)
    return found


def test_a_full_disk_is_told_while_the_training_waits(qtbot, screen: TrainingScreen, run_job) -> None:
    session = screen.session
    disk = FailingDisk(session.project.folder, LATE, for_good=True)
    with disk.at_work():
        session.start("finetune")
        qtbot.waitUntil(lambda: "The disk is full: " in screen.notice.text, timeout=60_000)
        assert "the training goes on by itself" in screen.notice.text and session.job == "finetune"
        disk.mend()
        qtbot.waitUntil(lambda: session.job is None, timeout=60_000)
    assert session.project.finished_run("finetune") and "The training finished" in screen.notice.text


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS], ids=errno.errorcode.get)
def test_a_failing_disk_is_told_in_a_sentence(qtbot, screen: TrainingScreen, number: int) -> None:
    session = screen.session
    with FailingDisk(session.project.folder, 40, number, for_good=True).at_work():
        session.start("finetune")
        qtbot.waitUntil(lambda: session.job is None, timeout=60_000)
    assert screen.notice.text and not complaint_about(screen.notice.text)
    session.start("finetune")
    qtbot.waitUntil(lambda: session.job is None, timeout=60_000)
    assert session.project.finished_run("finetune")


def test_what_cannot_even_begin_is_refused_in_a_sentence(qtbot, screen: TrainingScreen) -> None:
    session, said = screen.session, []
    session.refused.connect(said.append)
    with FailingDisk(session.project.folder, 1, errno.EROFS, for_good=True).at_work():
        assert not session.start("finetune")
        assert not session.change("finetune.epochs", 3)
    assert len(said) == 2 and not any(map(complaint_about, said))
    assert all("Read-only file system" in sentence for sentence in said)
