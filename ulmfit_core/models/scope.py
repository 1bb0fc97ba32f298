"""How familiar a text is to a classifier: three cheap signs, weighed on validation rows (`inference/scope.py`).

The signs are the largest score before softmax, how decided the answer is (its entropy), and the share of the text's
pairs of neighbouring tokens that some training text has. Of those that `benchmarks/scope.py` compares, their sum told
out-of-scope texts best among what needs no second model. Read from one file that can run nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from ulmfit_core import files, reading
from ulmfit_core.errors import UserError
from ulmfit_core.models.checks import content_hash, require

FILE = "scope.safetensors"
SIGNS = 3
# A table of pairs has 2 to the power of this many bits at most: 2 MB.
FEWEST_BITS, MOST_BITS = 13, 24
MOST_POINTS = 1_001
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing (Knuth, volume 3, 6.4)


@dataclass(frozen=True)
class Pairs:
    """Which pairs of neighbouring tokens there were: one bit a pair at its hash, so that a few unseen ones count as
    seen. `table` (2^bits / 8,) uint8."""

    table: np.ndarray

    @classmethod
    def of(cls, documents: Iterable[np.ndarray], most: int) -> Pairs:
        """Those of the documents, which have at most `most` pairs in all: the table has 8 to 16 bits for each."""
        bits = int(np.clip(np.ceil(np.log2(8 * max(most, 1))), FEWEST_BITS, MOST_BITS))
        seen = np.zeros(1 << bits, bool)
        for document in documents:
            seen[_places(document, bits)] = True
        return cls(np.packbits(seen))

    def known(self, document: np.ndarray) -> float:
        """The share of the document's pairs that are there; 0 for a text of a single token."""
        places = _places(document, int(np.log2(8 * len(self.table))))
        if len(places) == 0:
            return 0.0
        return float((self.table[places >> 3] >> (7 - (places & 7)).astype(np.uint8) & 1).mean())


def _places(document: np.ndarray, bits: int) -> np.ndarray:
    ids = np.asarray(document).astype(np.uint64)
    pairs = (ids[:-1] << np.uint64(32)) | ids[1:]
    return ((pairs * _GOLDEN) >> np.uint64(64 - bits)).astype(np.int64)


def signs(pairs: Pairs, documents: Sequence[np.ndarray], scores: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """(texts, SIGNS) float64, higher the more familiar.

    `documents`: token ids; `scores` (texts, classes) of the network before softmax; `answers` (texts, classes): the
    probabilities that are answered.
    """
    shares = np.maximum(answers.astype(np.float64), 1e-12)
    decided = (shares * np.log(shares)).sum(1)
    known = [pairs.known(document) for document in documents]
    return np.column_stack([scores.astype(np.float64).max(1), decided, known])


@dataclass(frozen=True)
class Tail:
    """Below `start`, which `share` of the validation rows do not exceed, the share falls by e with each `scale`."""

    start: float
    share: float
    scale: float


@dataclass(frozen=True)
class Scope:
    """The fitted statistics. `centre`, `spread` (SIGNS,): mean and deviation of each sign over the validation rows;
    `points` (n,) ascending: sums of the standardised signs, below which the share of `rows` rises evenly from the
    tail's to 1."""

    rows: int
    pairs: Pairs
    centre: np.ndarray
    spread: np.ndarray
    points: np.ndarray
    tail: Tail

    def familiar(self, documents: Sequence[np.ndarray], scores: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """(texts,) share of validation rows that are no more familiar, 0 to 1. Arguments as of `signs`."""
        if not len(documents):
            return np.empty(0)
        sums = summed(signs(self.pairs, documents, scores, answers), self.centre, self.spread)
        inside = np.interp(sums, self.points, np.linspace(self.tail.share, 1, len(self.points)))
        beyond = self.tail.share * np.exp(np.minimum(sums - self.tail.start, 0) / self.tail.scale)
        return np.where(sums < self.tail.start, beyond, inside)

    def save(self, folder: Path) -> str:
        """Write the file; returns the hash by which `load` knows it."""
        tail = self.tail
        content = safetensors.numpy.save({
            "pairs": self.pairs.table, "centre": self.centre, "spread": self.spread, "points": self.points,
            "tail": np.array([tail.start, tail.share, tail.scale]), "rows": np.array([self.rows]),
        })  # fmt: skip
        files.write_bytes(folder / FILE, content)
        return content_hash(content)

    @classmethod
    def load(cls, folder: Path, expected: str) -> Scope:
        """Raises UserError where the file is absent, damaged or of another model than `expected` says."""
        try:
            content = reading.content(folder / FILE)
            require(content_hash(content) == expected, "it is not the one that was saved with this model")
            return _checked(safetensors.numpy.load(content))
        except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
            raise UserError(
                f"{folder}: {FILE}, which tells unknown texts, cannot be used: {reading.shortened(str(error))}. "
                "Restore the folder from its source, or train the classifier again."
            ) from None


def summed(found: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """(texts,) sums of the standardised signs (texts, SIGNS)."""
    return ((found - centre) / spread).sum(1)


def _checked(stored: dict[str, np.ndarray]) -> Scope:
    """Raises ValueError or KeyError at what no fit could have left."""
    table, points, tail = stored["pairs"], stored["points"], stored["tail"]
    bits = int(8 * len(table)).bit_length() - 1
    require(table.dtype == np.uint8 and table.shape == (1 << max(bits - 3, 0),), "its table of pairs has a wrong size")
    require(FEWEST_BITS <= bits <= MOST_BITS, "its table of pairs has a wrong size")
    for name, shape in (("centre", (SIGNS,)), ("spread", (SIGNS,)), ("points", points.shape), ("tail", (3,))):
        value = stored[name]
        require(value.shape == shape and value.dtype == np.float64, f"its {name} has a wrong size")
        require(bool(np.isfinite(value).all()), f"its {name} holds no number")
    require(points.ndim == 1 and 2 <= len(points) <= MOST_POINTS, "its points have a wrong size")
    require(bool((np.diff(points) >= 0).all()) and bool((stored["spread"] > 0).all()), "its points are in disorder")
    require(0 < tail[1] <= 1 and tail[2] > 0, "its tail is impossible")
    require(stored["rows"].shape == (1,) and stored["rows"].dtype == np.int64, "its rows are no number")
    place = Tail(*(float(value) for value in tail))
    return Scope(int(stored["rows"][0]), Pairs(table), stored["centre"], stored["spread"], points, place)
