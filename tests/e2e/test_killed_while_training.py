"""A window is killed in the middle of a training; the next one offers to go on, and ends where it would have ended.

ULMFIT_E2E_OUT keeps pictures of the screen and the figures. `make torture` kills windows at many random moments.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest

from studio.main_window import MainWindow
from tests.crash.killed import Told, keep, measured_loss
from tests.crash.moments import SEED, TWICE
from tests.crash.shell import seconds_of_orphans
from tests.e2e.hand import Hand
from tests.e2e.test_the_whole_way import last_run, project_of, wait_until_done
from ulmfit_core import catalog, events, lock
from ulmfit_core.config import DataSettings, FinetuneSettings, Recipe
from ulmfit_core.project import Project
from ulmfit_core.run import launch, read_steps

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.name == "nt", reason="kill -9 is a signal of Unix"),
]  # fmt: skip

ROOT = Path(__file__).parents[2]
STEP, EPOCHS = "finetune", 3
WORDS = ("sun", "rain", "wind", "cloud", "river", "stone", "bird", "tree", "house", "road", "salt", "bread", "song")
ROWS, ROW_WORDS = 1500, 30
CHECKPOINT_SECONDS = 2.0  # often enough that one is cut in the middle of an epoch on any machine
STEPS_TO_LOSE = 5
MOST_LOST_SECONDS = 60  # in a training with the default time between checkpoints
WINDOWS = int(os.environ.get("ULMFIT_TORTURE_WINDOWS", "20"))  # that are killed
FEW_ROWS = 600


@dataclass(frozen=True)
class Killed:
    """A project whose training was killed: where it was, where it was last saved, and how long a step took at most."""

    project: Project
    step: int
    saved_step: int
    lost_seconds: float
    longest_step_seconds: float


@pytest.fixture
def killed(display: str, own_home: None, hand: Hand, tmp_path: Path) -> Killed:
    """By a window in a process of its own, which set the epochs and began to train."""
    project = make_project(tmp_path)
    window = open_window(["begin", str(project.folder), str(EPOCHS), str(hand.out)])
    try:
        watch_until_some_steps_are_unsaved(project, window)
    finally:
        window.send_signal(signal.SIGKILL)
        window.wait()
    run = Project.open(project.folder).runs()[-1]
    assert run.status == "unfinished" and run.resumable
    steps = read_steps(run.folder / "steps.f32")
    saved, seconds = progress_of(run.folder)[1], steps["seconds"]
    return Killed(project, len(seconds), saved, float(seconds[-1] - seconds[saved - 1]), float(np.diff(seconds).max()))


def open_window(words: list[str]) -> subprocess.Popen[bytes]:
    """`words`: what is done in it, as tests/e2e/doomed.py has it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "xcb"}
    command = [sys.executable, "-m", "tests.e2e.doomed", *words]
    return subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)


def make_project(folder: Path, rows: int = ROWS) -> Project:
    """Imported, with a vocabulary; a language model whose few epochs take half a minute to a minute."""
    data, draw = folder / "verses.csv", random.Random(5)
    texts = (" ".join(draw.choices(WORDS, k=ROW_WORDS)) for _ in range(rows))
    data.write_text("text\n" + "\n".join(texts) + "\n", encoding="utf-8")
    recipe = Recipe(name="Verses", data=DataSettings(data=str(data), text=["text"]))
    recipe.model.embedding, recipe.model.hidden, recipe.vocab.size = 64, 160, 300
    recipe.finetune.batch_size, recipe.finetune.bptt, recipe.finetune.threads = 16, 30, 1
    recipe.finetune.checkpoint_seconds = CHECKPOINT_SECONDS
    project = Project.create(folder / "project", recipe)
    for job in ("import", "vocab"):
        ended = launch(project, job)
        assert ended.status == "done", ended.reason
    return project


def watch_until_some_steps_are_unsaved(project: Project, window: subprocess.Popen[bytes]) -> None:
    """Until a checkpoint that is not the first, of step 0, is some steps old."""
    step = saved = 0
    while not saved or step < saved + STEPS_TO_LOSE:
        time.sleep(0.05)
        assert window.poll() is None, "the window ended by itself"
        runs = [run for run in project.runs() if run.job == STEP]
        assert not runs or runs[-1].status == "unfinished", "the training ended before it could be killed"
        step, saved = progress_of(runs[-1].folder) if runs else (0, 0)


def progress_of(folder: Path) -> tuple[int, int]:
    """Steps that are logged, and the step of the newest checkpoint."""
    told = events.read_events(folder / "events.jsonl")
    saved = [event.step for event in told if isinstance(event, events.CheckpointSaved)]
    return len(read_steps(folder / "steps.f32").values), saved[-1] if saved else 0


@pytest.fixture
def undisturbed(killed: Killed) -> Iterator[subprocess.Popen[bytes]]:
    """The same training of the same project, without the killed run, from the command line; it runs beside the test."""
    folder = killed.project.folder
    left_out = shutil.ignore_patterns(f"*-{STEP}", "models", "*.lock")
    shutil.copytree(folder, folder.with_name("undisturbed"), ignore=left_out)
    command = [sys.executable, "-m", "ulmfit_core", "run", str(folder.with_name("undisturbed")), STEP]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    yield process
    process.kill()
    process.wait()


