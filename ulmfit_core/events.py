"""What a run says while it works: frozen dataclasses, one JSON line each in `events.jsonl`."""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events. `at` is seconds since 1970."""

    logged: ClassVar[bool] = True
    at: float = field(default_factory=time.time)


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


KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        Started, Plan, PhaseBegan, EpochEnded, SampleText, WatchedScores, GeneralLoss, CheckpointSaved, Artefact,
        Message, Progress, Ended,
    )
}  # fmt: skip


def to_line(event: Event) -> bytes:
    """One JSON line, newline included."""
    record = {"event": type(event).__name__, **dataclasses.asdict(event)}
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


def from_line(line: bytes) -> Event:
    """The event of one line. Raises ValueError for a torn or unknown one."""
    record = json.loads(line)
    kind = KINDS.get(record.pop("event", ""))
    if kind is None:
        raise ValueError(f"unknown event: {line[:80]!r}")
    return kind(**record)


def read_events(path: Path) -> list[Event]:
    """All whole events of a log; a torn last line (power cut, live writer) is left out."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    return [from_line(line) for line in lines[:-1] if line]
