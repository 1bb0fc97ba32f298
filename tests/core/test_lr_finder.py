"""The search for a learning rate: the steps it takes, what its curve suggests, and that nothing is changed by it."""

import hashlib
import json
import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from resources import resource_path
from ulmfit_core import catalog, config, events
from ulmfit_core.config import Recipe, StageSettings
from ulmfit_core.errors import UserError
from ulmfit_core.jobs.find_lr import advice
from ulmfit_core.project import Project
from ulmfit_core.run import Control, Run, Stopped, launch, read_steps
from ulmfit_core.training.lr_finder import Curve, advised, plausible, range_test, suggestions
from ulmfit_core.training.stage import StepResult

STAGES = ["pretrain", "finetune", "classify"]


# A stage whose losses are known: STEEP · sum(w²)/2 over two layer groups of one weight each

STEEP = 1000.0


class Bowl(nn.Module):
    def __init__(self):
        super().__init__()
        self.low = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
        self.high = nn.Parameter(torch.tensor([1.0], dtype=torch.float64))


class BowlStage:
    """Three steps an epoch; every second step asks for half the rate."""

    name = "bowl"

    def __init__(self, fails_at=None, **settings):
        values = {"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "clip": 0.0, "epochs": 2, **settings}
        self.settings = StageSettings(**values)
        self.model = Bowl()
        self.visited = []
        self._fails_at = fails_at

    def groups(self):
        return [("low", [self.model.low]), ("high", [self.model.high])]

    def steps_of_epoch(self, epoch):
        return 3

    def begin_epoch(self, epoch):
        return 0

    def set_progress(self, share):
        self.progress = share

    def backward(self, epoch, index, state, rng, poll, differentiate):
        poll()
        self.visited.append((epoch, index, state))
        loss = STEEP * (self.model.low**2 + self.model.high**2).sum() / 2
        differentiate(loss)
        value = torch.tensor(math.nan) if len(self.visited) == self._fails_at else loss.detach()
        return StepResult(value, 1, 1, 0.5 if index == 1 else 1.0, state + 1)


def expected_losses(rates, shares, start=(2.0, 1.0)):
    weights, losses = list(start), []
    for step, rate in enumerate(rates):
        losses.append(STEEP * sum(weight**2 for weight in weights) / 2)
        factor = 0.5 if step % 3 == 1 else 1.0
        weights = [weight * (1 - STEEP * rate * factor * share) for weight, share in zip(weights, shares, strict=True)]
    return losses


@pytest.mark.parametrize(
    ("groups", "settings", "shares"),
    [
        (1, {}, (0, 1)),
        (0, {}, (1 / 2.6, 1)),
        (2, {"layer_factor": 1.0}, (1, 1)),
        (0, {"layer_shares": [0.5, 0.25]}, (0.5, 0.25)),
        (0, {"lr_min": 0.001, "lr_max": 0.01}, (0.1, 1)),
    ],
)
def test_rates_grow_evenly_and_reach_each_layer_group_by_its_share(groups, settings, shares):
    curve = range_test(BowlStage(**settings), Run(), groups)
    rates = np.logspace(-7, 1, 100)
    assert len(curve.rates) > 40 and np.allclose(curve.rates, rates[: len(curve.rates)], rtol=1e-12)
    assert np.allclose(curve.losses, expected_losses(curve.rates, shares), rtol=1e-6)


def test_losses_are_smoothed_as_a_debiased_moving_average():
    curve = range_test(BowlStage(), Run(), 0, 40)
    for count in (1, 2, 17, len(curve.losses)):
        weights = 0.98 ** np.arange(count)[::-1]
        assert curve.smoothed[count - 1] == pytest.approx(np.average(curve.losses[:count], weights=weights))


def test_the_test_ends_at_four_times_the_lowest_loss():
    curve = range_test(BowlStage(), Run(), 0, 200)
    ratios = [value / min(curve.smoothed[: place + 1]) for place, value in enumerate(curve.smoothed)]
    assert len(ratios) < 200 and ratios[-1] > 4 >= max(ratios[:-1])


def test_the_test_ends_before_a_loss_that_is_no_number():
    curve = range_test(BowlStage(fails_at=31), Run())
    assert len(curve.rates) == len(curve.losses) == len(curve.smoothed) == 30
    assert all(map(math.isfinite, [*curve.losses, *curve.smoothed]))


def test_clipping_is_the_stages():
    """Gradients cut to a norm of .1 cannot make even the largest rates diverge."""
    assert len(range_test(BowlStage(clip=0.1), Run(), 0).rates) == 100
    assert len(range_test(BowlStage(), Run(), 0).rates) < 80


def test_short_epochs_are_gone_through_again_and_again():
    stage = BowlStage()
    range_test(stage, Run(), 1, 20)
    assert [place[:2] for place in stage.visited] == [(step // 3 % 2, step % 3) for step in range(len(stage.visited))]
    assert all(state == index for _, index, state in stage.visited) and len(stage.visited) > 12
    assert stage.progress == 0


def test_too_little_text_is_said():
    stage = BowlStage()
    stage.steps_of_epoch = lambda epoch: 0
    with pytest.raises(UserError, match="too little text for a single training step"):
        range_test(stage, Run())


def test_a_curve_may_be_finished_early():
    control = Control()
    control.finish()
    assert range_test(BowlStage(), Run(control=control)) == Curve()


# Suggestions


def known_curves():
    """Curves over 100 rates from 1e-7 to 10: smooth, noisy, with waves, and one of a real search."""
    rates, steps = np.logspace(-7, 1, 100), np.arange(100)
    decade = np.log10(rates)
    bowl = 2.3 - 1.1 / (1 + np.exp(-(decade + 3) * 2)) + 3 * np.clip(decade + 0.7, 0, None) ** 2
    noisy = bowl + 0.02 * np.random.default_rng(0).normal(size=100)
    wavy = 4 - 0.02 * steps + 0.05 * np.sin(steps / 3) + np.where(steps > 85, (steps - 85) ** 2 * 0.05, 0)
    return rates, {"bowl": bowl, "noisy": noisy, "wavy": wavy, "real": np.array(REAL.split(), float)}


# A search of this program for the rate of pretraining a small model, all layers at once.
REAL = """
    5.7042 5.7038 5.7046 5.7046 5.7046 5.7046 5.7041 5.7042 5.7042 5.7041 5.7041 5.7043 5.7041 5.7042 5.7044 5.7045
    5.7045 5.7046 5.7046 5.7046 5.7044 5.7043 5.7044 5.7043 5.7043 5.7044 5.7044 5.7044 5.7044 5.7042 5.7042 5.7042
    5.7042 5.7042 5.7042 5.7041 5.7041 5.7042 5.7042 5.7041 5.7042 5.7042 5.7041 5.7040 5.7038 5.7037 5.7036 5.7034
    5.7033 5.7031 5.7028 5.7025 5.7021 5.7017 5.7013 5.7007 5.7002 5.6995 5.6986 5.6977 5.6967 5.6955 5.6939 5.6917
    5.6890 5.6845 5.6786 5.6712 5.6568 5.6379 5.6243 5.6049 5.5830 5.5613 5.5382 5.5149 5.4927 5.4728 5.4567 5.4376
    5.4154 5.3937 5.3744 5.3598 5.3405 5.3278 5.3145 5.3010 5.2865 5.2756 5.2636 5.2502 5.2420 5.2395 5.2392 5.2315
    5.2446 5.2708 5.2940 5.3198
"""

# What fastai 2.8.12 says of these curves (its four functions, on entries 10 to -5, as its lr_find calls them).
ORACLE = {
    "bowl": (0.000298364724028334, 0.000911162756115489, 0.02009233002565046, 0.000298364724028334),
    "noisy": (0.0019179102616724896, 0.00014174741629268043, 0.011497569953977355, 0.008497534359086446),
    "wavy": (0.0005214008287999685, 1.830738280295368e-05, 0.07390722033525779, 0.03764935806792469),
    "real": (0.01788649529057435, 0.09545484566618347, 0.3944206059437664, 0.054622772176843484),
}
NAMES = ("valley", "steepest", "minimum", "slide")


@pytest.mark.parametrize("name", list(ORACLE))
def test_suggestions_are_fastais(name):
    rates, curves = known_curves()
    found = suggestions(Curve(list(rates), list(curves[name]), list(curves[name])), 100)
    assert found == pytest.approx(dict(zip(NAMES, ORACLE[name], strict=True)), rel=1e-9)


def test_a_curve_that_never_falls_suggests_nothing():
    rates = list(np.logspace(-7, 1, 100))
    rising = list(np.linspace(1, 2, 100))
    assert set(suggestions(Curve(rates, rising, rising), 100).values()) == {None}
    assert set(suggestions(Curve(rates[:14], rising[:14], rising[:14][::-1]), 100).values()) == {None}
    assert set(suggestions(Curve(), 100).values()) == {None}


def test_without_an_upturn_there_is_no_slide():
    rates, falling = list(np.logspace(-7, 1, 100)), list(np.linspace(2, 1, 100))
    found = suggestions(Curve(rates, falling, falling), 100)
    assert found["slide"] is None and found["minimum"] == pytest.approx(rates[94] / 10)


# The real stages

SMALL = {
    "vocab.size": 300, "model.embedding": 12, "model.hidden": 16, "model.layers": 2, "classify.batch_size": 16,
    "pretrain.epochs": 1, "finetune.epochs": 1, "classify.epochs": 1, "classify.unfreezing": "all",
    "pretrain.batch_size": 16, "finetune.batch_size": 16, "pretrain.bptt": 16, "finetune.bptt": 16,
}  # fmt: skip


def head(name, lines, folder):
    text = (resource_path("sample") / name).read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / name).write_text("".join(text[:lines]), encoding="utf-8")
    return str(folder / name)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with language models that were trained for no longer than a moment."""
    folder = tmp_path_factory.mktemp("rates")
    recipe = Recipe()
    data = {
        "data.data": head("verses.csv", 200, folder), "data.text": ["text"], "data.label": "label",
        "data.corpus": head("corpus.txt", 120, folder),
    }  # fmt: skip
    for key, value in {**data, **SMALL}.items():
        config.set_value(recipe, key, value)
    project = Project.create(folder / "verses", recipe)
    control = Control()
    control.finish()
    for step in ("import", "vocab", "pretrain", "finetune"):
        ended = launch(project, step, control=control)
        assert ended.status == "done", ended.reason
    return project


def files_of(folder):
    """Digest of every file, those of the runs left out."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and "runs" not in path.parts]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("stage", STAGES)
def test_the_job_leaves_its_run_and_nothing_else(project, stage):
    before, progress = files_of(project.folder), []
    sink = lambda event: progress.append(event) if isinstance(event, events.Progress) else None  # noqa: E731
    ended = launch(project, "find_lr", stage=stage, steps=60, sink=sink)
    assert ended.status == "done", ended.reason
    assert files_of(project.folder) == before
    report = ended.report
    assert report["stage"] == stage and report["groups"] == 1 and set(report["suggestions"]) == set(NAMES)
    json.dumps(report, allow_nan=False)
    newest = project.runs()[-1]
    assert newest.job == "find_lr" and newest.status == "done" and progress
    steps = read_steps(newest.folder / "steps.f32")
    assert steps.columns == ("step", "loss", "smoothed", "lr") and len(steps.values) == len(report["rates"]) > 40
    for column, name in (("loss", "losses"), ("smoothed", "smoothed"), ("lr", "rates")):
        assert np.allclose(steps[column], report[name], rtol=1e-6)
    assert list(steps["step"]) == list(range(1, len(steps.values) + 1))


def test_advice_names_the_rate_and_what_was_set_before():
    found = {"valley": 0.0052, "steepest": 0.02, "minimum": 0.03, "slide": None}
    settings, turned, falling = config.ClassifySettings(), Curve(smoothed=[2, 1, 3]), Curve(smoothed=[3, 2, 1])

    def said(curve=turned, found=found, batches=40):
        return advice("classify", settings, curve, found, batches)

    assert said().startswith("0.03 is a good highest learning rate for “Classify”: it is a tenth of the rate with")
    language = advice("finetune", settings, turned, found, 40)
    assert language.startswith("0.0052 is a good highest learning rate for “Fine-tune”: it lies in the middle")
    assert said().endswith("Before the search it was set to 0.01.") and "never rose" not in said()
    assert "never rose" in said(falling)
    assert said(found={**found, "slide": 0.1}).startswith("0.1 is a good highest learning rate for “Classify”: it lies")
    settings.lr_max = 0.02
    assert "set to 0.02, which is as good" in said(), "a search is exact by a factor of two or three"
    settings.lr_max = 0.03
    assert said().startswith("0.03, which was set already, is a good") and "Before" not in said()
    settings.phases = [config.PhaseSettings()]
    assert "Before the search the table of phases set it." in said()
    assert said(found=dict.fromkeys(NAMES)).startswith("The loss fell too little for a suggestion. Keep the rate")


def test_a_search_over_few_batches_is_not_to_be_relied_on():
    found = {"valley": 0.0052, "steepest": None, "minimum": None, "slide": None}
    settings = config.ClassifySettings()
    assert "only 3 batches" in advice("classify", settings, Curve(smoothed=[2, 1, 3]), found, 3)
    assert "only" not in advice("classify", settings, Curve(smoothed=[2, 1, 3]), found, 10)


def test_what_lies_in_the_flat_beginning_or_beyond_the_lowest_loss_is_not_offered():
    """A curve that is flat but for noise to .001 and falls from there to 1, as those of small sets are."""
    rates = list(np.logspace(-7, 1, 100))
    decade = np.log10(rates)
    noise = 0.02 * np.random.default_rng(3).normal(size=100).cumsum() / np.sqrt(np.arange(1, 101))
    losses = list(2.5 - 0.3 * np.clip(decade + 3, 0, 3) / 3 + noise + 5 * np.clip(decade, 0, None) ** 2)
    found = {"valley": 0.05, "steepest": 1e-6, "minimum": 0.0002, "slide": 5.0}
    assert plausible(Curve(rates, losses, losses), 100, found) == {
        "valley": 0.05, "steepest": None, "minimum": None, "slide": None,
    }  # fmt: skip
    assert plausible(Curve(), 100, found) == dict.fromkeys(NAMES)


@pytest.mark.parametrize("name", list(ORACLE))
def test_on_clear_curves_the_advised_rate_is_offered(name):
    rates, curves = known_curves()
    curve = Curve(list(rates), list(curves[name]), list(curves[name]))
    found = suggestions(curve, 100)
    offered = plausible(curve, 100, found)
    name = advised(offered, "classify")
    assert offered[name] == found[name] and offered[advised(offered, "pretrain")] == found["valley"]


def test_the_next_best_suggestion_is_advised_where_the_first_is_not_offered():
    assert advised({"valley": 0.1, "steepest": 0.2, "minimum": None, "slide": None}, "classify") == "valley"
    assert advised({"valley": None, "steepest": 0.2, "minimum": 0.3, "slide": None}, "finetune") == "steepest"
    assert advised(dict.fromkeys(NAMES), "classify") == ""


class Watching(Control):
    """Sees after each poll which layer groups differ from the start; stops at the poll of that number."""

    def __init__(self, stage, last=None):
        super().__init__()
        self._groups = stage.groups()
        self._before = [[parameter.detach().clone() for parameter in group] for _, group in self._groups]
        self._last = last
        self.count = 0
        self.changed = set()

    @property
    def stopping(self):
        self.count += 1
        for (name, group), before in zip(self._groups, self._before, strict=True):
            if not all(map(torch.equal, group, before)):
                self.changed.add(name)
        return self.count == self._last


def prepared(project, name):
    """A stage whose model has gradients, frozen parameters and mixed modes to be put back."""
    stage, _ = catalog.resolve("stage", name)(project, Run())
    rng = torch.Generator().manual_seed(0)
    stage.model.train()
    first = next(stage.model.children())
    first.eval()
    for number, parameter in enumerate(stage.model.parameters()):
        parameter.grad = None if number % 3 == 0 else torch.randn(parameter.shape, generator=rng).to(parameter.device)
        parameter.requires_grad_(number % 2 == 0)
    return stage


def state_of(model):
    tensors = dict([*model.named_parameters(), *model.named_buffers()])
    grads = {name: p.grad for name, p in model.named_parameters()}
    return {
        "tensors": {name: value.detach().cpu().numpy().tobytes() for name, value in tensors.items()},
        "grads": {name: None if grad is None else grad.cpu().numpy().tobytes() for name, grad in grads.items()},
        "wanted": {name: p.requires_grad for name, p in model.named_parameters()},
        "modes": {name: module.training for name, module in model.named_modules()},
        "global": (torch.get_rng_state().numpy().tobytes(), np.random.get_state()[1].tobytes(), random.getstate()),
    }


@pytest.mark.parametrize("groups", [1, 0])
@pytest.mark.parametrize("name", STAGES)
def test_everything_is_put_back_bit_for_bit(project, name, groups):
    stage = prepared(project, name)
    names = [group for group, _ in stage.groups()]
    before, watch = state_of(stage.model), Watching(stage)
    curve = range_test(stage, Run(control=watch), groups, 30)
    assert watch.changed == set(names[-groups:]) and len(curve.rates) > 20
    assert state_of(stage.model) == before
    again = range_test(stage, Run(), groups, 30)
    assert again == curve
    stopped = Watching(stage, watch.count * 2 // 3)
    with pytest.raises(Stopped):
        range_test(stage, Run(control=stopped), groups, 30)
    assert stopped.changed and state_of(stage.model) == before


def test_what_cannot_be_searched_is_refused_with_a_sentence(project):
    runs = len(project.runs())
    waiting = Project(project.folder, project.recipe.model_copy(deep=True))
    waiting.recipe.finetune.epochs += 1
    ended = launch(waiting, "find_lr", stage="classify")
    assert ended.status == "failed"
    assert ended.reason == "No learning rate can be searched for “Classify”. Waits for “Fine-tune”."
    waiting.recipe.data.label = ""
    assert "The data has no label column." in launch(waiting, "find_lr", stage="classify").reason
    assert "Choose one of: pretrain, finetune, classify." in launch(project, "find_lr", stage="vocab").reason
    assert len(project.runs()) == runs


def test_a_stop_leaves_a_stopped_run(project):
    control = Control()

    def sink(event):
        if isinstance(event, events.Progress) and event.done > 3:
            control.stop()

    ended = launch(project, "find_lr", stage="finetune", steps=5000, control=control, sink=sink)
    assert ended.status == "stopped"
    newest = project.runs()[-1]
    assert newest.status == "stopped" and not newest.resumable
    assert 0 < len(read_steps(newest.folder / "steps.f32").values) < 5000
