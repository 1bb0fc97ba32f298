"""The one training loop on real text: exact resume in every stage, the rates that were really used, pause and stop."""

import math
import random
import shutil
import threading

import numpy as np
import pytest
import torch

from resources import resource_path
from tests.core.toy import ToyStage, toy_settings
from ulmfit_core import catalog, config, events
from ulmfit_core.config import PhaseSettings, Recipe
from ulmfit_core.errors import UserError
from ulmfit_core.inference.generate import Generator
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.models import best_weights
from ulmfit_core.project import Project
from ulmfit_core.run import Control, Run, Stopped, launch, read_steps
from ulmfit_core.training import checkpoint
from ulmfit_core.training.trainer import Trainer

SMALL = {
    "vocab.size": 400, "model.embedding": 16, "model.hidden": 24, "model.layers": 3,
    "pretrain.epochs": 1, "finetune.epochs": 1, "classify.epochs": 1, "classify.batch_size": 32,
    "finetune.unfreezing": "all", "pretrain.tokens_per_pass": 60, "finetune.tokens_per_pass": 60,
    "pretrain.checkpoint_seconds": 0.2, "finetune.checkpoint_seconds": 0.2, "classify.checkpoint_seconds": 0.2,
}  # fmt: skip
STAGES = ["pretrain", "finetune", "classify"]
CPU = torch.device("cpu")


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
        counter = Polls()
        run(project, step, control=counter)
        POLLS[step] = counter.count
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
    """Counts how often a run asks whether to go on."""

    count = 0

    @property
    def stopping(self):
        self.count += 1
        return False


POLLS: dict[str, int] = {}  # of the undisturbed run of each step


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
def test_a_job_that_is_stopped_and_resumed_leaves_the_same_bundle(finished, copy, stage):
    expected = log(finished, stage)
    polls = random.Random(STAGES.index(stage)).randrange(5, POLLS[stage] - 2)
    stopped = launch(copy, stage, control=StopAfter(polls))
    assert stopped.status == "stopped"
    assert len(log(copy, stage)) < len(expected) or polls > POLLS[stage] // 2
    disturb(copy)
    unfinished = copy.resumable_run(stage)
    assert unfinished is not None
    run(copy, stage, resume=unfinished.folder)
    assert np.array_equal(log(copy, stage), expected)
    assert weights(copy, stage) == weights(finished, stage)


# A few steps in every phase, and whatever changes with the step at work.
FEW_STEPS = {
    "pretrain": {"batch_size": 24, "bptt": 40}, "finetune": {"batch_size": 30, "bptt": 40, "tokens_per_pass": 600},
    "classify": {
        "batch_size": 60, "bptt": 200, "phases": [PhaseSettings(groups=2, lr_max=0.02), PhaseSettings(lr_max=0.02)],
    },
}  # fmt: skip
MOVING = {
    "weight_decay": 0.1, "weight_decay_end": 0.0, "drop_start": 0.5, "noise_start": 0.2, "span": "stage",
    "tokens_per_pass": 0, "checkpoint_seconds": 100.0, "lr_max": 0.02,
}  # fmt: skip


def train(project, stage, folder, control, resume=False, log_every=1):
    """Only the training of a stage: (bytes of the best weights, log, metrics). With NT-ASGD all of it is averaged."""
    work = Run(folder, control)
    made, _ = catalog.resolve("stage", stage)(project, work)
    trainer = Trainer(made, work, folder, CPU)
    trainer.log_every = log_every
    if made.settings.optimizer == "nt_asgd" and not resume:
        trainer.average.start()
    try:
        history = trainer.fit(resume)
    finally:
        work.close()
    metrics = [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in history]
    return (
        best_weights.newest(folder).read_bytes(),
        np.array(read_steps(folder / "steps.f32").values[:, :-1]),
        metrics,
    )


@pytest.mark.parametrize("optimizer", catalog.OPTIMIZERS)
@pytest.mark.parametrize("schedule", catalog.SCHEDULES)
@pytest.mark.parametrize("stage", STAGES)
def test_stopping_anywhere_and_resuming_gives_the_same_bits(finished, tmp_path, stage, schedule, optimizer):
    recipe = finished.recipe.model_copy(deep=True)
    settings = getattr(recipe, stage)
    for name, value in {**MOVING, **FEW_STEPS[stage], "schedule": schedule, "optimizer": optimizer}.items():
        setattr(settings, name, value)
    settings.phases = [row.model_copy(update={"schedule": schedule}) for row in settings.phases]
    project = Project(finished.folder, recipe)
    counter = Polls()
    undisturbed = train(project, stage, tmp_path / "whole", counter)
    polls = random.Random(f"{stage} {schedule} {optimizer}").randrange(1, counter.count - 1)
    with pytest.raises(Stopped):
        train(project, stage, tmp_path / "cut", StopAfter(polls))
    torch.rand(5)
    np.random.rand(5)
    resumed = train(project, stage, tmp_path / "cut", Control(), resume=True)
    assert resumed[0] == undisturbed[0] and np.array_equal(resumed[1], undisturbed[1]) and resumed[2] == undisturbed[2]


