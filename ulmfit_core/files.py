"""The one module through which files reach their names: atomic replacement for artefacts, append-only logs, locks."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import logging.handlers
import os
import platform
import re
import shutil
import stat
import sys
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# What a disk answers that has no room left, or none for this person.
FULL = (errno.ENOSPC, errno.EDQUOT)
REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)
# What the system answers that has no memory, processes or open files left: no disk is at fault.
SCARCE = (errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE)
TAKEN = (errno.ENOTEMPTY, errno.EEXIST)  # where a folder is not to be replaced
BUFFER = 1 << 16  # bytes that a log gathers before it writes them
# What is on its way to its name, or away from it, with the computer and the process that move it (`_maker`).
HALF_MADE = re.compile(r"\.(?P<name>.+)\.(?:new|removed)-(?P<maker>(?P<host>[0-9a-f]{8})-(?P<process>\d+))(?:-\w+)?")
HOST = f"{zlib.crc32(platform.node().encode()):08x}"
FOREIGN_SECONDS = 86_400.0  # that it is left alone where another computer makes it, whose processes are not known
# A spreadsheet takes a cell that begins so for a formula, unless all of it is a number.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"[+-](\d+([.,]\d+)*|[.,]\d+)([eE][+-]?\d+)?%?")


def told(error: OSError) -> str:
    """What a failing disk means to a person: what happened, to which file, what to do."""
    where, why = error.filename or "A file", error.strerror or str(error)
    if error.errno in FULL:
        return f"The disk is full: {where} could not be written. Make room there, then start it again."
    if error.errno in REFUSED:
        return f"{where} cannot be written: {why}. Allow writing there, or work in another folder."
    if error.errno in GONE:
        return f"{where} is not there any more: it was moved or removed. Bring it back, then start it again."
    if error.errno in SCARCE:
        return (
            f"The system had no room for more work ({why}). Close other programs, then start it again; what was "
            "finished is kept."
        )
    return f"The disk failed at {where}: {why}. Check the disk, then start it again; what was finished is kept."


def free_bytes(folder: Path) -> int:
    """Room on the disk of `folder`. Raises OSError where the folder is gone."""
    return shutil.disk_usage(folder).free


def at_home(path: str | Path) -> Path:
    """The path with a leading `~` as the person's home; where nobody has that name it stays as it is."""
    return Path(os.path.expanduser(path))


def size_of(folder: Path) -> int:
    """Bytes that the files right in a folder take. What another thread removes meanwhile counts nothing."""
    size = 0
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as found:
        for entry in found:
            with contextlib.suppress(FileNotFoundError):
                size += entry.stat().st_size
    return size


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors of the disk name `path`, by which a person knows the file, and not the temporary file beside it."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # else it comes from no disk, and its text would be lost
            error.filename, error.filename2 = str(path), None
        raise


def _itself(path: str, flags: int) -> int:
    """Open the file of that name, never one that a link leads to: a stranger's project may hold links to any file."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _write_all(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` durable. Windows has no handle on folders and needs none."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` by `data`: a reader sees the old file or the new one, whenever the power goes."""
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _beside(path, "new")
        try:
            with open(temporary, "xb", buffering=0, opener=_itself) as file:
                _keep_mode(path, file.fileno())
                _write_all(file.fileno(), data)
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def _keep_mode(path: Path, handle: int) -> None:
    """Let others do with an open file what they may do with the one of that name, which it will replace."""
    with contextlib.suppress(OSError):  # there is none, or its file system knows no modes
        mode = path.lstat().st_mode
        if os.name != "nt" and stat.S_ISREG(mode):
            os.fchmod(handle, mode & 0o777 | 0o600)


