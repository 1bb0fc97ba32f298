"""What many starts and stops of a training leave behind in the window: memory, threads, warnings, references to None.

Run it as ``python benchmarks/soak.py [--starts N] [--json]``. No display is needed. A small language model is trained
in the real window: the run bar's buttons start it, and stop it after some steps, over and over; every second time the
stopped run is resumed instead of begun anew. It ends with status 1 where something was left behind (`faults`).
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from PySide6.QtCore import QThread, QtMsgType, qInstallMessageHandler  # noqa: E402
from PySide6.QtTest import QTest  # noqa: E402
from PySide6.QtWidgets import QPushButton  # noqa: E402
from shiboken6 import Shiboken  # noqa: E402

from studio import worker  # noqa: E402
from studio.__main__ import make_application  # noqa: E402
from studio.main_window import MainWindow  # noqa: E402
from studio.session import Session  # noqa: E402
from studio.widgets.pace import memory_megabytes, steps_done  # noqa: E402
from studio.widgets.run_bar import RunBar  # noqa: E402
from ulmfit_core.config import DataSettings, Recipe  # noqa: E402
from ulmfit_core.project import Project  # noqa: E402
from ulmfit_core.run import launch, read_steps  # noqa: E402

STEP = "finetune"
TEXTS = ("The sun came out and we danced all day", "The rain fell on the cold and empty house")
ROWS, EPOCHS = 400, 200  # no training comes to its end between a start and a stop
STEPS = 3  # between a start and a stop
FIRST, WARM = 2, 50  # starts after which is looked: one anew and one resumed load what is loaded once
LOOK_MILLISECONDS = 10
PATIENCE = 120.0  # seconds
QUIET = "This plugin does not support"  # the offscreen platform, about the sizes of windows
MOST_GROWTH = 50.0  # MB
# References to None that come and go with what happens to be alive. More of them do no harm, and PySide6 6.11 leaves
# some 80 a start behind where pyqtgraph sets the range of an axis. Each that is lost leads to an abort: PySide6 6.12.0
# on Python 3.11 loses one in each call of Qt, thousands a start.
NOISE_OF_NONE = 1000
OF_QT = "Thread (pooled)"  # Qt's own pool, which paints; its threads end after 30 idle seconds
MOMENTS = {"start": "start", "first": f"after {FIRST}", "warm": f"after {WARM}", "end": "end"}
FIGURES = {
    "megabytes": "memory, MB", "system_threads": "system threads", "qthreads": "QThreads", "qt_objects": "Qt objects",
    "none": "refs of None",
}  # fmt: skip


@dataclass(frozen=True)
class Holding:
    """What the process holds while nothing runs."""

    megabytes: float
    python_threads: list[str]
    system_threads: int
    qthreads: int  # QThread objects that are at work, the main thread's not counted
    qt_objects: int
    none: int


class Complaints:
    """What Qt warns of and what no part of the program caught, as long as this program runs."""

    def __init__(self) -> None:
        self.told: list[str] = []
        qInstallMessageHandler(self._hear_qt)
        sys.excepthook = self._hear_error
        threading.excepthook = lambda facts: self._hear_error(facts.exc_type, facts.exc_value, facts.exc_traceback)

    def _hear_error(self, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        self.told.append(f"{kind.__name__}: {error}")
        traceback.print_exception(kind, error, trace)

    def _hear_qt(self, kind: QtMsgType, context: object, text: str) -> None:
        if kind not in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg) and not text.startswith(QUIET):
            self.told.append(f"Qt: {text}")


def main() -> int:
    options = arguments()
    complaints = Complaints()
    with tempfile.TemporaryDirectory() as folder:
        own_home(Path(folder) / "home")
        app = make_application(["soak"])
        worker.Collector(app)
        window = MainWindow(Session(app))
        window.show()
        worker.import_engine()
        window.session.open(make_project(Path(folder)).folder)
        report = soak(window, options.starts)
        window.close()
    report["complaints"] = complaints.told
    report["faults"] = faults(report)
    print(json.dumps(report) if options.json else "\n".join(lines(report)))
    return 1 if report["faults"] else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=500)
    parser.add_argument("--json", action="store_true", help="one JSON value on standard output")
    return parser.parse_args()


def own_home(folder: Path) -> None:
    """Nothing of whoever runs this is read or changed."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        os.environ[name] = str(folder)


def make_project(folder: Path) -> Project:
    """A project whose data is imported and whose vocabulary is built; its language model begins from scratch."""
    data = folder / "texts.csv"
    data.write_text("text\n" + "".join(f"{TEXTS[n % 2]} {n}\n" for n in range(ROWS)), encoding="utf-8")
    recipe = Recipe(name="Soak", data=DataSettings(data=str(data), text=["text"]))
    recipe.vocab.size = 150
    recipe.model.embedding = recipe.model.hidden = 8
    recipe.finetune.epochs, recipe.finetune.batch_size = EPOCHS, 8
    project = Project.create(folder / "project", recipe)
    for job in ("import", "vocab"):
        ended = launch(project, job)
        assert ended.status == "done", ended.reason
    return project


# Starting and stopping


