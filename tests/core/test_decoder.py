"""The loss of the decoder, full and adaptive: equal to the plain one, in little memory; clusters as a whole model."""

import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from ulmfit_core.config import FinetuneSettings, ModelSettings, PretrainSettings, Recipe, VocabSettings
from ulmfit_core.data.batches import IGNORED
from ulmfit_core.errors import UserError
from ulmfit_core.inference.generate import continue_text
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models import decoder, linear_loss
from ulmfit_core.models.awd_lstm import AwdLstm
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.models.decoder import Clusters, cutoffs
from ulmfit_core.models.dropout import Dropouts
from ulmfit_core.models.language_model import LanguageModel
from ulmfit_core.models.linear_loss import linear_cross_entropy
from ulmfit_core.models.mapping import take_rows
from ulmfit_core.project import Project
from ulmfit_core.run import launch
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import new_vocabulary
from ulmfit_core.text.words import to_json

CUTOFFS = (6, 15)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def problem(rows=37, features=5, vocabulary=23, dtype=torch.float32, ignored=True):
    """Hidden, weight and bias to be differentiated, and targets of all frequencies, some of them ignored."""
    shapes = ((rows, features), (vocabulary, features), (vocabulary,))
    inputs = [torch.randn(shape, generator=rng(i), dtype=dtype).requires_grad_() for i, shape in enumerate(shapes)]
    targets = torch.randint(0, vocabulary, (rows,), generator=rng(3))
    if ignored:
        targets[::4] = IGNORED
    return inputs, targets


def plain(hidden, weight, bias, targets):
    return F.cross_entropy(F.linear(hidden, weight, bias).float(), targets, ignore_index=IGNORED)


def clusters_of(inputs):
    clusters = Clusters(len(inputs[1]), inputs[1].shape[1], CUTOFFS).to(inputs[1].dtype)
    with torch.no_grad():
        clusters.weight.normal_(generator=rng(8))
        clusters.bias.normal_(generator=rng(9))
    return clusters


def adaptive(clusters):
    return lambda hidden, weight, bias, targets: clusters.loss(hidden, weight, bias, targets)


def plain_adaptive(clusters):
    """The same from log-probabilities of all words, by autograd."""

    def loss(hidden, weight, bias, targets):
        return F.nll_loss(clusters.log_probabilities(hidden, weight, bias), targets, ignore_index=IGNORED)

    return loss


def both(kind, inputs):
    """The loss under test, the plain loss, and all that is differentiated."""
    if kind == "full":
        return linear_cross_entropy, plain, inputs
    clusters = clusters_of(inputs)
    return adaptive(clusters), plain_adaptive(clusters), [*inputs, clusters.weight, clusters.bias]


def differentiated(loss, inputs, targets, parameters, factor=1.0):
    for parameter in parameters:
        parameter.grad = None
    value = loss(*inputs, targets)
    (value * factor).backward()
    return value.detach(), [parameter.grad for parameter in parameters]


KINDS = pytest.mark.parametrize("kind", ["full", "adaptive"])


# Equal to the plain loss


@KINDS
@pytest.mark.parametrize("rows_at_once", [1, 5, 37])
@pytest.mark.parametrize("factor", [1.0, 0.3])
def test_loss_and_gradients_are_those_of_the_plain_loss(monkeypatch, kind, rows_at_once, factor):
    """In chunks with and without a remainder, with ignored targets, behind a factor as of a share or a scaler."""
    monkeypatch.setattr(linear_loss, "SCORES_CPU", 23 * 4 * rows_at_once)
    monkeypatch.setattr(linear_loss, "CACHED", 3 * 23)
    inputs, targets = problem()
    loss, expected, parameters = both(kind, inputs)
    value, gradients = differentiated(loss, inputs, targets, parameters, factor)
    plain_value, plain_gradients = differentiated(expected, inputs, targets, parameters, factor)
    assert value == pytest.approx(float(plain_value), abs=1e-6) and value.dtype == torch.float32
    for mine, other in zip(gradients, plain_gradients, strict=True):
        assert torch.allclose(mine, other, atol=1e-6, rtol=1e-5)


