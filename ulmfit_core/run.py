"""A run is what a job knows of the world: it reports, logs its steps, asks whether to go on. `launch` starts one."""

from __future__ import annotations

import contextlib
import json
import math
import struct
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import Field

from ulmfit_core import catalog, events, faults, files, lock, provenance, reading
from ulmfit_core.clock import Clock
from ulmfit_core.config import Recipe
from ulmfit_core.errors import UserError
from ulmfit_core.project import NOTES, REPLACING, TAGS, Project, busy_sentence

Item = TypeVar("Item")
MAGIC = b"ULMSTEP1"
FLUSH_SECONDS = 0.25
PROGRESS_SECONDS = 0.1
MOST_HEADER, MOST_COLUMNS = 2**16, 500  # bytes and names at the head of steps.f32
ROOM_SECONDS = 1.0  # between two looks at a full disk
LEAST_ROOM = 1_000_000  # bytes that are asked for where little is to be written


class Stopped(Exception):
    """The person asked for a stop; the last finished step stays."""


class Control:
    """The person's hand on a run, from any thread."""

    def __init__(self) -> None:
        self._go = threading.Event()
        self._go.set()
        self._stop = threading.Event()
        self._finish = threading.Event()
        self._hurry = threading.Event()
        self._woken = threading.Event()
        self._asked: deque[Future[Any]] = deque()

    @property
    def paused(self) -> bool:
        return not self._go.is_set()

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    @property
    def finishing(self) -> bool:
        return self._finish.is_set()

    @property
    def hurried(self) -> bool:
        """Whether it was asked to finish a second time: at once."""
        return self._hurry.is_set()

    def pause(self) -> None:
        self._go.clear()

    def resume(self) -> None:
        self._let_go()

    def stop(self) -> None:
        """Stop at the next poll, also when paused."""
        self._stop.set()
        self._let_go()

    def finish(self) -> None:
        """End early and well: anneal (a training), validate, keep the best, end as done. Asked again: at once."""
        if self._finish.is_set():
            self._hurry.set()
        self._finish.set()
        self._let_go()

    def ask(self) -> Future[Any]:
        """What the run lends (`Run.lending`), such as a copy of its model: at its next poll, or while it rests."""
        wanted: Future[Any] = Future()
        self._asked.append(wanted)
        self._woken.set()
        return wanted

    def asked(self) -> Iterator[Future[Any]]:
        """Those who still wait for what they asked for, each once."""
        while self._asked:
            wanted = self._asked.popleft()
            if wanted.set_running_or_notify_cancel():
                yield wanted

    def wait(self, seconds: float | None = None) -> None:
        """Rest until a pause ends or something is asked for, or so many seconds have passed."""
        self._woken.wait(seconds)
        self._woken.clear()

    def _let_go(self) -> None:
        self._go.set()
        self._woken.set()


