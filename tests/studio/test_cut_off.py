"""A training that a kill -9 cut off: the next start of the program offers to go on with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton

from studio import recent
from studio.interrupted import last_cut_off
from studio.main_window import MainWindow
from studio.widgets.run_bar import plan_of
from tests.core.test_lock import another_process
from ulmfit_core import lock
from ulmfit_core.project import Project
from ulmfit_core.run import launch, read_steps

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kill -9 is a signal of Unix")

# The window on a project, with a training in it.
WINDOW = """
import sys
from PySide6.QtCore import QTimer
from studio.__main__ import make_application
from studio.main_window import MainWindow
from studio.session import Session
app = make_application(["ulmfit-studio"])
session = Session(app)
window = MainWindow(session)
session.open(sys.argv[1])
window.show()
QTimer.singleShot(0, lambda: session.start("finetune"))
app.exec()
"""


@pytest.fixture
def cut_off(recipe, tmp_path) -> Project:
    """A project whose fine-tuning was killed between two checkpoints, in a window that had the project open."""
    recipe.finetune.epochs, recipe.finetune.checkpoint_seconds = 400, 1.0
    project = Project.create(tmp_path / "project", recipe)
    for job in ("import", "vocab"):
        assert launch(project, job).status == "done"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    window = subprocess.Popen([sys.executable, "-c", WINDOW, str(project.folder)], env=environment)
    state = wait_for(lambda: next(project.folder.glob("runs/*-finetune/checkpoint/state.json"), None))
    wait_for(lambda: 0 < json.loads(state.read_text())["step"] < steps_in(state.parents[1]))
    window.send_signal(signal.SIGKILL)
    window.wait()
    assert (project.folder / "window.lock").exists() and (project.folder / "work.lock").exists()
    return project


def wait_for(found, seconds=90):
    end = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return answer


def steps_in(run: Path) -> int:
    return len(read_steps(run / "steps.f32").values)


def test_the_next_start_offers_to_resume_now_or_later(window: MainWindow, cut_off, qtbot):
    recent.add(cut_off.folder)
    window.last_time.look()
    qtbot.waitUntil(lambda: window.last_time.text != "")
    not_now = next(each for each in window.last_time.findChildren(QPushButton) if each.text() == "Not no&w")
    qtbot.mouseClick(not_now, Qt.MouseButton.LeftButton)
    assert window.last_time.text == "" and window.session.project is None
    window.session.open(cut_off.folder)
    assert "was cut off at step" in window.hint.text and window.hint.action.text() == "Resume"
    window.session.close_project()
    resume_from_the_strip(window, cut_off, qtbot)


def resume_from_the_strip(window: MainWindow, cut_off: Project, qtbot) -> None:
    saved = json.loads(next(cut_off.folder.glob("runs/*-finetune/checkpoint/state.json")).read_text())["step"]
    strip = window.last_time
    strip.look()
    qtbot.waitUntil(lambda: strip.text != "")
    total = plan_of(next(cut_off.folder.glob("runs/*-finetune"))).total_steps
    assert strip.text.startswith("“Fine-tune” in “Verses” was cut off at step ") and f" of {total:,}, " in strip.text
    assert f"It can go on from step {saved:,}, where it was last saved." in strip.text
    assert strip.action.text() == "&Resume"
    qtbot.mouseClick(strip.action, Qt.MouseButton.LeftButton)
    assert strip.text == "" and window.current == "finetune" and window.session.job == "finetune"
    assert not window.session.read_only, "what the killed window held is free"
    run = window.session.run_folder
    qtbot.waitUntil(lambda: steps_in(run) > saved + 3, timeout=60_000)
    with qtbot.waitSignal(window.session.run_ended, timeout=60_000) as ended:
        window.session.finish()
        window.session.finish()
    assert ended.args[1].status == "done", ended.args[1].reason
    numbers = read_steps(run / "steps.f32")["step"]
    assert list(numbers) == list(range(1, len(numbers) + 1)), "each step once"


def test_a_start_without_a_cut_off_training_says_nothing(window: MainWindow, recipe, tmp_path, qtbot):
    project = Project.create(tmp_path / "project", recipe)
    recent.add(project.folder)
    with qtbot.waitSignal(window.last_time._search.answered):
        window.last_time.look()
    assert window.last_time.text == ""


def test_a_training_at_work_in_another_process_is_not_taken_for_cut_off(window, project_session, write_run):
    project = project_session.project
    run = write_run(project, "finetune", steps=30, ended="")
    (run / "checkpoint").mkdir()
    (run / "checkpoint" / "state.json").write_text("{}")
    with another_process(project.folder, lock.WORK):
        project_session.project_changed.emit()
        assert "was cut off" not in window.hint.text and last_cut_off() is None
    project_session.access.look()
    project_session.project_changed.emit()
    assert "was cut off at step 30" in window.hint.text and last_cut_off()[1].folder == run
