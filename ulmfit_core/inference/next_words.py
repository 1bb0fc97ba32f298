"""The likeliest next words of a language model: whole words, found by following the likeliest pieces of words.

A word's probability is that of its pieces, one after the other, and of a new word or the end of the text behind them.
Where different pieces write the same word they add up, but for ways that are far less probable than the words that are
given. All probabilities are those with which `generate.stream` draws.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ulmfit_core.inference.generate import CASES, CONTEXT, ENDS, UNREADABLE, Sampling, distribution, state_after
from ulmfit_core.models.awd_lstm import State, joined, sliced
from ulmfit_core.models.language_model import LanguageModel
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import SPACE, Vocabulary

# Beginnings of words that are followed at once, that are kept to be followed, and how many pieces far.
AT_ONCE, KEPT, PIECES = 32, 200, 12
# What is less probable is no suggestion. Beginnings of a share of the last word's probability are still followed, since
# other pieces may write a word that is given already.
LEAST, SHARE = 1e-5, 0.1
# A piece that goes on with a word: letters, digits, an apostrophe or hyphen inside it, or a single byte.
GOES_ON = re.compile(r"[\w'’-]|<0x")


@dataclass(frozen=True)
class NextWord:
    """What may follow a text, with the space before it where there is one, and the probability that it does."""

    text: str
    probability: float


@dataclass(frozen=True)
class Pieces:
    """What the pieces of a vocabulary do, each a mask (vocabulary,)."""

    never: Tensor  # are not written
    cases: Tensor  # say how the next word is written
    spaced: Tensor  # begin a word behind a space
    new: Tensor  # are not part of the word before them
    begin: Tensor  # may be the first of a word

    @classmethod
    def of(cls, vocab: Vocabulary) -> Pieces:
        pieces, whole = vocab.pieces, vocab.unit == "words"
        special = torch.tensor([piece in SPECIALS or piece.startswith(UNREADABLE) for piece in pieces])
        cases = torch.tensor([piece in CASES for piece in pieces])
        spaced = torch.tensor([whole or piece.startswith(SPACE) for piece in pieces]) | special
        new = spaced | torch.tensor([GOES_ON.match(piece) is None for piece in pieces])
        never = torch.tensor([piece.startswith(UNREADABLE) for piece in pieces])
        return cls(never, cases, spaced, new, ~special | cases)


@dataclass(frozen=True)
class Beginning:
    """The pieces of a word so far, their probability, and the model's state before the last of them."""

    ids: tuple[int, ...]
    probability: float
    state: State


def next_words(
    model: LanguageModel, vocab: Vocabulary, prompt: str, count: int = 10, sampling: Sampling | None = None
) -> list[NextWord]:
    """The `count` likeliest, the likeliest first; their probabilities sum to less than 1, the rest is other words'.

    Behind a space a new word begins; otherwise the last word of `prompt` may also be completed. Of `sampling` the
    temperature and the filters count.
    """
    spaced = not prompt or prompt[-1].isspace()
    found = Search(model, vocab, prompt.strip(), sampling or Sampling(), spaced).words(count)
    likeliest = sorted(found.items(), key=lambda pair: -pair[1])[:count]
    return [NextWord(text, probability) for text, probability in likeliest]


class Search:
    """Follows the likeliest beginnings of a word until none can become likelier than the words that are found."""

    def __init__(self, model: LanguageModel, vocab: Vocabulary, prompt: str, sampling: Sampling, spaced: bool):
        self._model, self._vocab, self._sampling, self._spaced = model, vocab, sampling, spaced
        self._prompt = [int(number) for number in vocab.encode([prompt])[0]]
        self._before = vocab.decode(self._prompt[-CONTEXT:])
        self._pieces = Pieces.of(vocab)

    def words(self, count: int) -> dict[str, float]:
        """Texts that may follow, with their probabilities; the `count` likeliest are among them."""
        found: dict[str, float] = defaultdict(float)
        waiting = self._first()
        for _ in range(PIECES):
            least = max(LEAST, SHARE * sorted(found.values())[-count]) if len(found) >= count else LEAST
            waiting = sorted((one for one in waiting if one.probability > least), key=lambda one: -one.probability)
            now, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:KEPT]
            if not now:
                break
            for one, shares, state in self._predict(now):
                if text := self._text(one.ids):
                    found[text] += one.probability * float(shares[self._pieces.new].sum())
                waiting += self._followed(one, shares, state, self._may_follow(one.ids, bool(text)))
        return {text: probability for text, probability in found.items() if probability > LEAST}

    def _first(self) -> list[Beginning]:
        """First pieces. Behind a space probabilities are those among the words that begin there."""
        *read, last = self._prompt
        ((_, shares, state),) = self._predict([Beginning((last,), 1.0, state_after(self._model, read))])
        if self._spaced:
            ends = torch.tensor([self._vocab.id_of(name) for name in ENDS])
            shares = (shares * self._pieces.spaced).index_fill(0, ends, 0)
            shares = shares / shares.sum().clamp_min(1e-12)
        return self._followed(Beginning((), 1.0, state), shares, state, self._pieces.begin)

    def _may_follow(self, ids: tuple[int, ...], finished: bool) -> Tensor:
        """Which pieces go on with a word; behind a space or a marker alone, any that may begin one."""
        if finished:
            return ~self._pieces.new
        if not self._pieces.cases[ids[-1]]:
            return self._pieces.begin
        return self._pieces.begin & ~self._pieces.cases & (self._pieces.spaced if self._spaced else True)

    @torch.inference_mode()
    def _predict(self, beginnings: Sequence[Beginning]) -> Iterator[tuple[Beginning, Tensor, State]]:
        """Of each the probabilities (vocabulary,) of what follows, and the state, from one pass."""
        ids = torch.tensor([[one.ids[-1]] for one in beginnings], device=self._model.bias.device)
        output = self._model(ids, joined([one.state for one in beginnings]))
        for number, one in enumerate(beginnings):
            logits = output.logits[number, -1].cpu().double().masked_fill(self._pieces.never, float("-inf"))
            if self._pieces.cases[one.ids[-1]]:
                logits = logits.masked_fill(self._pieces.cases, float("-inf"))
            yield one, distribution(logits, self._sampling), sliced(output.state, slice(number, number + 1))

    def _followed(self, one: Beginning, shares: Tensor, state: State, allowed: Tensor) -> list[Beginning]:
        high, places = (shares * allowed).topk(min(AT_ONCE, len(shares)))
        pairs = zip(places.tolist(), high.tolist(), strict=True)
        return [Beginning((*one.ids, piece), one.probability * share, state) for piece, share in pairs if share > 0]

    def _text(self, ids: tuple[int, ...]) -> str:
        """What these pieces write behind the prompt; nothing while they are a space or a marker alone."""
        return self._vocab.decode([*self._prompt[-CONTEXT:], *ids])[len(self._before) :]
