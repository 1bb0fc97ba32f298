"""Whether texts are in the language that the starter's vocabulary was learned from, told by how it cuts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import Vocabulary

# Measured by benchmarks/language_fit.py with an English vocabulary of 8,000 pieces: ten sets of English data have 1.3
# (short notes) to 1.9 pieces a word (tweets) and at most 3.2 % unknown tokens (tweets, for their emoji). Example
# sentences in other languages have 2.3 (Italian), 2.7 (French, Portuguese), 2.8 (Spanish) or more, German tweets 3.6;
# of what is written in other letters 17 % of the tokens or more are unknown.
MOST_PIECES_PER_WORD = 2.1
MOST_UNKNOWN = 0.1


@dataclass(frozen=True)
class Fit:
    """What texts become under a vocabulary: pieces for each word between white space, marks of capitals and repeats
    not counted, and the share of all tokens that are unknown."""

    pieces_per_word: float
    unknown: float

    @property
    def is_good(self) -> bool:
        return self.pieces_per_word <= MOST_PIECES_PER_WORD and self.unknown <= MOST_UNKNOWN


def fit(vocabulary: Vocabulary, texts: Sequence[str]) -> Fit:
    """Cut `texts` with a vocabulary of pieces of words and count."""
    ids = np.concatenate([np.empty(0, np.int64), *vocabulary.encode(texts)])
    unknown = int((ids == vocabulary.unk).sum())
    pieces = int((ids >= len(SPECIALS)).sum()) + unknown
    words = sum(len(text.split()) for text in texts)
    return Fit(pieces / max(words, 1), unknown / max(len(ids), 1))
