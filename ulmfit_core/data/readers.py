"""Reads texts and labels from files as people have them, whatever their kind: `formats` reads the records.

`inspect` looks at the head of a file, `preview` shows it, `read_rows` reads all of it, mapped by the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from ulmfit_core import catalog
from ulmfit_core.config import DataSettings
from ulmfit_core.data import folders, sniff
from ulmfit_core.data.formats import BadRow, Record, Source
from ulmfit_core.data.kinds import inspect as inspect
from ulmfit_core.errors import UserError


class Row(NamedTuple):
    """A usable row; `label`, `split`, `id` and `group` are empty strings where there is none.

    `file` names the file or member that it stands in, where a source is read from several.
    """

    number: int
    text: str
    label: str
    split: str
    id: str = ""
    group: str = ""
    file: str = ""


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


def preview(path: Path, settings: DataSettings, rows: int = 100) -> Preview:
    """The first `rows` rows and guesses. Reads only the head of the file. Raises UserError like `inspect`."""
    source = inspect(path, settings)
    sample = [record[1] for record in islice(_records(source), rows) if not isinstance(record, BadRow)]
    text, label = sniff.guess_columns(source.columns, sample)
    if source.reader in ("folder", "pattern", "paired"):
        text, label = ["text"], "label" if "label" in source.columns else ""
    if source.delimiter in ("@", " "):
        first, second = source.columns
        text, label = ([first], second) if source.delimiter == "@" else ([second], first)
    return Preview(
        source.reader, source.columns, sample, source.header, source.delimiter, source.encoding, text, label
    )  # fmt: skip


# Reading all of it


def read_rows(path: Path, settings: DataSettings, source: Source | None = None) -> Iterator[Row | BadRow]:
    """Every row of a file, mapped by the settings, in the file's order; `source.position` tells how far it is.

    Without text columns in the settings the guessed one is read. Raises UserError for a missing column and
    for a table most of whose rows are broken.
    """
    source = source or inspect(path, settings, thorough=True)
    if source.parts:
        yield from _each_part(source, lambda part: read_rows(path, settings, part), not settings.split_column)
        return
    texts = text_columns(source, settings)
    label = column_index(source, settings.label) if settings.label else None
    implied = not settings.split_column and _implied_split(source)
    split = implied or (column_index(source, settings.split_column) if settings.split_column else None)
    named = [column_index(source, name) if name else None for name in (settings.id_column, settings.group_column)]
    for record in _records(source):
        row = record if isinstance(record, BadRow) else _mapped(source, record, texts, label, split, *named)
        if implied and isinstance(row, Row):
            row = row._replace(split=folders.split_name(row.split))
        yield row


def _implied_split(source: Source) -> int:
    """The cell that names the split by itself: a folder above those of the labels, or a JSON list's name; else 0."""
    if source.reader == "json" and source.sheet:
        return len(source.columns) - 1
    return 2 if source.reader == "folder" and "split" in source.columns else 0


def _each_part(
    source: Source, read: Callable[[Source], Iterator[Row | BadRow]], by_name: bool
) -> Iterator[Row | BadRow]:
    """The rows of each member in turn. `by_name`: a member called train, valid or test says the split of its rows."""
    yield from source.left_out
    for index, part in enumerate(source.parts):
        split = folders.split_name(part.name.rsplit("/", 1)[-1]) if by_name and len(source.parts) > 1 else ""
        for row in read(part):
            source.position.share = (index + part.position.share) / len(source.parts)
            yield row._replace(file=part.name, split=row.split or split) if isinstance(row, Row) else row


def read_texts(path: Path, settings: DataSettings, source: Source) -> Iterator[Row | BadRow]:
    """Every text of a file without labels (unlabelled rows, general text), which may lack the other columns."""
    if source.parts:
        yield from _each_part(source, lambda part: read_texts(path, settings, part), False)
        return
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
    if source.columns.count(name) > 1:
        places = [str(place) for place, column in enumerate(source.columns, start=1) if column == name]
        raise UserError(
            f"{source.name} has the column “{name}” in row 1 more than once. "
            f"Choose it by its number ({' or '.join(places)}), or rename one."
        )
    if name in source.columns:
        return source.columns.index(name)
    if name.isdigit() and 1 <= int(name) <= len(source.columns):
        return int(name) - 1
    known = ", ".join(f"“{column}”" for column in source.columns)
    raise UserError(f"{source.name} has no column “{name}”. Its columns are: {known}.")


def _mapped(
    source: Source, record: Record, texts: list[int], label: int | None, split: int | None,
    id_: int | None = None, group: int | None = None,
) -> Row | BadRow:  # fmt: skip
    number, cells = record
    parts = [cells[index].strip() for index in texts]
    if not any(parts):
        return BadRow(source.name, number, "no text")
    text = parts[0] if len(parts) == 1 else join_fields(parts)
    return Row(number, text, *(_cell(cells, index) for index in (label, split, id_, group)))


def join_fields(parts: list[str]) -> str:
    """Several text columns as one text, each behind its field marker."""
    return " ".join(f"xxfld {number} {part}" for number, part in enumerate(parts, start=1))


def _cell(cells: list[str], index: int | None) -> str:
    return "" if index is None else cells[index].strip()


def _records(source: Source) -> Iterator[Record | BadRow]:
    if source.parts:
        return chain.from_iterable(map(_records, source.parts))
    reader = catalog.resolve("reader", source.reader)
    return iter(reader(source))
