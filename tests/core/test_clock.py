"""A clock that is set, or runs on while the machine sleeps: the order of runs and what they took stay what they are."""

import datetime
import time

import numpy as np
import pytest

from tests.core.toy import StopAfter, ToyStage, toy_settings
from ulmfit_core import clock, events, project
from ulmfit_core.events import Ended
from ulmfit_core.project import Project
from ulmfit_core.run import Run, Stopped, read_steps
from ulmfit_core.run_card import seconds_of
from ulmfit_core.training import trainer
from ulmfit_core.training.trainer import Trainer

HOUR = 3600.0


class Shifted:
    """A module `time` whose clocks can be moved by hand."""

    def __init__(self, **moved):
        self.moved = moved

    def __getattr__(self, name):
        return getattr(time, name)

    def time(self):
        return time.time() + self.moved.get("time", 0.0)

    def monotonic(self):
        return time.monotonic() + self.moved.get("monotonic", 0.0)

    def clock_gettime(self, which):
        return time.clock_gettime(which) + self.moved.get("monotonic", 0.0)


@pytest.fixture
def shifted(monkeypatch):
    """The clocks that runs and trainings read."""
    made = Shifted()
    for module in (clock, trainer, events):
        monkeypatch.setattr(module, "time", made)
    return made


def train(folder, control=None, resume=False, **settings):
    run = Run(folder, control)
    try:
        return Trainer(ToyStage(toy_settings(**settings)), run, folder, trainer.torch.device("cpu"), 1).fit(resume)
    finally:
        run.close()


# The order of runs


@pytest.mark.parametrize("back", [datetime.timedelta(hours=1), datetime.timedelta(days=400), datetime.timedelta(0)])
def test_a_run_is_the_newest_also_where_the_clock_was_set_back(tmp_path, monkeypatch, back):
    made = Project.create(tmp_path / "project")
    first = made.new_run_folder("finetune")

    class Earlier(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.strptime(first.name[:19], project.STAMP) - back

    monkeypatch.setattr(project.datetime, "datetime", Earlier)
    folders = [first, *(made.new_run_folder(job) for job in ("finetune", "classify", "finetune"))]
    assert made.run_folders() == folders == sorted(folders) and len(set(folders)) == 4
    assert next(made.runs_of("finetune")).folder == folders[-1]
    assert (folders[-1] / "config.toml").exists()


@pytest.mark.parametrize("name", ["99991231-235959-999-finetune", "20269999-000000-000-finetune", "zebra"])
def test_a_name_that_tells_no_time_hinders_no_new_run(tmp_path, name):
    made = Project.create(tmp_path / "project")
    (made.folder / "runs" / name).mkdir(parents=True)
    folder = made.new_run_folder("import")
    assert abs(datetime.datetime.strptime(folder.name[:19], project.STAMP) - datetime.datetime.now()).seconds < 60


# The times of events


@pytest.mark.parametrize("jump", [-HOUR, HOUR, -400 * 24 * HOUR])
def test_a_clock_that_is_set_meanwhile_changes_no_time_of_a_run(tmp_path, shifted, jump):
    run = Run(tmp_path)
    began = time.time()
    run.emit(events.Started("import", "Import"))
    shifted.moved["time"] = jump
    run.message("on the way")
    run.emit(Ended("done"))
    run.close()
    told = events.read_events(tmp_path / "events.jsonl")
    assert [event.at for event in told] == sorted(event.at for event in told)
    assert all(0 <= event.at - began < 30 for event in told) and 0 <= seconds_of(told) < 30


def test_the_next_sitting_begins_at_the_time_of_day(tmp_path, shifted):
    Run(tmp_path).close()
    shifted.moved["time"] = -HOUR
    run = Run(tmp_path)
    run.emit(events.Started("import", "Import", resumed=True))
    run.close()
    assert abs(events.read_events(tmp_path / "events.jsonl")[0].at - (time.time() - HOUR)) < 30


def test_an_old_log_of_a_clock_that_was_set_back_took_no_negative_time():
    told = [Ended("", at=at) for at in (1000.0, 1060.0, 400.0, 430.0)]
    assert seconds_of(told) == 90.0


# Trainings


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_the_seconds_of_a_training_do_not_follow_the_time_of_day(tmp_path, shifted, jump):
    settings = {"epochs": 3, "checkpoint_seconds": 30.0}

    class Setting(StopAfter):
        @property
        def stopping(self):
            shifted.moved["time"] = jump if self.count > 6 else 0.0
            return super().stopping

    history = train(tmp_path, Setting(), **settings)
    seconds = read_steps(tmp_path / "steps.f32")["seconds"]
    assert np.all(np.diff(seconds) >= 0) and 0 <= seconds[-1] < 60 and 0 <= history[-1]["seconds"] < 60


@pytest.mark.parametrize("slept", [8 * HOUR, 0.0])
def test_after_a_sleep_a_checkpoint_is_cut_at_once_and_none_is_lost(tmp_path, shifted, slept):
    """Once, not at each step; where the clock stood still meanwhile none is due."""

    class Sleeping(StopAfter):
        @property
        def stopping(self):
            shifted.moved["monotonic"] = slept if self.count >= 3 else 0.0
            return super().stopping

    train(tmp_path, Sleeping(), epochs=1, checkpoint_seconds=HOUR)
    told = events.read_events(tmp_path / "events.jsonl")
    saved = [event.step for event in told if isinstance(event, events.CheckpointSaved)]
    assert saved == ([0, 2, 5] if slept else [0, 5])


def test_a_training_whose_clock_stands_still_ends_and_can_be_resumed(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer.time, "monotonic", lambda: 1000.0)
    with pytest.raises(Stopped):
        train(tmp_path, StopAfter(7))
    assert len(train(tmp_path, resume=True)) == 2
    steps = read_steps(tmp_path / "steps.f32")
    assert steps["step"].tolist() == list(range(1, 11)) and not steps["seconds"].any()
