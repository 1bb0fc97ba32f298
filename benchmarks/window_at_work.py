"""One measurement of the real window in a process of its own, for window.py; prints its figures as one JSON line.

    python benchmarks/window_at_work.py NAME FOLDER [SECONDS]

The heartbeat is a timer of 5 ms in the window's thread: what passes between two beats beyond that is a stall, in which
the window answers nothing.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QEventLoop, QObject, Qt, QTimer, Slot
from PySide6.QtTest import QTest

from studio import worker
from studio.__main__ import make_application
from studio.main_window import MainWindow
from studio.session import Session
from ulmfit_core.events import EpochEnded
from ulmfit_core.project import Project
from ulmfit_core.run import Control, launch, read_steps

BEAT = 5  # milliseconds
WARM = 2.0  # seconds of a training that are not counted: the first steps make what later ones use again
PATIENCE = 300
RUNS = 1_000
Figures = dict[str, Any]


class Heart(QObject):
    """Beats every BEAT milliseconds; `stalls` are what came on top of that, in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self.stalls: list[float] = []
        self._last = 0.0
        self._timer = QTimer(self, timerType=Qt.TimerType.PreciseTimer, interval=BEAT)
        self._timer.timeout.connect(self._beat)

    def __enter__(self) -> Heart:
        self._last = time.perf_counter()
        self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._beat()  # a stall that has not ended in a beat counts too
        self._timer.stop()

    @Slot()
    def _beat(self) -> None:
        now = time.perf_counter()
        self.stalls.append(max(0.0, (now - self._last) * 1000 - BEAT))
        self._last = now

    def figures(self) -> Figures:
        return {
            "p99": round(float(np.percentile(self.stalls, 99)), 1), "max": round(max(self.stalls), 1),
            "beats": len(self.stalls),
        }  # fmt: skip


class FirstPaint(QObject):
    """Ends the wait for the first paint of a window."""

    seen = False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.seen = self.seen or event.type() == QEvent.Type.Paint
        return False


class Desk:
    """The application with its real window on a project."""

    def __init__(self, folder: Path | None):
        self.app = make_application(["window"])
        self.collector = worker.Collector(self.app)
        self.session = Session(self.app)
        self.window = MainWindow(self.session)
        if folder:
            self.session.open(folder)
        self.window.resize(1280, 800)
        self.window.show()
        self.session.refused.connect(sys.exit)  # a measurement of something that was refused would be of nothing

    def screen(self, name: str) -> Any:
        self.window.go(name)
        self.app.processEvents()
        return self.window.screens[name]

    def until(self, holds: Callable[[], bool], seconds: float = PATIENCE) -> float:
        """Let the window live until something holds. Returns the seconds it took; ends the process if it never does."""
        began = time.perf_counter()
        while not holds():
            self.app.processEvents()
            time.sleep(0.0005)
            if time.perf_counter() - began > seconds:
                sys.exit("the window did not come to what was waited for")
        return time.perf_counter() - began

    def live(self, seconds: float) -> None:
        """As a window does that waits for its person: a loop that asks again and again would take from the training."""
        loop = QEventLoop()
        QTimer.singleShot(round(seconds * 1000), loop.quit)
        loop.exec()

    def press(self, button: Any) -> float:
        """Seconds from a click until the window has drawn what follows from it."""
        self.until(lambda: button.isVisible() and button.isEnabled())
        began = time.perf_counter()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        self.app.processEvents()
        return time.perf_counter() - began

    def rest(self) -> None:
        self.session.stop()
        self.until(lambda: self.session.job is None)


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)


# Starting


def start(folder: Path, seconds: float) -> Figures:
    """From the start of the process, which the caller noted, to the first paint and to a loaded engine."""
    began = float(os.environ["BEGAN"])
    paint = FirstPaint()
    app = make_application(["window"])
    session = Session(app)
    window = MainWindow(session)
    session.open(folder)
    window.installEventFilter(paint)
    window.show()
    while not paint.seen:
        app.processEvents()
    first = time.time() - began
    worker.import_engine()
    return {"first_window": round(first, 2), "ready": round(time.time() - began, 2)}


# Training


def steps_a_second(folder: Path) -> Figures:
    """Of a run's steps after the first WARM seconds."""
    logged = read_steps(folder / "steps.f32")
    seconds = logged["seconds"].astype(float)
    first = int(seconds.searchsorted(seconds[0] + WARM))
    spans = np.diff(seconds[first:])
    return {"steps_a_second": len(spans) / spans.sum(), "step_ms": float(np.median(spans)) * 1000, "steps": len(spans)}


def headless(folder: Path, seconds: float) -> Figures:
    """The same job without a window, for as long."""
    project, control = Project.open(folder), Control()
    place = project.new_run_folder(job_of(project))

    def stop_in_time() -> None:
        while not len(read_steps(place / "steps.f32").values):
            time.sleep(0.01)
        time.sleep(seconds)
        control.stop()

    threading.Thread(target=stop_in_time, daemon=True).start()
    ended = launch(project, job_of(project), control=control, folder=place)
    assert ended.status == "stopped", ended.reason
    return steps_a_second(place)


def job_of(project: Project) -> str:
    """The first training that the project does not have yet."""
    return next(step for step in ("pretrain", "finetune") if project.state(step).mark not in ("skipped", "done"))


