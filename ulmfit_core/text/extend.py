"""A pretrained model's vocabulary with new pieces, learned from other text.

A text in which none of the new pieces stands is cut as before: its choices are the old ones with their old scores.
"""

from __future__ import annotations

from ulmfit_core.errors import UserError
from ulmfit_core.text import vocab
from ulmfit_core.text.model_file import with_pieces
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import Pieces, Vocabulary

KIND = "unigram"


def check(base: Vocabulary) -> Pieces:
    """The base, if it can be extended. Raises UserError where it is no vocabulary of unigram pieces."""
    kind = base.facts.get("kind", KIND)
    if not isinstance(base, Pieces) or kind != KIND:
        raise UserError(
            f"Only a vocabulary of unigram pieces can be extended; the pretrained model's is of the kind “{kind}”. "
            "Set vocab.extend to 0 to take it as it is, or switch vocab.reuse off to learn a new one."
        )
    return base


def extended(base: Pieces, learned: Pieces, count: int) -> Vocabulary:
    """The base and behind it the `count` most frequent pieces of `learned` that it lacks, or as many as there are.

    The vocabulary's settings name the base's hash as `extends`.
    """
    known = {*base.pieces, vocab.UNKNOWN}
    scores = [score for piece, score in base.scores() if piece not in (*SPECIALS, vocab.UNKNOWN)]
    low, high = min(scores), max(scores)
    # The lowest and the highest score weigh unknown characters and special tokens: they must stay what they are.
    new = [(piece, min(max(score, low), high)) for piece, score in learned.scores() if piece not in known]
    settings = {**base.facts.get("settings", {}), "extends": base.hash}
    return vocab.new_vocabulary(KIND, with_pieces(base.content, new[:count]), base.rules, settings)
