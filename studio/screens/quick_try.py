"""On a training screen: one line to try the model in training, while it trains or is paused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QScrollArea, QVBoxLayout, QWidget

from studio import in_training, theme
from studio.read_only import WRITES
from studio.screens.watched import watch
from studio.session import Session
from studio.widgets.bars import Bars
from studio.widgets.card import line
from studio.worker import Background
from ulmfit_core.run import Control

if TYPE_CHECKING:
    from ulmfit_core.inference.predictor import Prediction

RESTING = {
    "classify": "While the classifier trains or is paused, type a text and press Return: it answers as it is then.",
    "": "While the model trains or is paused, type a beginning and press Return: it goes on from there.",
}
FINISHED = {
    "classify": "Try the finished classifier under “Try it”. While a training runs or is paused it can be asked here.",
    "finetune": "Let the finished model write under “Try it”. While a training runs or is paused it can be asked here.",
}
WORDS = 25


@dataclass(frozen=True)
class Tried:
    """What a copy of the model said: an answer of a classifier, or a text of a language model."""

    since: str
    answer: Prediction | None
    text: str = ""


class QuickTry(QWidget):
    """A line, Return, and the answer of the model as of that step."""

    def __init__(self, session: Session, step: str):
        super().__init__()
        self.session = session
        self.step = step
        self._kind = step if step in in_training.CLASSIFIERS else ""
        self._seed = 0
        self._background = Background(self)
        self._background.answered.connect(self._show)
        self._background.refused.connect(self._refuse)
        self._make_parts()
        self._lay_out()
        session.project_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        training = self._control() is not None
        self.text.setEnabled(training)
        self.ask_button.setEnabled(training and not self._background.busy)
        if not training:
            self._forget()

    def _forget(self) -> None:
        """An answer of a model that is gone: say where its successor is asked."""
        project = self.session.project
        finished = project is not None and project.state(self.step).mark in ("done", "stale")
        self.hint.setProperty("answered", False)
        self.hint.setText((FINISHED.get(self.step) if finished else None) or RESTING[self._kind])
        self.bars.set_values({})
        self.written.clear()

    def _control(self) -> Control | None:
        return in_training.control_of(self.session, (self.step,))

    @Slot()
    def ask(self) -> None:
        control, text = self._control(), self.text.text().strip()
        if control is None or (self._kind and not text):
            return
        self._seed += 1
        kind, seed, heat = self._kind, self._seed, self._temperature()
        self.hint.setText("The model reads …")
        self._background.ask(lambda: tried(control, kind, text, seed, heat))

    def _temperature(self) -> float:
        return self.session.project.recipe.insight.temperature if self.session.project else 0.8

    @Slot(object)
    def _show(self, answer: Tried) -> None:
        self.hint.setProperty("answered", True)
        if answer.answer:
            given = answer.answer
            likeliest = sorted(given.probabilities.items(), key=lambda pair: -pair[1])
            self.bars.set_values(dict(likeliest), given.label)
            self.hint.setText(f"“{given.label}” {given.probabilities[given.label]:.1%}, {answer.since}")
        else:
            self.written.setText(answer.text)
            self.hint.setText(f"It wrote, {answer.since}:")
        self.refresh()

    @Slot(str)
    def _refuse(self, sentence: str) -> None:
        self.hint.setText(sentence)
        self.refresh()

    @Slot()
    def _watch(self) -> None:
        text = " ".join(self.text.text().split())
        if text and watch(self.session, text):
            said = f"{self.hint.text()}. " if self.hint.property("answered") else ""
            self.hint.setText(f"{said}It is watched from the next epoch on: see “Watched”.")

    def _make_parts(self) -> None:
        self.text = QLineEdit()
        self.text.setAccessibleName("Text to try on the model in training")
        self.text.setPlaceholderText("A text to classify" if self._kind else "The beginning of a text")
        self.text.setToolTip("Return asks a copy of the model; the training goes on and is not changed by it.")
        self.text.returnPressed.connect(self.ask)
        self.ask_button = QPushButton("&Ask it")
        self.ask_button.setToolTip("Ask a copy of the model as it is at this step (Return).")
        self.ask_button.clicked.connect(self.ask)
        self.watch_button = QPushButton("&Watch it")
        self.watch_button.setToolTip("Have this text read after each epoch.")
        self.watch_button.setProperty(WRITES, True)
        self.watch_button.clicked.connect(self._watch)
        self.hint = line("", "muted")
        self.bars = Bars("Probability of each label", slim=True)
        self.written = line()
        self.written.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.written.setAlignment(Qt.AlignmentFlag.AlignTop)

    def _lay_out(self) -> None:
        across = QHBoxLayout()
        across.addWidget(self.text, 1)
        across.addWidget(self.ask_button)
        across.addWidget(self.watch_button)
        answers = QScrollArea(widgetResizable=True)  # a classifier may have many labels
        answers.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inside = QWidget()
        stack = QVBoxLayout(inside)
        stack.setContentsMargins(0, 0, 0, 0)
        stack.addWidget(self.bars if self._kind else self.written)
        stack.addStretch(1)
        answers.setWidget(inside)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.MEDIUM, theme.SMALL)
        column.setSpacing(theme.SMALL)
        column.addLayout(across)
        column.addWidget(self.hint)
        column.addWidget(answers, 1)


def tried(control: Control, kind: str, text: str, seed: int, temperature: float, words: int = WORDS) -> Tried:
    """Ask a fresh copy of the model, off the main thread. Raises UserError where there is none any more."""
    lent = in_training.snapshot(control)
    if kind:
        return Tried(in_training.since(lent), lent.predictor().predict([text])[0])
    written = lent.generator().generate(text, words=words, temperature=temperature, seed=seed)
    return Tried(in_training.since(lent), None, written)
