"""A label that the classifier does not have yet, answered from a few examples on, without any training.

What is asked is how near a text lies to the centroid of the examples, as the network reads them (Snell et al. 2017),
and how sure the old answer is. A logistic regression makes a probability of both. It learns from the examples, each
measured against the centroid of the others, and from validation rows of the old labels, which the network did not
learn from either, and it takes the label to be as common as the average one.

Examples that a person types are short and often without a full stop, and that is not what they have in common: the
validation rows count as cut variants too, the directions in which cutting moves the features are left out (as in
nuisance attribute projection, Solomonoff et al. 2005), and the label may have no more than MOST_TAKEN of all of these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ulmfit_core import edit_log
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.project import Project

# A label needs as many examples.
EXAMPLES = 5
# Rows of the old labels that it is compared with, drawn by SEED, until they have MOST_CHARACTERS.
MOST_ROWS, MOST_CHARACTERS, SEED = 1_000, 100_000, 1
# Words that the variants of a row begin with, beside the whole row without its final punctuation.
BEGINNINGS = (10, 5)
ENDS = " .!?…。！？\"'”’"
# Directions of the features that cutting a text moves most, and the share of the compared rows that may be taken.
FORM_DIRECTIONS, MOST_TAKEN = 3, 0.01
# The inverse of the L2 penalty. The cosine counts in tenths, so that both signs have spreads of about 1.
LOOSENESS, TENTHS = 10.0, 10.0
# Gives features (texts, n) and the probabilities of the old labels (texts, classes).
Reading = Callable[[Sequence[str]], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class NewLabel:
    """`centroid` (n,) of unit length; the log-odds are `weights` (2,) · signs + `bias`."""

    label: str
    examples: int
    centroid: np.ndarray
    weights: np.ndarray
    bias: float


@dataclass(frozen=True)
class Space:
    """`centre`, `spread` (n,): mean and deviation of each feature over the rows of old labels. `form` (k, n): unit
    vectors of the standardised features that are left out."""

    centre: np.ndarray
    spread: np.ndarray
    form: np.ndarray

    def directions(self, features: np.ndarray) -> np.ndarray:
        """(texts, n) standardised, without what tells of form, of unit length."""
        places = (features.astype(np.float64) - self.centre) / self.spread
        return of_unit_length(places - places @ self.form.T @ self.form)


@dataclass(frozen=True)
class NewLabels:
    """Of the features (n,) each label is asked of their directions in `space`."""

    each: list[NewLabel]
    space: Space

    @property
    def labels(self) -> list[str]:
        return [new.label for new in self.each]

    def joined(self, old: np.ndarray, features: np.ndarray) -> np.ndarray:
        """(texts, classes + new ones), each row summing to 1, from the old labels' probabilities (texts, classes) and
        the features (texts, n). What is left by the new labels the old ones share as before."""
        if not len(old):
            return np.empty((0, old.shape[1] + len(self.each)), old.dtype)
        places = self.space.directions(features)
        logs = [signs(places @ new.centroid, old) @ new.weights + new.bias for new in self.each]
        odds = np.exp(np.clip(np.column_stack(logs), -30, 30))
        return (np.hstack([old, odds]) / (1 + odds.sum(1, keepdims=True))).astype(old.dtype)


def examples_of(project: Project, known: Sequence[str]) -> dict[str, list[str]]:
    """Texts by label: those of the person's corrections that are not `known` and have EXAMPLES texts or more."""
    found: dict[str, list[str]] = {}
    for edit in edit_log.corrections(edit_log.read(project.folder).active).values():
        if edit.label not in known:
            found.setdefault(edit.label, []).append(edit.text)
    return {label: texts for label, texts in sorted(found.items()) if len(texts) >= EXAMPLES}


def compared_rows(dataset: Dataset) -> list[str]:
    """Validation texts of the old labels; some of them where they are many."""
    rows = dataset.labelled_rows("valid")
    texts = dataset.texts(np.random.default_rng(SEED).permutation(rows)[:MOST_ROWS])
    count = int(np.searchsorted(np.cumsum([len(text) for text in texts]), MOST_CHARACTERS))
    return texts[: max(count, 2)]


def variants(text: str) -> list[str]:
    """The text without its final punctuation, and its beginnings."""
    bare = text.rstrip(ENDS) or text
    return [bare, *(" ".join(bare.split()[:words]) for words in BEGINNINGS)]


def learn(examples: dict[str, list[str]], others: Sequence[str], read: Reading) -> NewLabels:
    """The new labels with their `examples`; `others`: texts of old labels."""
    cut = [variant for text in others for variant in variants(text)]
    features, old = read([*others, *cut])
    space = space_of(features[: len(others)], features[len(others) :])
    outside, each = space.directions(features), []
    for label, texts in examples.items():
        theirs, answers = read(texts)
        each.append(_fitted(label, space.directions(theirs), answers, outside, old))
    return NewLabels(each, space)


def space_of(whole: np.ndarray, cut: np.ndarray) -> Space:
    """By features of texts (texts, n) and of their variants (texts × variants, n)."""
    centre, spread = whole.mean(0), whole.std(0) + 1e-6
    moved = (cut.reshape(len(whole), -1, whole.shape[1]) - whole[:, None]) / spread
    flat = moved.reshape(-1, whole.shape[1]).astype(np.float64)
    vectors = np.linalg.eigh(flat.T @ flat)[1]  # by rising share
    return Space(centre, spread, vectors[:, -FORM_DIRECTIONS:].T)


def _fitted(label: str, inside: np.ndarray, answers: np.ndarray, outside: np.ndarray, old: np.ndarray) -> NewLabel:
    from sklearn.linear_model import LogisticRegression

    centroid = of_unit_length(inside.mean(0))
    others = of_unit_length((inside.sum(0) - inside) / (len(inside) - 1))
    apart = signs(outside @ centroid, old)
    found = np.vstack([signs((inside * others).sum(1), answers), apart])
    truth = np.r_[np.ones(len(inside)), np.zeros(len(outside))]
    fitted = LogisticRegression(C=LOOSENESS, class_weight="balanced").fit(found, truth)
    weights = fitted.coef_[0]
    # Fitted as if every second text had the label: corrected for one in as many as there are labels.
    bias = float(fitted.intercept_[0]) - np.log(old.shape[1])
    ahead = apart @ weights + bias - np.log(np.maximum(old.max(1), 1e-9))  # over 0: it would be the answer
    return NewLabel(label, len(inside), centroid, weights, bias - max(0.0, float(np.quantile(ahead, 1 - MOST_TAKEN))))


def signs(cosines: np.ndarray, old: np.ndarray) -> np.ndarray:
    """(texts, 2): nearness to the centroid and the logarithm of the old answer's probability."""
    return np.column_stack([TENTHS * cosines, np.log(np.maximum(old.max(1), 1e-9))])


def of_unit_length(features: np.ndarray) -> np.ndarray:
    """Each row (..., n) with length 1; one without any direction stays 0."""
    rows: np.ndarray = features / np.maximum(np.linalg.norm(features, axis=-1, keepdims=True), 1e-12)
    return rows
