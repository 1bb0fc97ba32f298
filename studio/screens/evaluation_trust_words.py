"""What calibration and coverage say in words, for the Evaluate screen: pure functions, no Qt."""

from __future__ import annotations

import math
from typing import Any

from ulmfit_core.config import NOT_SURE

FEW = 50  # texts in a bin, below which chance moves its point by more than some ten per cent
ENOUGH = 10  # texts in a bin, below which its share of right answers says little
SURE, USUAL = 0.9, 0.8  # the least of a sure answer; a doubtful one that people can picture
LEAST_ROWS = 20  # for validation, to tell unknown texts: inference/scope.py's, which brings numpy
UNLIKE = (
    "A text that is like none of those it learned from gets the answer “unknown”. Some familiar texts look so too: how "
    "many of these may it cost?"
)
EARLIER = "This classifier was trained before “unknown” was there. Train it again to get it."
FEW_ROWS = (
    f"This classifier cannot answer “unknown”: it had {{:,}} validation rows to learn from what is familiar, and needs "
    f"{LEAST_ROWS}. Give it more texts and train it again."
)
UNKNOWN = {
    0.0: "Never answer “unknown”",
    0.005: "1 of 200 familiar texts",
    0.01: "1 of 100 familiar texts",
    0.02: "2 of 100 familiar texts",
    0.05: "5 of 100 familiar texts",
    0.1: "10 of 100 familiar texts",
}


def calibration_sentences(calibration: dict[str, Any]) -> tuple[str, str]:
    """What the curve says of sure and of doubtful answers; and how far off it is all in all."""
    answers, network = calibration["answers"], calibration["network"]
    told = [f"{found['confidence']:.0%} sure, it is right in {found['accuracy']:.0%}" for found in examples(answers)]
    sentence = f"When it is {'; when it is '.join(told)}." if told else "There are too few texts to tell."
    error = (
        f"On average, what it says and what is true lie {points(answers['ece'])} apart (calibration error, ECE); "
        f"of the network alone, as it was trained, {points(network['ece'])}."
    )
    return sentence, " ".join(filter(None, (error, few_sentence(answers), calibration.get("fitted_on", ""))))


def few_sentence(side: dict[str, Any]) -> str:
    """That chance moves the points, where few texts stand behind each; "" where there are enough."""
    rows = sorted(found["rows"] for found in side["bins"] if found["rows"])
    middle = rows[len(rows) // 2] if rows else 0
    return f"A dot stands for only some {middle} texts here: chance alone moves it up and down." if middle < FEW else ""


def examples(side: dict[str, Any]) -> list[dict[str, Any]]:
    """Of the bins with enough texts the doubtful one that is nearest to USUAL, and the surest one."""
    bins = [found for found in side["bins"] if found["rows"] >= ENOUGH]
    sure = [found for found in bins if found["confidence"] >= SURE]
    doubtful = [found for found in bins if found["confidence"] < SURE]
    surest = [max(sure, key=lambda found: found["confidence"])] if sure else []
    return ([min(doubtful, key=lambda found: abs(found["confidence"] - USUAL))] if doubtful else []) + surest


def spoken_bins(bins: list[dict[str, Any]]) -> str:
    return "; ".join(f"{found['confidence']:.0%} sure, {found['accuracy']:.0%} right" for found in bins)


def points(share: float) -> str:
    return f"{100 * share:.1f} points"


def coverage_sentence(least_sure: float, answered: float, right: float | None) -> str:
    if not least_sure:
        return f"Every text is answered, {right or 0:.1%} of them right."
    if right is None:
        return f"Answer only when at least {least_sure:.1%} sure: no text is answered."
    rest = f"answers {down(answered)} of the texts, {right:.1%} of these are right"
    return f"Answer only when at least {least_sure:.1%} sure: {rest}."


def down(share: float) -> str:
    """Rounded down, so that not “all” is promised where a few are left out."""
    return f"{math.floor(share * 1000 + 1e-9) / 1000:.1%}"


def in_use_sentence(least_sure: float) -> str:
    if not least_sure:
        return "In use: every text is answered."
    return f"In use: less than {least_sure:.1%} sure reads “{NOT_SURE}”."


def no_unknown_sentence(record: dict[str, Any]) -> str:
    """Why a classifier of this `model.json` cannot answer “unknown”; "" where it can, or where there is none."""
    if not record or "scope" in record:
        return ""
    rows = record.get("facts", {}).get("best", {}).get("valid_rows", LEAST_ROWS)
    return EARLIER if rows >= LEAST_ROWS else FEW_ROWS.format(int(rows))


def unknown_choices(share: float) -> dict[float, str]:
    """What can be chosen, and what is set by other means."""
    own = {} if share in UNKNOWN else {share: f"{share:.2%} of the familiar texts"}
    return dict(sorted({**UNKNOWN, **own}.items()))
