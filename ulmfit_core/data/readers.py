"""Reads texts and labels from files as people have them, whatever their kind: `formats` reads the records.

`inspect` looks at the head of a file, `preview` shows it, `read_rows` reads all of it, mapped by the settings.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ulmfit_core import catalog
from ulmfit_core.config import DataSettings
from ulmfit_core.data import sniff
from ulmfit_core.data.encodings import HEAD_BYTES, Position, find_encoding, head_bytes, read_lines, suffix
from ulmfit_core.data.formats import SAMPLE_ROWS, BadRow, Record, Source, open_quote
from ulmfit_core.errors import UserError

SPLIT_FOLDERS = {"train", "valid", "validation", "dev", "val", "test"}


class Row(NamedTuple):
    """A usable row; `label` and `split` are empty strings where there is none."""

    number: int
    text: str
    label: str
    split: str


@dataclass(frozen=True)
class Preview:
    """The first rows of a file and guesses for the mapping; `label` is empty where no column looks like one."""

    reader: str
    columns: list[str]
    rows: list[list[str]]
    header: bool
    delimiter: str
    encoding: str
    text: list[str]
    label: str


# Looking at a file


def inspect(path: Path, settings: DataSettings, *, thorough: bool = False, labelled: bool = True) -> Source:
    """What kind of file this is, from its head; `thorough` reads a tab-separated file whole to judge its quotes.

    `labelled` False is for files of texts alone, which are more readily taken for plain text.
    Raises UserError for a file that is missing, empty, binary or of no known kind.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        return _inspect_folder(path)
    head = head_bytes(path)
    if head.startswith(b"PAR1") or suffix(path) == ".parquet":
        return _inspect_parquet(path)
    encoding = find_encoding(path, head, settings.encoding)
    lines = list(islice(_head_lines(path, encoding), SAMPLE_ROWS))
    if settings.delimiter == "auto" and _looks_like_json(path, lines):
        return _inspect_json(path, encoding, lines)
    if not lines:
        raise UserError(f"{path.name} is empty. Choose a file with at least a few rows of text.")
    delimiter = settings.delimiter if settings.delimiter != "auto" else _delimiter(path, lines, labelled)
    if not delimiter:
        return Source(path, "text", ["text"], encoding)
    judged = read_lines(path, encoding, Position()) if thorough else iter(lines)
    try:
        return _inspect_table(path, settings, encoding, delimiter, sniff.find_quoting(judged, delimiter), lines)
    except csv.Error:
        raise UserError(open_quote(path, 1)) from None


def preview(path: Path, settings: DataSettings, rows: int = 100) -> Preview:
    """The first `rows` rows and guesses. Reads only the head of the file. Raises UserError like `inspect`."""
    source = inspect(path, settings)
    sample = [record[1] for record in islice(_records(source), rows) if not isinstance(record, BadRow)]
    text, label = sniff.guess_columns(source.columns, sample)
    if source.reader == "folder":
        text, label = ["text"], "label"
    if source.delimiter in ("@", " "):
        first, second = source.columns
        text, label = ([first], second) if source.delimiter == "@" else ([second], first)
    return Preview(
        source.reader, source.columns, sample, source.header, source.delimiter, source.encoding, text, label
    )  # fmt: skip


def _head_lines(path: Path, encoding: str) -> Iterator[str]:
    """Lines from the first 256 KB; a cut line at the end is left out unless it is the only one."""
    size = 0
    for line in read_lines(path, encoding, Position()):
        size += len(line)
        if size > HEAD_BYTES and size > len(line):
            return
        yield line


def _looks_like_json(path: Path, lines: list[str]) -> bool:
    if suffix(path) in (".jsonl", ".ndjson", ".json"):
        return True
    try:
        return isinstance(json.loads(lines[0]), dict)
    except ValueError:
        return False


def _inspect_json(path: Path, encoding: str, lines: list[str]) -> Source:
    columns: dict[str, None] = {}
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue  # counted as a bad row when the file is read
        if isinstance(record, dict):
            columns.update(dict.fromkeys(record))
    if not columns:
        raise UserError(f'{path.name} is not JSON lines: it needs one object such as {{"text": …}} on each line.')
    return Source(path, "jsonl", list(columns), encoding)


def _inspect_parquet(path: Path) -> Source:
    try:
        return Source(path, "parquet", pq.read_schema(path).names)
    except (pa.ArrowInvalid, OSError):
        raise UserError(f"{path.name} is not a whole Parquet file. Fetch or write it again.") from None


