"""The imported rows on disk: Arrow files, memory-mapped, with the facts about them in dataset.json."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ulmfit_core import files, reading
from ulmfit_core.data import arrow_table
from ulmfit_core.data.formats import BadRow
from ulmfit_core.data.splits import SPLITS
from ulmfit_core.errors import UserError

# Format 1 had neither ids nor groups, and no file of all bad rows.
FORMAT = 2
TEXT = pa.large_string()
TEXTS = pa.schema([("text", pa.large_string())])
GATHERED = pa.schema([("text", pa.large_string()), ("id", pa.large_string())])
ROWS = pa.schema(
    [
        ("text", pa.large_string()), ("label", pa.int32()), ("split", pa.int8()), ("lm", pa.bool_()),
        ("id", pa.large_string()), ("group", pa.large_string()),
    ]
)  # fmt: skip
# Cells of the columns that are kept beside the text, in the order of `facts["kept"]`; absent where there are none.
KEPT = "kept"
BAD_ROWS = "bad_rows.csv"


class Source(reading.Record):
    """A file that was read."""

    sha256: str = ""
    bytes: int = 0


class Facts(reading.Record):
    """What dataset.json must tell."""

    format: int
    labels: list[str]
    fingerprint: str = ""
    kept: list[str] = []
    bad_rows: list[tuple[str, int, str]] = []
    bad_row_count: int = 0
    sources: list[Source] = []


class Dataset:
    """An open `dataset/` folder. Rows are numbered from 0 in the order of the files they came from."""

    def __init__(self, folder: Path, facts: dict[str, Any]):
        self.folder = folder
        self.facts = facts
        self._rows = read_rows(folder / "rows.arrow", facts)
        corpus = folder / "corpus.arrow"
        self._corpus = read_table(corpus, {"text": TEXT}) if corpus.exists() else None

    @classmethod
    def open(cls, folder: Path) -> Dataset:
        """Raises UserError if nothing was imported, or by a newer version of the program."""
        path = Path(folder) / "dataset.json"
        try:
            facts = reading.record(path, reading.Versioned)
        except FileNotFoundError:
            raise UserError(f"No data has been imported into {Path(folder).parent} yet. Import a file first.") from None
        if facts.get("format", 0) > FORMAT:
            raise UserError(f"{path} was written by a newer version of the program. Update it, or import again.")
        return cls(Path(folder), reading.fitting(facts, Facts, path))

    def __len__(self) -> int:
        return int(self._rows.num_rows)

    @property
    def labels(self) -> list[str]:
        """The classes in the order of their numbers."""
        return list(self.facts["labels"])

    @property
    def bad_rows(self) -> list[BadRow]:
        """Rows that were left out, the first 10,000 of `facts["bad_row_count"]`."""
        return [BadRow(*row) for row in self.facts.get("bad_rows", [])]

    def each_bad_row(self) -> Iterator[BadRow]:
        """Every row that was left out, read from disk; of a dataset of format 1 the first 10,000 are known."""
        kept = self.folder / BAD_ROWS
        if not kept.exists():
            yield from self.bad_rows
            return
        try:
            with reading.plain(kept).open(encoding="utf-8", newline="") as lines:
                rows = csv.reader(lines)
                next(rows)  # the head
                for file, row, reason in rows:
                    # The same few strings, each held once, however many rows are kept.
                    yield BadRow(sys.intern(file), int(row), sys.intern(reason))
        except (OSError, ValueError, StopIteration, csv.Error) as error:
            raise UserError(_damaged(kept, str(error))) from None

    def export_bad_rows(self, out: Path) -> int:
        """Write every row that was left out to a CSV with the columns file, row, reason. Returns their number.

        Of a dataset of format 1 the first 10,000 are known. Raises UserError where `out` cannot be written.
        """
        kept = self.folder / BAD_ROWS
        if not kept.exists():
            _write_lines(out, [bad_rows_head(), *map(bad_row_line, self.bad_rows)])
            return len(self.bad_rows)
        with reading.plain(kept).open("rb") as lines:
            _write_lines(out, lines)
        return int(self.facts.get("bad_row_count", 0))

    @property
    def transductive(self) -> bool:
        """Whether the language model may read the texts of test rows."""
        return bool(self.facts.get("transductive", False))

    @property
    def fingerprint(self) -> str:
        """The import step's fingerprint at the time of the import."""
        return str(self.facts.get("fingerprint", ""))

    @property
    def split_ids(self) -> np.ndarray:
        """int8, shape (rows,): places in SPLITS."""
        return self._column("split")

    @property
    def label_ids(self) -> np.ndarray:
        """int32, shape (rows,): places in `labels`, -1 without one."""
        return self._column("label")

    def rows_of(self, split: str) -> np.ndarray:
        """int64 row numbers of one of SPLITS."""
        return np.flatnonzero(self.split_ids == SPLITS.index(split))

    def labelled_rows(self, split: str) -> np.ndarray:
        """int64 row numbers of one of SPLITS that have a label."""
        rows = self.rows_of(split)
        return rows[self.label_ids[rows] >= 0]

    def lm_rows(self) -> np.ndarray:
        """int64 row numbers that may teach the language model: no test row, no text that stands in the test split.

        All rows where the dataset is transductive.
        """
        return np.flatnonzero(self._column("lm"))

    def texts(self, rows: Sequence[int] | np.ndarray) -> list[str]:
        """The texts of these rows, in the order asked for."""
        return self._cells("text", rows)

    def ids(self, rows: Sequence[int] | np.ndarray) -> list[str]:
        """What the id column calls these rows; empty strings without one."""
        return self._cells("id", rows)

    def groups(self, rows: Sequence[int] | np.ndarray) -> list[str]:
        """The groups of these rows; empty strings for rows without one."""
        return self._cells("group", rows)

    def kept(self, rows: Sequence[int] | np.ndarray) -> dict[str, list[str]]:
        """The cells of these rows in each column that was kept beside the text."""
        names = self.facts.get(KEPT, [])
        cells = self._cells(KEPT, rows) if names else []
        return {name: [row[place] for row in cells] for place, name in enumerate(names)}

    def count_groups(self) -> int:
        """How many different groups there are; 0 where no group column was chosen."""
        if "group" not in self._rows.column_names:  # format 1
            return 0
        return len(set(pc.unique(self._rows.column("group")).to_pylist()) - {""})

    def texts_between(self, start: int, stop: int) -> list[str]:
        """The texts of rows start to stop (exclusive)."""
        return self._listed("rows", self._rows.column("text").slice(start, max(0, stop - start)))

    @property
    def counts(self) -> dict[str, int]:
        """Rows by split."""
        counts = np.bincount(self.split_ids, minlength=len(SPLITS))
        return {name: int(count) for name, count in zip(SPLITS, counts)}

    def class_counts(self, split: str) -> dict[str, int]:
        """Rows by class in one split."""
        ids = self.label_ids[self.rows_of(split)]
        counts = np.bincount(ids[ids >= 0], minlength=len(self.labels))
        return {name: int(count) for name, count in zip(self.labels, counts)}

    @property
    def has_corpus(self) -> bool:
        return self._corpus is not None

    @property
    def corpus_size(self) -> int:
        """Documents of general text."""
        return int(self._corpus.num_rows) if self._corpus is not None else 0

    def corpus_texts(self, start: int, stop: int) -> list[str]:
        """Documents start to stop (exclusive) of the general text."""
        if self._corpus is None:
            return []
        return self._listed("corpus", self._corpus.column("text").slice(start, max(0, stop - start)))

    def _cells(self, name: str, rows: Sequence[int] | np.ndarray) -> list[str]:
        if name not in self._rows.column_names:  # format 1
            return [""] * len(rows)
        return self._listed("rows", pc.take(self._rows.column(name), pa.array(np.asarray(rows, np.int64))))

    def _listed(self, name: str, cells: pa.ChunkedArray) -> list[Any]:
        """Raises UserError for a text that is none: what is on disk is looked at when it is asked for."""
        try:
            listed: list[Any] = cells.to_pylist()
        except UnicodeDecodeError:
            raise UserError(_damaged(self.folder / f"{name}.arrow", "it holds text that is none")) from None
        return listed

    def _column(self, name: str) -> np.ndarray:
        return self._rows.column(name).to_numpy()


