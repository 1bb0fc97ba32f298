"""Collects the rows of a project's files for an import: texts go straight to disk, numbers stay in memory."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from ulmfit_core.config import DataSettings
from ulmfit_core.data import dataset as store
from ulmfit_core.data import splits
from ulmfit_core.data.edits import SOURCE, Corrections
from ulmfit_core.data.formats import BadRow, Source
from ulmfit_core.data.readers import Row, has_column, inspect, other_columns, read_rows, read_texts
from ulmfit_core.edit_log import ADD
from ulmfit_core.errors import UserError
from ulmfit_core.events import Progress
from ulmfit_core.files import AppendLog
from ulmfit_core.run import Run

Item = TypeVar("Item")
BATCH = 1000
PART_WORDS = 5000
BAD_ROWS_KEPT = 10_000
REASONS_KEPT = 1000  # different ones that are counted
QUOTED = 100  # characters of a cell in a reason
WORD = re.compile(r"\S+")


class Names:
    """Strings that repeat, one a row, each kept once: `places` (rows) are places in `known`."""

    def __init__(self) -> None:
        self.known: list[str] = []
        self.places = array("i")
        self._place: dict[str, int] = {}

    def append(self, name: str) -> None:
        place = self._place.setdefault(name, len(self.known))
        if place == len(self.known):
            self.known.append(name)
        self.places.append(place)

    def __getitem__(self, row: int) -> str:
        return self.known[self.places[row]]

    def changed(self, names: dict[int, str]) -> Names:
        """A copy in which these rows have other names."""
        other = Names()
        for row in range(len(self.places)):
            other.append(names.get(row, self[row]))
        return other


@dataclass
class Gathered:
    """What is known of each row whose text was written, and what was left out: all of it in the file `log`.

    `labels`, `groups`, `files`, `numbers` (of the row in its file) and `splits` have one entry a row. Once `correct`
    was called, `labels` are the corrected ones and `given` those of the files.
    """

    log: AppendLog
    labels: Names = field(default_factory=Names)
    groups: Names = field(default_factory=Names)
    files: Names = field(default_factory=Names)
    numbers: array[int] = field(default_factory=lambda: array("q"))
    splits: array[int] = field(default_factory=lambda: array("b"))
    bad_rows: list[BadRow] = field(default_factory=list)
    bad_row_count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    corrections: Corrections = field(default_factory=Corrections)
    given: Names = field(default_factory=Names)

    def leave_out(self, row: BadRow, id_: str = "") -> None:
        """Count and log a bad row. The id of one that has an id stands in its reason."""
        named = row._replace(reason=f"{row.reason} (id {shortened(id_)})") if id_ else row
        self.bad_row_count += 1
        self.log.write(store.bad_row_line(named))
        if row.reason in self.reasons or len(self.reasons) < REASONS_KEPT:
            self.reasons[row.reason] += 1
        if len(self.bad_rows) < BAD_ROWS_KEPT:
            self.bad_rows.append(named)

    def correct(self) -> None:
        """Give the rows the labels that a person has corrected."""
        self.given = self.labels
        if self.corrections.labels:
            self.labels = self.labels.changed(self.corrections.labels)

    def take(self, file: str, row: Row, split: int) -> Row:
        self.corrections.meet(len(self.splits), row.text)
        self.labels.append("" if split == splits.UNLABELLED else row.label)
        self.groups.append(row.group)
        self.files.append(file)
        self.numbers.append(row.number)
        self.splits.append(split)
        return row


def shortened(text: str) -> str:
    """A cell that a reason quotes, which may be a whole text where a wrong column was chosen."""
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}…"


def gather_rows(gathered: Gathered, paths: dict[str, Path | None], settings: DataSettings, run: Run, out: Path) -> None:
    """Read the files by role (data, valid, test, unlabelled); write their texts, ids and kept cells to the file `out`.

    Raises UserError for what `inspect` and `read_rows` refuse.
    """
    rows = batches(_all_rows(gathered, paths, settings, run), BATCH)
    columns = (_cells(batch, settings) for batch in rows)
    store.write_table(out, store.with_kept(store.GATHERED, settings.keep), columns)


def _cells(rows: Sequence[Row], settings: DataSettings) -> dict[str, list[Any]]:
    cells: dict[str, list[Any]] = {"text": [row.text for row in rows], "id": [row.id for row in rows]}
    return cells | ({store.KEPT: [row.kept for row in rows]} if settings.keep else {})


def _all_rows(gathered: Gathered, paths: dict[str, Path | None], settings: DataSettings, run: Run) -> Iterator[Row]:
    data, unlabelled = paths["data"], paths["unlabelled"]
    assert data is not None
    source = inspect(data, settings, thorough=True)
    absent = [name for name in settings.keep if not has_column(source, name)]
    yield from _rows(gathered, source, settings, run, None)
    for path, split in ((paths["valid"], splits.VALID), (paths["test"], splits.TEST)):
        if path:
            alike = like(source, path, settings)
            other = inspect(path, alike, thorough=True)
            absent = [name for name in absent if not has_column(other, name)]
            yield from _rows(gathered, other, alike, run, split)
    if absent:
        raise UserError(f"No file of labelled rows has the column “{absent[0]}”, which is to be kept. Choose another.")
    if unlabelled:
        bare = inspect_texts(unlabelled, settings)
        for row in progress(read_texts(unlabelled, settings, bare), bare, run):
            if isinstance(row, BadRow):
                gathered.leave_out(row)
            else:
                yield gathered.take(unlabelled.name, row, splits.UNLABELLED)
    gathered.corrections.added = gathered.corrections.not_met(ADD)
    for number, edit in enumerate(gathered.corrections.added, 1):
        # Without a label until the splits are assigned, so that no other row goes to another split for it.
        added = Row(number, edit.text, "", "", kept=("",) * len(settings.keep))
        yield gathered.take(SOURCE, added, splits.UNLABELLED)


def like(source: Source, test: Path, settings: DataSettings) -> DataSettings:
    """Settings for the validation or test file: it has the columns, and so the shape, of the labelled file."""
    changed = {"more": [], "split_column": "", "member": "", "sheet": "", "labels_file": ""}
    if source.reader == "table" and test.suffix == source.path.suffix:
        changed["delimiter"] = source.delimiter
    return settings.model_copy(update=changed)


def read_another(path: Path, settings: DataSettings) -> Iterator[Row | BadRow]:
    """Every row of a file that is no part of the import: without split and group, with ids where it has that column.

    Raises UserError like `inspect` and `read_rows`.
    """
    return read_beside(path, settings)[1]


def read_beside(
    path: Path, settings: DataSettings, keep_all: bool = False
) -> tuple[list[str], Iterator[Row | BadRow]]:
    """The columns that the rows keep, and the rows, as `read_another` does.

    They are those of the settings; with `keep_all` and where the settings name none all that have no other use.
    """
    settings = settings.model_copy(update={"more": []})
    source = inspect(path, settings, thorough=True)
    named = settings.id_column if settings.id_column and has_column(source, settings.id_column) else ""
    keep = settings.keep or (other_columns(source, settings) if keep_all else [])
    bare = {"split_column": "", "group_column": "", "id_column": named, "keep": keep}
    return keep, read_rows(path, settings.model_copy(update=bare), source)


def inspect_texts(path: Path, settings: DataSettings) -> Source:
    """A file without labels, whose delimiter is its own. Raises UserError like `inspect`."""
    bare = settings.model_copy(update={"delimiter": "auto"})
    return inspect(path, bare, thorough=True, labelled=False)


def _rows(gathered: Gathered, source: Source, settings: DataSettings, run: Run, fixed: int | None) -> Iterator[Row]:
    for row in progress(read_rows(source.path, settings, source), source, run):
        if isinstance(row, BadRow):
            gathered.leave_out(row)
            continue
        split = splits.NAMES.get(row.split.lower()) if fixed is None else fixed
        reason = _refusal(row, split, settings)
        if reason or split is None:
            gathered.leave_out(BadRow(row.file or source.name, row.number, reason), row.id)
        else:
            yield gathered.take(row.file or source.name, row, _without_label(row, split))


def _refusal(row: Row, split: int | None, settings: DataSettings) -> str:
    if split is None:
        return f"the split “{shortened(row.split)}” is not train, valid or test"
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
    _tell_odd_rows(source, run)


def _tell_odd_rows(source: Source, run: Run) -> None:
    count, first = source.position.odd_rows, source.position.first_odd
    if count:
        run.message(
            f"Lines of {source.name} hold bytes that are no UTF-8: {count:,} in all, the first of them line {first:,}. "
            "They were read as Windows characters; check them.", "warning",
        )  # fmt: skip
    for part in source.parts:
        _tell_odd_rows(part, run)


def batches(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    """The items in tuples of `size`, the last one shorter (itertools.batched of Python 3.12)."""
    stream = iter(items)
    while batch := tuple(islice(stream, size)):
        yield batch
