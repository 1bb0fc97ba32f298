"""What one step of a stage does: its gradient, passes, windows, losses, and the courses of dropout and noise."""

import shutil
import typing

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch.nn import functional as F

from tests.core.toy import StopAfter
from ulmfit_core import catalog
from ulmfit_core.config import (
    ClassifySettings,
    FinetuneSettings,
    ModelSettings,
    PhaseSettings,
    Recipe,
    VocabSettings,
    set_value,
)
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project
from ulmfit_core.run import Run, Stopped, launch
from ulmfit_core.training.metrics import HIGHER_IS_BETTER

WORDS = ["amber", "bridge", "candle", "desert", "engine", "forest", "garden", "harbour", "island", "jungle", "kettle"]
CLASSES = ["red"] * 60 + ["green"] * 25 + ["blue"] * 15


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """100 texts of 2 to 60 words in three classes of unlike size, and their vocabulary."""
    folder, rng = tmp_path_factory.mktemp("stages"), np.random.default_rng(3)
    rows = [f"{' '.join(rng.choice(WORDS, rng.integers(2, 60)))},{name}" for name in CLASSES]
    (folder / "rows.csv").write_text("text,label\n" + "\n".join(rows), encoding="utf-8")
    recipe = Recipe(vocab=VocabSettings(size=120), model=ModelSettings(embedding=8, hidden=12, layers=3))
    recipe.data.data, recipe.data.text, recipe.data.label = str(folder / "rows.csv"), ["text"], "label"
    project = Project.create(folder / "project", recipe)
    for job in ("import", "vocab"):
        ended = launch(project, job)
        assert ended.status == "done", ended.reason
    return project


EXACT = {"drop_mult": 0.0, "batch_size": 12, "bptt": 10, "precision": "float32"}
PLAIN = {
    "finetune": {**EXACT, "variable_bptt": False, "alpha": 2.0, "beta": 1.0},
    "classify": {**EXACT, "head_drop": 0.0, "max_length": 40},
}
STAGES = list(PLAIN)


def make(project, name, **settings):
    """A stage without dropout and chance but for what `settings` switch on, ready for its first step."""
    changed = Project(project.folder, project.recipe.model_copy(deep=True))
    set_value(changed.recipe, "finetune.enabled", name == "finetune")
    for knob, value in {**PLAIN[name], **settings}.items():
        set_value(changed.recipe, f"{name}.{knob}", value)
    stage, _ = catalog.resolve("stage", name)(changed, Run())
    stage.model.train()
    return stage


def step(stage, epoch=0, index=0, differentiate=Tensor.backward, poll=bool, rng=None):
    """One step from the state of an epoch's beginning."""
    stage.model.zero_grad()
    rng = rng or torch.Generator().manual_seed(5)
    return stage.backward(epoch, index, stage.begin_epoch(epoch), rng, poll, differentiate)


def gradients(stage):
    return {name: p.grad.clone() for name, p in stage.model.named_parameters() if p.grad is not None}


def assert_same(first, second, within=1e-4, factor=1.0):
    """Each tensor differs by less than `within` of its length."""
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert (value * factor - second[name]).double().norm() <= within * factor * value.double().norm(), name


def seen(stage):
    """The ids of every pass through the encoder from now on, and its outputs."""
    calls = []
    stage.model.encoder.register_forward_hook(lambda module, given, result: calls.append((given[0], result[0])))
    return calls


def figures_of(stage):
    """The validation's, as the trainer asks for them."""
    stage.model.eval()
    with torch.inference_mode():
        return stage.validate(Run())


# Dropout and noise on a course of their own


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("share, left", [(0.0, 0.2), (0.5, 0.6), (1.0, 1.0)])
def test_the_five_dropouts_change_evenly_over_the_stage(project, name, share, left):
    stage = make(project, name, drop_mult=0.5, drop_start=0.2, drop_end=1.0)
    stage.set_progress(share)
    drops, knobs = stage.model.encoder.drops, stage.settings
    for kind in ("embedding", "input", "hidden", "weight", "output"):
        assert getattr(drops, kind) == pytest.approx(getattr(knobs, f"{kind}_drop") * 0.5 * left)
    assert {layer.weight_drop for layer in stage.model.encoder.layers} == {drops.weight}
    if name == "classify":
        assert stage.model.head.drops == (drops.output, knobs.head_drop)


