"""Reads tables that programs keep: Parquet, Arrow and Feather, SQLite, and the sheets of Excel and OpenDocument."""

from __future__ import annotations

import datetime
import io
import re
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import python_calamine as calamine

from ulmfit_core.data.containers import FAILURES, Broken, Content, check_expansion, cut_short, damaged, read_whole
from ulmfit_core.data.formats import BadRow, Record, Source
from ulmfit_core.errors import UserError

BATCH = 1000
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
SQLITE = b"SQLite format 3\0"
ARROW = b"ARROW1"
PARQUET = b"PAR1"
# A workbook is laid out in memory as a whole, empty cells included.
LARGEST_SHEET = 512 * 2**20
MOST_CELLS = 40_000_000
WIDE_CELL = re.compile(rb' r="([A-Z]{2,3})[0-9]')
LAST_ROW = re.compile(rb'<row [^>]{0,200}?\br="([0-9]{1,7})"')


def as_text(value: Any) -> str:
    """A cell as a person would type it: 1.0 as "1", nothing for a missing value."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal):
        return as_text(float(value))
    return value.decode("utf-8", "ulmfit-cp1252") if isinstance(value, bytes) else str(value)


def _not_whole(name: str, kind: str) -> UserError:
    return UserError(f"{name} is not a whole {kind} file. Fetch or write it again.")


# Parquet and Arrow


def _handle(content: Content) -> Any:
    """What pyarrow reads from: the path of a file, or the bytes of what lies inside another one."""
    if content.packed or content.member:
        return pa.BufferReader(read_whole(content))
    return str(content.path)


def inspect_parquet(content: Content, sheet: str) -> Source:
    try:
        return Source(content, "parquet", pq.read_schema(_handle(content)).names)
    except (pa.ArrowException, OSError, ValueError):
        raise _not_whole(content.name, "Parquet") from None


def read_parquet(source: Source) -> Iterator[Record | BadRow]:
    """Records of a Parquet file, numbered from 1. Raises UserError where it is damaged."""
    try:
        file = pq.ParquetFile(_handle(source.content))
        for number, cells in _numbered(file.iter_batches(BATCH)):
            source.position.share = number / file.metadata.num_rows
            yield number, cells
    except (pa.ArrowException, OSError, ValueError):
        raise _not_whole(source.name, "Parquet") from None


def _numbered(batches: Iterator[pa.RecordBatch]) -> Iterator[Record]:
    number = 0
    for batch in batches:
        for cells in zip(*(column.to_pylist() for column in batch.columns)):
            number += 1
            yield number, [as_text(cell) for cell in cells]


def _arrow_file(content: Content) -> pa.RecordBatchFileReader:
    handle = _handle(content)
    return pa.ipc.open_file(pa.memory_map(handle) if isinstance(handle, str) else handle)


def inspect_arrow(content: Content, sheet: str) -> Source:
    try:
        return Source(content, "arrow", _arrow_file(content).schema.names)
    except (pa.ArrowException, OSError, ValueError):
        raise _not_whole(content.name, "Arrow") from None


def read_arrow(source: Source) -> Iterator[Record | BadRow]:
    """Records of an Arrow or Feather file, numbered from 1. Raises UserError where it is damaged."""
    try:
        yield from _numbered(_arrow_batches(source))
    except (pa.ArrowException, OSError, ValueError):
        raise _not_whole(source.name, "Arrow") from None


def _arrow_batches(source: Source) -> Iterator[pa.RecordBatch]:
    file = _arrow_file(source.content)
    for number in range(file.num_record_batches):
        batch = file.get_batch(number)
        batch.validate(full=True)
        for start in range(0, batch.num_rows, BATCH):
            yield batch.slice(start, BATCH)
        source.position.share = (number + 1) / file.num_record_batches


# SQLite


@contextmanager
def _database(content: Content) -> Iterator[sqlite3.Connection]:
    """A connection that can only read, on the file itself or on its bytes. Raises UserError where it is damaged."""
    data = read_whole(content) if content.packed or content.member else b""
    if data:
        _check_pages(content.name, data[:100], len(data))
        connection = sqlite3.connect(":memory:")
    else:
        _check_not_in_use(content)
        with content.path.open("rb") as file:
            _check_pages(content.name, file.read(100), content.path.stat().st_size)
        connection = sqlite3.connect(f"file:{quote(str(content.path))}?mode=ro&immutable=1", uri=True)
    try:
        if data:
            connection.deserialize(data)
        connection.text_factory = lambda data: data.decode("utf-8", "ulmfit-cp1252")
        connection.execute("PRAGMA query_only = 1")
        connection.execute("PRAGMA trusted_schema = 0")
        yield connection
    except sqlite3.Error:
        raise _not_whole(content.name, "SQLite") from None
    finally:
        connection.close()


def _check_pages(name: str, head: bytes, size: int) -> None:
    """Raise where a file has fewer pages than its head says: SQLite reads what is missing as empty."""
    page_size, changes, pages, valid_for = (
        int.from_bytes(head[start:end], "big") for start, end in ((16, 18), (24, 28), (28, 32), (92, 96))
    )
    if changes == valid_for and size < pages * (65536 if page_size == 1 else page_size):
        raise _not_whole(name, "SQLite")


def _check_not_in_use(content: Content) -> None:
    log = content.path.with_name(f"{content.path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise UserError(f"{content.name} is in use by another program. Close it there first.")


def inspect_sqlite(content: Content, sheet: str) -> Source:
    with _database(content) as connection:
        found = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND rootpage > 0"
        )
        table = _chosen(content, [name for (name,) in found], sheet, "table")
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({_quoted(table)})")]
    return Source(content, "sqlite", columns, sheet=table)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _chosen(content: Content, names: list[str], sheet: str, kind: str) -> str:
    if sheet and sheet not in names:
        known = ", ".join(f"“{name}”" for name in names)
        raise UserError(f"{content.name} has no {kind} “{sheet}”. It has: {known}. Choose one with data.sheet.")
    if not names:
        raise UserError(f"{content.name} has no {kind}. Choose another file.")
    return sheet or names[0]


def read_sqlite(source: Source) -> Iterator[Record | BadRow]:
    """Records of a table in the order it is kept in, numbered from 1. Raises UserError where it is damaged."""
    names = ", ".join(map(_quoted, source.columns))
    with _database(source.content) as connection:
        last = _last_row(connection, source.sheet)
        for number, cells in enumerate(connection.execute(f"SELECT {names} FROM {_quoted(source.sheet)}"), start=1):
            if number % BATCH == 0:
                source.position.share = min(number / last, 1.0) if last else 0.0
            yield number, [as_text(cell) for cell in cells]


def _last_row(connection: sqlite3.Connection, table: str) -> int:
    """The highest row id, which says how far the reading is; 0 for a table without row ids."""
    try:
        return int(connection.execute(f"SELECT MAX(_rowid_) FROM {_quoted(table)}").fetchone()[0] or 0)
    except sqlite3.OperationalError:
        return 0


# Spreadsheets


def is_workbook(names: list[str]) -> bool:
    """Whether the members of a zip archive are those of an Excel or OpenDocument file."""
    return any(name in ("xl/workbook.xml", "xl/workbook.bin", "content.xml") for name in names)


def inspect_workbook(content: Content, sheet: str) -> Source:
    """The sheet and its width; whether it has a header is for its reader's caller to say."""
    book = _workbook(content)
    name = _chosen(content, book.sheet_names, sheet, "sheet")
    width = _sheet(content, book, name).width
    return Source(content, "workbook", [str(number) for number in range(1, width + 1)], sheet=name)


