"""The QRNN is fastai's, and works in every way a network is used: windows, batches, passes, files, stop and resume."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from tests.core.toy import StopAfter
from ulmfit_core.config import ModelSettings, Recipe, VocabSettings, set_value
from ulmfit_core.inference.generate import Generator
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models import qrnn
from ulmfit_core.models.awd_lstm import AwdLstm, WeightDropLSTM
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.models.classifier import Classifier, Head
from ulmfit_core.models.dropout import Dropouts, dropout
from ulmfit_core.models.language_model import LanguageModel
from ulmfit_core.models.qrnn import FoPool, QRNNLayer
from ulmfit_core.project import Project
from ulmfit_core.run import launch

RECORDED = Path(__file__).parents[1] / "fixtures" / "parity" / "qrnn.safetensors"


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=rng(seed), dtype=dtype)


def encoder(drops=Dropouts(), dtype=torch.float32):  # noqa: B008 (frozen)
    model = AwdLstm(50, 12, 20, 3, drops, "qrnn")
    model.reset(rng())
    return model.to(dtype)


@pytest.fixture(params=[1, 60, 10**6], ids=["a block a step", "blocks of unlike size", "one block"])
def cached(request, monkeypatch):
    """Blocks of one time step, of several with a shorter last one, and of all seven: 12 or 24 numbers a step."""
    monkeypatch.setattr(qrnn, "CACHED", max(1, request.param // torch.get_num_threads()))


# The layer


def test_the_gradient_of_pooling_is_that_of_its_formula(cached):
    gates, first = (normal(*shape, seed=5, dtype=torch.float64).requires_grad_() for shape in ((7, 2, 6), (1, 2, 2)))
    assert torch.autograd.gradcheck(FoPool.apply, (gates, first))


def test_pooling_is_the_papers(cached):
    gates, c = normal(7, 2, 12), normal(1, 2, 4, seed=1)
    h, last = FoPool.apply(gates, c)
    z, f, o = gates[..., :4].tanh(), gates[..., 4:8].sigmoid(), gates[..., 8:].sigmoid()
    for t in range(7):
        c = f[t] * c + (1 - f[t]) * z[t]
        assert torch.allclose(h[t], o[t] * c[0], atol=1e-6)
    assert torch.allclose(last, c, atol=1e-6)


def test_gradients_that_come_in_are_left_as_they_are(cached):
    gates, first = normal(7, 2, 12).requires_grad_(), normal(1, 2, 4).requires_grad_()
    h, last = FoPool.apply(gates, first)
    given = normal(7, 2, 4, seed=1), normal(1, 2, 4, seed=2)
    same = [value.clone() for value in given]
    once = torch.autograd.grad((h, last), (gates, first), given, retain_graph=True)
    twice = torch.autograd.grad((h, last), (gates, first), given)
    assert all(torch.equal(a, b) for a, b in zip((*given, *once), (*same, *twice), strict=True))


def as_fastai(value, outputs):
    """fastai's forget gate is the share of the NEW: ours with the opposite sign. Rows of a weight, bias or gradient."""
    value = value.clone()
    value[outputs : 2 * outputs] *= -1
    return value


@pytest.mark.parametrize("window", [1, 2])
def test_outputs_states_and_gradients_are_fastais(window):
    with safe_open(RECORDED, "pt") as file:
        assert file.metadata()["fastai"] == "1.0.61"
    theirs = {name[2:]: value for name, value in load_file(RECORDED).items() if name.startswith(f"{window}/")}
    outputs, (batch, _, inputs) = theirs["c1"].shape[-1], theirs["x1"].shape
    layer = QRNNLayer(inputs, outputs, 0.0, window)
    layer.weight.data, layer.bias.data = (as_fastai(theirs[name], outputs) for name in ("weight", "bias"))
    start = torch.zeros(1, batch, (window - 1) * inputs), torch.zeros(1, batch, outputs)
    out1, (before, c1) = layer(theirs["x1"], start, None)
    c1, x2 = c1.detach().requires_grad_(), theirs["x2"].clone().requires_grad_()
    out2, (_, c2) = layer(x2, (before.detach(), c1), None)
    layer.zero_grad()
    ((out2 * theirs["probe"]).sum() + (c2[0] * theirs["probe_c"]).sum()).backward()
    ours = {
        "out1": out1, "c1": c1[0], "out2": out2, "c2": c2[0], "grad/x2": x2.grad, "grad/c1": c1.grad[0],
        "grad/weight": as_fastai(layer.weight.grad, outputs), "grad/bias": as_fastai(layer.bias.grad, outputs),
    }  # fmt: skip
    assert set(theirs) - set(ours) == {"weight", "bias", "x1", "x2", "probe", "probe_c"}
    for name, value in ours.items():
        assert torch.allclose(value, theirs[name], rtol=1e-5, atol=1e-5), name


