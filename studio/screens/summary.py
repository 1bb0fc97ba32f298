"""What an imported dataset consists of and what its import said, for the Data screen to show."""

from __future__ import annotations

import functools
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ulmfit_core import reading
from ulmfit_core.config import DataSettings, Recipe
from ulmfit_core.events import Message, read_events
from ulmfit_core.project import Project, RunInfo

MOST_LISTED = 200_000  # rows left out that are held in memory; the saved list has all
MOST_REASONS = 50
SPLIT_TITLES = {"train": "Training", "valid": "Validation", "test": "Test", "unlabelled": "Unlabelled"}
ID = re.compile(r" \(id .*\)$", re.DOTALL)
QUOTED = re.compile("“.*”", re.DOTALL)


@dataclass(frozen=True)
class Counts:
    """What a dataset consists of. `classes` has a row a class: name, then its rows for training, validation and test.

    `bad_rows` are the first MOST_LISTED of `bad_row_count`. `reasons` are kinds of reasons (see `kind_of`), each with
    the number of rows that were left out for it.
    """

    counts: dict[str, int]
    classes: list[list[Any]]
    corpus_size: int
    corpus_words: int
    repeats: dict[str, int]
    transductive: bool
    groups: int
    fingerprint: str
    bad_rows: list[Any]
    bad_row_count: int
    reasons: list[tuple[str, int]]


@dataclass(frozen=True)
class Summary:
    """An imported dataset and what its import said. `settings` of that import are None where its run was deleted."""

    folder: Path
    found: Counts
    settings: DataSettings | None
    messages: list[Message]

    @property
    def bad_row_count(self) -> int:
        return self.found.bad_row_count

    @property
    def warnings(self) -> list[str]:
        return [message.text for message in self.messages if message.level != "info"]

    @property
    def notes(self) -> list[str]:
        return [message.text for message in self.messages if message.level == "info"]


def summary_of(folder: Path) -> Summary:
    """What lies in a dataset folder. Takes a moment: call it off the main thread.

    Raises UserError where nothing was imported.
    """
    facts = folder / "dataset.json"
    found = count(folder, facts.stat().st_mtime_ns if facts.exists() else 0)
    run = import_of(folder, found.fingerprint)
    if run is None:
        return Summary(folder, found, None, [])
    said = [event for event in read_events(run.folder / "events.jsonl") if isinstance(event, Message)]
    return Summary(folder, found, settings_of(run), said)


@functools.lru_cache(maxsize=1)
def count(folder: Path, written: int) -> Counts:
    """Count what lies in a dataset folder, once for each time at which it was `written`."""
    from ulmfit_core.data.dataset import Dataset  # brings pyarrow, which the first paint need not wait for

    dataset = Dataset.open(folder)
    by_split = [dataset.class_counts(split) for split in ("train", "valid", "test")]
    classes = [[label, *(counts.get(label, 0) for counts in by_split)] for label in dataset.labels]
    bad_rows, kinds = _left_out(dataset)
    return Counts(
        dataset.counts, classes, dataset.corpus_size, dataset.facts.get("corpus_words", 0),
        dataset.facts.get("repeats", {}), dataset.transductive, dataset.count_groups(), dataset.fingerprint,
        bad_rows, dataset.facts.get("bad_row_count", len(bad_rows)), kinds.most_common(MOST_REASONS),
    )  # fmt: skip


def _left_out(dataset: Any) -> tuple[list[Any], Counter[str]]:
    """The first rows that were left out, and how many there are of each kind."""
    kept = list[Any]()
    kinds = Counter[str]()
    for row in dataset.each_bad_row():
        kinds[kind_of(row.reason)] += 1
        if len(kept) < MOST_LISTED:
            kept.append(row)
    return kept, kinds


@functools.lru_cache(maxsize=1000)
def kind_of(reason: str) -> str:
    """The reason without the id behind it (see gather.py) and without the cell that it quotes."""
    return QUOTED.sub("“…”", ID.sub("", reason))


def import_of(folder: Path, fingerprint: str) -> RunInfo | None:
    """The run that imported the dataset in this folder; None where it was deleted."""
    runs = Project(folder.parent, Recipe()).runs_of("import")
    return next((run for run in runs if run.status == "done" and run.fingerprint == fingerprint), None)


def settings_of(run: RunInfo) -> DataSettings | None:
    """What an import was started with; None where another version of the program wrote what this one does not know."""
    path = run.folder / "config.toml"
    table = reading.fitting(reading.toml(reading.text(path), path).get("recipe"), reading.Record, path)
    try:
        return DataSettings.model_validate(table.get("data"))
    except ValidationError:
        return None
