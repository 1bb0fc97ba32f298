"""Who is at work in a project folder: one window may change it and one job may train in it at a time.

A lock is a file that its holder keeps locked (flock) and that names the holder for others to read. When the
holder ends, even by kill -9, the system lets go of it, so that what a crash leaves behind is free for the next.
Where the file system knows no locks, the file's word counts while the process that it names is alive.
"""

from __future__ import annotations

import datetime
import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from ulmfit_core import files, reading
from ulmfit_core.errors import UserError

WINDOW, WORK = "window.lock", "work.lock"
TRIES, PAUSE = 5, 0.005  # another may be asking who holds it, or removing the very file that was opened


@dataclass(frozen=True)
class Holder:
    """`what` it does, as in “Another window”; `program` does it, since the ISO time `since`."""

    host: str
    pid: int
    program: str
    what: str
    since: str

    @property
    def sentence(self) -> str:
        """“Another window (ulmfit-studio, process 12 on fern, since 21 Nov 21:40)”, as a sentence's subject."""
        if not self.pid:
            return self.what
        since = datetime.datetime.fromisoformat(self.since)
        return f"{self.what} ({self.program}, process {self.pid} on {self.host}, since {since.day} {since:%b %H:%M})"

    @property
    def is_here(self) -> bool:
        return self.host == socket.gethostname()

    @property
    def is_this_process(self) -> bool:
        return self.is_here and self.pid == os.getpid()


HOLDER = TypeAdapter(Holder)
# One that has taken the lock and not told yet.
UNKNOWN = Holder("", 0, "", "Another program", "")


class Held(Exception):
    """`holder` holds the lock."""

    def __init__(self, holder: Holder):
        super().__init__(holder.sentence)
        self.holder = holder


class Lock:
    """Held from its making until `release`. Raises Held where another holds it, OSError where it cannot be made."""

    def __init__(self, folder: Path, name: str, what: str):
        self._file = _take(folder / name)
        now = datetime.datetime.now().isoformat(timespec="seconds")
        self.holder = Holder(socket.gethostname(), os.getpid(), _program(), what, now)
        try:
            self._file.write(json.dumps(asdict(self.holder)).encode())
        except OSError:
            self._file.remove()
            raise

    def release(self) -> None:
        self._file.remove()

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def holder(folder: Path, name: str) -> Holder | None:
    """Who holds that lock now, this process included; None where nobody does."""
    path = folder / name
    if not path.exists():
        return None
    try:
        file = _take(path, tries=1)
    except Held as held:
        return held.holder
    except OSError:  # a folder that this process may only read
        return _living(read(path))
    file.remove()
    return None


def may_be_taken(folder: Path, name: str) -> bool:
    """Whether nobody holds that lock and it could be had here."""
    return os.access(folder, os.W_OK) and holder(folder, name) is None


def read(path: Path) -> Holder | None:
    """What a lock file says of its holder, who may have ended; None where it says nothing whole."""
    try:
        found = HOLDER.validate_python(reading.parsed(reading.text(path)))
        datetime.datetime.fromisoformat(found.since)
        return found if 0 <= found.pid < 2**31 else None
    except (FileNotFoundError, UserError, ValueError):
        return None


def _program() -> str:
    """As it was called: `ulmfit`, or the package's name after `python -m`."""
    called = Path(sys.argv[0])
    return called.parent.name if called.name == "__main__.py" else called.name


def _take(path: Path, tries: int = TRIES) -> files.LockFile:
    for left in reversed(range(tries)):
        file = files.LockFile(path)
        if _is_free(file):
            return file
        file.close()
        time.sleep(PAUSE if left else 0)
    raise Held(read(path) or UNKNOWN)


def _is_free(file: files.LockFile) -> bool:
    try:
        return file.take()
    except OSError:  # the file system knows no locks
        return _living(read(file.path)) is None


def _living(found: Holder | None) -> Holder | None:
    """The holder by its word alone. Of a process on another computer nothing else is known."""
    return found if found and (not found.is_here or files.is_alive(found.pid)) else None
