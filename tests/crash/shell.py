"""Starts the command line: forked from a process that has loaded everything (doomed.py), or as a person does."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.crash.doomed import Request

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 300.0  # of a command, where other programs keep the processors busy
ORPHANS_SECONDS = 15.0  # in which all that belonged to a killed process must be gone
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


class Shell:
    """Starts one command at a time. `loading` is how long loading everything takes, in seconds."""

    def __init__(self) -> None:
        began = time.monotonic()
        command = [sys.executable, "-m", "tests.crash.doomed"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._parent = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, bufsize=0, **pipes)  # type: ignore[call-overload]
        assert self._parent.stdout.readline() == b"ready\n"
        self.loading = time.monotonic() - began

    def fork(self, arguments: Sequence[str], under: Path, log: Path, die_at: int = 0) -> Forked:
        """`under`: the folder whose changes count; they are listed beside `log`, in a file that ends in .changes."""
        request = Request(list(arguments), str(under), str(log), str(log.with_suffix(".changes")), die_at)
        self._parent.stdin.write(json.dumps(asdict(request)).encode() + b"\n")
        return Forked(self._parent.stdout)

    def start(self, arguments: Sequence[str], log: Path) -> Started:
        return Started(arguments, log)

    def close(self) -> None:
        self._parent.stdin.close()
        self._parent.wait()


class Forked:
    """A command at work, told of by its parent through `pipe`."""

    def __init__(self, pipe: object):
        self._pipe = pipe
        self.id = int(pipe.readline())  # type: ignore[attr-defined]

    def wait(self, seconds: float = LONGEST_SECONDS) -> int | None:
        """Its status, that of a signal being negative; None if it is still at work."""
        ready, _, _ = select.select([self._pipe], [], [], seconds)
        return int(self._pipe.readline()) if ready else None  # type: ignore[attr-defined]

    def kill(self) -> int:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.id, signal.SIGKILL)
        status = self.wait()
        assert status is not None
        return status


class Started:
    """The same in a process started as a person starts it."""

    def __init__(self, arguments: Sequence[str], log: Path):
        command = [sys.executable, "-m", "ulmfit_core", *arguments]
        with log.open("ab") as told:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=told, stderr=told,
                start_new_session=True,
            )  # fmt: skip
        self.id = self._process.pid

    def wait(self, seconds: float = LONGEST_SECONDS) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def kill(self) -> int:
        self._process.kill()
        return self._process.wait()


Process = Forked | Started


def seconds_of_orphans(session: int) -> float:
    """How long it takes until no process of that session is left; fails where one stays."""
    began = time.monotonic()
    while left := list(living(session)):
        assert time.monotonic() - began < ORPHANS_SECONDS, f"a killed command left behind: {left}"
        time.sleep(0.02)
    return time.monotonic() - began


def living(session: int) -> Iterator[str]:
    """The command lines of its processes that are no zombies."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                state, _, _, of_session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(of_session) == session and state != "Z":
                    yield (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
