"""The measurements of the living window, at a size of seconds: real trainings, a table of what missed its aim."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from ulmfit_core.config import Recipe
from ulmfit_core.project import Project
from ulmfit_core.run import launch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def ready(recipe: Recipe, tmp_path: Path) -> Project:
    """Pretraining can begin, and goes on for longer than a test waits."""
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("The sun came out and we sang of it.\n" * 300, encoding="utf-8")
    recipe.data.corpus, recipe.pretrain.epochs, recipe.pretrain.threads = str(corpus), 1000, 1
    project = Project.create(tmp_path / "project", recipe)
    for step in ("import", "vocab"):
        ended = launch(project, step)
        assert ended.status == "done", ended.reason
    return project


def measured(name: str, folder: Path, seconds: float) -> dict:
    command = [sys.executable, str(BENCHMARKS / "window_at_work.py"), name, str(folder), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "BEGAN": "0"})
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_training_in_the_window_is_measured_paused_and_stopped(ready):
    found = measured("training", ready.folder, 3.0)
    assert found["steps"] > 5 and found["step_ms"] > 0
    assert found["stall"]["beats"] > 50 and 0 <= found["stall"]["p99"] <= found["stall"]["max"]
    assert found["checkpoint_kept"] and found["epochs"] > 0 and found["event_ms"] > 0
    assert ready.runs()[-1].status == "stopped"


def test_the_same_training_without_a_window_is_stopped_in_time(ready):
    found = measured("headless", ready.folder, 3.0)
    assert found["steps"] > 5 and found["steps_a_second"] == pytest.approx(1000 / found["step_ms"], rel=0.9)
    assert ready.runs()[-1].status == "stopped"


def test_a_heartbeat_sees_a_window_that_stands_still(qtbot):
    import time

    at_work = import_module("window_at_work")
    with at_work.Heart() as heart:
        qtbot.wait(50)
        time.sleep(0.2)
        qtbot.wait(50)
    assert 150 <= heart.figures()["max"] <= 2000


def test_the_table_tells_what_missed_its_aim():
    window = import_module("window")
    found = {"start": {"first_window": 0.8, "ready": 4.2}}
    first, ready = window.table(found).splitlines()[2:]
    assert first == "| First window | ≤ 1.0 s | 0.8 s | yes |"
    assert ready == "| Ready to train | ≤ 4 s | 4.2 s | **no** |"


def test_of_several_rounds_the_worst_is_told():
    window = import_module("window")
    rounds = [{"stall": {"max": 3}, "kept": True, "late": None}, {"stall": {"max": 9}, "kept": False, "late": 2}]
    assert window.worst(rounds) == {"stall": {"max": 9}, "kept": False, "late": 2}
