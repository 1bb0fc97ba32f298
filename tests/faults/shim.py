"""The command line under the shim: builds shim.c, tells it what is to fail, runs commands in forks of one process."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYOUT = struct.Struct("5i236s1024s")  # struct control of shim.c


def build(folder: Path) -> Path:
    """The shim as a library. Skips the test where it cannot be had."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler (cc) and Linux, where libraries can be preloaded")
    library = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    done = subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], capture_output=True)
    if done.returncode:
        pytest.skip(f"cc cannot build the shim here: {done.stderr.decode()[-200:]}")
    return library


@dataclass(frozen=True)
class Outcome:
    status: int
    said: str  # on standard error
    count: int  # of writes
    failed: str  # what failed; empty where nothing did
    writes: list[str]  # each of them, as “write /runs/…/events.jsonl”


class ShimmedCommands:
    """`ulmfit` commands, each in a fork of a process that has loaded all of it and has the shim preloaded."""

    def __init__(self, folder: Path):
        self._folder = folder
        control = folder / "control"
        control.write_bytes(bytes(LAYOUT.size))
        self._told = folder / "told.txt"
        self._told.touch()
        with control.open("r+b") as file:
            self._control = mmap.mmap(file.fileno(), LAYOUT.size)
        environment = {
            **os.environ, "LD_PRELOAD": str(build(folder)), "FAULTS_CONTROL": str(control),
            "FAULTS_TOLD": str(self._told), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        command = [sys.executable, "-m", "tests.faults.forks"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._server = subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes)  # type: ignore[call-overload]

    def run(self, below: Path, *arguments: str, nth: int = 0, number: int = 0, for_good: bool = False) -> Outcome:
        """Run a command; of what is written below a folder the n-th fails, and all after it if that is `for_good`."""
        said = self._folder / "said.txt"
        os.truncate(self._told, 0)
        self._control[:] = LAYOUT.pack(0, nth, number, for_good, 0, b"", str(below.resolve()).encode())
        assert self._server.stdin and self._server.stdout
        self._server.stdin.write(json.dumps({"arguments": arguments, "said": str(said)}) + "\n")
        self._server.stdin.flush()
        status = int(self._server.stdout.readline())
        count, _, _, _, failed, what, _ = LAYOUT.unpack(self._control[:])
        self._control[:] = bytes(LAYOUT.size)
        writes = [line.partition(" ")[2] for line in self._told.read_text(encoding="utf-8").splitlines()]
        what = what.rstrip(b"\0").decode() if failed else ""
        return Outcome(status, said.read_text(encoding="utf-8"), count, what, writes)

    def close(self) -> None:
        assert self._server.stdin
        self._server.stdin.close()
        self._server.wait(60)
