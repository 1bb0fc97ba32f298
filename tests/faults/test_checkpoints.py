"""Two checkpoints are kept, so that one which a disk damages is replaced by the one before; all keep to a limit."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.core.test_cli import ulmfit
from tests.core.toy import StopAfter, ToyStage, toy_settings
from tests.faults import material
from ulmfit_core import events, files, storage
from ulmfit_core.errors import UserError
from ulmfit_core.models import best_weights
from ulmfit_core.project import Project
from ulmfit_core.run import Control, Run, Stopped, launch, read_steps
from ulmfit_core.training import checkpoint
from ulmfit_core.training.trainer import Trainer

POLLS = 16  # after so many a training is stopped, in the middle of its second epoch


def train(folder: Path, polls: int | None = None, resume: bool = False) -> list[str]:
    """Train the toy, with a checkpoint after each step, and return the messages."""
    told: list[str] = []
    control = StopAfter(polls) if polls else Control()
    run = Run(folder, control, lambda event: told.append(event.text) if isinstance(event, events.Message) else None)
    try:
        Trainer(ToyStage(toy_settings(epochs=3)), run, folder, torch.device("cpu")).fit(resume)
    finally:
        run.close()
    return told


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A training that was stopped: its folder."""
    with pytest.raises(Stopped):
        train(tmp_path / "cut", POLLS)
    return tmp_path / "cut"


def named(folder: Path) -> dict[str, Path]:
    """The tensors of both checkpoints, by the names of their records."""
    place = folder / "checkpoint"
    records = {name: json.loads((place / name).read_text()) for name in (checkpoint.LAST, checkpoint.OLDER)}
    return {name: place / record["tensors"] for name, record in records.items()}


def steps_of(folder: Path) -> dict[str, int]:
    return {name: int(path.name.split("-")[1]) for name, path in named(folder).items()}


def result(folder: Path) -> tuple[bytes, np.ndarray]:
    return best_weights.newest(folder).read_bytes(), np.array(read_steps(folder / "steps.f32").values[:, :-1])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 4
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "a bit": lambda folder: flip_a_bit(named(folder)[checkpoint.LAST]),
    "half of it": lambda folder: cut_short(named(folder)[checkpoint.LAST]),
    "all of it": lambda folder: named(folder)[checkpoint.LAST].unlink(),
    "zeros": lambda folder: named(folder)[checkpoint.LAST].write_bytes(bytes(5000)),
    "its record": lambda folder: cut_short(folder / "checkpoint" / checkpoint.LAST),
    "no record": lambda folder: (folder / "checkpoint" / checkpoint.LAST).write_bytes(b""),
}


def test_the_last_checkpoint_and_the_one_before_are_kept(stopped: Path) -> None:
    found = steps_of(stopped)
    assert found[checkpoint.LAST] >= found[checkpoint.OLDER] > 0
    tensors = {path.name for path in (stopped / "checkpoint").glob("*.safetensors")}
    assert tensors == {path.name for path in named(stopped).values()} and len(tensors) == 2


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(stopped: Path, tmp_path: Path, damage: str) -> None:
    """The training goes on from the older one and ends with the same bits; the damaged one is told and kept."""
    train(tmp_path / "whole")
    older = steps_of(stopped)[checkpoint.OLDER]
    DAMAGES[damage](stopped)
    before = {path.name: path.read_bytes() for path in (stopped / "checkpoint").iterdir()}
    (told, *_) = train(stopped, resume=True)
    assert told.startswith("The last checkpoint is damaged: ") and f"from the one before, of step {older}," in told
    kept = {path.name: path.read_bytes() for path in (stopped / "checkpoint").glob("damaged-*")}
    assert kept and all(name in told and before[name.removeprefix("damaged-")] == kept[name] for name in kept)
    logged = events.read_events(stopped / "events.jsonl")
    assert told in [event.text for event in logged if isinstance(event, events.Message)]
    for one, other in zip(result(stopped), result(tmp_path / "whole")):
        assert np.array_equal(one, other)


@pytest.mark.skipif(os.name == "nt", reason="has no pipes among its files")
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "endless"])
def test_what_lies_in_the_place_of_a_record_is_not_waited_for(stopped: Path, make: Callable[[Path], None]) -> None:
    place = stopped / "checkpoint" / checkpoint.LAST
    place.unlink()
    make(place)
    (told, *_) = train(stopped, resume=True)
    assert "state.json is a device or pipe" in told and json.loads(place.read_text())["epoch"] == 3


def test_where_both_are_damaged_nothing_is_touched(stopped: Path) -> None:
    for path in named(stopped).values():
        flip_a_bit(path)
    before = {path.name: path.read_bytes() for path in (stopped / "checkpoint").iterdir()}
    with pytest.raises(UserError, match=r"Both checkpoints in .* are damaged: .* is not what was written"):
        train(stopped, resume=True)
    assert {path.name: path.read_bytes() for path in (stopped / "checkpoint").iterdir()} == before


