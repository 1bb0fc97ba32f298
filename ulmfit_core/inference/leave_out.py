"""What a classifier reads of a text with one word left out, for each word in turn, without reading it all each time.

Of a long text the network reads only some tokens behind the word again: further on it has nearly forgotten what is
missing, and what it said of the whole text is taken. Of a text of up to 150 words or so all is read again, which is
exact but for how a word's neighbours are cut into pieces. The word counts are exact always.
"""

from __future__ import annotations

import bisect
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ulmfit_core.models.awd_lstm import State, joined
from ulmfit_core.models.classifier import Classifier
from ulmfit_core.models.word_counts import WordCounts
from ulmfit_core.text.rules import SPECIALS, UNK
from ulmfit_core.text.vocab import SPACE

Span = tuple[int, int]
# Tokens that are read again for all words together, and at least behind each word.
TOKENS, LEAST = 30_000, 16
# A state is kept at every so many tokens: a call of the network for one token takes as long as for this many.
STEP = 16
# Tokens that are read at once.
BATCH = 8_192
# How far behind its place a token is looked for in the text, in characters.
REACH = 30
REPEATS = ("xxrep", "xxwrep")
# A term of the word counts, as scikit-learn finds it.
TERM = re.compile(r"(?u)\b\w\w+\b")
LOWEST = -1e30


# The network


