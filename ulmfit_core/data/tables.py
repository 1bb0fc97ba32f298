"""Reads tables that programs keep: Parquet, Arrow and Feather, SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from ulmfit_core.data.containers import Content, read_whole
from ulmfit_core.data.encodings import empty
from ulmfit_core.data.formats import BadRow, Record, Source
from ulmfit_core.errors import UserError

BATCH = 1000
MOST_DIGITS = 40
SQLITE = b"SQLite format 3\0"
ARROW = b"ARROW1"
PARQUET = b"PAR1"


def as_text(value: Any) -> str:
    """A cell as a person would type it: 1.0 as "1", nothing for a missing value."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal):
        return _plain(value)
    return value.decode("utf-8", "ulmfit-cp1252") if isinstance(value, bytes) else str(value)


def _plain(value: Decimal) -> str:
    """All digits, unless it is too large or small to be written out."""
    if abs(value.adjusted()) > MOST_DIGITS:
        return str(value)
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def not_whole(name: str, kind: str) -> UserError:
    return UserError(f"{name} is not a whole {kind} file. Fetch or write it again.")


def _with_rows(source: Source, rows: Any) -> Source:
    if not rows:
        raise UserError(empty(source.name))
    return source


# Parquet and Arrow


def _handle(content: Content) -> Any:
    """What pyarrow reads from: the path of a file, or the bytes of what lies inside another one."""
    if content.packed or content.member:
        return pa.BufferReader(read_whole(content))
    return str(content.path)


def inspect_parquet(content: Content, sheet: str) -> Source:
    try:
        facts = pq.read_metadata(_handle(content))
        return _with_rows(Source(content, "parquet", facts.schema.to_arrow_schema().names), facts.num_rows)
    except (pa.ArrowException, OSError, ValueError):
        raise not_whole(content.name, "Parquet") from None


def read_parquet(source: Source) -> Iterator[Record | BadRow]:
    """Records of a Parquet file, numbered from 1. Raises UserError where it is damaged."""
    try:
        file = pq.ParquetFile(_handle(source.content))
        for number, cells in _numbered(file.iter_batches(BATCH)):
            source.position.share = number / file.metadata.num_rows
            yield number, cells
    except (pa.ArrowException, OSError, ValueError):
        raise not_whole(source.name, "Parquet") from None


def _numbered(batches: Iterator[pa.RecordBatch]) -> Iterator[Record]:
    number = 0
    for batch in batches:
        for cells in zip(*map(_values, batch.columns)):
            number += 1
            yield number, [as_text(cell) for cell in cells]


def _values(column: pa.Array) -> list[Any]:
    """The cells of a column; nanoseconds, which Python's dates cannot hold, as text."""
    exact = pa.types.is_temporal(column.type) and str(getattr(column.type, "unit", "")) == "ns"
    values: list[Any] = (column.cast(pa.string()) if exact else column).to_pylist()
    return values


def _arrow_file(content: Content) -> pa.RecordBatchFileReader:
    handle = _handle(content)
    return pa.ipc.open_file(pa.memory_map(handle) if isinstance(handle, str) else handle)


def inspect_arrow(content: Content, sheet: str) -> Source:
    try:
        file = _arrow_file(content)
        rows = any(file.get_batch(number).num_rows for number in range(file.num_record_batches))
        return _with_rows(Source(content, "arrow", file.schema.names), rows)
    except (pa.ArrowException, OSError, ValueError):
        raise not_whole(content.name, "Arrow") from None


def read_arrow(source: Source) -> Iterator[Record | BadRow]:
    """Records of an Arrow or Feather file, numbered from 1. Raises UserError where it is damaged."""
    try:
        yield from _numbered(_arrow_batches(source))
    except (pa.ArrowException, OSError, ValueError):
        raise not_whole(source.name, "Arrow") from None


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
        raise not_whole(content.name, "SQLite") from None
    finally:
        connection.close()


def _check_pages(name: str, head: bytes, size: int) -> None:
    """Raise where a file has fewer pages than its head says: SQLite reads what is missing as empty."""
    page_size, changes, pages, valid_for = (
        int.from_bytes(head[start:end], "big") for start, end in ((16, 18), (24, 28), (28, 32), (92, 96))
    )
    if changes == valid_for and size < pages * (65536 if page_size == 1 else page_size):
        raise not_whole(name, "SQLite")


def _check_not_in_use(content: Content) -> None:
    log = content.path.with_name(f"{content.path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise UserError(f"{content.name} is in use by another program. Close it there first.")


def table_names(content: Content) -> list[str]:
    """The tables of a database. Raises UserError where it is damaged."""
    with _database(content) as connection:
        return _tables(connection)


def _tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND rootpage > 0"
    )
    return [name for (name,) in found]


def inspect_sqlite(content: Content, sheet: str) -> Source:
    with _database(content) as connection:
        table = chosen(content, _tables(connection), sheet, "table")
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({_quoted(table)})")]
        rows = connection.execute(f"SELECT 1 FROM {_quoted(table)} LIMIT 1").fetchone()
    return _with_rows(Source(content, "sqlite", columns, sheet=table), rows)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def chosen(content: Content, names: list[str], sheet: str, kind: str) -> str:
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
