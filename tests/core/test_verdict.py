"""The verdict on real curves of small trainings that go well, or wrong in a known way (record_curves.py made them)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ulmfit_core import events
from ulmfit_core.config import ClassifySettings, FinetuneSettings
from ulmfit_core.events import Ended, EpochEnded, Plan, Started
from ulmfit_core.verdict import verdict

CURVES = Path(__file__).parent / "curves"
USUAL = {"classify": ClassifySettings().lr_max, "finetune": FinetuneSettings().lr_max}


def curve(name: str) -> list[events.Event]:
    job = name.partition("_")[0]
    return [Started(job, job), *events.read_events(CURVES / f"{name}.jsonl")]


def at_work(told: list[events.Event], epochs: int) -> list[events.Event]:
    """The curve as it stood after so many epochs."""
    ended = [event for event in told if isinstance(event, EpochEnded)]
    return [told[0], *(event for event in told if isinstance(event, Plan)), *ended[:epochs]]


@pytest.mark.parametrize(
    ("name", "kind", "knob"),
    [
        ("classify_rate_30_times", "diverges", "lr_max"),
        ("classify_rate_1e-6", "stands still", "lr_max"),
        ("classify_40_epochs_60_rows", "overfits", "epochs"),
        ("classify_support", "overfits", "epochs"),
        ("classify_settled", "settled", ""),
        ("classify_rises", "rises", ""),
        ("finetune_rate_300_times", "too fast", "lr_max"),
        ("finetune_rate_1e-6", "stands still", "lr_max"),
        ("finetune_40_epochs_60_rows", "overfits", "epochs"),
        ("finetune_well", "settled", ""),
        ("finetune_rate_30_times", "settled", ""),
        ("finetune_short", "too short", "epochs"),
    ],
)
def test_what_is_said_of_a_training_that_has_ended(name, kind, knob):
    found = verdict(curve(name))
    assert (found.kind, found.knob) == (kind, knob)
    assert found.sentence.endswith(".") and found.advice.endswith(".")


def test_the_epoch_that_is_kept_is_named_where_it_is_not_the_one_of_the_lowest_loss():
    told = curve("classify_rises")
    kept = [event.epoch for event in told if isinstance(event, EpochEnded) and event.best][-1] + 1
    assert kept > 1 and "lowest in epoch 1 " in verdict(told).sentence
    assert verdict(told).sentence.endswith(f"Kept is epoch {kept}, which answered more of them right.")
    assert "Kept" not in verdict(curve("finetune_well")).sentence


def test_by_how_much_a_knob_is_to_be_turned():
    assert verdict(curve("classify_rate_30_times")).value == 0.2, "a third of 0.6"
    assert verdict(curve("classify_rate_1e-6")).value == USUAL["classify"]
    assert verdict(curve("finetune_rate_1e-6")).value == USUAL["finetune"]
    assert verdict(curve("finetune_rate_300_times")).value == USUAL["finetune"]
    assert verdict(curve("classify_support")).value == 6, "the tenth epoch is the best, four are for frozen layers"
    told = curve("finetune_40_epochs_60_rows")
    losses = [event.metrics["valid_loss"] for event in told if isinstance(event, EpochEnded)]
    assert verdict(told).value == losses.index(min(losses)) + 1
    assert verdict(curve("finetune_short")).value > 3


def test_epochs_of_frozen_layers_are_not_counted_in_the_advice():
    told = curve("classify_40_epochs_60_rows")
    plan = next(event for event in told if isinstance(event, Plan))
    first, rest = {**plan.phases[0], "epochs": 3}, {**plan.phases[0], "epochs": 37}
    told[told.index(plan)] = Plan(**{**vars(plan), "phases": [first, rest]})
    assert verdict(told).value == 1


@pytest.mark.parametrize(
    ("name", "epochs", "kind"),
    [
        ("classify_rate_30_times", 5, "diverges"),
        ("classify_rate_1e-6", 5, "stands still"),
        ("classify_40_epochs_60_rows", 10, "overfits"),
        ("classify_40_epochs_60_rows", 30, "overfits"),
        ("finetune_rate_300_times", 2, "too fast"),
        ("finetune_rate_1e-6", 4, "stands still"),
        ("finetune_well", 4, "improves"),
        ("finetune_short", 2, "improves"),
    ],
)
def test_what_is_said_while_it_trains(name, epochs, kind):
    assert verdict(at_work(curve(name), epochs)).kind == kind


@pytest.mark.parametrize("path", sorted(CURVES.glob("*.jsonl")), ids=lambda path: path.stem)
def test_nothing_is_said_where_there_is_too_little_to_go_by(path):
    told = curve(path.stem)
    assert verdict(at_work(told, 0)) is None and verdict(at_work(told, 1)) is None


@pytest.mark.parametrize("epochs", range(2, 13))
def test_a_training_that_goes_well_is_never_called_ill(epochs):
    found = verdict(at_work(curve("finetune_well"), epochs))
    assert found is None or found.kind == "improves"


def measured_on(told: list[events.Event], rows: int) -> list[events.Event]:
    """The same curve, as if its figures had been measured on so many validation rows."""
    return [
        EpochEnded(e.epoch, e.phase, e.step, {**e.metrics, "valid_rows": rows}, e.best, at=e.at)
        if isinstance(e, EpochEnded) else e for e in told
    ]  # fmt: skip


def test_few_validation_rows_cannot_tell_and_the_verdict_does_not_flip():
    told = measured_on(curve("classify_support"), 56)
    epochs = sum(isinstance(event, EpochEnded) for event in told)
    kinds = [verdict(at_work(told, count)).kind for count in range(2, epochs + 1)]
    assert set(kinds) == {"too few rows to tell"} and verdict(told).kind == kinds[0]
    assert verdict(told).knob == "" and "Only 56 texts" in verdict(told).sentence
    assert "chance alone moves the share by 6%" in verdict(told).sentence  # p = 39 of 56: sqrt(.69 * .31 / 56)
    assert verdict(measured_on(told, 560)).kind == "overfits", "with ten times as many rows the loss is to be believed"


def test_even_few_rows_tell_where_right_answers_become_fewer_by_more_than_chance():
    told = measured_on(curve("classify_40_epochs_60_rows"), 6)
    assert verdict(at_work(told, 10)).kind == "too few rows to tell", "half of them right, as in its best epoch"
    found = verdict(measured_on(told, 20))
    assert found.kind == "overfits", "a sixth less right is more than a standard error of 10 %"
    assert verdict(measured_on(curve("classify_rate_30_times"), 20)).kind == "diverges", "the gravest comes first"
    assert verdict(measured_on(curve("classify_rate_1e-6"), 20)).kind == "stands still"


def test_no_number_of_epochs_is_advised_before_the_end():
    told = curve("classify_40_epochs_60_rows")
    assert verdict(told).knob == "epochs" and verdict(at_work(told, 30)).knob == ""


def test_what_is_no_training_has_no_verdict():
    assert verdict([]) is None
    assert verdict([Started("import", "Import"), Ended("done")]) is None


def test_a_training_stopped_by_hand_is_not_called_too_short():
    told = curve("finetune_short")
    assert verdict([*told[:-1], Ended("stopped")]) is None
    assert verdict([*told[:-1], Ended("done", finished_early=True)]) is None


def test_an_epoch_that_tells_no_loss_does_not_count():
    told = curve("classify_support")
    assert verdict([*told[:-1], EpochEnded(99, 0, 9999, {"accuracy": 0.5}, False), told[-1]]) == verdict(told)


def test_a_loss_that_is_no_number_diverges():
    told = at_work(curve("finetune_well"), 3)
    broken = EpochEnded(3, 0, 99, {"train_loss": float("nan"), "valid_loss": float("nan")}, False)
    assert verdict([*told, broken]).kind == "diverges"