@pytest.mark.parametrize("stage", STAGES)
def test_reading_the_losses_every_few_steps_changes_no_bit(finished, tmp_path, stage):
    """As on an accelerator: undisturbed, and stopped where some steps have not been read yet."""
    recipe = finished.recipe.model_copy(deep=True)
    for name, value in {**MOVING, **FEW_STEPS[stage]}.items():
        setattr(getattr(recipe, stage), name, value)
    project = Project(finished.folder, recipe)
    counter = Polls()
    expected = train(project, stage, tmp_path / "each", counter)
    lagging = train(project, stage, tmp_path / "lagging", Control(), log_every=20)
    polls = random.Random(stage).randrange(1, counter.count - 1)
    with pytest.raises(Stopped):
        train(project, stage, tmp_path / "cut", StopAfter(polls), log_every=20)
    resumed = train(project, stage, tmp_path / "cut", Control(), resume=True, log_every=20)
    for other in (lagging, resumed):
        assert other[0] == expected[0] and np.array_equal(other[1], expected[1]) and other[2] == expected[2]
    seconds = read_steps(tmp_path / "lagging" / "steps.f32")["seconds"]
    assert (np.diff(seconds) > 0).all()  # the time of each step, not that of its reading


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
        k: v.clone() for k, v in Generator.load(copy.bundle_folder("finetune")).model.encoder.state_dict().items()
    }
    copy.recipe.classify.unfreezing = "last"
    run(copy, "classify")
    after = Predictor.load(copy.bundle_folder("classify"))._model.encoder.state_dict()
    assert all(torch.equal(before[name].cpu(), after[name].cpu()) for name in before)
    copy.recipe.classify.unfreezing = "all"
    run(copy, "classify")
    after = Predictor.load(copy.bundle_folder("classify"))._model.encoder.state_dict()
    assert not any(torch.equal(before[name].cpu(), after[name].cpu()) for name in before)


def test_passes_do_not_change_the_gradient(finished, tmp_path):
    """Without dropout a window gives the same loss in one pass or several."""
    recipe = finished.recipe.model_copy(deep=True)
    recipe.finetune.drop_mult, recipe.finetune.batch_size, recipe.finetune.checkpoint_seconds = 0, 24, 100
    losses = []
    for passes in (5_000, 60, 16):
        recipe.finetune.tokens_per_pass = passes
        _, steps, _ = train(Project(finished.folder, recipe), "finetune", tmp_path / str(passes), Control())
        losses.append(steps[:, 1])
    assert np.allclose(losses[0], losses[1], atol=2e-3) and np.allclose(losses[0], losses[2], atol=2e-3)


def test_a_language_model_learns(finished):
    ended = events.read_events(finished.finished_run("finetune").folder / "events.jsonl")[-1]
    assert ended.report["best"]["perplexity"] < ended.report["before"]["perplexity"]


def test_finish_now_keeps_the_best_and_ends_as_done(copy):
    """At once, as by two presses; tests/core/test_finish.py has the annealing of one."""
    control = Control()
    control.finish()
    control.finish()
    ended = run(copy, "classify", control=control)
    assert ended.finished_early and ended.report["epochs"] == 1


def test_a_diverging_training_stops_with_advice_and_can_be_resumed_from_finite_weights(copy):
    copy.recipe.finetune.lr_max = 100.0
    copy.recipe.finetune.layer_factor = 1.0
    copy.recipe.finetune.beta = 1e30
    copy.recipe.finetune.clip = 0.0
    ended = launch(copy, "finetune")
    assert ended.status == "failed" and "Lower the highest learning rate" in ended.reason
    failed = copy.runs()[-1]
    position = finite_checkpoint(failed.folder)
    assert f"The last good checkpoint (step {position.step}) is kept" in ended.reason
    assert failed.resumable and copy.resumable_run("finetune").folder == failed.folder
    again = launch(copy, "finetune", resume=failed.folder)
    assert again.status == "failed" and again.reason == ended.reason