def test_gates_in_half_precision_forget_no_faster():
    """A forget gate of .9997 would be 1 in bfloat16: nothing would ever be forgotten."""
    gates = torch.zeros(2000, 1, 3, dtype=torch.bfloat16)
    gates[..., 1] = 8.0
    h, last = FoPool.apply(gates, torch.ones(1, 1, 1))
    assert h.dtype == torch.bfloat16 and last.dtype == torch.float32
    assert last.item() == pytest.approx(torch.tensor(8.0).sigmoid().item() ** 2000, rel=1e-3)


def test_in_half_precision_the_state_is_float32_and_gradients_are_close():
    model = encoder()
    ids = torch.randint(0, 50, (4, 30), generator=rng())

    def gradients(half):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            output, state = model(ids, model.initial_state(4))
        (output.float() * normal(4, 30, 12)).sum().backward()
        return [p.grad.clone() for p in model.parameters()], state

    (whole, _), (half, state) = gradients(False), gradients(True)
    assert all(value.dtype == torch.float32 for pair in state for value in pair)
    for exact, close in zip(whole, half, strict=True):
        assert 0 < (exact - close).norm() < 0.02 * exact.norm()


def test_dropconnect_is_on_all_weights_of_the_gates_with_a_new_mask_from_the_generator_each_time():
    layer = QRNNLayer(30, 40, 0.5, 2)
    layer.reset(rng())
    x, state = normal(4, 6, 30), (torch.zeros(1, 4, 30), torch.zeros(1, 4, 40))
    before = torch.get_rng_state()
    generator = rng(1)
    first, again = (layer(x, state, generator)[0] for _ in range(2))
    assert not torch.equal(first, again)
    again.square().sum().backward()
    assert layer.weight.grad.eq(0).double().mean() == pytest.approx(0.5, abs=4 * (0.25 / 7200) ** 0.5)
    assert not layer.bias.grad.eq(0).any()
    assert torch.equal(before, torch.get_rng_state())
    layer.weight.data *= dropout(torch.ones_like(layer.weight), 0.5, rng(1))
    assert torch.equal(first, layer(x, state, None)[0])


# The network


def test_the_first_layer_reads_two_tokens_and_the_others_one():
    assert [tuple(layer.weight.shape) for layer in encoder().layers] == [(60, 24), (60, 20), (36, 20)]
    assert AwdLstm(100, 400, 1550, 4, Dropouts(), "qrnn").layers[0].window == 2


@pytest.mark.parametrize("cuts", [[8], [1], [1, 2, 3], [19]])
def test_windows_in_sequence_equal_one_long(cuts):
    model = encoder(dtype=torch.float64)
    ids = torch.randint(0, 50, (2, 20), generator=rng())
    whole, end = model(ids, model.initial_state(2))
    state, parts = model.initial_state(2), []
    for part in torch.tensor_split(ids, cuts, 1):
        output, state = model(part, state)
        parts.append(output)
    assert torch.allclose(whole, torch.cat(parts, 1), atol=1e-12)
    for pair, other in zip(end, state, strict=True):
        assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(pair, other, strict=True))


@pytest.mark.parametrize("max_length", [1400, 14])
def test_batch_mates_and_padding_do_not_change_a_documents_scores(max_length):
    head = Head(36, 10, 3, (0.0, 0.0))
    head.reset(rng(1))
    model = Classifier(encoder(), head, 7, max_length).eval()
    documents = [torch.randint(0, 50, (n,), generator=rng(n)) for n in (1, 3, 7, 8, 30, 45, 300)]
    ids = torch.nn.utils.rnn.pad_sequence(documents, batch_first=True, padding_value=33)
    lengths = torch.tensor([len(d) for d in documents])
    with torch.inference_mode():
        together = model(ids, lengths)
        alone = torch.cat([model(d[None], torch.tensor([len(d)])) for d in documents])
    assert torch.allclose(together, alone, atol=1e-6)


# The stages


