"""On the Evaluate screen: one wrong answer whole, its words shaded by what spoke for it, its label to be corrected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot

from studio.screens.relabel import Doubt, Relabel, decided
from studio.screens.try_it_models import version_of
from studio.session import Session
from studio.widgets.card import line
from studio.widgets.fold_card import FoldCard
from studio.widgets.shaded_text import ShadedText
from studio.worker import Background
from ulmfit_core.edit_log import Edit, key_of
from ulmfit_core.inference.findings import WrongAnswer
from ulmfit_core.project import Project

TITLE = "The chosen text: why this answer, and is its label right?"
TEXT_HEIGHT = 96
LOOKING = "Looking for the words that spoke for it …"
SHADED = "Blue words spoke for the answer, dashed orange ones against it."


class ChosenAnswer(FoldCard):
    """Closed at first: the classifier is read when it is opened. `troubled(sentence)`: a correction was not kept."""

    troubled = Signal(str)

    def __init__(self, session: Session):
        self._session = session
        self._answer: WrongAnswer | None = None
        self._explained: WrongAnswer | None = None
        self._judge = Judge()
        self.sentence, self.words = line(), line("", "muted")
        self.text = ShadedText("The chosen text, its words shaded by what spoke for the answer")
        self.relabel = Relabel(session)
        super().__init__(TITLE, self.sentence, self.text, self.words, self.relabel)
        self.setProperty("card", False)  # it stands in a card already
        self.layout().setContentsMargins(0, 0, 0, 0)  # type: ignore[union-attr]
        self.sentence.setTextFormat(Qt.TextFormat.PlainText)  # labels stay what they are
        self.text.setFixedHeight(TEXT_HEIGHT)
        self._background = Background(self)
        self._background.answered.connect(self._shade)
        self._background.refused.connect(self._refuse)
        self.heading.toggled.connect(self._look)
        self.relabel.changed.connect(self._offer)
        self.relabel.troubled.connect(self.troubled)

    def set_labels(self, labels: Sequence[str]) -> None:
        self.relabel.set_labels(labels)

    def show_answer(self, one: WrongAnswer | None) -> None:
        """Another wrong answer was chosen, or none is."""
        self._answer = one
        self._look()

    @Slot()
    @Slot(bool)
    def _look(self, _: bool = True) -> None:
        """Only where it is seen: words cost a second or two when the classifier is first asked."""
        one = self._answer
        if one is None or not self.is_open:
            return
        self._offer()
        if one is self._explained:
            return
        self._explained = one
        self.sentence.setText(answer_sentence(one))
        self.text.set_text(one.text)
        project = self._session.project
        if project is None:
            return
        self.words.setText(LOOKING)
        judge = self._judge
        self._background.ask(lambda: judge.shares(project, one.text, one.given))

    @Slot(object)
    def _shade(self, shares: Any) -> None:
        if self._explained:
            self.text.shade(self._explained.text, shares)
            self.words.setText(SHADED)

    @Slot(str)
    def _refuse(self, sentence: str) -> None:
        self.words.setText(sentence)

    @Slot()
    def _offer(self) -> None:
        one = self._answer
        edit = decided(self._session).get(key_of(one.text)) if one else None
        self.relabel.offer(Doubt(one.text, one.truth, one.given) if one else None, edit)
        self.relabel.say(kept_words(edit))


class Judge:
    """The project's classifier, read when it is first asked, and again when another took its place. For one thread."""

    def __init__(self) -> None:
        self._version: object = None
        self._predictor: Any = None

    def shares(self, project: Project, text: str, label: str) -> Any:
        """What each word spoke for the label. Raises UserError where there is no classifier."""
        from ulmfit_core.inference import explain
        from ulmfit_core.inference.predictor import Predictor  # brings torch

        version = version_of(project.bundle_folder("classify"))
        if self._predictor is None or version != self._version:
            self._predictor, self._version = Predictor.of(project), version
        return explain.attributions(self._predictor, text, label)


def answer_sentence(one: WrongAnswer) -> str:
    return f"Answered “{one.given}” with {one.sure:.1%}; its label is “{one.truth}”, which got {one.of_truth:.1%}."


def kept_words(edit: Edit | None) -> str:
    """What was said of this text before; "" for nothing."""
    if edit is None:
        return ""
    return f"You said “{edit.label}”. Import and train again to take it in: “Train everything” does both."
