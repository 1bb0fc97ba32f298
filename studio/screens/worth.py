"""On the Vocabulary screen: what a vocabulary is worth, in figures, in words and against its size."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio import theme
from studio.widgets.card import line
from studio.widgets.size_plot import SizePlot

NOTHING = "Build the vocabulary to see what it is worth: how long your texts become, and how much of them it knows."
# What the report of a build says, in this order: name, title, how it is written.
FIGURES = {
    "size": ("{unit}", "{:,.0f}"),
    "tokens_per_word": ("tokens a word", "{:.2f}"),
    "unknown": ("of tokens unknown", "{:.2%}"),
}
SAMPLED = "The curves are of a sample, the figures above of all your texts."
READING = (
    "Fewer tokens a word means shorter sequences and faster training; an unknown token tells the model nothing. "
    f"Where both curves are flat, a larger vocabulary gains little and makes the model bigger. {SAMPLED}"
)
READING_OF_CHARACTERS = (
    f"An unknown character tells the model nothing. Where the curve is flat, more characters gain little. {SAMPLED}"
)
TAKEN = "This is the pretrained model's vocabulary: the model has learned something about each of its tokens."
MUCH = 0.02  # of the tokens unknown
# What to do where much is unknown, by the vocabulary's unit: of one that was taken, of one that was learned.
REMEDIES_TAKEN = {
    "pieces": "That is much. Have pieces added, or switch “Take the model's vocabulary” off to learn a new one.",
    "words": "That is much. Switch “Take the model's vocabulary” off to learn a new one.",
}
REMEDIES = {
    "pieces": "That is much. Switch on “Bytes for rare characters”, or raise the character coverage.",
    "characters": "That is much. Switch on “Bytes for rare characters”, or raise size and character coverage.",
    "words": "That is much. Raise the vocabulary size, lower “Rarest word”, or take pieces of words.",
}
TRANSDUCTIVE = "The texts of the test rows were read, too (transductive)."


class Worth(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.nothing = line(NOTHING, "muted")
        self.figures = line(role="subheading")
        self.origin = line()
        self.remedy = line()
        self.plot = SizePlot()
        self.reading = line(READING, "muted")
        self.note = line(TRANSDUCTIVE, "muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(*[theme.MEDIUM] * 4)
        column.setSpacing(theme.SMALL)
        for part in (self.nothing, self.figures, self.remedy, self.origin):
            column.addWidget(part)
        column.addSpacing(theme.SMALL)
        column.addWidget(self.plot, 1)
        column.addWidget(self.reading)
        column.addWidget(self.note)
        column.addStretch(0)
        self.show_report({}, "")

    def show_report(self, report: dict[str, Any], unit: str) -> None:
        """What a build reported; nothing of it where there was none. `unit` is pieces, characters or words."""
        by_size = report.get("by_size", [])
        self.figures.setText(figures_text(report, unit))
        self.figures.setVisible(bool(self.figures.text()))
        self.nothing.setVisible(not self.figures.text())
        self.origin.setText(origin_text(report))
        self.origin.setVisible(bool(self.origin.text()))
        self.remedy.setText(remedy_text(report, unit))
        self.remedy.setVisible(bool(self.remedy.text()))
        self.note.setVisible(bool(report.get("transductive")))
        for part in (self.plot, self.reading):
            part.setVisible(len(by_size) > 1)
        if len(by_size) > 1:
            self.plot.show_sizes(by_size)
        # Characters are one token each, however many are known.
        characters = unit == "characters"
        self.plot.length.setVisible(not characters)
        self.reading.setText(READING_OF_CHARACTERS if characters else READING)


def figures_text(report: dict[str, Any], unit: str) -> str:
    told = [
        f"{form.format(report[name])} {title.format(unit=unit)}"
        for name, (title, form) in FIGURES.items() if name in report
    ]  # fmt: skip
    return "   ·   ".join(told)


def remedy_text(report: dict[str, Any], unit: str) -> str:
    """What helps where much is unknown; nothing where little is."""
    if report.get("unknown", 0) < MUCH:
        return ""
    remedies = REMEDIES_TAKEN if report.get("origin") == "taken" else REMEDIES
    return remedies.get(unit, "")


def origin_text(report: dict[str, Any]) -> str:
    """What it has in common with the pretrained model's vocabulary; nothing without such a model."""
    shared = report.get("shared")
    if shared is None:
        return ""
    if report.get("origin") == "taken":
        return TAKEN
    if report.get("origin") == "extended":
        return (
            f"{shared:.1%} of its tokens are the pretrained model's. The others are new: each starts as the mean of "
            "the pieces that it was cut into before."
        )
    return (
        f"{shared:.1%} of its tokens are in the pretrained model's vocabulary, too, and keep what the model has "
        f"learned about them. The other {1 - shared:.1%} start from the mean of all."
    )
