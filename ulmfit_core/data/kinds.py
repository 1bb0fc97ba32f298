"""Finds out what a file is from its first bytes and rows: its kind, encoding, delimiter, header and columns."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ulmfit_core import files
from ulmfit_core.config import DataSettings
from ulmfit_core.data import folders, json_files, patterns, sniff, tables, workbooks
from ulmfit_core.data.containers import Content, Member, ending, look, members
from ulmfit_core.data.encodings import HEAD_BYTES, Position, empty, find_encoding, head_bytes, read_lines
from ulmfit_core.data.formats import SAMPLE_ROWS, BadRow, Source, open_quote
from ulmfit_core.errors import UserError

# More are a table laid on its side, or a delimiter that is none.
MOST_COLUMNS = 20_000
# A glance at a packed tar archive looks at so many members; an import looks at all.
GLANCE = 2000
PAPERS = ("readme", "license", "licence", "copying", "changelog", "citation", "notice")
BINARY: tuple[tuple[bytes, Callable[[Content, str], Source]], ...] = (
    (tables.PARQUET, tables.inspect_parquet),
    (tables.ARROW, tables.inspect_arrow),
    (tables.SQLITE, tables.inspect_sqlite),
)
FOREIGN = {
    b"%PDF": "a PDF document: copy its text into a text file",
    b"{\\rtf": "a document of a word processor: save it as plain text",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"<!doctype html": "a web page: open it in a spreadsheet program and save the table as CSV",
    b"<html": "a web page: open it in a spreadsheet program and save the table as CSV",
}


@dataclass(frozen=True)
class Look:
    """How a file is looked at: `thorough` reads what it must to be sure, `labelled` False expects texts alone."""

    settings: DataSettings
    thorough: bool
    labelled: bool


class Choices(NamedTuple):
    """What the settings `member` and `sheet` can be set to; empty lists where there is no choice."""

    members: list[str]
    sheets: list[str]


def inspect(path: Path, settings: DataSettings, *, thorough: bool = False, labelled: bool = True) -> Source:
    """What kind of file this is, from its head; `thorough` reads a tab-separated file whole to judge its quotes.

    `labelled` False is for files of texts alone, which are more readily taken for plain text.
    Raises UserError for a file that is missing, empty, binary or of no known kind.
    """
    path = files.at_home(path)
    if not labelled:
        # What picks from the labelled file or takes it apart says nothing of a file of texts alone.
        nothing = {"more": [], "member": "", "sheet": "", "line_pattern": "auto", "labels_file": ""}
        settings = settings.model_copy(update=nothing)
    how = Look(settings, thorough, labelled)
    content = look(path)
    if settings.labels_file:
        return _inspect_pair(content, how)
    source = _inspect_any(content, how)
    return _with_more(source, how) if settings.more else source


def _inspect_any(content: Content, how: Look) -> Source:
    return _inspect_archive(content, how) if content.archive else _inspect_file(content, how)


def _with_more(first: Source, how: Look) -> Source:
    """The file and those of the setting `more` one after the other. Raises UserError where columns differ."""
    others = [_inspect_any(look(beside(first.path, name)), how) for name in how.settings.more]
    for other in others:
        _refuse_unlike(first, other, "Choose files that have the same columns.")
    return _joined(first.content, [first, *others])


def _joined(content: Content, parts: list[Source], left_out: tuple[BadRow, ...] = ()) -> Source:
    """Several sources as one. Sheets are laid out again when their turn comes, so that one is in memory at a time."""
    bare = tuple(replace(part, rows=None) for part in parts)
    return replace(bare[0], content=content, parts=bare, left_out=left_out, position=Position())


def beside(path: Path, name: str) -> Path:
    """A file that the settings name: in the folder of the other one where it lies there, else as it stands."""
    near = path.parent / files.at_home(name)
    return near if near.exists() else files.at_home(name)


def _inspect_file(content: Content, how: Look) -> Source:
    head = head_bytes(content)
    for magic, inspect_table in BINARY:
        if head.startswith(magic):
            return _not_too_wide(inspect_table(content, how.settings.sheet))
    if head.startswith(workbooks.OLE):
        return _inspect_workbook(content, how)
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return _inspect_packed_workbook(content, how)
    _refuse_foreign(content, head)
    return _not_too_wide(_inspect_text(content, head, how))


def _refuse_foreign(content: Content, head: bytes) -> None:
    start = head[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, what in FOREIGN.items():
        if start.lower().startswith(magic.lower()):
            raise UserError(f"{content.name} is {what}.")


def _not_too_wide(source: Source) -> Source:
    if len(source.columns) > MOST_COLUMNS:
        raise UserError(
            f"{source.name} has {len(source.columns):,} columns in row 1; more than {MOST_COLUMNS:,} cannot be shown. "
            "Check the delimiter, or keep only the columns of text and label."
        )
    return source


# Text


def _inspect_text(content: Content, head: bytes, how: Look) -> Source:
    settings = how.settings
    encoding = find_encoding(content.name, head, settings.encoding)
    if settings.delimiter == "auto":
        found = json_files.inspect_json(content, encoding, head, settings.sheet)
        if found:
            return found
    lines = _head_lines(content, encoding)
    if not any(line.strip() for line in lines):
        raise UserError(empty(content.name))
    asked = how.labelled and (settings.line_pattern, settings.text_unit) != ("auto", "auto")
    if settings.delimiter == "auto" and (asked or content.suffix not in sniff.TABLE_ENDINGS):
        plain = _inspect_plain(content, encoding, lines, how)
        if plain:
            return plain
    delimiter: str = settings.delimiter
    if delimiter == "auto":
        delimiter = sniff.find_delimiter(lines, content.suffix, how.labelled)
    if not delimiter:
        return Source(content, "text", ["text"], encoding)
    judged = read_lines(content, encoding, Position()) if how.thorough else iter(lines)
    try:
        quoting = sniff.find_quoting(judged, delimiter)
        rows = [cells for _, cells in sniff.split_records(lines, delimiter, quoting)]
    except csv.Error:
        raise UserError(open_quote(content.name, 1)) from None
    columns, header = _header(content, rows, settings)
    return Source(content, "table", columns, encoding, delimiter, quoting, header)


def _head_lines(content: Content, encoding: str) -> list[str]:
    """Lines from the first 256 KB; a cut line at the end is left out unless it is the only one."""
    size, lines = 0, list[str]()
    for line in islice(read_lines(content, encoding, Position()), SAMPLE_ROWS):
        size += len(line)
        if size > HEAD_BYTES and lines:
            break
        lines.append(line)
    return lines


def _inspect_plain(content: Content, encoding: str, lines: list[str], how: Look) -> Source | None:
    """A source where the settings or the lines themselves say that this is no table."""
    settings = how.settings
    if settings.line_pattern != "auto":
        names = patterns.columns(settings.line_pattern)
        return Source(content, "pattern", names, encoding, pattern=settings.line_pattern)
    if settings.text_unit != "auto":
        return Source(content, "text", ["text"], encoding, unit=settings.text_unit)
    if sniff.is_wikitext(lines):
        return Source(content, "text", ["text"], encoding)
    known = patterns.recognise(lines)
    return Source(content, "pattern", patterns.columns(known), encoding, pattern=known) if known else None


def _header(content: Content, rows: list[list[str]], settings: DataSettings) -> tuple[list[str], bool]:
    """The names of the columns and whether the first row says them. Raises UserError where no row follows."""
    if not rows:
        raise UserError(empty(content.name))
    wanted = [*settings.text, settings.label, settings.split_column, settings.id_column, settings.group_column]
    header = settings.header == "yes" or (settings.header == "auto" and sniff.has_header(rows, wanted))
    numbers = [str(number) for number in range(1, len(rows[0]) + 1)]
    if not header:
        return numbers, False
    if len(rows) == 1:
        raise UserError(f"{content.name} has a header in row 1 but no rows below it. Choose a file with rows of text.")
    return [name.strip() or number for name, number in zip(rows[0], numbers)], True


def _inspect_pair(content: Content, how: Look) -> Source:
    """A file of texts and one of labels beside it, line by line."""
    if how.settings.more:
        raise UserError("A file of labels belongs to one file of texts. Leave the further files out, or that one.")
    labels = look(beside(content.path, how.settings.labels_file))
    sides = [
        Source(side, "text", ["text"], find_encoding(side.name, head_bytes(side), how.settings.encoding))
        for side in (content, labels)
    ]
    return replace(sides[0], reader="paired", columns=["text", "label"], labels=sides[1])


# Workbooks


def _inspect_packed_workbook(content: Content, how: Look) -> Source:
    """A workbook inside another package; any other archive in there is refused."""
    inner = workbooks.workbook_members(content)
    if not workbooks.is_workbook(inner):
        raise UserError(f"{content.name} is an archive inside another one. Unpack the outer one and choose this one.")
    return _inspect_workbook(content, how)


def _inspect_workbook(content: Content, how: Look) -> Source:
    source = workbooks.inspect_workbook(content, how.settings.sheet)
    rows = [cells for _, cells in workbooks.first_rows(source, SAMPLE_ROWS)]
    columns, header = _header(content, rows, how.settings)
    return _not_too_wide(replace(source, columns=columns, header=header))


# Archives and folders


def _inspect_archive(content: Content, how: Look) -> Source:
    found = members(content, None if how.thorough or not (content.packed and content.archive == "tar") else GLANCE)
    names = [member.name for member in found]
    if content.archive == "zip" and workbooks.is_workbook(names):
        return _inspect_workbook(replace(content, archive=""), how)
    if any(name.startswith("word/") for name in names):
        raise UserError(f"{content.name} is a document of a word processor: save it as plain text.")
    if how.settings.member:
        return _inspect_file(_member(content, _picked(content, found, how.settings.member)), how)
    usable = [member for member in found if not member.fault and member.size]
    columns = folders.columns([member.name for member in usable])
    if columns:
        root = folders.common_root([member.name for member in usable])
        return Source(content, "folder", columns, how.settings.encoding, root=root)
    return _inspect_members(content, found, usable, how)


def _member(content: Content, member: Member) -> Content:
    return replace(content, member=member.name)


def _picked(content: Content, found: list[Member], wanted: str) -> Member:
    """The member of that name, or the only one whose path ends in it. Raises UserError with the members there are."""
    fitting = [m for m in found if m.name == wanted] or [m for m in found if m.name.endswith(f"/{wanted}")]
    if len(fitting) != 1:
        raise UserError(f"{content.name} has no member “{wanted}”. It holds {_listed(found)}.")
    if fitting[0].fault:
        raise UserError(f"{content.name}/{fitting[0].name} cannot be read: it is {fitting[0].fault}.")
    return fitting[0]


def _listed(found: Sequence[Member]) -> str:
    more = f" and {len(found) - 10:,} more" if len(found) > 10 else ""
    return ", ".join(f"“{member.name}”" for member in found[:10]) + more


def _inspect_members(content: Content, found: list[Member], usable: list[Member], how: Look) -> Source:
    """One member, or several alike one after the other. Raises UserError where it is not clear which ones."""
    if not usable:
        raise UserError(_nothing_usable(content, found))
    chosen = _rows_of(usable)
    if len({ending(member.name) for member in chosen}) > 1:
        raise UserError(
            f"{content.name} holds several files: {_listed(chosen)}. "
            "Say which one to read with the setting data.member."
        )
    parts = [_inspect_file(_member(content, member), how) for member in chosen]
    rest = [member for member in found if member not in chosen]
    left_out = tuple(
        BadRow(f"{content.name}/{member.name}", 1, member.fault or "not a table, not read") for member in rest
    )
    for part in parts:
        _refuse_unlike(parts[0], part, "Say which one to read with the setting data.member.")
    if len(parts) == 1 and not left_out:
        return parts[0]
    return _joined(content, parts, left_out)


def _rows_of(usable: list[Member]) -> list[Member]:
    """The members that hold rows: tables where there are some, else all but the papers that come with data."""
    known = [member for member in usable if ending(member.name) in folders.ROWS_ENDINGS]
    papers = [member for member in usable if member.name.rsplit("/", 1)[-1].lower().startswith(PAPERS)]
    return known or [member for member in usable if member not in papers] or usable


def _nothing_usable(content: Content, found: list[Member]) -> str:
    if content.archive == "folder" and not found:
        return f"The folder {content.path} has no sub-folders. It needs one folder of text files for each label."
    faults = [member for member in found if member.fault]
    if faults:
        return f"{content.name} cannot be read: {content.name}/{faults[0].name} is {faults[0].fault}."
    return f"{content.name} holds no file that has anything in it. Choose another file."


def _refuse_unlike(first: Source, other: Source, advice: str) -> None:
    if other.columns != first.columns:
        raise UserError(
            f"{other.name} has other columns ({', '.join(other.columns[:10])}) than {first.name} "
            f"({', '.join(first.columns[:10])}). {advice}"
        )


# What can be chosen


def choices(path: Path, settings: DataSettings) -> Choices:
    """The members of an archive that could be read alone; the sheets, tables or lists of a file or of its member.

    Works also where `inspect` refuses because a choice is needed. Raises UserError where the file cannot be read.
    """
    content = look(files.at_home(path))
    if not content.archive:
        return Choices([], _several(_sheets(content)))
    found = members(content, None if not (content.packed and content.archive == "tar") else GLANCE)
    if content.archive == "zip" and workbooks.is_workbook([member.name for member in found]):
        return Choices([], _several(_sheets(content)))
    usable = [member for member in found if not member.fault and member.size]
    if folders.columns([member.name for member in usable]):
        return Choices([], [])
    chosen = [member for member in usable if member.name == settings.member] or _rows_of(usable)
    sheets = _sheets(_member(content, chosen[0])) if len(chosen) == 1 else []
    return Choices(_several([member.name for member in usable]), _several(sheets))


def _several(names: list[str]) -> list[str]:
    return names if len(names) > 1 else []


def _sheets(content: Content) -> list[str]:
    head = head_bytes(content)
    if head.startswith(tables.SQLITE):
        return tables.table_names(content)
    if head.startswith((workbooks.OLE, b"PK\3\4")):
        return workbooks.sheet_names(content)
    if head.startswith((tables.PARQUET, tables.ARROW)):
        return []
    return json_files.list_names(content, find_encoding(content.name, head), head)
