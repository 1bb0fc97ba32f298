"""On the Evaluate screen: how often the classifier is right in parts of the data, by length and by kept columns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QWidget

from studio.screens.evaluation_pages import EARLIER, Measured, Page
from studio.session import Session
from studio.widgets.card import card, line
from studio.widgets.interval_bars import IntervalBars, Part

LENGTH = "length"
LEVEL = 0.05  # the chance that is taken of calling some part worse which is not
NEGLIGIBLE = 1e-12
TOLD = 3  # parts that are named in the sentence
ONLY_LENGTH = (
    "To compare by more, such as the source or the rating: name the columns to keep under “Data”, import and evaluate."
)
ABOUT = "The line across each bar spans where the true share likely lies; the upright line is the whole data's."


class PartsPage(Page):
    """A card for each way in which the texts were parted."""

    def __init__(self, session: Session):
        super().__init__(session)
        self.sentence = line()
        self.sentence.setTextFormat(Qt.TextFormat.PlainText)  # values of columns stay what they are
        self.about = line("", "muted")
        self.bars: dict[str, IntervalBars] = {}
        self._cards: list[QFrame] = []
        self._inside = QWidget()
        self.column.addWidget(card("", "", self.sentence, self.about))
        self.column.addStretch(1)

    def look_up(self, measured: Measured) -> dict[str, list[dict[str, Any]]]:
        """The report has it."""
        return measured.report.get("slices", {})

    def show_found(self, found: dict[str, list[dict[str, Any]]]) -> None:
        assert self.measured is not None
        whole = self.measured.report["accuracy"]
        for each in self._cards:
            each.deleteLater()
        self.bars = {name: bars_of(name, slices, whole) for name, slices in found.items()}
        self._cards = [card(title_of(name), "", bars) for name, bars in self.bars.items()]
        for number, each in enumerate(self._cards):
            self.column.insertWidget(number + 1, each)
        self.sentence.setText(worse_sentence(found, whole) if found else EARLIER)
        self.about.setText(" ".join(filter(None, (ABOUT, "" if set(found) - {LENGTH} else ONLY_LENGTH))))
        self.about.setVisible(bool(found))


def bars_of(name: str, slices: Sequence[dict[str, Any]], whole: float) -> IntervalBars:
    made = IntervalBars(title_of(name))
    made.set_parts(
        [
            Part(one["value"], one["rows"], one["accuracy"], one["low"], one["high"], worse(one, whole, len(slices)))
            for one in slices
        ],
        whole,
    )
    return made


def title_of(name: str) -> str:
    return "By length of the text" if name == LENGTH else f"By “{name}”"


def worse(one: dict[str, Any], whole: float, parts: int) -> bool:
    """Chance alone hardly explains that it is below the whole, though the worst of several `parts` is looked at.

    A one-sided binomial test against the whole's share, its level divided by the number of parts (Bonferroni).
    """
    right = round(one["accuracy"] * one["rows"])
    return one["accuracy"] < whole and chance_of_so_few(right, one["rows"], whole) < LEVEL / parts


def chance_of_so_few(right: int, rows: int, share: float) -> float:
    """The probability that at most `right` of `rows` are right where each is with probability `share`, 0 to 1."""
    if share >= 1:
        return float(right == rows)
    log = math.lgamma(rows + 1) - math.lgamma(right + 1) - math.lgamma(rows - right + 1)
    term = math.exp(log + right * math.log(share) + (rows - right) * math.log1p(-share))
    total, number = term, right
    while number and term > total * NEGLIGIBLE:
        term *= number / (rows - number + 1) * (1 - share) / share
        total, number = total + term, number - 1
    return min(1.0, total)


def worse_sentence(slices: dict[str, list[dict[str, Any]]], whole: float) -> str:
    """The parts that are clearly worse, the worst first; that there is none, where there is none."""
    found = [(name, one) for name, parts in slices.items() for one in parts if worse(one, whole, len(parts))]
    if not found:
        return f"No part is clearly worse than the whole, which is right in {whole:.1%}."
    found.sort(key=lambda pair: pair[1]["accuracy"])
    told = [f"{part_words(name, one)}: right in {one['accuracy']:.1%} of {one['rows']:,}" for name, one in found[:TOLD]]
    more = f" {len(found) - TOLD} more are marked below." if len(found) > TOLD else ""
    return f"Clearly worse than all texts, {whole:.1%} of which are right. {'; '.join(told)}.{more}"


def part_words(name: str, one: dict[str, Any]) -> str:
    return f"Texts of {one['value']}" if name == LENGTH else f"“{one['value']}” in “{name}”"
