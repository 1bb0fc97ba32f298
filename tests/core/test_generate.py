"""Text that a language model writes: which tokens may be drawn, what is never written, word by word as it comes."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ulmfit_core.config import DataSettings, ModelSettings, Recipe, VocabSettings
from ulmfit_core.errors import UserError
from ulmfit_core.inference import generate
from ulmfit_core.inference.generate import Generator, Repeats, Sampling, continue_text, distribution, stream
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.awd_lstm import AwdLstm
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.models.classifier import Classifier, Head
from ulmfit_core.models.dropout import Dropouts
from ulmfit_core.models.language_model import LanguageModel
from ulmfit_core.project import Project
from ulmfit_core.run import launch
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import Vocabulary
from ulmfit_core.text.words import Words, to_json

TEXTS = (
    "The sea is WIDE and very very very deep!!! Old Mary said (Yes) to him.",
    "One day the old man went to the sea, and Mary said no no no.",
    "WHO said that the sea is deep? Mary (and the old man) DON'T know!!!!",
)


@pytest.fixture(scope="module")
def vocab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("generate")
    (folder / "a.txt").write_text("\n".join(TEXTS * 20), encoding="utf-8")
    recipe = Recipe(data=DataSettings(data=str(folder / "a.txt")), vocab=VocabSettings(size=100, coverage=1.0))
    project = Project.create(folder / "project", recipe)
    for step in ("import", "vocab"):
        ended = launch(project, step)
        assert ended.status == "done", ended.reason
    return Vocabulary.load(project.vocab_folder)


def fresh_model(vocab, seed=0):
    model = LanguageModel(AwdLstm(vocab.size, 40, 40, 1, Dropouts())).eval()
    model.encoder.reset(torch.Generator().manual_seed(seed))
    return model


@pytest.fixture(scope="module")
def model(vocab):
    """A language model that learned the first text by heart."""
    model = fresh_model(vocab)
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    ids = torch.tensor([[*map(int, vocab.encode(TEXTS[:1])[0]), vocab.bos]])
    for _ in range(80):
        optimizer.zero_grad()
        logits = model(ids[:, :-1], model.encoder.initial_state(1)).logits
        F.cross_entropy(logits[0], ids[0, 1:]).backward()
        optimizer.step()
    return model


def unigram(vocab, shares):
    """A model whose every token has the probabilities of `shares` (piece → share); the rest share what is left."""
    model = fresh_model(vocab)
    left = (1 - sum(shares.values())) / (vocab.size - len(shares))
    with torch.no_grad():
        model.encoder.embedding.zero_()
        model.bias.copy_(torch.tensor([shares.get(piece, left) for piece in vocab.pieces]).log())
    return model


def tokens(model, vocab, prompt="", **options):
    ids = [int(number) for number in vocab.encode([prompt])[0]]
    return list(generate._tokens(model, vocab, ids, Sampling(**options)))


LOGITS = torch.tensor([0.05, 0.4, 0.25, 0.2, 0.1]).log()


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"temperature": 0.0}, [1]),
        ({"top_k": 1}, [1]),
        ({"top_k": 2}, [1, 2]),
        ({"top_k": 9}, [0, 1, 2, 3, 4]),
        ({"top_p": 0.0}, [1]),
        ({"top_p": 0.39}, [1]),
        ({"top_p": 0.41}, [1, 2]),
        ({"top_p": 0.66}, [1, 2, 3]),
        ({"min_p": 0.3}, [1, 2, 3]),
        ({"min_p": 0.6}, [1, 2]),
        ({"min_p": 1.0}, [1]),
        ({"top_k": 3, "top_p": 0.7}, [1, 2]),  # of .4, .25 and .2 the first two are 76 %
        ({"top_k": 4, "min_p": 0.3, "top_p": 0.99}, [1, 2, 3]),
    ],
)
def test_the_filters_keep_the_likeliest_tokens_in_their_ratio(options, kept):
    found = distribution(LOGITS.clone(), Sampling(**{"temperature": 1.0, **options}))
    assert found.nonzero().flatten().tolist() == kept
    expected = LOGITS.exp()[kept]
    assert torch.allclose(found[kept], expected / expected.sum(), atol=1e-6)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_is_the_power_of_the_probabilities(temperature):
    powers = LOGITS.exp() ** (1 / temperature)
    assert torch.allclose(distribution(LOGITS, Sampling(temperature=temperature)), powers / powers.sum())
    assert distribution(LOGITS * 100, Sampling(temperature=1e-30))[1] == 1


def test_draws_follow_the_distribution(vocab):
    a, b, c = vocab.pieces[20:23]
    model = unigram(vocab, {a: 0.5, b: 0.3, c: 0.1})
    drawn = tokens(model, vocab, words=60, temperature=1.0, top_p=0.75)
    assert len(drawn) == 60 * generate.LONGEST_WORD and set(drawn) == {20, 21}
    assert drawn.count(20) / len(drawn) == pytest.approx(0.625, abs=0.05)  # four standard errors
    assert set(tokens(model, vocab, words=20, temperature=1.0, min_p=0.15)) == {20, 21, 22}


def test_top_k_of_one_and_temperature_zero_are_the_likeliest_text(model, vocab):
    written = [int(number) for number in vocab.encode(["The sea"])[0]]
    for _ in range(12):
        logits = model(torch.tensor([written]), model.encoder.initial_state(1)).logits[0, -1]
        written.append(int(logits.argmax()))
    for options in ({"temperature": 0.0}, {"top_k": 1, "temperature": 3.0}, {"top_p": 0.0, "seed": 5}):
        assert tokens(model, vocab, "The sea", **options)[:12] == written[-12:]


def test_a_seed_repeats_the_text_and_another_changes_it(model, vocab):
    texts = [continue_text(model, vocab, "The", words=20, temperature=1.5, seed=seed) for seed in (3, 3, 4)]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize("piece", ["xxunk", "xxpad"])
def test_unknown_and_padding_are_never_written(vocab, piece):
    model = unigram(vocab, {piece: 0.9})
    for options in ({"temperature": 0.0}, {"temperature": 2.0}):
        assert vocab.id_of(piece) not in tokens(model, vocab, words=10, **options)


@pytest.mark.parametrize("piece", ["xxbos", "xxeos"])
def test_the_text_ends_where_a_new_one_would_begin(vocab, piece):
    assert continue_text(unigram(vocab, {piece: 0.9}), vocab, "The sea", temperature=0.0) == "The sea"


def test_a_case_marker_never_follows_another(vocab):
    written = tokens(unigram(vocab, {"xxmaj": 0.9}), vocab, words=5, temperature=0.0)
    cases = [vocab.pieces[token] in ("xxup", "xxmaj") for token in written]
    assert any(cases) and not any(one and other for one, other in itertools.pairwise(cases))


class Fillers:
    """A vocabulary whose last pieces are named as fastai names what fills it up."""

    def __init__(self, vocab, count):
        self.pieces = [*vocab.pieces[:-count], *["xxfake"] * count]
        self.encode, self.decode = vocab.encode, vocab.decode


def test_fillers_are_no_words(vocab):
    model = fresh_model(vocab)
    with torch.no_grad():
        model.bias[-3:] = 20.0
    assert set(tokens(model, vocab, words=3)) <= set(range(vocab.size - 3, vocab.size))
    assert max(tokens(model, Fillers(vocab, 3), words=3)) < vocab.size - 3


@pytest.mark.parametrize("length", [1, 2, 3])
def test_no_sequence_is_written_twice(model, vocab, length):
    prompt = "The sea is deep"
    written = [*map(int, vocab.encode([prompt])[0]), *tokens(model, vocab, prompt, words=40, no_repeat=length)]
    sequences = list(zip(*(written[start:] for start in range(length)), strict=False))
    assert len(sequences) == len(set(sequences)) > 6
    free = tokens(unigram(vocab, {"▁": 0.99}), vocab, words=2, temperature=0.0)
    assert len(set(free)) == 1


def test_with_every_token_used_up_the_text_ends(vocab):
    drawn = tokens(unigram(vocab, {}), vocab, words=40, no_repeat=1, temperature=1.0)
    assert len(drawn) == len(set(drawn)) <= vocab.size - 3


def test_repeats_of_length_three():
    repeats = Repeats(3, [1, 2, 3, 1, 2])
    assert repeats.next() == [3]
    repeats.add(4)
    assert repeats.next() == []
    for token in (1, 2):
        repeats.add(token)
    assert sorted(repeats.next()) == [3, 4]


def test_capitals_and_repeats_are_restored(model, vocab):
    assert [vocab.decode(ids) for ids in vocab.encode(TEXTS)] == list(TEXTS)
    text = continue_text(model, vocab, "The sea", words=11, temperature=0.0)
    assert text == "The sea is WIDE and very very very deep!!! Old Mary said (Yes)"
    assert continue_text(model, vocab, "", words=3, temperature=0.0).split()[0][0].isupper()


@pytest.mark.parametrize("prompt", ["", "The", "one day ∂ the old m", "  Mary\nsaid (y "])
@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_the_stream_joined_is_the_text_and_its_parts_are_words(model, vocab, prompt, temperature):
    for seed in range(4):
        options = Sampling(words=15, temperature=temperature, seed=seed)
        parts = list(stream(model, vocab, prompt, options))
        text = continue_text(model, vocab, prompt, words=15, temperature=temperature, seed=seed)
        assert "".join(parts) == text and text.startswith(prompt.strip())
        written = parts[1:] if prompt else parts
        assert all(part.startswith(" ") for part in written[1:]) and all(parts)
        assert "xx" not in text[len(prompt) :] and "  " not in text[len(prompt) :]
        assert len(text.split()) <= len(prompt.split()) + 15


def test_word_by_word_is_the_same_as_decoding_all_at_once(model, vocab):
    for seed in range(5):
        drawn = tokens(model, vocab, words=6, temperature=1.5, seed=seed)
        assert "".join(generate._words(iter(drawn), vocab, [vocab.bos])) == vocab.decode(drawn)


def test_whole_words_are_joined_as_a_person_writes_them():
    words = [*SPECIALS, "mary", "said", '"', "the", "sea", ",", "is", "deep", "!", "no", "3"]
    vocab = Words(to_json(words), {"rules": "fastai"})
    text = 'xxmaj mary said " xxup the sea , is deep xxrep 3 ! " no xxwrep 3 no said'
    ids = [words.index(word) for word in text.split()]
    parts = list(generate._words(iter(ids), vocab, [vocab.bos]))
    assert parts == ["Mary", " said", ' "THE', " sea,", " is", ' deep!!!"', " no", " no no no", " said"]
    assert "".join(parts) == vocab.decode(ids)


def test_a_word_is_given_as_soon_as_the_next_one_begins(model, vocab):
    taken = []
    counted = (taken.append(token) or token for token in tokens(model, vocab, "The sea", words=8, temperature=0.0))
    words = generate._words(counted, vocab, [vocab.bos])
    assert next(words) == "is"
    first = len(taken)
    assert next(words) == " WIDE"
    assert 0 < first < len(taken)
    assert vocab.decode(taken[:first]).split()[0] == "is" and vocab.pieces[taken[first - 1]].startswith(("▁", "xx"))


def test_just_so_many_words_are_added(model, vocab):
    for words in (1, 2, 7):
        assert len(continue_text(model, vocab, "The sea", words=words, temperature=0.0).split()) == 2 + words
        assert len(continue_text(model, vocab, "", words=words, temperature=0.0).split()) == words


def test_the_text_ends_before_the_stop(model, vocab):
    free = continue_text(model, vocab, "The sea", words=11, temperature=0.0)
    for stop in ("very very d", "Mary", "!!!", " Old", "y"):
        text = continue_text(model, vocab, "The sea", words=11, temperature=0.0, stop=stop)
        assert text == free[: free.index(stop)].rstrip()
        parts = stream(model, vocab, "The sea", Sampling(words=11, temperature=0.0, stop=stop))
        assert "".join(parts) == text
    assert continue_text(model, vocab, "The sea", words=11, temperature=0.0, stop="no such words") == free
    assert continue_text(model, vocab, "The sea", words=3, temperature=0.0, stop="sea").startswith("The sea is")


def test_writing_touches_no_other_generator_nor_the_model(model, vocab):
    model.train()
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    texts = {continue_text(model, vocab, "The", words=10, seed=1) for _ in range(2)}
    assert len(texts) == 1 and model.training
    assert torch.equal(before[0], torch.get_rng_state()) and (before[1] == np.random.get_state()[1]).all()
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    model.eval()


class Counting:
    """Counts the tokens that are decoded."""

    def __init__(self, vocab):
        self.pieces, self.encode, self._vocab, self.count = vocab.pieces, vocab.encode, vocab, 0

    def decode(self, ids):
        self.count += len(ids)
        return self._vocab.decode(ids)


def test_the_work_grows_with_the_length_of_the_text_alone(vocab):
    model = fresh_model(vocab)
    decoded = []
    for words in (30, 120):
        counting = Counting(vocab)
        "".join(stream(model, counting, "", Sampling(words=words, temperature=1.0)))
        decoded.append(counting.count / words)
    assert decoded[1] < 2 * decoded[0]


def test_a_saved_model_writes_and_a_classifier_does_not(model, vocab, tmp_path):
    network = ModelSettings(embedding=40, hidden=40, layers=1)
    bundles.save(tmp_path / "writer", Bundle("language_model", network, model, vocab), "# A model")
    text = Generator.load(tmp_path / "writer").generate("The sea", words=5, seed=2)
    assert text == continue_text(model, vocab, "The sea", words=5, seed=2)
    head = Head(120, 10, 2, (0.0, 0.0))
    head.load_state_dict({name: torch.zeros_like(value) for name, value in head.state_dict().items()})
    classifier = Classifier(model.encoder, head, 70, 1400)
    bundles.save(tmp_path / "judge", Bundle("classifier", network, classifier, vocab, ["a", "b"]), "# A model")
    with pytest.raises(UserError, match="holds a classifier, which cannot write text"):
        Generator.load(tmp_path / "judge")
