"""Finish now: the rates fall to zero over a short tail, exactly resumable; asked twice, a training ends at once."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tests.core.toy import ToyStage, toy_settings
from ulmfit_core import events
from ulmfit_core.run import Control, Run, Stopped, read_steps
from ulmfit_core.training.plan import TAIL_LEAST, make_plan, tail_length
from ulmfit_core.training.trainer import Trainer


class Presses(Control):
    """Presses Finish once the given steps were done, and stops after another."""

    def __init__(self, stage: ToyStage, finish=(), stop=None):
        super().__init__()
        self.stage, self.presses, self.halt = stage, list(finish), stop

    @property
    def paused(self) -> bool:
        """Asked at every poll; `seen` counts the steps that began."""
        done = len(self.stage.seen)
        if self.presses and done >= self.presses[0]:
            self.presses.pop(0)
            self.finish()
        if self.halt is not None and done >= self.halt:
            self.stop()
        return False


def settings(**changes):
    return toy_settings(**{"epochs": 8, "checkpoint_seconds": 100, "unfreezing": "all", "layer_factor": 2.0, **changes})


def trainer_of(folder, finish=(), stop=None, told=None, steps=50, **changes):
    stage = ToyStage(settings(**changes), steps=steps)
    run = Run(folder, Presses(stage, finish, stop), (told if told is not None else []).append)
    return Trainer(stage, run, folder, torch.device("cpu"))


def rates_in(folder) -> np.ndarray:
    steps = read_steps(folder / "steps.f32")
    return np.stack([steps[name] for name in steps.rate_columns], axis=1)


@pytest.mark.parametrize(("done", "left", "length"), [(1000, 900, 100), (40, 900, TAIL_LEAST), (1000, 7, 7), (0, 5, 5)])
def test_the_tail_is_a_share_of_the_steps_done(done, left, length):
    assert tail_length(done, left) == length


def test_after_the_press_all_rates_fall_evenly_to_zero(tmp_path):
    told = []
    trainer = trainer_of(tmp_path, finish=[220], told=told)
    trainer.fit()
    rates = rates_in(tmp_path)
    length = 22
    assert trainer.at.step == len(rates) == 220 + length
    assert np.allclose(rates[:221].std(axis=0), rates[:220].std(axis=0), atol=1e-3) and rates[0, -1] == rates[219, -1]
    fall = rates[219:, -1] / rates[0, -1]
    assert np.allclose(fall[1:], np.arange(length, 0, -1) / (length + 1))
    assert np.allclose(rates[:, -1] / rates[:, 0], 4.0), "the groups keep their shares"
    ends = [event.step for event in told if isinstance(event, events.EpochEnded)]
    assert ends == [50, 100, 150, 200, 242], "validated at the end of the tail"


def test_the_plan_that_is_told_follows(tmp_path):
    told = []
    trainer_of(tmp_path, finish=[95], told=told).fit()
    before, after = [event for event in told if isinstance(event, events.Plan)]
    assert (before.total_steps, after.total_steps) == (400, 115)
    assert after.epoch_ends == [50, 100, 115] and after.phases[-1]["last_step"] == 115
    assert after.rates[-1][after.rate_steps.index(114)] == pytest.approx(before.rates[-1][0] / 21)
    assert after.rates[-1][after.rate_steps.index(95)] == pytest.approx(before.rates[-1][0] * 20 / 21)


def test_no_further_layer_joins_in_the_tail(tmp_path):
    told = []
    trainer = trainer_of(tmp_path, finish=[45], told=told, unfreezing="gradual")
    trainer.fit()
    assert trainer.at.step == 65 and [event.index for event in told if isinstance(event, events.PhaseBegan)] == [0]
    rates = rates_in(tmp_path)
    assert (rates[:, :2] == 0).all() and (rates[:, 2] > 0).all()


def test_what_follows_the_course_of_the_stage_goes_on_as_planned(tmp_path):
    plan = make_plan(settings(weight_decay=0.1, weight_decay_end=0.5, schedule="one_cycle"), ["a", "b"], lambda _: 50)
    early = plan.finished_early(100)
    for step in (0, 99, 119):
        assert early.progress(step) == plan.progress(step) and early.weight_decay(step) == plan.weight_decay(step)
    assert early.momentum(119) == plan.momentum(100)
    assert all(early.rates(step) == plan.rates(step) for step in range(100))


def test_pressed_twice_it_ends_at_once(tmp_path):
    told = []
    trainer = trainer_of(tmp_path, finish=[70, 75], told=told)
    trainer.fit()
    assert trainer.at.step == 75
    assert [event.step for event in told if isinstance(event, events.EpochEnded)] == [50, 75]


def test_pressed_twice_between_two_epochs_no_empty_epoch_follows(tmp_path):
    trainer = trainer_of(tmp_path)
    ended = trainer.stage.after_epoch

    def press(epoch, run):
        ended(epoch, run)
        trainer.run.control.finish()
        trainer.run.control.finish()

    trainer.stage.after_epoch = press
    assert len(trainer.fit()) == 1 and trainer.at.step == 50


@pytest.mark.parametrize("stop", [61, 70, 79])
def test_a_run_stopped_in_its_tail_resumes_to_the_same_bits(tmp_path, stop):
    calm = trainer_of(tmp_path / "calm", finish=[60])
    calm.fit()
    broken = trainer_of(tmp_path / "broken", finish=[60], stop=stop)
    with pytest.raises(Stopped):
        broken.fit()
    again = trainer_of(tmp_path / "broken")
    history = again.fit(resume=True)
    assert again.run.control.finishing, "it goes on with its tail"
    assert torch.equal(again.stage.flat(), calm.stage.flat()) and again.at.step == calm.at.step == 80
    assert [row["valid_loss"] for row in history] == [row["valid_loss"] for row in calm.at.history]
    assert np.array_equal(rates_in(tmp_path / "broken"), rates_in(tmp_path / "calm"))
    assert json.loads((tmp_path / "broken" / "checkpoint" / "state.json").read_text())["tail"] == 60