@pytest.mark.parametrize("name", STAGES)
def test_dropouts_stay_below_one(project, name):
    stage = make(project, name, drop_mult=2.0, drop_end=2.0, weight_drop=0.9)
    stage.set_progress(1.0)
    assert 0.9 < stage.model.encoder.drops.weight < 1
    assert step(stage).loss.isfinite()


@pytest.mark.parametrize("name", STAGES)
def test_noise_reads_ordinary_tokens_as_unknown_and_leaves_special_ones(project, name):
    stage = make(project, name, noise_end=0.8, batch_size=40)
    calls = seen(stage)
    step(stage)
    clean = torch.cat([ids.flatten() for ids, _ in calls])
    calls.clear()
    stage.set_progress(0.5)
    step(stage)
    noisy = torch.cat([ids.flatten() for ids, _ in calls])
    ordinary, changed = clean > 8, clean != noisy
    assert (noisy[changed] == 0).all() and not changed[~ordinary].any()
    assert changed[ordinary].float().mean() == pytest.approx(0.4, abs=0.06)


@pytest.mark.parametrize("name", STAGES)
def test_without_dropout_and_noise_no_number_is_drawn(project, name):
    rng = torch.Generator().manual_seed(5)
    before = rng.get_state()
    step(make(project, name), rng=rng)
    assert torch.equal(before, rng.get_state())


def test_noise_is_not_in_the_targets(project):
    stage = make(project, "finetune", noise_start=0.5, alpha=0, beta=0)
    calls = seen(stage)
    _, targets = stage._windows(0)[0]
    result = step(stage)
    with torch.no_grad():
        logits = stage.model(calls[0][0], stage.begin_epoch(0)).logits
    expected = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    assert result.loss == pytest.approx(float(expected), abs=1e-5)


# What is differentiated


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_scaled_loss_gives_scaled_gradients(project, name, accumulate):
    """Once scaled, not twice, also where a step has several passes."""
    stage = make(project, name, batch_size=4, accumulate=accumulate)
    step(stage)
    plain = gradients(stage)
    step(stage, differentiate=lambda loss: (loss * 1024).backward())
    assert_same(plain, gradients(stage), factor=1024)


def test_penalties_are_differentiated_but_not_reported(project):
    results = {}
    for alpha in (0.0, 2.0):
        stage = make(project, "finetune", alpha=alpha)
        results[alpha] = (step(stage).loss, gradients(stage)["encoder.embedding"])
    assert results[0.0][0] == results[2.0][0]
    assert not torch.equal(results[0.0][1], results[2.0][1])


# Several passes make one step


@pytest.mark.parametrize("limit", [0, 20])
def test_passes_of_a_language_model_add_up_to_the_large_batch(project, limit):
    large = make(project, "finetune", batch_size=12, tokens_per_pass=10_000)
    small = make(project, "finetune", batch_size=4, accumulate=3, tokens_per_pass=limit)
    calls = seen(small)
    results = [step(stage) for stage in (large, small)]
    assert_same(gradients(large), gradients(small))
    assert float(results[0].loss) == pytest.approx(float(results[1].loss), rel=1e-5)
    assert (results[0].tokens, results[0].weight) == (results[1].tokens, results[1].weight) == (120, 120)
    for (h, c), (other_h, other_c) in zip(results[0].state, results[1].state, strict=True):
        assert torch.allclose(h, other_h, atol=1e-6) and torch.allclose(c, other_c, atol=1e-6)
    assert [ids.shape for ids, _ in calls] == ([(2, 10)] * 6 if limit else [(4, 10)] * 3)


def test_passes_of_a_classifier_add_up_to_the_large_batch(project):
    """The head's BatchNorm sees all documents of the step at once: gradients and running statistics agree."""
    large = make(project, "classify", batch_size=13)
    small = make(project, "classify", batch_size=13)
    small._batch, small.settings.accumulate = 4, 3  # the same 13 documents in passes of 4, 4, 4 and 1
    calls = seen(small)
    results = [step(stage, index=1) for stage in (large, small)]
    assert_same(gradients(large), gradients(small))
    assert_same(dict(large.model.head.named_buffers()), dict(small.model.head.named_buffers()))
    assert float(results[0].loss) == pytest.approx(float(results[1].loss), rel=1e-5)
    assert (results[0].tokens, results[0].weight) == (results[1].tokens, results[1].weight)
    assert {len(ids) for ids, _ in calls} == {4, 1}