@KINDS
def test_gradients_are_those_of_finite_differences(kind):
    inputs, targets = problem(7, 4, 23, torch.float64)
    loss, _, parameters = both(kind, inputs)
    assert torch.autograd.gradcheck(lambda *changed: loss(*changed[:3], targets), tuple(parameters))


@KINDS
def test_where_all_targets_are_ignored_nothing_is_learned(kind):
    inputs, targets = problem()
    loss, _, parameters = both(kind, inputs)
    value, gradients = differentiated(loss, inputs, torch.full_like(targets, IGNORED), parameters)
    assert value == 0 and not any(gradient.any() for gradient in gradients)


@KINDS
def test_scores_far_apart_neither_overflow_nor_vanish(kind):
    inputs, targets = problem()
    loss, expected, parameters = both(kind, inputs)
    with torch.no_grad():
        inputs[1].mul_(200)
    value, gradients = differentiated(loss, inputs, targets, parameters)
    plain_value, plain_gradients = differentiated(expected, inputs, targets, parameters)
    assert value > 100 and value == pytest.approx(float(plain_value), rel=1e-6)
    for mine, other in zip(gradients, plain_gradients, strict=True):
        assert torch.allclose(mine, other, atol=1e-5 * float(other.abs().max()))


@KINDS
def test_in_bf16_the_matrices_are_rounded_and_the_sums_are_not(monkeypatch, kind):
    """Loss within 1 %, gradients within 2 % of float32; the gradient of the weight in float32 over all chunks."""
    monkeypatch.setattr(linear_loss, "SCORES_CPU", 23 * 2 * 50)
    inputs, targets = problem(rows=300, features=32)
    loss, expected, parameters = both(kind, inputs)

    def under_autocast(*given):
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
            return loss(*given)

    value, gradients = differentiated(under_autocast, inputs, targets, parameters)
    plain_value, plain_gradients = differentiated(expected, inputs, targets, parameters)
    assert value.dtype == torch.float32 and value == pytest.approx(float(plain_value), rel=0.01)
    assert value != plain_value
    for mine, other in zip(gradients, plain_gradients, strict=True):
        assert mine.dtype == torch.float32 and (mine - other).norm() < 0.02 * other.norm()


@KINDS
def test_hidden_of_half_precision_gets_a_gradient_of_its_own_format(kind):
    inputs, targets = problem()
    loss, _, _ = both(kind, inputs)
    half = inputs[0].detach().bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        loss(half, *inputs[1:], targets).backward()
    assert half.grad.dtype == torch.bfloat16 and half.grad[1].any() and not half.grad[0].any()


# What is not done


class Largest(TorchDispatchMode):
    """The largest number of elements of any tensor that an operation returns, and the matrix products."""

    def __init__(self):
        super().__init__()
        self.elements, self.products = 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.products += func.overloadpacket.__name__ in ("mm", "addmm", "addmm_")
        for part in result if isinstance(result, tuple | list) else [result]:
            if isinstance(part, torch.Tensor):
                self.elements = max(self.elements, part.numel())
        return result


@KINDS
@pytest.mark.parametrize("bf16", [False, True])
def test_the_scores_of_all_rows_are_never_held(monkeypatch, kind, bf16):
    monkeypatch.setattr(linear_loss, "SCORES_CPU", 23 * 4 * 20)
    inputs, targets = problem(rows=2000)
    loss, _, _ = both(kind, inputs)
    with Largest() as seen, torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss(*inputs, targets).backward()
    assert 0 < seen.elements <= 2000 * 5 < 2000 * 23 / 4  # the hidden rows themselves


def test_three_products_a_chunk_and_one_without_gradient(monkeypatch):
    monkeypatch.setattr(linear_loss, "SCORES_CPU", 23 * 4 * 10)
    inputs, targets = problem(rows=40)
    counts = []
    for recorded in (True, False):
        with Largest() as seen, torch.set_grad_enabled(recorded):
            loss = linear_cross_entropy(*inputs, targets)
        counts.append(seen.products)
        assert loss.item() == pytest.approx(plain(*inputs, targets).item(), abs=1e-6)
    assert counts == [12, 4]


