"""All of Wikipedia's extract through the real window: seconds by step, peak memory, and the longest stall.

    python benchmarks/whole_corpus.py [--work FOLDER] [--words 0] [--sample-mb 40] [--json]

Opens the window on a new project with the sample's rows and `wiki.train` as general text, imports it and builds the
vocabulary as a person would by the two buttons. A timer that should ring every 5 ms tells how long the window did not
answer; a process of its own adds up the memory of the window and its child processes (pages that several share count
once). Without a display the window is drawn in memory (QT_QPA_PLATFORM=offscreen).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import page
from memory import Memory
from peers import machine
from study import DATA

RESULTS = Path("docs/results/whole_corpus.jsonl")
RING_MILLISECONDS = 5
LOOK_SECONDS = 0.25  # between two looks at the memory
SCREENS = {"import": "dataset", "vocab": "vocab"}
TITLES = {"import": "import", "vocab": "vocabulary and token ids"}
Row = dict[str, Any]


# The window, in a process of its own


def drive(options: argparse.Namespace) -> Row:
    """Import and build in the real window. Returns seconds, longest stall in ms and report of each job."""
    from PySide6.QtCore import QTimer

    from studio import __main__ as program
    from studio import worker
    from studio.main_window import MainWindow
    from studio.session import Session

    app = program.make_application(sys.argv[:1])
    worker.Collector(app)
    session = Session(app)
    window = MainWindow(session)
    window.resize(1280, 800)
    window.show()
    worker.import_engine()
    session.create(options.work / "project", recipe(options))
    told: Row = {}
    ring = Ring()

    def go(job: str) -> None:
        window.go(SCREENS[job])
        ring.begin()
        session.start(job)

    def ended(job: str, how: Any) -> None:
        told[job] = {"seconds": ring.seconds(), "stall": ring.longest, "report": how.report, "status": how.status}
        if how.status == "done" and job == "import":
            QTimer.singleShot(0, lambda: go("vocab"))
        else:
            QTimer.singleShot(500, app.quit)

    session.refused.connect(sys.exit)
    session.run_ended.connect(ended)
    QTimer.singleShot(1000, lambda: go("import"))
    app.exec()
    return told


class Ring:
    """A timer in the window's thread; `longest` is the longest time in milliseconds that it came late."""

    def __init__(self) -> None:
        from PySide6.QtCore import Qt, QTimer

        self.longest = 0.0
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(RING_MILLISECONDS)
        self._timer.timeout.connect(self._rang)

    def begin(self) -> None:
        self.longest = 0.0
        self._began = self._last = time.monotonic()
        self._timer.start()

    def seconds(self) -> float:
        return round(time.monotonic() - self._began, 1)

    def _rang(self) -> None:
        now = time.monotonic()
        self.longest = max(self.longest, 1000 * (now - self._last) - RING_MILLISECONDS)
        self._last = now


def recipe(options: argparse.Namespace) -> Any:
    from resources import resource_path
    from ulmfit_core import sample
    from ulmfit_core.config import set_value

    found = sample.recipe()
    wanted = {
        "data.data": str(resource_path("sample/verses.csv")), "data.unlabelled": "",
        "data.corpus": str(DATA.absolute() / "wiki.train.txt.xz"),
        "data.corpus_words": options.words, "vocab.sample_mb": options.sample_mb, "vocab.size": 8000, "base": "none",
    }  # fmt: skip
    for key, value in wanted.items():
        set_value(found, key, value)
    return found


# Beside it


def measure(options: argparse.Namespace) -> Row:
    """The window's figures and the most memory that it and its children held, in bytes."""
    command = [sys.executable, __file__, "--child", "--work", str(options.work), "--words", str(options.words)]
    command += ["--sample-mb", str(options.sample_mb)]
    environment = {**os.environ, **{name: str(options.work / "home") for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME")}}
    if "DISPLAY" not in environment:
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    with Memory(child.pid, LOOK_SECONDS) as memory:
        said, _ = child.communicate()
    if child.returncode:
        sys.exit(f"the window ended with {child.returncode}")
    return {**machine(), "words": options.words, "memory": memory.peak, "jobs": json.loads(said.splitlines()[-1])}


def table(row: Row) -> str:
    lines = ["| Step | Seconds | Longest stall of the window |", "|---|--:|--:|"]
    for job, told in row["jobs"].items():
        lines.append(f"| {TITLES[job]} | {told['seconds']:,.0f} | {told['stall']:.0f} ms |")
    return "\n".join([*lines, "", f"Peak memory of all processes: {row['memory'] / 2**20:,.0f} MB."])


def main() -> None:
    options = read_options()
    if options.child:
        print(json.dumps(drive(options)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        options.work = (options.work or Path(scratch)).absolute()
        row = measure(options)
    if not options.words:
        with RESULTS.open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        page.write_between(page.PAGE, "whole_corpus", table(row))
    print(json.dumps(row) if options.json else table(row))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="keep the project in this folder")
    parser.add_argument("--words", type=int, default=0, help="a cut of so many words; 0 is all, and is written down")
    parser.add_argument("--sample-mb", type=float, default=40.0, help="text that the vocabulary is learned from")
    parser.add_argument("--json", action="store_true", help="the row instead of the table")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
