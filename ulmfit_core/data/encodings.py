"""From the bytes of a file to lines of text: unpacks, finds the encoding, decodes as a stream."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from charset_normalizer import from_bytes

from ulmfit_core.errors import UserError

HEAD_BYTES = 256 * 1024
PACKED: dict[str, Callable[..., Any]] = {".xz": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}
DAMAGED = (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile)
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
CONTROLS = bytes(set(range(32)) - {9, 10, 11, 12, 13, 27})
WIDE_CONTROLS = CONTROLS.decode("ascii")
WESTERN_SHARE = 0.05


@dataclass
class Position:
    """How far a file has been read, from 0 to 1; the reader sets it, the progress bar asks it."""

    share: float = 0.0


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    # Files glued together from several sources mix encodings; the stray bytes are nearly always Windows ones.
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("ulmfit-cp1252", _as_cp1252)


def suffix(path: Path) -> str:
    """The ending in lower case, looked up under .xz, .gz and .bz2: `a.csv.xz` has `.csv`."""
    plain = path.with_suffix("") if path.suffix.lower() in PACKED else path
    return plain.suffix.lower()


def head_bytes(path: Path) -> bytes:
    """The first 256 KB, unpacked. Raises UserError for a missing, empty, damaged or binary file."""
    if not path.exists():
        raise UserError(f"There is no file {path}. Check the name and the folder.")
    try:
        with path.open("rb") as raw:
            head = _unpacked(path, raw).read(HEAD_BYTES)
    except DAMAGED:
        raise UserError(damaged(path)) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from None
    if not head.strip():
        raise UserError(f"{path.name} is empty. Choose a file with at least a few rows of text.")
    return head


def damaged(path: Path) -> str:
    return f"{path.name} is damaged and cannot be unpacked. Fetch or pack the file again."


def find_encoding(path: Path, head: bytes, wanted: str = "auto") -> str:
    """A Python codec for the file. Raises UserError for binary data or an unknown encoding's name."""
    if wanted != "auto":
        return _checked(path, head, wanted)
    for mark, name in BOMS.items():
        if head.startswith(mark):
            return name
    if b"\0" in head:
        return _wide(path, head)
    if len(head.translate(None, CONTROLS)) < 0.99 * len(head):
        raise UserError(binary(path))
    if _decodes(head, "utf-8"):
        return "utf-8"
    return _eight_bit(path, head)


def binary(path: Path) -> str:
    kind = " It looks like an Excel workbook: save it as CSV first." if path.suffix.lower() in (".xlsx", ".xls") else ""
    return f"{path.name} holds binary data, not text. Choose a CSV, TSV, JSON lines, Parquet or text file.{kind}"


def _checked(path: Path, head: bytes, wanted: str) -> str:
    try:
        codec = codecs.lookup(wanted)
    except LookupError:
        raise UserError(f"There is no encoding “{wanted}”. Try utf-8, latin-1 or auto.") from None
    if b"\0" in head and not codec.name.startswith(("utf-16", "utf-32")):
        raise UserError(binary(path))
    if codec.name == "utf-8" and head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    return codec.name


def _wide(path: Path, head: bytes) -> str:
    # Mostly Latin text in UTF-16 without a mark has its zeros on one side of each pair.
    even, odd = head[::2].count(0), head[1::2].count(0)
    for name, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros > 0.3 * len(head) / 2 and others < 0.01 * len(head) / 2 and _readable(head, name):
            return name
    raise UserError(binary(path))


def _decodes(head: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _readable(head: bytes, encoding: str) -> bool:
    if not _decodes(head, encoding):
        return False
    text = codecs.getincrementaldecoder(encoding)().decode(head)
    return sum(character in WIDE_CONTROLS for character in text) < 0.01 * len(text)


def _eight_bit(path: Path, head: bytes) -> str:
    # Few bytes beyond ASCII mean a Western language, for which guessing by frequency errs more than cp1252.
    beyond = sum(byte > 127 for byte in head)
    if beyond < WESTERN_SHARE * len(head):
        return "cp1252" if _decodes(head, "cp1252") else "latin-1"
    best = from_bytes(head[: 32 * 1024]).best()
    if best is None:
        raise UserError(binary(path))
    return best.encoding


def read_lines(path: Path, encoding: str, position: Position) -> Iterator[str]:
    """The lines with their ends, keeping `position`. Bytes that do not fit are read as Windows characters.

    Raises UserError where a packed file is damaged.
    """
    size = max(path.stat().st_size, 1)
    with path.open("rb") as raw:
        errors = "ulmfit-cp1252" if encoding.startswith("utf-8") else "replace"
        text = io.TextIOWrapper(_unpacked(path, raw), encoding=encoding, errors=errors, newline="")
        try:
            for number, line in enumerate(text):
                if number % 500 == 0:
                    position.share = raw.tell() / size
                yield line
        except DAMAGED:
            raise UserError(damaged(path)) from None
    position.share = 1.0


def read_whole(path: Path) -> str:
    """The text of one small file. Raises UserError like `head_bytes` and `find_encoding`."""
    encoding = find_encoding(path, head_bytes(path))
    return "".join(read_lines(path, encoding, Position()))


def _unpacked(path: Path, raw: BinaryIO) -> BinaryIO:
    unpack = PACKED.get(path.suffix.lower())
    unpacked: BinaryIO = unpack(raw) if unpack else raw
    return unpacked
