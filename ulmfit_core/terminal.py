"""Shows a run and its figures in the terminal, and lets Ctrl-C stop a run with a checkpoint."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ulmfit_core import events
from ulmfit_core.config import blend_note, rate_text
from ulmfit_core.project import Project
from ulmfit_core.run import Control, launch, read_steps

console = Console(stderr=True, highlight=False)
METRICS = ("train_loss", "valid_loss", "perplexity", "accuracy", "macro_f1")
COLOURS = {"warning": "yellow", "error": "red"}
FOLLOW_SECONDS = 0.5


def work(project: Project, job: str, **options: Any) -> events.Ended:
    """Run a job to its end with progress in the terminal; Ctrl-C stops it. Returns its last word."""
    control = Control()
    with RunView(project, options.get("resume")) as view, stopping_on_signals(control):
        return launch(project, job, control=control, sink=view.show, **options)


@contextlib.contextmanager
def stopping_on_signals(control: Control) -> Iterator[None]:
    """The first Ctrl-C asks the run to stop, a second one is the usual interruption."""

    def stop(number: int, frame: FrameType | None) -> None:
        console.print("Stopping after this step …")
        signal.signal(number, signal.default_int_handler)
        control.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class RunView:
    """Lines for what happened and one bar for what is under way.

    Steps are no events: a thread reads how many there are from the run's steps.f32, as the window does.
    """

    def __init__(self, project: Project, folder: Path | None):
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        note = TextColumn("{task.fields[note]}")
        self._bar = Progress(*columns, note, console=console, transient=True, disable=not console.is_terminal)
        self._project = project
        self._folder = folder
        self._task: TaskID | None = None
        self._ended = threading.Event()
        self._follower: threading.Thread | None = None

    def __enter__(self) -> RunView:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        if self._follower:
            self._follower.join()
        self._bar.stop()

    def show(self, event: events.Event) -> None:
        match event:
            case events.Started():
                self._print(f"[bold]{escape(event.title)}[/]")
            case events.Message():
                self._print(f"[{COLOURS.get(event.level, 'default')}]{escape(event.text)}[/]")
            case events.Progress():
                self._move(event.label, event.done, event.total)
            case events.Plan():
                self._follow(event)
            case events.PhaseBegan():
                self._print(f"  {escape(event.title)}: {', '.join(event.groups)}")
            case events.EpochEnded():
                self._print(f"  epoch {event.epoch + 1}: {_metrics(event)}{'  best' if event.best else ''}")
            case events.SampleText():
                self._print(f"  [italic]{escape(event.text)}[/]")

    def _print(self, line: str) -> None:
        self._bar.console.print(line, soft_wrap=True)

    def _move(self, label: str, done: float, total: float, note: str = "") -> None:
        if self._task is None:
            self._task = self._bar.add_task(label, total=total, note=note)
        self._bar.update(self._task, description=label, completed=done, total=total, note=note)

    def _follow(self, plan: events.Plan) -> None:
        size = f"{plan.parameters:,} parameters, {plan.total_steps:,} steps"
        if self._follower:  # the person asked for an early end
            self._print(f"  finishing after step {plan.total_steps:,}")
            return
        self._print(f"  {size}, {plan.device}, {plan.threads} threads")
        folder = self._folder or max((self._project.folder / "runs").iterdir())
        self._follower = threading.Thread(target=self._read_steps, args=(folder / "steps.f32", plan.total_steps))
        self._follower.start()

    def _read_steps(self, path: Path, total: int) -> None:
        while not self._ended.wait(FOLLOW_SECONDS):
            steps = read_steps(path)
            if len(steps.values):
                self._move("Training", len(steps.values), total, f"loss {steps['loss'][-1]:.3f}")


def _metrics(event: events.EpochEnded) -> str:
    names = [name for name in METRICS if name in event.metrics]
    return "  ".join(f"{name.replace('_', ' ')} {event.metrics[name]:.4g}" for name in names)


# Figures in words


def rows_line(facts: dict[str, Any]) -> str:
    """What an import brought, in one line."""
    bad = facts.get("bad_row_count", facts["bad_rows"])
    splits = ", ".join(f"{count:,} {name}" for name, count in facts["splits"].items() if count)
    left_out = f", {bad:,} left out" if bad else ""
    return f"{facts['rows']:,} rows ({splits}{left_out}), {len(facts['classes'])} classes"


def caution_lines(facts: dict[str, Any]) -> list[str]:
    """What to know of an import before trusting a figure: repeated texts, and whether test texts are read."""
    lines = []
    repeats = facts["repeats"]
    if repeats.get("repeated_rows"):
        lines.append(
            f"  repeated: {repeats['repeated_rows']:,} rows have the text of an earlier one; "
            f"{repeats['contradicting_texts']:,} texts carry different labels"
        )
    if facts["transductive"]:
        lines.append("  transductive: the language model reads the texts of the test rows")
    return lines


def report_lines(report: dict[str, Any]) -> list[str]:
    """An evaluation beside its baselines, a line each, then the classes."""
    tfidf = report["baseline_tfidf"]
    lines = [
        f"{report['rows']:,} rows ({report['split']})",
        *_answers_lines(report),
        f"TF-IDF    accuracy {tfidf['accuracy']:.4f}  macro F1 {tfidf['macro_f1']:.4f}",
        f"majority  accuracy {report['majority']:.4f}",
        *_calibration_lines(report),
    ]
    for label, row in report["per_class"].items():
        scores = f"precision {row['precision']:.3f}  recall {row['recall']:.3f}  F1 {row['f1']:.3f}"
        lines.append(f"  {label}: {scores}  ({row['support']:,.0f} rows)")
    return lines


def _answers_lines(report: dict[str, Any]) -> list[str]:
    """The classifier's figures; where word counts are blended in, the network's below them."""
    figures = f"accuracy {_with_interval(report, 'accuracy')}  macro F1 {_with_interval(report, 'macro_f1')}"
    if "blend" not in report:
        return [f"ULMFiT    {figures}"]
    network = report["network"]
    return [
        f"answers   {figures}  ({blend_note(report['blend']['weight'])})",
        f"ULMFiT    accuracy {network['accuracy']:.4f}  macro F1 {network['macro_f1']:.4f}  (the network alone)",
    ]


def _with_interval(report: dict[str, Any], name: str) -> str:
    """A figure with the interval in which it lies in 95 of 100 cases, where the report has it."""
    known = report.get("figures", {}).get(name, {"low": None})
    interval = "" if known["low"] is None else f" ({known['low']:.4f} to {known['high']:.4f})"
    return f"{report[name]:.4f}{interval}"


def _calibration_lines(report: dict[str, Any]) -> list[str]:
    """How far the answers are from being as sure as they are right, and on what that was mended."""
    known = report.get("calibration")
    if not known:
        return []
    network, answers = known["network"], known["answers"]
    before = f", network as trained {network['ece']:.4f} (loss {network['loss']:.4f})" if known["exponents"] else ""
    figures = f"answers {answers['ece']:.4f} (loss {answers['loss']:.4f}){before}"
    return [f"calibration error (ECE): {figures}", f"  {known['fitted_on']}"]


def rate_lines(report: dict[str, Any], project: Project) -> list[str]:
    """The suggestions of a search for a learning rate, a line each, and where to write the one that is taken."""
    stage, advised = report["stage"], report["suggestions"].get(report["advised"])
    titles = {"minimum": "minimum/10"}
    lines = [f"{titles.get(name, name):<10} {rate_text(rate)}" for name, rate in report["suggestions"].items() if rate]
    lines.append(report["advice"])
    if advised:
        place = project.folder / "project.toml"
        table = f"[[{stage}.phases]]" if getattr(project.recipe, stage).phases else f"[{stage}]"
        lines.append(f"To take it, write lr_max = {rate_text(advised)} under {table} in {place}")
    return lines