class Run:
    """One job at work. `folder` None makes a silent run that logs nothing (tests, worker ranks)."""

    def __init__(
        self,
        folder: Path | None = None,
        control: Control | None = None,
        sink: Callable[[events.Event], None] | None = None,
    ):
        self.folder = folder
        self.control = control or Control()
        self._sink = sink
        self._clock = Clock()
        self._log = files.AppendLog(folder / "events.jsonl") if folder else None
        self._steps: files.AppendLog | None = None
        self._columns: tuple[str, ...] = ()
        self._places: list[int] = []  # of the columns that the log has
        self._flushed = 0.0
        self._full = False  # whether a log waits in memory for room on the disk
        self._waits = True  # for room; not when it has failed anyway
        self._lent: Callable[[], Any] | None = None
        self.paused_seconds = 0.0

    def emit(self, event: events.Event) -> None:
        """Log a structural event and pass it on, also where it cannot be logged. Raises OSError for a failing disk.

        A full disk is none: what has no room waits in memory, and the next `poll` waits for room.
        """
        self._tell(replace(event, at=self._clock.now()))

    def _tell(self, event: events.Event) -> None:
        try:
            if self._log and event.logged:
                self._log.write(events.to_line(event))
                self._flush(self._log)
        finally:
            if self._sink:
                self._sink(event)

    def message(self, text: str, level: str = "info") -> None:
        self.emit(events.Message(level, text))

    def open_steps(self, columns: Sequence[str]) -> None:
        """Begin (or go on with) steps.f32, one float32 record of `columns` a step.

        A log that was begun by an earlier version, with fewer columns, goes on with those.
        """
        self._columns = tuple(columns)
        if self.folder is None:
            return
        begun = read_steps(self.folder / "steps.f32").columns or self._columns
        self._places = [self._columns.index(name) for name in begun]
        self._steps = files.AppendLog(self.folder / "steps.f32")
        if self._steps.offset == 0:
            header = json.dumps({"columns": self._columns}).encode()
            header += b" " * (-(len(MAGIC) + 4 + len(header)) % 4)
            self._steps.write(MAGIC + struct.pack("<I", len(header)) + header)

    def emit_step(self, numbers: Sequence[float]) -> None:
        """Append one record; readers see it within a quarter of a second."""
        if self._steps is None:
            return
        self._steps.write(struct.pack(f"<{len(self._places)}f", *[numbers[place] for place in self._places]))
        now = time.monotonic()
        if now - self._flushed >= FLUSH_SECONDS:
            self._flush(self._steps)
            self._flushed = now

    def track(self, items: Iterable[Item], label: str, total: float | None = None) -> Iterator[Item]:
        """Yield the items, report progress and poll between them. Shaped like tqdm."""
        size = float(total if total is not None else len(items))  # type: ignore[arg-type]
        shown = 0.0
        for done, item in enumerate(items):
            self.poll()
            if time.monotonic() - shown >= PROGRESS_SECONDS:
                self.emit(events.Progress(label, float(done), size))
                shown = time.monotonic()
            yield item
        self.emit(events.Progress(label, size, size))

    def child(self, name: str) -> Run:
        """A run inside this one (a fold, an arm of a sweep) with a folder and logs of its own."""
        folder = self.folder / name if self.folder else None
        return Run(folder, self.control, self._sink)

    @contextlib.contextmanager
    def lending(self, make: Callable[[], Any]) -> Iterator[None]:
        """Meanwhile whoever asks the control is given what `make` returns, called in this thread at a poll."""
        self._lent = make
        try:
            yield
        finally:
            self._lent = None
            self._lend()

    def _lend(self) -> None:
        """What fails here is told to whoever asked, and the run goes on."""
        for wanted in self.control.asked():
            try:
                if self._lent is None:
                    raise UserError("No model is in training at the moment.")
                wanted.set_result(self._lent())
            except Exception as error:
                wanted.set_exception(error)

    def poll(self) -> bool:
        """Block while paused or while the disk is full; raise Stopped on a stop; True: go on, False: finish now."""
        if self._full:
            self.when_there_is_room(self._flush_all)
        if self.control.paused:
            for log in self._logs():
                self._flush(log)
            began = time.monotonic()
            while self.control.paused:
                self._lend()
                self.control.wait()
            self.paused_seconds += time.monotonic() - began
        self._lend()
        if self.control.stopping:
            raise Stopped
        return not self.control.finishing

    def offsets(self) -> dict[str, int]:
        """Where both logs end now, made durable: what a checkpoint remembers.

        Raises OSError where they cannot be, UserError where the run's folder was removed.
        """
        self.refuse_gone()
        for log in self._logs():
            log.sync()
        logs = {"events": self._log, "steps": self._steps}
        return {name: log.offset for name, log in logs.items() if log}

    def refuse_gone(self) -> None:
        """Raise UserError where the run's folder is not there any more: nothing is made anew in its place."""
        if self.folder and not self.folder.is_dir():
            raise UserError(
                f"{self.folder}, the folder of this run, was moved or removed while it was at work. What was finished "
                "before is as it was; start the step anew."
            )

    def rewind(self, offsets: dict[str, int]) -> None:
        """Cut both logs back to a checkpoint, so that no step appears twice."""
        for name, log in (("events", self._log), ("steps", self._steps)):
            if log and name in offsets:
                log.truncate(offsets[name])

    def close(self) -> None:
        for log in self._logs():
            log.close()

    def end(self, word: events.Ended) -> events.Ended:
        """Say the last word, close the logs, and return it. Done, a run waits for room on a full disk to log that.

        Where it cannot be logged the run counts as unfinished, and the word is that of a stop or of the failing disk.
        """
        self._waits, word = word.status == "done", replace(word, at=self._clock.now())
        try:
            self._tell(word)
            self.when_there_is_room(self._flush_all)
            self.close()
        except Stopped:
            word = events.Ended("stopped", "Stopped before the disk had room for the run's last word.")
        except OSError as error:
            word = events.Ended("failed", files.told(error)) if word.status == "done" else word
        for log in self._logs():
            log.abandon()
        return word

    # Room on the disk

    def when_there_is_room(self, write: Callable[[], Item], size: int = LEAST_ROOM) -> Item:
        """What `write` returns. While the disk is full this says so, waits for `size` bytes, and calls it again.

        Raises Stopped if the person stops meanwhile, and OSError for a disk that fails otherwise.
        """
        waited = False
        while True:
            try:
                found = write()
                break
            except OSError as error:
                if error.errno not in files.FULL or not self._waits or self.folder is None:
                    raise
                if not waited:
                    self._tell_full(error, size)
                waited = True
                self._rest(size)
        if waited:
            self.message(f"There is room on the disk again: the {self._work} goes on.")
        return found

    def _tell_full(self, error: OSError, size: int) -> None:
        if self.control.stopping or self.folder is None:
            return
        missing = max(size - files.free_bytes(self.folder), LEAST_ROOM)
        self.message(
            f"The disk is full: {error.filename} could not be written. "
            f"Free {math.ceil(missing / 1e6):,} MB; the {self._work} goes on by itself.", "warning",
        )  # fmt: skip

    def _rest(self, size: int) -> None:
        """Until the disk has that room, as far as the system knows of any limit; in vain where it is a quota."""
        began = time.monotonic()
        while True:
            if self.control.stopping:
                raise Stopped
            self._lend()
            self.control.wait(ROOM_SECONDS)
            if self.folder is None or files.free_bytes(self.folder) >= size:
                break
        self.paused_seconds += time.monotonic() - began

    @property
    def _work(self) -> str:
        return "training" if self._steps else "work"

    def _logs(self) -> list[files.AppendLog]:
        return [log for log in (self._log, self._steps) if log]

    def _flush(self, log: files.AppendLog) -> None:
        try:
            log.flush()
        except OSError as error:
            if error.errno not in files.FULL:
                raise
            self._full = True  # it is tried again at the next poll

    def _flush_all(self) -> None:
        for log in self._logs():
            log.flush()
        self._full = False


