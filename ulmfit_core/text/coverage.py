"""Facts about a vocabulary for the person who chooses one: what its size is worth, what it lacks, what it shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import Vocabulary
from ulmfit_core.text.words import FAKE

# How often a vocabulary's size is halved for the smaller ones that it is compared with.
HALVINGS = 4
# Token ids that are counted at once: 34 MB as counting needs them.
BLOCK = 2**22


@dataclass(frozen=True)
class Figures:
    """What a sample becomes: tokens for each word between white space, and the share of tokens that are unknown."""

    size: int
    tokens_per_word: float
    unknown: float


def smaller_sizes(vocabulary: Vocabulary, also: int = 0) -> list[int]:
    """Sizes to compare a vocabulary with, the smallest first; `also` is one of them if it is smaller."""
    halves = {vocabulary.size >> times for times in range(1, HALVINGS + 1)}
    return sorted(size for size in {*halves, also} if len(SPECIALS) < size < vocabulary.size)


def by_size(vocabulary: Vocabulary, texts: Sequence[str], sizes: Iterable[int]) -> list[Figures]:
    """Figures of the vocabulary cut down to each of the smaller `sizes`, and of itself as the last; the smallest first.

    What is left is the most frequent; pieces of one character stay, whatever the size, so that two sizes may come to
    the same. One that was learned at that size is slightly better, for its pieces were chosen to go together.
    """
    words = max(sum(len(text.split()) for text in texts), 1)
    smaller = (vocabulary.cut_down(size) for size in sizes if size < vocabulary.size)
    found = (_figures(one, texts, words) for one in chain(smaller, [vocabulary]))
    return list({figures.size: figures for figures in found}.values())


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
    own = set(vocabulary.pieces) - {*SPECIALS, FAKE}
    return len(own & set(other.pieces)) / max(len(own), 1)