WORDS = ["amber", "bridge", "candle", "desert", "engine", "forest", "garden", "harbour", "island", "jungle", "kettle"]
SETTINGS = {
    "finetune.epochs": 1, "finetune.batch_size": 10, "finetune.bptt": 9, "finetune.tokens_per_pass": 40,
    "finetune.accumulate": 2, "finetune.checkpoint_seconds": 1e-9, "finetune.threads": 1, "finetune.drop_mult": 1.0,
    "classify.epochs": 1, "classify.unfreezing": "all", "classify.batch_size": 20, "classify.bptt": 10,
    "classify.threads": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """100 texts of 2 to 60 words in two classes, their vocabulary, and a QRNN as the network of the recipe."""
    folder, draws = tmp_path_factory.mktemp("qrnn"), np.random.default_rng(3)
    rows = [f"{' '.join(draws.choice(WORDS, draws.integers(2, 60)))},{name}" for name in ["red", "green"] * 50]
    (folder / "rows.csv").write_text("text,label\n" + "\n".join(rows), encoding="utf-8")
    network = ModelSettings(embedding=8, hidden=12, layers=3, cell="qrnn")
    recipe = Recipe(vocab=VocabSettings(size=120), model=network)
    recipe.data.data, recipe.data.text, recipe.data.label = str(folder / "rows.csv"), ["text"], "label"
    for key, value in SETTINGS.items():
        set_value(recipe, key, value)
    project = Project.create(folder / "project", recipe)
    for job in ("import", "vocab"):
        done(project, job)
    return project


def done(project, job, **options):
    ended = launch(project, job, **options)
    assert ended.status == "done", ended.reason


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_stop_and_a_resume_give_the_same_bits(project, tmp_path, precision):
    """In passes over the rows of a batch, so that the state is cut by rows, joined, written and read again."""
    shutil.copytree(project.folder, tmp_path / "copy")
    copy = Project.open(tmp_path / "copy")
    copy.recipe.finetune.precision = precision
    path = copy.bundle_folder("finetune") / "weights.safetensors"
    counter = StopAfter()
    done(copy, "finetune", control=counter)
    expected = path.read_bytes()
    path.unlink()
    assert launch(copy, "finetune", control=StopAfter(counter.count * 2 // 3)).status == "stopped"
    done(copy, "finetune", resume=copy.resumable_run("finetune").folder)
    assert path.read_bytes() == expected


def test_a_bundle_keeps_its_cell_from_the_language_model_to_the_prediction(project, tmp_path):
    shutil.copytree(project.folder, tmp_path / "copy")
    copy = Project.open(tmp_path / "copy")
    done(copy, "finetune")
    copy.recipe.model.cell = "lstm"  # the base decides, not the recipe
    done(copy, "classify")
    for step in ("finetune", "classify"):
        bundle = bundles.load(copy.bundle_folder(step))
        assert bundle.network.cell == "qrnn" and all(isinstance(x, QRNNLayer) for x in bundle.model.encoder.layers)
    assert "QRNN" in (copy.bundle_folder("classify") / "MODEL_CARD.md").read_text(encoding="utf-8")
    writer = Generator.load(copy.bundle_folder("finetune"))
    assert writer.generate("amber", words=5, seed=1) == writer.generate("amber", words=5, seed=1)
    judge = Predictor.load(copy.bundle_folder("classify"))
    texts = ["amber bridge", "candle " * 40]
    apart = [judge.predict([text])[0] for text in texts]
    for together, alone in zip(judge.predict(texts), apart, strict=True):
        assert together.probabilities == pytest.approx(alone.probabilities, abs=1e-5)


def test_a_bundle_from_before_there_were_cells_is_an_lstm(project, tmp_path):
    network = ModelSettings(embedding=8, hidden=12, layers=2)
    vocab = bundles.Vocabulary.load(project.vocab_folder)
    model = LanguageModel(AwdLstm(vocab.size, 8, 12, 2, Dropouts()))
    model.encoder.reset(rng())
    bundles.save(tmp_path / "old", Bundle("language_model", network, model, vocab), "# A model")
    path = tmp_path / "old" / "model.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    del record["network"]["cell"]
    path.write_text(json.dumps(record), encoding="utf-8")
    loaded = bundles.load(tmp_path / "old")
    assert loaded.network.cell == "lstm"
    assert all(isinstance(layer, WeightDropLSTM) for layer in loaded.model.encoder.layers)
    assert torch.equal(loaded.model.encoder.layers[0].weight_hh, model.encoder.layers[0].weight_hh)
