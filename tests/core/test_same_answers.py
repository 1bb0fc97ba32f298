"""One text, one answer: whether it is asked alone, among others, in a file, or of a model that is in training."""

import csv
import json
import threading

import numpy as np
import pytest
import safetensors.torch
import torch

from resources import resource_path
from ulmfit_core.config import ClassifySettings, ModelSettings, Recipe
from ulmfit_core.inference import eight_bits
from ulmfit_core.inference.predictor import Predictor, read
from ulmfit_core.jobs.predict_file import predict_file
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models import int8
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.project import Project
from ulmfit_core.run import Control, Run, launch
from ulmfit_core.text.vocab import Vocabulary

LABELS = ["red", "green", "blue"]
SENTENCE = "The film was never as GOOD as its book , but we laughed ; nobody knows why ... 1984 naïve 映画"
EMPTY, LONG = 7, 11  # rows of the texts
SAME = 1e-5
needs_eight_bits = pytest.mark.skipif(
    eight_bits.ENGINE not in torch.backends.quantized.supported_engines, reason="torch has no eight-bit products here"
)


def texts():
    """500: of 1 to 120 words, one of none, one of 20,000."""
    rng = np.random.default_rng(4)
    made = [" ".join(rng.choice(SENTENCE.split(), length)) for length in rng.integers(1, 121, 500)]
    made[EMPTY], made[LONG] = "", " ".join(rng.choice(SENTENCE.split(), 20_000))
    return made