def test_a_step_of_a_classifier_has_batch_size_times_accumulate_documents(project):
    stage, large = make(project, "classify", batch_size=4, accumulate=3), make(project, "classify", batch_size=12)
    assert step(stage).weight == 12 and stage.steps_of_epoch(0) == large.steps_of_epoch(0)


def test_a_pass_that_is_read_again_has_the_same_masks(project):
    stage = make(project, "classify", batch_size=4, accumulate=3, drop_mult=1.0, noise_start=0.3)
    calls = seen(stage)
    rng = torch.Generator().manual_seed(5)
    step(stage, rng=rng)
    half = len(calls) // 2
    for (ids, output), (ids_again, output_again) in zip(calls[:half], calls[half:], strict=True):
        assert torch.equal(ids, ids_again) and torch.allclose(output, output_again, atol=1e-6)
    assert not calls[0][1].requires_grad and calls[-1][1].requires_grad


def test_the_generator_ends_where_reading_each_pass_once_leaves_it(project):
    """A frozen encoder is read once: what follows it draws the same numbers as behind one that learns."""
    ends = []
    for frozen in (False, True):
        stage = make(project, "classify", batch_size=4, accumulate=3, drop_mult=1.0)
        stage.model.encoder.requires_grad_(not frozen)
        calls, rng = seen(stage), torch.Generator().manual_seed(5)
        step(stage, rng=rng)
        ends.append((rng.get_state(), len(calls)))
    assert torch.equal(ends[0][0], ends[1][0]) and ends[0][1] == 2 * ends[1][1]
    assert {name.split(".")[0] for name in gradients(stage)} == {"head"}


def test_a_stop_anywhere_in_a_step_leaves_no_trace_in_the_head(project):
    stage = make(project, "classify", batch_size=4, accumulate=3, drop_mult=1.0, bptt=30)
    before = {name: value.clone() for name, value in stage.model.state_dict().items()}
    polls = []
    step(stage, poll=lambda: polls.append(None))
    expected = gradients(stage)
    for stop_at in range(len(polls)):
        stage.model.load_state_dict(before)
        left = iter(range(stop_at))
        with pytest.raises(Stopped):
            step(stage, poll=lambda left=left: stop() if next(left, None) is None else None)
        assert all(torch.equal(before[name], value) for name, value in stage.model.state_dict().items())
    step(stage)
    assert all(torch.equal(expected[name], value) for name, value in gradients(stage).items())


def stop():
    raise Stopped


# Windows that grow from phase to phase

GROWING = [PhaseSettings(bptt=5), PhaseSettings(bptt=20, epochs=2), PhaseSettings()]


@pytest.mark.parametrize("variable", [False, True])
def test_windows_of_a_language_model_grow_by_phase(project, variable):
    stage = make(project, "finetune", phases=GROWING, variable_bptt=variable, batch_size=2)
    steps = [stage.steps_of_epoch(epoch) for epoch in range(4)]
    assert steps[0] > 1.3 * steps[3] > steps[3] > 1.3 * steps[1]
    for epoch, base in enumerate([5, 20, 20, 10]):
        result = step(stage, epoch)
        assert result.rate_factor == pytest.approx(result.tokens / 2 / base)
        assert stage.tokens_of_epoch(epoch) == stage.tokens_of_epoch(0)
    if not variable:
        assert step(stage, 1).tokens == 40


def test_chunks_of_a_classifier_grow_by_phase_and_only_in_training(project):
    stage = make(project, "classify", phases=GROWING)
    calls = seen(stage)
    widths = []
    for epoch in range(4):
        calls.clear()
        step(stage, epoch)
        widths.append(max(ids.shape[1] for ids, _ in calls))
    assert widths == [5, 20, 20, 10]
    assert stage.model.bptt == 10


def test_phases_of_a_classifier_do_not_change_how_it_is_judged(project):
    growing, plain = (make(project, "classify", phases=phases) for phases in (GROWING, []))
    assert figures_of(growing) == figures_of(plain)


def test_validation_of_a_language_model_keeps_the_stages_windows(project):
    stage = make(project, "finetune", phases=GROWING)
    calls = seen(stage)
    figures_of(stage)
    assert max(ids.shape[1] for ids, _ in calls) == 10


# The classifier's loss


def loss_of(stage):
    """(differentiated loss, reported loss, scores, true classes) of the first step."""
    scores, losses = [], []
    stage.model.head.register_forward_hook(lambda module, given, result: scores.append(result.detach()))
    result = step(stage, differentiate=losses.append)
    truth = torch.from_numpy(stage._train.labels[stage._batches.order(0)[0]].astype(np.int64))
    return float(losses[0].detach()), result.loss, scores[0], truth


