"""Which words a text holds, weighed (TF-IDF, logistic regression), and how a classifier's answers are pooled with them.

The terms are words and pairs of words; text before them is lowercased. Nothing here is fitted: that is
`inference/blend.py`. Read from two files, JSON for the terms and safetensors for the numbers; neither can run anything.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from scipy.sparse import csr_matrix

from ulmfit_core import files, reading
from ulmfit_core.errors import UserError
from ulmfit_core.models.checks import content_hash, require

TERMS, NUMBERS = "word_counts.json", "word_counts.safetensors"
# The most common ones. Fitted on 20,000 IMDb reviews, 100,000, 200,000 and 300,000 of them take 1.9, 3.9 and 5.9 MB in
# a bundle; of 3,000 further reviews they answer .909, .910 and .911 right, which is within the noise of so many rows,
# at a loss of .234, .238 and .239.
MOST_TERMS = 100_000
# Neither side can rule a label out: less than this it gives to none.
FLOOR = 1e-5


@dataclass(frozen=True)
class WordCounts:
    """The fitted model. Coefficients are half precision from the start, so that what was measured is what is saved.

    `rows`: training texts; `document_counts` (terms,): in how many of them each term is; `classes`: numbers of the
    labels that were in them, among `labels`; `coefficients` (classes, terms), or (1, terms) for the second of two
    classes against the first; `intercept` (classes,) or (1,).
    """

    rows: int
    terms: list[str]
    document_counts: np.ndarray
    classes: list[int]
    labels: int
    coefficients: np.ndarray
    intercept: np.ndarray

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """(texts, labels) float64, each row summing to 1; 0 for a label that had no training text."""
        if not texts:
            return np.zeros((0, self.labels))
        features = self._features(texts)
        found = np.unique(features.indices)  # all coefficients in double precision would take longer than the rest
        return self.shares(features[:, found] @ self.coefficients[:, found].astype(np.float64).T + self.intercept)

    def shares(self, scores: np.ndarray) -> np.ndarray:
        """(texts, labels) that scores (texts, classes), or (texts, 1) of the second of two classes, stand for."""
        answer = np.zeros((len(scores), self.labels))
        if len(self.intercept) == 1:
            scores = np.hstack([np.zeros_like(scores), scores])
        shares = np.exp(scores - scores.max(1, keepdims=True))
        answer[:, self.classes] = shares / shares.sum(1, keepdims=True)
        return answer

    def _features(self, texts: Sequence[str]) -> csr_matrix:
        return self._vectorizer.transform(texts)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The place of each term in `terms`."""
        return {term: number for number, term in enumerate(self.terms)}

    @cached_property
    def rarity(self) -> np.ndarray:
        """(terms,): the inverse document frequency by which each count is multiplied."""
        rarity: np.ndarray = np.log((1 + self.rows) / (1 + self.document_counts)) + 1
        return rarity

    @cached_property
    def _vectorizer(self) -> Any:
        vectorizer = new_vectorizer(vocabulary=self.numbers)
        vectorizer.idf_ = self.rarity
        return vectorizer

    def save(self, folder: Path) -> str:
        """Write the two files; returns the hash by which `load` knows them."""
        facts = {
            "rows": self.rows, "labels": self.labels, "classes": self.classes, "terms": self.terms,
            "document_counts": self.document_counts.tolist(),
        }  # fmt: skip
        # safetensors writes memory as it lies, whatever its order; scikit-learn's lies by columns.
        numbers = {"coefficients": np.ascontiguousarray(self.coefficients), "intercept": self.intercept}
        written = json.dumps(facts, ensure_ascii=False).encode(), safetensors.numpy.save(numbers)
        for name, content in zip((TERMS, NUMBERS), written, strict=True):
            files.write_bytes(folder / name, content)
        return content_hash(*written)

    @classmethod
    def load(cls, folder: Path, expected: str, labels: int) -> WordCounts:
        """Raises UserError where a file is absent, damaged or of another model than `expected` says."""
        try:
            written = [reading.content(folder / name) for name in (TERMS, NUMBERS)]
            require(content_hash(*written) == expected, "they are not those that were saved with this model")
            return _checked(reading.parsed(written[0]), safetensors.numpy.load(written[1]), labels)
        except (OSError, ValueError, KeyError, TypeError, OverflowError, safetensors.SafetensorError) as error:
            raise UserError(
                f"{folder}: the word counts in {TERMS} and {NUMBERS} cannot be used: {reading.shortened(str(error))}. "
                "Restore the folder from its source, or train the classifier again."
            ) from None


