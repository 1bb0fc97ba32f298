"""The worker carries a job to its end in a thread; questions are answered in order, garbage stays where it is."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Slot

from studio.worker import Background, Collector, Worker
from ulmfit_core.errors import UserError
from ulmfit_core.events import Ended, Started
from ulmfit_core.project import Project


class Listener(QObject):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[object] = []
        self.threads: set[int] = set()

    @Slot(object)
    def hear(self, answer: object) -> None:
        self.heard.append(answer)
        self.threads.add(threading.get_ident())


@pytest.fixture
def background() -> Background:
    return Background()


@pytest.fixture
def listener(background: Background) -> Listener:
    listener = Listener()
    background.answered.connect(listener.hear)
    return listener


def test_a_job_ends_with_its_last_word(recipe, tmp_path) -> None:
    project = Project.create(tmp_path / "project", recipe)
    worker = Worker(project, "import", project.new_run_folder("import"), {})
    worker.start()
    worker.wait(60)
    assert worker.finished and worker.ended is not None and worker.ended.status == "done"
    assert isinstance(worker.news[0], Started) and worker.news[-1] is worker.ended


def test_a_job_that_cannot_even_begin_fails_with_a_reason(recipe, tmp_path) -> None:
    project = Project.create(tmp_path / "project", recipe)
    (tmp_path / "file").write_text("in the way")
    worker = Worker(project, "import", tmp_path / "file" / "run", {})
    worker.start()
    worker.wait(60)
    assert isinstance(worker.ended, Ended) and worker.ended.status == "failed"
    assert worker.news[-1] is worker.ended


def test_answers_arrive_in_the_main_thread(background, listener, qtbot) -> None:
    background.ask(threading.get_ident)
    qtbot.waitUntil(lambda: bool(listener.heard))
    assert listener.heard != [threading.get_ident()]
    assert listener.threads == {threading.get_ident()}


def test_of_many_questions_only_the_newest_is_answered(background, listener, qtbot) -> None:
    gate = threading.Event()
    background.ask(lambda: gate.wait(10) and "first")
    for number in range(20):
        background.ask(lambda number=number: number)
    gate.set()
    qtbot.waitUntil(lambda: bool(listener.heard) and not background.busy)
    assert listener.heard == [19]


def test_what_is_no_longer_wanted_is_not_delivered(background, listener, qtbot) -> None:
    gate = threading.Event()
    background.ask(lambda: gate.wait(10))
    background.forget()
    gate.set()
    qtbot.waitUntil(lambda: not background.busy)
    assert listener.heard == []


def test_a_refusal_comes_as_its_sentence(background, qtbot) -> None:
    def question() -> None:
        raise UserError("There is no such file. Choose another.")

    with qtbot.waitSignal(background.refused) as refused:
        background.ask(question)
    assert refused.args == ["There is no such file. Choose another."]


def test_an_error_of_the_disk_comes_as_a_sentence(background, qtbot) -> None:
    with qtbot.waitSignal(background.refused) as refused:
        background.ask(lambda: Path("no/such/file").read_text())
    assert refused.args[0].startswith("no/such/file is not there any more: it was moved or removed.")


def test_a_collector_takes_garbage_only_in_the_main_thread(qtbot) -> None:
    threads: list[int] = []

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            threads.append(threading.get_ident())

    collector = Collector()
    assert not gc.isenabled()
    maker = threading.Thread(target=lambda: [Cycle() for _ in range(5000)])
    maker.start()
    maker.join()
    assert threads == []
    collector._collect()
    assert set(threads) == {threading.get_ident()}
    collector._timer.stop()


# One object of Qt ends among much garbage of the same kind.
ENDING = """
import gc
import os
import sys

from PySide6.QtCore import QCoreApplication, QObject, QTimer, Slot

from studio.worker import Collector


class Listener(QObject):
    def __init__(self):
        super().__init__()
        self.me = self
        self.timer = QTimer(self)
        self.timer.timeout.connect(self.hear)

    @Slot()
    def hear(self):
        pass


app = QCoreApplication([])
if sys.argv[1] == "collector":
    Collector(app)
gc.set_threshold(10**6)
last, garbage = Listener(), [Listener() for _ in range(3000)]
last.me = None
del garbage
gc.set_threshold(1, 1, 1)
del last
print("ended", flush=True)
os._exit(0)
"""


def end(way: str, seconds: float) -> bytes:
    """What a process says in which an object ends so."""
    done = subprocess.Popen([sys.executable, "-c", ENDING, way], stdout=subprocess.PIPE)
    try:
        return done.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        return b"hangs"
    finally:
        done.kill()
        done.wait()


def test_no_collection_starts_while_qt_ends_an_object() -> None:
    """Qt holds a lock then, for which the end of other objects may wait: without a collector it does."""
    assert end("collector", 60) == b"ended\n"
    assert end("automatic", 5) == b"hangs"