@contextlib.contextmanager
def replacing_file(path: Path) -> Iterator[AppendLog]:
    """Yield a log to stream into; on success it becomes `path`, on any error it is removed."""
    clear_abandoned(path.parent, path.name)
    partial = path.parent / f".{path.name}.new-{_maker()}"
    log = AppendLog(partial)
    _keep_mode(path, log.fileno())
    try:
        yield log
        with _naming(path):
            log.sync()
            log.close()
            os.replace(partial, path)
    except BaseException:
        log.abandon()
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def promote(partial: Path, path: Path) -> None:
    """Let a file that was written elsewhere in the same folder become `path`, durably."""
    with _naming(path):
        _sync_file(partial)
        os.replace(partial, path)
        sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode("utf-8"))


def safe_cell(cell: str) -> str:
    """The cell with an apostrophe before it where a spreadsheet would take it for a formula; -5 and the like stay.

    A formula from a stranger's text could fetch or send data when the file is opened (OWASP, CSV injection).
    """
    return "'" + cell if cell.startswith(FORMULA) and not NUMBER.fullmatch(cell) else cell


def csv_line(cells: Iterable[str]) -> str:
    """A line of CSV, its end included, no cell of which a spreadsheet takes for a formula (see `safe_cell`)."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(map(safe_cell, cells))  # quotes cells that hold either of these
    return line.getvalue().removesuffix("\r\n") + "\n"


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


@contextlib.contextmanager
def replacing_folder(target: Path, replace: bool = True) -> Iterator[Path]:
    """Yield an empty folder beside `target`; on success it becomes `target`, on any error it is removed.

    The old folder is moved aside before the new one takes its name. Should the power go between the two
    renames, `recover` brings the old one back. What a killed process left half made is removed first.
    With `replace` False an old folder that holds anything stays: an OSError tells that the name is TAKEN.
    """
    with _naming(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        clear_abandoned(target.parent, target.name)
        fresh = _beside(target, "new")
        fresh.mkdir()
    try:
        yield fresh
        with _naming(target):
            for path in fresh.rglob("*"):
                if path.is_file():
                    _sync_file(path)
            _swap(fresh, target) if replace else fresh.rename(target)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    with _naming(target):
        sync_folder(target.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder that others may be looking at: it leaves its name at once, its files after that."""
    clear_abandoned(folder.parent, folder.name)
    _take_away(folder, folder)


def _take_away(folder: Path, name: Path) -> None:
    """Remove what had that name. The files that cannot go now, such as NFS keeps for a reader, `clear_abandoned` takes.

    Before the first of them goes the folder bears a name by which `recover` never brings it back.
    """
    leaving = _beside(name, "removed")
    folder.rename(leaving)
    shutil.rmtree(leaving, ignore_errors=True)


def recover(parent: Path) -> None:
    """Bring back the folders that a crash left moved aside. What links lead to is not touched."""
    found = () if parent.is_symlink() else parent.glob(".*.old-*")
    for aside in [path for path in found if path.is_dir() and not path.is_symlink()]:
        target = parent / aside.name[1 : aside.name.rindex(".old-")]
        if target.exists():
            with contextlib.suppress(OSError):  # it goes the next time
                _take_away(aside, target)
        else:
            aside.rename(target)


def clear_abandoned(folder: Path, name: str = "") -> None:
    """Remove what processes that have ended left half made in `folder`: of the target `name`, or of all.

    A process makes one of a name at a time, so that one of this process's number is none of its own. What links lead
    to is only looked at for a name.
    """
    looks = folder.is_dir() and (bool(name) or not folder.is_symlink())
    for each in os.listdir(folder) if looks else []:
        found = HALF_MADE.fullmatch(each)
        if found is None or name not in ("", found["name"]):
            continue
        with contextlib.suppress(OSError):  # what another person left stays, what another process removes is gone
            if (name and found["maker"] == _maker()) or _is_abandoned(folder / each, found):
                _remove(folder / each)


def _maker() -> str:
    return f"{HOST}-{os.getpid()}"


def _beside(path: Path, why: str) -> Path:
    """A free name for what will be `path` ("new"), makes room for it ("old") or is no more ("removed")."""
    return path.parent / f".{path.name}.{why}-{_maker()}-{os.urandom(4).hex()}"