@pytest.mark.parametrize("frozen, products", [([0], 8), ([1], 8), ([0, 1], 4)])
def test_what_is_frozen_gets_no_gradient_and_costs_no_product(monkeypatch, frozen, products):
    monkeypatch.setattr(linear_loss, "SCORES_CPU", 23 * 4 * 10)
    inputs, targets = problem(rows=40)
    for index in frozen:
        inputs[index].requires_grad_(False)
    with Largest() as seen:
        linear_cross_entropy(*inputs, targets).backward()
    assert seen.products == products
    assert [part.grad is None for part in inputs] == [index in frozen for index in range(3)]


# A model with clusters


def model(softmax_cutoffs=CUTOFFS, vocabulary=23):
    encoder = AwdLstm(vocabulary, 6, 8, 2, Dropouts(output=0.3))
    encoder.reset(rng())
    made = LanguageModel(encoder, softmax_cutoffs)
    with torch.no_grad():
        made.encoder.embedding.mul_(10)
    return made


def test_clusters_begin_where_the_vocabulary_reaches():
    assert cutoffs("full", 60_000) == () == cutoffs("adaptive", 1_000)
    assert cutoffs("adaptive", 60_000) == decoder.CUTOFFS and cutoffs("adaptive", 15_000) == decoder.CUTOFFS[:2]
    assert list(decoder.CUTOFFS) == sorted(set(decoder.CUTOFFS))


def test_a_fresh_adaptive_model_takes_all_words_to_be_about_as_likely():
    fresh = LanguageModel(AwdLstm(23, 6, 8, 2, Dropouts()), CUTOFFS)
    fresh.encoder.reset(rng())
    logits = fresh(torch.zeros(1, 1, dtype=torch.long), fresh.encoder.initial_state(1)).logits.detach()
    assert logits.exp().sum() == pytest.approx(1, abs=1e-5)
    assert torch.allclose(logits.exp(), torch.tensor(1 / 23), rtol=0.15)


@pytest.mark.parametrize("softmax_cutoffs", [(), CUTOFFS])
def test_loss_score_and_logits_agree(monkeypatch, softmax_cutoffs):
    monkeypatch.setattr(linear_loss, "SCORES_CPU", 23 * 4 * 7)
    made = model(softmax_cutoffs).eval()
    ids, targets = (torch.randint(0, 23, (4, 9), generator=rng(i)) for i in (1, 2))
    targets[2, 3:] = IGNORED
    with torch.inference_mode():
        state = made.encoder.initial_state(4)
        logits = made(ids, state).logits
        features = made.read(ids, state)
        loss = made.loss(features.dropped, targets)
        loss_sum, right, count = made.score(features.dropped, targets)
    flat, truth = logits.flatten(0, 1), targets.flatten()
    assert loss == pytest.approx(float(F.cross_entropy(flat, truth)), abs=1e-5)
    assert loss_sum == pytest.approx(float(F.cross_entropy(flat, truth, reduction="sum")), rel=1e-5)
    assert right == (flat.argmax(1) == truth).sum() > 0 and count == 30
    if softmax_cutoffs:
        assert torch.allclose(logits.exp().sum(-1), torch.ones(4, 9), atol=1e-5)


@pytest.mark.parametrize("softmax_cutoffs", [(), CUTOFFS])
def test_every_weight_learns_from_the_loss_as_from_the_logits(softmax_cutoffs):
    """The embedding both as input and as decoder."""
    made = model(softmax_cutoffs)
    ids, targets = (torch.randint(0, 23, (4, 9), generator=rng(i)) for i in (1, 2))
    state, kept = made.encoder.initial_state(4), []
    for loss in (
        lambda: made.loss(made.read(ids, state, rng(5)).dropped, targets),
        lambda: F.cross_entropy(made(ids, state, rng(5)).logits.flatten(0, 1), targets.flatten()),
    ):
        made.zero_grad()
        loss().backward()
        kept.append({name: parameter.grad.clone() for name, parameter in made.named_parameters()})
    for name, gradient in kept[0].items():
        assert gradient.any() and torch.allclose(gradient, kept[1][name], atol=1e-6), name


