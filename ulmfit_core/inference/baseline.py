"""What one gets without a language model: the majority class, and TF-IDF with logistic regression."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def tfidf_guesses(texts: Sequence[str], labels: np.ndarray, test: Sequence[str]) -> np.ndarray:
    """Label numbers for `test` from words and word pairs of the training `texts`."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = LogisticRegression(C=10, max_iter=1000)
    model.fit(words.fit_transform(texts), labels)
    return model.predict(words.transform(test))


def majority_guesses(labels: np.ndarray, count: int) -> np.ndarray:
    """The most frequent label, `count` times."""
    return np.full(count, np.bincount(labels).argmax())