@dataclass(frozen=True)
class Steps:
    """The steps of a run: `values` has shape (steps, columns)."""

    columns: tuple[str, ...]
    values: np.ndarray

    def __getitem__(self, column: str) -> np.ndarray:
        return self.values[:, self.columns.index(column)]

    @property
    def rate_columns(self) -> list[str]:
        return [name for name in self.columns if name.startswith("lr:")]


def read_steps(path: Path) -> Steps:
    """Memory-map a steps.f32. A torn tail is ignored; a missing, damaged or foreign file has no steps."""
    columns, begin = _columns_of(path)
    if not columns:
        return Steps((), np.empty((0, 0), np.float32))
    rows = (path.stat().st_size - begin) // (4 * len(columns))
    if rows <= 0:
        return Steps(columns, np.empty((0, len(columns)), np.float32))
    values = np.memmap(path, np.float32, "r", offset=begin, shape=(rows, len(columns)))
    return Steps(columns, values)


class _Header(reading.Record):
    columns: list[str] = Field(min_length=1, max_length=MOST_COLUMNS)


def _columns_of(path: Path) -> tuple[tuple[str, ...], int]:
    """The columns that a steps.f32 names, and where its records begin; no columns where it names none."""
    try:
        with reading.plain(path).open("rb") as file:
            head = file.read(len(MAGIC) + 4)
            size = struct.unpack("<I", head[len(MAGIC) :])[0] if len(head) == len(MAGIC) + 4 else MOST_HEADER + 1
            header = file.read(min(size, MOST_HEADER))
        if not head.startswith(MAGIC) or len(header) < size:
            return (), 0
        columns = tuple(reading.fitting(reading.parsed(header), _Header, path)["columns"])
    except (OSError, ValueError, UserError):
        return (), 0
    return (columns if len(set(columns)) == len(columns) else ()), len(head) + size


