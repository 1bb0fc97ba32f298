"""The log of a person's corrections, `edits.jsonl` in a project's folder: it only grows, an undo is a line of it too.

Here it is read and appended to. What the corrections make of the rows is told in `data/edits.py`.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field

from ulmfit_core import files, reading

NAME = "edits.jsonl"
# relabel: rows with this text have another label. add: a text that was not in the data. confirmed: a label that looked
# wrong is right, which changes no row.
RELABEL, ADD, CONFIRMED, UNDO = "relabel", "add", "confirmed", "undo"
KINDS = (RELABEL, ADD, CONFIRMED)
MOST_BYTES = 1024 * 2**20  # each correction has its whole text
TOLD = ("kind", "text", "label", "before", "time")


@dataclass(frozen=True)
class Edit:
    """One correction. `before` is the label that the text had, "" where there was none; `time` is local, ISO 8601."""

    number: int
    kind: str
    text: str
    label: str
    before: str = ""
    time: str = ""


@dataclass(frozen=True)
class EditLog:
    """What the log tells: the edits that were not undone, in their order, and how many lines no one can read.

    `last` is the highest number given so far, 0 before the first.
    """

    active: tuple[Edit, ...] = ()
    last: int = 0
    damaged: int = 0


def key_of(text: str) -> str:
    """What two texts share that differ in white space alone: such texts are corrected together."""
    return " ".join(text.split())


def corrections(edits: tuple[Edit, ...]) -> dict[str, Edit]:
    """The edits that change rows, by the text's key; of several for one text the last label holds."""
    held: dict[str, Edit] = {}
    for edit in edits:
        if edit.kind in (RELABEL, ADD):
            before = held.get(key_of(edit.text))
            added = before is not None and before.kind == ADD  # an added text with a new label is still an added one
            held[key_of(edit.text)] = replace(edit, kind=ADD) if added else edit
    return held


def read(folder: Path) -> EditLog:
    """The log of a project's folder; an empty one where there is none. A torn last line is left out.

    Raises UserError where something else than a file lies in its place.
    """
    path = folder / NAME
    try:
        found = reading.plain(path).stat()
    except FileNotFoundError:
        return EditLog()
    return _read(path, (found.st_mtime_ns, found.st_size))


class _Line(reading.Record):
    number: int = Field(ge=0, le=2**53)
    kind: str
    text: str = ""
    label: str = ""
    before: str = ""
    time: str = ""
    undone: int = 0


@functools.lru_cache(maxsize=32)
def _read(path: Path, stamp: tuple[int, int]) -> EditLog:
    """`stamp` changes whenever the file does: the window asks at each turn of a knob."""
    active: dict[int, Edit] = {}
    last = damaged = 0
    for line in filter(None, reading.content(path, MOST_BYTES).split(b"\n")[:-1]):
        try:
            record = _Line.model_validate(reading.parsed(line))
            if record.kind == UNDO:
                active.pop(record.undone, None)
            elif record.kind in KINDS:  # another kind is of a newer version, which changes nothing here
                told = record.model_dump()
                active[record.number] = Edit(record.number, *(told[name] for name in TOLD))
            last = max(last, record.number)
        except ValueError:
            damaged += 1
    return EditLog(tuple(active.values()), last, damaged)


def version(folder: Path, texts_alone: bool = False) -> str:
    """Hash of what the active edits change, "" where they change nothing. With `texts_alone` of the added texts only.

    The same corrections in another order, or after an undo, have the same hash.
    """
    held = corrections(read(folder).active)
    if texts_alone:
        changed = [[key] for key, edit in held.items() if edit.kind == ADD]
    else:
        changed = [[key, edit.kind, edit.label] for key, edit in held.items()]
    return hashlib.sha256(json.dumps(sorted(changed)).encode()).hexdigest()[:16] if changed else ""


def append(folder: Path, edit: Edit) -> None:
    """Write an edit behind the others, durably. Raises OSError where it cannot be written."""
    _append(folder / NAME, asdict(edit))


def append_undo(folder: Path, number: int, undone: int, time: str) -> None:
    """Write that the edit `undone` holds no more. Raises OSError where it cannot be written."""
    _append(folder / NAME, {"number": number, "kind": UNDO, "undone": undone, "time": time})


def _append(path: Path, record: dict[str, Any]) -> None:
    log = files.AppendLog(path)
    try:
        # What a power cut left of a line must not take this one along.
        torn = log.offset > 0 and not path.read_bytes().endswith(b"\n")
        log.write(b"\n" * torn + json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        log.sync()
    finally:
        log.abandon()  # nothing waits any more, or the person is told that it could not be written
