"""On the Try it screen: the answer in large letters, why it is none, its probabilities, what it should have been."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.screens.try_it_compare import Rivals
from studio.screens.try_it_corrections import ShouldBe
from studio.screens.try_it_models import Answered, Source
from studio.screens.try_it_words import (
    NO_CLASSIFIER,
    WAITING,
    answer_sentence,
    familiar_sentence,
    headline,
)
from studio.widgets.card import card, line
from studio.widgets.compared_bars import Column, ComparedBars
from ulmfit_core.config import AnswerSettings

MOST_BARS = 6
CLICK = "Click a label to see which words speak for it"
READING = "The classifier reads …"
SLOW_MILLISECONDS = 300  # after which it is said that it reads


class AnswerCard(QWidget):
    """`chosen(label)`: its words are to be explained."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._answered: Answered | None = None
        self.explained = ""  # the label whose words are shaded
        self.source = Source("The saved classifier")
        self.label, self.hint, self.familiar = line("", "figure"), line(NO_CLASSIFIER, "muted"), line("", "muted")
        for said in (self.label, self.hint, self.familiar):
            said.setTextFormat(Qt.TextFormat.PlainText)  # labels stay what they are
        self.bars = ComparedBars("Probability of each label", MOST_BARS, CLICK)
        self.bars.chosen.connect(self.chosen)
        self.rivals = Rivals(self.source)
        self.rivals.changed.connect(self._draw)
        self.should_be = ShouldBe()
        self._slow = QTimer(self, singleShot=True, interval=SLOW_MILLISECONDS)
        self._slow.timeout.connect(self._say_reading)
        self._lay_out()

    def show_answer(self, answered: Answered, settings: AnswerSettings) -> None:
        prediction = answered.prediction
        self._answered = answered
        self._hold(True)
        self.label.setText(headline(prediction))
        self.hint.setText(answer_sentence(prediction, settings, answered.since, answered.untrained))
        said = familiar_sentence(prediction)
        self.familiar.setText(said)
        self.label.show()
        self.familiar.setVisible(bool(said))
        self.explain(prediction.label)

    def explain(self, label: str) -> None:
        """Mark the label whose words are shaded."""
        self.explained = label
        self._draw()

    def clear(self, usable: bool) -> None:
        self._answered, self.explained = None, ""
        self._hold(True)
        self.label.hide()
        self.familiar.hide()
        self.hint.setText(WAITING if usable else NO_CLASSIFIER)
        self._draw()

    def wait(self) -> None:
        """Say that the first answer is on its way."""
        if self._answered is None:
            self.hint.setText(READING)

    def outdate(self) -> None:
        """The text is another one by now: its answer is on its way, and this one does not hold for it."""
        if self._answered:
            self._hold(False)

    def _hold(self, holds: bool) -> None:
        """What is disabled is drawn muted."""
        for part in (self.label, self.familiar, self.bars):
            part.setEnabled(holds)
        if holds:
            self._slow.stop()
        elif not self._slow.isActive():
            self._slow.start()

    @Slot()
    def _say_reading(self) -> None:
        self.hint.setText(READING)

    @Slot()
    def _draw(self) -> None:
        columns = [self._own_column(), *self.rivals.columns] if self._answered else []
        self.bars.show_columns(columns, self.explained)

    def _own_column(self) -> Column:
        assert self._answered is not None
        prediction = self._answered.prediction
        return Column("This one", prediction.probabilities, prediction.label)

    def hasHeightForWidth(self) -> bool:
        """Never: it sees to its height itself, which the layout around it would squeeze."""
        return False

    def event(self, event: QEvent) -> bool:
        """As high as its sentences are, wrapped at its width."""
        done = super().event(event)
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            self.setFixedHeight(self._column.minimumHeightForWidth(self.width()))
        return done

    def _lay_out(self) -> None:
        head = QWidget()
        across = QHBoxLayout(head)
        across.setContentsMargins(0, 0, 0, 0)
        across.addWidget(line("Answer", "subheading"), 1)
        across.addWidget(self.rivals.button)
        said = (self.source, self.label, self.hint, self.bars, self.familiar)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(card("", "", head, *said, self.rivals, self.should_be))
        self.familiar.hide()
