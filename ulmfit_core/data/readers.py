"""Reads texts and labels from files as people have them, whatever their kind: `formats` reads the records.

`inspect` looks at the head of a file, `preview` shows it, `read_rows` reads all of it, mapped by the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from ulmfit_core import catalog
from ulmfit_core.config import DataSettings
from ulmfit_core.data import folders, sniff
from ulmfit_core.data.formats import BadRow, Record, Source, has_titles
from ulmfit_core.data.kinds import Choices as Choices
from ulmfit_core.data.kinds import choices as choices
from ulmfit_core.data.kinds import inspect as inspect
from ulmfit_core.errors import UserError


class Row(NamedTuple):
    """A usable row; `label`, `split`, `id` and `group` are empty strings where there is none.

    `file` names the file or member that it stands in, where a source is read from several. `kept` has a cell for each
    column of the setting `keep`, "" for one that the file does not have.
    """

    number: int
    text: str
    label: str
    split: str
    id: str = ""
    group: str = ""
    file: str = ""
    kept: tuple[str, ...] = ()


Mapper = Callable[[Record | BadRow], Row | BadRow]


@dataclass(frozen=True)
class Preview:
    """The first rows of a file and guesses for the mapping; empty where there is none.

    `numbers` are those of the rows, as a spreadsheet shows them.
    `bad` are the rows among those looked at that cannot be used, and members that are not read. `unit` is line,
    paragraph or article for plain text, `pattern` how a line holds text and label, `sheet` the sheet, table or list.
    `text`, `label`, `split`, `id` and `group` are guessed columns. `named`: see `may_name_splits`.
    """

    reader: str
    columns: list[str]
    rows: list[list[str]]
    numbers: list[int]
    header: bool
    delimiter: str
    encoding: str
    text: list[str]
    label: str
    bad: list[BadRow]
    unit: str
    pattern: str
    sheet: str
    split: str
    id: str
    group: str
    named: bool = False


def preview(path: Path, settings: DataSettings, rows: int = 100) -> Preview:
    """The first `rows` rows and guesses. Reads only the head of the file. Raises UserError like `inspect`."""
    source = inspect(path, settings)
    seen = list(islice(_records(source), rows))
    sample = [record[1] for record in seen if not isinstance(record, BadRow)]
    numbers = [record[0] for record in seen if not isinstance(record, BadRow)]
    bad = [*_left_out(source), *(record for record in seen if isinstance(record, BadRow))]
    text, label = _guess(source, sample)
    others = sniff.guess_others(source.columns, sample, [*text, label])
    return Preview(
        source.reader, source.columns, sample, numbers, source.header, source.delimiter, source.encoding, text, label,
        bad, _unit(source), source.pattern, source.sheet, *others, named=may_name_splits(source),
    )  # fmt: skip


def _guess(source: Source, sample: list[list[str]]) -> tuple[list[str], str]:
    """(text columns, label column); what the shape of a file says goes before what its cells look like."""
    if source.reader in ("folder", "pattern", "paired"):
        return ["text"], "label" if "label" in source.columns else ""
    if source.delimiter in ("@", " "):
        first, second = source.columns
        return ([first], second) if source.delimiter == "@" else ([second], first)
    return sniff.guess_columns(source.columns, sample)


def _unit(source: Source) -> str:
    if source.reader != "text":
        return ""
    if source.unit != "auto":
        return source.unit
    return "article" if has_titles(source) else "line"


def _left_out(source: Source) -> Iterator[BadRow]:
    yield from source.left_out
    for part in source.parts:
        yield from _left_out(part)


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
    kept = [_place_or_none(source, name) for name in settings.keep]
    rows = map(_mapper(source, texts, [label, split, *named], kept), _records(source))
    yield from map(_with_split_name, rows) if implied else rows


def _with_split_name(row: Row | BadRow) -> Row | BadRow:
    return row._replace(split=folders.split_name(row.split)) if isinstance(row, Row) else row


def _implied_split(source: Source) -> int:
    """The cell that names the split by itself: a folder above those of the labels, or a JSON list's name; else 0."""
    if source.reader == "json" and source.listed:
        return len(source.columns) - 1
    return 2 if source.reader == "folder" and "split" in source.columns else 0


