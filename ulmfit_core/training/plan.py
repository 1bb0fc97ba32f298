"""All the work of a training before its first step: phases, their steps, the rate of every group at every step."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from ulmfit_core.config import PhaseSettings, StageSettings, planned_phases
from ulmfit_core.training.schedules import Schedule, schedule


@dataclass(frozen=True)
class Phase:
    """Steps [first, last) of a training, in which the top `trained` layer groups learn."""

    title: str
    settings: PhaseSettings
    schedule: Schedule
    first: int
    last: int
    first_epoch: int


@dataclass(frozen=True)
class TrainingPlan:
    """`epoch_ends[e]` is the step after the last one of epoch e, counted over the whole stage."""

    groups: tuple[str, ...]
    phases: tuple[Phase, ...]
    epoch_ends: tuple[int, ...]
    layer_factor: float

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

    def rates(self, step: int) -> list[float]:
        """The learning rate of each group at `step`, the bottom group first; 0 where it is frozen."""
        phase = self.phase_at(step)
        top = phase.settings.lr_max * phase.schedule.rate(step - phase.first, phase.last - phase.first)
        frozen = len(self.groups) - phase.settings.groups
        above = range(len(self.groups) - 1, -1, -1)
        return [0.0 if i < frozen else top / self.layer_factor**k for i, k in enumerate(above)]

    def momentum(self, step: int) -> float:
        phase = self.phase_at(step)
        return phase.schedule.momentum(step - phase.first, phase.last - phase.first)

    def sample(self, points: int = 400) -> tuple[list[int], list[list[float]]]:
        """Steps spread over the stage, phase borders included, and one list of rates for each group."""
        spread = {round(i * (self.total - 1) / max(1, points - 1)) for i in range(points)}
        borders = {step for phase in self.phases for step in (phase.first, phase.last - 1)}
        steps = sorted(spread | borders)
        table = [self.rates(step) for step in steps]
        return steps, [list(column) for column in zip(*table, strict=True)]

    @cached_property
    def _firsts(self) -> list[int]:
        return [phase.first for phase in self.phases]

    @cached_property
    def _first_epochs(self) -> list[int]:
        return [phase.first_epoch for phase in self.phases]


def make_plan(settings: StageSettings, groups: Sequence[str], steps_of_epoch: Callable[[int], int]) -> TrainingPlan:
    """Lay out the phases of `settings` over epochs whose number of steps is known beforehand."""
    rows = planned_phases(settings, len(groups))
    ends = list(accumulate(steps_of_epoch(epoch) for epoch in range(sum(row.epochs for row in rows))))
    phases: list[Phase] = []
    epoch = 0
    for row in rows:
        first = ends[epoch - 1] if epoch else 0
        row = row.model_copy(update={"groups": min(row.groups, len(groups))})
        shape = schedule(row.schedule, settings)
        phases.append(Phase(_title(row, groups), row, shape, first, ends[epoch + row.epochs - 1], epoch))
        epoch += row.epochs
    return TrainingPlan(tuple(groups), tuple(phases), tuple(ends), settings.layer_factor)


def _title(row: PhaseSettings, groups: Sequence[str]) -> str:
    if row.groups == len(groups):
        return "All layers"
    if row.groups == 1:
        return f"Only {groups[-1]}"
    return f"{groups[-row.groups]} and above"
