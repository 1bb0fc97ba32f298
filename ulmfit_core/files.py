"""The one module that opens files for writing: atomic replacement for artefacts, append-only logs, locks."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import logging.handlers
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# A spreadsheet takes a cell that begins so for a formula, unless all of it is a number.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"[+-](\d+([.,]\d+)*|[.,]\d+)([eE][+-]?\d+)?%?")


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
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextlib.contextmanager
def replacing_file(path: Path) -> Iterator[AppendLog]:
    """Yield a log to stream into; on success it becomes `path`, on any error it is removed."""
    partial = path.parent / f".{path.name}.partial-{os.getpid()}"
    log = AppendLog(partial)
    try:
        yield log
        log.sync()
        log.close()
        os.replace(partial, path)
    except BaseException:
        log.close()
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def promote(partial: Path, path: Path) -> None:
    """Let a file that was written elsewhere in the same folder become `path`, durably."""
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
def replacing_folder(target: Path) -> Iterator[Path]:
    """Yield an empty folder beside `target`; on success it becomes `target`, on any error it is removed.

    The old folder is moved aside before the new one takes its name. Should the power go between the two
    renames, `recover` brings the old one back. What a killed process left half made is removed first.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.new-{os.getpid()}-", dir=target.parent))
    try:
        yield fresh
        for path in fresh.rglob("*"):
            if path.is_file():
                _sync_file(path)
        _swap(fresh, target)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    sync_folder(target.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder that others may be looking at: it leaves its name at once, its files after that."""
    aside = folder.with_name(f".{folder.name}.removed")
    folder.rename(aside)
    shutil.rmtree(aside)


def recover(parent: Path) -> None:
    """Bring back the folders that a crash left moved aside."""
    for aside in parent.glob(".*.old-*"):
        target = parent / aside.name[1 : aside.name.rindex(".old-")]
        if target.exists():
            shutil.rmtree(aside)
        else:
            aside.rename(target)


def _remove_abandoned(target: Path) -> None:
    """Remove the unfinished folders for `target` whose makers have ended. A process makes one at a time."""
    for folder in target.parent.glob(f".{target.name}.new-*"):
        maker = int(folder.name.split("-")[-2])
        if maker == os.getpid() or not is_alive(maker):
            shutil.rmtree(folder, ignore_errors=True)


def is_alive(process: int) -> bool:
    """Whether a process runs. On Windows, which has no harmless way to ask, every process is taken to."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _swap(fresh: Path, target: Path) -> None:
    fresh.chmod(0o755)
    if not target.exists():
        fresh.rename(target)
        return
    aside = target.parent / f".{target.name}.old-{os.getpid()}"
    target.rename(aside)
    try:
        fresh.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    shutil.rmtree(aside)


class AppendLog:
    """A file that only grows, except when a resumed run cuts it back to its checkpoint."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")

    @property
    def offset(self) -> int:
        return self._file.tell()

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def truncate(self, offset: int) -> None:
        self._file.flush()
        self._file.truncate(offset)
        self._file.seek(offset)

    def close(self) -> None:
        self._file.close()


class LockFile:
    """A file that one process at a time holds. The system lets go of it when its holder ends, however it ends.

    Raises OSError where the file cannot be made or its file system knows no locks.
    """

    def __init__(self, path: Path):
        self.path = path
        self._file = path.open("a+b")

    def take(self) -> bool:
        """Whether it is held now: not if another holds it, or has removed it since it was opened."""
        try:
            _lock(self._file.fileno())
        except (BlockingIOError, PermissionError):
            return False
        return self.path.exists() and os.path.samestat(os.fstat(self._file.fileno()), self.path.stat())

    def write(self, data: bytes) -> None:
        """What others read of its holder. In place, since it is this very file that is locked."""
        self._file.truncate(0)
        self._file.write(data)
        self._file.flush()

    def remove(self) -> None:
        """Let go of it and leave nothing behind."""
        if os.name != "nt":  # Windows removes no open file
            self.path.unlink(missing_ok=True)
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


def rotating_log(path: Path, size: int, kept: int) -> logging.Handler:
    """A log of at most `size` bytes; the `kept` logs before it have a number after their name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return logging.handlers.RotatingFileHandler(path, maxBytes=size, backupCount=kept, encoding="utf-8", delay=True)
