"""On the Try it screen: the text, its words shaded by what speaks for the answer, and what each word changes."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from studio import theme
from studio.screens.try_it_models import Answered
from studio.screens.try_it_reasons import Explained, Reasons
from studio.screens.try_it_words import removal_sentence
from studio.widgets.card import line
from studio.widgets.legend import Legend
from studio.widgets.shaded_text import ShadedText

LEAST_TEXT = 84
FULL = 0.5  # change of the log-odds at which a word's colour is full: at even odds, 12 points of the probability
POINT = "Point at a word, or move the cursor to it, to see what the answer would be without it."
LOOKING = "Looking at the words …"


class ExplainedText(QWidget):
    """A text to type in. `explain` shades its words once they are looked at; typing goes on meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self._explained: Explained | None = None
        self._reasons = Reasons(self)
        self.text = ShadedText("Text to classify", editable=True)
        self.text.setToolTip("The classifier answers a moment after you pause. Only “Keep this try” keeps a text.")
        self.text.setMinimumHeight(LEAST_TEXT)
        self.word = line("", "muted")
        self.word.setTextFormat(Qt.TextFormat.PlainText)  # words stay what they are
        self.word.setAccessibleName("What the word at the cursor changes")
        self.legend = Legend()
        self._lay_out()
        self._reasons.found.connect(self._shade)
        self._reasons.changed.connect(self._know_more)
        self._reasons.refused.connect(self.word.setText)
        self.text.hovered.connect(self._tell_word)
        self.text.textChanged.connect(self._outdate)

    def explain(self, answered: Answered, label: str) -> None:
        """Look for the words that speak for a label of the text that was answered."""
        self._explained = None
        self.word.setText(LOOKING)
        self._reasons.explain(answered, label)

    def forget(self) -> None:
        """There is no answer to explain."""
        self._outdate()
        self.text.shade("", [])
        self.legend.hide()

    def hasHeightForWidth(self) -> bool:
        """Never: a long sentence takes its height from the text."""
        return False

    def add_buttons(self, *buttons: QPushButton) -> None:
        """Put what is done with the text below it."""
        for button in buttons:
            self._below.addWidget(button)

    @Slot()
    def _outdate(self) -> None:
        """Nothing is told of an older text; its colours stay until there are new ones: typing makes nothing flicker."""
        self._explained = None
        self._reasons.forget()
        self.word.setText("")

    @Slot(object)
    def _shade(self, explained: Explained) -> None:
        self._explained = explained
        self.text.shade(explained.question.answered.text, explained.shares, FULL)
        self.legend.tell(explained.question.label)
        self._tell_word(self.text.pointed)

    @Slot(object)
    def _know_more(self, explained: Explained) -> None:
        self._explained = explained
        self._tell_word(self.text.pointed)

    @Slot(int)
    def _tell_word(self, number: int) -> None:
        """What the word that is pointed at changes; where that is not known yet, it is found out."""
        explained = self._explained
        if explained is None:
            return
        if not 0 <= number < len(explained.shares):
            self.word.setText(POINT)
        elif number in explained.changes:
            question, share = explained.question, explained.shares[number]
            now = question.answered.prediction.probabilities[question.label]
            word = question.answered.text[share.start : share.end]
            self.word.setText(removal_sentence(word, question.label, now, explained.changes[number]))
        else:
            self.word.setText(LOOKING)
            self._reasons.ask_word(number)

    def _lay_out(self) -> None:
        above, self._below = QHBoxLayout(), QHBoxLayout()
        above.addWidget(line("Your text", "subheading"))
        above.addWidget(self.legend, 1)
        self._below.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SMALL)
        column.addLayout(above)
        column.addWidget(self.text, 1)
        column.addWidget(self.word)
        column.addLayout(self._below)
