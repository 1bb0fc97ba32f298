"""On the Try it screen: a text and its answer as one types, other tries, and what answers should have been."""

from __future__ import annotations

from PySide6.QtCore import QSize, QTimer, Signal, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from studio import theme
from studio.kept_tries import Try
from studio.screens.try_it_answer import AnswerCard
from studio.screens.try_it_corrections import Corrections
from studio.screens.try_it_examples import Examples
from studio.screens.try_it_models import Answered, Lent, ask_classifier, classifier_version, labels_known
from studio.screens.try_it_text import ExplainedText
from studio.screens.try_it_tries import KeptTries, RecentTries, goes_on
from studio.widgets.card import card
from studio.widgets.own_height import OwnHeight
from studio.worker import Background
from ulmfit_core.project import Project
from ulmfit_core.run import Control

TYPING_MILLISECONDS = 150
LEAST_TABS = 150


class ClassifierPart(QWidget):
    """`watched(text)`: it is to be read after each epoch. `corrected`: the data has other corrections than before.

    `retrain`: the person wants to train the classifier again.
    """

    troubled = Signal(str)
    watched = Signal(str)
    corrected = Signal()
    retrain = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.may_write = True  # not in a window that only reads
        self._project: Project | None = None
        self._version: object = None
        self._answered: Answered | None = None
        self._keeps_next = False  # the answer that is on its way is to be kept
        self._model = Lent()
        self._background = Background(self)
        self._make_parts()
        self._lay_out()
        self._connect()

    @property
    def _answer(self) -> object:
        """What is shown: the prediction for the text that stood there when it was asked for."""
        return self._answered.prediction if self._answered else None

    def use(self, project: Project, training: Control | None, may_write: bool) -> None:
        """Answer with the project's classifier as it is now, or with the one in training, if that is chosen.

        A new one answers the text that stands there.
        """
        self._project, self.may_write = project, may_write
        self.kept.may_write = may_write
        self.kept.use(project)
        version, known = classifier_version(project), labels_known(project)
        changed = self.source.offer(training, version is not None)
        usable = version is not None or training is not None
        self.text.setEnabled(usable)
        self.text.setPlaceholderText("Type or paste a text here." if usable else "")
        self.answer.rivals.use(project, training)
        self.corrections.use(project, known, may_write)
        self.answer.should_be.set_labels(self.corrections.labels(project, known))
        self._name_tab(len(self.corrections.edits))
        if version != self._version or changed:
            self._version = version
            self._clear_answer()
            self._ask()
        self._offer_keeping()

    def put(self, text: str) -> None:
        """Try this text, which stands in a list or comes from another screen."""
        self.text.setPlainText(text)
        self.text.setFocus()

    # The answer

    @Slot()
    def _ask(self) -> None:
        text, project, model, control = self.text.toPlainText(), self._project, self._model, self.source.control
        if project is None or (self._version is None and control is None) or not text.strip():
            self._background.forget()
            self._clear_answer()
            return
        self.answer.wait()
        self._background.ask(lambda: ask_classifier(model, project, control, text))
        self.answer.rivals.ask(text)

    @Slot(object)
    def _show_answer(self, answered: Answered) -> None:
        project, before = self._project, self._answered
        assert project is not None
        if before and not goes_on(before.text, answered.text):
            self.answer.should_be.clear()  # another text: what was said of the last one does not hold for it
        self._answered = answered
        self.answer.show_answer(answered, project.recipe.answers)
        self._explain(answered.prediction.label)
        self.examples.show_for(project, answered)
        prediction = answered.prediction
        self.recent.note(Try(prediction.answer, prediction.probabilities[prediction.label], answered.text))
        self._follow_text()
        if self._keeps_next:
            self._keep()

    @property
    def _holds(self) -> bool:
        """Whether what is shown is the answer to the text that stands there."""
        return self._answered is not None and self._answered.text == self.text.toPlainText()

    @Slot()
    def _outdate(self) -> None:
        self._keeps_next = False
        self._follow_text()

    def _follow_text(self) -> None:
        """The answer to another text is muted, and nothing can be done with it."""
        if not self._holds:
            self.answer.outdate()
        self._offer_keeping()

    @Slot(str)
    def _refuse(self, sentence: str) -> None:
        self._clear_answer()
        self.troubled.emit(sentence)

    def _clear_answer(self) -> None:
        self._answered = None
        self.recent.settle()
        self.answer.clear(self.text.isEnabled())
        self.answer.rivals.ask("")
        self.answer.should_be.clear()
        self.examples.clear()
        self.words.forget()
        self._offer_keeping()

    @Slot(str)
    def _explain(self, label: str) -> None:
        if self._answered:
            self.answer.explain(label)
            self.words.explain(self._answered, label)

    # What a person does with it

    def _offer_keeping(self) -> None:
        """An answer can be kept or corrected, but not in a window that only reads."""
        usable = self.may_write and self._holds
        for part in (self.keep, self.watch):
            part.setEnabled(usable)
        self.answer.should_be.let_use(usable)

    @Slot()
    def _keep(self) -> None:
        """Now, or once the answer is there."""
        self._keeps_next = self.may_write and not self._holds
        if self._answered and self.keep.isEnabled():
            answer = self._answered.prediction
            self.kept.keep(Try(answer.answer, answer.probabilities[answer.label], answer.text))
            self.tabs.setCurrentWidget(self.kept)

    @Slot()
    def _watch(self) -> None:
        if self._answered:
            self.watched.emit(" ".join(self._answered.text.split()))

    @Slot(str)
    def _correct(self, label: str) -> None:
        if self._answered:
            self.corrections.add(self._answered.text, label)
            self.tabs.setCurrentWidget(self.corrections)
            self.text.setFocus()  # to try the next one; the button may be pressed no more

    def _name_tab(self, count: int) -> None:
        self.tabs.setTabText(self.tabs.indexOf(self.corrections), f"Corrections ({count})" if count else "Corrections")

    # Making it

    def _make_parts(self) -> None:
        self.words = ExplainedText()
        self._typing = QTimer(self, singleShot=True, interval=TYPING_MILLISECONDS)
        self.keep, self.watch = QPushButton("&Keep this try"), QPushButton("Wat&ch this text")
        self.keep.setToolTip("Keep text and answer in the project, under “Kept tries” (Ctrl+Return).")
        self.watch.setToolTip(
            "Have this text read after each epoch (pass over the data) of a training, to see how the answer changes."
        )
        QShortcut(QKeySequence("Ctrl+Return"), self, self._keep)
        self.answer, self.examples = AnswerCard(), Examples()
        self.recent, self.kept, self.corrections = RecentTries(), KeptTries(), Corrections()
        self.text = self.words.text
        self.source, self.label, self.hint = self.answer.source, self.answer.label, self.answer.hint
        self.bars, self.tries, self.remove = self.answer.bars, self.kept.table, self.kept.remove

    def _connect(self) -> None:
        self._background.answered.connect(self._show_answer)
        self._background.refused.connect(self._refuse)
        self._typing.timeout.connect(self._ask)
        self.text.textChanged.connect(self._typing.start)
        self.text.textChanged.connect(self._outdate)
        self.source.activated.connect(self._ask)
        self.answer.chosen.connect(self._explain)
        self.answer.should_be.wanted.connect(self._correct)
        self.keep.clicked.connect(self._keep)
        self.watch.clicked.connect(self._watch)
        for part in (self.examples, self.recent, self.kept):
            part.opened.connect(self.put)
        self.kept.troubled.connect(self.troubled)
        self.corrections.troubled.connect(self.troubled)
        self.corrections.changed.connect(self.corrected)
        self.corrections.retrain.connect(self.retrain)

    def _lay_out(self) -> None:
        self.tabs = Lists()
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName("Tries and corrections")
        for title, part in (("Last tries", self.recent), ("Kept tries", self.kept), ("Corrections", self.corrections)):
            self.tabs.addTab(part, title)
        left, right = QVBoxLayout(), QVBoxLayout()
        for side in (left, right):
            side.setSpacing(theme.MEDIUM)
        self.words.add_buttons(self.watch, self.keep)
        left.addWidget(card("", "", self.words), 3)
        left.addWidget(self.tabs, 2)
        right.addWidget(self.answer)
        right.addWidget(card("", "", self.examples), 1)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, theme.SMALL, 0, 0)
        whole.setSpacing(theme.MEDIUM)
        whole.addLayout(left, 6)
        whole.addLayout(right, 5)


class Lists(OwnHeight):
    """Pages with lists, which need no height of their own."""

    def hasHeightForWidth(self) -> bool:
        """Never: a long sentence in one of them would take its height from the text above."""
        return False

    def minimumSizeHint(self) -> QSize:
        return super().minimumSizeHint().expandedTo(QSize(0, LEAST_TABS))
