"""How sharply a network's and word counts' probabilities enter a classifier's answers: decided on validation rows.

The pool is logarithmic: p(label) ∝ network(label)^a · word counts(label)^b with two free exponents. Network and word
counts are rarely as sure as they are right, an overtrained network too sure and word counts of few rows too unsure,
and an exponent is the inverse of a temperature (Guo et al. 2017). With one weight for both, (1 - w) and w, word counts
that know nothing would be blended in only because they flatten a network that is too sure. The loss is convex in both.

Both sides answer rows they were not trained on: the word counts that exponents are chosen with are fitted on training
rows alone. Those that are kept learn from the validation rows too, which few labels cannot spare (IMDb, 100 labels of
which 20 validate: .666 right without them, .730 with them). No test row is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ulmfit_core.inference.baseline import new_regression
from ulmfit_core.models.word_counts import MOST_TERMS, Exponents, WordCounts, log_shares, new_vectorizer, pooled

# The priors, Gamma distributions with these modes that weigh as much as CERTAINTY rows: an overtrained network is too
# sure, word counts of few rows are as good as they say. With 100 rows or more any prior will do. Of ten, this one was
# among the best on splits of 18 classifiers' held-out rows with 20 rows to choose by, and on eight networks of 100
# labels with their own 20 validation rows.
NETWORK_MODE, WORDS_MODE, CERTAINTY = 0.7, 1.0, 2.0
# Parts of the validation rows; each is judged with the exponents that the others choose.
FOLDS = 5


def fit_words(
    texts: Sequence[str], labels: np.ndarray, classes: int, between: Callable[[], object] = bool
) -> WordCounts | None:
    """The baseline's model with at most MOST_TERMS terms; None without two classes or without any word.

    `labels` (texts,): numbers below `classes`. `between` is called before each text is read and each part is fitted.
    """
    vectorizer, regression = new_vectorizer(max_features=MOST_TERMS), new_regression()
    word = re.compile(vectorizer.token_pattern)
    if len(np.unique(labels)) < 2 or not any(word.search(text) for text in texts):
        return None
    features = vectorizer.fit_transform(_each(texts, between))
    between()
    regression.fit(features, labels)
    return WordCounts(
        len(texts), vectorizer.get_feature_names_out().tolist(), features.getnnz(axis=0).astype(np.int64),
        [int(number) for number in regression.classes_], classes, regression.coef_.astype(np.float16),
        regression.intercept_.astype(np.float32),
    )  # fmt: skip


def _each(texts: Sequence[str], between: Callable[[], object]) -> Iterator[str]:
    for text in texts:
        between()
        yield text


def best_exponents(network: np.ndarray | None, words: np.ndarray | None, labels: np.ndarray) -> Exponents:
    """The exponents of the lowest loss with the priors, from both sides' probabilities (rows, labels).

    Of a side that is None the exponent is 0: the other answers alone.
    """
    from scipy.optimize import minimize

    given = [place for place, side in enumerate((network, words)) if side is not None]
    sides = np.stack([log_shares(side) for side in (network, words) if side is not None])
    modes = np.array([NETWORK_MODE, WORDS_MODE])[given]
    of_truth = sides[:, np.arange(len(labels)), labels].sum(1)

    def cost(exponents: np.ndarray) -> tuple[float, np.ndarray]:
        logs = np.tensordot(exponents, sides, 1)
        highest = logs.max(1, keepdims=True)
        shares = np.exp(logs - highest)
        sums = shares.sum(1, keepdims=True)
        value = (highest + np.log(sums)).sum() - exponents @ of_truth
        slopes = (sides * (shares / sums)).sum((1, 2)) - of_truth
        prior = CERTAINTY * (exponents / modes - np.log(exponents)).sum()
        return float(value + prior), slopes + CERTAINTY * (1 / modes - 1 / exponents)

    found = minimize(cost, modes, jac=True, method="L-BFGS-B", bounds=[(1e-3, None)] * len(sides))
    both = np.zeros(2)
    both[given] = found.x
    return Exponents(*both.tolist())


def held_out(network: np.ndarray | None, words: np.ndarray | None, labels: np.ndarray, seed: int) -> np.ndarray:
    """Probabilities (rows, labels), each row pooled with the exponents that the other folds choose.

    The folds are drawn by `seed`. Where a side is None, the other's probabilities at its own exponent.
    """
    answer: dict[int, np.ndarray] = {}
    order = np.random.default_rng(seed).permutation(len(labels))
    for rows in np.array_split(order, min(FOLDS, len(order))):
        others = np.setdiff1d(order, rows)
        exponents = best_exponents(_rows(network, others), _rows(words, others), labels[others])
        answer |= zip(rows, pooled(_rows(network, rows), _rows(words, rows), exponents))
    return np.stack([answer[row] for row in range(len(labels))])


def _rows(side: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if side is None else side[rows]


def loss(shares: np.ndarray, labels: np.ndarray) -> float:
    """Mean cross-entropy in nats of probabilities (rows, labels)."""
    return float(-log_shares(shares[np.arange(len(labels)), labels]).mean())
