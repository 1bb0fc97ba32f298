"""When a command is killed: drawn from a seed and a number, so that each moment can be had again."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass

from tests.crash.life import Life

SEED = int(os.environ.get("ULMFIT_TORTURE_SEED", "1"))
# How often in 25 moments each stage is killed: more often where more is at stake.
SHARES = {
    "new": 1, "vocab": 2, "pretrain": 1, "finetune": 2, "classify": 2, "evaluate": 1, "predict answers.csv": 1,
    "predict answers.parquet": 1, "again vocab": 2, "again pretrain": 1, "again finetune": 3, "again classify": 3,
    "again evaluate": 1, "again predict answers.csv": 2, "again predict answers.parquet": 1, "grow": 1,
}  # fmt: skip
TURNS = [name for name, share in SHARES.items() for _ in range(share)]
TWICE = 1 / 3  # of the moments, what goes on after the kill is killed, too


@dataclass(frozen=True)
class Moment:
    """Of the stage with this number: its command's kills, each after so many seconds or before the change `at`.

    `started`: by a process of its own, which must load torch first, and not forked.
    """

    stage: int
    by: str
    at: list[float]
    started: bool

    def __str__(self) -> str:
        places = " and ".join(f"{at:.2f} s" if self.by == "seconds" else f"change {at:.0f}" for at in self.at)
        return f"stage {self.stage}, killed at {places}{', started' if self.started else ''}"


def draw(life: Life, number: int) -> Moment:
    """Stages take turns; half of their moments are drawn from the seconds that they take, half from their changes.

    Half of the first half are of processes started as a person starts them.
    """
    rng = random.Random(f"{SEED} {number}")
    turn, place = divmod(number, len(TURNS))
    by_changes, stage = (turn + place) % 2 == 0, life.number(TURNS[place])
    return moment(life, rng, stage, by_changes, started=not by_changes and turn // 2 % 2 == place % 2)


def moment(life: Life, rng: random.Random, stage: int, by_changes: bool, started: bool = False) -> Moment:
    life.after(stage)  # measures it
    name, times = life.stages[stage].name, 2 if rng.random() < TWICE else 1
    if by_changes:
        return Moment(stage, "changes", [float(rng.randint(1, life.changes[name])) for _ in range(times)], False)
    longest = life.seconds[name] + life.shell.loading * started
    return Moment(stage, "seconds", [rng.uniform(0, longest) for _ in range(times)], started)
