"""The session: one project, one job at work, its news in the main thread."""

from __future__ import annotations

import contextlib
import errno
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Slot

from studio import recent
from studio.main_window import MainWindow
from studio.session import Session
from tests.faults.failing_disk import FailingDisk
from ulmfit_core import events, files
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="which file is written is looked up in /proc")


@contextlib.contextmanager
def disk_that_fails_at_the_end(session: Session, number: int) -> Iterator[None]:
    """Nothing more can be written once the worker has said its last word and ended."""
    disk = FailingDisk(session.project.folder, number=number, for_good=True)

    def fail(event: events.Event) -> None:
        if isinstance(event, events.Ended):
            session._worker.wait()
            disk.nth = disk.count + 1

    session.event.connect(fail)
    with disk.at_work():
        yield
    session.event.disconnect(fail)
    assert disk.failed


class Listener(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[events.Event] = []
        self.threads: set[int] = set()

    @Slot(object)
    def hear(self, event: events.Event) -> None:
        self.heard.append(event)
        self.threads.add(threading.get_ident())


def test_creating_opens_and_remembers(session: Session, recipe, tmp_path, qtbot) -> None:
    with qtbot.waitSignal(session.project_changed):
        session.create(tmp_path / "project", recipe)
    assert session.project is not None and session.project.recipe.name == "Verses"
    assert recent.projects() == [tmp_path / "project"]
    session.close_project()
    assert session.project is None
    session.open(tmp_path / "project")
    assert session.project.recipe.data.label == "label"


def test_a_folder_that_is_no_project_is_refused(session: Session, tmp_path) -> None:
    with pytest.raises(UserError, match="is not a project"):
        session.open(tmp_path)
    assert session.project is None and recent.projects() == []


def test_the_sample_is_made_once_and_opened_again(session: Session, own_home) -> None:
    session.open_sample()
    folder = session.project.folder
    assert own_home in folder.parents
    session.change("vocab.size", 777)
    session.open_sample()
    assert session.project.folder == folder and session.project.recipe.vocab.size == 777


def test_a_change_is_saved_at_once(project_session: Session, qtbot) -> None:
    with qtbot.waitSignal(project_session.project_changed):
        assert project_session.change("classify.epochs", 9)
    assert Project.open(project_session.project.folder).recipe.classify.epochs == 9


def test_a_bad_value_is_refused_and_nothing_changes(project_session: Session, qtbot) -> None:
    with qtbot.waitSignal(project_session.refused) as refused:
        assert not project_session.change("vocab.size", 3)
    assert "vocab.size" in refused.args[0]
    assert project_session.project.recipe.vocab.size == 150


@contextlib.contextmanager
def recipe_that_cannot_be_saved(project: Project) -> Iterator[None]:
    """A folder has the name of its file meanwhile. What a job writes is not disturbed."""
    file, aside = project.folder / "project.toml", project.folder / "aside.toml"
    file.rename(aside)
    file.mkdir()
    yield
    file.rmdir()
    aside.rename(file)


def test_a_setting_that_cannot_be_saved_is_not_in_force(project_session: Session, qtbot, endless_import) -> None:
    project, tried = project_session.project, project_session.project.recipe.model_copy(deep=True)
    before = project.recipe.model_copy(deep=True)
    project_session.start("import", recipe=tried)
    with recipe_that_cannot_be_saved(project), qtbot.waitSignal(project_session.refused) as refused:
        assert not project_session.change("classify.epochs", 9)
    assert "project.toml" in refused.args[0] and project.recipe == before
    with qtbot.waitSignal(project_session.run_ended) as ended:
        project_session.finish()
    assert ended.args[1].status == "done", "and what it tried counts, as it was at the start"
    assert project.recipe == Project.open(project.folder).recipe == before


@on_linux
@pytest.mark.parametrize(("screen", "name", "value"), [("vocab", "size", 777), ("finetune", "lr_max", 0.5)])
def test_a_control_goes_back_where_its_value_cannot_be_saved(
    window: MainWindow, project_session: Session, screen: str, name: str, value: float
) -> None:
    window.go(screen)
    control = window.screens[screen].form.control(name)
    before = control.read()
    with FailingDisk(project_session.project.folder, 1, for_good=True).at_work():
        control.setValue(value)
    assert control.read() == before and "The disk is full: " in window.alert.text
    control.setValue(value)
    assert control.read() == getattr(getattr(project_session.project.recipe, screen), name) == value


@on_linux
def test_a_found_rate_that_cannot_be_saved_is_not_said_to_be_taken(
    window: MainWindow, project_session: Session
) -> None:
    window.go("finetune")
    screen = window.screens["finetune"]
    with FailingDisk(project_session.project.folder, 1, for_good=True).at_work():
        screen.finder.picked.emit(0.12, 0)
    assert "is now" not in screen.finder.outcome.text() and "The disk is full: " in window.alert.text
    screen.finder.picked.emit(0.12, 0)
    assert "is now 0.12" in screen.finder.outcome.text()


def test_a_job_reports_in_the_main_thread(project_session: Session, run_job) -> None:
    listener = Listener()
    project_session.event.connect(listener.hear)
    ended = run_job(project_session, "import")
    assert ended.status == "done"
    assert isinstance(listener.heard[0], events.Started) and listener.heard[-1] == ended
    assert listener.threads == {threading.get_ident()}
    assert project_session.job is None and project_session.control is None
    assert project_session.run_folder.name.endswith("-import")
    assert project_session.project.state("import").mark == "done"


def test_the_run_folder_is_known_from_the_start(project_session: Session, qtbot) -> None:
    with qtbot.waitSignal(project_session.run_started) as started, qtbot.waitSignal(project_session.run_ended):
        project_session.start("import")
    job, folder = started.args
    assert job == "import" and folder.parent == project_session.project.folder / "runs"


def test_a_second_job_is_refused_while_one_runs(project_session: Session, qtbot, endless_import) -> None:
    project_session.start("import")
    with qtbot.waitSignal(project_session.run_ended):
        with qtbot.waitSignal(project_session.refused) as refused:
            assert not project_session.start("vocab")
        with pytest.raises(UserError, match="is still running"):
            project_session.close_project()
        project_session.stop()
    assert "“Import the data” is still running" in refused.args[0]


def test_without_a_project_nothing_starts(session: Session, qtbot) -> None:
    with qtbot.waitSignal(session.refused):
        assert not session.start("import")


def test_a_tried_recipe_counts_only_if_the_job_is_done(project_session: Session, run_job, tmp_path) -> None:
    project = project_session.project
    broken = project.recipe.model_copy(deep=True)
    broken.data.data = str(tmp_path / "missing.csv")
    assert run_job(project_session, "import", recipe=broken).status == "failed"
    assert project.recipe.data.data.endswith("verses.csv")
    better = project.recipe.model_copy(deep=True)
    better.data.seed = 7
    assert run_job(project_session, "import", recipe=better).status == "done"
    assert project.recipe.data.seed == 7
    assert Project.open(project.folder).recipe.data.seed == 7


def test_a_knob_turned_during_an_import_is_not_lost(project_session: Session, qtbot) -> None:
    tried = project_session.project.recipe.model_copy(deep=True)
    tried.data.seed = 7
    with qtbot.waitSignal(project_session.run_ended):
        project_session.start("import", recipe=tried)
        project_session.change("classify.epochs", 9)
    recipe = Project.open(project_session.project.folder).recipe
    assert recipe.data.seed == 7 and recipe.classify.epochs == 9


@on_linux
def test_the_end_is_told_though_the_folder_of_a_refused_run_stays(project_session: Session, run_job) -> None:
    with disk_that_fails_at_the_end(project_session, errno.EROFS):
        ended = run_job(project_session, "vocab")
    assert ended.status == "failed" and "No data has been imported" in ended.reason
    assert project_session.job is None
    assert [(run.folder, run.status) for run in project_session.project.runs()] == [
        (project_session.run_folder, "failed")
    ]


@on_linux
def test_the_end_is_told_though_the_tried_recipe_cannot_be_saved(project_session: Session, run_job) -> None:
    project, told = project_session.project, []
    tried = project.recipe.model_copy(deep=True)
    tried.data.seed = 7
    project_session.run_ended.connect(lambda job, ended: told.append(ended.status))
    project_session.refused.connect(told.append)
    with disk_that_fails_at_the_end(project_session, errno.ENOSPC):
        run_job(project_session, "import", recipe=tried)
    assert told[0] == "done" and "The disk is full: " in told[1] and len(told) == 2
    assert project.recipe.data.seed == Project.open(project.folder).recipe.data.seed == 7
    assert project.state("import").mark == "done"


def test_pause_holds_and_stop_ends_a_job(project_session: Session, qtbot, endless_import) -> None:
    project_session.start("import")
    project_session.pause()
    assert project_session.paused
    project_session.resume()
    assert not project_session.paused
    project_session.pause()
    with qtbot.waitSignal(project_session.run_ended) as ended:
        project_session.stop()
    assert ended.args[1].status == "stopped"


def test_finish_ends_a_job_as_done(project_session: Session, qtbot, endless_import) -> None:
    project_session.start("import")
    with qtbot.waitSignal(project_session.run_ended) as ended:
        project_session.finish()
    assert ended.args[1].status == "done" and ended.args[1].finished_early


def test_a_damaged_list_of_recent_projects_counts_as_empty(own_home) -> None:
    recent.path().parent.mkdir(parents=True)
    recent.path().write_text("{torn", encoding="utf-8")
    assert recent.projects() == []


def test_what_a_killed_process_left_beside_the_list_of_recent_projects_goes(own_home, tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    recent.add(tmp_path / "one")
    half_made = recent.path().with_name(f".recent.json.new-{files.HOST}-{ended.pid}-x1y2z3")
    half_made.write_text("[")
    recent.add(tmp_path / "two")
    assert not half_made.exists() and recent.listed() == [tmp_path / "two", tmp_path / "one"]
