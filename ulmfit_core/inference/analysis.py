"""What the kept answers of an evaluation tell beyond its report: pure functions of `Answers`, in NumPy alone.

Precision against recall, how many texts can be answered how well, and which labels are suspect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ulmfit_core.inference.answers import Answers

CURVE_POINTS, COVERAGE_POINTS = 101, 201


@dataclass(frozen=True)
class Curve:
    """Points of precision against recall, `recall` rising from 0; `average_precision` as scikit-learn's."""

    recall: np.ndarray
    precision: np.ndarray
    average_precision: float


def precision_recall(answers: Answers) -> dict[str, Curve]:
    """For each label that has rows: it against the rest. At most CURVE_POINTS points."""
    rows = np.bincount(answers.truth, minlength=len(answers.labels))
    return {
        label: _curve(answers.probabilities[:, place], answers.truth == place)
        for place, label in enumerate(answers.labels)
        if rows[place]
    }


def _curve(scores: np.ndarray, positive: np.ndarray) -> Curve:
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(positive[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)  # of each score
    precision, recall = found[last] / (last + 1), found[last] / found[-1]
    average = float((np.diff(recall, prepend=0) * precision).sum())
    # The first point at or beyond each of these recalls, which is the best of those with the same recall.
    shown = np.unique(np.searchsorted(recall, np.linspace(0, 1, CURVE_POINTS - 2)))
    shown = np.union1d(shown, [len(last) - 1])
    return Curve(np.append(0.0, recall[shown]), np.append(1.0, precision[shown]), average)


@dataclass(frozen=True)
class Coverage:
    """By `thresholds` (points,), rising from 0: the share of texts whose answer has at least that probability, and how
    often these answers are right. `every`: each probability that an answer has, rising, how many have at least it, and
    how many of these are right."""

    thresholds: np.ndarray
    coverage: np.ndarray
    accuracy: np.ndarray
    every: tuple[np.ndarray, np.ndarray, np.ndarray]

    def at(self, threshold: float) -> tuple[float, float | None]:
        """(share answered, share right of these), counted at this threshold itself; None where none is answered."""
        thresholds, given, right = self.every
        place = int(np.searchsorted(thresholds, threshold))
        if place == len(thresholds):
            return 0.0, None
        return float(given[place] / given[0]), float(right[place] / given[place])


def coverage(answers: Answers) -> Coverage:
    """What is answered, and how well, where only answers of at least some probability are given.

    At most COVERAGE_POINTS points, each at the probability of an answer but the first. Raises ValueError without rows.
    """
    thresholds, given, right = _by_threshold(answers)
    share, accuracy = given / len(answers.truth), right / given
    places = np.unique(np.linspace(0, len(thresholds) - 1, COVERAGE_POINTS - 1).round().astype(int))
    points = ((0.0, thresholds), (1.0, share), (accuracy[0], accuracy))
    shown = [np.append(first, values[places]) for first, values in points]
    return Coverage(shown[0], shown[1], shown[2], (thresholds, given, right))


def _by_threshold(answers: Answers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each probability that an answer has, rising; how many answers have at least it; how many of these are right."""
    if not len(answers.truth):
        raise ValueError("coverage of no answers")
    sure = answers.probabilities.max(1)
    order = np.argsort(sure, kind="stable")
    right = (answers.given == answers.truth)[order]
    thresholds, first = np.unique(sure[order], return_index=True)
    return thresholds.astype(np.float64), len(sure) - first, np.cumsum(right[::-1])[::-1][first]


def threshold_for(answers: Answers, accuracy: float) -> float | None:
    """The lowest probability from which the given answers are at least so often right, 0 where all may be given.

    None where no threshold reaches it.
    """
    thresholds, given, right = _by_threshold(answers)
    enough = np.flatnonzero(right >= accuracy * given)
    if not len(enough):
        return None
    return float(thresholds[enough[0]]) if enough[0] else 0.0


@dataclass(frozen=True)
class LabelError:
    """A row whose label may be wrong: its number in the imported data (-1: of another file), its id and text, the label
    that it has, the one that is suggested with what `probability`, and by how much it is the likelier (`score`)."""

    row: int
    id: str
    text: str
    label: str
    suggested: str
    probability: float
    score: float


def label_errors(answers: Answers) -> list[LabelError]:
    """The rows off the diagonal of the confident joint, the most suspect first (Northcutt et al. 2021).

    A label is claimed for a row where its probability reaches the mean that it has among the rows labelled so; of
    several the likeliest is. A row for which another label is claimed than its own, and is the likelier, is suspect.
    """
    rows, claimed = np.arange(len(answers.truth)), _claimed(answers)
    shares = answers.probabilities
    score = shares[rows, claimed] - shares[rows, answers.truth]
    suspect = np.flatnonzero((claimed >= 0) & (claimed != answers.truth) & (score > 0))
    order = suspect[np.argsort(-score[suspect], kind="stable")]
    return [_label_error(answers, int(row), int(claimed[row]), float(score[row])) for row in order]


def _claimed(answers: Answers) -> np.ndarray:
    """(rows,) places of the labels that are claimed, -1 where none is."""
    labels = len(answers.labels)
    count = np.bincount(answers.truth, minlength=labels)
    own = answers.probabilities[np.arange(len(answers.truth)), answers.truth]
    expected = np.bincount(answers.truth, own, labels) / np.maximum(count, 1)
    confident = np.where((answers.probabilities >= expected) & (count > 0), answers.probabilities, -1.0)
    return np.where(confident.max(1) >= 0, confident.argmax(1), -1)


def _label_error(answers: Answers, row: int, claimed: int, score: float) -> LabelError:
    return LabelError(
        int(answers.rows[row]), answers.ids[row], answers.texts[row], answers.labels[int(answers.truth[row])],
        answers.labels[claimed], float(answers.probabilities[row, claimed]), score,
    )  # fmt: skip