@dataclass(frozen=True)
class Exponents:
    """How sharp each side's probabilities enter a pool: below 1 flatter than they were, above 1 steeper.

    Without word counts (`words` 0) `network` is the inverse of the network's temperature. 0: that side is not asked.
    """

    network: float
    words: float = 0.0

    @property
    def weight(self) -> float:
        """The share of word counts that people are shown, from 0 to 1."""
        return self.words / (self.network + self.words)


@dataclass(frozen=True)
class Pool:
    """What is made of a network's probabilities: they are sharpened or flattened and, with `words`, blended."""

    exponents: Exponents
    words: WordCounts | None = None

    def answers(self, network: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """(texts, labels) float32 from the network's probabilities for the same texts."""
        words = self.words.probabilities(texts) if self.words else None
        return pooled(network, words, self.exponents).astype(np.float32)


def pooled(network: np.ndarray | None, words: np.ndarray | None, exponents: Exponents) -> np.ndarray:
    """The logarithmic pool (Genest & Zidek 1986) of two arrays (texts, labels); float64, each row summing to 1.

    p ∝ network^exponents.network · words^exponents.words, of one alone where the other is None.
    """
    sides = ((network, exponents.network), (words, exponents.words))
    logs = sum(exponent * log_shares(side) for side, exponent in sides if side is not None)
    assert isinstance(logs, np.ndarray)
    shares = np.exp(logs - logs.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)


def log_shares(shares: np.ndarray) -> np.ndarray:
    """Logarithms in float64, of FLOOR at least."""
    return np.log(np.maximum(shares.astype(np.float64), FLOOR))


def new_vectorizer(**options: Any) -> Any:
    """scikit-learn's TF-IDF of words and pairs of words, with the logarithm of each count."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, **options)


def _checked(facts: dict[str, Any], numbers: dict[str, np.ndarray], labels: int) -> WordCounts:
    """Raises ValueError, KeyError or TypeError at what no fit could have left."""
    counts = np.asarray(facts["document_counts"])
    words = WordCounts(
        facts["rows"], facts["terms"], counts, facts["classes"], labels,
        numbers["coefficients"], numbers["intercept"],
    )  # fmt: skip
    require(facts["labels"] == labels, "they are for other labels")
    _check_terms(words)
    _check_numbers(words)
    return words


def _check_terms(words: WordCounts) -> None:
    terms, counts = words.terms, words.document_counts
    require(type(words.rows) is int and isinstance(terms, list), "they hold no list of terms")
    require(0 < len(terms) <= MOST_TERMS and all(type(term) is str for term in terms), "they hold no list of terms")
    require(len(set(terms)) == len(terms), "a term is there twice")
    require(counts.shape == (len(terms),) and counts.dtype == np.int64, "a term lacks its count")
    require(bool(counts.min() >= 1 and counts.max() <= words.rows), "a count is impossible")


def _check_numbers(words: WordCounts) -> None:
    classes, size = words.classes, len(words.intercept)
    places = isinstance(classes, list) and all(type(number) is int for number in classes)
    require(places and len(classes) >= 2 and classes == sorted(set(classes)), "the classes are no list of numbers")
    require(classes[0] >= 0 and classes[-1] < words.labels, "a class is none of the labels")
    require(size == (1 if len(classes) == 2 else len(classes)), "there are not as many numbers as classes")
    require(words.coefficients.shape == (size, len(words.terms)), "there are not as many numbers as terms")
    require(words.intercept.shape == (size,), "there are not as many numbers as classes")
    require(words.coefficients.dtype == np.float16, "a coefficient is not of half precision")
    require(words.intercept.dtype == np.float32, "an intercept is not of single precision")
    require(bool(np.isfinite(words.coefficients).all() and np.isfinite(words.intercept).all()), "a number is none")
