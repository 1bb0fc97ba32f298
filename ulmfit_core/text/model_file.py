"""SentencePiece's model file with pieces added or left out, without its protocol-buffer library.

Such a file is a row of records: a byte that tells the field, the record's length, its content. Pieces are the field
PIECE, and stand in the order of their ids; within a piece, text and score have fields of their own.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterable, Iterator

PIECE, TRAINER, NORMALIZER = 0x0A, 0x12, 0x1A
TEXT, SCORE = 0x0A, 0x15
# In the normalizer's record: a compiled table of characters to be replaced. This program learns without one.
TABLE = 0x12
MOST_PIECES = 1_000_000


def check(content: bytes) -> None:
    """Raise ValueError for what no model of this program has.

    That is above all a table of characters, which SentencePiece walks through without looking where it ends.
    """
    records = list(_records(content))
    pieces = sum(field == PIECE for field, _ in records)
    if not 0 < pieces <= MOST_PIECES:
        raise ValueError(f"it has {pieces:,} pieces")
    for field, record in records:
        if field not in (PIECE, TRAINER, NORMALIZER):
            raise ValueError("it has parts that no vocabulary of this program has")
        if field == NORMALIZER and any(inner == TABLE and len(part) > 2 for inner, part in _fields(record)):
            raise ValueError("it replaces characters by a table of its own")


def with_pieces(content: bytes, pieces: Iterable[tuple[str, float]]) -> bytes:
    """The model with more pieces (text, score) behind its own: readers take a field's records wherever they stand."""
    return content + b"".join(_record(PIECE, _piece(text, score)) for text, score in pieces)


def with_only(content: bytes, ids: Container[int]) -> bytes:
    """The model without the pieces whose id is not in `ids`; those that stay move up."""
    kept = []
    piece = 0
    for field, record in _records(content):
        if field != PIECE or piece in ids:
            kept.append(record)
        piece += field == PIECE
    return b"".join(kept)


def _piece(text: str, score: float) -> bytes:
    return _record(TEXT, text.encode()) + bytes([SCORE]) + struct.pack("<f", score)


def _record(field: int, content: bytes) -> bytes:
    length, size = b"", len(content)
    while size >= 0x80:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([field]) + length + bytes([size]) + content


def _records(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Each record of the outermost level with its field. Raises ValueError for one that reaches beyond the end."""
    at = 0
    while at < len(content):
        begin = at
        length, at = _number(content, at + 1)
        at += length
        if at > len(content):
            raise ValueError("it is cut short")
        yield content[begin], content[begin:at]


def _fields(record: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields inside a record, which may be of any type. Raises ValueError where they do not fill it."""
    _, at = _number(record, 1)
    while at < len(record):
        begin, kind = at, record[at] & 7
        length, at = _number(record, at + 1) if kind in (0, 2) else ({1: 8, 5: 4}.get(kind, len(record)), at + 1)
        at += 0 if kind == 0 else length
        if at > len(record):
            raise ValueError("it is cut short")
        yield record[begin], record[begin:at]


def _number(content: bytes, at: int) -> tuple[int, int]:
    """A number in groups of seven bits, and where it ends. Raises ValueError for one that has no end."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            break
        number |= (content[at] & 0x7F) << shift
        at += 1
        if content[at - 1] < 0x80:
            return number, at
    raise ValueError("it is cut short")
