"""How alive the window is while it works: stalls, the cost to the training, times from a click to what follows.

    python benchmarks/window.py [--work FOLDER] [--seconds 40] [--rounds 3] [--only NAME ...] [--write] [--json]

Every figure is of a process of its own (window_at_work.py) with the real window, real jobs in its worker thread and a
heartbeat of 5 ms. The training in the window and the same one without it take turns. Where there is no display and Xvfb
is installed, the windows open in one of its own; else Qt draws in memory, and the table says so. The texts are made up.
--write puts the table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import page
import study

from resources import resource_path

Figures = dict[str, Any]
ROWS, WORDS = 200_000, 12
CHILD = Path(__file__).with_name("window_at_work.py")
PLACES = {"text": ["text"], "label": "label"}
# The starter's size in ordinary steps, and a training of the smallest steps there are.
ORDINARY: study.Values = {
    "name": "Ordinary steps", "base": str(resource_path("starter/english")), "finetune.epochs": 50,
    "finetune.checkpoint_seconds": 5.0, "classify.epochs": 1, "classify.unfreezing": "all", "classify.blend": "off",
}  # fmt: skip
SMALL: study.Values = {
    "name": "Small steps", "vocab.size": 200, "model.embedding": 8, "model.hidden": 8, "model.layers": 1,
    "finetune.batch_size": 2, "finetune.bptt": 5, "finetune.threads": 1, "finetune.epochs": 1000,
    "finetune.checkpoint_seconds": 5.0,
}  # fmt: skip


# What is trained on


def made_up(rows: int) -> Iterator[tuple[str, str]]:
    """Texts of WORDS words of 5,000, the n-th as frequent as 1/n; each label prefers words of its own."""
    draw = random.Random(1)
    parts = [a + b for a in ("ka", "lo", "mi", "nu", "re", "sa", "to") for b in ("ban", "der", "fil", "gom", "hus")]
    words = ["".join(draw.choices(parts, k=2)) for _ in range(5_000)]
    weights = [1 / (rank + 1) for rank in range(len(words))]
    for number in range(rows):
        label = "even" if number % 2 == 0 else "odd"
        yield " ".join([f"{label}ly", *draw.choices(words, weights, k=WORDS - 1)]), label


def prepare(work: Path) -> None:
    """Files and projects of the measurements, made once: nothing that is measured is left out of them."""
    if (work / "ready").exists():
        return
    work.mkdir(parents=True, exist_ok=True)
    rows = list(made_up(ROWS))
    study.write_rows(work / "rows.csv", rows)
    study.write_rows(work / "few.csv", rows[:4_000])
    study.write_rows(work / "fewer.csv", rows[:300])
    study.project(work / "reading", study.recipe({"name": "Many rows", "vocab.size": 4_000}))
    for name, values, file in (("ordinary", ORDINARY, "few.csv"), ("small", SMALL, "few.csv")):
        made = study.recipe({**values, "data.data": str(work / file), "data.text": ["text"], "data.label": "label"})
        for step in ("import", "vocab"):
            study.run(study.project(work / name, made), step)
    answering(work)
    (work / "ready").touch()


def answering(work: Path) -> None:
    """A project with a classifier to ask, of the starter's size."""
    values = {**ORDINARY, "finetune.enabled": False, "data.data": str(work / "fewer.csv")}
    subject = study.project(work / "answering", study.recipe({**values, "data.text": ["text"], "data.label": "label"}))
    for step in ("import", "vocab", "classify"):
        study.run(subject, step)
    subject.recipe.finetune.enabled = True
    subject.save()


# What is measured, each in a process of its own


class Bench:
    def __init__(self, work: Path, seconds: float, rounds: int):
        self.work, self.seconds, self.rounds = work, seconds, rounds

    def child(self, name: str, project: str) -> Figures:
        """What window_at_work.py says of a fresh copy of a project. Raises CalledProcessError with its last words."""
        with tempfile.TemporaryDirectory(dir=self.work) as place:
            folder = Path(place) / "project"
            shutil.copytree(self.work / project, folder)
            if (self.work / "rows.csv").exists() and project == "reading":
                (Path(place) / "rows.csv").hardlink_to(self.work / "rows.csv")
            own = {"XDG_CONFIG_HOME": place, "XDG_DATA_HOME": place, "BEGAN": str(time.time())}
            command = [sys.executable, str(CHILD), name, str(folder), str(self.seconds)]
            print(f"{name}: {project}", file=sys.stderr, flush=True)
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **own})
        return json.loads(done.stdout.splitlines()[-1])

    def start(self) -> Figures:
        return worst([self.child("start", "ordinary") for _ in range(self.rounds)])

    def ordinary(self) -> Figures:
        return self.training("ordinary")

    def small(self) -> Figures:
        return self.training("small")

    def training(self, project: str) -> Figures:
        """In the window and without it, in turn; the ratio is the median of the rounds'."""
        rounds = [(self.child("training", project), self.child("headless", project)) for _ in range(self.rounds)]
        ratios = [with_window["steps_a_second"] / without["steps_a_second"] for with_window, without in rounds]
        found = worst([with_window for with_window, _ in rounds])
        return {**found, "ratio": round(statistics.median(ratios), 3), "ratios": [round(each, 3) for each in ratios],
                "step_ms": round(statistics.median(without["step_ms"] for _, without in rounds), 1)}  # fmt: skip

    def reading(self) -> Figures:
        return self.child("reading", "reading")

    def trying(self) -> Figures:
        return self.child("trying", "answering")

    def runs(self) -> Figures:
        return self.child("runs", "answering")