def soak(window: MainWindow, starts: int) -> dict[str, Any]:
    """Start and stop so many times, and tell what the process holds at the start, after some and at the end."""
    window.go(STEP)
    bar = window.screens[STEP].bar  # type: ignore[attr-defined]
    rested: list[float] = []
    memory: list[float] = []
    resumed = 0
    began = time.monotonic()
    held = {"start": holding()}
    for number in range(starts):
        resume = number % 2 == 1
        resumed += start(bar, resume)
        rested.append(stop(bar))
        memory.append(memory_megabytes())
        if number + 1 in (FIRST, WARM):
            held["first" if number + 1 == FIRST else "warm"] = holding()
    held["end"] = holding()
    return {
        "starts": starts, "resumed": resumed, "minutes": round((time.monotonic() - began) / 60, 1),
        "rest_seconds": {"median": round(median(rested), 2), "max": round(max(rested), 2)},
        "memory_mb": [round(megabytes) for megabytes in memory[:: max(1, starts // 10)]],
        **{when: asdict(what) for when, what in held.items()},
    }  # fmt: skip


def start(bar: RunBar, resume: bool) -> bool:
    """Begin anew or resume, and let it do some steps. Returns whether it is the run that was stopped."""
    stopped = bar.session.run_folder
    press(bar.resume_button if resume else bar.start_button)
    wait(lambda: bar.session.job == STEP, "the training to begin")
    before = done(bar)
    wait(lambda: done(bar) >= before + STEPS, "its first steps")
    return bar.session.run_folder == stopped


def stop(bar: RunBar) -> float:
    """Stop it. Returns the seconds from the click until nothing runs and the next start is offered."""
    clicked = time.monotonic()
    press(bar.stop_button)
    wait(lambda: bar.session.job is None and bar.resume_button.isVisible(), "the training to rest")
    return time.monotonic() - clicked


def press(button: QPushButton) -> None:
    wait(lambda: button.isVisible() and button.isEnabled(), f"“{button.text()}” to be offered")
    button.click()


def done(bar: RunBar) -> int:
    folder = bar.session.run_folder
    return steps_done(read_steps(folder / "steps.f32")) if folder else 0


def wait(condition: Callable[[], bool], what: str) -> None:
    """Let the window live until the condition holds."""
    late = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > late:
            raise SystemExit(f"Waited {PATIENCE:.0f} s in vain for {what}.")
        QTest.qWait(LOOK_MILLISECONDS)


# What is held


def holding() -> Holding:
    """Once all garbage is collected and every short question is answered."""
    wait(lambda: not any(thread.name == "background" for thread in threading.enumerate()), "questions to be answered")
    gc.collect()
    everything = Shiboken.getAllValidWrappers()
    qthreads = [each for each in everything if isinstance(each, QThread) and each.isRunning()]
    return Holding(
        megabytes=round(memory_megabytes(), 1),
        python_threads=sorted(thread.name for thread in threading.enumerate()),
        system_threads=len(system_threads()),
        qthreads=len([each for each in qthreads if each is not QThread.currentThread()]),
        qt_objects=len(everything),
        none=sys.getrefcount(None),
    )


def system_threads() -> list[str]:
    """The names of all threads that the system counts, without those of Qt's pool."""
    names = []
    for path in Path("/proc/self/task").glob("*/comm"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended since it was listed
            names.append(path.read_text().strip())
    return [name for name in names if name != OF_QT]


def faults(report: dict[str, Any]) -> list[str]:
    """What was left behind that should not be, a sentence each."""
    first, end = report["first"], report["end"]
    more = {name: end[name] - first[name] for name in ("megabytes", "system_threads", "qthreads", "none")}
    left = len(end["python_threads"]) - len(first["python_threads"])
    found = {
        f"Memory grew by {more['megabytes']:.0f} MB.": more["megabytes"] > MOST_GROWTH,
        f"{left} threads of Python did not end.": left > 0,
        f"{more['system_threads']} threads of the system did not end.": more["system_threads"] > 0,
        f"{more['qthreads']} QThreads did not end.": more["qthreads"] > 0,
        f"{-more['none']:,} references to None were lost.": more["none"] < -NOISE_OF_NONE,
        f"{len(report['complaints'])} complaints, the first: {report['complaints'][:1]}": bool(report["complaints"]),
    }  # fmt: skip
    return [sentence for sentence, is_so in found.items() if is_so]


def lines(report: dict[str, Any]) -> Iterator[str]:
    held = {when: report[when] for when in MOMENTS if when in report}
    rest = report["rest_seconds"]
    yield f"{report['starts']:,} starts, {report['resumed']:,} of them resumed, in {report['minutes']} minutes"
    yield " " * 16 + "".join(f"{MOMENTS[when]:>12}" for when in held) + f"{'growth':>12}"
    for name, title in FIGURES.items():
        growth = round(held["end"][name] - held["first"][name], 1)
        yield f"{title:16}" + "".join(f"{each[name]:>12,}" for each in held.values()) + f"{growth:>+12,}"
    yield f"memory on the way, MB: {report['memory_mb']}"
    yield f"threads of Python at the end: {', '.join(held['end']['python_threads'])}"
    yield f"from the click on Stop until it rests: median {rest['median']} s, longest {rest['max']} s"
    yield f"complaints: {len(report['complaints'])}"
    yield from report["faults"] or ["Nothing was left behind."]


if __name__ == "__main__":
    sys.exit(main())
