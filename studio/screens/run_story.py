"""What the Runs screen knows of runs: a line for each, the whole story of those that are chosen. No Qt here.

Reading goes on in a thread while the screen is seen; what did not change on disk is not read again.
"""

from __future__ import annotations

import datetime
import functools
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.widgets.rate_curve import suggestions_text
from ulmfit_core import catalog, events, lock, project, provenance, run_settings
from ulmfit_core.config import Recipe
from ulmfit_core.errors import UserError
from ulmfit_core.events import Ended, EpochEnded, Event, SampleText
from ulmfit_core.project import Project, RunInfo, read_run
from ulmfit_core.run_card import SHARES, figure_in_words, seconds_of

# The metrics worth a place in the list, the best first, and whether more is better.
METRICS = {"accuracy": True, "macro_f1": True, "perplexity": False, "valid_loss": False, "next_word_accuracy": True}
SPLITS = {"test": "test", "valid": "validation", "train": "training"}
AT_LEAST = 20  # lines that are read in any case: as many as are in sight
Stamp = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Story:
    """A run with all that its log tells."""

    info: RunInfo
    events: list[Event]

    @property
    def epochs(self) -> list[EpochEnded]:
        return [event for event in self.events if isinstance(event, EpochEnded)]

    @property
    def texts(self) -> list[SampleText]:
        return [event for event in self.events if isinstance(event, SampleText)]

    @property
    def stepped(self) -> bool:
        """Whether it wrote a step, and so has a curve."""
        return (self.info.folder / "steps.f32").exists()

    @property
    def searched(self) -> bool:
        """Whether it is a search for a learning rate."""
        return self.info.job == "find_lr"

    @property
    def report(self) -> dict[str, Any]:
        return next((event.report for event in reversed(self.events) if isinstance(event, Ended)), {})

    @property
    def options(self) -> dict[str, Any]:
        """What the job was told besides its settings; of a search of an earlier version its report tells the stage."""
        known = provenance.read(self.info.folder).get("options", {})
        return known or {name: self.report[name] for name in ("stage", "groups") if name in self.report}

    @property
    def step(self) -> str:
        """The step whose settings it used, one of run_settings.PARTS, or the name of its job."""
        return run_settings.step_of(self.info.job, self.options)


@dataclass(frozen=True)
class Line:
    """What the list shows of a run. `at_work` is empty, or says that it is running, here or elsewhere.

    `began` is in seconds since 1970, `seconds` what it took, or has taken so far.
    """

    info: RunInfo
    began: float
    seconds: float
    result: str
    at_work: str
    stamp: Stamp

    @property
    def title(self) -> str:
        return job_title(self.info.job)

    @property
    def status(self) -> str:
        return self.at_work or self.info.status

    @property
    def started(self) -> str:
        return self.info.created.replace("T", "  ")

    def cells(self) -> list[str]:
        """Job, Started, Status, Time, Result, Tags and notes."""
        tags = " ".join(f"#{tag}" for tag in self.info.tags)
        said = "  ".join(filter(None, (tags, " ".join(self.info.notes.split()))))
        return [self.title, self.started[:-3], self.status, in_time(self.seconds), self.result, said]


@dataclass(frozen=True)
class Seen:
    """All that was read: the lines, newest first; `whole` is False where time ran out before all were read."""

    lines: list[Line]
    whole: bool

    def find(self, id: str) -> Line | None:
        return next((line for line in self.lines if line.info.id == id), None)


def look(opened: Project, before: Iterable[Line], own: Path | None, within: float | None = None) -> Seen:
    """Read the project's runs anew: those whose files did not change since `before` are taken from there.

    `own` is the folder of the run at work in this window. With `within` it ends after so many seconds, the newest
    runs first and AT_LEAST of them. Meant for a thread, except with a short time.
    """
    known = {line.info.folder: line for line in before}
    late = time.monotonic() + within if within is not None else None
    others = _others_at_work(opened, own)
    lines: list[Line] = []
    whole = True
    for folder in reversed(opened.run_folders()):
        whole = whole and (late is None or len(lines) < AT_LEAST or time.monotonic() < late)
        line = _line(folder, known.get(folder), own, others) if whole else known.get(folder)
        lines += [line] if line else []
    return Seen(lines, whole)


def _others_at_work(opened: Project, own: Path | None) -> bool:
    """Whether another process trains in this project."""
    return own is None and lock.holder(opened.folder, lock.WORK) is not None


