"""On a training screen: what is to be said of the training in words, and a button that turns the knob."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from studio import theme
from studio.widgets.card import line
from ulmfit_core.config import rate_text
from ulmfit_core.events import EpochEnded, Event
from ulmfit_core.verdict import Verdict, verdict

NOTHING = "After a few epochs it is said here whether the training goes well, and what to change where it does not."
SOUND = "Nothing stands out so far: the losses neither call for a change nor show that it is done."
ENOUGH = 2  # epochs, from which on something is said
PHRASES = {"stands still": "did not learn", "too short": "was too short", "too fast": "went too fast"}
KNOBS = {"lr_max": "highest learning rate", "epochs": "epochs"}


class VerdictTab(QWidget):
    """`turned(knob, value)` when the person takes the advice."""

    turned = Signal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self.verdict: Verdict | None = None
        self._may = True
        self.kind, self.sentence, self.advice = line("", "subheading"), line(NOTHING, "muted"), line()
        self.turn = QPushButton()
        self.turn.setToolTip("Write this value into the settings on the left, for the next run.")
        self.turn.clicked.connect(self._turn)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.MEDIUM, theme.SMALL)
        column.setSpacing(theme.SMALL)
        for part in (self.kind, self.sentence, self.advice):
            part.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            column.addWidget(part)
        column.addWidget(self.turn, alignment=Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        self.show_events([])

    def show_events(self, told: Sequence[Event]) -> None:
        found = self.verdict = verdict(told) if told else None
        for part in (self.kind, self.advice):
            part.setVisible(found is not None)
        self.kind.setText(found.kind.capitalize() if found else "")
        epochs = sum(isinstance(event, EpochEnded) for event in told)
        self.sentence.setText(found.sentence if found else SOUND if epochs >= ENOUGH else NOTHING)
        self.advice.setText(found.advice if found else "")
        if found and found.knob:
            value = rate_text(found.value) if found.knob == "lr_max" else f"{found.value:g}"
            self.turn.setText(f"Set the {KNOBS[found.knob]} to {value}")
        self._offer()

    def hint(self) -> str:
        """A sentence that leads here, where there is something to be turned."""
        said = phrase(self.verdict)
        return f"It {said}: see “Verdict”." if said else ""

    def let_turn(self, may: bool) -> None:
        """Whether the settings can be changed now."""
        self._may = may
        self._offer()

    def _offer(self) -> None:
        self.turn.setVisible(bool(self.verdict and self.verdict.knob))
        self.turn.setEnabled(self._may)

    @Slot()
    def _turn(self) -> None:
        if self.verdict:
            value = self.verdict.value
            self.turned.emit(self.verdict.knob, int(value) if self.verdict.knob == "epochs" else value)


def remark(told: Sequence[Event]) -> str:
    """What to say of a run's training where a knob should be turned, such as “was too short”; else empty."""
    return phrase(verdict(told)) if told else ""


def phrase(found: Verdict | None) -> str:
    return PHRASES.get(found.kind, found.kind) if found and found.knob else ""