def test_label_smoothing_spreads_its_share_over_all_classes(project):
    differentiated, reported, scores, truth = loss_of(make(project, "classify", label_smoothing=0.1))
    log_p = scores.log_softmax(1)
    plain = -log_p[range(len(truth)), truth]
    assert differentiated == pytest.approx(float((0.9 * plain + 0.1 * -log_p.mean(1)).mean()), rel=1e-5)
    assert reported == pytest.approx(float(plain.mean()), rel=1e-5)


def test_balanced_classes_weigh_as_in_scikit_learn(project):
    stage = make(project, "classify", class_weights="balanced", batch_size=40)
    differentiated, reported, scores, truth = loss_of(stage)
    labels = stage._train.labels
    weight = torch.from_numpy(compute_class_weight("balanced", classes=np.unique(labels), y=labels))[truth]
    plain = -scores.log_softmax(1)[range(len(truth)), truth]
    assert len(weight.unique()) == 3
    assert differentiated == pytest.approx(float((weight * plain).sum() / weight.sum()), rel=1e-5)
    assert reported == pytest.approx(float(plain.mean()), rel=1e-5)


def test_a_class_without_training_rows_weighs_nothing(project):
    stage = make(project, "classify", class_weights="balanced")
    stage._train.labels = np.where(stage._train.labels == 1, 0, stage._train.labels)
    weights = stage._weigh_classes()
    assert weights[1] == 0 and float((weights * torch.tensor(np.bincount(stage._train.labels))).sum()) == (
        pytest.approx(len(stage._train))
    )


def test_validation_loss_is_plain_whatever_is_differentiated(project):
    figures = []
    for settings in ({}, {"label_smoothing": 0.2, "class_weights": "balanced"}):
        stage = make(project, "classify", **settings)
        figures.append(figures_of(stage))
    assert figures[0] == figures[1]


# Precision


@pytest.mark.parametrize("name, within", [("finetune", 0.1), ("classify", 0.5)])
def test_bf16_trains_every_weight_close_to_float32_and_loses_in_float32(project, name, within):
    """A chunk before the last `max_length` tokens is read without gradient and must not hide weights from it."""
    exact, rough = (make(project, name, precision=precision) for precision in ("float32", "bf16"))
    for stage in (exact, rough):
        stage.model.encoder.embedding.data *= 20  # a fresh one gives features so small that BatchNorm shows rounding
    dtypes = []

    def differentiate(loss):
        dtypes.append(loss.dtype)
        loss.backward()

    losses = [float(step(stage, differentiate=differentiate).loss) for stage in (exact, rough)]
    assert dtypes == [torch.float32] * 2 and losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != losses[1]
    assert {gradient.dtype for gradient in gradients(rough).values()} == {torch.float32}
    assert_same(gradients(exact), gradients(rough), within)


def test_the_loss_of_half_precision_logits_is_float32(project):
    stage = make(project, "finetune", precision="bf16")
    calls = seen(stage)
    result = step(stage)
    half, decoder = calls[0][1].detach(), (stage.model.encoder.embedding.bfloat16(), stage.model.bias.bfloat16())
    logits, targets = F.linear(half, *decoder).float().flatten(0, 1), stage._windows(0)[0][1].flatten()
    assert half.dtype == torch.bfloat16 and result.loss.dtype == torch.float32
    assert float(result.loss) == pytest.approx(F.cross_entropy(logits, targets).item(), rel=1e-6)


def test_neither_a_step_nor_the_validation_makes_logits_of_a_whole_window(project):
    stage = make(project, "finetune")
    whole = []
    stage.model.register_forward_hook(lambda module, given, result: whole.append(result.logits.shape))
    assert step(stage).loss > 0 and figures_of(stage)["valid_loss"] > 0 and not whole
    stage.after_epoch(0, Run())
    assert whole and {shape[:2] for shape in whole} == {(1, 1)}  # text is written token by token


def test_what_bf16_leaves_to_the_next_window_is_float32(project):
    state = step(make(project, "finetune", precision="bf16")).state
    assert {part.dtype for pair in state for part in pair} == {torch.float32}


@pytest.mark.parametrize("name", STAGES)
def test_validation_is_float32_whatever_the_training_is(project, name):
    exact, rough = (figures_of(make(project, name, precision=precision)) for precision in ("float32", "bf16"))
    assert exact == rough


