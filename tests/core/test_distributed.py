"""A language model trained by two real processes under torchrun: the weights of one, stops, resumes, failures."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from resources import resource_path
from ulmfit_core import config, events
from ulmfit_core.config import Recipe
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project
from ulmfit_core.run import launch, read_steps
from ulmfit_core.training.distributed import ALONE, Ranks, _digest

ROOT = Path(__file__).parents[2]
# An odd batch, so that one process has more rows than the other, in several passes.
SMALL = {
    "vocab.size": 300, "model.embedding": 12, "model.hidden": 16, "model.layers": 2,
    "pretrain.epochs": 2, "pretrain.batch_size": 15, "pretrain.bptt": 40, "pretrain.tokens_per_pass": 240,
    "pretrain.checkpoint_seconds": 0.05, "finetune.epochs": 1, "finetune.batch_size": 15, "finetune.bptt": 40,
    "classify.epochs": 1, "classify.unfreezing": "last",
}  # fmt: skip


def torchrun(*arguments):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *arguments]
    places = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, env={**os.environ, **places}, capture_output=True, text=True, timeout=200
    )


def jobs(out, *todo):
    """Run jobs in one start of torchrun: its exit status, and how each of them ended."""
    done = torchrun("-m", "tests.core.together_case", json.dumps(todo), out)
    assert out.exists(), done.stderr[-3000:]
    return done.returncode, [events.Ended(**json.loads(line)) for line in out.read_text().splitlines()]


def head(name, lines, folder):
    text = (resource_path("sample") / name).read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / name).write_text("".join(text[:lines]), encoding="utf-8")
    return str(folder / name)


@pytest.fixture(scope="module")
def projects(tmp_path_factory):
    """The same project several times: data and vocabulary are there; `plain` and `alone` drop nothing."""
    folder = tmp_path_factory.mktemp("together")
    recipe = Recipe()
    data = {
        "data.data": head("verses.csv", 120, folder), "data.text": ["text"], "data.label": "label",
        "data.corpus": head("corpus.txt", 100, folder),
    }  # fmt: skip
    for key, value in {**data, **SMALL}.items():
        config.set_value(recipe, key, value)
    whole = Project.create(folder / "whole", recipe)
    for step in ("import", "vocab"):
        assert launch(whole, step).status == "done"
    made = {"whole": whole}
    for name in ("cut", "failing", "plain", "alone", "sized"):
        shutil.copytree(whole.folder, folder / name)
        made[name] = Project.open(folder / name)
        for stage in ("pretrain", "finetune") if name in ("plain", "alone") else ():
            config.set_value(made[name].recipe, f"{stage}.drop_mult", 0.0)
            config.set_value(made[name].recipe, f"{stage}.precision", "float32")
        made[name].save()
    made["sized"].recipe.pretrain.batch_size = made["sized"].recipe.pretrain.bptt = 0  # left to the program
    made["sized"].save()
    return made


@pytest.fixture(scope="module")
def started(projects):
    """Plain is pretrained by the command line, all else by launches in one program, the last of which fails."""
    done = torchrun("-m", "ulmfit_core", "run", projects["plain"].folder, "pretrain")
    assert done.returncode == 0, done.stderr[-3000:]
    for step in ("pretrain", "finetune"):
        assert launch(projects["alone"], step).status == "done"
    steps = len(log(projects["alone"], "pretrain")) // 2
    job = {name: {"project": str(project.folder), "step": "pretrain"} for name, project in projects.items()}
    return jobs(
        projects["whole"].folder.parent / "ended.jsonl",
        job["whole"],
        {**job["cut"], "polls": steps // 2},
        {**job["cut"], "polls": steps - steps // 2 + 2, "resume": True},
        {**job["cut"], "resume": True},
        {**job["plain"], "step": "finetune"},
        {**job["plain"], "step": "classify"},
        job["failing"],
    )


def weights(project, step):
    return (project.bundle_folder(step) / "weights.safetensors").read_bytes()


def log(project, step):
    """All columns of the steps but the clock."""
    steps = read_steps([r for r in project.runs() if r.job == step][-1].folder / "steps.f32")
    return np.array(steps.values[:, :-1])


def messages(project, step):
    folder = [r for r in project.runs() if r.job == step][-1].folder
    return [event.text for event in events.read_events(folder / "events.jsonl") if isinstance(event, events.Message)]


@pytest.mark.parametrize("step", ["pretrain", "finetune"])
def test_two_processes_end_with_the_weights_of_one(projects, started, step):
    two, one = (safetensors.torch.load(weights(projects[name], step)) for name in ("plain", "alone"))
    assert two.keys() == one.keys() and all(torch.allclose(two[name], one[name], rtol=0, atol=1e-5) for name in one)
    assert np.allclose(log(projects["plain"], step), log(projects["alone"], step), rtol=1e-4, atol=1e-5)
    assert "2 processes train together, each with its share of every batch." in messages(projects["plain"], step)


def test_a_project_holds_one_run_with_its_steps_once(projects, started):
    plain = projects["plain"]
    assert [run.job for run in plain.runs() if run.status == "done"] == [
        "import", "vocab", "pretrain", "finetune", "classify",
    ]  # fmt: skip
    numbers = log(plain, "pretrain")[:, 0]
    assert list(numbers) == list(range(1, len(numbers) + 1))
    told = events.read_events(plain.finished_run("pretrain").folder / "events.jsonl")
    assert [event.epoch for event in told if isinstance(event, events.EpochEnded)] == [0, 1]
    assert len([event for event in told if isinstance(event, events.Ended)]) == 1


def test_the_first_process_trains_the_classifier_alone_and_says_so(projects, started):
    assert "The classify stage is trained by one process; the other 1 wait." in messages(projects["plain"], "classify")


def test_a_training_that_was_stopped_twice_ends_with_the_same_bits(projects, started):
    assert [each.status for each in started[1]] == ["done", "stopped", "stopped", "done", "done", "done", "failed"]
    assert np.array_equal(log(projects["cut"], "pretrain"), log(projects["whole"], "pretrain"))
    assert weights(projects["cut"], "pretrain") == weights(projects["whole"], "pretrain")


def test_the_processes_draw_different_dropouts(projects, started):
    """With them the losses are others than those of one process, from the first step on."""
    assert launch(projects["whole"], "pretrain").status == "done"
    alone, two = log(projects["whole"], "pretrain")[:, 1], log(projects["cut"], "pretrain")[:, 1]
    assert (np.abs(alone - two) > 1e-6).all()


def test_a_failure_in_one_process_ends_all_with_its_sentence(projects, started):
    status, ended = started
    assert status == 1
    assert ended[-1].reason == (
        "Process 1 of the training failed. There is no room left in the memory. Make the batch smaller."
    )


def test_all_processes_take_the_sizes_that_the_run_began_with(projects):
    """As where it was begun on a device for which others were chosen: the first process alone reads which."""
    project = projects["sized"]
    job = {"project": str(project.folder), "step": "pretrain"}
    out = project.folder.parent / "sized.jsonl"
    assert jobs(out, {**job, "polls": 1})[1][0].status == "stopped"
    run = project.resumable_run("pretrain")
    noted = json.loads((run.folder / "began.json").read_text())
    longer = {**noted["sizes"], "bptt": 2 * noted["sizes"]["bptt"]}
    (run.folder / "began.json").write_text(json.dumps({**noted, "sizes": longer}))
    status, ended = jobs(out, {**job, "resume": True})
    assert (status, [each.status for each in ended]) == (0, ["stopped", "done"])


def test_another_number_of_processes_cannot_go_on(projects, started):
    unfinished = projects["failing"].resumable_run("pretrain")
    assert unfinished is not None
    alone = launch(projects["failing"], "pretrain", resume=unfinished.folder)
    assert alone.status == "failed" and "begun by 2 processes" in alone.reason
    assert "torchrun --nproc-per-node 2" in alone.reason


def test_rows_are_shared_out_evenly_and_to_every_rank():
    shares = [Ranks(number, 4).rows_of(15) for number in range(4)]
    assert np.concatenate([np.arange(15)[share] for share in shares]).tolist() == list(range(15))
    assert {share.stop - share.start for share in shares} == {3, 4}
    assert ALONE.rows_of(15) == slice(0, 15)
    with pytest.raises(UserError, match="A batch of 3 rows cannot be shared by 4 processes"):
        Ranks(0, 4).rows_of(3)


def test_a_digest_changes_with_any_bit():
    one = {"a": torch.zeros(3), "b": torch.tensor(1, dtype=torch.bfloat16)}
    other = {"a": torch.tensor([0.0, 0.0, -0.0]), "b": one["b"]}
    assert _digest(one) == _digest({name: value.clone() for name, value in one.items()}) != _digest(other)


def test_alone_nothing_is_asked_of_others():
    tensors = {"a": torch.ones(2)}
    assert ALONE.collect(tensors) == ALONE.own(tensors) == tensors and ALONE.seed(7) == 7
    ALONE.add_up([tensors["a"]])
    assert tensors["a"].tolist() == [1, 1] and not ALONE.agree(lambda: False)
    assert Ranks(1, 2).seed(7) != 7
