"""What an evaluation's report says in words: what its figures mean, how far its accuracy can be trusted, and what goes
wrong with a class.

Pure functions of the report that jobs/evaluate.py returns; no torch, no Qt.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

NORMAL_95 = 1.959964  # standard deviations either side that hold 95 of 100 draws
VERY_SURE = 0.9  # an answer's probability above which a wrong one makes its label suspect
FEW_ROWS = 1000  # below which chance alone moves the accuracy by more than a point or two
SPLITS = {"test": "test rows", "valid": "validation rows"}
# Figure of the report → its name, and its meaning for people who never saw it.
FIGURES = {
    "accuracy": ("Accuracy", "The share of all texts that are answered right."),
    "balanced_accuracy": (
        "Balanced accuracy",
        "The mean of the classes' recalls: a rare class counts as much as a common one.",
    ),
    "macro_f1": (
        "Macro F1",
        "The mean of the classes' F1, each counting alike however rare it is. F1 is high where few texts of a class "
        "are missed and few others are taken for it.",
    ),
    "micro_f1": ("Micro F1", "F1 over all texts at once; with one label a text it is the accuracy."),
    "macro_precision": (
        "Macro precision",
        "Of the texts that were given a label, the share that truly have it: the mean over the classes.",
    ),
    "macro_recall": (
        "Macro recall",
        "Of the texts that truly have a label, the share that was given it: the mean over the classes.",
    ),
    "roc_auc": (
        "ROC AUC",
        "How often a text of a class gets a higher probability of it than a text of another class: half the time is "
        "chance, always is perfect. The mean over the classes.",
    ),
    "mcc": (
        "Matthews correlation",
        "How answers and true labels hang together: 0 is no better than chance, 1 is perfect. It is not fooled by "
        "one very common class.",
    ),
    "kappa": (
        "Cohen's kappa",
        "How far answers and true labels agree beyond what chance would bring: 0 is chance, 1 is perfect.",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class WrongAnswer:
    """A text, its true label, the label that was given, and the probabilities of both."""

    text: str
    truth: str
    given: str
    sure: float
    of_truth: float


@dataclass(frozen=True)
class Which:
    """Which wrong answers are meant: of a true label, with a given label, or with one label as either; "" is any."""

    truth: str = ""
    given: str = ""
    either: str = ""

    def __bool__(self) -> bool:
        return bool(self.truth or self.given or self.either)

    @property
    def label(self) -> str:
        """The label that they tell most of."""
        return self.either or self.truth or self.given

    def has(self, one: WrongAnswer) -> bool:
        either = self.either in ("", one.truth, one.given)
        return either and self.truth in ("", one.truth) and self.given in ("", one.given)


def simpler_means(report: dict[str, Any]) -> dict[str, float]:
    """The accuracies that the answers' is compared with, by name."""
    return {
        **({"Network alone": report["network"]["accuracy"]} if "blend" in report else {}),
        "Word counts (TF-IDF)": report["baseline_tfidf"]["accuracy"],
        "Commonest class": report["majority"],
    }


def worst_of(report: dict[str, Any]) -> list[WrongAnswer]:
    """The wrong answers that the report itself keeps, the worst first: all that an earlier version kept.

    It kept no probability of the true label; their order stands for it.
    """
    return [
        WrongAnswer(row["text"], row["label"], row["predicted"], row["probability"], place / 1e6)
        for place, row in enumerate(report["worst"])
    ]


def interval(right: int, rows: int) -> tuple[float, float]:
    """The shares between which the true one lies in 95 of 100 cases, where `right` of `rows` were answered right.

    Wilson's score interval, which stays within 0 and 1 and is sound for few rows (Wilson 1927). Raises ValueError
    without rows.
    """
    if rows < 1:
        raise ValueError("a share of no rows")
    share, square = right / rows, NORMAL_95**2
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    half = NORMAL_95 * math.sqrt(share * (1 - share) / rows + square / (4 * rows**2)) / (1 + square / rows)
    return max(0.0, middle - half), min(1.0, middle + half)


def right_answers(report: dict[str, Any]) -> int:
    return sum(int(counts[place]) for place, counts in enumerate(report["confusion"]))


def chance_sentence(report: dict[str, Any]) -> str:
    """How many are right and what chance does to so few; nothing where there are many rows."""
    rows, right = report["rows"], right_answers(report)
    if rows >= FEW_ROWS:
        return ""
    low, high = interval(right, rows)
    return f"{right:,} of {rows:,} right: between {low:.0%} and {high:.0%} would be no surprise with so few rows."


def worst_first(report: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The figures of each class, the lowest F1 first; those without rows, of which nothing is known, last."""
    return dict(sorted(report["per_class"].items(), key=lambda one: (not one[1]["support"], one[1]["f1"])))


def weakest(report: dict[str, Any]) -> str:
    """The label with the lowest F1 among those that were measured and are not always right; "" where none errs."""
    erring = {label: row["f1"] for label, row in report["per_class"].items() if row["support"] and row["f1"] < 1}
    return min(erring, key=lambda label: erring[label], default="")


def class_sentence(report: dict[str, Any], label: str) -> str:
    """How often a class is right, what it is taken for, what is taken for it, and whether it had little to learn from.

    For example: “refund” is right in 3 of 12; 7 were taken for “billing”; it has only 40 training rows, the least of
    all. Raises ValueError for a label that the report does not have.
    """
    place = report["labels"].index(label)
    counts = [int(count) for count in report["confusion"][place]]
    taken = [int(row[place]) for row in report["confusion"]]
    if not sum(counts):
        return f"“{label}” has no rows here, so nothing is known of it."
    wrong, of_others = _largest(report["labels"], counts, place), _largest(report["labels"], taken, place)
    parts = [f"“{label}” is right in {counts[place]:,} of {sum(counts):,}"]
    if wrong:
        parts.append(f"{_were(wrong[1])} taken for “{wrong[0]}”")
    elif of_others:
        parts.append(f"of “{of_others[0]}” {_were(of_others[1])} taken for it")
    return "; ".join([*parts, *_training(report.get("training_rows", {}), label)]) + "."


def sure_sentence(found: Iterable[WrongAnswer], label: str) -> str:
    """That texts of a class were answered wrong with much confidence, where some were: their labels may be wrong."""
    sure = sum(one.truth == label and one.sure > VERY_SURE for one in found)
    if not sure:
        return ""
    said = "1 of its wrong answers is very sure: check whether its label is right."
    return said if sure == 1 else f"{sure:,} of its wrong answers are very sure: check whether their labels are right."


def _largest(labels: list[str], counts: list[int], place: int) -> tuple[str, int] | None:
    """The label other than that at `place` which has the largest of these counts, and the count, unless that is 0."""
    others = [(count, other) for at, (count, other) in enumerate(zip(counts, labels, strict=True)) if at != place]
    most, other = max(others, key=lambda pair: pair[0], default=(0, ""))
    return (other, most) if most else None


def _were(number: int) -> str:
    return f"{number:,} {'was' if number == 1 else 'were'}"


def _training(rows: dict[str, int], label: str) -> list[str]:
    """How many rows the class learned from, where it has fewer than most others."""
    known, numbers = rows.get(label), sorted(rows.values())
    if known is None or known >= numbers[len(numbers) // 2]:
        return []
    least = "only " if known == numbers[0] else ""
    alone = ", the least of all" if known == numbers[0] < numbers[1] else ""
    return [f"it has {least}{known:,} training row{'s' * (known != 1)}{alone}"]
