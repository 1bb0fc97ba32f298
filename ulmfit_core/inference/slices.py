"""How often the answers are right in parts of the data: by the length of a text and by each column kept beside it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ulmfit_core.inference.findings import interval

MOST_VALUES = 20  # of a column that are shown one by one; of more the rarest are shown together
OTHERS, EMPTY = "others", "(empty)"
LENGTH = "length"


@dataclass(frozen=True)
class Slice:
    """The rows with one value, the share of them that is answered right, and Wilson's 95 % interval of that share."""

    value: str
    rows: int
    accuracy: float
    low: float
    high: float


def slices(texts: list[str], kept: dict[str, list[str]], right: np.ndarray) -> dict[str, list[Slice]]:
    """By the length of the texts in quarters, then by each kept column with several values.

    `right` (texts,): whether the answer is. A column of many numbers goes in quarters too.
    """
    found = {LENGTH: list(_quarters(np.array([len(text.split()) for text in texts]), right, "word"))}
    for name, cells in kept.items():
        if len(set(cells)) > 1:
            found[f"{name} (column)" if name == LENGTH else name] = list(_of_column(cells, right))
    return found


def _of_column(cells: list[str], right: np.ndarray) -> Iterator[Slice]:
    values, given = Counter(cells), np.array([cell != "" for cell in cells])
    numbers = _numbers([cell for cell in cells if cell])
    if numbers is None:
        yield from _by_value(cells, values, right)
    elif len(values) <= MOST_VALUES:
        yield from sorted(_by_value(cells, values, right), key=_number)
    else:
        yield from _quarters(numbers, right[given])
        if not given.all():
            yield _slice(EMPTY, right[~given])


def _number(one: Slice) -> float:
    return math.inf if one.value == EMPTY else float(one.value)


def _numbers(cells: list[str]) -> np.ndarray | None:
    """What the cells say, where all of them are finite numbers."""
    try:
        numbers = np.array([float(cell) for cell in cells])
    except ValueError:
        return None
    return numbers if len(numbers) and np.isfinite(numbers).all() else None


def _by_value(cells: list[str], values: Counter[str], right: np.ndarray) -> Iterator[Slice]:
    """The most frequent first; where there are more than MOST_VALUES all that are not are the last."""
    shown = [value for value, _ in values.most_common(MOST_VALUES - 1 if len(values) > MOST_VALUES else None)]
    places = {value: place for place, value in enumerate(shown)}
    place = np.array([places.get(cell, -1) for cell in cells])
    for number, value in enumerate(shown):
        yield _slice(value or EMPTY, right[place == number])
    if (place < 0).any():
        yield _slice(OTHERS, right[place < 0])


def _quarters(numbers: np.ndarray, right: np.ndarray, unit: str = "") -> Iterator[Slice]:
    """Four parts of about as many rows, the smallest numbers first; fewer where many are equal."""
    borders = np.unique(np.quantile(numbers, [0.25, 0.5, 0.75], method="inverted_cdf"))
    part = np.searchsorted(borders, numbers, "left")
    for number in np.unique(part):
        inside = numbers[part == number]
        yield _slice(_range(float(inside.min()), float(inside.max()), unit), right[part == number])


def _range(low: float, high: float, unit: str) -> str:
    ends = f"{low:,.6g}" if low == high else f"{low:,.6g} to {high:,.6g}"
    return f"{ends} {unit}{'s' * (high != 1)}" if unit else ends


def _slice(value: str, right: np.ndarray) -> Slice:
    return Slice(value, len(right), float(right.mean()), *interval(int(right.sum()), len(right)))