def finite_checkpoint(folder):
    """Where the checkpoint stands, once all its tensors were found to be finite."""
    position, tensors = checkpoint.load(folder / "checkpoint")
    assert tensors and all(bool(value.isfinite().all()) for value in tensors.values())
    return position


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


# Faults, patience and half precision, on a stage whose figures can be written out


def toy_run(stage, folder, control=None, resume=False, scaler=None, log_every=1):
    """Train a toy, with the events it told."""
    told = []
    trainer = Trainer(stage, Run(folder, control, told.append), folder, CPU)
    trainer.scaler = scaler or trainer.scaler
    trainer.log_every = log_every
    try:
        trainer.fit(resume)
    finally:
        trainer.run.close()
    return told


def toy_log(folder):
    return np.array(read_steps(folder / "steps.f32").values[:, :-1])


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A toy that was trained undisturbed for 20 steps."""
    stage = ToyStage(toy_settings(epochs=4, checkpoint_seconds=100))
    toy_run(stage, tmp_path_factory.mktemp("sound"))
    return stage


@pytest.mark.parametrize("log_every", [1, 20])
@pytest.mark.parametrize(
    "what, figure, seconds, at, kept",
    [
        ("loss", math.nan, 1e-9, 12, 12), ("loss", math.inf, 100, 12, 10), ("loss", math.nan, 100, 0, 0),
        ("gradient", math.nan, 1e-9, 12, 12), ("gradient", math.inf, 100, 12, 10), ("gradient", math.inf, 100, 0, 0),
    ],
)  # fmt: skip
def test_a_step_that_is_not_finite_is_not_taken(tmp_path, sound, what, figure, seconds, at, kept, log_every):
    """Nor are those after it, where it is told only when the figures are read."""
    spoiled = ToyStage(toy_settings(epochs=4, checkpoint_seconds=seconds))
    if what == "loss":
        spoiled.told = lambda step: figure if step == at else 1.0
    else:
        spoiled.spoil = lambda step: figure if step == at else 0.0
    with pytest.raises(UserError, match=rf"step {at + 1} the {what} became .* checkpoint \(step {kept}\) is kept"):
        toy_run(spoiled, tmp_path, log_every=log_every)
    assert torch.equal(spoiled.flat(), sound.seen[at])
    assert len(toy_log(tmp_path)) == at
    assert finite_checkpoint(tmp_path).step == kept
    mended = ToyStage(toy_settings(epochs=4, checkpoint_seconds=100))
    toy_run(mended, tmp_path, resume=True)
    assert torch.equal(mended.seen[0], sound.seen[kept]) and torch.equal(mended.flat(), sound.flat())


class Pausing(Control):
    """Pauses at the n-th poll and goes on at once; `logged` are the steps that could be read meanwhile."""

    def __init__(self, polls, folder):
        super().__init__()
        self._left, self._folder, self.logged = polls, folder, 0

    @property
    def stopping(self):
        self._left -= 1
        if self._left == 0:
            self.pause()
        return False

    def wait(self):
        self.logged = len(toy_log(self._folder))
        self.resume()


@pytest.mark.parametrize("polls, steps", [(14, 7), (15, 7)])  # before the eighth step, and within it
def test_before_a_pause_every_finished_step_is_in_the_log(tmp_path, polls, steps):
    control = Pausing(polls, tmp_path)
    toy_run(ToyStage(toy_settings(epochs=1, checkpoint_seconds=100), steps=12), tmp_path, control, log_every=20)
    assert control.logged == steps and len(toy_log(tmp_path)) == 12


def test_weights_beyond_all_numbers_never_replace_a_checkpoint(tmp_path):
    stage = ToyStage(toy_settings(epochs=4))

    def told(step):
        if step == 12:
            stage.model[0].weight.data.fill_(math.inf)
        return 1.0

    stage.told = told
    with pytest.raises(UserError, match=r"step 14 the weights were no longer finite.*\(step 12\) is kept"):
        toy_run(stage, tmp_path)
    assert finite_checkpoint(tmp_path).step == 12


def smoothed(losses):
    """The debiased exponential mean (beta .98) at every step, as a weighted mean over all steps before it."""
    table = [0.98 ** np.arange(t, -1, -1) for t in range(len(losses))]
    return [float(weights @ losses[: len(weights)] / weights.sum()) for weights in table]


@pytest.mark.parametrize(
    "losses",
    [
        np.concatenate([np.linspace(3, 1, 150), np.linspace(1, 20, 150)]),  # diverges in its middle
        np.concatenate([np.full(40, 0.1), np.full(260, 9.0)]),  # was past the limit before it is judged
    ],
)
def test_a_loss_that_leaves_its_lowest_stops_the_run_also_after_a_resume(tmp_path, losses):
    means = smoothed(losses)
    over = [t for t in range(100, 300) if means[t] > 2 * min(means[: t + 1]) + 1]
    rising = [t for t in range(300) if t >= 100 and means[t] > 1.5 * min(means[: t + 1]) + 0.5]
    reason = f"At step {over[0] + 1} the smoothed loss rose from {min(means[: over[0]]):.3g} to {means[over[0]]:.3g}"
    stage = ToyStage(toy_settings(epochs=1, checkpoint_seconds=100), steps=300)

    def told(step):
        if step >= rising[0] - 3:
            stage.settings.checkpoint_seconds = 1e-9
        return losses[step]

    stage.told = told
    with pytest.raises(UserError) as fault:
        toy_run(stage, tmp_path / "whole")
    assert reason in str(fault.value) and "to a third" in str(fault.value)
    assert finite_checkpoint(tmp_path / "whole").step == rising[0]  # none was cut while it rose
    cut = ToyStage(toy_settings(epochs=1, checkpoint_seconds=100), steps=300, told=lambda step: losses[step])
    with pytest.raises(Stopped):
        toy_run(cut, tmp_path / "cut", StopAfter(2 * (over[0] - 20)))
    with pytest.raises(UserError) as again:
        toy_run(cut, tmp_path / "cut", resume=True)
    assert reason in str(again.value)


def test_a_loss_that_only_wavers_is_let_be(tmp_path):
    losses = 2 + np.sin(np.arange(300) / 5)
    stage = ToyStage(toy_settings(epochs=1, checkpoint_seconds=100), steps=300, told=lambda step: float(losses[step]))
    toy_run(stage, tmp_path)
    assert len(stage.seen) == 300


ROWS = [PhaseSettings(epochs=3, groups=1, lr_max=0.01), PhaseSettings(epochs=5, lr_max=0.01)]


@pytest.mark.parametrize(
    "patience, valid, epochs, best",
    [
        (2, [1, 2, 3, 2, 2, 0, 0, 0], 5, 0),  # the first phase does not count
        (2, [1, 2, 3, 2, 0.5, 1, 1, 0], 7, 4),
        (4, [1, 2, 3, 2, 2, 2, 2, 2], 7, 0),
        (0, [1, 2, 3, 2, 2, 2, 2, 2], 8, 0),
        (1, [8, 7, 6, 5, 4, 3, 2, 1], 8, 7),
    ],
)
def test_patience_ends_the_last_phase_and_the_best_epoch_is_the_model(tmp_path, patience, valid, epochs, best):
    stage = ToyStage(toy_settings(phases=ROWS, patience=patience, checkpoint_seconds=100), steps=2, valid=valid)
    told = toy_run(stage, tmp_path)
    assert len(stage.shown) == epochs and torch.equal(stage.flat(), stage.shown[best])
    messages = [event.text for event in told if isinstance(event, events.Message)]
    expected = [f"stopped after epoch {epochs}. The model of epoch {best + 1} is kept."] if epochs < 8 else []
    assert len(messages) == len(expected) and all(part in messages[0] for part in expected)
    again = ToyStage(toy_settings(phases=ROWS, patience=patience, checkpoint_seconds=100), steps=2, valid=valid)
    toy_run(again, tmp_path, resume=True)
    assert not again.seen and torch.equal(again.flat(), stage.flat())  # a resume does not begin a ninth epoch either


@pytest.mark.parametrize(
    "valid, higher, best", [([3, 1, 2], False, 1), ([1, 3, 2], True, 1), ([math.nan, 3, 4], False, 1)]
)
def test_the_best_epoch_is_kept_in_the_direction_of_its_metric(tmp_path, valid, higher, best):
    stage = ToyStage(toy_settings(epochs=3, checkpoint_seconds=100), valid=valid)
    stage.higher_is_better = higher
    toy_run(stage, tmp_path)
    assert torch.equal(stage.flat(), stage.shown[best])


class TiedStage(ToyStage):
    """Each epoch answers as told, so that several are alike."""

    best_metric = "accuracy"
    higher_is_better = True
    right = (0.5, 0.7, 0.7, 0.7, 0.6)

    def validate(self, run):
        figures = super().validate(run)
        return {**figures, "accuracy": self.right[len(self.shown)]}


def test_of_epochs_that_are_alike_the_one_with_the_lower_loss_is_kept_also_after_a_resume(tmp_path):
    def made():
        return TiedStage(toy_settings(epochs=5, checkpoint_seconds=100), valid=[1, 3, 2, 2.5, 0])

    whole = made()
    told = toy_run(whole, tmp_path / "whole")
    assert [event.best for event in told if isinstance(event, events.EpochEnded)] == [True, True, True, False, False]
    assert torch.equal(whole.flat(), whole.shown[2])
    cut, again = made(), made()
    with pytest.raises(Stopped):
        toy_run(cut, tmp_path / "parts", StopAfter(26))
    assert len(cut.shown) == 2, "stopped in the third epoch, before the tie"
    again.shown = cut.shown  # its figures go on where the first sitting ended
    toy_run(again, tmp_path / "parts", resume=True)
    assert torch.equal(again.flat(), whole.flat())


def test_the_stage_is_told_how_far_it_is_before_each_step(tmp_path):
    stage = ToyStage(toy_settings(epochs=2, checkpoint_seconds=100))
    toy_run(stage, tmp_path)
    assert stage.progress == pytest.approx(list(np.linspace(0, 1, 10)))


def test_the_log_tells_the_weight_decay_and_momentum_of_each_step(tmp_path):
    made = toy_settings(epochs=2, checkpoint_seconds=100, schedule="one_cycle", weight_decay=0.1, weight_decay_end=0)
    toy_run(ToyStage(made), tmp_path)
    steps = read_steps(tmp_path / "steps.f32")
    assert np.allclose(steps["weight_decay"], np.linspace(0.1, 0, 10), atol=1e-7)
    assert steps["momentum"].min() < 0.71 and steps["momentum"].max() == pytest.approx(0.8)


# Half precision: the scaler works on a CPU as it does on a GPU


def scaler(scale):
    return torch.amp.GradScaler("cpu", init_scale=scale)


def test_a_scaled_gradient_is_unscaled_before_it_is_clipped(tmp_path):
    """Scaling by a power of two is exact, so clipping must see the very gradients of an unscaled run."""
    plain, scaled = (ToyStage(toy_settings(clip=0.05, checkpoint_seconds=100)) for _ in range(2))
    toy_run(plain, tmp_path / "plain")
    toy_run(scaled, tmp_path / "scaled", scaler=scaler(2.0**10))
    assert torch.equal(plain.flat(), scaled.flat())
    assert np.array_equal(toy_log(tmp_path / "plain"), toy_log(tmp_path / "scaled"))


@pytest.mark.parametrize("log_every", [1, 20])
@pytest.mark.parametrize("half", [False, True])
def test_a_step_that_overflows_is_skipped_and_the_run_goes_on_exactly_after_a_resume(tmp_path, half, log_every):
    """The first scale is too large for some gradients: steps are skipped until it has been halved often enough."""
    scale = 2.0**24 if half else 2.0**127

    def stage():
        return ToyStage(toy_settings(epochs=4, checkpoint_seconds=100), half=half)

    whole, cut, resumed = stage(), stage(), stage()
    toy_run(whole, tmp_path / "whole", scaler=scaler(scale), log_every=log_every)
    skipped = [torch.equal(a, b) for a, b in zip(whole.seen, whole.seen[1:], strict=False)]
    assert 1 <= sum(skipped) <= 12
    steps = toy_log(tmp_path / "whole")
    assert len(steps) == 20 and np.isfinite(steps[:, 1]).all()
    assert [not np.isfinite(row).all() for row in steps[:19]] == skipped  # the norm of a skipped step
    with pytest.raises(Stopped):
        toy_run(cut, tmp_path / "cut", StopAfter(7), scaler=scaler(scale), log_every=log_every)
    toy_run(resumed, tmp_path / "cut", resume=True, scaler=scaler(1.0), log_every=log_every)
    assert torch.equal(whole.flat(), resumed.flat())
    assert np.array_equal(toy_log(tmp_path / "cut"), steps, equal_nan=True)


@pytest.mark.parametrize("log_every", [1, 20])
def test_a_gradient_that_no_scale_mends_is_a_fault(tmp_path, log_every):
    stage = ToyStage(toy_settings(epochs=2, checkpoint_seconds=100), spoil=lambda step: math.nan if step >= 3 else 0.0)
    with pytest.raises(UserError, match="step 6 the gradient became nan"):  # scales 4 and 2 are tried, 1 is the last
        toy_run(stage, tmp_path, scaler=scaler(4.0), log_every=log_every)
    assert torch.equal(stage.flat(), stage.seen[3])