def with_kept(schema: pa.Schema, keep: Sequence[str]) -> pa.Schema:
    """The schema with the column of kept cells, where any are kept."""
    return schema.append(pa.field(KEPT, pa.list_(pa.large_string()))) if keep else schema


def read_rows(path: Path, facts: dict[str, Any]) -> pa.Table:
    """The imported rows. Raises UserError where they are damaged, or are not those that the facts tell of."""
    columns = {field.name: field.type for field in ROWS if field.name not in ("id", "group")}
    columns |= {KEPT: pa.list_(TEXT)} if facts.get(KEPT) else {}
    table = read_table(path, columns | {name: TEXT for name in ("id", "group") if facts["format"] > 1})
    labels, splits = (table.column(name).to_numpy() for name in ("label", "split"))
    if len(table) and not (-1 <= labels.min() <= labels.max() < len(facts["labels"])):
        raise UserError(_damaged(path, "it has labels that dataset.json does not name"))
    if len(table) and not (0 <= splits.min() <= splits.max() < len(SPLITS)):
        raise UserError(_damaged(path, "it has parts that no import makes"))
    if facts.get(KEPT) and not _are_as_long(table.column(KEPT), len(facts[KEPT])):
        raise UserError(_damaged(path, "it has other kept columns than dataset.json names"))
    return table


def _are_as_long(lists: pa.ChunkedArray, length: int) -> bool:
    return bool(pc.all(pc.equal(pc.list_value_length(lists), length), skip_nulls=False).as_py())


def read_table(path: Path, columns: dict[str, pa.DataType] | None = None) -> pa.Table:
    """Memory-map an Arrow file; the texts stay on disk until they are asked for.

    Raises UserError where it is damaged or lacks one of these columns, of which no cell may be missing.
    """
    try:
        table = arrow_table.opened(path)
        arrow_table.check(table, columns or {})
    except (OSError, ValueError) as error:
        raise UserError(_damaged(path, str(error))) from None
    return table


def _damaged(path: Path, reason: str) -> str:
    return f"{path} is damaged: {reading.shortened(reason)}. Import the data again."


def write_table(path: Path, schema: pa.Schema, batches: Iterable[dict[str, Any]]) -> None:
    """Write batches of columns to an Arrow file in a folder given by files.replacing_folder."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(pa.record_batch(batch, schema=schema))


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    files.write_json(folder / "dataset.json", {"format": FORMAT, **facts})


def bad_row_line(row: BadRow) -> bytes:
    """A line of the CSV of bad rows."""
    return files.csv_line((row.file, str(row.row), row.reason)).encode("utf-8", "replace")


def bad_rows_head() -> bytes:
    return files.csv_line(("file", "row", "reason")).encode()


def _write_lines(out: Path, lines: Iterable[bytes]) -> None:
    try:
        with files.replacing_file(out) as log:
            for line in lines:
                log.write(line)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}. Choose another place.") from None
