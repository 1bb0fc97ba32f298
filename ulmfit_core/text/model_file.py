"""SentencePiece's model file with pieces added or left out, without its protocol-buffer library.

Such a file is a row of records: a byte that tells the field, the record's length, its content. Pieces are the field
PIECE, and stand in the order of their ids; within a piece, text and score have fields of their own.
"""

from __future__ import annotations

import struct
from collections.abc import Container, Iterable, Iterator

PIECE = 0x0A
TEXT, SCORE = 0x0A, 0x15


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
    """Each record of the outermost level with its field."""
    at = 0
    while at < len(content):
        begin, length, shift, more = at, 0, 0, True
        at += 1
        while more:
            length |= (content[at] & 0x7F) << shift
            more, shift, at = content[at] >= 0x80, shift + 7, at + 1
        at += length
        yield content[begin], content[begin:at]
