"""The one training loop on real text: exact resume in every stage, the rates that were really used, pause and stop."""

import random
import shutil
import threading

import numpy as np
import pytest
import torch

from resources import resource_path
from ulmfit_core import config, events
from ulmfit_core.config import Recipe
from ulmfit_core.inference.generate import Generator
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.project import Project
from ulmfit_core.run import Control, launch, read_steps

SMALL = {
    "vocab.size": 400, "model.embedding": 16, "model.hidden": 24, "model.layers": 3,
    "pretrain.epochs": 1, "finetune.epochs": 1, "classify.epochs": 1, "classify.batch_size": 32,
    "finetune.unfreezing": "all", "pretrain.tokens_per_pass": 60, "finetune.tokens_per_pass": 60,
    "pretrain.checkpoint_seconds": 0.05, "finetune.checkpoint_seconds": 0.05, "classify.checkpoint_seconds": 0.05,
}  # fmt: skip
STAGES = ["pretrain", "finetune", "classify"]


def head(name, lines, folder):
    """The first lines of a file of the sample, so that a training takes a second."""
    text = (resource_path("sample") / name).read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / name).write_text("".join(text[:lines]), encoding="utf-8")
    return str(folder / name)


def sample_recipe(folder):
    recipe = Recipe()
    data = {
        "data.data": head("verses.csv", 200, folder), "data.text": ["text"], "data.label": "label",
        "data.unlabelled": head("lines.txt", 60, folder), "data.corpus": head("corpus.txt", 120, folder),
    }  # fmt: skip
    for key, value in {**data, **SMALL}.items():
        config.set_value(recipe, key, value)
    return recipe


