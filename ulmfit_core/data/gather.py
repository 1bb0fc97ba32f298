"""Collects the rows of a project's files for an import: texts go straight to disk, labels and splits stay in memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from ulmfit_core.config import DataSettings
from ulmfit_core.data import dataset as store
from ulmfit_core.data import splits
from ulmfit_core.data.formats import BadRow, Source
from ulmfit_core.data.readers import Row, inspect, read_rows, read_texts
from ulmfit_core.events import Progress
from ulmfit_core.run import Run

Item = TypeVar("Item")
BATCH = 1000
PART_WORDS = 5000
BAD_ROWS_KEPT = 10_000
WORD = re.compile(r"\S+")


@dataclass
class Gathered:
    """What is known of each row whose text was written, and what was left out.

    `labels`, `splits`, `origins` (file and row number) have one entry a row.
    """

    labels: list[str] = field(default_factory=list)
    splits: list[int] = field(default_factory=list)
    origins: list[tuple[str, int]] = field(default_factory=list)
    bad_rows: list[BadRow] = field(default_factory=list)
    bad_row_count: int = 0

    def leave_out(self, row: BadRow) -> None:
        self.bad_row_count += 1
        if len(self.bad_rows) < BAD_ROWS_KEPT:
            self.bad_rows.append(row)

    def take(self, file: str, row: Row, split: int) -> str:
        self.labels.append("" if split == splits.UNLABELLED else row.label)
        self.splits.append(split)
        self.origins.append((file, row.number))
        return row.text


def gather_rows(
    data: Path, test: Path | None, unlabelled: Path | None, settings: DataSettings, run: Run, path: Path
) -> Gathered:
    """Read the labelled, test and unlabelled files; write their texts to the Arrow file `path`.

    Raises UserError for what `inspect` and `read_rows` refuse.
    """
    gathered = Gathered()
    texts = _all_texts(gathered, data, test, unlabelled, settings, run)
    store.write_table(path, store.TEXTS, ({"text": list(batch)} for batch in batches(texts, BATCH)))
    return gathered


def _all_texts(
    gathered: Gathered, data: Path, test: Path | None, unlabelled: Path | None, settings: DataSettings, run: Run
) -> Iterator[str]:
    source = inspect(data, settings, thorough=True)
    yield from _texts(gathered, source, settings, run, None)
    if test:
        alike = like(source, test, settings)
        yield from _texts(gathered, inspect(test, alike, thorough=True), alike, run, splits.TEST)
    if unlabelled:
        bare = inspect_texts(unlabelled, settings)
        for row in progress(read_texts(unlabelled, settings, bare), bare, run):
            if isinstance(row, BadRow):
                gathered.leave_out(row)
            else:
                yield gathered.take(unlabelled.name, row, splits.UNLABELLED)


def like(source: Source, test: Path, settings: DataSettings) -> DataSettings:
    """Settings for the test file: it has the columns, and so the shape, of the labelled file."""
    changed = {"split_column": ""}
    if source.reader == "table" and test.suffix == source.path.suffix:
        changed["delimiter"] = source.delimiter
    return settings.model_copy(update=changed)


def inspect_texts(path: Path, settings: DataSettings) -> Source:
    """A file without labels, whose delimiter is its own. Raises UserError like `inspect`."""
    bare = settings.model_copy(update={"delimiter": "auto"})
    return inspect(path, bare, thorough=True, labelled=False)


def _texts(gathered: Gathered, source: Source, settings: DataSettings, run: Run, fixed: int | None) -> Iterator[str]:
    for row in progress(read_rows(source.path, settings, source), source, run):
        if isinstance(row, BadRow):
            gathered.leave_out(row)
            continue
        split = splits.NAMES.get(row.split.lower()) if fixed is None else fixed
        reason = _refusal(row, split, settings)
        if reason or split is None:
            gathered.leave_out(BadRow(source.path.name, row.number, reason))
        else:
            yield gathered.take(source.path.name, row, _without_label(row, split))


def _refusal(row: Row, split: int | None, settings: DataSettings) -> str:
    if split is None:
        return f"the split “{row.split}” is not train, valid or test"
    return "a test row without a label" if split == splits.TEST and settings.label and not row.label else ""


def _without_label(row: Row, split: int) -> int:
    return split if row.label or split == splits.TEST else splits.UNLABELLED


def gather_corpus(path: Path, settings: DataSettings, run: Run, gathered: Gathered) -> Iterator[dict[str, Any]]:
    """Batches of general text, at most `settings.corpus_words` words (0: all), long documents in parts."""
    source = inspect_texts(path, settings)
    texts = _corpus_texts(path, source, settings, run, gathered)
    for batch in batches(limited(texts, settings.corpus_words), 100):
        yield {"text": list(batch)}


def _corpus_texts(path: Path, source: Source, settings: DataSettings, run: Run, gathered: Gathered) -> Iterator[str]:
    for row in progress(read_texts(path, settings, source), source, run):
        if isinstance(row, BadRow):
            gathered.leave_out(row)
        else:
            yield from parts(row.text, PART_WORDS)


def parts(text: str, words: int) -> Iterator[str]:
    """A long document in parts of about `words` words that end at line ends."""
    lines, count = list[str](), 0
    for line in text.split("\n"):
        lines.append(line)
        count += len(line.split())
        if count >= words:
            yield "\n".join(lines)
            lines, count = [], 0
    if count:
        yield "\n".join(lines)


def limited(texts: Iterable[str], words: int) -> Iterator[str]:
    """The texts up to `words` words in all, the last one cut; 0 sets no limit."""
    left = words or float("inf")
    for text in texts:
        count = len(text.split())
        if count >= left:
            ends = [match.end() for match in islice(WORD.finditer(text), int(left))]
            yield text[: ends[-1]]
            return
        yield text
        left -= count


def progress(rows: Iterable[Item], source: Source, run: Run) -> Iterator[Item]:
    """The rows, with progress in percent and a look at the stop button after every batch."""
    label = f"Reading {source.path.name}"
    for number, row in enumerate(rows):
        if number % BATCH == 0:
            run.poll()
            run.emit(Progress(label, 100 * source.position.share, 100.0))
        yield row
    run.emit(Progress(label, 100.0, 100.0))


def batches(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    """The items in tuples of `size`, the last one shorter (itertools.batched of Python 3.12)."""
    stream = iter(items)
    while batch := tuple(islice(stream, size)):
        yield batch
