"""Texts to token ids on all cores: child processes encode parts of an Arrow file, and each finished part is kept.

A part lies in one file of a working folder, which appears when it is whole. So work that broke off, in whatever way,
goes on with the parts that are missing. A child is plain Python that runs this file (`main`): it loads the vocabulary
once, reads the texts of a part from the file itself, and is told one part after the other.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ulmfit_core import files
from ulmfit_core.data import tokens
from ulmfit_core.errors import UserError
from ulmfit_core.events import Progress
from ulmfit_core.run import PROGRESS_SECONDS, Run
from ulmfit_core.text.vocab import Vocabulary

# Bytes of text in a part, by the vocabulary's unit: a few seconds of work, which is what a crash can cost.
PART_BYTES = {"pieces": 2**21, "words": 2**19}
# Rows encoded at once, by the vocabulary's unit: between two such batches a person may stop.
ROWS = {"pieces": 1024, "words": 128}
# What a row counts at least, so that a part of empty texts has an end.
ROW_BYTES = 16
MOST_PROCESSES = 8
# Starting a process takes about as long as encoding two parts.
PARTS_A_PROCESS = 2
# Before that a forecast is a guess.
FORECAST_SECONDS = 5.0
FINISHED = "finished"


@dataclass(frozen=True)
class Part:
    """Rows `first` to `stop` (exclusive), `size` bytes of text; record batch `batch`, in which `first` lies, begins at
    row `begin`."""

    first: int
    stop: int
    batch: int
    begin: int
    size: int

    def file(self, work: Path) -> Path:
        """Named by its rows, so that a part of another division is never taken for this one."""
        return work / f"{self.first:012d}-{self.stop:012d}.part"


@dataclass(frozen=True)
class Task:
    """What all parts have in common: Arrow file, folder of the vocabulary, working folder, most tokens of a text."""

    source: str
    vocabulary: str
    work: str
    limit: int


def numericalise(
    source: Path, vocabulary: Path, work: Path, run: Run, label: str, limit: int = 0, processes: int = 0
) -> list[Path]:
    """Encode the column `text` of an Arrow file. Returns the files of all parts in order (`tokens.join`).

    Each text is cut after `limit` tokens, 0 keeps all. `processes` 0 takes all cores; with one, or for little text, no
    process is started. The same source must be given for the same `work`, whose finished parts are taken as they are.

    Raises Stopped if the person stops, UserError if a child process ends before its time; what is finished stays.
    """
    loaded = Vocabulary.load(vocabulary)
    parts = parts_of(source, PART_BYTES[loaded.unit])
    missing = [part for part in parts if not part.file(work).exists()]
    task = Task(str(source), str(vocabulary), str(work), limit)
    meter = Meter(run, label, sum(part.size for part in parts), sum(part.size for part in missing))
    count = min(processes or _cores(), len(missing) // PARTS_A_PROCESS)
    if count < 2:
        for part in missing:
            _encode(task, part, loaded, lambda rows, part=part: meter.add(part, rows))  # type: ignore[misc]
    else:
        _in_children(task, missing, count, meter)
    meter.finish()
    return [part.file(work) for part in parts]


def parts_of(source: Path, size: int) -> list[Part]:
    """The rows in parts of about `size` bytes, the same ones for the same file."""
    starts: list[tuple[int, int, int, int]] = []  # row, its record batch, that one's first row, bytes before the row
    rows = done = 0
    last = -1
    with pa.memory_map(str(source)) as mapped:
        reader = pa.ipc.open_file(mapped)
        for batch in range(reader.num_record_batches):
            lengths = pc.binary_length(reader.get_batch(batch).column("text")).to_numpy(zero_copy_only=False)
            lengths = np.maximum(lengths, ROW_BYTES)
            before = done + np.cumsum(lengths) - lengths
            places = before // size
            opening = np.flatnonzero(np.diff(places, prepend=last)).tolist()
            starts += [(rows + row, batch, rows, int(before[row])) for row in opening]
            if len(lengths):
                last, done = places[-1], int(before[-1] + lengths[-1])
            rows += len(lengths)
    ends = [*((row, before) for row, _, _, before in starts[1:]), (rows, done)]
    return [
        Part(row, stop, batch, begin, after - before)
        for (row, batch, begin, before), (stop, after) in zip(starts, ends)
    ]


# Encoding a part


def _encode(task: Task, part: Part, vocabulary: Vocabulary, tell: Callable[[int], None]) -> None:
    """Write a part's file; `tell` hears the number of rows that each batch added."""
    documents: list[np.ndarray] = []
    counts = tokens.Counts()
    for texts in _texts(Path(task.source), part, ROWS[vocabulary.unit]):
        encoded = vocabulary.encode(texts)
        counts += tokens.count(texts, encoded)
        documents += [ids[: task.limit] for ids in encoded] if task.limit else encoded
        tell(len(texts))
    files.write_bytes(part.file(Path(task.work)), tokens.pack(documents, counts))


