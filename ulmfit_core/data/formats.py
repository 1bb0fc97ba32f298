"""Reads files record by record: tables, JSON lines, Parquet, plain text, folders. One function for each kind.

What cannot be used comes back as a `BadRow` with its reason; nothing is dropped in silence.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from ulmfit_core.data import sniff
from ulmfit_core.data.encodings import Position, read_lines, read_whole
from ulmfit_core.errors import UserError

SAMPLE_ROWS = 1000
# A line that no file holds, put behind the last one: it comes back whole only if every quote was closed.
END = "\x02end\x02"


class BadRow(NamedTuple):
    """A row that was left out. `row` is the number a spreadsheet shows (from 1, the header included)."""

    file: str
    row: int
    reason: str


# Number of a row as a spreadsheet shows it, and its cells.
Record = tuple[int, list[str]]


@dataclass(frozen=True)
class Source:
    """A file whose shape is known. `width` cells a row; `columns` are their names, or "1", "2" … without header."""

    path: Path
    reader: str
    columns: list[str]
    encoding: str = "utf-8"
    delimiter: str = ""
    quoting: bool = True
    header: bool = False
    position: Position = field(default_factory=Position)


def read_delimited(source: Source) -> Iterator[Record | BadRow]:
    """Records of a CSV or TSV. Raises UserError for an unclosed quote or where most rows have another width."""
    lines = chain(read_lines(source.path, source.encoding, source.position), [_end_line(source)])
    width, good, bad = len(source.columns), 0, 0
    number = 0
    first_bad = ""
    try:
        for number, cells in sniff.split_records(lines, source.delimiter, source.quoting):
            if cells[0] == END:
                break
            if END in cells[-1]:
                raise UserError(open_quote(source.path, number))
            if number == 1 and source.header:
                continue
            if len(cells) == width:
                good += 1
                yield number, cells
                continue
            bad += 1
            reason = f"{len(cells)} columns instead of {width}"
            first_bad = first_bad or f"row {number} has {reason}"
            yield BadRow(source.path.name, number, reason)
            if bad >= SAMPLE_ROWS and bad > good:
                break
    except csv.Error:
        raise UserError(open_quote(source.path, number + 1)) from None
    if bad > good:
        raise UserError(
            f"{source.path.name} is broken or not separated by {_mark(source.delimiter)}: {first_bad}, "
            f"and {bad} of {bad + good} rows are like that. Check the delimiter and the quotes."
        )  # fmt: skip


def _end_line(source: Source) -> str:
    # Parted at the sign where the delimiter parts a line once only, so that its first cell is END too.
    return f"{END}{source.delimiter}{END}\n"


def open_quote(path: Path, number: int) -> str:
    return f"{path.name} is broken: a quote that opens in row {number} is never closed. Mend that row."


def _mark(delimiter: str) -> str:
    return {"\t": "tabs", " ": "spaces"}.get(delimiter, f"“{delimiter}”")


def read_json_lines(source: Source) -> Iterator[Record | BadRow]:
    """Records of a file with one JSON object a line; a missing key is an empty cell."""
    good, bad = 0, 0
    for number, line in enumerate(read_lines(source.path, source.encoding, source.position), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if isinstance(record, dict):
            good += 1
            yield number, [as_text(record.get(name)) for name in source.columns]
            continue
        bad += 1
        yield BadRow(source.path.name, number, "not a JSON object")
    if bad > good:
        raise UserError(f"{source.path.name} is not JSON lines: {bad} of {bad + good} lines are no JSON object.")


def as_text(value: Any) -> str:
    """A cell as a person would type it: 1.0 as "1", nothing for a missing value."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else str(value)


def read_parquet(source: Source) -> Iterator[Record | BadRow]:
    """Records of a Parquet file, numbered from 1."""
    file = pq.ParquetFile(source.path)
    number = 0
    for batch in file.iter_batches(1000):
        for cells in zip(*(column.to_pylist() for column in batch.columns)):
            number += 1
            yield number, [as_text(cell) for cell in cells]
        source.position.share = number / file.metadata.num_rows


def read_text(source: Source) -> Iterator[Record | BadRow]:
    """One document a line; or, where ` = Title = ` lines stand, one document from each title to the next."""
    lines = list(islice(read_lines(source.path, source.encoding, Position()), SAMPLE_ROWS))
    stream = enumerate(read_lines(source.path, source.encoding, source.position), start=1)
    if sniff.is_wikitext(lines):
        yield from _articles(stream)
        return
    yield from ((number, [line.strip()]) for number, line in stream if line.strip())


def _articles(lines: Iterator[tuple[int, str]]) -> Iterator[Record]:
    began, article = 1, list[str]()
    for number, line in lines:
        if sniff.TITLE.fullmatch(line) and article:
            yield began, ["\n".join(article)]
            article = []
        if line.strip():
            began = began if article else number
            article.append(line.strip())
    if article:
        yield began, ["\n".join(article)]


def read_folder(source: Source) -> Iterator[Record | BadRow]:
    """One record a text file; the folder's name is its label, the folder above that its split where there is one."""
    depth = len(source.columns)
    files = sorted(path for path in source.path.glob("/".join("*" * depth)) if path.is_file())
    for number, path in enumerate(files, start=1):
        source.position.share = number / len(files)
        try:
            text = read_whole(path)
        except UserError as error:
            yield BadRow(str(path.relative_to(source.path)), 1, str(error))
            continue
        yield number, [text.strip(), path.parent.name, path.parent.parent.name][:depth]