def training(folder: Path, seconds: float) -> Figures:
    """In the window, its plots shown, with a heartbeat; then pause and stop."""
    desk = Desk(folder)
    worker.import_engine()
    screen = desk.screen(job_of(Project.open(folder)))
    told = Told(screen.epochs, desk.session)
    press = [desk.press(screen.bar.start_button)]
    place, control = desk.session.run_folder, desk.session.control
    assert place is not None and control is not None
    desk.until(lambda: len(read_steps(place / "steps.f32").values) > 0)
    with Heart() as heart:
        desk.live(seconds)
    found = steps_a_second(place) | {"stall": heart.figures()}
    press.append(desk.press(screen.bar.pause_button))
    paused = control.ask()  # answered where the training next looks up, which is where it rests
    resting = desk.until(paused.done)
    press.append(desk.press(screen.bar.pause_button))
    desk.live(1)
    press.append(desk.press(screen.bar.stop_button))
    stopped = desk.until(lambda: desk.session.job is None)
    return found | {
        "click_ms": milliseconds(max(press)), "pause_s": round(resting, 3), "stop_s": round(stopped, 3),
        "checkpoint_kept": (place / "checkpoint").exists(), "epochs": len(told.late),
        "event_ms": milliseconds(max(told.late)) if told.late else None,
    }  # fmt: skip


class Told(QObject):
    """Seconds from the end of each epoch in the worker to its row in the window's table."""

    def __init__(self, table: Any, session: Session):
        super().__init__()
        self.late: list[float] = []
        self._table, self._waiting = table, list[EpochEnded]()
        session.event.connect(self._hear)
        table.model().rowsInserted.connect(self._look)

    @Slot(object)
    def _hear(self, event: object) -> None:
        if isinstance(event, EpochEnded):
            self._waiting.append(event)

    @Slot()
    def _look(self) -> None:
        shown = self._table.rowCount()
        while self._waiting and self._waiting[0].epoch < shown:
            self.late.append(time.time() - self._waiting.pop(0).at)


# Files and texts


def reading(folder: Path, seconds: float) -> Figures:
    """Preview of 200,000 rows, import, and the vocabulary with all texts cut, each with a heartbeat."""
    desk = Desk(folder)
    screen = desk.screen("dataset")
    worker.import_engine()
    desk.live(1)
    path = folder.parent / "rows.csv"
    field = screen.mapping.fields["data"].edit
    found: Figures = {}
    with Heart() as heart:
        field.setText(str(path))
        QTest.keyClick(field, Qt.Key.Key_Return)
        desk.live(0.05)
        found["preview_s"] = round(desk.until(lambda: not (screen._looking.busy or screen._sorting.busy)) + 0.05, 2)
    found["preview"] = heart.figures()
    for name, knob in (("text", ["text"]), ("label", "label")):
        screen._change({name: knob})
    desk.until(lambda: not screen._looking.busy)
    with Heart() as heart:
        desk.press(screen.bar.start)
        found["import_s"] = round(desk.until(lambda: desk.session.job is None), 1)
    found["import"] = heart.figures()
    build = desk.screen("vocab")
    with Heart() as heart:
        desk.press(build.bar.start)
        found["vocab_s"] = round(desk.until(lambda: desk.session.job is None), 1)
    found["vocab"] = heart.figures()
    return found


def trying(folder: Path, seconds: float) -> Figures:
    """A text of 200 words tried out: at rest, while another model trains, and with a copy of the one in training."""
    desk = Desk(folder)
    worker.import_engine()
    found = {"idle": tries(desk, seconds)}
    desk.session.start("finetune")
    assert desk.session.run_folder is not None
    place = desk.session.run_folder
    desk.until(lambda: len(read_steps(place / "steps.f32").values) > 5)
    found["training"] = tries(desk, seconds)
    desk.rest()
    return found


def tries(desk: Desk, seconds: float) -> Figures:
    """Of new texts, one after the other, from the pause in typing to the answer on the screen, in milliseconds."""
    part = desk.screen("try_it").classifier
    times: list[float] = []
    end = time.perf_counter() + seconds
    for number in itertools.count():
        text = f"{number}" + " the plug is hot and nobody can reach it" * 22 + " now"
        part.text.setPlainText(text)
        part._typing.stop()
        began = time.perf_counter()
        part._ask()
        desk.until(lambda text=text: part._answer is not None and part._answer.text == text)  # type: ignore[misc]
        if number:  # the first one loads the model
            times.append(time.perf_counter() - began)
        if time.perf_counter() > end and times:
            return {"median": milliseconds(float(np.median(times))), "max": milliseconds(max(times)), "n": len(times)}
    raise AssertionError


def runs(folder: Path, seconds: float) -> Figures:
    """A project with RUNS runs: opening it, and its Runs screen until every run is listed."""
    project = Project.open(folder)
    one = project.runs()[-1]
    for number in range(RUNS - len(project.runs())):
        copy = one.folder.with_name(f"20200101-000000-{number:03}-{one.job}")
        shutil.copytree(one.folder, copy, ignore=shutil.ignore_patterns("checkpoint"))
    desk = Desk(None)
    worker.import_engine()
    desk.live(1)
    with Heart() as heart:
        began = time.perf_counter()
        desk.session.open(folder)
        opened = time.perf_counter() - began
        screen = desk.screen("runs")
        listed = desk.until(lambda: len(screen.stories) >= RUNS)
        desk.live(2)
    return {"open_ms": milliseconds(opened), "listed_s": round(listed, 2), "stall": heart.figures()}


MEASUREMENTS = {each.__name__: each for each in (start, headless, training, reading, trying, runs)}


def main() -> None:
    name, folder, seconds = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    print(json.dumps(MEASUREMENTS[name](folder, seconds)), flush=True)
    os._exit(0)  # the figures are out; what Qt takes down at the end is none of them


if __name__ == "__main__":
    main()
