"""Programs compared side by side: each in a process of its own that works in slices, so that only one works at a time.

A child reads its task, one line of JSON, says that it is ready, and then obeys commands, one line of JSON each:

    {"train": 30}       work for so many seconds, to the end of a step; the answer has steps, amount (tokens read, or
                        operations done), seconds and loss of this slice, total_seconds of all slices, and memory
    {"validate": true}  whatever else the child has offered, outside of its clock
    {"stop": true}      end; so does the end of the commands

Whatever disturbs the machine for longer than a slice then hits all sides alike. Where a task says `"clock":
"processor"`, all seconds are those that the processor gave to the child: so one thread is measured fairly on a busy
machine. What several threads lose by waiting for each other only the clock on the wall can tell. Imports nothing of
this program: both sides of a comparison use it.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Answer = dict[str, Any]
HERE = Path(__file__).parent
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


# The parent's side


class Peer(contextlib.AbstractContextManager["Peer"]):
    """One child. `facts` is what it said of itself when it was ready; it works only while it is asked to."""

    def __init__(self, name: str, python: Path | str, script: str, threads: int, task: dict[str, Any]):
        self.name = name
        command = [str(python), str(HERE / script)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, env=environment, text=True, **pipes)
        self.facts = self.ask(**task)

    def ask(self, **command: Any) -> Answer:
        """The answer to one command; ends the whole comparison if the child has come to an end."""
        with contextlib.suppress(BrokenPipeError):  # the missing answer tells of it
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"ended": "Its last words stand above."}')
        if "ended" in answer:
            raise SystemExit(f"{self.name} ended before its time. {answer['ended']}")
        return answer

    def train(self, seconds: float) -> Answer:
        return self.ask(train=seconds)

    def __exit__(self, *error: object) -> None:
        """The end of its commands tells the child to end, in the middle of whatever it waits in."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def oracle(chosen: Path | None) -> Path:
    """The Python that has fastai: the chosen one, $ORACLE, or that of `make parity`. Ends the program without one."""
    python = chosen or Path(os.environ.get("ORACLE") or ".venv-oracle/bin/python")
    if not python.exists():
        raise SystemExit(f"There is no {python}. Name a Python with fastai: --oracle PATH, or make bench ORACLE=PATH.")
    return python


def machine() -> dict[str, Any]:
    """What a row of results says of the computer."""
    return {"cpu": _processor(), "cores": os.cpu_count()}


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", path.read_text()) if path.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


# The child's side


class Slices:
    """The turns of a child: `wait` between two steps returns when it may work on. Waiting is outside of its clock."""

    def __init__(self) -> None:
        # What libraries print must not come between the answers.
        self._answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._others: dict[str, Callable[[], Answer]] = {}
        self._slice: float | None = None
        self._clock = time.perf_counter
        self._began = self._before = 0.0
        self._clear()

    def task(self) -> dict[str, Any]:
        task = json.loads(sys.stdin.readline())
        self._clock = CLOCKS[task.get("clock", "wall")]
        return task

    def ready(self, others: dict[str, Callable[[], Answer]], **facts: Any) -> None:
        """Answer the task. `others` are the commands besides train."""
        self._others = others
        self.answer(**facts, memory_at_start=peak_memory())

    def answer(self, **facts: Any) -> None:
        self._answers.write(json.dumps(facts) + "\n")
        self._answers.flush()

    def count(self, amount: int, loss: Any = 0.0) -> None:
        """One step is done; `loss` may be a number or a tensor, which is read at the end of the slice."""
        self._steps += 1
        self._amount += amount
        self._loss = self._loss + loss * amount

    def seconds(self) -> float:
        """Work so far, of all slices."""
        return self._before + (self._clock() - self._began if self._slice is not None else 0.0)

    def wait(self) -> None:
        """Between two steps: nothing while the slice lasts, otherwise report it and obey until the next one begins."""
        if self._slice is not None:
            if self._clock() - self._began < self._slice:
                return
            self._report()
        self._obey()

    def _report(self) -> None:
        settle()
        taken = self._clock() - self._began
        self._slice, self._before = None, self._before + taken
        loss = float(self._loss) / max(1, self._amount)
        self.answer(
            steps=self._steps, amount=self._amount, seconds=taken, loss=loss, total_seconds=self._before,
            memory=peak_memory(),
        )  # fmt: skip
        self._clear()

    def _obey(self) -> None:
        """Commands up to the next slice. Ends the process at a stop."""
        for line in sys.stdin:
            command = json.loads(line)
            if "train" in command:
                self._slice, self._began = command["train"], self._clock()
                return
            if "stop" in command:
                break
            self.answer(**self._others[next(iter(command))]())
        raise SystemExit

    def _clear(self) -> None:
        self._steps = self._amount = 0
        self._loss: Any = 0.0


def timed(clock: str, works: list[Callable[[], Any]]) -> Answer:
    """Do the works one after the other; the answer has the `seconds` of each."""
    seconds = []
    for work in works:
        began = CLOCKS[clock]()
        work()
        seconds.append(CLOCKS[clock]() - began)
    return {"seconds": seconds}


def settle() -> None:
    """Wait until an accelerator has done all it was given; what it keeps for later is given back for others' turns."""
    import torch  # the parent does without

    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    torch.cuda.empty_cache()


def peak_memory() -> int:
    """Most memory of this process so far, in bytes; with CUDA that of the device.

    The kernel's own mark where it can be read: the one of getrusage begins with the parent's.
    """
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_reserved()
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
