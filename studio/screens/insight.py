"""Under the plots of a training screen, as tabs: epochs, texts, watched sentences, forgetting, a try, the verdict."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QSizePolicy, QTabWidget, QVBoxLayout, QWidget

from studio.screens.epochs import EpochsTable
from studio.screens.forgetting import Forgetting, sentence
from studio.screens.quick_try import QuickTry
from studio.screens.verdict import VerdictTab
from studio.screens.watched import Watched
from studio.screens.writes import Writes
from studio.session import Session
from ulmfit_core.events import Event

LEAST_HEIGHT = 164  # two watched sentences with their curves
TIPS = {
    "Epochs": "The figures of each epoch.",
    "Writes": "What the language model wrote after each epoch.",
    "Watched": "Sentences of your own, read after each epoch.",
    "Forgets": "How well the model still reads everyday general sentences.",
    "Try": "Ask the model in training.",
    "Verdict": "Does the training go well, and what could be changed?",
}


class InsightTabs(QTabWidget):
    """Shows what a run has told so far. The title of the verdict has a mark where a knob should be turned."""

    def __init__(self, session: Session, step: str):
        super().__init__()
        self.setDocumentMode(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.setMinimumHeight(LEAST_HEIGHT)
        self.setAccessibleName("What the training tells")
        self.epochs = EpochsTable()
        self.writes = Writes(session) if step != "classify" else None
        self.watched = Watched(session, step)
        self.forgetting = Forgetting() if step == "finetune" else None
        self.quick_try = QuickTry(session, step)
        self.verdict = VerdictTab()
        parts = {
            "Epochs": padded(self.epochs), "Writes": self.writes, "Watched": self.watched,
            "Forgets": self.forgetting, "Try": self.quick_try, "Verdict": self.verdict,
        }  # fmt: skip
        for title, part in parts.items():
            if part is not None:
                self.setTabToolTip(self.addTab(part, title), TIPS[title])

    def hasHeightForWidth(self) -> bool:
        """Never: a long answer in one tab would take its height from the plots above."""
        return False

    def refresh(self, may_change: bool) -> None:
        """Follow the project; `may_change`: whether its settings can be changed now."""
        if self.writes:
            self.writes.refresh()
        self.watched.refresh()
        self.quick_try.refresh()
        self.verdict.let_turn(may_change)

    def show_events(self, told: Sequence[Event]) -> None:
        for part in (self.epochs, self.watched, self.verdict):
            part.show_events(told)
        if self.writes:
            self.writes.texts.show_events(told)
        if self.forgetting:
            self.forgetting.show_events(told)
            share = self.forgetting.share
            at = self.indexOf(self.forgetting)
            self.setTabToolTip(at, TIPS["Forgets"] if share is None else sentence(share))
        found, at = self.verdict.verdict, self.indexOf(self.verdict)
        self.setTabText(at, "Verdict !" if found and found.knob else "Verdict")
        self.setTabToolTip(at, found.sentence if found else TIPS["Verdict"])


def padded(part: QWidget) -> QWidget:
    """Like the other tabs, with a little room around it."""
    around = QWidget()
    column = QVBoxLayout(around)
    column.setContentsMargins(0, 4, 0, 0)
    column.addWidget(part)
    return around
