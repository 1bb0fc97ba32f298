"""Opens what lies inside a file: unpacks gz, xz, bz2 and zst as streams, finds the members of zip, tar and folders.

What a file is follows from its first bytes, never from its ending. Nothing is ever unpacked to disk and no link is
followed, so that no path of an archive can lead out of it. Memory does not grow with what is unpacked.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import zstandard

from ulmfit_core.errors import UserError

# More than this is unpacked only as long as each packed byte gives at most RATIO; nothing is unpacked beyond LARGEST.
FREE_BYTES = 32 * 2**20
RATIO = 200
LARGEST = 64 * 2**30
# What has to be in memory as a whole because its reader jumps about in it, such as a packed workbook.
WHOLE_BYTES = 256 * 2**20
BLOCK = 512
DROPPINGS = {"__MACOSX", "Thumbs.db", "desktop.ini"}
PACKED_ENDINGS = (".gz", ".xz", ".bz2", ".zst")
FAILURES = (zlib.error, lzma.LZMAError, zstandard.ZstdError, zipfile.BadZipFile, NotImplementedError, RuntimeError)


class Broken(UserError):
    """A packed file or archive that is cut short or damaged."""


class Zstd(io.RawIOBase):
    """The frames of a zst file as a stream; the package's own stream takes a file that is cut off for one that ends.

    Raises EOFError for a file that is cut off and ZstdError for a damaged one.
    """

    # A kilobyte of zst holds at most 32 MB.
    CHUNK = 1024

    def __init__(self, packed: BinaryIO):
        self._packed = packed
        self._frame: Any = None
        self._rest = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and self._advance():
            pass
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _advance(self) -> bool:
        chunk = self._rest or self._packed.read(self.CHUNK)
        self._rest = b""
        if not chunk and self._frame is not None:
            raise EOFError
        if chunk:
            self._frame = self._frame or zstandard.ZstdDecompressor().decompressobj()
            self._ready = memoryview(self._frame.decompress(chunk))
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
        return bool(chunk)


PACKERS: tuple[tuple[re.Pattern[bytes], Callable[[Any], Any]], ...] = (
    (re.compile(rb"\x1f\x8b"), gzip.open),
    (re.compile(rb"\xfd7zXZ\x00"), lzma.open),
    (re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), bz2.open),
    (re.compile(rb"\x28\xb5\x2f\xfd"), Zstd),
)


class Unpacked(io.RawIOBase):
    """Bytes out of a packed stream, counted against the bound on expansion.

    Raises Broken where the stream is cut short or damaged, UserError where it grows beyond all measure.
    """

    def __init__(self, name: str, stream: Any, spent: Callable[[], int]):
        self._name, self._stream, self._spent, self._size = name, stream, spent, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except (EOFError, tarfile.TarError):
            raise Broken(cut_short(self._name)) from None
        except FAILURES:
            raise Broken(damaged(self._name)) from None
        except OSError as error:
            if error.errno is not None:
                raise
            raise Broken(damaged(self._name)) from None
        buffer[: len(data)] = data
        self._size += len(data)
        check_expansion(self._name, self._size, self._spent())
        return len(data)


def cut_short(name: str) -> str:
    return f"{name} is cut short: it ends before its content does. Fetch or pack the file again."


def damaged(name: str) -> str:
    return f"{name} is damaged and cannot be unpacked. Fetch or pack the file again."


def check_expansion(name: str, size: int, packed: int) -> None:
    """Raise UserError where `packed` bytes gave so many that no text can be in them."""
    if size > LARGEST or (size > FREE_BYTES and size > RATIO * max(packed, 1)):
        raise UserError(
            f"{name} unpacks to more than {RATIO} times its size, or beyond {LARGEST // 2**30} GB, which no text does. "
            "It is not read further; if it is right, unpack it yourself and choose what was in it."
        )


@dataclass(frozen=True)
class Content:
    """Bytes that can be read again and again: a file, what is packed in it, or a member of an archive.

    `archive` is zip, tar or folder for what has members and for the members themselves, else empty. `packed` says
    that the file on disk is not those bytes themselves.
    """

    path: Path
    archive: str = ""
    member: str = ""
    packed: bool = False

    @property
    def name(self) -> str:
        """The name for people: the file, and behind a slash the member."""
        return f"{self.path.name}/{self.member}" if self.member else self.path.name

    @property
    def suffix(self) -> str:
        """The ending in lower case, looked up under that of the packing: `a.csv.xz` has `.csv`."""
        return ending(self.member or self.path.name)


class Opened(NamedTuple):
    """A stream, and how far the file on disk is read in it, from 0 to 1."""

    stream: BinaryIO
    share: Callable[[], float]


class Member(NamedTuple):
    """A file in an archive or folder; `fault` says why it is never opened. `open` works until the next one comes."""

    name: str
    size: int
    fault: str
    open: Callable[[], BinaryIO]


def ending(name: str) -> str:
    stem, last = os.path.splitext(name.lower())
    return os.path.splitext(stem)[1] if last in PACKED_ENDINGS else last


def look(path: Path) -> Content:
    """What a file is by its first bytes. Raises UserError where it is missing, empty or cannot be read."""
    if path.is_dir():
        return Content(path, "folder")
    if not path.exists():
        raise UserError(f"There is no file {path}. Check the name and the folder.")
    try:
        with path.open("rb") as raw:
            stream, packed = _unpacked(raw, path.name, raw.tell)
            return Content(path, _archive_kind(stream.read(BLOCK)), packed=packed)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from None


def _unpacked(stream: Any, name: str, spent: Callable[[], int]) -> tuple[BinaryIO, bool]:
    """The stream, or what is packed in it, and whether something is."""
    first = stream.peek(16)[:16]
    for magic, unpack in PACKERS:
        if magic.match(first):
            return io.BufferedReader(Unpacked(name, unpack(stream), spent), 64 * 1024), True
    return stream, False


def _archive_kind(head: bytes) -> str:
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return "zip"
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return ""
    return "tar"


@contextmanager
def opened(content: Content) -> Iterator[Opened]:
    """The unpacked bytes of a file or member. Raises Broken and UserError like `Unpacked`, while it is read too."""
    if content.member and content.archive != "folder":
        with _opened_member(content) as inner:
            yield inner
        return
    path = content.path / content.member
    with path.open("rb") as raw:
        size = max(path.stat().st_size, 1)
        yield Opened(_unpacked(raw, content.name, raw.tell)[0], lambda: raw.tell() / size)


@contextmanager
def _opened_member(content: Content) -> Iterator[Opened]:
    with walking(replace(content, member="")) as (members, share):
        member = next((member for member in members if member.name == content.member), None)
        if member is None:
            raise UserError(f"{content.path.name} has no member “{content.member}”. Choose the file again.")
        yield Opened(_unpacked(member.open(), content.name, lambda: member.size)[0], share)


def read_whole(content: Content, limit: int = WHOLE_BYTES) -> bytes:
    """All bytes. Raises UserError beyond `limit`."""
    pieces, size = list[bytes](), 0
    with opened(content) as (stream, _):
        while size <= limit and (piece := stream.read(2**20)):
            pieces.append(piece)
            size += len(piece)
    if size > limit:
        raise UserError(
            f"{content.name} is larger than {limit // 2**20} MB unpacked, too large to be read inside "
            "its package. Unpack it and choose the file itself."
        )
    return b"".join(pieces)


# Members


@contextmanager
def walking(content: Content) -> Iterator[tuple[Iterator[Member], Callable[[], float]]]:
    """The members of an archive or folder in its order, and how far it is read. Raises Broken like `Unpacked`."""
    if content.archive == "folder":
        names = _file_names(content.path)
        passed = [0]
        yield _folder_members(content.path, names, passed), lambda: passed[0] / max(len(names), 1)
        return
    with opened(content) as (stream, share):
        if content.archive == "tar":
            yield _tar_members(content, stream), share
        else:
            yield _zip_members(content, io.BytesIO(read_whole(content)) if content.packed else stream), share


def members(content: Content, limit: int | None = None) -> list[Member]:
    """The members that are files, at most `limit`, without what a system leaves behind (.DS_Store, __MACOSX)."""
    kept = list[Member]()
    with walking(content) as (found, _):
        for member in found:
            if not is_dropping(member.name):
                kept.append(member)
            if limit and len(kept) >= limit:
                break
    return kept


def is_dropping(name: str) -> bool:
    parts = name.split("/")
    return any(part in DROPPINGS or (part.startswith(".") and part not in (".", "..")) for part in parts)


def _file_names(folder: Path) -> list[str]:
    names = list[str]()
    for where, folders, files in os.walk(folder):
        folders.sort()
        inside = Path(where).relative_to(folder).as_posix()
        names += [f"{inside}/{name}".removeprefix("./") for name in sorted(files)]
    return names


def _folder_members(folder: Path, names: list[str], passed: list[int]) -> Iterator[Member]:
    for name in names:
        passed[0] += 1
        path = folder / name
        fault = "" if path.is_file() else "not a file"
        yield Member(name, 0 if fault else path.stat().st_size, fault, partial(_open_file, path))


def _open_file(path: Path) -> BinaryIO:
    return path.open("rb")


def _zip_members(content: Content, stream: BinaryIO) -> Iterator[Member]:
    try:
        archive = zipfile.ZipFile(stream)
    except (*FAILURES, OSError, ValueError, EOFError, struct.error):
        raise Broken(
            f"{content.name} is cut short or damaged: its list of members cannot be read. Fetch it again."
        ) from None
    entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
    check_expansion(content.name, sum(entry.file_size for entry in entries), content.path.stat().st_size)
    for entry in entries:
        name = _clean(entry.filename)
        fault = _path_fault(name) or _zip_fault(entry)
        yield Member(name, entry.file_size, fault, partial(_open_entry, archive, entry, f"{content.name}/{name}"))


def _zip_fault(entry: zipfile.ZipInfo) -> str:
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "a link, which is never followed"
    return "locked with a password" if entry.flag_bits & 1 else ""


def _open_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> BinaryIO:
    try:
        stream = archive.open(entry)
    except (*FAILURES, OSError, EOFError):
        raise Broken(damaged(name)) from None
    return io.BufferedReader(Unpacked(name, stream, lambda: max(entry.compress_size, 1)))


class _Counted:
    """A stream that counts what is read from it."""

    def __init__(self, stream: BinaryIO):
        self._stream, self.size = stream, 0

    def read(self, count: int = -1) -> bytes:
        data = self._stream.read(count)
        self.size += len(data)
        return data


def _tar_members(content: Content, stream: BinaryIO) -> Iterator[Member]:
    counted: Any = _Counted(stream)
    try:
        with tarfile.open(fileobj=counted, mode="r|", bufsize=BLOCK * 20) as archive:
            while (entry := archive.next()) is not None:
                # It keeps the entries it has passed; a hundred thousand of them are not small.
                archive.members = []  # type: ignore[attr-defined]
                if not entry.isdir():
                    yield _tar_member(content, archive, entry)
            # An archive ends with blocks of zeros, which one that is cut between two members lacks.
            if counted.size < archive.offset + BLOCK:
                raise Broken(cut_short(content.name))
    except (tarfile.TarError, EOFError, ValueError, OverflowError, struct.error):
        raise Broken(cut_short(content.name)) from None


def _tar_member(content: Content, archive: tarfile.TarFile, entry: tarfile.TarInfo) -> Member:
    name = _clean(entry.name)
    fault = _path_fault(name)
    if entry.issym() or entry.islnk():
        fault = fault or "a link, which is never followed"
    elif not entry.isreg():
        fault = fault or "a device, not a file"

    def open_entry() -> BinaryIO:
        # Counted at its own size: the expansion of the whole stream is watched below it.
        return io.BufferedReader(Unpacked(f"{content.name}/{name}", archive.extractfile(entry), lambda: entry.size))

    return Member(name, entry.size, fault, open_entry)


def _clean(name: str) -> str:
    """A member's name with slashes, without "./" before it and without what is no Unicode."""
    text = name.replace("\\", "/").encode("utf-8", "replace").decode("utf-8")
    return text.removeprefix("./")


def _path_fault(name: str) -> str:
    if not name:
        return "without a name"
    outside = name.startswith("/") or ".." in name.split("/") or re.match(r"[A-Za-z]:/", name)
    return "a path that leads out of the archive" if outside else ""
