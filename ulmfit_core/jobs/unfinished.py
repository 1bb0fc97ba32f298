"""A file that is written part by part and can be gone on with: `OUT.part` is what is done, `OUT.part.json` its state.

The state is replaced whole after each part, so that after a kill at any moment the two tell of the same rows: what
stands in the part beyond the state is cut off. Loads no torch.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ulmfit_core import files, reading
from ulmfit_core.errors import UserError

FORMAT = 1


@dataclass(frozen=True)
class State:
    """`offset`: bytes of the part that count. `told`: what the job wants to know of what is done.

    `made_with`: a hash of each thing that the bytes depend on, by the words in which a person knows it.
    """

    offset: int
    told: dict[str, Any]
    made_with: dict[str, str]


def part_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.part")


def read_state(out: Path) -> State | None:
    """How far the part for `out` is; None where there is none that can be gone on with."""
    path = _state_of(out)
    if not path.exists() or not part_of(out).exists():
        return None
    with contextlib.suppress(UserError, ValueError, KeyError, TypeError):
        record = reading.parsed(reading.text(path))
        if record["format"] == FORMAT:
            return State(record["offset"], record["told"], record["made_with"])
    return None


def _state_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.part.json")


class Part:
    """The part for `out` at work: `told` is that of the state gone on with, {} for a new one.

    `dropped`: what an earlier go told that a new one takes the place of. Raises UserError where it cannot be written or
    another process writes it, and, to go on, where there is nothing to go on with or something changed since.
    """

    def __init__(self, out: Path, made_with: dict[str, str], go_on: bool):
        self.path, self.dropped = part_of(out), dict[str, Any]()
        self._out, self._made_with = out, made_with
        with _writing(out), contextlib.ExitStack() as undo:
            out.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(out)  # first of all: what another process writes is not looked at
            undo.callback(self._unlock)
            files.clear_abandoned(out.parent, _state_of(out).name)
            before = _to_go_on_with(out, made_with) if go_on else self._start_anew()
            self.told = before.told
            self._log = files.AppendLog(self.path)
            undo.callback(self._log.abandon)
            self._log.truncate(before.offset)
            undo.pop_all()

    def _start_anew(self) -> State:
        """Say that nothing is done, and only then let the bytes of an earlier go be cut off.

        A kill before this leaves the earlier go whole. One after it, before the bytes are cut, leaves more than the
        state tells of, or no part at all; one after that an empty part: whoever goes on begins with the first row. The
        other way round the earlier state would tell of rows that are gone.
        """
        before = read_state(self._out)
        self.dropped = before.told if before else {}
        return self._note(0, {})

    def _note(self, offset: int, told: dict[str, Any]) -> State:
        """Make durable what the part amounts to."""
        state = State(offset, told, self._made_with)
        files.write_json(_state_of(self._out), {"format": FORMAT, **vars(state)})
        return state

    @property
    def is_empty(self) -> bool:
        return self._log.offset == 0

    def keep(self, data: bytes, told: dict[str, Any]) -> None:
        """Add bytes, and make them and what they amount to durable."""
        with _writing(self._out):
            self._log.write(data)
            self._log.sync()
            self._note(self._log.offset, told)

    def finish(self, become: Callable[[Path, Path], None]) -> None:
        """Let the whole part become `out` by `become(part, out)`: nothing is left to go on with."""
        with _writing(self._out):
            self._log.close()
            become(self.path, self._out)
            _state_of(self._out).unlink(missing_ok=True)

    def close(self) -> None:
        self._log.abandon()  # what was kept is on disk; the rest is not gone on with
        self._unlock()

    def _unlock(self) -> None:
        if self._lock:
            self._lock.remove()


def _to_go_on_with(out: Path, made_with: dict[str, str]) -> State:
    before = read_state(out)
    if before is None:
        raise UserError(f"There is nothing to go on with for {out}. Start anew (without --resume).")
    changed = [name for name, known in made_with.items() if before.made_with.get(name) != known]
    if changed:
        raise UserError(
            f"{part_of(out)} cannot be gone on with: {' and '.join(changed)} changed since it was begun. "
            "Start anew (without --resume)."
        )
    if part_of(out).stat().st_size < before.offset:
        raise UserError(
            f"{part_of(out)} cannot be gone on with: it is shorter than what was answered, so it is damaged. "
            "Start anew (without --resume)."
        )
    return before


@contextlib.contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}. Choose another place.") from None


def _lock(out: Path) -> files.LockFile | None:
    """Held while `out` is in the making; None where the file system knows no locks."""
    held = files.LockFile(out.with_name(f".{out.name}.lock"))
    try:
        taken = held.take()
    except OSError:
        held.remove()
        return None
    if not taken:
        held.close()
        raise UserError(f"Another process is writing {out}. Wait until it is done, or choose another name.")
    return held


# Hashes


def path_hash(path: Path) -> str:
    """Of a file's bytes; of a folder the names, sizes and times of what is in it."""
    if not path.is_dir():
        return reading.sha256(path)
    found = sorted((str(each.relative_to(path)), each.stat()) for each in path.rglob("*") if each.is_file())
    return text_hash(str([(name, stat.st_size, stat.st_mtime_ns) for name, stat in found]))


def text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