def small_bundle(layers=2, cell="lstm"):
    """Fresh weights, with a head that tells texts apart; chunks of 20 tokens, of which the last 400 are pooled."""
    vocab = Vocabulary.load(resource_path("starter/english"))
    network = ModelSettings(embedding=16, hidden=24, layers=layers, cell=cell)
    rng = torch.Generator().manual_seed(2)
    encoder = bundles.new_encoder(network, vocab.size)
    encoder.reset(rng)
    torch.nn.init.uniform_(encoder.embedding, -2, 2, generator=rng)
    model = bundles.new_classifier(encoder, len(LABELS), ClassifySettings(bptt=20, max_length=400, head=10)).eval()
    features, _ = read(model, vocab.encode(texts()[LONG + 1 : LONG + 50]), 8)
    model.head.norm1.running_mean.copy_(torch.from_numpy(features.mean(0)))
    model.head.norm1.running_var.copy_(torch.from_numpy(features.var(0)))
    return Bundle("classifier", network, model, vocab, LABELS)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with a classifier that was never trained."""
    made = Project.create(tmp_path_factory.mktemp("same") / "project", Recipe())
    bundles.save(made.bundle_folder("classify"), small_bundle(), "")
    return made


@pytest.fixture(scope="module")
def alone(project):
    """The probabilities (texts, classes) of each text asked by itself."""
    predictor = Predictor.load(project.bundle_folder("classify"))
    rows = np.concatenate([predictor.probabilities([text]) for text in texts()])
    assert len(np.unique(rows.round(3), axis=0)) > 400, "the network tells the texts apart"
    return rows


def test_an_answer_does_not_depend_on_the_texts_beside_it(project, alone):
    predictor = Predictor.load(project.bundle_folder("classify"))
    together = predictor.probabilities(texts())
    assert np.abs(together - alone).max() < SAME
    told = [list(one.probabilities.values()) for one in predictor.predict(texts()[::-1])]
    assert np.abs(np.array(told)[::-1] - alone).max() < SAME
    assert np.abs(predictor.probabilities([""]) - alone[EMPTY]).max() < SAME


def test_the_network_s_own_reading_of_one_document_gives_the_same(project, alone):
    """`pool`, which trains, knows nothing of rows that leave the batch nor of longer chunks."""
    bundle = bundles.load(project.bundle_folder("classify"))
    for row in (0, EMPTY, LONG):
        ids = torch.from_numpy(bundle.vocab.encode([texts()[row]])[0].astype(np.int64))[None]
        with torch.inference_mode():
            scores = bundle.model(ids, torch.tensor([ids.shape[1]]))
        assert np.abs(scores.softmax(1).numpy() - alone[row]).max() < SAME


def test_a_file_is_answered_as_its_texts_are_alone(project, alone, tmp_path):
    data, out = tmp_path / "rows.csv", tmp_path / "answers.jsonl"
    with data.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text"])
        writer.writerows([text] for text in texts())
    project.recipe.data.text = ["text"]
    predict_file(project, Run(), data, out)
    lines = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    told = {line["text"]: list(line["probabilities"].values()) for line in lines if line.get("probabilities")}
    expected = {text: row for text, row in zip(texts(), alone, strict=True) if text}
    assert set(told) == set(expected)
    assert max(np.abs(np.array(told[text]) - expected[text]).max() for text in told) < SAME


def test_a_prediction_leaves_torch_s_threads_and_random_numbers_alone(project):
    before = torch.get_num_threads(), torch.get_num_interop_threads(), torch.random.get_rng_state()
    for bits in (False, True):
        Predictor.load(project.bundle_folder("classify"), bits).predict(texts()[:40])
    assert before[:2] == (torch.get_num_threads(), torch.get_num_interop_threads())
    assert torch.equal(before[2], torch.random.get_rng_state())


# While the model is in training


@pytest.fixture(scope="module")
def trainable(tmp_path_factory):
    """80 rows of two classes with a vocabulary and tiny language models; the next step is the classifier."""
    folder, rng = tmp_path_factory.mktemp("training"), np.random.default_rng(5)
    moods = ("sun song dance light joy", "rain grave tears alone cold")
    rows = [f"{' '.join(rng.choice(moods[n % 2].split(), 8))},{'happy' if n % 2 else 'sad'}" for n in range(80)]
    (folder / "corpus.txt").write_text("\n".join(texts()[LONG + 1 : 200]), encoding="utf-8")
    (folder / "rows.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    recipe = Recipe(model=ModelSettings(embedding=8, hidden=12, layers=2))
    recipe.vocab.size = 110
    recipe.data.data, recipe.data.text, recipe.data.label = str(folder / "rows.csv"), ["text"], "label"
    recipe.data.corpus = str(folder / "corpus.txt")
    for stage in (recipe.pretrain, recipe.finetune, recipe.classify):
        stage.epochs, stage.threads, stage.batch_size = 1, 1, 4
    recipe.classify.epochs = 6
    made = Project.create(folder / "project", recipe)
    for job in ("import", "vocab", "pretrain", "finetune"):
        ended = launch(made, job)
        assert ended.status == "done", ended.reason
    return made


def weights_after(project, control):
    """Of a classifier trained to its end."""
    ended = launch(project, "classify", control=control)
    assert ended.status == "done", ended.reason
    return safetensors.torch.load_file(project.bundle_folder("classify") / "weights.safetensors")


class AskedByMany(Control):
    """Lends one snapshot, of which THREADS ask the same texts; the training goes on meanwhile, not beyond TURNS polls.

    A training of so few rows would be over before they have answered: later polls wait for them.
    """

    THREADS, BEGIN, TURNS = 16, 10, 40

    def __init__(self, texts):
        super().__init__()
        self.texts, self.polls, self.during = texts, 0, 0
        self.answers: dict[int, np.ndarray] = {}
        self.threads: list[threading.Thread] = []

    @property
    def paused(self):
        self.polls += 1
        if self.polls == self.BEGIN:
            self.waiting = self.ask()
            self.threads = [threading.Thread(target=self._try, args=(number,)) for number in range(self.THREADS)]
            for thread in self.threads:
                thread.start()
        if self.polls > self.TURNS:
            self.join()
        return False

    def _try(self, number):
        predictor = self.waiting.result(60).predictor()
        rows = [predictor.probabilities(part) for part in (self.texts[:30], self.texts[30:])]
        self.during += self.polls > self.BEGIN
        self.answers[number] = np.concatenate(rows)

    def join(self):
        for thread in self.threads:
            thread.join(60)


def test_many_who_ask_a_model_in_training_get_one_answer_and_change_nothing(trainable):
    """Answers are those given afterwards one by one, to rounding: each text is then read with no other beside it."""
    asked = texts()[LONG + 1 :][:60]
    plain = weights_after(trainable, Control())
    control = AskedByMany(asked)
    weights = weights_after(trainable, control)
    control.join()
    assert len(control.answers) == control.THREADS and control.during, "some were answered while it trained"
    for name, value in weights.items():
        assert torch.equal(value, plain[name]), name
    lent = control.waiting.result(0).predictor()
    serial = np.concatenate([lent.probabilities(part) for part in (asked[:30], asked[30:])])
    one_by_one = np.concatenate([lent.probabilities([text]) for text in asked])
    assert all(np.abs(rows - serial).max() < 1e-6 for rows in control.answers.values())
    assert np.abs(one_by_one - serial).max() < SAME
    saved = Predictor.load(trainable.bundle_folder("classify")).network_probabilities(asked)
    assert np.abs(saved - serial).max() > 1e-4, "the training went on, the snapshot did not"
    apart = np.concatenate([lent.probabilities([text]) for text in texts()])
    assert np.abs(lent.probabilities(texts()) - apart).max() < SAME


# In eight bits


@needs_eight_bits
def test_eight_bits_answer_nearly_alike_from_whole_weights_and_from_packed_ones(project, alone, tmp_path):
    folder = project.bundle_folder("classify")
    bundles.save(tmp_path / "packed", bundles.load(folder), "", eight_bits=True)
    whole, packed = (Predictor.load(place, eight_bits=True) for place in (folder, tmp_path / "packed"))
    assert whole.refusal == packed.refusal == ""
    for predictor in (whole, packed):
        apart = np.abs(predictor.probabilities(texts()) - alone)
        assert 0 < apart.max() < 0.15 and apart.mean() < 0.02


@needs_eight_bits
def test_a_layer_in_eight_bits_is_near_its_original_and_carries_its_state():
    model = small_bundle().model
    layer, x = model.encoder.layers[0], torch.randn(3, 30, 16, generator=torch.Generator().manual_seed(1))
    zeros = (torch.zeros(1, 3, 24), torch.zeros(1, 3, 24))
    with torch.inference_mode():
        expected, (h, c) = layer(x, zeros, None)
        eight = eight_bits.EightBitLSTM(layer)
        first, state = eight(x[:, :11], zeros, None)
        second, (h8, c8) = eight(x[:, 11:], state, None)
    assert torch.allclose(torch.cat([first, second], 1), expected, atol=0.02)
    assert torch.allclose(h8, h, atol=0.02) and torch.allclose(c8, c, atol=0.02)


def test_weights_that_were_packed_once_are_packed_to_the_same_numbers():
    value = torch.randn(40, 30, generator=torch.Generator().manual_seed(6)) * torch.logspace(-4, 2, 40)[:, None]
    once = int8.packed({"matrix": value})
    again = int8.packed(int8.unpacked(once))
    assert torch.equal(again["matrix"], once["matrix"])
    assert torch.allclose(again["matrix.scale"], once["matrix.scale"], rtol=1e-6)


def test_what_cannot_be_read_in_eight_bits_is_read_in_float32_and_says_why(tmp_path, monkeypatch):
    bundles.save(tmp_path / "qrnn", small_bundle(cell="qrnn"), "")
    plain, asked = (Predictor.load(tmp_path / "qrnn", eight_bits=bits) for bits in (False, True))
    assert plain.refusal == "" and "float32 is used" in asked.refusal
    assert np.array_equal(asked.probabilities(texts()[:9]), plain.probabilities(texts()[:9]))
    monkeypatch.setattr(eight_bits, "ENGINE", "no such library")
    assert "This build of torch" in eight_bits.refusal(small_bundle().model)