@pytest.mark.e2e
def test_a_killed_training_goes_on_and_ends_as_if_undisturbed(
    killed: Killed, window: MainWindow, hand: Hand, undisturbed: subprocess.Popen[bytes]
) -> None:
    window.last_time.look()  # as the program does at its start
    hand.wait(lambda: hand.sees("Resume"), "the offer to go on")
    assert "was cut off at step" in window.last_time.text
    assert f"from step {killed.saved_step}, where it was last saved" in window.last_time.text
    hand.picture("offer")
    hand.click("Resume")
    hand.wait(lambda: window.session.job == STEP and window.current == STEP, "the training to go on")
    hand.picture("resumed")
    wait_until_done(hand, window, STEP, 900)
    hand.picture("done")
    project = project_of(window)
    assert project.folder == killed.project.folder and project.recipe.finetune.epochs == EPOCHS, "as it was typed"
    assert killed.step > killed.saved_step, "something was lost"
    in_between = 2 * killed.longest_step_seconds  # the saving itself, and the step that goes on when it falls due
    assert killed.lost_seconds <= CHECKPOINT_SECONDS + in_between
    assert FinetuneSettings().checkpoint_seconds + in_between <= MOST_LOST_SECONDS
    run = last_run(window, STEP)
    assert [each.job for each in project.runs()] == ["import", "vocab", STEP], "it is the same run that went on"
    hand.wait(lambda: undisturbed.poll() is not None, "the undisturbed training", 900)
    assert undisturbed.returncode == 0
    calm = Project.open(project.folder.with_name("undisturbed"))
    assert weights_of(project) == weights_of(calm)
    same_steps(run.folder, calm.runs()[-1].folder)
    tell(hand, killed)


def weights_of(project: Project) -> str:
    weights = project.bundle_folder(STEP) / "weights.safetensors"
    return hashlib.sha256(weights.read_bytes()).hexdigest()


def same_steps(resumed: Path, calm: Path) -> None:
    """Each step once, and each with the same loss."""
    one, other = read_steps(resumed / "steps.f32"), read_steps(calm / "steps.f32")
    assert one["step"].tolist() == list(range(1, len(one.values) + 1))
    np.testing.assert_array_equal(one["loss"], other["loss"])


def tell(hand: Hand, killed: Killed) -> None:
    figures = {name: value for name, value in asdict(killed).items() if name != "project"}
    (hand.out / "killed.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    print(json.dumps(figures))


# Many kills


@dataclass(frozen=True)
class Calm:
    """A project before its training and after one that nobody disturbed, and the seconds that this took."""

    before: Path
    after: Project
    seconds: float


@pytest.fixture(scope="session")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Calm:
    folder = tmp_path_factory.mktemp("calm")
    before = make_project(folder, FEW_ROWS)
    before.recipe.finetune.epochs = EPOCHS
    shutil.copytree(before.folder, folder / "after")
    after = Project(folder / "after", before.recipe)
    after.save()
    catalog.JOBS[STEP].resolve()  # loads torch, as a window does before
    began = time.monotonic()
    ended = launch(after, STEP)
    assert ended.status == "done", ended.reason
    return Calm(before.folder, after, time.monotonic() - began)


@pytest.mark.torture
@pytest.mark.parametrize("number", range(WINDOWS))
def test_many_kills(display: str, own_home: None, calm: Calm, number: int, tmp_path: Path) -> None:
    """A person begins a training in a window, which is killed, and goes on in the next, which may be killed, too."""
    draw, kills = random.Random(f"{SEED} window {number}"), list[Told]()
    folder, out = tmp_path / "project", str(tmp_path / "out")
    shutil.copytree(calm.before, folder)
    words = begins = ["begin", str(folder), str(EPOCHS), out]
    for _ in range(2 if draw.random() < TWICE else 1):
        kills.append(kill_window(words, folder, draw.uniform(0, calm.seconds)))
        if Project.open(folder).finished_run(STEP):
            break
        run = Project.open(folder).resumable_run(STEP)
        if run:
            kills[-1].step, kills[-1].saved, kills[-1].lost_seconds = measured_loss(run.folder, CHECKPOINT_SECONDS)
        words = ["resume", out] if run else begins
    if not Project.open(folder).finished_run(STEP):
        assert open_window(words).wait() == 0
        assert not [*folder.rglob(".*"), *folder.rglob("*.lock")], "nothing is left over"
    project = Project.open(folder)
    assert project.recipe == calm.after.recipe, "the epochs are as they were typed"
    assert weights_of(project) == weights_of(calm.after)
    same_steps(project.runs()[-1].folder, calm.after.runs()[-1].folder)
    keep(number, kills)


def kill_window(words: list[str], folder: Path, seconds: float) -> Told:
    """So many seconds after its training has begun."""
    window = open_window(words)
    while not ((holder := lock.read(folder / lock.WORK)) and holder.pid == window.pid):
        assert window.poll() is None, "the window ended by itself"
        time.sleep(0.01)
    with contextlib.suppress(subprocess.TimeoutExpired):
        window.wait(seconds)
    hit = window.poll() is None
    window.kill()
    window.wait()
    return Told(f"window {words[0]}", "seconds", seconds, True, hit, seconds_of_orphans(window.pid))
