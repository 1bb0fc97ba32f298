"""What a run says while it works: frozen dataclasses, one JSON line each in `events.jsonl`."""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError

from ulmfit_core import reading, reports


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events. `at` is seconds since 1970.

    `extra` holds what the line of another version of the program says besides, by name; nothing here reads it.
    """

    logged: ClassVar[bool] = True
    at: float = field(default_factory=time.time)
    extra: dict[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Started(Event):
    """A job begins, or goes on (`resumed`) from step `step`."""

    job: str
    title: str
    resumed: bool = False
    step: int = 0


@dataclass(frozen=True)
class Plan(Event):
    """All the work of a training, known before its first step.

    `phases` holds one dict each: title, first_step, last_step (exclusive), epochs, groups (names trained).
    `rates` is the coming schedule, sampled at `rate_steps`: one list a group, 0 where it is frozen.
    """

    groups: list[str]
    total_steps: int
    total_tokens: int
    epoch_ends: list[int]
    phases: list[dict[str, Any]]
    rate_steps: list[int]
    rates: list[list[float]]
    parameters: int
    device: str
    threads: int


@dataclass(frozen=True)
class PhaseBegan(Event):
    index: int
    title: str
    groups: list[str]
    step: int


@dataclass(frozen=True)
class EpochEnded(Event):
    """`metrics` by name: train_loss, valid_loss, perplexity, accuracy, macro_f1, next_word_accuracy, seconds."""

    epoch: int
    phase: int
    step: int
    metrics: dict[str, float]
    best: bool


@dataclass(frozen=True)
class SampleText(Event):
    """A continuation that the language model wrote after an epoch."""

    epoch: int
    prompt: str
    text: str
    temperature: float = 0.8


@dataclass(frozen=True)
class WatchedScores(Event):
    """What the model said of the watched sentences after an epoch; epoch -1 is before the first one.

    `rows` holds one dict each: text, label (the expected one, or ""), and probabilities by label of a classifier, or
    loss (in nats per word) of a language model.
    """

    epoch: int
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class GeneralLoss(Event):
    """Loss per token on general text that fine-tuning does not read; epoch -1 is before it. `source` names the text."""

    epoch: int
    loss: float
    source: str


@dataclass(frozen=True)
class CheckpointSaved(Event):
    step: int
    seconds: float


@dataclass(frozen=True)
class Artefact(Event):
    """Something finished that stays: kind is dataset, vocabulary, bundle or report."""

    kind: str
    path: str


@dataclass(frozen=True)
class Message(Event):
    """A sentence for the person; level is info, warning or error."""

    level: str
    text: str


@dataclass(frozen=True)
class Progress(Event):
    """Where a long task without steps stands; passing news, never written to the log."""

    logged: ClassVar[bool] = False
    label: str
    done: float
    total: float


@dataclass(frozen=True)
class Ended(Event):
    """The last word of a run. status: done, stopped or failed; `reason` says why and what to do.

    `finished_early` marks a run whose owner asked for the result before the plan was through.
    """

    status: str
    reason: str = ""
    finished_early: bool = False
    report: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Unknown(Event):
    """An event that this version does not know, or that says something else than it should: all of it is in `extra`."""

    kind: str


# A log has a line an epoch and sample; these are a million.
MOST_BYTES = 512 * 2**20
END_OF_TIME = 253_402_300_799  # seconds from 1970 to the year 10000, which no calendar here knows
MOST_SHOWN = 200  # bytes of a line that is no event
KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        Started, Plan, PhaseBegan, EpochEnded, SampleText, WatchedScores, GeneralLoss, CheckpointSaved, Artefact,
        Message, Progress, Ended,
    )
}  # fmt: skip


def to_line(event: Event) -> bytes:
    """One JSON line, newline included."""
    record = dataclasses.asdict(event)
    name = record.pop("kind") if isinstance(event, Unknown) else type(event).__name__
    extra = record.pop("extra")
    return json.dumps({"event": name, **record, **extra}, ensure_ascii=False).encode() + b"\n"


def from_line(line: bytes) -> Event:
    """The event of one line. What another version of the program said otherwise is kept, never refused.

    Raises ValueError for a torn line or one that is no event.
    """
    record = reading.parsed(line)
    if not isinstance(record, dict) or not isinstance(record.get("event"), str):
        raise ValueError(f"no event: {line[:80]!r}")
    name, at = record.pop("event"), record.pop("at", 0.0)
    needed = {key for key, must in _fields(name).items() if must}
    if name not in KINDS or not needed <= record.keys() or not _is_time(at):
        return _unknown(name, at, record)
    told = {key: value for key, value in record.items() if key in _fields(name)}
    extra = {key: value for key, value in record.items() if key not in told}
    try:
        reports.check(told)
        return _adapter(name).validate_python({**told, "at": at, "extra": extra})
    except ValidationError:
        return _unknown(name, at, record)


def _is_time(at: Any) -> bool:
    return isinstance(at, int | float) and 0 <= at < END_OF_TIME


def _unknown(name: str, at: Any, record: dict[str, Any]) -> Unknown:
    """Its time is 0 where it tells none."""
    return Unknown(name, at=at, extra=record) if _is_time(at) else Unknown(name, at=0.0, extra={"at": at, **record})


@functools.cache
def _adapter(name: str) -> TypeAdapter[Event]:
    return TypeAdapter(KINDS[name])


@functools.cache
def _fields(name: str) -> dict[str, bool]:
    """What a line of this kind of event says, and whether it must say it; nothing of a kind that is not known."""
    missing = dataclasses.MISSING
    return {
        part.name: part.default is missing and part.default_factory is missing
        for part in (dataclasses.fields(KINDS[name]) if name in KINDS else ())
        if part.name not in ("at", "extra")
    }


def of_another_version(told: Iterable[Event]) -> int:
    """How many of these events say more than this version of the program knows, or something else."""
    return sum(bool(event.extra) or isinstance(event, Unknown) for event in told)


def read_events(path: Path) -> list[Event]:
    """All whole events of a log; a torn last line (power cut, live writer) is left out.

    A line that no one can read is there as Unknown, without a kind. Raises UserError where the file is none.
    """
    try:
        lines = reading.content(path, MOST_BYTES).split(b"\n")
    except FileNotFoundError:
        return []
    return [kept(line) for line in lines[:-1] if line]


def kept(line: bytes) -> Event:
    try:
        return from_line(line)
    except ValueError:
        return Unknown("", at=0.0, extra={"line": line[:MOST_SHOWN].decode("utf-8", "replace")})
