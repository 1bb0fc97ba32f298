"""From bytes to lines of text: finds the encoding, decodes as a stream, refuses what is no text."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from charset_normalizer import from_bytes

from ulmfit_core.data.containers import Broken, Content, opened
from ulmfit_core.errors import UserError

HEAD_BYTES = 256 * 1024
# A longer line is no line of text: some other kind of file, or one whose line ends are lost.
LINE_LIMIT = 16 * 1024 * 1024
BOMS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
CONTROLS = bytes(set(range(32)) - {9, 10, 11, 12, 13, 27})
WIDE_CONTROLS = CONTROLS.decode("ascii")
WESTERN_SHARE = 0.05
# Fewer zeros than this are damage in a text; more are another kind of file.
STRAY_ZEROS = 0.01


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


def head_bytes(content: Content) -> bytes:
    """The first 256 KB, unpacked. Raises UserError for an empty file, or one that cannot be read or unpacked."""
    try:
        with opened(content) as (stream, _):
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        raise UserError(f"{content.path} cannot be read: {error.strerror or error}.") from None
    if not head.strip():
        raise UserError(empty(content.name))
    return head


def empty(name: str) -> str:
    return f"{name} is empty. Choose a file with at least a few rows of text."


def find_encoding(name: str, head: bytes, wanted: str = "auto") -> str:
    """A Python codec for the file. Raises UserError for binary data or an unknown encoding's name."""
    if wanted != "auto":
        return _checked(name, head, wanted)
    for mark, encoding in BOMS.items():
        if head.startswith(mark):
            return encoding
    if head.count(0) >= STRAY_ZEROS * len(head):
        return _wide(name, head)
    if len(head.translate(None, CONTROLS)) < 0.99 * len(head):
        raise UserError(binary(name))
    if _decodes(head, "utf-8"):
        return "utf-8"
    return _eight_bit(name, head)


def binary(name: str) -> str:
    return f"{name} holds binary data, not text. Choose a CSV, TSV, JSON lines, Parquet or text file."


def _checked(name: str, head: bytes, wanted: str) -> str:
    try:
        codec = codecs.lookup(wanted)
        b"".decode(wanted)
    except (LookupError, ValueError):
        raise UserError(f"There is no encoding “{wanted}”. Try utf-8, latin-1 or auto.") from None
    if head.count(0) >= max(1, STRAY_ZEROS * len(head)) and not codec.name.startswith(("utf-16", "utf-32")):
        raise UserError(binary(name))
    if codec.name == "utf-8" and head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    return codec.name


def _wide(name: str, head: bytes) -> str:
    # Mostly Latin text in UTF-16 without a mark has its zeros on one side of each pair.
    even, odd = head[::2].count(0), head[1::2].count(0)
    for encoding, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros > 0.3 * len(head) / 2 and others < 0.01 * len(head) / 2 and _readable(head, encoding):
            return encoding
    raise UserError(binary(name))


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


def _eight_bit(name: str, head: bytes) -> str:
    # Few bytes beyond ASCII mean a Western language, for which guessing by frequency errs more than cp1252.
    beyond = sum(byte > 127 for byte in head)
    if beyond < WESTERN_SHARE * len(head):
        return "cp1252" if _decodes(head, "cp1252") else "latin-1"
    best = from_bytes(head[: 32 * 1024]).best()
    if best is None:
        raise UserError(binary(name))
    return best.encoding


def decode_errors(encoding: str) -> str:
    """How bytes are read that do not fit: as Windows characters in UTF-8, else as the sign for the unreadable."""
    return "ulmfit-cp1252" if encoding.startswith("utf-8") else "replace"


def read_lines(content: Content, encoding: str, position: Position) -> Iterator[str]:
    """The lines with their ends, keeping `position`. Bytes that do not fit are read as Windows characters.

    Raises UserError with the line where a packed file breaks off, and for a zero byte and an endless line.
    """
    number = 0
    with opened(content) as (stream, share):
        text = io.TextIOWrapper(stream, encoding=encoding, errors=decode_errors(encoding), newline="")
        try:
            for number, line in enumerate(iter(partial(text.readline, LINE_LIMIT), ""), start=1):
                if number % 500 == 0:
                    position.share = share()
                if "\0" in line or len(line) == LINE_LIMIT:
                    raise UserError(_bad_line(content.name, number, line))
                yield line
        except Broken as error:
            raise UserError(f"{error} Its last whole line is {number:,}.") from None
        finally:
            text.detach()
    position.share = 1.0


def _bad_line(name: str, number: int, line: str) -> str:
    if "\0" in line:
        return f"{name} is damaged: row {number:,} holds a zero byte, which no text has. Mend that row."
    limit = LINE_LIMIT // 2**20
    return f"{name}: row {number:,} is longer than {limit} MB. Is it text? Break that line up or leave it out."


def decode_whole(name: str, data: bytes, wanted: str = "auto") -> str:
    """The text of one small file. Raises UserError like `find_encoding`, and for an empty file and zero bytes."""
    if not data.strip():
        raise UserError(empty(name))
    encoding = find_encoding(name, data[:HEAD_BYTES], wanted)
    text = data.decode(encoding, decode_errors(encoding))
    if "\0" in text:
        raise UserError(_bad_line(name, text[: text.index("\0")].count("\n") + 1, text))
    return text