def _inspect_folder(path: Path) -> Source:
    folders = [child for child in sorted(path.iterdir()) if child.is_dir()]
    if not folders:
        raise UserError(f"The folder {path} has no sub-folders. It needs one folder of text files for each label.")
    nested = all(child.name.lower() in SPLIT_FOLDERS for child in folders)
    return Source(path, "folder", ["text", "label", "split"] if nested else ["text", "label"])


def _delimiter(path: Path, lines: list[str], labelled: bool) -> str:
    ending = suffix(path)
    if ending not in sniff.TABLE_ENDINGS and sniff.is_wikitext(lines):
        return ""
    return sniff.find_delimiter(lines, ending, labelled)


def _inspect_table(
    path: Path, settings: DataSettings, encoding: str, delimiter: str, quoting: bool, lines: list[str]
) -> Source:
    rows = [cells for _, cells in sniff.split_records(lines, delimiter, quoting)]
    if not rows:
        raise UserError(f"{path.name} is empty. Choose a file with at least a few rows of text.")
    wanted = [*settings.text, settings.label, settings.split_column]
    header = settings.header == "yes" or (settings.header == "auto" and sniff.has_header(rows, wanted))
    columns = [str(number) for number in range(1, len(rows[0]) + 1)]
    if header:
        columns = [name.strip() or number for name, number in zip(rows[0], columns)]
    return Source(path, "table", columns, encoding, delimiter, quoting, header)


# Reading all of it


def read_rows(path: Path, settings: DataSettings, source: Source | None = None) -> Iterator[Row | BadRow]:
    """Every row of a file, mapped by the settings, in the file's order; `source.position` tells how far it is.

    Without text columns in the settings the guessed one is read. Raises UserError for a missing column and
    for a table most of whose rows are broken.
    """
    source = source or inspect(path, settings, thorough=True)
    texts = text_columns(source, settings)
    label = column_index(source, settings.label) if settings.label else None
    split = column_index(source, settings.split_column) if settings.split_column else None
    if split is None and source.reader == "folder" and "split" in source.columns:
        split = 2
    for record in _records(source):
        yield record if isinstance(record, BadRow) else _mapped(source, record, texts, label, split)


def read_texts(path: Path, settings: DataSettings, source: Source) -> Iterator[Row | BadRow]:
    """Every text of a file without labels (unlabelled rows, general text), which may lack the other columns."""
    texts = _texts_or_guess(source, settings)
    for record in _records(source):
        yield record if isinstance(record, BadRow) else _mapped(source, record, texts, None, None)


def text_columns(source: Source, settings: DataSettings) -> list[int]:
    """Which cells hold the text. Raises UserError for a missing column."""
    if settings.text:
        return [column_index(source, name) for name in settings.text]
    sample = [record[1] for record in islice(_records(source), 100) if not isinstance(record, BadRow)]
    guessed, _ = sniff.guess_columns(source.columns, sample)
    return [source.columns.index(name) for name in guessed]


def _texts_or_guess(source: Source, settings: DataSettings) -> list[int]:
    # A file of plain text has one column whatever the labelled file calls its own.
    if len(source.columns) == 1:
        return [0]
    if any(name.isdigit() and name not in source.columns for name in settings.text):
        return text_columns(source, settings.model_copy(update={"text": []}))
    return text_columns(source, settings)


def column_index(source: Source, name: str) -> int:
    """Place of a column given by name, or by number from 1. Raises UserError where there is none."""
    if name in source.columns:
        return source.columns.index(name)
    if name.isdigit() and 1 <= int(name) <= len(source.columns):
        return int(name) - 1
    known = ", ".join(f"“{column}”" for column in source.columns)
    raise UserError(f"{source.path.name} has no column “{name}”. Its columns are: {known}.")


def _mapped(source: Source, record: Record, texts: list[int], label: int | None, split: int | None) -> Row | BadRow:
    number, cells = record
    parts = [cells[index].strip() for index in texts]
    if not any(parts):
        return BadRow(source.path.name, number, "no text")
    text = parts[0] if len(parts) == 1 else join_fields(parts)
    return Row(number, text, _cell(cells, label), _cell(cells, split))


def join_fields(parts: list[str]) -> str:
    """Several text columns as one text, each behind its field marker."""
    return " ".join(f"xxfld {number} {part}" for number, part in enumerate(parts, start=1))


def _cell(cells: list[str], index: int | None) -> str:
    return "" if index is None else cells[index].strip()


def _records(source: Source) -> Iterator[Record | BadRow]:
    reader = catalog.resolve("reader", source.reader)
    return iter(reader(source))