@pytest.mark.parametrize("name", STAGES)
def test_half_precision_without_an_lstm_is_refused_before_any_work(project, name):
    with pytest.raises(UserError, match=r"fp16 .*\(cpu\).*float32 or bf16"):
        make(project, name, precision="fp16")


# Figures


@pytest.mark.parametrize("batch", [1, 3])
def test_validation_counts_every_token_once_and_weighs_by_tokens(project, batch):
    """Against a plain recomputation: each column of the text read in one go."""
    stage = make(project, "finetune", batch_size=batch)
    documents = stage._valid.documents
    text = torch.from_numpy(np.concatenate([documents[i] for i in range(len(documents))]).astype(np.int64))
    column = -(-(len(text) - 1) // batch)
    loss, right = 0.0, 0
    for start in range(0, len(text) - 1, column):
        part = text[start : start + column + 1]
        with torch.no_grad():
            logits = stage.model(part[None, :-1], stage.model.encoder.initial_state(1)).logits[0]
        loss += float(F.cross_entropy(logits, part[1:], reduction="sum"))
        right += int((logits.argmax(1) == part[1:]).sum())
    figures = figures_of(stage)
    assert figures["valid_loss"] == pytest.approx(loss / (len(text) - 1), rel=1e-5)
    assert figures["perplexity"] == pytest.approx(np.exp(loss / (len(text) - 1)), rel=1e-4)
    assert figures["next_word_accuracy"] == pytest.approx(right / (len(text) - 1))


@pytest.mark.parametrize("name, settings", [("finetune", FinetuneSettings), ("classify", ClassifySettings)])
def test_the_best_epoch_can_be_kept_by_each_metric_in_its_direction(project, name, settings):
    for metric in typing.get_args(settings.model_fields["keep_best_by"].annotation):
        stage = make(project, name, keep_best_by=metric)
        assert stage.best_metric == metric and metric in figures_of(stage)
        assert stage.higher_is_better == HIGHER_IS_BETTER[metric] == (metric != "valid_loss")


def test_state_is_carried_detached_and_begins_each_epoch_at_zero(project):
    stage = make(project, "finetune")
    result = step(stage)
    inputs = stage._windows(0)[0][0]
    _, expected = stage.model.encoder(inputs, stage.model.encoder.initial_state(12))
    for (h, c), (end_h, end_c) in zip(result.state, expected, strict=True):
        assert h.grad_fn is None and c.grad_fn is None
        assert torch.allclose(h, end_h, atol=1e-6) and torch.allclose(c, end_c, atol=1e-6) and h.abs().sum() > 0
    for epoch in (0, 1):
        assert all((part == 0).all() for pair in stage.begin_epoch(epoch) for part in pair)


def test_validation_begins_at_zero_whatever_was_read_before(project):
    stage = make(project, "finetune")
    first = figures_of(stage)
    step(stage)
    assert figures_of(stage) == first


# All of it at once, stopped and resumed

EVERYTHING = {
    "drop_mult": 1.0, "batch_size": 10, "accumulate": 2, "drop_start": 0.5, "noise_end": 0.3, "precision": "bf16",
    "phases": [PhaseSettings(groups=2, bptt=6, lr_max=0.01), PhaseSettings(bptt=15, lr_max=0.01)],
}  # fmt: skip
ONLY = {"finetune": {"variable_bptt": True}, "classify": {"label_smoothing": 0.1, "class_weights": "balanced"}}


@pytest.mark.parametrize("name", STAGES)
def test_a_stop_and_a_resume_give_the_same_bits_with_every_course_and_pass(project, tmp_path, name):
    shutil.copytree(project.folder, tmp_path / "copy")
    copy = Project.open(tmp_path / "copy")
    set_value(copy.recipe, "finetune.enabled", name == "finetune")
    for knob, value in {**EVERYTHING, **ONLY[name]}.items():
        set_value(copy.recipe, f"{name}.{knob}", value)

    def train(**options):
        ended = launch(copy, name, **options)
        return ended, (copy.bundle_folder(name) / "weights.safetensors")

    counter = StopAfter()
    ended, path = train(control=counter)
    assert ended.status == "done", ended.reason
    expected = path.read_bytes()
    path.unlink()
    ended, _ = train(control=StopAfter(counter.count * 2 // 3))
    assert ended.status == "stopped"
    ended, path = train(resume=copy.resumable_run(name).folder)
    assert ended.status == "done", ended.reason
    assert path.read_bytes() == expected