def _line(folder: Path, known: Line | None, own: Path | None, others: bool) -> Line | None:
    """The line of a run, None where the folder is none of a run, or gone by now."""
    stamp = stamp_of(folder)
    if known is None or known.stamp != stamp:
        try:
            story = read_story(folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        began = story.events[0].at if story.events else time.time()
        known = Line(story.info, began, seconds_of(story.events), result_of(story), "", stamp)
    at_work = _at_work(known.info, own, others)
    if at_work:
        return replace(known, at_work=at_work, seconds=max(0, round(time.time() - known.began)))
    return replace(known, at_work="") if known.at_work else known


def _at_work(run: RunInfo, own: Path | None, others: bool) -> str:
    if run.folder == own:
        return "running"
    elsewhere = others and run.status == "unfinished" and run.job in project.REPLACING
    return "running elsewhere" if elsewhere and _is_newest(run.folder, run.job) else ""


def _is_newest(folder: Path, job: str) -> bool:
    """Whether no run of the same job began later: what another process works at is its last one."""
    return not any(path.name > folder.name and path.name.endswith(job) for path in folder.parent.iterdir())


def stamp_of(folder: Path) -> Stamp:
    """Changes with what the run writes, and with what people write of it: that replaces files of the folder."""
    return tuple(_changed(path) for path in (folder, folder / "events.jsonl"))


def _changed(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:  # whoever reads it says why it cannot be read
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


def read_story(folder: Path) -> Story:
    """Raises FileNotFoundError where the run is gone."""
    return Story(read_run(folder), events.read_events(folder / "events.jsonl"))


def recipe_of(story: Story) -> Recipe | None:
    """Its settings, None where another version of the program wrote some that this one does not know."""
    try:
        return _recipe(story.info.folder)
    except UserError:
        return None


@functools.lru_cache(maxsize=64)
def _recipe(folder: Path) -> Recipe:
    """Written once, when the run began; read several times while runs are compared."""
    return run_settings.recipe_of(folder)


# Words for people


def job_title(job: str) -> str:
    return catalog.JOBS[job].title if job in catalog.JOBS else job


def in_time(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))


def result_of(story: Story) -> str:
    found = best_result(story.epochs)
    return f"validation {found}" if found else measured(story.report) or suggested(story.report)


def best_result(epochs: list[EpochEnded]) -> str:
    """The first of METRICS that was measured, at its best."""
    for name, more_is_better in METRICS.items():
        values = [epoch.metrics[name] for epoch in epochs if name in epoch.metrics]
        if values:
            best = max(values) if more_is_better else min(values)
            return f"{name.replace('_', ' ')} {best:.1%}" if more_is_better else f"{name.replace('_', ' ')} {best:.2f}"
    return ""


def measured(report: dict[str, Any]) -> str:
    """What an evaluation found."""
    if "accuracy" not in report:
        return ""
    return f"{SPLITS.get(report.get('split', ''), 'file')} accuracy {report['accuracy']:.1%}, {report['rows']:,} rows"


def suggested(report: dict[str, Any]) -> str:
    """What a search for a learning rate found, the advised rate first, and for which step."""
    if "stage" not in report:
        return ""
    advised = report.get("advised", "")
    first = [advised] if advised in report["suggestions"] else []
    names = dict.fromkeys([*first, *report["suggestions"]])
    found = {name: report["suggestions"][name] for name in names if report["suggestions"][name]}
    return f"{project.TITLES[report['stage']]}: {suggestions_text(found) or 'no suggestion'}"


def epoch_table(epochs: list[EpochEnded]) -> tuple[list[str], list[list[Any]]]:
    """A row an epoch, a column a metric; the best epoch is starred."""
    names = list(dict.fromkeys(name for epoch in epochs for name in epoch.metrics))
    headers = ["Epoch", *(name.replace("_", " ") for name in names), "Best"]
    return headers, [epoch_row(epoch, names) for epoch in epochs]


def epoch_row(epoch: EpochEnded, names: list[str]) -> list[Any]:
    return [epoch.epoch + 1, *(figure(name, epoch.metrics.get(name)) for name in names), "★" * epoch.best]


def figure(name: str, value: float | None) -> str:
    """Shares in per cent as everywhere, other figures with four digits."""
    if value is None:
        return ""
    return figure_in_words(name, value) if name in SHARES else f"{value:.4g}"


def remark_on(story: Story) -> str:
    """That another version of the program told more of a run than is understood here; "" where it did not."""
    strange = events.of_another_version(story.events)
    if not strange:
        return ""
    version = provenance.read(story.info.folder).get("versions", {}).get("program", "")
    lines = "1 line of its log says" if strange == 1 else f"{strange:,} lines of its log say"
    other = f"another version of the program{f' ({version})' if version else ''}"
    return f"Written by {other}: {lines} more than this version understands. The rest is shown."
