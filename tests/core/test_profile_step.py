"""The profile of a training step: a clock that charges each moment once, around the trainer's own parts."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest

from ulmfit_core.data.feed import Feed
from ulmfit_core.jobs import language_model_stage
from ulmfit_core.models import dropout

ROOT = Path(__file__).parents[2]


@pytest.fixture
def profile_step():
    import profile_step

    return profile_step


def test_time_inside_of_a_part_within_a_part_is_charged_once(profile_step):
    ticks = itertools.count()
    watch = profile_step.Stopwatch(lambda: float(next(ticks)))
    owner = SimpleNamespace(inner=lambda: None)
    owner.outer = lambda: owner.inner()
    watch.around(owner, "inner", profile_step.LOSS)
    watch.around(owner, "outer", profile_step.BATCH)
    for _ in range(profile_step.WARM + 1):
        owner.outer()
        watch.end_step()
    found = watch.median()
    assert found[profile_step.LOSS] == 1 and found[profile_step.BATCH] == 2 and found[profile_step.OTHER] == 2
    assert sum(found.values()) == 5  # one tick for each time that the clock is read


def test_a_step_of_the_trainer_is_taken_apart_and_put_together_again(profile_step, tmp_path):
    places = [(Feed, "__getitem__"), (dropout, "mask"), (language_model_stage, "activation_penalty")]
    before = [getattr(owner, name) for owner, name in places]
    case = profile_step.Case(300, 12, 20, 3, 4, 10)
    found = profile_step.profile(case, "float32", 3, tmp_path)
    assert list(found) == list(profile_step.PARTS) and all(seconds > 0 for seconds in found.values())
    assert [getattr(owner, name) for owner, name in places] == before


def test_the_arithmetic_of_the_parts_is_that_of_the_step(profile_step):
    case = profile_step.SIZES["small"]
    assert sum(profile_step.operations(case).values()) == case.flops * case.tokens
