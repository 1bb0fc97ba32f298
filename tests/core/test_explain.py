"""Which words speak for an answer: the shortcut beside reading all anew, and beside what a model has learned."""

import explain as study
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resources import resource_path
from tests.core import trained
from ulmfit_core.inference import leave_out, new_class
from ulmfit_core.inference.blend import fit_words
from ulmfit_core.inference.explain import answers_without, attributions, log_odds, removal, removals, without, words_of
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.classifier import Classifier, Head
from ulmfit_core.models.word_counts import Exponents, Pool
from ulmfit_core.run import Stopped
from ulmfit_core.text.vocab import Vocabulary

WORDS = [*trained.FILLERS, *trained.TELLING["good"], *trained.TELLING["bad"]]


def shuffled(count, seed=0):
    """A text in which no word follows itself, so that no rule marks a repetition."""
    rng = np.random.default_rng(seed)
    rounds = [rng.permutation(WORDS) for _ in range(-(-count // len(WORDS)) * 2)]
    words = [word for each in rounds for word in each]
    return " ".join([word for before, word in zip(["", *words], words) if word != before][:count])


@pytest.fixture(scope="module")
def blended(tmp_path_factory):
    project = trained.project_of(tmp_path_factory.mktemp("b"), trained.rows(160), **{"classify.blend": "on"})
    trained.run(project, "classify")
    return Predictor.of(project)


@pytest.fixture(scope="module", params=["lstm", "qrnn"])
def predictor(request, blended):
    """The network alone, as it was trained; and one that was not, of the other kind."""
    if request.param == "lstm":
        return Predictor(blended.model, blended.vocab, blended.labels)
    rng = torch.Generator().manual_seed(1)
    network = bundles.ModelSettings(embedding=12, hidden=16, layers=2, cell="qrnn")
    encoder = bundles.new_encoder(network, blended.vocab.size)
    encoder.reset(rng)
    encoder.embedding.data.mul_(10)
    head = Head(36, 8, 2, (0.0, 0.0))
    head.reset(rng)
    return Predictor(Classifier(encoder, head, 70, 1400), blended.vocab, blended.labels)


# Words and their tokens


def test_words_are_found_with_their_signs():
    def cut(text):
        return [text[start:end] for start, end in words_of(text)]

    assert cut("It's a well-known (sic!) film :-)") == ["It's", "a", "well-known", "(", "sic", "!)", "film", ":-)"]
    assert cut("one<br /><BR>two") == ["one", "two"] and cut(" \n ") == [] and cut("5,5") == ["5", ",", "5"]
    assert cut("とても good 映画") == ["と", "て", "も", "good", "映", "画"]
    assert cut("größer 😀👍 naïve") == ["größer", "😀👍", "naïve"]


def test_what_is_taken_out_parts_no_words_and_joins_none():
    assert without("a bc d", [(2, 4)]) == "a  d" and without("abc", []) == "abc"
    assert without("www.here.org", [(3, 4), (8, 9)]) == "www here org"
    assert without("one two", [(4, 7), (0, 3)]) == " "


TEXT = (
    "Visit <br /> web.Example.com NOW!!! It's soooo good, a WELL-KNOWN “classic” of 1994: no no no, 12,5 % &amp; "
    "McDonald's naïve Zoë's; İstanbul… (yes)"
)


@pytest.mark.parametrize("kind", ["pieces", "words"])
def test_each_token_belongs_to_the_word_it_was_cut_from(kind, blended):
    vocab = blended.vocab if kind == "words" else Vocabulary.load(resource_path("starter/english"))
    words, tokens = words_of(TEXT), vocab.tokens(TEXT)
    spans = leave_out.tokens_of(words, TEXT, tokens)
    owned = [place for begin, end in spans for place in range(begin, end)]
    assert owned == list(range(1, len(tokens))), "each token but the first has one owner, in the text's order"
    if kind == "pieces":
        shown = {TEXT[a:b]: "".join(tokens[begin:end]).replace("▁", "") for (a, b), (begin, end) in zip(words, spans)}
        plain = ["web", "com", "good", "1994", "a", "of", ",", "(", "yes"]
        assert [shown[word] for word in plain] == plain
        marked = {"Visit": "xxmajvisit", "Example": "xxmajexample", "NOW": "xxupnow", "It's": "xxmajit's"}
        assert {word: shown[word] for word in marked} == marked
        assert shown["soooo"] in ("sxxrep4o", "sxxrep4oo") and "classic" in shown


def test_an_unknown_word_has_its_token_too(blended):
    text = "amber nobody candle knows these lovely"
    spans = leave_out.tokens_of(words_of(text), text, blended.vocab.tokens(text))
    assert spans == [(place, place + 1) for place in range(1, 7)]


def test_words_that_are_cut_off_have_no_tokens(blended):
    text = shuffled(9)
    spans = leave_out.tokens_of(words_of(text), text, blended.vocab.tokens(text)[:5])
    assert spans == [(1, 2), (2, 3), (3, 4), (4, 5), *[(5, 5)] * 5]
    cut = Predictor(blended.model, blended.vocab, blended.labels, max_tokens=5)
    weights = [share.weight for share in attributions(cut, text, "good")]
    assert all(weights[:4]) and weights[4:] == pytest.approx([0] * 5, abs=1e-6)


# The shortcut


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 40, 300])
def test_leaving_words_out_is_reading_the_text_without_them(predictor, count):
    text = shuffled(count)
    words = words_of(text)
    texts = [text, *(without(text, [word]) for word in words)]
    window = 10 * count  # to the end of the text
    assert answers_without(predictor, text, words, window=window) == pytest.approx(
        predictor.probabilities(texts), abs=2e-5
    )


def test_further_on_the_network_has_forgotten_the_word(predictor):
    text = shuffled(400)
    words = words_of(text)
    changes = {}
    for window in (1_000, 16, 1):
        odds = log_odds(answers_without(predictor, text, words, window=window)[:, 0])
        changes[window] = odds[0] - odds[1:]
    assert np.corrcoef(changes[1_000], changes[16])[0, 1] > 0.95
    errors = {window: np.abs(changes[1_000] - changes[window]).sum() for window in (16, 1)}
    assert errors[16] < errors[1]


def test_what_is_not_pooled_is_left_out_of_the_pool(blended):
    model = blended.model
    short = Predictor(Classifier(model.encoder, model.head, 10, 30), blended.vocab, blended.labels)
    text = shuffled(105)
    words = text.split()
    answers = answers_without(short, text, words_of(text), window=500)
    assert answers[0] == pytest.approx(short.probabilities([text])[0], abs=1e-5)
    for place in (85, 104):  # tokens from the 80th on are pooled, of 106 as of 105
        left = " ".join(words[:place] + words[place + 1 :])
        assert answers[place + 1] == pytest.approx(short.probabilities([left])[0], abs=1e-5)
    changes = np.abs(answers[1:, 0] - answers[0, 0])
    assert changes[:40].max() < changes[80:].max() / 10


def test_a_text_all_of_whose_pooled_words_are_left_out_has_an_answer(blended):
    model = blended.model
    short = Predictor(Classifier(model.encoder, model.head, 3, 2), blended.vocab, blended.labels)
    answers = answers_without(short, shuffled(3), words_of(shuffled(3)))
    assert np.isfinite(answers).all() and answers.sum(1) == pytest.approx(1)


PARTS = ("amber", "Bridge", "x", "lovely", "lovely,", "a.b", "don't", "dreadful")


@settings(max_examples=40)
@given(st.lists(st.sampled_from(PARTS), max_size=9), st.integers(2, 3))
def test_word_counts_without_a_word_are_those_of_the_text_without_it(parts, labels):
    taught = [text for text, _ in trained.rows(40)] + ["lovely lovely amber bridge", "don dreadful"]
    words = fit_words(taught, np.arange(len(taught)) % labels, labels)
    text = " ".join(parts)
    spans = words_of(text)
    exact = words.probabilities([text, *(without(text, [span]) for span in spans)])
    assert leave_out.counts_without(words, text, spans) == pytest.approx(exact, abs=1e-9)


# What people see


@pytest.mark.parametrize("of_both", [True, False])
def test_the_words_that_tell_the_label_speak_for_it_and_against_the_other(blended, of_both):
    predictor = blended if of_both else Predictor(blended.model, blended.vocab, blended.labels)
    for text, label in trained.rows(20):
        shares = attributions(predictor, text, label)
        assert [(share.start, share.end) for share in shares] == words_of(text)
        best = max(shares, key=lambda share: share.weight)
        assert text[best.start : best.end] in trained.TELLING[label] and best.weight > 0
        other = next(name for name in predictor.labels if name != label)
        against = attributions(predictor, text, other)
        assert [share.weight for share in against] == pytest.approx([-share.weight for share in shares], abs=1e-3)


@pytest.mark.parametrize("exponents", [Exponents(1.3), Exponents(0.0, 2.0), Exponents(0.4, 0.9)])
def test_what_is_explained_is_the_answer_whoever_gives_it(blended, exponents):
    pool = Pool(exponents, blended.pool.words if exponents.words else None)
    predictor = Predictor(blended.model, blended.vocab, blended.labels, 0, pool)
    text = trained.rows(1)[0][0]
    odds = log_odds(predictor.probabilities([text, *(without(text, [word]) for word in words_of(text))])[:, 0])
    weights = [share.weight for share in attributions(predictor, text, predictor.labels[0])]
    assert weights == pytest.approx((odds[0] - odds[1:]).tolist(), abs=2e-3)


def test_labels_that_only_corrections_know_are_explained_too(blended):
    predictor = Predictor(blended.model, blended.vocab, blended.labels, 0, blended.pool)
    texts = [text for text, _ in trained.rows(40)]
    examples = {"plain": [" ".join(trained.FILLERS[place:]) for place in range(4)]}
    predictor.learn(new_class.learn(examples, texts, lambda some: predictor._features_and_old(some, bool)))
    text = texts[0]
    words = words_of(text)
    left = [text, *(without(text, [word]) for word in words)]
    assert answers_without(predictor, text, words) == pytest.approx(predictor.probabilities(left), abs=2e-3)
    shares = attributions(predictor, text, "plain")
    least = min(shares, key=lambda share: share.weight)
    assert text[least.start : least.end] in sum(trained.TELLING.values(), ()), "a telling word speaks against it"


def test_a_removal_is_the_change_of_the_probability(blended):
    text, label = trained.rows(2)[1]
    all_of_them = removals(blended, text, label)
    place = blended.labels.index(label)
    for share in all_of_them:
        left = text[: share.start] + text[share.end :]
        before, after = (blended.probabilities([each])[0, place] for each in (text, left))
        assert share.weight == pytest.approx(before - after, abs=1e-5)
        alone = removal(blended, text, (share.start, share.end), label)
        assert (alone.start, alone.end) == (share.start, share.end) and alone.weight == pytest.approx(
            share.weight, abs=1e-5
        )


def test_nothing_explains_nothing(blended):
    assert attributions(blended, " \n", "good") == [] and removals(blended, "", "good") == []


def test_a_stop_is_heard(blended):
    for ask in (attributions, removals):

        def stop():
            raise Stopped

        with pytest.raises(Stopped):
            ask(blended, shuffled(50), "good", stop)


def test_eight_bits_are_explained_too(blended, tmp_path):
    bundles.save(tmp_path / "b", bundles.Bundle(
        "classifier", bundles.ModelSettings(embedding=12, hidden=16, layers=2), blended.model, blended.vocab,
        blended.labels,
    ), "")  # fmt: skip
    predictor = Predictor.load(tmp_path / "b", eight_bits=True)
    text, label = trained.rows(1)[0]
    best = max(attributions(predictor, text, label), key=lambda share: share.weight)
    assert text[best.start : best.end] in trained.TELLING[label]


# The deletion test


def test_the_deletion_test_tells_ways_apart(blended, tmp_path):
    path = tmp_path / "test.csv"
    path.write_text("\n".join(["text,label", *(f"{text},{label}" for text, label in trained.rows(30))]))
    chosen = list(study.cases(blended, path, 10))
    assert len(chosen) == 10
    found = {name: study.measure(name, chosen) for name in study.WAYS}
    chance = found.pop("random")
    assert all(row["deletion"] < chance["deletion"] for row in found.values())
    assert all(row["insertion"] > chance["insertion"] for row in found.values())
    assert found["left_out"]["deletion"] == pytest.approx(found["occlusion"]["deletion"], abs=1e-4)
