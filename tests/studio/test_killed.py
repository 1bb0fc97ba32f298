"""A window that is killed in the middle of its work: the next one offers to go on, and ends where it would have."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from studio.screens.vocab import GO_ON
from ulmfit_core.data import numericalise
from ulmfit_core.project import Project
from ulmfit_core.run import launch

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kill -9 is a signal of Unix")

PART_BYTES = {"pieces": 4000, "words": 4000}
# Opens the window on a project and starts a job in it. Says so when the job has come to its middle, and holds it there.
WINDOW = """
import sys, threading, time
from PySide6.QtCore import QTimer
from studio.__main__ import make_application
from studio.main_window import MainWindow
from studio.session import Session
from ulmfit_core.data import dataset, numericalise

numericalise.PART_BYTES = {parts}
written, heard = dataset.write_table, numericalise.Meter.add

def hold(*words):
    print("in the middle", flush=True)
    time.sleep(600)

def write_half(path, schema, batches):
    written(path, schema, batches)
    if path.name == "rows.arrow":
        hold()

def add_slowly(meter, part, rows):
    time.sleep(0.02)
    heard(meter, part, rows)
    if "general" in meter.label and meter._done > 0.5 * meter._total:
        hold()

dataset.write_table, numericalise.Meter.add = write_half, add_slowly
app = make_application(["ulmfit-studio"])
session = Session(app)
window = MainWindow(session)
session.open(sys.argv[1])
window.show()
QTimer.singleShot(0, lambda: session.start(sys.argv[2]))
app.exec()
"""


@pytest.fixture
def project(recipe, csv_file, tmp_path) -> Project:
    """With enough general text for many parts."""
    general = tmp_path / "general.txt"
    general.write_text("".join(f"{line} {n}\n" for n in range(600) for line in csv_file.read_text().split("\n")[:9]))
    recipe.data.corpus = str(general)
    return Project.create(tmp_path / "project", recipe)


def kill_window_in_the_middle(project: Project, job: str, folder: Path) -> None:
    script = folder / "window.py"
    script.write_text(WINDOW.replace("{parts}", repr(PART_BYTES)), encoding="utf-8")
    root = Path(__file__).parents[2]
    command = [sys.executable, str(script), str(project.folder), job]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    window = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True)
    assert window.stdout.readline() == "in the middle\n"
    window.send_signal(signal.SIGKILL)
    window.wait()
    window.stdout.close()


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def undisturbed(project: Project, jobs: tuple[str, ...]) -> Project:
    """The same project, made in a folder of its own in one go."""
    copy = Project.create(project.folder.with_name("undisturbed"), project.recipe.model_copy(deep=True))
    for job in jobs:
        assert launch(copy, job).status == "done"
    return copy


def test_after_a_kill_in_the_import_it_can_be_had_again(window, session, project, tmp_path, qtbot):
    kill_window_in_the_middle(project, "import", tmp_path)
    session.open(project.folder)
    screen = window.screens[window.current]
    assert window.current == "dataset" and "was cut off" in screen.notice.text
    qtbot.waitUntil(screen.bar.start.isEnabled)
    with qtbot.waitSignal(session.run_ended, timeout=60_000) as ended:
        screen.bar.start.click()
    assert ended.args[1].status == "done", ended.args[1].reason
    calm = undisturbed(project, ("import",))
    assert bytes_of(project.dataset_folder) == bytes_of(calm.dataset_folder)
    assert not [path for path in project.folder.iterdir() if path.name.startswith((".", "dataset."))]


def test_after_a_kill_while_encoding_it_goes_on(window, session, project, tmp_path, qtbot, monkeypatch):
    monkeypatch.setattr(numericalise, "PART_BYTES", PART_BYTES)
    assert launch(project, "import").status == "done"
    kill_window_in_the_middle(project, "vocab", tmp_path)
    finished = sorted(project.tokens_folder.glob(".work-*/*/*.part"))
    assert len(finished) > 5
    session.open(project.folder)
    window.go("vocab")
    screen = window.screens["vocab"]
    qtbot.waitUntil(lambda: screen.bar.start.isEnabled() and screen.bar.start.text() == GO_ON)
    with qtbot.waitSignal(session.run_ended, timeout=60_000) as ended:
        screen.bar.start.click()
    assert ended.args[1].status == "done", ended.args[1].reason
    calm = undisturbed(project, ("import", "vocab"))
    assert bytes_of(project.tokens_folder) == bytes_of(calm.tokens_folder)
    assert bytes_of(project.vocab_folder) == bytes_of(calm.vocab_folder)
