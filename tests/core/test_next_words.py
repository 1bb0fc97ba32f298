"""The next word: its probability is that with which the same model writes it, whatever pieces it is made of."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from tests.core import test_generate
from tests.core.test_generate import fresh_model, unigram
from ulmfit_core.inference import generate
from ulmfit_core.inference.generate import Sampling
from ulmfit_core.inference.next_words import Pieces, next_words
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.words import Words, to_json

FREE = Sampling(temperature=1.0)
model, vocab = test_generate.model, test_generate.vocab  # fixtures


def drawn_words(model, vocab, prompt: str, draws: int, sampling: Sampling) -> Counter[str]:
    """The first word of each of many texts as `stream` writes them."""
    ids = [int(number) for number in vocab.encode([prompt])[0]]
    before, words = vocab.decode(ids), Counter()
    new = Pieces.of(vocab).new
    for seed in range(draws):
        written, text = [], ""
        for token in generate._tokens(model, vocab, ids, Sampling(1, temperature=sampling.temperature, seed=seed)):
            if text and new[token]:
                break
            written.append(token)
            text = vocab.decode([*ids, *written])[len(before) :]
        words[text] += 1
    return words


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.0])
def test_the_probability_is_how_often_the_word_is_written(model, vocab, temperature):
    how = Sampling(temperature=temperature)
    found = next_words(model, vocab, "The sea is WIDE and very very very deep!!! Old", 10, how)
    drawn = drawn_words(model, vocab, "The sea is WIDE and very very very deep!!! Old", 200, how)
    for word in found[:3]:
        assert drawn[word.text] / 200 == pytest.approx(word.probability, abs=0.12), word
    assert found[0].text == " Mary"


def test_the_words_are_the_likeliest_ones_and_leave_the_rest_to_others(vocab):
    model = fresh_model(vocab, 3)
    for prompt in ("The sea", "The sea ", ""):
        some, more = next_words(model, vocab, prompt, 5, FREE), next_words(model, vocab, prompt, 40, FREE)
        assert len(some) == 5 and len(more) > 5
        assert [word.probability for word in some] == pytest.approx([word.probability for word in more[:5]], rel=0.1)
        assert [word.probability for word in more] == sorted((word.probability for word in more), reverse=True)
        assert 0 < sum(word.probability for word in more) < 1


def test_the_probability_of_a_word_of_several_pieces_is_their_product(vocab):
    pieces = [piece for piece in vocab.pieces if piece.startswith("▁") and len(piece) == 2][:1]
    letter = next(piece for piece in vocab.pieces if len(piece) == 1 and piece.isalpha())
    first = pieces[0]
    model = unigram(vocab, {first: 0.3, letter: 0.2})
    shares = torch.softmax(model.bias.detach().double().masked_fill(Pieces.of(vocab).never, float("-inf")), 0)
    ends = float(shares[Pieces.of(vocab).new].sum())
    by_text = {word.text: word.probability for word in next_words(model, vocab, "The sea", 30, FREE)}
    one, other = (float(shares[vocab.id_of(piece)]) for piece in (first, letter))
    assert by_text[f" {first[1]}"] == pytest.approx(one * ends, rel=1e-6)
    assert by_text[f" {first[1]}{letter}"] == pytest.approx(one * other * ends, rel=1e-6)
    assert by_text[letter] == pytest.approx(other * ends, rel=1e-6), "the last word may be completed"


def test_behind_a_space_a_new_word_begins(vocab):
    model = fresh_model(vocab, 3)
    found = next_words(model, vocab, "The sea ", 20, FREE)
    assert all(word.text.startswith(" ") and word.text[1:].strip() for word in found)
    closed, free = ({word.text: word.probability for word in next_words(model, vocab, text, 60, FREE)}
                    for text in ("The sea ", "The sea"))  # fmt: skip
    ratios = [closed[text] / free[text] for text in closed if text in free]
    assert min(ratios) == pytest.approx(max(ratios), rel=0.1) and min(ratios) > 1
    assert not all(text.startswith(" ") for text in free)


def test_the_filters_count(model, vocab):
    assert len(next_words(model, vocab, "The sea", 10, Sampling(temperature=0.0))) == 1
    (one,) = next_words(model, vocab, "The sea", 10, Sampling(temperature=0.0))
    assert one.probability == 1 and one.text == " is"
    wide, narrow = (next_words(fresh_model(vocab, 3), vocab, "The sea", 40, Sampling(temperature=1.0, top_p=share))
                    for share in (1.0, 0.02))  # fmt: skip
    assert len(narrow) < len(wide)


def test_nothing_unreadable_is_suggested_and_capitals_are_restored(model, vocab):
    for prompt in ("", "The sea", "Old ", "∂"):
        words = next_words(model, vocab, prompt, 30, FREE)
        assert words and not any("xx" in word.text or not word.text.strip() for word in words)
    likeliest = next_words(model, vocab, "", 1, FREE)[0]
    assert likeliest.text == "The" and likeliest.probability > 0.5


def test_whole_words_end_at_once():
    words = [*SPECIALS, "mary", "said", ",", "the", "sea", "do", "n't"]
    vocab = Words(to_json(words), {"rules": "fastai"})
    model = unigram(vocab, {"said": 0.4, "xxmaj": 0.2, "mary": 0.2, ",": 0.1})
    found = {word.text: word.probability for word in next_words(model, vocab, "the sea", 10, FREE)}
    shares = torch.softmax(model.bias.detach().double().masked_fill(Pieces.of(vocab).never, float("-inf")), 0)
    said, marked, mary = (float(shares[words.index(word)]) for word in ("said", "xxmaj", "mary"))
    assert found[" said"] == pytest.approx(said, rel=1e-6) and "," in found
    after_a_marker = 1 - sum(float(shares[words.index(word)]) for word in ("xxmaj", "xxup"))
    assert found[" Mary"] == pytest.approx(marked * mary / after_a_marker, rel=1e-6)


def test_the_model_and_its_generators_are_left_alone(model, vocab):
    before = torch.get_rng_state()
    one, other = (next_words(model, vocab, "The sea", 10, FREE) for _ in range(2))
    assert one == other and torch.equal(before, torch.get_rng_state()) and not torch.is_inference_mode_enabled()