def test_the_clusters_learn_in_the_decoders_group_and_the_loss_falls():
    """On text whose next word follows from the last, also among the rarest words."""
    made = model().train()
    assert len(made.groups()[-1][1]) == 4
    assert sum(p.numel() for p in made.parameters()) == sum(p.numel() for _, group in made.groups() for p in group)
    ids = (torch.arange(40)[None] * 3 + torch.arange(8)[:, None]) % 23
    optimizer = torch.optim.Adam(made.parameters(), 0.02)
    draws, losses = rng(), []
    for _ in range(60):
        optimizer.zero_grad()
        features = made.read(ids[:, :-1], made.encoder.initial_state(8), draws)
        loss = made.loss(features.dropped, ids[:, 1:])
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_another_vocabulary_is_refused():
    with pytest.raises(UserError, match=r"adaptive softmax.*vocab\.reuse.*model\.softmax = full"):
        take_rows(model(), [0, 1, 2])


# Bundles


def words(count):
    listed = ["".join(chr(97 + digit) for digit in divmod(number, 26)) for number in range(count)]
    return new_vocabulary("word", to_json([*SPECIALS, *listed]), "plain", {})


@pytest.fixture
def few(monkeypatch):
    """Clusters in vocabularies of a test's size."""
    monkeypatch.setattr(decoder, "CUTOFFS", (12, 30))


def test_a_bundle_keeps_the_clusters_and_writes_text(few, tmp_path):
    network, vocab = ModelSettings(embedding=6, hidden=8, layers=2, softmax="adaptive"), words(60)
    made = bundles.new_language_model(network, vocab.size, PretrainSettings()).eval()
    with torch.no_grad():
        made.clusters.weight.normal_(generator=rng())
    bundles.save(tmp_path / "model", Bundle("language_model", network, made, vocab), "A card.")
    assert json.loads((tmp_path / "model" / "model.json").read_text())["network"]["softmax"] == "adaptive"
    loaded = bundles.load(tmp_path / "model").model
    ids = torch.tensor([[3, 40, 20]])
    outputs = [part(ids, part.encoder.initial_state(1)).logits for part in (made, loaded)]
    assert torch.equal(*outputs) and loaded.clusters.cutoffs == (12, 30)
    text = continue_text(loaded, vocab, "ab ac", words=4, seed=1)
    assert text.startswith("ab ac ") and continue_text(made, vocab, "ab ac", words=4, seed=1) == text


def test_a_bundle_from_before_there_was_a_choice_has_the_full_softmax(few, tmp_path):
    network, vocab = ModelSettings(embedding=6, hidden=8, layers=2), words(60)
    made = bundles.new_language_model(network, vocab.size, PretrainSettings())
    bundles.save(tmp_path / "model", Bundle("language_model", network, made, vocab), "A card.")
    path = tmp_path / "model" / "model.json"
    record = json.loads(path.read_text())
    del record["network"]["softmax"]
    path.write_text(json.dumps(record))
    assert bundles.load(tmp_path / "model").model.clusters is None


def test_an_adaptive_language_model_hands_its_encoder_to_the_classifier(few, tmp_path):
    """Fine-tuned and classified by the jobs themselves; the bundles answer."""
    numbers = np.random.default_rng(3)
    texts = {"red": ["amber", "bridge", "candle"], "blue": ["desert", "engine", "forest"]}
    rows = [f"{' '.join(numbers.choice(texts[name], 12))},{name}" for name in ("red", "blue") * 30]
    (tmp_path / "rows.csv").write_text("text,label\n" + "\n".join(rows), encoding="utf-8")
    recipe = Recipe(
        vocab=VocabSettings(size=100), model=ModelSettings(embedding=8, hidden=8, layers=2, softmax="adaptive"),
        finetune=FinetuneSettings(epochs=1, batch_size=4, bptt=10),
    )  # fmt: skip
    recipe.data.data, recipe.data.text, recipe.data.label = str(tmp_path / "rows.csv"), ["text"], "label"
    recipe.pretrain.enabled, recipe.classify.epochs, recipe.classify.unfreezing = False, 1, "all"
    project = Project.create(tmp_path / "project", recipe)
    for job in ("import", "vocab", "finetune", "classify"):
        ended = launch(project, job)
        assert ended.status == "done", ended.reason
    tuned = bundles.load(project.bundle_folder("finetune"))
    assert tuned.network.softmax == "adaptive" and tuned.model.clusters.weight.any()
    [answer] = Predictor.load(project.bundle_folder("classify")).predict(["amber candle bridge"])
    assert set(answer.probabilities) == {"red", "blue"}