def _is_abandoned(path: Path, found: re.Match[str]) -> bool:
    if found["host"] == HOST:
        return not is_alive(int(found["process"]))
    return time.time() - path.stat().st_mtime > FOREIGN_SECONDS


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def is_alive(process: int) -> bool:
    """Whether a process runs. On Windows, which has no harmless way to ask, every process is taken to."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):  # no process has a number that great
        return False
    except PermissionError:
        return True
    return True


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _swap(fresh: Path, target: Path) -> None:
    if not target.exists():
        fresh.rename(target)
        return
    aside = _beside(target, "old")
    target.rename(aside)
    try:
        fresh.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    with contextlib.suppress(OSError):  # the new one is in its place; `recover` takes the old one away
        _take_away(aside, target)


class AppendLog:
    """A file that only grows, except when a resumed run cuts it back to its checkpoint.

    What the disk did not take waits in memory, in its place: after an OSError `flush` may be called again, and no byte
    is lost or written twice.
    """

    def __init__(self, path: Path):
        self.path = path
        self._waiting = bytearray()
        with _naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "ab", buffering=0, opener=_itself)  # noqa: SIM115  closed by `close`

    @property
    def offset(self) -> int:
        return self._file.tell() + len(self._waiting)

    def write(self, data: bytes) -> None:
        """Take `data`, which reaches the file with the next `flush` at the latest. Where this fails it is not taken."""
        if len(self._waiting) >= BUFFER:
            self.flush()
        self._waiting += data

    def flush(self) -> None:
        with _naming(self.path):
            while self._waiting:
                del self._waiting[: os.write(self._file.fileno(), self._waiting)]

    def fileno(self) -> int:
        return self._file.fileno()

    def sync(self) -> None:
        self.flush()
        with _naming(self.path):
            os.fsync(self._file.fileno())

    def truncate(self, offset: int) -> None:
        """Cut it back to `offset` bytes. One that is shorter, by a damage, stays as it is."""
        self.flush()
        with _naming(self.path):
            kept = min(offset, os.fstat(self._file.fileno()).st_size)
            self._file.truncate(kept)
            self._file.seek(kept)

    def close(self) -> None:
        """Raises OSError where the disk does not take what waits; the file is closed all the same."""
        try:
            if not self._file.closed:
                self.flush()
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Close it without what waits: nobody needs it any more."""
        self._waiting.clear()
        self._file.close()


class LockFile:
    """A file that one process at a time holds. The system lets go of it when its holder ends, however it ends.

    Raises OSError where the file cannot be made or its file system knows no locks.
    """

    def __init__(self, path: Path):
        self.path = path
        self._file = open(path, "a+b", buffering=0, opener=_itself)  # noqa: SIM115  closed by `close`

    def take(self) -> bool:
        """Whether it is held now: not if another holds it, or has removed it since it was opened."""
        try:
            _lock(self._file.fileno())
        except (BlockingIOError, PermissionError):
            return False
        return self.path.exists() and os.path.samestat(os.fstat(self._file.fileno()), self.path.stat())

    def write(self, data: bytes) -> None:
        """What others read of its holder. In place, since it is this very file that is locked."""
        with _naming(self.path):
            self._file.truncate(0)
            _write_all(self._file.fileno(), data)

    def remove(self) -> None:
        """Let go of it and leave nothing behind."""
        try:
            if os.name != "nt":  # Windows removes no open file
                self.path.unlink(missing_ok=True)
        finally:
            self.close()

    def close(self) -> None:
        self._file.close()


def _lock(handle: int) -> None:
    """Lock an open file without waiting. Raises BlockingIOError or PermissionError where another holds it."""
    if sys.platform == "win32":
        os.lseek(handle, 1 << 20, os.SEEK_SET)  # beyond the text, which others may read
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


class _Rotating(logging.handlers.RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk costs the line, not the work, and sends no traceback to a terminal, as it would by default."""


def rotating_log(path: Path, size: int, kept: int) -> logging.Handler:
    """A log of at most `size` bytes; the `kept` logs before it have a number after their name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return _Rotating(path, maxBytes=size, backupCount=kept, encoding="utf-8", delay=True)
