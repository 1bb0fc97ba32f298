"""On the Try it screen: which words speak for an answer, and what one word changes; found after the answer is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from studio.screens.try_it_models import Answered, Superseded
from studio.worker import Background

# Of a text of more words only the word that is pointed at is taken away, when it is.
MOST_AT_ONCE = 40


@dataclass(frozen=True)
class Question:
    """Whose answer is explained, and for which label."""

    answered: Answered
    label: str


@dataclass(frozen=True)
class Explained:
    """The words of a text and what each weighs for a label; `changes` by a word's number, as far as they are known.

    A change is the label's probability with the word less that without it.
    """

    question: Question
    shares: Sequence[Any]
    changes: dict[int, float] = field(default_factory=dict)


class Reasons(QObject):
    """`found(Explained)`: the words' weights; `changed(Explained)`: what more is known of words taken away."""

    found = Signal(object)
    changed = Signal(object)
    refused = Signal(str)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._number = 0
        self._known: Explained | None = None
        self._background = Background(self)
        self._background.answered.connect(self._take)
        self._background.refused.connect(self.refused)

    def explain(self, answered: Answered, label: str) -> None:
        """Find the weights of the words, then their changes; what was asked before is dropped at once."""
        self.forget()
        question, between = Question(answered, label), self._between()
        self._background.ask(lambda: Explained(question, weights(question, between)))

    def forget(self) -> None:
        self._number += 1
        self._known = None
        self._background.forget()

    def ask_word(self, number: int) -> None:
        """Find what one word changes, if that is not known yet."""
        known = self._known
        if known is None or number in known.changes or not 0 <= number < len(known.shares):
            return
        if len(known.shares) > MOST_AT_ONCE:  # else all are being looked at
            self._find_changes(known, [number])

    @Slot(object)
    def _take(self, explained: Explained) -> None:
        first = self._known is None
        self._known = explained
        if first:
            self.found.emit(explained)
            if len(explained.shares) <= MOST_AT_ONCE:
                self._find_changes(explained, range(len(explained.shares)))
        else:
            self.changed.emit(explained)

    def _find_changes(self, known: Explained, numbers: Sequence[int]) -> None:
        between = self._between()
        self._background.ask(lambda: with_changes(known, numbers, between))

    def _between(self) -> Callable[[], object]:
        """Called by the engine now and then: stops it where nobody waits for the answer any more."""
        number = self._number

        def check() -> None:
            if number != self._number:
                raise Superseded

        return check


def weights(question: Question, between: Callable[[], object]) -> Sequence[Any]:
    """What each word weighs for the label. Not for the main thread.

    Of a label that was never trained on the network's scores tell nothing: the exact changes are taken.
    """
    from ulmfit_core.inference import explain

    answered, label = question.answered, question.label
    find = explain.removals if label in answered.untrained else explain.attributions
    return find(answered.predictor, answered.text, label, between)


def with_changes(known: Explained, numbers: Sequence[int], between: Callable[[], object]) -> Explained:
    """What is known and what taking each of these words away changes. Not for the main thread."""
    from ulmfit_core.inference import explain

    text, predictor, label = known.question.answered.text, known.question.answered.predictor, known.question.label
    words = [known.shares[number] for number in numbers]
    if len(words) == len(known.shares):
        found = explain.removals(predictor, text, label, between)
    else:
        found = [explain.removal(predictor, text, (word.start, word.end), label, between) for word in words]
    by_span = {(share.start, share.end): share.weight for share in found}
    spans = [(word.start, word.end) for word in words]
    changes = {number: by_span[span] for number, span in zip(numbers, spans, strict=True) if span in by_span}
    return Explained(known.question, known.shares, {**known.changes, **changes})