@torch.inference_mode()
def read_without(
    model: Classifier, ids: np.ndarray, words: Sequence[Span], between: Callable[[], object] = bool, window: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Features (1 + words, 3 × features) and scores (1 + words, classes), both float32, of the document `ids` (tokens,)
    and of it without each word.

    A word is its tokens, from the first number to before the second; one without tokens changes nothing. `window`
    tokens behind it are read again; 0: as many as there is time for.
    """
    first = model.first_pooled(len(ids))
    # Of words farther before all that is pooled nothing that is read again would be: they count as left in.
    near = [number for number, (_, end) in enumerate(words) if end + LEAST > first]
    window = window or max(LEAST, TOKENS // max(1, len(near)))
    whole = Whole(model, ids, first, between)
    parts = [whole.features()]
    batch = max(1, BATCH // (STEP + min(window, len(ids))))
    for start in range(0, len(near), batch):
        between()
        some = [words[number] for number in near[start : start + batch]]
        parts.append(whole.features_without(np.array(some), window))
    places = torch.zeros(1 + len(words), dtype=torch.int64)
    places[[1 + number for number in near]] = torch.arange(len(near)) + 1
    features = torch.cat(parts)[places]
    return features.cpu().numpy(), model.head(features, None).float().cpu().numpy()


class Whole:
    """A document read once, ready to be pooled anew with some of its outputs exchanged."""

    def __init__(self, model: Classifier, ids: np.ndarray, first: int, between: Callable[[], object]):
        """`ids` (tokens,), of which those from the `first` on are pooled. `between` is called before STEP of them."""
        self._encoder = model.encoder
        self._ids, self._first = ids.astype(np.int64), first
        self._outputs, self._states = self._read(between)
        pooled = torch.arange(len(ids), device=self._device)[:, None] >= self._first
        none = self._outputs.new_zeros(1, self._outputs.shape[1])
        high = self._outputs.masked_fill(~pooled, LOWEST)
        # Of all tokens before one, or of those from one on: sums, and the highest outputs.
        self._sums = torch.cat([none.double(), (self._outputs * pooled).double().cumsum(0)])
        self._highest_before = torch.cat([none + LOWEST, high.cummax(0).values])
        self._highest_from = torch.cat([high.flip(0).cummax(0).values.flip(0), none + LOWEST])

    @property
    def _device(self) -> torch.device:
        return self._encoder.embedding.device

    def _read(self, between: Callable[[], object]) -> tuple[Tensor, list[State]]:
        """Outputs (tokens, features), and the state before every STEP-th token."""
        tokens = torch.from_numpy(self._ids).to(self._device)[None]
        state, states, outputs = self._encoder.initial_state(1), list[State](), list[Tensor]()
        for start in range(0, len(self._ids), STEP):
            between()
            states.append(state)
            output, state = self._encoder(tokens[:, start : start + STEP], state)
            outputs.append(output[0].float())
        return torch.cat(outputs), states

    def features(self) -> Tensor:
        """(1, 3 × features) of the whole document."""
        mean = self._sums[-1].float() / (len(self._ids) - self._first)
        return torch.cat([self._outputs[-1], self._highest_from[0], mean])[None]

    def features_without(self, words: np.ndarray, window: int) -> Tensor:
        """(words, 3 × features) without each of `words` (words, 2), read again from the nearest state before it."""
        begin, end = words.T
        start = np.minimum(begin, len(self._ids) - 1) // STEP * STEP
        until = np.minimum(end + window, len(self._ids))  # from here on the old outputs hold
        places = [
            np.concatenate([np.arange(start[row], begin[row]), np.arange(end[row], until[row])])
            for row in range(len(words))
        ]
        output, new = self._read_again(places, start)
        bounds = [torch.from_numpy(each).to(self._device) for each in (begin, end, start, until)]
        return self._pooled(output, new, *bounds)

    def _read_again(self, places: list[np.ndarray], start: np.ndarray) -> tuple[Tensor, Tensor]:
        """Outputs (words, time, features) at these places; and the places (words, time), -1 past the last."""
        which = np.full((len(places), max(1, *map(len, places))), -1)
        for row, each in enumerate(places):
            which[row, : len(each)] = each
        states = [self._states[number] for number in (start // STEP).tolist()]
        output, _ = self._encoder(torch.from_numpy(self._ids[which]).to(self._device), joined(states))
        return output.float(), torch.from_numpy(which).to(self._device)

    def _pooled(self, output: Tensor, new: Tensor, begin: Tensor, end: Tensor, start: Tensor, until: Tensor) -> Tensor:
        """Last, max, mean: of the old outputs before `start` and from `until` on, and of the new `output` between."""
        taken = (new >= self._first).unsqueeze(-1)
        sums = self._sums[-1] - self._sums[until] + self._sums[start] + (output * taken).double().sum(1)
        count = len(self._ids) - self._first - (end - begin.clamp(min=self._first)).clamp(min=0)
        highest = torch.maximum(self._highest_before[start], self._highest_from[until])
        highest = torch.maximum(highest, output.masked_fill(~taken, LOWEST).amax(1))
        length = (new >= 0).sum(1)
        newest = output[torch.arange(len(output), device=self._device), (length - 1).clamp(min=0)]
        newest = torch.where((length > 0).unsqueeze(-1), newest, self._outputs[(start - 1).clamp(min=0)])
        last = torch.where((until == len(self._ids)).unsqueeze(-1), newest, self._outputs[-1])
        mean = (sums / count.clamp(min=1).unsqueeze(-1)).float()
        nothing = (count < 1).unsqueeze(-1)  # is left to pool
        return torch.cat([last, torch.where(nothing, last, highest), torch.where(nothing, last, mean)], 1)


# Which tokens are a word's


def tokens_of(words: Sequence[Span], text: str, tokens: Sequence[str]) -> list[Span]:
    """Of each word, given by its characters, the first of its tokens and the one behind its last.

    Tokens are looked for by their characters, one behind the other. Markers, which stand in no text, go with the token
    behind them; what a rule has changed beyond recognition goes with the word that stands there.
    """
    owners = np.full(len(tokens), len(words) - 1)
    lowered, begins = _lowered(text), [begin for begin, _ in words]
    place = first = 0
    shown = [token.replace(SPACE, "") for token in tokens]
    for number, token in enumerate(shown):
        if _stands_in_no_text(token, shown[number - 1]):
            continue
        found = lowered.find(token, place, place + len(token) + REACH)
        owner = _word_at(words, begins, place if found < 0 else found)
        if found >= 0:
            place = found + len(token)
        elif token == SPECIALS[UNK]:
            place = words[owner][1]
        owners[first : number + 1] = owner
        first = number + 1
    owners[0] = -1  # xxbos is no word's
    owners = np.maximum.accumulate(owners)
    ends = (np.searchsorted(owners, np.arange(len(words)), side).tolist() for side in ("left", "right"))
    return list(zip(*ends, strict=True))


def _stands_in_no_text(token: str, before: str) -> bool:
    """Whether it is a marker, the number behind the marker of a repetition, or a bare space."""
    return not token or token in SPECIALS[UNK + 1 :] or (before in REPEATS and token.isdigit())


def _word_at(words: Sequence[Span], begins: Sequence[int], place: int) -> int:
    """The word that holds a character, or the next one."""
    number = bisect.bisect_right(begins, place) - 1
    inside = number >= 0 and place < words[number][1]
    return number if inside else min(number + 1, len(words) - 1)


def _lowered(text: str) -> str:
    """In lower case, character by character: as long as the text."""
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


# The word counts


def counts_without(counted: WordCounts, text: str, words: Sequence[Span]) -> np.ndarray:
    """(1 + words, labels): the probabilities by word counts of the text, and without each word.

    A word that is only a part of a term takes all of it away.
    """
    found = [(match.start(), match[0].lower()) for match in TERM.finditer(text)]
    starts, terms = [start for start, _ in found], [term for _, term in found]
    weighed = Weighed(counted, terms)
    rows = [weighed.changed([], [])]
    for begin, end in words:
        low, high = bisect.bisect_left(starts, begin), bisect.bisect_left(starts, end)
        if low and starts[low - 1] + len(terms[low - 1]) > begin:
            low -= 1
        before, behind = terms[max(0, low - 1) : low], terms[high : high + 1]
        rows.append(weighed.changed([*before, *terms[low:high], *behind], [*before, *behind]))
    return counted.shares(np.stack(rows))


class Weighed:
    """The terms of a text with their weights (TF-IDF with the logarithm of each count), of which some may change."""

    def __init__(self, counted: WordCounts, terms: Sequence[str]):
        self._counted = counted
        self._counts = self._known(terms)
        self._products = np.zeros(len(counted.intercept))
        self._squares = 0.0
        self._products, self._squares = self._with({number: (0, count) for number, count in self._counts.items()})

    def changed(self, before: Sequence[str], after: Sequence[str]) -> np.ndarray:
        """Scores (classes,) of the text in which the neighbouring terms `before` became `after`."""
        old, new = self._known(before), self._known(after)
        had = self._counts
        products, squares = self._with({each: (had[each], had[each] + new[each] - old[each]) for each in old | new})
        # What cancels out leaves a little of its rounding.
        return self._counted.intercept + (products / math.sqrt(squares) if squares > 1e-9 else 0 * products)

    def _known(self, terms: Sequence[str]) -> Counter[int]:
        """How often the model's terms, words and pairs of words, are among these."""
        numbers = self._counted.numbers
        pairs = (f"{one} {other}" for one, other in itertools.pairwise(terms))
        return Counter(numbers[term] for term in (*terms, *pairs) if term in numbers)

    def _with(self, counts: dict[int, tuple[int, int]]) -> tuple[np.ndarray, float]:
        """Sum of weights times coefficients and sum of squared weights once these counts, by the term, have changed."""
        products, squares, rarity = self._products.copy(), self._squares, self._counted.rarity
        for number, (old, new) in counts.items():
            was, becomes = (rarity[number] * (1 + math.log(count) if count else 0) for count in (old, new))
            products += (becomes - was) * self._counted.coefficients[:, number].astype(np.float64)
            squares += becomes**2 - was**2
        return products, squares
