"""On the Try it screen: the beginning of a text, the words likely to follow, and how the language model goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLineEdit, QPlainTextEdit, QPushButton, QSpinBox, QWidget

from studio import in_training, theme
from studio.screens.try_it_models import Lent, Source, load_generator, version_of
from studio.widgets.card import card, line
from studio.widgets.compared_bars import Column, ComparedBars
from studio.widgets.controls import TEXT_MARGINS
from studio.worker import Background
from ulmfit_core.project import Project
from ulmfit_core.run import Control

if TYPE_CHECKING:  # it imports torch
    from ulmfit_core.inference.next_words import NextWord

TYPING_MILLISECONDS = 150
WORDS = 10
NOT_WRITTEN = "What the model writes appears here."
NO_WRITER = "There is no language model yet. Train one under “Fine-tune”, then it can continue a text."
LEFT_OUT = (
    "There is no language model: “Fine-tune” is left out of this project. Switch it on there and train it; then it can "
    "continue a text."
)
TOGETHER = (
    "Together they have {:.0%}; the rest goes to words that are not listed. “Write on” draws with these probabilities."
)
NO_WORDS = "The words that are likely to come next appear here as you type."
ENDED = "(It ended the text here.)"
ENDS = "No word is likely to follow: the model takes the text to be finished."


@dataclass(frozen=True)
class Asked:
    """What is asked of the language model, as the controls stand."""

    prompt: str
    words: int
    temperature: float
    top_p: float
    seed: int = 0


class WriterPart(QWidget):
    """A beginning of a text, and how the language model goes on. `train`: the person wants to train one."""

    troubled = Signal(str)
    train = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._folder: Path | None = None
        self._version: object = None
        self._seed = 0
        self._texts: dict[str, str] = {}  # what a bar's name stands for
        self._shown = ""  # the prompt that the bars follow
        self._model = Lent()
        self._background, self._looking = Background(self), Background(self)
        self._make_parts()
        self._lay_out()
        self._connect()

    def use(self, project: Project, training: Control | None = None) -> None:
        """Write with the one in training if that is chosen, or the fine-tuned model, or else the pretrained one."""
        folders = [project.bundle_folder(step) for step in ("finetune", "pretrain")]
        self._folder = next((folder for folder in folders if version_of(folder)), None)
        changed = self.source.offer(training, self._folder is not None)
        usable = self._folder is not None or training is not None
        self.write.setEnabled(usable and not self._background.busy)
        for part in (self.prompt, self.words, self.temperature, self.top_p):
            part.setEnabled(usable)
        lacking = LEFT_OUT if project.state("finetune").mark == "skipped" else NO_WRITER
        self.written.setPlaceholderText(NOT_WRITTEN if usable else lacking)
        self.to_train.setVisible(not usable)
        version = self._folder and version_of(self._folder)
        if changed or version != self._version:
            self._version = version
            self._look()

    def begin(self) -> None:
        self.prompt.setFocus()
        if not self._texts:
            self._look()

    @property
    def _asked(self) -> Asked:
        return Asked(self.prompt.text(), self.words.value(), self.temperature.value(), self.top_p.value(), self._seed)

    # Writing

    @Slot()
    def _write(self) -> None:
        """Each press draws anew; the same presses after a new start write the same texts."""
        folder, model, asked, control = self._folder, self._model, self._asked, self.source.control
        if (folder is None and control is None) or self._background.busy:
            return
        self._seed += 1
        self.write.setEnabled(False)
        self.written.setPlainText("The language model writes …")
        self._background.ask(lambda: written(model, folder, control, asked))

    @Slot(object)
    def _show_text(self, text: str) -> None:
        self.written.setPlainText(text)
        self.write.setEnabled(True)

    @Slot(str)
    def _refuse(self, sentence: str) -> None:
        self.written.clear()
        self.write.setEnabled(True)
        self.troubled.emit(sentence)

    # The next word

    @Slot()
    def _look(self) -> None:
        """Only where it is seen: a model of its own thread is read for it."""
        folder, model, asked, control = self._folder, self._model, self._asked, self.source.control
        if (folder or control) and self.isVisible():
            self._looking.ask(lambda: likely_words(model, folder, control, asked))

    @Slot(object)
    def _show_words(self, told: tuple[str, Sequence[NextWord]]) -> None:
        prompt, found = told
        if prompt != self.prompt.text():
            return
        names = [bar_name(word.text, not prompt.strip()) for word in found]
        self._shown, self._texts = prompt, {name: word.text for name, word in zip(names, found, strict=True)}
        self.bars.show_columns([Column("", {name: word.probability for name, word in zip(names, found, strict=True)})])
        self.note.setText(TOGETHER.format(sum(word.probability for word in found)) if found else ENDS)

    @Slot(str)
    def _no_words(self, sentence: str) -> None:
        self._texts = {}
        self.bars.show_columns([])
        self.note.setText(sentence)

    @Slot(str)
    def _append(self, name: str) -> None:
        """The word behind what stands there, with the cursor behind it."""
        self.prompt.setText((self.prompt.text().rstrip() + self._texts[name]).lstrip())

    # Making it

    def _make_parts(self) -> None:
        self.source = Source("The saved model")
        self.prompt = QLineEdit()
        self.prompt.setPlaceholderText("The beginning of a text; empty lets the model begin")
        self.prompt.setAccessibleName("Beginning of the text")
        self.prompt.setToolTip("The language model goes on from here (Return).")
        self.words = QSpinBox(minimum=1, maximum=300, value=30, suffix=" words")
        self.words.setAccessibleName("How many words to write")
        self.words.setToolTip("It may stop earlier, where it takes the text to be finished.")
        self.temperature = QDoubleSpinBox(minimum=0, maximum=2, singleStep=0.1, value=0.8, prefix="temperature ")
        self.temperature.setAccessibleName("Temperature")
        self.temperature.setToolTip("Low: the likeliest words. High: bolder and odder ones.")
        self.top_p = QDoubleSpinBox(minimum=0.05, maximum=1, singleStep=0.05, value=0.95, prefix="top-p ")
        self.top_p.setAccessibleName("Top-p")
        self.top_p.setToolTip(
            "At each step only the likeliest pieces of words are drawn from that together have this probability; the "
            "unlikely rest is left out. 1 leaves none out."
        )
        for box in (self.words, self.temperature, self.top_p):
            box.lineEdit().setTextMargins(*TEXT_MARGINS)
        self.write = QPushButton("&Write on")
        self.write.setProperty("primary", True)
        self.write.setToolTip("Let the language model continue the text; press again for another continuation.")
        self.to_train = QPushButton("Go to &Fine-tune")
        self.to_train.setToolTip("Go where the language model is trained.")
        self.to_train.hide()
        self.written = QPlainTextEdit(readOnly=True)
        self.written.setTabChangesFocus(True)
        self.written.setMinimumHeight(90)
        self.written.setAccessibleName("What the language model wrote")
        self.bars = ComparedBars("Likely next words", WORDS, "Click a word to add it to the text")
        self.note = line(NO_WORDS, "muted")
        self._typing = QTimer(self, singleShot=True, interval=TYPING_MILLISECONDS)

    def _connect(self) -> None:
        self._background.answered.connect(self._show_text)
        self._background.refused.connect(self._refuse)
        self._looking.answered.connect(self._show_words)
        self._looking.refused.connect(self._no_words)
        self.prompt.returnPressed.connect(self._write)
        self.write.clicked.connect(self._write)
        self._typing.timeout.connect(self._look)
        self.prompt.textChanged.connect(self._wait)
        for box in (self.temperature, self.top_p):
            box.valueChanged.connect(self._wait)
        self.source.activated.connect(self._look)
        self.bars.chosen.connect(self._append)
        self.to_train.clicked.connect(self.train)

    @Slot()
    def _wait(self, _: Any = None) -> None:
        self._typing.start()

    def _lay_out(self) -> None:
        settings = QWidget()
        across = QHBoxLayout(settings)
        across.setContentsMargins(0, 0, 0, 0)
        for part in (self.words, self.temperature, self.top_p):
            across.addWidget(part)
        across.addStretch(1)
        across.addWidget(self.write)
        left = card("The beginning of a text", "", self.source, self.prompt, settings, self.written, self.to_train)
        right = card("Likely next words", "", self.bars, self.note)
        right.layout().addStretch(1)  # type: ignore[union-attr]
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, theme.SMALL, 0, 0)
        whole.setSpacing(theme.MEDIUM)
        whole.addWidget(left, 6)
        whole.addWidget(right, 5)


def written(lent: Lent, folder: Path | None, control: Control | None, asked: Asked) -> str:
    """The text as the model goes on with it. Not for the main thread."""
    writer, since = writer_of(lent, folder, control)
    text = writer.generate(
        asked.prompt, words=asked.words, temperature=asked.temperature, top_p=asked.top_p, seed=asked.seed
    )
    ended = len(text.split()) - len(asked.prompt.split()) < asked.words
    return "".join([f"({since}) " if since else "", text, f"\n\n{ENDED}" if ended else ""])


def likely_words(lent: Lent, folder: Path | None, control: Control | None, asked: Asked) -> tuple[str, list[NextWord]]:
    """The prompt, and the words that may follow it. Not for the main thread."""
    from ulmfit_core.inference.generate import Sampling
    from ulmfit_core.inference.next_words import next_words

    writer, _ = writer_of(lent, folder, control)
    sampling = Sampling(temperature=asked.temperature, top_p=asked.top_p)
    return asked.prompt, next_words(writer.model, writer.vocab, asked.prompt, WORDS, sampling)


def writer_of(lent: Lent, folder: Path | None, control: Control | None) -> tuple[Any, str]:
    """The language model that is asked, and how old it is where it is in training."""
    if control:
        copy = in_training.snapshot(control)
        return copy.generator(), in_training.since(copy)
    assert folder is not None
    return lent.get(version_of(folder), lambda: load_generator(folder)), ""


def bar_name(text: str, begins: bool = False) -> str:
    """A new word as it is; what goes on with the last word, or stands close behind it, after three dots.

    `begins`: nothing stands before it.
    """
    return text.strip() if begins or text[:1].isspace() or text[:1].isupper() else f"…{text}"