def launch(
    project: Project,
    job: str,
    *,
    control: Control | None = None,
    sink: Callable[[events.Event], None] | None = None,
    recipe: Recipe | None = None,
    resume: Path | None = None,
    folder: Path | None = None,
    **options: Any,
) -> events.Ended:
    """Run a job of the catalog to its end, in this thread, and return its last word.

    A refusal (UserError) ends it as failed with its sentence. Anything unexpected ends it as failed too,
    with the traceback kept in the run's error.log. `resume` is the folder of an unfinished run.
    `folder` is that of a new run, made by the caller who must know it before the job begins.
    `recipe` is tried by this run and becomes the project's only if the run is done.
    A run refused before its first step leaves no folder, so the project is as it was; where the caller made
    the folder it is the caller's to clear away (`clear_refused`), in the thread that reads it.
    While another process replaces parts of the project, a job that would do so too is refused.
    A disk that fails, or a folder that may not be written, ends it as failed with its sentence too.
    """
    try:
        at_work = _lock_for(project, job)
    except UserError as error:
        return events.Ended("failed", str(error))
    try:
        with at_work:
            return _launch(project, job, control, sink, recipe, resume, folder, options)
    except UserError as error:  # a file of the project that tells what its steps depend on is damaged
        ended = events.Ended("failed", str(error))
    except OSError as error:
        ended = events.Ended("failed", files.told(error))
    if sink:  # no log can be relied on here
        sink(ended)
    return ended


def _launch(
    project: Project, job: str, control: Control | None, sink: Callable[[events.Event], None] | None,
    recipe: Recipe | None, resume: Path | None, folder: Path | None, options: dict[str, Any],
) -> events.Ended:  # fmt: skip
    subject = Project(project.folder, recipe or project.recipe)
    subject.clear_abandoned()
    place = resume or folder or subject.new_run_folder(job)
    run = Run(place, control, sink)
    ended = _work(subject, job, run, {"resume": True, **options} if resume else options)
    if ended.status == "done" and recipe:
        project.recipe = recipe
        project.save()
    if ended.status == "done" and job == "import":
        provenance.record_import(subject, place)
    ended = run.end(ended)
    if folder is None:
        clear_refused(place, ended)
    return ended


def _lock_for(project: Project, job: str) -> contextlib.AbstractContextManager[object]:
    """Held while a job is at work that must be the only one. Raises UserError while another one is."""
    if job not in REPLACING:
        return contextlib.nullcontext()
    try:
        return lock.Lock(project.folder, lock.WORK, f"“{catalog.JOBS[job].title}”")
    except lock.Held as held:
        raise UserError(busy_sentence(str(held))) from None
    except OSError as error:
        raise UserError(files.told(error)) from None


def clear_refused(folder: Path, ended: events.Ended) -> None:
    """Remove the folder of a run that was refused before its first step: it has nothing to tell.

    One that the person wrote a note on stays.
    """
    worked = any((folder / name).exists() for name in ("steps.f32", "checkpoint", "error.log", NOTES, TAGS))
    if ended.status == "failed" and folder.exists() and not worked:
        files.remove_folder(folder)


def _work(project: Project, job: str, run: Run, options: dict[str, Any]) -> events.Ended:
    entry = catalog.JOBS[job]
    try:
        if "resume" not in options:
            run.emit(events.Started(job, entry.title))
        if run.folder:
            told = {name: value for name, value in options.items() if name != "resume"}
            provenance.record(project, job, run.folder, told)
        report = entry.resolve()(project, run, **options)
        return events.Ended("done", finished_early=run.control.finishing, report=report or {})
    except Stopped:
        return events.Ended("stopped", "Stopped. What was finished is kept.")
    except UserError as error:
        return events.Ended("failed", str(error))
    except OSError as error:
        return events.Ended("failed", files.told(error))
    except Exception as error:
        details = _keep_traceback(run.folder or project.folder)
        fault = faults.fault_of(error)
        return events.Ended("failed", fault.sentence if fault else f"{type(error).__name__}: {error}. {details}")


def _keep_traceback(folder: Path) -> str:
    """Where the details of the error at hand are."""
    try:
        files.write_text(folder / "error.log", traceback.format_exc())
    except OSError as error:
        return f"Its details are lost: {files.told(error)}"
    return f"Details are in {folder / 'error.log'}."
