"""Text written by a language model, word by word: a check that one can read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ulmfit_core.errors import UserError
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.awd_lstm import State
from ulmfit_core.models.language_model import LanguageModel
from ulmfit_core.text.vocab import Vocabulary

# A word that is still not finished after so many tokens is shown as it stands.
LONGEST_WORD = 24
# Tokens that decide how a word is joined to the text before it, such as a quotation mark that is still open.
CONTEXT = 50
# Never written: nothing a person could read. xxfake fills fastai's vocabularies up to a multiple of 8.
UNREADABLE = ("xxunk", "xxpad", "xxfake")
# Say how the next word is written. Two in a row mean nothing, and a weak model would write them for ever.
CASES = ("xxup", "xxmaj")
# A new text would begin here.
ENDS = ("xxbos", "xxeos")


@dataclass(frozen=True)
class Sampling:
    """How much is written, and how each token is chosen.

    Filters work in the order of the fields, each on what the one before left; the likeliest token always stays.
    """

    words: int = 30
    # No sequence of so many tokens, the prompt's included, is written twice (Paulus et al. 2018); 0 sets no limit.
    no_repeat: int = 0
    # Divides the logits; 0 always takes the likeliest token.
    temperature: float = 0.8
    # Only so many of the likeliest tokens; 0 keeps all.
    top_k: int = 0
    # Only the fewest likeliest tokens that together are at least so probable (Holtzman et al. 2020); 1 keeps all.
    top_p: float = 1.0
    # Only tokens at least this share as probable as the likeliest (Nguyen et al. 2024); 0 keeps all.
    min_p: float = 0.0
    seed: int = 0
    # The text ends before these characters; without them it ends where the model would begin a new text.
    stop: str = ""


def continue_text(model: LanguageModel, vocab: Vocabulary, prompt: str, **options: Any) -> str:
    """`prompt` and the words that follow it; `options` are the fields of `Sampling`."""
    return "".join(stream(model, vocab, prompt, Sampling(**options)))


def stream(model: LanguageModel, vocab: Vocabulary, prompt: str, sampling: Sampling) -> Iterator[str]:
    """The prompt, then each word as soon as it is finished, with the space before it; joined they are the text.

    A word is finished when the next one begins. Draws from a generator of its own, so that no other is touched.
    """
    prompt = prompt.strip()
    if prompt:
        yield prompt
    ids = [int(number) for number in vocab.encode([prompt])[0]]
    words = _words(_tokens(model, vocab, ids, sampling), vocab, ids)
    if sampling.stop:
        words = _until(words, sampling.stop)
    # Every word but the first of a text follows a space.
    yield from filter(None, _at_most(words, sampling.words if prompt else sampling.words - 1))


# Tokens


def _tokens(model: LanguageModel, vocab: Vocabulary, prompt: list[int], sampling: Sampling) -> Iterator[int]:
    """Token after token, until the text ends or no token is left to choose."""
    pieces = vocab.pieces
    never = [number for number, piece in enumerate(pieces) if piece.startswith(UNREADABLE)]
    cases = [number for number, piece in enumerate(pieces) if piece in CASES]
    rng = torch.Generator().manual_seed(sampling.seed)
    repeats = Repeats(sampling.no_repeat, prompt)
    state, token = state_after(model, prompt[:-1]), prompt[-1]
    for _ in range(sampling.words * LONGEST_WORD):
        logits, state = _predict(model, token, state)
        forbidden = [*never, *repeats.next(), *(cases if token in cases else ())]
        logits = logits.index_fill(0, torch.tensor(forbidden), float("-inf"))
        if logits.max() == float("-inf"):
            return
        token = int(torch.multinomial(distribution(logits, sampling), 1, generator=rng))
        if pieces[token] in ENDS:
            return
        repeats.add(token)
        yield token


@torch.inference_mode()
def state_after(model: LanguageModel, ids: list[int]) -> State:
    """The state after `ids`, without the decoder, whose logits for a long prompt would take much memory."""
    state = model.encoder.initial_state(1)
    return model.encoder(torch.tensor([ids], device=model.bias.device), state)[1] if ids else state


@torch.inference_mode()
def _predict(model: LanguageModel, token: int, state: State) -> tuple[Tensor, State]:
    """Logits (vocabulary,) of what follows `token`, on the CPU, and the new state."""
    output = model(torch.tensor([[token]], device=model.bias.device), state)
    return output.logits[0, -1].cpu().double(), output.state


def distribution(logits: Tensor, sampling: Sampling) -> Tensor:
    """The probabilities (vocabulary,) from which the next token is drawn: temperature, top-k, top-p, then min-p."""
    if sampling.temperature <= 0:
        return torch.zeros_like(logits).index_fill(0, logits.argmax(), 1.0)
    shares = ((logits - logits.max()) / sampling.temperature).softmax(0)
    if sampling.top_k or sampling.top_p < 1:
        shares = _likeliest(shares, sampling.top_k or len(shares), sampling.top_p)
    shares[shares < sampling.min_p * shares.max()] = 0
    return shares / shares.sum()


def _likeliest(shares: Tensor, top_k: int, top_p: float) -> Tensor:
    """`shares` with 0 for all but the `top_k` highest, and of these for all that `top_p` does not need."""
    high, places = shares.topk(min(top_k, len(shares)))
    likelier = high.cumsum(0)[:-1]
    high[1:][likelier >= top_p * high.sum()] = 0
    return torch.zeros_like(shares).scatter(0, places, high)


class Repeats:
    """Knows which tokens would write a sequence of `length` tokens a second time; 0 allows all."""

    def __init__(self, length: int, written: Iterable[int]):
        self._length = length
        self._followers: dict[tuple[int, ...], list[int]] = defaultdict(list)
        self._last: tuple[int, ...] = ()
        for token in written:
            self.add(token)

    def add(self, token: int) -> None:
        if not self._length:
            return
        if len(self._last) == self._length - 1:
            self._followers[self._last].append(token)
        self._last = (*self._last, token)[-(self._length - 1) :] if self._length > 1 else ()

    def next(self) -> list[int]:
        """The tokens that would now repeat a sequence."""
        return self._followers.get(self._last, [])


# Words


def _words(tokens: Iterator[int], vocab: Vocabulary, prompt: list[int]) -> Iterator[str]:
    """Text of the tokens, a finished word at a time; capitals and repeats in place of their markers.

    Only the last tokens are decoded with each new one, so that the work grows with the length of the text alone.
    """
    before, waiting = prompt[-CONTEXT:], list[int]()
    shown = vocab.decode(before)
    for token in tokens:
        waiting.append(token)
        count = len(waiting) if len(waiting) == LONGEST_WORD else _finished(before, waiting, shown, vocab)
        if count:
            before, waiting = [*before, *waiting[:count]], waiting[count:]
            yield vocab.decode(before)[len(shown) :]
            before = before[-CONTEXT:]
            shown = vocab.decode(before)
    yield vocab.decode([*before, *waiting])[len(shown) :]


def _finished(before: list[int], waiting: list[int], shown: str, vocab: Vocabulary) -> int:
    """How many of the waiting tokens make up a word that another one follows, or 0; `shown` is the text before them.

    A marker or its number alone is no word: with the token after it the text is another one.
    """
    whole = vocab.decode([*before, *waiting])
    if " " not in whole[len(shown) :].lstrip():
        return 0
    for count in range(1, len(waiting)):
        text = vocab.decode([*before, *waiting[:count]])
        if len(text) > len(shown) and whole.startswith(f"{text} "):
            return count
    return 0


def _until(words: Iterator[str], stop: str) -> Iterator[str]:
    """The text before the first `stop`. Words that may be the beginning of it wait for what follows."""
    held = ""
    for word in words:
        held += word
        if stop in held:
            yield held[: held.index(stop)].rstrip()
            return
        if not any(held.endswith(stop[:count]) for count in range(1, len(stop))):
            yield held
            held = ""
    yield held


def _at_most(words: Iterator[str], spaces: int) -> Iterator[str]:
    """The text up to so many spaces."""
    for word in words:
        parts = word.split(" ")
        yield " ".join(parts[: spaces + 1])
        spaces -= len(parts) - 1
        if spaces <= 0:
            return


class Generator:
    """A saved language model, ready to write."""

    def __init__(self, model: LanguageModel, vocab: Vocabulary):
        self.model = model
        self.vocab = vocab

    @classmethod
    def load(cls, folder: Path) -> Generator:
        """Open a bundle. Raises UserError if it holds no language model."""
        bundle = bundles.load(folder)
        if not isinstance(bundle.model, LanguageModel):
            raise UserError(f"{folder} holds a classifier, which cannot write text. Choose a language model.")
        return cls(bundle.model, bundle.vocab)

    def generate(self, prompt: str, **options: Any) -> str:
        """`prompt` continued; `options` are the fields of `Sampling`."""
        return continue_text(self.model, self.vocab, prompt, **options)

    def stream(self, prompt: str, sampling: Sampling) -> Iterator[str]:
        """`prompt`, then word by word what follows it."""
        return stream(self.model, self.vocab, prompt, sampling)