def workbook_members(content: Content) -> list[str]:
    """Names of what lies in a zip archive inside another package. Raises Broken where it is not whole."""
    try:
        with zipfile.ZipFile(io.BytesIO(read_whole(content))) as archive:
            return archive.namelist()
    except (*FAILURES, EOFError, OSError, ValueError):
        raise Broken(cut_short(content.name)) from None


def first_rows(source: Source, rows: int) -> Iterator[Record]:
    """The first rows of a sheet, the header too."""
    records = islice(read_workbook(source), rows)
    return (record for record in records if not isinstance(record, BadRow))


def read_workbook(source: Source) -> Iterator[Record | BadRow]:
    """Records of a sheet with the numbers its program shows; blank rows are no records."""
    sheet = _sheet(source.content, _workbook(source.content), source.sheet)
    # Its rows come with the blank ones above the table, which may not begin in the first column either.
    first = (sheet.start or (0, 0))[0] + 1
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        texts = [_typed(cell) for cell in cells[-sheet.width :]]
        if number % BATCH == 0:
            source.position.share = min((number - first) / sheet.height, 1.0)
        if any(texts) and not (source.header and number == first):
            yield number, texts


def _typed(value: Any) -> str:
    """A cell as a person would type it: 0.3 for 0.30000000000000004, a date without the midnight behind it."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return as_text(value) if value.is_integer() else f"{value:.15g}"
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ").removesuffix(" 00:00:00")
    return as_text(value)


def _workbook(content: Content) -> calamine.CalamineWorkbook:
    data = read_whole(content)
    if not data.startswith(OLE):
        _check_parts(content.name, data)
    try:
        return calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    except calamine.PasswordError:
        raise UserError(locked(content.name)) from None
    except calamine.CalamineError:
        if data.startswith(OLE) and "EncryptedPackage".encode("utf-16-le") in data:
            raise UserError(locked(content.name)) from None
        raise _not_whole(content.name, "spreadsheet") from None


def _sheet(content: Content, book: calamine.CalamineWorkbook, name: str) -> calamine.CalamineSheet:
    try:
        return book.get_sheet_by_name(name)
    except calamine.CalamineError:
        raise _not_whole(content.name, "spreadsheet") from None


def locked(name: str) -> str:
    return f"{name} is locked with a password. Open it, save it without one and choose it again."


def _check_parts(name: str, data: bytes) -> None:
    """Unpack each part once, piece by piece, so that only a workbook that is whole and fits is laid out in memory."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if any(entry.flag_bits & 1 for entry in entries):
                raise UserError(locked(name))
            size = sum(entry.file_size for entry in entries)
            check_expansion(name, size, len(data))
            if size > LARGEST_SHEET:
                raise UserError(f"{name} is too large for a spreadsheet reader. Save the sheet as CSV first.")
            for entry in entries:
                _check_part(name, archive, entry)
    except (*FAILURES, EOFError, OSError, ValueError):
        raise Broken(damaged(name)) from None


def _check_part(name: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    widest, last = b"Z", 0
    with archive.open(entry) as part:
        while piece := part.read(2**20):
            widest = max([widest, *WIDE_CELL.findall(piece)], key=lambda letters: (len(letters), letters))
            last = max([last, *map(int, LAST_ROW.findall(piece)[-1:])])
    if last * _column_number(widest) > MOST_CELLS:
        raise UserError(
            f"{name} has {last:,} rows and {_column_number(widest):,} columns, too large a sheet to be read. "
            "Delete what is far from the table, or save it as CSV."
        )


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - ord("A") + 1
    return number
