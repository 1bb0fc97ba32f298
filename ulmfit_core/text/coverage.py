"""Facts about a vocabulary for the person who chooses one: what its size is worth, what it lacks, what it shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ulmfit_core.text.vocab import Vocabulary

SIZES = (2000, 4000, 8000, 16_000, 32_000)
# Token ids that are counted at once.
BLOCK = 2**24


@dataclass(frozen=True)
class Figures:
    """What a sample becomes: tokens for each word between white space, and the share of tokens that are unknown."""

    size: int
    tokens_per_word: float
    unknown: float


def by_size(vocabulary: Vocabulary, texts: Sequence[str], sizes: Iterable[int] = SIZES) -> list[Figures]:
    """Figures of the vocabulary cut down to each of the smaller `sizes`, and of itself as the last.

    What is left is the most frequent; single characters stay, whatever the size. One that was learned at that size
    is slightly better, for its pieces were chosen to go together.
    """
    words = max(sum(len(text.split()) for text in texts), 1)
    smaller = [vocabulary.cut_down(size) for size in sorted(sizes) if size < vocabulary.size]
    return [_figures(one, texts, words) for one in [*smaller, vocabulary]]


def _figures(vocabulary: Vocabulary, texts: Sequence[str], words: int) -> Figures:
    encoded = vocabulary.encode(texts)
    count = sum(map(len, encoded))
    unknown = sum(int((ids == vocabulary.unk).sum()) for ids in encoded)
    return Figures(vocabulary.size, count / words, unknown / max(count, 1))


def most_frequent(ids: np.ndarray, vocabulary: Vocabulary, count: int) -> list[tuple[str, int]]:
    """The most frequent tokens of a long array of ids (tokens,), which may be memory-mapped, and how often each is."""
    found = np.zeros(vocabulary.size, np.int64)
    for start in range(0, len(ids), BLOCK):
        found += np.bincount(ids[start : start + BLOCK], minlength=vocabulary.size)
    pieces, order = vocabulary.pieces, np.argsort(-found, kind="stable")
    return [(pieces[number], int(found[number])) for number in order[:count] if found[number]]


def most_unknown(vocabulary: Vocabulary, texts: Sequence[str], count: int) -> list[tuple[str, int]]:
    """What the vocabulary does not know in these texts, the most frequent first, and how often each is."""
    return Counter(vocabulary.unknown_in(texts)).most_common(count)


def overlap(vocabulary: Vocabulary, other: Vocabulary) -> float:
    """Share of the vocabulary's own tokens that the `other` has, too; special tokens do not count."""
    own = {piece for piece in vocabulary.pieces if not piece.startswith("xx")}
    return len(own & set(other.pieces)) / max(len(own), 1)