def _texts(source: Path, part: Part, rows: int) -> Iterator[list[str]]:
    """The texts of a part, so many at a time. The file is mapped for this part alone, so that memory is given back."""
    with pa.memory_map(str(source)) as mapped:
        reader = pa.ipc.open_file(mapped)
        row, batch, begin = part.first, part.batch, part.begin
        while row < part.stop:
            column = reader.get_batch(batch).column("text")
            end = min(part.stop, begin + len(column))
            for first in range(row, end, rows):
                yield _listed(column.slice(first - begin, min(rows, end - first)), source)
            row, batch, begin = end, batch + 1, begin + len(column)


def _listed(cells: pa.Array, source: Path) -> list[str]:
    try:
        texts: list[str] = cells.to_pylist()
    except UnicodeDecodeError:
        raise UserError(f"{source} is damaged: it holds text that is none. Import the data again.") from None
    return texts


# The parent's side


class Meter:
    """Progress in bytes of text, with the time left once it can be told."""

    def __init__(self, run: Run, label: str, total: int, missing: int):
        self.run, self.label = run, label
        self._total = float(max(total, 1))
        self._before = self._done = float(total - missing)
        self._began, self._paused = time.monotonic(), run.paused_seconds
        self._shown = 0.0

    def add(self, part: Part, rows: int) -> None:
        """So many rows of a part are encoded. Raises Stopped if the person stops."""
        self.run.poll()
        self._done += part.size * rows / (part.stop - part.first)
        if time.monotonic() - self._shown >= PROGRESS_SECONDS:
            self._shown = time.monotonic()
            self.run.emit(Progress(self.label + self._forecast(), min(self._done, self._total), self._total))

    def finish(self) -> None:
        self.run.emit(Progress(self.label, self._total, self._total))

    def _forecast(self) -> str:
        spent = time.monotonic() - self._began - (self.run.paused_seconds - self._paused)
        if spent < FORECAST_SECONDS:
            return ""
        left = spent * (self._total - self._done) / (self._done - self._before)
        return f", {left / 60:.0f} min left" if left >= 90 else f", {max(left, 1):.0f} s left"


class Child:
    """One process at work; each line that it writes goes into the queue, with None for the last."""

    def __init__(self, task: Task, lines: queue.Queue[tuple[Child, str | None]]):
        command = [sys.executable, "-m", "ulmfit_core.data.numericalise", json.dumps(asdict(task))]
        root = Path(__file__).parent.parent.parent
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        # One thread a process, also in libraries that would take all cores.
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, cwd=root, text=True, encoding="utf-8", env=environment, **pipes)  # type: ignore[call-overload]
        self.part: Part | None = None
        self.said = ""
        threading.Thread(target=self._forward, args=(self.process.stdout, lines), daemon=True).start()

    def _forward(self, pipe: IO[str], lines: queue.Queue[tuple[Child, str | None]]) -> None:
        for line in pipe:
            lines.put((self, line.strip()))
        lines.put((self, None))

    def give(self, waiting: list[Part]) -> None:
        """The next part, or the end of its work. A child that is gone by now is told of by its last line."""
        assert self.process.stdin is not None
        self.part = waiting.pop(0) if waiting else None
        try:
            if self.part:
                self.process.stdin.write(json.dumps(asdict(self.part)) + "\n")
                self.process.stdin.flush()
            else:
                self.process.stdin.close()
        except BrokenPipeError:
            self.said = self.said or "it did not answer"

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def _in_children(task: Task, missing: Sequence[Part], count: int, meter: Meter) -> None:
    lines: queue.Queue[tuple[Child, str | None]] = queue.Queue()
    waiting = list(missing)
    children = [Child(task, lines) for _ in range(count)]
    try:
        for child in children:
            child.give(waiting)
        working = len(children)
        while working:
            meter.run.poll()
            try:
                child, line = lines.get(timeout=0.1)
            except queue.Empty:
                continue
            working -= line is None
            _hear(child, line, waiting, meter)
    finally:
        for child in children:
            child.end()


def _hear(child: Child, line: str | None, waiting: list[Part], meter: Meter) -> None:
    """A number is rows that are done; anything but that and FINISHED are the words of something that failed."""
    if line is None and child.part:
        meter.run.poll()  # a Ctrl-C in the terminal ends the children, too
        raise UserError(
            f"A process that encodes texts ended before its time ({child.said or 'it was killed'}). What is finished "
            "is kept: close other programs if memory is short, then build the vocabulary again to go on."
        )
    if line == FINISHED:
        child.give(waiting)
    elif line and line.isdecimal() and child.part:
        meter.add(child.part, int(line))
    elif line:
        child.said = line[-300:]


def _cores() -> int:
    return min(os.cpu_count() or 1, MOST_PROCESSES)


# The child's side


def main() -> None:
    task = Task(**json.loads(sys.argv[1]))
    vocabulary = Vocabulary.load(Path(task.vocabulary))
    vocabulary.threads = 1
    for line in sys.stdin:
        try:
            _encode(task, Part(**json.loads(line)), vocabulary, lambda rows: print(rows, flush=True))
        except OSError as error:
            sys.exit(files.told(error))
        print(FINISHED, flush=True)


if __name__ == "__main__":
    main()