def test_a_whole_checkpoint_is_left_as_it_is(stopped: Path) -> None:
    assert checkpoint.mend(stopped / "checkpoint") == {}
    assert train(stopped, resume=True) == []


def test_a_stop_right_after_a_resume_leaves_two_whole_checkpoints(stopped: Path) -> None:
    with pytest.raises(Stopped):
        train(stopped, 1, resume=True)
    assert len(set(named(stopped).values())) == 2
    flip_a_bit(named(stopped)[checkpoint.LAST])
    assert "is damaged" in train(stopped, resume=True)[0]


# The best weights that belong to them


class Crash(Exception):
    """The end of a process, between the best weights of an epoch and its checkpoint."""


class Doomed(ToyStage):
    def after_epoch(self, epoch: int, run: Run) -> None:
        super().after_epoch(epoch, run)
        if epoch == 1:
            raise Crash


def fit(stage: ToyStage, folder: Path, resume: bool = False) -> Trainer:
    """Where it goes on its owner wants the result now."""
    run = Run(folder)
    trainer = Trainer(stage, run, folder, torch.device("cpu"))
    if resume:
        run.control.finish()
    try:
        trainer.fit(resume)
    finally:
        run.close()
    return trainer


def test_best_weights_that_no_checkpoint_knows_are_not_taken_for_those_it_names(tmp_path: Path) -> None:
    """The second epoch was the best when it was killed; finished early instead, it is worse than the first."""
    killed = Doomed(toy_settings(epochs=3), valid=(3.0, 1.0))
    with pytest.raises(Crash):
        fit(killed, tmp_path)
    first, second = sorted(path.name for path in tmp_path.glob("best-*"))
    stage = ToyStage(toy_settings(epochs=3), valid=(5.0, 6.0))
    trainer = fit(stage, tmp_path, resume=True)
    assert [epoch["valid_loss"] for epoch in trainer.at.history] == [3.0, 5.0, 6.0]
    assert (trainer.at.best_epoch, trainer.at.best_weights) == (0, first)
    assert torch.equal(stage.flat(), killed.shown[0]) and not torch.equal(stage.flat(), killed.shown[1])
    assert not (tmp_path / second).exists()


def test_a_checkpoint_whose_best_weights_are_gone_is_damaged(stopped: Path) -> None:
    best_weights.newest(stopped).unlink()
    with pytest.raises(UserError, match=r"Both checkpoints in .* are damaged: best-1.safetensors is missing"):
        train(stopped, resume=True)


def test_a_training_of_an_earlier_version_goes_on(stopped: Path, tmp_path: Path) -> None:
    """One that kept its best weights in a single file."""
    train(tmp_path / "whole")
    best_weights.newest(stopped).rename(stopped / best_weights.SINGLE)
    for name in (checkpoint.LAST, checkpoint.OLDER):
        path = stopped / "checkpoint" / name
        record = json.loads(path.read_text())
        del record["best_weights"]
        path.write_text(json.dumps({**record, "version": 4}))
    assert train(stopped, resume=True) == []
    assert not (stopped / best_weights.SINGLE).exists()
    for one, other in zip(result(stopped), result(tmp_path / "whole")):
        assert np.array_equal(one, other)


def test_a_finished_training_keeps_one_file_of_best_weights(trained: Path) -> None:
    trainings = [run.folder for run in Project.open(trained).runs() if run.job in ("finetune", "classify")]
    assert [len(list(run.glob("best*.safetensors"))) for run in trainings] == [1] * 4


# How much they may take


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project in which the classifier was trained three times."""
    folder = tmp_path_factory.mktemp("trained")
    project = Project.create(folder / "project", material.recipe_of(folder))
    for job in ("import", "vocab", "finetune", "classify", "classify", "classify"):
        ended = launch(project, job)
        assert ended.status == "done", ended.reason
    return project.folder


def with_limit(trained: Path, tmp_path: Path, bytes_left: int, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy whose checkpoints may take so many bytes more than they do; its megabytes are bytes."""
    monkeypatch.setattr(storage, "MEGABYTE", 1)
    project = Project.open(shutil.copytree(trained, tmp_path / "copy"))
    set_limit(project, sum(each.size for each in storage.kept(project)) + bytes_left)
    return project


def set_limit(project: Project, limit: int) -> None:
    project.recipe.storage.checkpoints = limit
    project.save()


def train_again(project: Project) -> tuple[list[str], list[str]]:
    """Train the classifier once more: the runs that still have checkpoints, and what was said."""
    told: list[str] = []
    ended = launch(project, "classify", sink=lambda e: told.append(e.text) if isinstance(e, events.Message) else None)
    assert ended.status == "done", ended.reason
    return [each.run for each in storage.kept(project)], told


