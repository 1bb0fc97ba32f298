"""Opens Arrow files that anyone may have made. Arrow trusts the lengths and places in them: they are checked first."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pyarrow as pa

from ulmfit_core import reading

MAGIC = b"ARROW1\0\0"
# What a column may grow to when it is unpacked: so many times the file, and so many bytes besides.
MOST_GROWTH, MOST_UNPACKED = 100, 128 * 2**20


def opened(path: Path) -> pa.Table:
    """A memory-mapped file as a table. Raises OSError or ValueError where it is damaged or unpacks to far too much."""
    try:
        with pa.memory_map(str(reading.plain(path))) as mapped:
            content = mapped.read_buffer()
        if _unpacked(content) > MOST_GROWTH * content.size + MOST_UNPACKED:
            raise ValueError("it would take far more memory than answers do")
        return pa.ipc.open_file(content).read_all()
    except (pa.ArrowException, MemoryError, struct.error) as error:
        raise ValueError(str(error)) from None


def _unpacked(content: pa.Buffer) -> int:
    """The bytes that the compressed columns of a file say they will take; Arrow would ask for as many."""
    total = 0
    for message in pa.ipc.MessageReader.open_stream(content.slice(len(MAGIC))):
        if message.type == "dictionary":
            raise ValueError("it has a dictionary, which no file of this program has")
        batch = _batch(message.metadata.to_pybytes()) if message.type == "record batch" else []
        for at, length in batch:
            total += max(0, *struct.unpack_from("<q", message.body, at)) if length else 0
    return total


def _batch(record: bytes) -> list[tuple[int, int]]:
    """(place, length) of the buffers of a compressed record batch, from its flatbuffer (Arrow's Message.fbs)."""
    header = _field(record, struct.unpack_from("<I", record)[0], 2)
    batch = header + struct.unpack_from("<I", record, header)[0] if header else 0
    if not batch or not _field(record, batch, 3):  # which is its compression
        return []
    buffers = _field(record, batch, 2)
    begin = buffers + struct.unpack_from("<I", record, buffers)[0]
    (count,) = struct.unpack_from("<I", record, begin)
    return list(struct.iter_unpack("<qq", record[begin + 4 : begin + 4 + 16 * count]))


def _field(record: bytes, table: int, number: int) -> int:
    """Where a field of a flatbuffer's table stands; 0 where it is absent."""
    fields = table - struct.unpack_from("<i", record, table)[0]
    if 4 + 2 * number >= struct.unpack_from("<H", record, fields)[0]:
        return 0
    place = struct.unpack_from("<H", record, fields + 4 + 2 * number)[0]
    return table + place if place else 0


def check(table: pa.Table, columns: dict[str, pa.DataType]) -> None:
    """Raises ValueError where a column is missing, is there twice, has another type, or cells that are missing or lie
    elsewhere. Texts themselves are not looked at: they would have to be read from disk for that."""
    try:
        table.validate()
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None
    for name, kind in columns.items():
        if table.column_names.count(name) != 1 or not _alike(table.schema.field(name).type, kind):
            raise ValueError(f"it has no column “{name}” of the type {kind}")
        for chunk in table.column(name).chunks:
            _check(chunk, name)


def _alike(kind: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether a type is the one wanted; earlier versions wrote texts of at most 2 GB in some places."""
    return kind == wanted or (wanted == pa.large_string() and kind == pa.string())


def _check(array: pa.Array, name: str) -> None:
    if array.null_count:
        raise ValueError(f"a cell of the column “{name}” is missing")
    if pa.types.is_fixed_size_list(array.type):
        _check(array.flatten(), name)
    elif pa.types.is_list(array.type):
        _check_offsets(array, np.int32, len(array.values), name)
        _check(array.values, name)
    elif pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        text = array.buffers()[2]
        _check_offsets(array, np.int32 if pa.types.is_string(array.type) else np.int64, text.size if text else 0, name)


def _check_offsets(array: pa.Array, kind: type[np.generic], size: int, name: str) -> None:
    """Where each cell begins, and the last one ends, in the values."""
    if not len(array):
        return
    places = np.frombuffer(array.buffers()[1], kind)[array.offset : array.offset + len(array) + 1]
    if len(places) <= len(array) or places[0] < 0 or places[-1] > size or bool((np.diff(places) < 0).any()):
        raise ValueError(f"cells of the column “{name}” lie outside of the file")
