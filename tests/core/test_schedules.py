"""The schedules have the published values at every step; the plan gives each layer group its rate."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ulmfit_core.catalog import SCHEDULES
from ulmfit_core.config import ClassifySettings, PhaseSettings, PretrainSettings, StageSettings, planned_phases
from ulmfit_core.errors import UserError
from ulmfit_core.training.plan import make_plan
from ulmfit_core.training.schedules import OneCycle, Slanted, schedule, slanted_triangle

FIVE = ["embedding", "rnn1", "rnn2", "rnn3", "head"]


# What the sources print, written anew over all steps at once.


def paper_triangle(total, cut_frac=0.1, ratio=32):
    """ULMFiT paper, equation 3, for totals whose cut is whole: there its second denominator is total - cut."""
    t, cut = np.arange(total), math.floor(total * cut_frac)
    p = np.where(t < cut, t / cut, 1 - (t - cut) / (cut * (1 / cut_frac - 1)))
    return (1 + p * (ratio - 1)) / ratio


def half_cosine(start, end, share):
    return start + (end - start) / 2 * (1 - np.cos(np.pi * share))


def smith_cycle(total, start, top, end, share=0.25):
    """One cycle with cosine flanks, over the position t / total."""
    at = np.arange(total) / total
    return np.where(
        at < share, half_cosine(start, top, at / share), half_cosine(top, end, (at - share) / (1 - share))
    )  # fmt: skip


REFERENCES = {
    "slanted": lambda total: (paper_triangle(total), np.full(total, 0.8)),
    "one_cycle": lambda total: (smith_cycle(total, 1 / 25, 1, 1e-5), smith_cycle(total, 0.8, 0.7, 0.8)),
    "cosine": lambda total: (np.cos(np.pi * np.arange(total) / (2 * total)) ** 2, np.full(total, 0.8)),
    "flat_anneal": lambda total: (
        half_cosine(1, 0, np.maximum(0, (np.arange(total) / total - 0.75) / 0.25)), np.full(total, 0.8),
    ),
    "constant": lambda total: (np.ones(total), np.full(total, 0.8)),
}  # fmt: skip


@pytest.mark.parametrize("total", [10, 100, 1000])
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_step_has_the_value_of_the_source(name, total):
    shape = schedule(name, StageSettings())
    rates, momenta = REFERENCES[name](total)
    assert [shape.rate(t, total) for t in range(total)] == pytest.approx(list(rates), rel=1e-9)
    assert [shape.momentum(t, total) for t in range(total)] == pytest.approx(list(momenta), rel=1e-9)


@pytest.mark.parametrize("t, expected", [(0, 3.125e-4), (50, 5.15625e-3), (100, 1e-2), (999, 3.23e-4)])
def test_slanted_triangle_has_the_published_values(t, expected):
    assert 0.01 * slanted_triangle(t, 1000, 0.1, 32) == pytest.approx(expected, rel=2e-3)


LOWEST = {"slanted": 1 / 32, "one_cycle": 1e-5, "cosine": 0.0, "flat_anneal": 0.0, "constant": 1.0}


@pytest.mark.parametrize("name", SCHEDULES)
def test_bounds_hold_for_every_span(name):
    """From 1 to 3,000 steps: the first, the last, those around the turns, and some between."""
    shape = schedule(name, StageSettings())
    for total in range(1, 3001):
        turns = (0, total // 10, total // 4, int(total * 0.75), total // 2, total - 1)
        steps = {min(total - 1, max(0, turn + k)) for turn in turns for k in (-1, 0, 1)}
        rates = [shape.rate(t, total) for t in steps]
        momenta = [shape.momentum(t, total) for t in steps]
        assert LOWEST[name] - 1e-12 <= min(rates) and max(rates) <= 1 + 1e-12, total
        assert min(rates) > 0 and min(momenta) >= 0.7 - 1e-12 and max(momenta) <= 0.8 + 1e-12, total


def test_slanted_triangle_rises_to_the_cut_then_falls_for_every_span():
    for total in [*range(1, 300), *range(300, 3001, 37)]:
        cut = max(1, int(total * 0.1))
        rates = [slanted_triangle(t, total, 0.1, 32) for t in range(total)]
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


# Any plan that can be set


@st.composite
def plans(draw):
    """Settings of a stage, 1 to 6 layer groups, epochs of unequal length, and the plan over them."""
    count = draw(st.integers(1, 6))
    rows = [
        PhaseSettings(
            epochs=draw(st.integers(1, 3)), groups=draw(st.integers(0, count)), alone=draw(st.booleans()),
            lr_max=draw(st.floats(1e-3, 10)), schedule=draw(st.sampled_from(list(SCHEDULES))),
        )
        for _ in range(draw(st.integers(1, 4)))
    ]  # fmt: skip
    ladder = draw(st.sampled_from(["factor", "range", "shares"]))
    shares = [draw(st.floats(0.01, 1)) for _ in range(count)] if ladder == "shares" else []
    made = StageSettings(
        phases=rows, span=draw(st.sampled_from(["phase", "stage"])), layer_factor=draw(st.floats(1, 10)),
        lr_min=draw(st.floats(1e-6, 1e-3)) if ladder == "range" else 0.0, layer_shares=shares,
        cut_frac=draw(st.floats(0.01, 0.9)), ratio=draw(st.floats(1, 100)), pct_start=draw(st.floats(0.05, 0.9)),
        flat_share=draw(st.floats(0.05, 0.95)), weight_decay=draw(st.floats(0, 1)),
        weight_decay_end=draw(st.floats(0, 1)),
    )  # fmt: skip
    steps = draw(st.lists(st.integers(1, 30), min_size=12, max_size=12))
    return made, make_plan(made, FIVE[-count:] if count < 6 else ["a", *FIVE], lambda epoch: steps[epoch])


@settings(max_examples=60)
@given(plans())
def test_groups_keep_their_ratio_and_only_the_trained_ones_have_a_rate(pair):
    made, plan = pair
    count = len(plan.groups)
    for step in range(plan.total):
        phase, rates = plan.phase_at(step), plan.rates(step)
        assert [rate > 0 for rate in rates] == [index in phase.trained for index in range(count)]
        top = phase.settings.lr_max * phase.schedule.rate(step - phase.span_first, phase.span_last - phase.span_first)
        for index in phase.trained:
            above = count - 1 - index
            if made.layer_shares:
                expected = made.layer_shares[index]
            elif made.lr_min:
                expected = math.exp(math.log(made.lr_min / phase.settings.lr_max) * above / max(1, count - 1))
            else:
                expected = 1 / made.layer_factor**above
            assert rates[index] == pytest.approx(top * expected, rel=1e-9)


@settings(max_examples=60)
@given(plans())
def test_rates_and_momentum_move_in_small_steps_within_a_phase_and_stay_within_their_bounds(pair):
    """A step changes a rate by no more than the steepest flank of its shape, and never leaves (0, highest]."""
    made, plan = pair
    for phase in plan.phases:
        span = phase.span_last - phase.span_first
        highest = phase.settings.lr_max * max(phase.shares)
        tops = [max(plan.rates(step)) for step in range(phase.first, phase.last)]
        assert all(0 < rate <= highest * (1 + 1e-9) for rate in tops)
        shortest = max(1, math.floor(span * min(made.cut_frac, made.pct_start, 1 - made.pct_start, 1 - made.cut_frac)))
        shortest = min(shortest, max(1, math.floor(span * (1 - made.flat_share))))
        bound = highest * math.pi / 2 / shortest
        assert all(abs(a - b) <= bound * (1 + 1e-9) for a, b in itertools.pairwise(tops))
        momenta = [plan.momentum(step) for step in range(phase.first, phase.last)]
        assert all(0.7 - 1e-12 <= momentum <= 0.8 + 1e-12 for momentum in momenta)


@settings(max_examples=60)
@given(plans())
def test_each_span_begins_and_ends_as_its_schedule_says(pair):
    made, plan = pair
    begins = {"slanted": 1 / made.ratio, "one_cycle": 1 / 25, "cosine": 1, "flat_anneal": 1, "constant": 1}
    for phase in plan.phases:
        name, span = phase.settings.schedule, phase.span_last - phase.span_first
        assert (phase.span_first, phase.span_last) == (
            (0, plan.total) if made.span == "stage" else (phase.first, phase.last)
        )
        assert phase.schedule.rate(0, span) == pytest.approx(begins[name])
        if span >= 400 and name in ("cosine", "flat_anneal", "one_cycle"):
            assert phase.schedule.rate(span - 1, span) < 1e-2
        if name == "constant":
            assert phase.schedule.rate(span - 1, span) == 1
    assert plan.phases[0].first == 0 and plan.phases[-1].last == plan.total
    assert all(a.last == b.first for a, b in itertools.pairwise(plan.phases))


@settings(max_examples=60)
@given(plans())
def test_weight_decay_changes_evenly_over_the_stage(pair):
    made, plan = pair
    decays = [plan.weight_decay(step) for step in range(plan.total)]
    assert decays[0] == made.weight_decay
    if plan.total > 1:
        assert decays[-1] == pytest.approx(made.weight_decay * made.weight_decay_end, abs=1e-12)
        expected = np.linspace(made.weight_decay, made.weight_decay * made.weight_decay_end, plan.total)
        assert decays == pytest.approx(list(expected), abs=1e-12)


# The plan by example


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


def test_a_schedule_may_span_the_whole_stage():
    """One triangle over all phases: a group that joins late joins on its falling side."""
    plan = make_plan(ClassifySettings(epochs=6, span="stage"), FIVE, lambda epoch: 100)
    top = [plan.rates(step)[-1] for step in range(plan.total)]
    assert plan.total == 1000
    assert top == pytest.approx(list(0.01 * paper_triangle(1000)))
    assert plan.rates(399)[0] == 0.0 and plan.rates(400)[0] == pytest.approx(top[400] / 2.6**4)


def test_chain_thaw_trains_one_group_at_a_time_then_all():
    plan = make_plan(ClassifySettings(unfreezing="chain", epochs=2), FIVE, lambda epoch: 10)
    assert [plan.names(phase) for phase in plan.phases] == [
        ["head"], ["embedding"], ["rnn1"], ["rnn2"], ["rnn3"], FIVE,
    ]  # fmt: skip
    assert [phase.title for phase in plan.phases][:2] == ["Only head", "Only embedding"]
    assert plan.rates(11)[1:] == [0.0] * 4
    assert [phase["groups"] for phase in plan.event().phases] == [plan.names(phase) for phase in plan.phases]


def test_a_range_is_geometric_from_the_lowest_group_to_the_highest():
    """lr / 2.6^4 to lr over five groups is a factor of exactly 2.6."""
    by_range = make_plan(ClassifySettings(unfreezing="all", lr_min=0.01 / 2.6**4), FIVE, lambda epoch: 20)
    by_factor = make_plan(ClassifySettings(unfreezing="all", layer_factor=2.6), FIVE, lambda epoch: 20)
    for step in range(20):
        assert by_range.rates(step) == pytest.approx(by_factor.rates(step))


def test_shares_of_the_rates_are_those_given():
    """The language model of the authors' code: [lr/6, lr/3, lr, lr/2]."""
    shares = [1 / 6, 1 / 3, 1.0, 0.5]
    made = StageSettings(layer_shares=shares, lr_max=0.004, schedule="constant")
    plan = make_plan(made, ["rnn1", "rnn2", "rnn3", "embedding+decoder"], lambda epoch: 2)
    assert plan.rates(0) == pytest.approx([0.004 / 6, 0.004 / 3, 0.004, 0.002])


def test_shares_that_do_not_fit_the_model_are_refused_with_both_numbers():
    with pytest.raises(UserError, match="There are 4 shares of the learning rate for 5 layer groups"):
        make_plan(ClassifySettings(layer_shares=[0.1, 0.2, 0.5, 1.0]), FIVE, lambda epoch: 10)


def test_a_lowest_rate_above_the_highest_is_refused():
    with pytest.raises(UserError, match=r"lowest layer group, 0\.5, is above the highest, 0\.01"):
        make_plan(ClassifySettings(lr_min=0.5), FIVE, lambda epoch: 10)


def test_progress_goes_from_the_first_step_to_the_last():
    plan = make_plan(StageSettings(), FIVE, lambda epoch: 5)
    assert [plan.progress(step) for step in range(5)] == [0, 0.25, 0.5, 0.75, 1]
    assert make_plan(StageSettings(), FIVE, lambda epoch: 1).progress(0) == 0