def may_name_splits(source: Source) -> bool:
    """Whether rows may follow the names of parts, without a split column: members, folders, lists of a JSON file."""
    return bool(_implied_split(source)) or any(_named_split(part) or may_name_splits(part) for part in source.parts)


def _named_split(part: Source) -> str:
    """train, valid or test where a member is called so."""
    return folders.split_name(part.name.rsplit("/", 1)[-1]) if part.content.member else ""


def _each_part(
    source: Source, read: Callable[[Source], Iterator[Row | BadRow]], by_name: bool
) -> Iterator[Row | BadRow]:
    """The rows of each part in turn. `by_name`: a member called train, valid or test says the split of its rows."""
    yield from source.left_out
    for index, part in enumerate(source.parts):
        split = _named_split(part) if by_name else ""
        for row in read(part):
            source.position.share = (index + part.position.share) / len(source.parts)
            if isinstance(row, Row):
                row = row._replace(file=row.file or part.name, split=row.split or split)
            yield row


def read_texts(path: Path, settings: DataSettings, source: Source) -> Iterator[Row | BadRow]:
    """Every text of a file without labels (unlabelled rows, general text), which may lack the other columns."""
    if source.parts:
        yield from _each_part(source, lambda part: read_texts(path, settings, part), False)
        return
    kept = [_place_or_none(source, name) for name in settings.keep]
    yield from map(_mapper(source, _texts_or_guess(source, settings), kept=kept), _records(source))


def text_columns(source: Source, settings: DataSettings) -> list[int]:
    """Which cells hold the text. Raises UserError for a missing column."""
    if settings.text:
        return [column_index(source, name) for name in settings.text]
    guessed, _ = sniff.guess_columns(source.columns, first_rows(source, 100))
    return [source.columns.index(name) for name in guessed]


def first_rows(source: Source, count: int) -> list[list[str]]:
    """The cells of the first `count` records, without the bad ones."""
    return [record[1] for record in islice(_records(source), count) if not isinstance(record, BadRow)]


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


def has_column(source: Source, name: str) -> bool:
    """Whether a file, or one of the parts that it is read in, has this column."""
    return any(has_column(part, name) for part in source.parts) or _place_or_none(source, name) is not None


def other_columns(source: Source, settings: DataSettings) -> list[str]:
    """The columns that are neither text nor label nor id, by name, without those that share their name."""
    if source.parts:
        return list(dict.fromkeys(name for part in source.parts for name in other_columns(part, settings)))
    named = [name for name in (settings.label, settings.id_column) if name]
    used = {*text_columns(source, settings), *(column_index(source, name) for name in named)}
    columns = source.columns
    return [name for place, name in enumerate(columns) if place not in used and columns.count(name) == 1]


def _place_or_none(source: Source, name: str) -> int | None:
    """Place of a column that a file need not have. Raises UserError where two have its name."""
    known = name in source.columns or (name.isdigit() and 1 <= int(name) <= len(source.columns))
    return column_index(source, name) if known else None


def _mapper(
    source: Source, texts: list[int], others: Sequence[int | None] = (None,) * 4, kept: Sequence[int | None] = ()
) -> Mapper:
    """A function from a record to its row; `others` are the places of label, split, id and group."""
    # Behind the last cell of each record comes an empty one, which stands for all that there are not.
    places, beside = ([len(source.columns) if place is None else place for place in part] for part in (others, kept))

    def mapped(record: Record | BadRow) -> Row | BadRow:
        if isinstance(record, BadRow):
            return record
        number, cells = record
        parts = [cells[place].strip() for place in texts]
        if not any(parts):
            return BadRow(source.name, number, "no text")
        cells.append("")
        text = parts[0] if len(parts) == 1 else join_fields(parts)
        label, split, id_, group = [cells[place].strip() for place in places]
        return Row(number, text, label, split, id_, group, kept=tuple([cells[place].strip() for place in beside]))

    return mapped


def join_fields(parts: list[str]) -> str:
    """Several text columns as one text, each behind its field marker."""
    return " ".join(f"xxfld {number} {part}" for number, part in enumerate(parts, start=1))


def _records(source: Source) -> Iterator[Record | BadRow]:
    if source.parts:
        return chain.from_iterable(map(_records, source.parts))
    reader = catalog.resolve("reader", source.reader)
    return iter(reader(source))
