"""The bar of the jobs that train nothing: pause, stop, how far it is and the time left."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from studio.job_bar import PAUSED, JobBar, TimeLeft
from studio.session import Session
from ulmfit_core.events import Progress


@pytest.fixture
def bar(project_session: Session, endless_import, qtbot) -> JobBar:
    """Of an import at work."""
    made = JobBar(project_session, "import", "&Import")
    qtbot.addWidget(made)
    made.show()
    assert project_session.start("import")
    return made


def click(qtbot, button) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_pause_holds_the_job_until_continue(bar: JobBar, qtbot) -> None:
    click(qtbot, bar.pause)
    assert bar.session.paused and bar.label.text() == PAUSED
    assert bar.pause.text() == "&Continue"
    bar.session.event.emit(Progress("Reading a.csv", 1, 2))  # was on its way
    assert bar.label.text() == PAUSED
    click(qtbot, bar.pause)
    assert not bar.session.paused and bar.pause.text() == "&Pause"


def test_a_paused_job_can_be_stopped(bar: JobBar, qtbot) -> None:
    click(qtbot, bar.pause)
    with qtbot.waitSignal(bar.session.run_ended, timeout=20_000) as ended:
        click(qtbot, bar.stop)
    assert ended.args[1].status == "stopped"
    assert bar.start.isEnabled() and not bar.pause.isVisible() and not bar.stop.isVisible()


def test_the_next_job_begins_unpaused(bar: JobBar, qtbot) -> None:
    click(qtbot, bar.pause)
    with qtbot.waitSignal(bar.session.run_ended, timeout=20_000):
        click(qtbot, bar.stop)
    assert bar.session.start("import")
    assert bar.pause.text() == "&Pause" and not bar.session.paused


def test_progress_is_shown(bar: JobBar) -> None:
    bar.session.event.emit(Progress("Reading a.csv", 25, 100))
    assert bar.progress.value() / bar.progress.maximum() == 0.25
    assert bar.label.text() == "Reading a.csv"
    bar.session.event.emit(Progress("Looking about", 3, 0))
    assert (bar.progress.minimum(), bar.progress.maximum()) == (0, 0)  # length unknown


def test_time_left_follows_the_speed_so_far() -> None:
    left = TimeLeft()
    assert left.of(Progress("a", 0, 100), now=10) is None
    assert left.of(Progress("a", 50, 100), now=11) is None  # one second says little
    assert left.of(Progress("a", 20, 100), now=30) == pytest.approx(80)
    assert left.of(Progress("b", 20, 100), now=31) is None  # another part, another speed
    assert left.of(Progress("b", 60, 100), now=41) == pytest.approx(10)  # went on from 20


def test_a_pause_does_not_count() -> None:
    left = TimeLeft()
    left.of(Progress("a", 0, 100), now=0)
    left.pause(now=10)
    left.go_on(now=110)
    assert left.of(Progress("a", 50, 100), now=120) == pytest.approx(20)
