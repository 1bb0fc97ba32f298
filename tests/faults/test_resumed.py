"""What a training was told and has told holds after a resume: no further step after “at once”, no epoch told twice."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.core.toy import StopAfter, ToyStage, toy_settings
from tests.faults.failing_disk import FailingDisk
from ulmfit_core import events, faults
from ulmfit_core.errors import UserError
from ulmfit_core.models import best_weights
from ulmfit_core.run import Control, Run, Stopped
from ulmfit_core.training import checkpoint
from ulmfit_core.training.stage import StepResult
from ulmfit_core.training.trainer import Trainer


def fit(
    folder: Path, stage: ToyStage | None = None, control: Control | None = None, resume: bool = False
) -> tuple[Trainer, list[events.Event]]:
    """Train the toy: its trainer and what its log holds."""
    run = Run(folder, control)
    trainer = Trainer(stage or ToyStage(toy_settings(epochs=4)), run, folder, torch.device("cpu"))
    try:
        trainer.fit(resume)
    finally:
        run.close()
    return trainer, events.read_events(folder / "events.jsonl")


def epochs(told: list[events.Event]) -> list[int]:
    return [event.epoch for event in told if isinstance(event, events.EpochEnded)]


def messages(told: list[events.Event]) -> list[str]:
    return [event.text for event in told if isinstance(event, events.Message)]


class Acting(ToyStage):
    """Does something after an epoch, with what follows an epoch still to be measured."""

    def __init__(self, epoch: int, act: Callable[[], object]):
        super().__init__(toy_settings(epochs=4))
        self.epoch, self.act = epoch, act

    def after_epoch(self, epoch: int, run: Run) -> None:
        super().after_epoch(epoch, run)
        if epoch == self.epoch:
            self.act()
        for _ in run.track(range(3), "Reading general text"):
            pass


# Finish, pressed twice


class Presses(Control):
    """Presses Finish at two of its polls."""

    def __init__(self, *polls: int):
        super().__init__()
        self.polls, self.count = polls, 0

    @property
    def paused(self) -> bool:
        """Asked at every poll."""
        self.count += 1
        if self.count in self.polls:
            self.finish()
        return False


@pytest.mark.parametrize("polls", [(5, 7), (7, 8), (1, 2)])
def test_a_training_that_ended_at_once_makes_no_further_step_when_it_is_resumed(
    tmp_path: Path, polls: tuple[int, ...]
) -> None:
    """As where what follows it, a bundle to be written, was stopped or killed."""
    ended, _ = fit(tmp_path, control=Presses(*polls))
    assert ended.at.step < ended.plan.epoch_ends[0] and ended.at.over
    older = json.loads((tmp_path / "checkpoint" / checkpoint.OLDER).read_text())
    assert older["epoch"] == 0, "no checkpoint knows of the epoch's end and not that it was the last"
    resumed, told = fit(tmp_path, resume=True)
    assert not resumed.stage.seen and resumed.at.history == ended.at.history and epochs(told) == [0]
    assert torch.equal(resumed.stage.flat(), ended.stage.flat())
    assert resumed.run.control.finishing, "it counts as finished early"


def test_nor_does_one_that_was_told_between_two_epochs(tmp_path: Path) -> None:
    control = Control()

    def press() -> None:
        control.finish()
        control.finish()

    ended, _ = fit(tmp_path, Acting(1, press), control)
    resumed, told = fit(tmp_path, resume=True)
    assert ended.at.step == resumed.at.step == 10 and epochs(told) == [0, 1]
    assert resumed.run.control.finishing


def test_a_stop_in_the_validation_of_an_epoch_that_ends_at_once_leaves_an_epoch_to_be_ended(tmp_path: Path) -> None:
    control = Presses(5, 7)
    stage = Acting(0, control.stop)
    with pytest.raises(Stopped):
        fit(tmp_path, stage, control)
    resumed, told = fit(tmp_path, resume=True)
    assert resumed.at.step == resumed.plan.total and epochs(told) == list(range(len(resumed.at.history)))
    assert resumed.at.history


# What is told


def test_a_stop_while_general_text_is_read_tells_no_epoch_twice(tmp_path: Path) -> None:
    control = Control()
    with pytest.raises(Stopped):
        fit(tmp_path, Acting(1, control.stop), control)
    assert epochs(events.read_events(tmp_path / "events.jsonl")) == [0]
    trainer, told = fit(tmp_path, resume=True)
    assert epochs(told) == [0, 1, 2, 3] and len(trainer.at.history) == 4


def test_another_device_is_told_in_the_log_of_the_run(tmp_path: Path) -> None:
    control = Control()
    with pytest.raises(Stopped):
        fit(tmp_path, Acting(0, control.stop), control)
    path = tmp_path / "checkpoint" / checkpoint.LAST
    path.write_text(json.dumps({**json.loads(path.read_text()), "device": "cuda"}))
    _, told = fit(tmp_path, resume=True)
    assert messages(told) == ["The run began on cuda and goes on on cpu."]
    places = [isinstance(event, events.Started | events.Message) for event in told]
    assert told[places.index(True)] == next(event for event in told if isinstance(event, events.Started))


# Where there is no checkpoint


def test_where_the_first_checkpoint_fails_none_is_promised(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_text("A file stands where its folder belongs.")
    with pytest.raises(UserError, match=r"No checkpoint was cut yet: start the stage anew\.$") as refusal:
        fit(tmp_path)
    assert faults.GOES_ON not in str(refusal.value)


def test_weights_that_are_spoiled_before_the_first_checkpoint_promise_none(tmp_path: Path) -> None:
    stage = ToyStage(toy_settings())
    stage.model[0].weight.data.fill_(float("nan"))
    with pytest.raises(UserError, match=r"training diverged\. No checkpoint was cut yet\. Lower the highest"):
        fit(tmp_path, stage)


def test_a_disk_that_fails_before_a_checkpoint_is_read_leaves_it_to_go_on_from(tmp_path: Path) -> None:
    """As a damaged one is about to be set aside."""
    control = Control()
    with pytest.raises(Stopped):
        fit(tmp_path, Acting(2, control.stop), control)
    (tmp_path / "checkpoint" / checkpoint.LAST).write_bytes(b"")
    with FailingDisk(tmp_path / "checkpoint", 1, errno.EIO).at_work() as disk, pytest.raises(UserError) as refusal:
        fit(tmp_path, resume=True)
    assert disk.failed and str(refusal.value).endswith(f" The last good checkpoint is kept: {faults.GOES_ON}.")
    assert fit(tmp_path, resume=True)[0].at.step == 20


def test_a_full_disk_before_the_first_checkpoint_is_told_as_that_when_it_is_stopped(tmp_path: Path) -> None:
    class StoppedAtOnce(Control):
        @property
        def stopping(self) -> bool:
            return True

    (tmp_path / "checkpoint").mkdir()
    disk = FailingDisk(tmp_path / "checkpoint", 1, errno.ENOSPC, for_good=True)
    with disk.at_work(), pytest.raises(Stopped):
        fit(tmp_path, control=StoppedAtOnce())
    assert messages(events.read_events(tmp_path / "events.jsonl")) == [
        "The disk is full: not even the first checkpoint could be kept. Make room, then start the stage anew."
    ]


# The best weights


def damage(path: Path, how: str) -> None:
    if how == "cut":
        os.truncate(path, path.stat().st_size // 2)
        return
    content = bytearray(path.read_bytes())
    content[-2] ^= 0x40
    path.write_bytes(content)


HOW = {"cut": "cannot be read", "a bit": "is not what was written"}


@pytest.mark.parametrize("how", HOW)
def test_best_weights_that_a_disk_damaged_are_refused_when_it_is_resumed(tmp_path: Path, how: str) -> None:
    control = Control()
    with pytest.raises(Stopped):
        fit(tmp_path, Acting(3, control.stop), control)
    best = best_weights.newest(tmp_path)
    assert best is not None
    damage(best, how)
    with pytest.raises(UserError, match=rf"Both checkpoints in .* are damaged: {best.name} {HOW[how]}"):
        fit(tmp_path, resume=True)


@pytest.mark.parametrize("how", HOW)
def test_best_weights_that_a_disk_damages_meanwhile_are_not_taken_at_the_end(tmp_path: Path, how: str) -> None:
    stage = Acting(3, lambda: damage(tmp_path / best_weights.name_of(0), how))
    stage.valid = (1.0, 2.0, 3.0, 4.0)
    with pytest.raises(UserError, match=rf"The weights of the best epoch, 1, are damaged: best-1.* {HOW[how]}"):
        fit(tmp_path, stage)


def test_where_the_older_checkpoint_has_other_best_weights_it_goes_on_from_there(tmp_path: Path) -> None:
    """The best epoch was the last one to end, and its weights are damaged."""
    whole, _ = fit(tmp_path / "whole")
    trainer, _ = fit(tmp_path / "run")
    assert trainer.at.best_epoch == 3, "each is better than the one before"
    damage(tmp_path / "run" / best_weights.name_of(3), "a bit")
    resumed, told = fit(tmp_path / "run", resume=True)
    assert "The last checkpoint is damaged: best-4.safetensors is not what was written." in messages(told)[0]
    assert torch.equal(resumed.stage.flat(), whole.stage.flat())


# What is carried from step to step


class Carrying(ToyStage):
    """Carries a state of so many rows."""

    def __init__(self, rows: int):
        super().__init__(toy_settings(epochs=4))
        self.rows = rows

    def begin_epoch(self, epoch: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return [(torch.zeros(1, self.rows, 3), torch.zeros(1, self.rows, 3))]

    def backward(self, epoch, index, state, rng, poll, differentiate) -> StepResult:
        return replace(super().backward(epoch, index, state, rng, poll, differentiate), state=state)


@pytest.mark.parametrize("rows", [2, 5])
def test_a_carried_state_of_another_batch_is_refused(tmp_path: Path, rows: int) -> None:
    """The network would read past its end."""
    with pytest.raises(Stopped):
        fit(tmp_path, Carrying(4), StopAfter(3))
    with pytest.raises(UserError, match="has a state for other batches than began.json"):
        fit(tmp_path, Carrying(rows), resume=True)
    trainer, _ = fit(tmp_path, Carrying(4), resume=True)
    assert trainer.at.epoch == 4
