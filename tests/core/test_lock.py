"""Locks: one holder at a time, named for the others, and free again when it is killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ulmfit_core import files, lock
from ulmfit_core.config import DataSettings, Recipe
from ulmfit_core.project import Project
from ulmfit_core.run import launch

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from ulmfit_core import lock
held = lock.Lock(Path(sys.argv[1]), sys.argv[2], "“Train the classifier”")
print("held", flush=True)
time.sleep(600)
"""


@contextlib.contextmanager
def another_process(folder: Path, name: str) -> Iterator[subprocess.Popen]:
    """A process that holds a lock until it is killed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLD, str(folder), name]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_lock_names_its_holder_and_leaves_nothing(tmp_path):
    assert lock.holder(tmp_path, lock.WINDOW) is None
    with lock.Lock(tmp_path, lock.WINDOW, "Another window"):
        found = lock.holder(tmp_path, lock.WINDOW)
        assert found.is_this_process and found.sentence.startswith("Another window (")
        assert f"process {os.getpid()} on {socket.gethostname()}, since " in found.sentence
        assert lock.holder(tmp_path, lock.WORK) is None, "the two are independent"
        with pytest.raises(lock.Held, match="Another window"):
            lock.Lock(tmp_path, lock.WINDOW, "A third one")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a signal of Unix")
def test_what_a_killed_process_leaves_is_free(tmp_path):
    with another_process(tmp_path, lock.WORK) as process:
        found = lock.holder(tmp_path, lock.WORK)
        assert (found.pid, found.host, found.what) == (process.pid, socket.gethostname(), "“Train the classifier”")
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert lock.read(tmp_path / lock.WORK) == found, "its word is still there"
        assert lock.holder(tmp_path, lock.WORK) is None
        lock.Lock(tmp_path, lock.WORK, "The next").release()


def test_asking_does_not_disturb_the_one_who_takes(tmp_path):
    """Many ask at the same time; of those who take, one at a time has it."""
    ask = f"from ulmfit_core import lock; from pathlib import Path; p = Path({str(tmp_path)!r})\n"
    ask += "for _ in range(300): lock.holder(p, lock.WORK)"
    asker = subprocess.Popen([sys.executable, "-c", ask], env={**os.environ, "PYTHONPATH": str(ROOT)})
    taken = 0
    while asker.poll() is None:
        lock.Lock(tmp_path, lock.WORK, "One").release()
        taken += 1
        time.sleep(0.001)
    assert asker.returncode == 0 and taken > 10


@pytest.mark.parametrize(("host", "pid", "held"), [("", "own", True), ("", "gone", False), ("elsewhere", "gone", True)])
def test_without_locks_of_the_file_system_the_word_counts(tmp_path, monkeypatch, host, pid, held):
    def unknown(handle):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(files, "_lock", unknown)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    word = {"host": host or socket.gethostname(), "pid": os.getpid() if pid == "own" else gone.pid}
    word |= {"program": "ulmfit", "what": "“Import the data”", "since": "2026-01-02T03:04:05"}
    (tmp_path / lock.WORK).write_text(json.dumps(word))
    assert bool(lock.holder(tmp_path, lock.WORK)) == held
    with pytest.raises(lock.Held, match="since 2 Jan 03:04") if held else contextlib.nullcontext():
        lock.Lock(tmp_path, lock.WORK, "The next")


def test_a_job_is_refused_beside_another_one_and_reading_goes_on(tmp_path, reviews):
    recipe = Recipe(data=DataSettings(data=str(reviews), text=["text"], label="label"))
    project = Project.create(tmp_path / "p", recipe)
    with another_process(project.folder, lock.WORK) as process:
        refused = launch(project, "import")
        assert refused.status == "failed" and f"process {process.pid} on" in refused.reason
        assert refused.reason.startswith("“Train the classifier” (") and "is at work in this project" in refused.reason
        assert project.runs() == [] and Project.open(project.folder).state("import").mark == "ready"
        elsewise = launch(project, "evaluate")
        assert "at work" not in elsewise.reason, "what only reads is not held up"
    assert launch(project, "import").status == "done"
    assert not list(project.folder.glob("*.lock"))


def test_the_command_line_says_so_in_one_line(tmp_path, reviews):
    recipe = Recipe(data=DataSettings(data=str(reviews), text=["text"], label="label"))
    project = Project.create(tmp_path / "p", recipe)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with another_process(project.folder, lock.WORK) as process:
        command = [sys.executable, "-m", "ulmfit_core", "run", str(project.folder)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
        assert f"process {process.pid} on" in done.stderr
        command[3] = "runs"
        assert subprocess.run(command, env=environment, capture_output=True, text=True).returncode == 0
