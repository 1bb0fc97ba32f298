"""On the fine-tuning screen: how well the model still reads everyday general text, in a sentence and as a curve."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio import theme
from studio.plain import tip
from studio.widgets.card import line
from studio.widgets.epoch_curves import EpochCurves, Line
from ulmfit_core.events import EpochEnded, Event, GeneralLoss, Started

NOTHING = (
    "While a pretrained model is fine-tuned, it also reads some everyday general sentences after each epoch, without "
    "learning from them. Its loss on them tells whether it forgets general language while it learns yours: a little is "
    "usual; if it is much, a lower rate or fewer epochs keep more."
)
UNMEASURED = (
    "There is nothing to measure in this run: the model had not learned from general text before, or the measurement "
    "was switched off."
)
ALIKE = 0.005  # share of change that is none
MUCH = 0.5


class Forgetting(QWidget):
    """`share` by which general text is guessed worse than before; None where it was not measured."""

    def __init__(self) -> None:
        super().__init__()
        self.share: float | None = None
        self.figure, self.sentence = line("", "subheading"), line(NOTHING, "muted")
        self.curve = EpochCurves("Loss on general text, by epoch")
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.addWidget(self.figure)
        words.addWidget(self.sentence)
        words.addStretch(1)
        across = QHBoxLayout(self)
        across.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.SMALL, theme.SMALL)
        across.setSpacing(theme.MEDIUM)
        across.addLayout(words, 2)
        across.addWidget(self.curve, 3)

    def show_events(self, told: Sequence[Event]) -> None:
        losses = {event.epoch: event for event in told if isinstance(event, GeneralLoss)}
        self.share = forgotten(losses)
        self.figure.setVisible(self.share is not None)
        self.curve.setVisible(bool(losses))
        self.curve.show_lines([Line("general text", [at + 1 for at in losses], [e.loss for e in losses.values()])])
        if self.share is None:
            begun = any(isinstance(event, EpochEnded) for event in told)
            self.sentence.setText(UNMEASURED if begun and any(isinstance(e, Started) for e in told) else NOTHING)
            return
        self.figure.setText(f"General text: {how(self.share)}")
        self.sentence.setText(meaning(self.share))
        self.setToolTip(tip(f"The share by which the perplexity has changed, measured on {losses[-1].source}."))


def forgotten(losses: dict[int, GeneralLoss]) -> float | None:
    """Share by which the newest perplexity is above that before the first epoch; less than 0: it is below."""
    if -1 not in losses or len(losses) < 2:
        return None
    return math.exp(min(losses[max(losses)].loss - losses[-1].loss, 20)) - 1


def sentence(share: float) -> str:
    """What the figure means, and what to do where it is large."""
    return f"General text: {how(share)}. {meaning(share)}"


def meaning(share: float) -> str:
    advice = " That is much: a lower rate or fewer epochs keep more." if share > MUCH else ""
    return f"Measured by the loss on everyday general sentences that it does not learn from.{advice}"


def how(share: float) -> str:
    if abs(share) < ALIKE:
        return "as good as before"
    return f"{abs(share):.0%} {'worse' if share > 0 else 'better'} than before"
