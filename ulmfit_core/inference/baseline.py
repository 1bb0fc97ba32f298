"""What one gets without a language model: the majority class, and TF-IDF with logistic regression."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ulmfit_core.models.word_counts import new_vectorizer


def new_regression() -> Any:
    """The logistic regression over TF-IDF, here and where a classifier is blended with it."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=10, max_iter=1000)


def tfidf_guesses(texts: Iterable[str], labels: np.ndarray, test: Iterable[str]) -> np.ndarray:
    """Label numbers for `test` from words and word pairs of the training `texts`."""
    words, model = new_vectorizer(), new_regression()
    model.fit(words.fit_transform(texts), labels)
    return model.predict(words.transform(test))


def majority_guesses(labels: np.ndarray, count: int) -> np.ndarray:
    """The most frequent label, `count` times."""
    return np.full(count, np.bincount(labels).argmax())
