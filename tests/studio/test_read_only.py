"""A second window on a project only reads it, until the first one has closed it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from studio.main_window import MainWindow
from studio.session import Session
from tests.core.test_lock import another_process
from ulmfit_core import lock
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project


@pytest.fixture
def held(tmp_path, recipe):
    """A project that another process has open in a window."""
    project = Project.create(tmp_path / "project", recipe)
    with another_process(project.folder, lock.WINDOW) as process:
        yield project, process


def test_the_second_window_reads_and_says_so(window: MainWindow, held, qtbot) -> None:
    project, process = held
    window.session.open(project.folder)
    assert f"process {process.pid} on" in window.read_only.text and "only be read" in window.read_only.text
    assert "only reading" in window.windowTitle()
    window.go("finetune")
    screen = window.screens["finetune"]
    assert not screen.form.isEnabled() and not screen.bar.start_button.isEnabled()
    assert not window.session.change("finetune.epochs", 3)
    assert not window.session.start("import")
    assert window.session.project.recipe.finetune.epochs != 3
    assert Project.open(project.folder).recipe.finetune.epochs != 3 and project.runs() == []
    with pytest.raises(UserError, match="only be read"):
        window.session.project.new_run_folder("import")


def test_what_cannot_be_changed_does_not_look_as_if_it_could(window: MainWindow, held) -> None:
    project, _ = held
    window.session.open(project.folder)
    for name, parts in {
        "dataset": lambda screen: [screen.mapping.fields["data"].edit, screen.mapping.add, screen.mapping.places],
        "vocab": lambda screen: [screen.start_from.choice, screen.form],
        "classify": lambda screen: [screen.insight.watched.text, screen.insight.watched.add_button, screen.phases],
    }.items():
        window.go(name)
        assert not [part for part in parts(window.screens[name]) if part.isEnabled()], name
    assert window.train_hindrance.text() == "This window only reads the project."
    assert window.screens["dataset"].mapping.verticalScrollBar().isEnabled(), "it can still be read to its end"


def test_it_follows_what_the_other_saves(window: MainWindow, held) -> None:
    project, _ = held
    window.session.open(project.folder)
    window.go("finetune")
    project.recipe.finetune.epochs = 77
    project.save()
    window.session.access.look()
    assert window.screens["finetune"].form.control("epochs").read() == 77


def test_when_the_other_closes_it_can_be_taken_over(window: MainWindow, held, qtbot) -> None:
    project, process = held
    window.session.open(project.folder)
    window.go("finetune")
    process.kill()
    process.wait()
    window.session.access.look()
    assert "has closed this project" in window.read_only.text
    assert not window.session.change("finetune.epochs", 3), "nothing changes before it is asked for"
    qtbot.mouseClick(window.read_only.action, Qt.MouseButton.LeftButton)
    assert window.read_only.text == "" and window.current == "finetune"
    assert window.session.change("finetune.epochs", 3)
    assert window.screens["finetune"].form.isEnabled()
    assert lock.holder(project.folder, lock.WINDOW).is_this_process


def test_a_window_lets_go_when_it_closes_the_project(session: Session, recipe, tmp_path) -> None:
    session.create(tmp_path / "project", recipe)
    assert lock.holder(tmp_path / "project", lock.WINDOW)
    other = Session()
    other.open(tmp_path / "project")
    assert other.read_only and not session.read_only
    session.close_project()
    assert not lock.holder(tmp_path / "project", lock.WINDOW)
    other.take_over()
    assert not other.read_only
    other.leave()


def test_a_job_of_another_process_is_told_and_nothing_starts_beside_it(window: MainWindow, recipe, tmp_path) -> None:
    window.session.create(tmp_path / "project", recipe)
    with another_process(tmp_path / "project", lock.WORK) as process:
        window.session.access.look()
        window.go("finetune")
        bar = window.screens["finetune"].bar
        assert f"process {process.pid} on" in bar.status.text() and not bar.start_button.isEnabled()
        assert not window.session.start("import") and "at work in this project" in window.alert.text
        assert window.session.change("finetune.epochs", 3), "settings may be changed meanwhile"
    window.session.access.look()
    assert bar.status.text() == "Waits for “Data”."
