"""From bytes to lines of text: finds the encoding, decodes as a stream, refuses what is no text."""

from __future__ import annotations

import codecs
import io
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from charset_normalizer import from_bytes

from ulmfit_core.data.containers import Broken, Content, opened
from ulmfit_core.errors import UserError

HEAD_BYTES = 256 * 1024
BLOCK = 64 * 1024
# A longer line is no line of text: some other kind of file, or one whose line ends are lost.
LINE_LIMIT = 16 * 1024 * 1024
BOMS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
CONTROLS = bytes(set(range(32)) - {9, 10, 11, 12, 13, 27})
WIDE_CONTROLS = CONTROLS.decode("ascii")
WESTERN_SHARE = 0.05
# So many characters of UTF-8 for each stray byte make a file UTF-8 that was glued together.
NEARLY = 4
BEYOND = re.compile(r"[^\x00-\x7f]")
# Fewer zeros than this are damage in a text; more are another kind of file.
STRAY_ZEROS = 0.01


@dataclass
class Position:
    """How far a file has been read, from 0 to 1; the reader sets it, the progress bar asks it.

    `odd_rows` counts lines with bytes that are no UTF-8, of which `first_odd` is the first.
    """

    share: float = 0.0
    odd_rows: int = 0
    first_odd: int = 0


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    # Files glued together from several sources mix encodings; the stray bytes are nearly always Windows ones.
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


class _Strays(threading.local):
    """How many bytes that are no UTF-8 the thread has met."""

    count = 0


STRAYS = _Strays()
# They stand in the text as halves of characters until the line that holds them is known.
WINDOWS = {0xDC00 + byte: bytes([byte]).decode("cp1252", "replace") for byte in range(128, 256)}


def _as_half(error: UnicodeError) -> tuple[str, int]:
    STRAYS.count += 1
    found, end = codecs.lookup_error("surrogateescape")(error)
    return str(found), end


codecs.register_error("ulmfit-stray", _as_half)
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
    if _decodes(head, "utf-8") or _is_nearly_utf8(head):
        return "utf-8"
    return _eight_bit(name, head)


def binary(name: str) -> str:
    return f"{name} holds binary data, not text. Choose a table (CSV, Excel), JSON, Parquet, database or text file."


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


def _is_nearly_utf8(head: bytes) -> bool:
    """Whether most of what is not ASCII is UTF-8; by chance few bytes of another encoding are."""
    beyond = BEYOND.findall(head.decode("utf-8", "surrogateescape"))
    strays = sum(ord(character) in WINDOWS for character in beyond)
    return len(beyond) - strays > NEARLY * strays


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
    return chain.from_iterable(_blocks(content, encoding, position))


def _blocks(content: Content, encoding: str, position: Position) -> Iterator[Iterable[str]]:
    """The lines, some at a time, so that what is done for each of them is done by C code."""
    number, ended, before = 0, True, STRAYS.count
    with opened(content) as (stream, share):
        watched: Any = _Watched(stream)
        text = io.TextIOWrapper(watched, encoding=encoding, errors=_errors(encoding), newline="")
        while lines := text.readlines(BLOCK):
            position.share = share()
            sound = not watched.suspect and STRAYS.count == before
            yield lines if sound else _looked_through(content.name, lines, number, watched.endless, position)
            number, ended = number + len(lines), lines[-1].endswith(("\n", "\r"))
        if watched.broken:
            raise UserError(f"{watched.broken} Its last whole line is {number - (not ended):,}.")
    position.share = 1.0


def _errors(encoding: str) -> str:
    return "ulmfit-stray" if encoding.startswith("utf-8") else "replace"


class _Watched(io.BufferedIOBase):
    """The bytes of a stream, which ends where it is `broken` or a line is `endless`.

    `suspect` once a zero byte has passed or a line is endless: whole blocks are looked at, since looking at each line
    would take as long as parsing it.
    """

    def __init__(self, stream: Any):
        self._stream, self._length = stream, 0
        self.suspect = self.endless = False
        self.broken: Broken | None = None

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1) -> bytes:
        if self.endless or self.broken:
            return b""
        data = self._read(size)
        ended = b"\n" in data or b"\r" in data
        self._length = 0 if ended else self._length + len(data)
        self.endless = self._length >= LINE_LIMIT
        self.suspect = self.suspect or self.endless or b"\0" in data
        return data

    def _read(self, size: int) -> bytes:
        try:
            data: bytes = self._stream.read1(size)
        except Broken as error:
            self.broken = error
            return b""
        return data


def _looked_through(name: str, lines: list[str], before: int, endless: bool, position: Position) -> Iterator[str]:
    """The lines, mended. Raises UserError at one that holds a zero byte and, where it is `endless`, at the last."""
    for number, line in enumerate(lines, start=before + 1):
        if "\0" in line or (endless and number == before + len(lines)):
            raise UserError(_bad_line(name, number, line))
        if _is_whole(line):
            yield line
            continue
        position.odd_rows += 1
        position.first_odd = position.first_odd or number
        yield line.translate(WINDOWS)


def _is_whole(line: str) -> bool:
    """Whether each byte of it was a character."""
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


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
