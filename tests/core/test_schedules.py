"""The schedules keep their bounds and the published values; the plan gives each layer group its rate."""

import itertools

import pytest

from ulmfit_core.config import ClassifySettings, PhaseSettings, PretrainSettings, planned_phases
from ulmfit_core.training.plan import make_plan
from ulmfit_core.training.schedules import Constant, OneCycle, Slanted, slanted_triangle

FIVE = ["embedding", "rnn1", "rnn2", "rnn3", "head"]


@pytest.mark.parametrize("t, expected", [(0, 3.125e-4), (50, 5.15625e-3), (100, 1e-2), (999, 3.23e-4)])
def test_slanted_triangle_has_the_published_values(t, expected):
    assert 0.01 * slanted_triangle(t, 1000, 0.1, 32) == pytest.approx(expected, rel=2e-3)


def test_slanted_triangle_rises_to_the_cut_then_falls_for_every_span():
    for total in range(1, 3001):
        cut = max(1, int(total * 0.1))
        rates = [slanted_triangle(t, total, 0.1, 32) for t in range(total)]
        assert min(rates) >= 1 / 32 - 1e-12 and max(rates) <= 1 + 1e-12, total
        rising, falling = rates[: cut + 1], rates[cut:]
        assert all(a < b for a, b in itertools.pairwise(rising)), total
        assert all(a > b for a, b in itertools.pairwise(falling)), total


def test_one_cycle_goes_up_then_down_and_momentum_the_other_way():
    shape = OneCycle(PretrainSettings())
    rates = [shape.rate(t, 1000) for t in range(1000)]
    momenta = [shape.momentum(t, 1000) for t in range(1000)]
    assert rates[0] == pytest.approx(1 / 25) and rates[250] == pytest.approx(1.0) and rates[999] < 1e-4
    assert momenta[0] == pytest.approx(0.8) and momenta[250] == pytest.approx(0.7) and momenta[999] > 0.799
    assert rates.index(max(rates)) == momenta.index(min(momenta)) == 250


def test_constant_is_constant():
    shape = Constant(ClassifySettings())
    assert {shape.rate(t, 10) for t in range(10)} == {1.0}


def test_gradual_unfreezing_adds_one_group_each_phase():
    plan = make_plan(ClassifySettings(epochs=3), FIVE, lambda epoch: 20)
    assert [phase.settings.groups for phase in plan.phases] == [1, 2, 3, 4, 5]
    assert [(phase.first, phase.last) for phase in plan.phases] == [(0, 20), (20, 40), (40, 60), (60, 80), (80, 140)]
    for phase in plan.phases:
        for step in range(phase.first, phase.last):
            frozen = [rate == 0 for rate in plan.rates(step)]
            assert frozen == [i < 5 - phase.settings.groups for i in range(5)]


def test_each_group_learns_2_6_times_slower_than_the_next():
    plan = make_plan(ClassifySettings(unfreezing="all", epochs=1), FIVE, lambda epoch: 50)
    for step in range(50):
        rates = plan.rates(step)
        assert all(b / a == pytest.approx(2.6) for a, b in itertools.pairwise(rates))
    assert plan.rates(5)[-1] == pytest.approx(0.01)


def test_one_triangle_spans_a_phase_of_several_epochs():
    plan = make_plan(ClassifySettings(unfreezing="all", epochs=3), FIVE, lambda epoch: 10)
    top = [plan.rates(step)[-1] for step in range(30)]
    assert top.index(max(top)) == 3 and all(a > b for a, b in itertools.pairwise(top[3:]))


def test_epochs_of_unequal_length_are_laid_out_exactly():
    plan = make_plan(ClassifySettings(unfreezing="all", epochs=3), FIVE, lambda epoch: [7, 5, 9][epoch])
    assert plan.epoch_ends == (7, 12, 21) and plan.total == 21
    assert [plan.epoch_start(epoch) for epoch in range(3)] == [0, 7, 12]
    assert [plan.phase_of_epoch(epoch) for epoch in range(3)] == [0, 0, 0]


def test_a_table_of_phases_replaces_epochs_and_unfreezing():
    rows = [PhaseSettings(epochs=2, groups=1, lr_max=0.02), PhaseSettings(epochs=1, lr_max=0.005, schedule="one_cycle")]
    settings = ClassifySettings(phases=rows)
    assert [(row.epochs, row.groups) for row in planned_phases(settings, 5)] == [(2, 1), (1, 5)]
    plan = make_plan(settings, FIVE, lambda epoch: 10)
    assert isinstance(plan.phases[0].schedule, Slanted) and isinstance(plan.phases[1].schedule, OneCycle)
    assert plan.rates(2)[-1] == pytest.approx(0.02)


def test_the_preview_shows_every_border_and_the_real_rates():
    plan = make_plan(ClassifySettings(), FIVE, lambda epoch: 333)
    steps, rates = plan.sample(100)
    for phase in plan.phases:
        assert phase.first in steps and phase.last - 1 in steps
    for position, step in enumerate(steps):
        assert [line[position] for line in rates] == plan.rates(step)
