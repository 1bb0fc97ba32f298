"""kill -9 at random moments of a small project's life costs nobody more than the last seconds.

After each kill the project opens, what was finished is as it was or wholly new, no process stays behind, and going on
ends with the very files of a life that nobody disturbed, and with nothing beside them.

A few moments are tried with every change to the program; `make torture` tries 200.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest

from tests.crash.killed import Case, keep
from tests.crash.life import Life
from tests.crash.moments import SEED, draw, moment

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them"),
]

KILLS = int(os.environ.get("ULMFIT_TORTURE_KILLS", "200"))
# Of every change to the program, and whether by a change or by the clock.
SLICE = {
    "vocab": True, "pretrain": False, "finetune": True, "classify": True, "evaluate": True,
    "predict answers.csv": False,
}  # fmt: skip


@pytest.mark.parametrize("name", SLICE)
def test_a_kill(life: Life, name: str, tmp_path: Path) -> None:
    drawn = moment(life, random.Random(f"{SEED} {name}"), life.number(name), SLICE[name])
    print(f"seed {SEED}: {name}, {drawn}")
    Case(life, drawn, tmp_path).run()


@pytest.mark.torture
@pytest.mark.parametrize("number", range(KILLS))
def test_many_kills(life: Life, number: int, tmp_path: Path) -> None:
    drawn = draw(life, number)
    print(f"seed {SEED}, number {number}: {life.stages[drawn.stage].name}, {drawn}")
    keep(number, Case(life, drawn, tmp_path).run())