def worst(found: list[Figures]) -> Figures:
    """Of several rounds the largest figures; False where it was so in any of them."""
    first = found[0]
    return {
        key: worst([each[key] for each in found]) if isinstance(value, dict)
        else all(each[key] for each in found) if isinstance(value, bool)
        else max((each[key] for each in found if each[key] is not None), default=None)
        for key, value in first.items()
    }  # fmt: skip


MEASURED = ("start", "ordinary", "small", "reading", "trying", "runs")


# The table


def stall(found: Figures) -> str:
    return f"p99 {found['p99']:.0f} ms, longest {found['max']:.0f} ms"


def answer(found: Figures) -> str:
    return f"{found['median']:.0f} ms, longest {found['max']:.0f} ms"


# What a line measures, its aim, what was measured, and whether it is reached: None where that cannot be said.
Line = tuple[str, str, Callable[[Figures], str], Callable[[Figures], bool | None]]
STALL = "p99 ≤ 50 ms, longest ≤ 100 ms"


def lively(found: Figures) -> bool:
    return found["p99"] <= 50 and found["max"] <= 100


LINES: dict[str, list[Line]] = {
    "start": [
        ("First window", "≤ 1.0 s", lambda f: f"{f['first_window']} s", lambda f: f["first_window"] <= 1),
        ("Ready to train", "≤ 4 s", lambda f: f"{f['ready']} s", lambda f: f["ready"] <= 4),
    ],
    **{
        name: [
            (f"Stall while training, {size}", STALL, lambda f: stall(f["stall"]), lambda f: lively(f["stall"])),
            (f"Steps a second beside those without a window, {size}", f"≥ {least}",
             lambda f: f"{f['ratio']:.2f} (steps of {f['step_ms']} ms)", lambda f, least=least: f["ratio"] >= least),
            (f"From a click to its feedback, {size}", "≤ 100 ms", lambda f: f"{f['click_ms']:.0f} ms",
             lambda f: f["click_ms"] <= 100),
            (f"From the click to rest: pause, stop, {size}", "≤ 3 s, checkpoint kept",
             lambda f: f"{f['pause_s']:.2f} s, {f['stop_s']:.2f} s",
             lambda f: max(f["pause_s"], f["stop_s"]) <= 3 and f["checkpoint_kept"]),
            (f"From the end of an epoch to its row, {size}", "≤ 300 ms",
             lambda f: "no epoch ended" if f["event_ms"] is None else f"{f['event_ms']:.0f} ms",
             lambda f: None if f["event_ms"] is None else f["event_ms"] <= 300),
        ]
        for name, size, least in (("ordinary", "ordinary steps", 0.95), ("small", "small steps", 0.90))
    },
    "reading": [
        ("Preview of 200,000 rows", "≤ 1 s", lambda f: f"{f['preview_s']} s", lambda f: f["preview_s"] <= 1),
        *(
            (f"Stall during {what}", "longest ≤ 150 ms", lambda f, key=key: stall(f[key]),
             lambda f, key=key: f[key]["max"] <= 150)
            for key, what in (("preview", "the preview"), ("import", "import"), ("vocab", "vocabulary and cutting"))
        ),
    ],
    "trying": [
        (f"Answer to 200 words, {when}", f"≤ {most} ms", lambda f, key=key: answer(f[key]),
         lambda f, key=key, most=most: f[key]["max"] <= most)
        for key, when, most in (("idle", "at rest", 300), ("training", "while training", 1000))
    ],
    "runs": [
        ("Runs with 1,000 runs: all listed", "-", lambda f: f"{f['listed_s']} s", lambda f: None),
        ("Stall on opening it and its Runs", "longest ≤ 150 ms", lambda f: stall(f["stall"]),
         lambda f: f["stall"]["max"] <= 150),
    ],
}  # fmt: skip


def table(found: dict[str, Figures]) -> str:
    lines = ["| figure | aim | measured | reached |", "|---|---|---|---|"]
    for name, figures in found.items():
        for title, aim, says, holds in LINES[name]:
            reached = {None: "-", True: "yes", False: "**no**"}[holds(figures)]
            lines.append(f"| {title} | {aim} | {says(figures)} | {reached} |")
    return "\n".join(lines)


@contextlib.contextmanager
def display() -> Iterator[str]:
    """Where windows open, in words; for as long as they do."""
    if any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")):
        yield os.environ.get("QT_QPA_PLATFORM", "the display at hand")
    elif not shutil.which("Xvfb"):
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        yield "drawn in memory"
    else:
        read, write = os.pipe()
        command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1400x900x24", "-nolisten", "tcp"]
        with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as server:
            os.close(write)
            os.environ["DISPLAY"] = ":" + os.read(read, 16).decode().strip()
            yield "Xvfb"
            server.terminate()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/window"), help="files and projects, made once")
    parser.add_argument("--seconds", type=float, default=40, help="of each training")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=MEASURED, default=list(MEASURED))
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    parser.add_argument("--json", action="store_true", help="one JSON value on standard output")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    work = options.work.absolute()
    prepare(work)
    bench = Bench(work, options.seconds, options.rounds)
    with display() as where:
        found = {name: getattr(bench, name)() for name in options.only}
    how = f"{options.rounds} rounds of {options.seconds:g} s, the worst of each"
    told = f"{table(found)}\n\nWindows: {where}; {os.cpu_count()} cores; {how}."
    if options.write:
        page.write_between(page.PAGE, "window", told)
    print(json.dumps(found) if options.json else told)


if __name__ == "__main__":
    main()