def test_a_finished_run_keeps_one_checkpoint(trained: Path) -> None:
    for each in storage.kept(Project.open(trained)):
        assert len(list(each.folder.glob("*.safetensors"))) == 1 and not (each.folder / checkpoint.OLDER).exists()


def test_under_the_limit_nothing_goes(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = with_limit(trained, tmp_path, 1_000_000, monkeypatch)
    had = [each.run for each in storage.kept(project)]
    runs, told = train_again(project)
    assert runs[:-1] == had and not [text for text in told if "removed" in text]


def test_over_the_limit_the_oldest_finished_runs_give_way(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = storage.kept(Project.open(trained))[-1].size
    project = with_limit(trained, tmp_path, size // 2, monkeypatch)
    had = [each.run for each in storage.kept(project)]
    weights = {path: path.read_bytes() for path in project.folder.rglob("best-*.safetensors")}
    runs, told = train_again(project)
    said = " ".join(text for text in told if "were removed" in text)
    gone = [run for run in had if run not in runs]
    assert gone and gone == had[: len(gone)] and all(run in said for run in gone)
    assert not any(run in said for run in runs) and "Models, best weights and curves are untouched." in said
    assert all(path.read_bytes() == content for path, content in weights.items())


def test_an_unfinished_run_keeps_its_checkpoint_whatever_the_limit(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = with_limit(trained, tmp_path, 0, monkeypatch)
    assert launch(project, "classify", control=StopAfter(20)).status == "stopped"
    unfinished = project.runs()[-1]
    set_limit(project, 1)
    runs, told = train_again(project)
    assert set(runs) == {unfinished.id, project.runs()[-1].id}
    assert sum("Only the last checkpoint is kept" in text for text in told) == 1
    assert launch(project, "classify", resume=unfinished.folder).status == "done"


@pytest.mark.parametrize("found", ["gone", "another person's"])
def test_checkpoints_that_cannot_be_removed_end_no_training(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: str
) -> None:
    """A run that a person deletes after it was counted makes room as well; one that may not be touched makes none."""
    project = with_limit(trained, tmp_path, 0, monkeypatch)
    first, second, *_ = storage.kept(project)
    set_limit(project, project.recipe.storage.checkpoints - 1)
    remove = files.remove_folder

    def removed(folder: Path) -> None:
        if folder == first.folder and found == "gone":
            shutil.rmtree(folder.parent)
        elif folder == first.folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        remove(folder)

    monkeypatch.setattr(files, "remove_folder", removed)
    told = storage.make_room(project, project.folder)
    assert first.run not in told and first.folder.exists() == (found != "gone")
    assert (second.run in told) == (not second.folder.exists()) == (found != "gone")


def test_a_finished_training_is_done_though_its_older_checkpoint_cannot_be_removed(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder / checkpoint.OLDER))

    monkeypatch.setattr(checkpoint, "drop_older", refuse)
    project = Project.open(shutil.copytree(trained, tmp_path / "copy"))
    train_again(project)
    assert project.state("classify").mark == "done"


def test_a_limit_that_is_raised_while_a_training_is_at_work_holds_at_once(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the window or a hand at project.toml raises it: the training has a copy of what stood there before."""
    project = with_limit(trained, tmp_path, 1_000_000, monkeypatch)
    had, at_work = [each.run for each in storage.kept(project)], Project.open(project.folder)
    at_work.recipe.storage.checkpoints = 1
    runs, told = train_again(at_work)
    assert runs[:-1] == had and not [text for text in told if "limit" in text or "removed" in text]


def test_while_project_toml_cannot_be_read_the_limit_is_the_last_one(trained: Path, tmp_path: Path) -> None:
    project = Project.open(shutil.copytree(trained, tmp_path / "copy"))
    set_limit(project, 7)
    (project.folder / "project.toml").write_text("[storage\ncheckpoints = 9")
    assert storage.with_todays_limit(project).recipe.storage.checkpoints == 7
    (project.folder / "project.toml").write_text("[storage]\ncheckpoints = 9")
    assert storage.with_todays_limit(project).recipe.storage.checkpoints == 9


def test_without_a_limit_nothing_goes(trained: Path, tmp_path: Path) -> None:
    project = Project.open(shutil.copytree(trained, tmp_path / "copy"))
    set_limit(project, 0)
    had = [each.run for each in storage.kept(project)]
    assert train_again(project)[0][:-1] == had and "no limit" in storage.summary(project)


def test_the_command_line_says_how_much_it_is(trained: Path) -> None:
    _, said = ulmfit("runs", trained)
    assert said.startswith("Checkpoints take ") and said.endswith("; at most 5,000 MB (storage.checkpoints).\n")


def test_the_limit_makes_nothing_stale(trained: Path) -> None:
    project = Project.open(trained)
    before = project.fingerprint("classify")
    project.recipe.storage.checkpoints = 7
    assert project.fingerprint("classify") == before
