"""All the work of a training before its first step: phases, their steps, the rate of every group at every step."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

from ulmfit_core import events
from ulmfit_core.config import PhaseSettings, StageSettings, planned_phases
from ulmfit_core.errors import UserError
from ulmfit_core.training.schedules import Schedule, schedule

# A training that is finished early takes this share of the steps done, and at least so many, to come to rest.
TAIL_SHARE = 0.1
TAIL_LEAST = 20


@dataclass(frozen=True)
class Phase:
    """Steps [first, last) of a training, in which the layer groups numbered `trained` learn, the bottom group 0.

    `shares` is the rate of each group as a share of the highest, 0 where it is frozen. The schedule runs over
    the steps [span_first, span_last): the phase's own, or the whole stage's.
    """

    title: str
    settings: PhaseSettings
    schedule: Schedule
    trained: tuple[int, ...]
    shares: tuple[float, ...]
    first: int
    last: int
    first_epoch: int
    span_first: int
    span_last: int


@dataclass(frozen=True)
class Tail:
    """The end of a training that is finished early: over the steps [first, last) the rates fall to zero.

    `planned` is how many steps the training would have had.
    """

    first: int
    last: int
    planned: int


@dataclass(frozen=True)
class TrainingPlan:
    """`epoch_ends[e]` is the step after the last one of epoch e, counted over the whole stage."""

    settings: StageSettings
    groups: tuple[str, ...]
    phases: tuple[Phase, ...]
    epoch_ends: tuple[int, ...]
    tail: Tail | None = None

    @property
    def total(self) -> int:
        return self.epoch_ends[-1]

    @property
    def epochs(self) -> int:
        return len(self.epoch_ends)

    def epoch_start(self, epoch: int) -> int:
        return self.epoch_ends[epoch - 1] if epoch else 0

    def phase_of_epoch(self, epoch: int) -> int:
        return bisect.bisect_right(self._first_epochs, epoch) - 1

    def phase_at(self, step: int) -> Phase:
        return self.phases[bisect.bisect_right(self._firsts, step) - 1]

    def finished_early(self, step: int) -> TrainingPlan:
        """The plan of a training that is to end soon after `step` steps: the phase of then, at rates that fall to 0.

        Linear, because a short linear fall makes up for most of a schedule that was not run to its end, whatever
        the step (Hägele et al. 2024, arXiv:2405.18392). It takes `tail_length` steps, over the ends of epochs too.
        """
        last = step + tail_length(step, self.total - step)
        ends = (*(end for end in self.epoch_ends if end < last), last)
        present = [phase for phase in self.phases if phase.first <= step]
        phases = (*present[:-1], replace(present[-1], last=last))
        return replace(self, phases=phases, epoch_ends=ends, tail=Tail(step, last, self.total))

    def rates(self, step: int) -> list[float]:
        """The learning rate of each group at `step`, the bottom group first; 0 where it is frozen."""
        if self.tail and step >= self.tail.first:
            left = (self.tail.last - step) / (self.tail.last - self.tail.first + 1)
            return [rate * left for rate in self._scheduled(self.tail.first)]
        return self._scheduled(step)

    def _scheduled(self, step: int) -> list[float]:
        phase = self.phase_at(step)
        top = phase.settings.lr_max * phase.schedule.rate(step - phase.span_first, phase.span_last - phase.span_first)
        return [top * share for share in phase.shares]

    def momentum(self, step: int) -> float:
        step = min(step, self.tail.first) if self.tail else step
        phase = self.phase_at(step)
        return phase.schedule.momentum(step - phase.span_first, phase.span_last - phase.span_first)

    def progress(self, step: int) -> float:
        """How much of the stage, as it was planned, lies behind `step`: 0 at the first, 1 at the last."""
        planned = self.tail.planned if self.tail else self.total
        return step / max(1, planned - 1)

    def weight_decay(self, step: int) -> float:
        """Changes evenly from the first step of the stage to the last (Smith 2018)."""
        return self.settings.weight_decay * (1 + (self.settings.weight_decay_end - 1) * self.progress(step))

    def names(self, phase: Phase) -> list[str]:
        """The layer groups that learn in `phase`, the lowest first."""
        return [self.groups[index] for index in phase.trained]

    def sample(self, points: int = 400) -> tuple[list[int], list[list[float]]]:
        """Steps spread over the stage, phase borders included, and one list of rates for each group."""
        spread = {round(i * (self.total - 1) / max(1, points - 1)) for i in range(points)}
        borders = {step for phase in self.phases for step in (phase.first, phase.last - 1)}
        borders |= {self.tail.first} if self.tail else set()
        steps = sorted(spread | borders)
        table = [self.rates(step) for step in steps]
        return steps, [list(column) for column in zip(*table, strict=True)]

    def event(self, tokens: int = 0, parameters: int = 0, device: str = "", threads: int = 0) -> events.Plan:
        """What is told of the plan before its first step."""
        phases = [
            {
                "title": phase.title, "first_step": phase.first, "last_step": phase.last,
                "epochs": phase.settings.epochs, "groups": self.names(phase),
            }
            for phase in self.phases
        ]  # fmt: skip
        steps, rates = self.sample()
        return events.Plan(
            groups=list(self.groups), total_steps=self.total, total_tokens=tokens, epoch_ends=list(self.epoch_ends),
            phases=phases, rate_steps=steps, rates=rates, parameters=parameters, device=device, threads=threads,
        )  # fmt: skip

    @cached_property
    def _firsts(self) -> list[int]:
        return [phase.first for phase in self.phases]

    @cached_property
    def _first_epochs(self) -> list[int]:
        return [phase.first_epoch for phase in self.phases]


def tail_length(done: int, left: int) -> int:
    """Steps in which a training that is finished early, after `done` steps, comes to its end; at most the `left`."""
    return min(left, max(TAIL_LEAST, round(TAIL_SHARE * done)))


def make_plan(settings: StageSettings, groups: Sequence[str], steps_of_epoch: Callable[[int], int]) -> TrainingPlan:
    """Lay out the phases of `settings` over epochs whose number of steps is known beforehand.

    Raises UserError where the rates of the layer groups do not fit the model.
    """
    rows = planned_phases(settings, len(groups))
    ends = list(accumulate(steps_of_epoch(epoch) for epoch in range(sum(row.epochs for row in rows))))
    phases: list[Phase] = []
    epoch = 0
    for row in rows:
        first, last = ends[epoch - 1] if epoch else 0, ends[epoch + row.epochs - 1]
        trained = _trained(row, len(groups))
        ladder = _ladder(settings, row.lr_max, len(groups))
        shares = tuple(share if index in trained else 0.0 for index, share in enumerate(ladder))
        span = (0, ends[-1]) if settings.span == "stage" else (first, last)
        shape = schedule(row.schedule, settings)
        phases.append(Phase(_title(trained, groups), row, shape, trained, shares, first, last, epoch, *span))
        epoch += row.epochs
    return TrainingPlan(settings, tuple(groups), tuple(phases), tuple(ends))


def _trained(row: PhaseSettings, count: int) -> tuple[int, ...]:
    """The numbers of the top `groups` of `count` groups, or of the lowest of them alone."""
    lowest = count - row.groups
    return (lowest,) if row.alone else tuple(range(lowest, count))


def _ladder(settings: StageSettings, lr_max: float, count: int) -> list[float]:
    """Rate of each group as a share of `lr_max`, the bottom group first: by shares, by range or by factor.

    A group's place follows from its distance to the top, whatever is frozen (ULMFiT paper 3.2).
    """
    distances = range(count - 1, -1, -1)
    if settings.layer_shares:
        if len(settings.layer_shares) != count or min(settings.layer_shares) < 0:
            raise UserError(
                f"There are {len(settings.layer_shares)} shares of the learning rate for {count} layer groups. "
                f"Give {count} numbers from 0 up, the lowest group first, or none."
            )
        return list(settings.layer_shares)
    if settings.lr_min > 0:
        if settings.lr_min > lr_max:
            raise UserError(
                f"The rate of the lowest layer group, {settings.lr_min:g}, is above the highest, {lr_max:g}. Lower it."
            )
        return [(settings.lr_min / lr_max) ** (k / max(1, count - 1)) for k in distances]
    return [settings.layer_factor**-k for k in distances]


def _title(trained: tuple[int, ...], groups: Sequence[str]) -> str:
    lowest = groups[trained[0]]
    if len(trained) == len(groups):
        return "All layers"
    return f"Only {lowest}" if len(trained) == 1 else f"{lowest} and above"
