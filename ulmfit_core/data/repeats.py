"""Texts that stand more than once: counted, and found wherever a text of the test stands elsewhere."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def text_hash(text: str) -> int:
    """A number for a text that ignores differences in white space. It differs from process to process."""
    return hash(" ".join(text.split()))


def hashes(texts: Iterable[str]) -> np.ndarray:
    """int64, shape (texts,): equal where the texts are, white space apart."""
    return np.fromiter(map(text_hash, texts), np.int64)


def stand_in(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """bool, shape (values,): whether each value is one of `known`, which is sorted."""
    if not len(known):
        return np.zeros(len(values), bool)
    places = np.searchsorted(known, values).clip(max=len(known) - 1)
    found: np.ndarray = known[places] == values
    return found


def count_repeats(numbers: np.ndarray, labels: np.ndarray) -> dict[str, int]:
    """How often texts repeat. `numbers` and `labels` have shape (rows,), a label of -1 is none.

    Returns `repeated_rows`, that repeat the text of an earlier row, and of the different texts
    `contradicting_texts`, that carry more than one label.
    """
    texts = len(np.unique(numbers))
    labelled = np.unique(np.stack([numbers, labels], 1)[labels >= 0], axis=0)
    _, answers = np.unique(labelled[:, 0], return_counts=True)
    return {"repeated_rows": len(numbers) - texts, "contradicting_texts": int((answers > 1).sum())}
