"""The time left after a sleep of the machine: a night is no slow step."""

import numpy as np
import pytest

from studio.job_bar import TimeLeft
from studio.widgets import pace
from ulmfit_core.events import Progress
from ulmfit_core.run import Steps

HOUR = 3600.0



def steps_at(seconds):
    rows = [[number + 1, 100.0, second] for number, second in enumerate(seconds)]
    return Steps(("step", "tokens", "seconds"), np.array(rows, np.float32))


@pytest.mark.parametrize("place", [5, 50, 99])
def test_a_night_asleep_does_not_count_for_the_speed(place):
    gaps = np.full(100, 0.5)
    gaps[place] += 8 * HOUR
    steps_a_second, tokens_a_second = pace.speed(steps_at(np.cumsum(gaps)))
    assert steps_a_second == pytest.approx(2.0, rel=1e-3) and tokens_a_second == pytest.approx(200.0, rel=0.02)


def test_steps_that_all_take_minutes_are_no_sleep():
    assert pace.speed(steps_at(np.arange(10) * 120.0))[0] == pytest.approx(1 / 120)


def test_the_time_left_of_a_job_leaves_a_sleep_out():
    left = TimeLeft()
    for second in range(20):
        known = left.of(Progress("Reading", second, 100.0), 1000.0 + second)
    assert known == pytest.approx(81.0)
    assert left.of(Progress("Reading", 20.0, 100.0), 1020.0 + 8 * HOUR) == pytest.approx(80, rel=0.1)
    assert left.of(Progress("Reading", 21.0, 100.0), 1021.0 + 8 * HOUR) == pytest.approx(79, rel=0.1)


def test_a_job_whose_news_are_minutes_apart_has_a_time_left():
    left = TimeLeft()
    for number in range(12):
        known = left.of(Progress("Reading", number, 100.0), 90.0 * number)
    assert known == pytest.approx(90.0 * 89)


def test_where_the_clock_stands_still_no_speed_is_told():
    assert pace.speed(steps_at(np.full(10, 1000.0))) == (0.0, 0.0)