def run(project, step, **options):
    ended = launch(project, step, **options)
    assert ended.status == "done", ended.reason
    return ended


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project in which every step was run, undisturbed."""
    folder = tmp_path_factory.mktemp("sample")
    project = Project.create(folder / "verses", sample_recipe(folder))
    for step in ("import", "vocab", *STAGES):
        run(project, step)
    return project


@pytest.fixture
def copy(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "copy")
    return Project.open(tmp_path / "copy")


class StopAfter(Control):
    """Stops at the n-th poll, which may lie in the middle of a step or of a validation."""

    def __init__(self, polls):
        super().__init__()
        self._left = polls

    @property
    def stopping(self):
        self._left -= 1
        return self._left < 0


class Polls(Control):
    count = 0

    @property
    def stopping(self):
        self.count += 1
        return False


def weights(project, step):
    return (project.bundle_folder(step) / "weights.safetensors").read_bytes()


def log(project, step):
    """All columns of the steps but the clock."""
    steps = read_steps([r for r in project.runs() if r.job == step][-1].folder / "steps.f32")
    return np.array(steps.values[:, :-1])


def disturb(project):
    """What a person may do between stop and resume."""
    Generator.load(project.bundle_folder("finetune")).generate("the sea", words=5)
    Predictor.load(project.bundle_folder("classify")).predict(["the lamp is lit"])
    torch.rand(5)
    np.random.rand(5)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("seed", range(3))
def test_stopping_anywhere_and_resuming_gives_the_same_bits(finished, copy, stage, seed):
    counter = Polls()
    run(copy, stage, control=counter)
    assert weights(copy, stage) == weights(finished, stage)
    expected = log(finished, stage)
    polls = random.Random(seed * 10 + STAGES.index(stage)).randrange(5, counter.count - 2)
    stopped = launch(copy, stage, control=StopAfter(polls))
    assert stopped.status == "stopped"
    assert len(log(copy, stage)) < len(expected) or polls > counter.count // 2
    disturb(copy)
    unfinished = copy.resumable_run(stage)
    assert unfinished is not None
    run(copy, stage, resume=unfinished.folder)
    assert np.array_equal(log(copy, stage), expected)
    assert weights(copy, stage) == weights(finished, stage)


def test_the_same_epochs_are_told_once_after_a_resume(finished, copy):
    launch(copy, "classify", control=StopAfter(40))
    unfinished = copy.resumable_run("classify")
    run(copy, "classify", resume=unfinished.folder)
    told = [e.epoch for e in events.read_events(unfinished.folder / "events.jsonl") if isinstance(e, events.EpochEnded)]
    assert told == list(range(5))


def test_training_draws_no_process_wide_random_number(copy):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    run(copy, "finetune")
    run(copy, "classify")
    assert torch.equal(before[0], torch.get_rng_state()) and (before[1] == np.random.get_state()[1]).all()


def test_steps_show_a_triangle_for_each_group_joining_one_phase_at_a_time(finished):
    folder = finished.finished_run("classify").folder
    steps = read_steps(folder / "steps.f32")
    plan = next(e for e in events.read_events(folder / "events.jsonl") if isinstance(e, events.Plan))
    rates = np.stack([steps[name] for name in steps.rate_columns])
    assert rates.shape == (5, plan.total_steps) and len(plan.phases) == 5
    for number, phase in enumerate(plan.phases):
        part = rates[:, phase["first_step"] : phase["last_step"]]
        trained = part[-1 - number :]
        assert (part[: 4 - number] == 0).all() and (trained > 0).all()
        assert np.allclose(trained[1:] / trained[:-1], 2.6, rtol=1e-5)
        cut = max(1, part.shape[1] // 10)
        assert (np.diff(part[-1][: cut + 1]) > 0).all() and (np.diff(part[-1][cut:]) < 0).all()
        assert part[-1].max() == pytest.approx(0.01)


def test_frozen_groups_do_not_change_and_trained_ones_do(copy):
    before = {
        k: v.clone() for k, v in Generator.load(copy.bundle_folder("finetune"))._model.encoder.state_dict().items()
    }
    copy.recipe.classify.unfreezing = "last"
    run(copy, "classify")
    after = Predictor.load(copy.bundle_folder("classify"))._model.encoder.state_dict()
    assert all(torch.equal(before[name].cpu(), after[name].cpu()) for name in before)
    copy.recipe.classify.unfreezing = "all"
    run(copy, "classify")
    after = Predictor.load(copy.bundle_folder("classify"))._model.encoder.state_dict()
    assert not any(torch.equal(before[name].cpu(), after[name].cpu()) for name in before)


@pytest.mark.parametrize("passes", [16, 60, 10_000])
def test_passes_do_not_change_the_gradient(copy, passes):
    """Without dropout a window gives the same loss in one pass or several."""
    copy.recipe.finetune.drop_mult = 0
    copy.recipe.finetune.tokens_per_pass = passes
    run(copy, "finetune")
    losses = log(copy, "finetune")[:, 1]
    copy.recipe.finetune.tokens_per_pass = 5_000
    run(copy, "finetune")
    assert np.allclose(losses, log(copy, "finetune")[:, 1], atol=2e-3)


def test_a_language_model_learns(finished):
    report = launch(finished, "finetune").report
    assert report["best"]["perplexity"] < report["before"]["perplexity"]


def test_finish_now_keeps_the_best_and_ends_as_done(copy):
    control = Control()
    control.finish()
    ended = run(copy, "classify", control=control)
    assert ended.finished_early and ended.report["epochs"] == 1


def test_a_diverging_training_stops_with_advice_and_keeps_its_checkpoint(copy):
    copy.recipe.finetune.lr_max = 100.0
    copy.recipe.finetune.layer_factor = 1.0
    copy.recipe.finetune.beta = 1e30
    copy.recipe.finetune.clip = 0.0
    ended = launch(copy, "finetune")
    assert ended.status == "failed" and "Lower the highest learning rate" in ended.reason
    assert copy.runs()[-1].folder.exists()


def test_pausing_blocks_and_a_stop_ends_the_pause(copy):
    control, seen = Control(), threading.Event()

    def sink(event):
        if isinstance(event, events.PhaseBegan):
            control.pause()
            seen.set()

    result = []
    worker = threading.Thread(target=lambda: result.append(launch(copy, "classify", control=control, sink=sink)))
    worker.start()
    assert seen.wait(60)
    worker.join(0.5)
    assert worker.is_alive() and not result
    control.stop()
    worker.join(60)
    assert result[0].status == "stopped"
