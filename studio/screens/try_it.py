"""The screen to try the models: a text is classified as it is typed, and the language model continues a text.

Models are loaded and asked in a thread of their own; the window never waits for them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from studio import in_training, kept_tries, theme
from studio.kept_tries import Try
from studio.screens.quick_try import Tried, tried
from studio.screens.screen import Screen
from studio.screens.watched import watch
from studio.session import Session
from studio.widgets.bars import Bars
from studio.widgets.card import card, line
from studio.widgets.controls import TEXT_MARGINS
from studio.widgets.table import Table
from studio.worker import Background
from ulmfit_core.config import blend_note
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project
from ulmfit_core.run import Control

if TYPE_CHECKING:  # these import torch, which takes seconds: only the thread does that
    from ulmfit_core.inference.generate import Generator
    from ulmfit_core.inference.predictor import Prediction, Predictor

TYPING_MILLISECONDS = 150
MOST_BARS = 12
LEAST_TRIES = 92  # two of them with their heading
TRIES = ["Answer", "Sure", "Text"]
NO_CLASSIFIER = "There is no classifier yet. Train one under “Classify”, then its answers appear here as you type."
WAITING = "The answer appears here as you type."
NOT_WRITTEN = "What the model writes appears here."
NO_WRITER = "There is no language model yet. Train one under “Fine-tune”, then it can continue a text."


class TryItScreen(Screen):
    """Classify a text as it is typed; continue a text."""

    title = "Try it"
    explanation = "Type or paste a text: the answer follows as you type. Below, the language model writes on."

    def __init__(self, session: Session):
        super().__init__(session)
        self.classifier = ClassifierPart()
        self.writer = WriterPart()
        self.body.addWidget(self.classifier, 3)
        self.body.addWidget(self.writer, 1)
        self.classifier.troubled.connect(self._complain)
        self.writer.troubled.connect(self._complain)
        self.classifier.watched.connect(self._watch)

    def refresh(self) -> None:
        project = self.session.project
        if project:
            self.classifier.may_write = not self.session.read_only
            self.classifier.use(project, in_training.control_of(self.session, in_training.CLASSIFIERS))
            self.writer.use(project, in_training.control_of(self.session, in_training.WRITERS))

    def begin(self) -> None:
        """One begins by typing a text."""
        self.classifier.text.setFocus()

    def take(self, subject: object) -> None:
        """A text that another screen wants to be tried."""
        self.classifier.text.setPlainText(str(subject))
        self.begin()

    @Slot(str)
    def _watch(self, text: str) -> None:
        if watch(self.session, text):
            self.show_message(
                "This text stays here, and is read after each epoch (pass) of a training: see “Watched” there."
            )

    @Slot(str)
    def _complain(self, sentence: str) -> None:
        self.show_message(sentence, "error")


class Source(QComboBox):
    """Whether the saved model answers or a copy of the one in training; seen only while there is the latter."""

    def __init__(self, saved: str):
        super().__init__()
        self.addItems([saved, "The model in training"])
        self.setAccessibleName("Which model answers")
        self.setToolTip(
            "The saved model is what the last finished training left. Of the model in training a copy answers, made "
            "when you ask; the training goes on untouched."
        )
        self._control: Control | None = None
        self.hide()

    def offer(self, control: Control | None, saved: bool) -> bool:
        """Show what there is. Returns whether another training is on than before, or none any more."""
        changed = control is not self._control
        self._control = control
        self.setVisible(control is not None)
        self.setEnabled(saved)
        if changed or not saved:
            self.setCurrentIndex(1 if control and not saved else 0)
        return changed

    @property
    def control(self) -> Control | None:
        """Of the training whose model is to answer; None: the saved one."""
        return self._control if self.currentIndex() == 1 else None


class Lent:
    """A model loaded when it is first asked for, in the thread that asks, and again when its bundle changed."""

    def __init__(self, load: Callable[[Path], Any]):
        self._load = load
        self._version: object = None
        self._model: Any = None

    def get(self, folder: Path) -> Any:
        version = version_of(folder)
        if version != self._version:
            self._model = self._load(folder)
            self._version = version
        return self._model


class ClassifierPart(QWidget):
    """The text, its answer, and the tries that were kept. `watched(text)` when it is to be read after each epoch."""

    troubled = Signal(str)
    watched = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.may_write = True  # not in a window that only reads
        self._project: Project | None = None
        self._folder: Path | None = None
        self._version: object = None
        self._answer: Prediction | None = None
        self._since = ""  # how old the model in training was when it answered
        self._tries: list[Try] = []
        self._tries_version: object = None
        self._model = Lent(load_predictor)
        self._background = Background(self)
        self._background.answered.connect(self._show_answer)
        self._background.refused.connect(self._refuse)
        self._make_parts()
        self._lay_out()

    def use(self, project: Project, training: Control | None = None) -> None:
        """Answer with the project's classifier as it is now, or with the one in training, if that is chosen.

        A new one answers the text that stands there.
        """
        self._project, self._folder = project, project.bundle_folder("classify")
        self._reread_tries(project)
        version = version_of(self._folder)
        changed = self.source.offer(training, version is not None)
        usable = version is not None or training is not None
        self.text.setEnabled(usable)
        self.text.setPlaceholderText("Type or paste a text here." if usable else "")
        if version != self._version or changed:
            self._version = version
            self._clear_answer()
            self._ask()
        self._offer_keeping()

    @Slot()
    def _ask(self) -> None:
        text, folder, model, control = self.text.toPlainText(), self._folder, self._model, self.source.control
        if folder is None or (self._version is None and control is None) or not text.strip():
            self._background.forget()
            self._clear_answer()
            return
        if self._answer is None:
            self.hint.setText("The classifier reads …")
        if control:
            self._background.ask(lambda: tried(control, "classify", text, 0, 0.0))
        else:
            self._background.ask(lambda: model.get(folder).predict([text])[0])

    @Slot(object)
    def _show_answer(self, told: Prediction | Tried) -> None:
        answer, self._since = (told.answer, told.since) if isinstance(told, Tried) else (told, "")
        assert answer is not None
        self._answer = answer
        self.label.setText(answer.label)
        self.label.show()
        self.bars.set_values(shown(answer.probabilities), answer.label)
        self.hint.setText(answer_sentence(answer, self._since))
        self._offer_keeping()

    @Slot(str)
    def _refuse(self, sentence: str) -> None:
        self._clear_answer()
        self.troubled.emit(sentence)

    def _clear_answer(self) -> None:
        self._answer = None
        self.label.hide()
        self.bars.set_values({})
        self.hint.setText(WAITING if self.text.isEnabled() else NO_CLASSIFIER)
        self._offer_keeping()

    def _offer_keeping(self) -> None:
        """An answer can be kept, a marked try removed, but not in a window that only reads."""
        for button in (self.keep, self.watch):
            button.setEnabled(self.may_write and self._answer is not None)
        self._offer_removal()

    @Slot()
    def _keep(self) -> None:
        answer, project = self._answer, self._project
        if answer is None or project is None or not self.keep.isEnabled():
            return
        one = Try(answer.label, answer.probabilities[answer.label], answer.text)
        self._change_tries(project, lambda: kept_tries.add(project, one))

    @Slot()
    def _remove(self) -> None:
        row, project = self.tries.currentRow(), self._project
        if project and self.remove.isEnabled() and 0 <= row < len(self._tries):
            one = self._tries[row]
            self._change_tries(project, lambda: kept_tries.remove(project, one))
            self.tries.selectRow(min(row, len(self._tries) - 1))

    def _reread_tries(self, project: Project) -> None:
        """Where the file is another than the one that is shown."""
        if kept_tries.version_of(project) != self._tries_version:
            self._tries = []
            self._change_tries(project, lambda: kept_tries.read(project))

    def _change_tries(self, project: Project, change: Callable[[], list[Try]]) -> None:
        """What cannot be read or written is told, and what was shown stays."""
        try:
            self._tries = change()
        except UserError as error:
            self.troubled.emit(str(error))
        self._tries_version = kept_tries.version_of(project)
        self.tries.set_rows(TRIES, [try_row(one) for one in self._tries])
        self._offer_removal()

    @Slot()
    def _offer_removal(self) -> None:
        self.remove.setEnabled(self.may_write and bool(self.tries.selectedIndexes()))

    @Slot()
    def _watch(self) -> None:
        if self._answer:
            self.watched.emit(" ".join(self._answer.text.split()))

    def _make_parts(self) -> None:
        self.source = Source("The saved classifier")
        self.source.activated.connect(self._ask)
        self.text = QPlainTextEdit()
        self.text.setAccessibleName("Text to classify")
        self.text.setToolTip("The classifier answers a moment after you pause. Only “Keep this try” keeps a text.")
        self.text.setTabChangesFocus(True)
        self.text.setMinimumHeight(60)
        self._typing = QTimer(self, singleShot=True, interval=TYPING_MILLISECONDS)
        self._typing.timeout.connect(self._ask)
        self.text.textChanged.connect(self._typing.start)
        self.label, self.hint = line("", "figure"), line(NO_CLASSIFIER, "muted")
        self.bars = Bars("Probability of each label")
        self.bars.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.keep = QPushButton("&Keep this try")
        self.keep.setToolTip("Keep text and answer in the project, in the list below (Ctrl+Return).")
        self.keep.setEnabled(False)
        self.keep.clicked.connect(self._keep)
        QShortcut(QKeySequence("Ctrl+Return"), self, self._keep)
        self.watch = QPushButton("Wat&ch this text")
        self.watch.setToolTip(
            "Have this text read after each epoch (pass over the data) of a training, to see how the answer changes."
        )
        self.watch.setEnabled(False)
        self.watch.clicked.connect(self._watch)
        self._make_tries()

    def _make_tries(self) -> None:
        self.tries = Table("Kept tries")
        self.tries.nothing = "Texts that you keep are listed here with their answers; the project keeps them."
        self.tries.setMinimumHeight(LEAST_TRIES)
        self.tries.set_rows(TRIES, [])
        self.remove = QPushButton("&Remove")
        self.remove.setToolTip("Keep the marked try no longer (Delete).")
        self.remove.setEnabled(False)
        self.remove.clicked.connect(self._remove)
        self.tries.itemSelectionChanged.connect(self._offer_removal)
        shortcut = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.tries, self._remove)
        shortcut.setContext(Qt.ShortcutContext.WidgetShortcut)

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(theme.MEDIUM)
        left.addWidget(card("Your text", "", self.text, in_a_row(QLabel(), self.watch, self.keep)), 1)
        heading = line("Kept tries", "subheading")
        left.addWidget(card("", "", in_a_row(heading, self.remove), self.tries), 1)
        answer = card("Answer", "", self.source, self.label, self.hint, self.bars)
        across = QHBoxLayout(self)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(theme.MEDIUM)
        across.addLayout(left, 3)
        across.addWidget(answer, 2)


class WriterPart(QWidget):
    """A beginning of a text, and how the language model goes on."""

    troubled = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._folder: Path | None = None
        self._seed = 0
        self._model = Lent(load_generator)
        self._background = Background(self)
        self._background.answered.connect(self._show_text)
        self._background.refused.connect(self._refuse)
        self._make_parts()
        self._lay_out()

    def use(self, project: Project, training: Control | None = None) -> None:
        """Write with the one in training if that is chosen, or the fine-tuned model, or else the pretrained one."""
        folders = [project.bundle_folder(step) for step in ("finetune", "pretrain")]
        self._folder = next((folder for folder in folders if version_of(folder)), None)
        self.source.offer(training, self._folder is not None)
        usable = self._folder is not None or training is not None
        self.write.setEnabled(usable and not self._background.busy)
        self.written.setPlaceholderText(NOT_WRITTEN if usable else NO_WRITER)

    @Slot()
    def _write(self) -> None:
        """Each press draws anew; the same presses after a new start write the same texts."""
        folder, model, seed, control = self._folder, self._model, self._seed, self.source.control
        if (folder is None and control is None) or self._background.busy:
            return
        prompt, words, heat = self.prompt.text(), self.words.value(), self.temperature.value()
        self._seed += 1
        self.write.setEnabled(False)
        self.written.setPlainText("The language model writes …")
        if control:
            self._background.ask(lambda: tried(control, "", prompt, seed, heat, words))
        elif folder:
            self._background.ask(lambda: model.get(folder).generate(prompt, words=words, temperature=heat, seed=seed))

    @Slot(object)
    def _show_text(self, told: str | Tried) -> None:
        self.written.setPlainText(told if isinstance(told, str) else f"({told.since}) {told.text}")
        self.write.setEnabled(True)

    @Slot(str)
    def _refuse(self, sentence: str) -> None:
        self.written.clear()
        self.write.setEnabled(True)
        self.troubled.emit(sentence)

    def _make_parts(self) -> None:
        self.source = Source("The saved model")
        self.prompt = QLineEdit()
        self.prompt.setPlaceholderText("The beginning of a text; empty lets the model begin")
        self.prompt.setAccessibleName("Beginning of the text")
        self.prompt.setToolTip("The language model goes on from here (Return).")
        self.prompt.returnPressed.connect(self._write)
        self.words = QSpinBox(minimum=1, maximum=300, value=30, suffix=" words")
        self.words.setAccessibleName("How many words to write")
        self.words.setToolTip("It may stop earlier, where it takes the text to be finished.")
        self.temperature = QDoubleSpinBox(minimum=0, maximum=2, singleStep=0.1, value=0.8, prefix="temperature ")
        self.temperature.setAccessibleName("Temperature")
        for box in (self.words, self.temperature):
            box.lineEdit().setTextMargins(*TEXT_MARGINS)
        self.temperature.setToolTip("Low: the likeliest words. High: bolder and odder ones.")
        self.write = QPushButton("&Write on")
        self.write.setToolTip("Let the language model continue the text; press again for another continuation.")
        self.write.clicked.connect(self._write)
        self.written = QPlainTextEdit(readOnly=True)
        self.written.setTabChangesFocus(True)
        self.written.setFixedHeight(90)
        self.written.setAccessibleName("What the language model wrote")

    def _lay_out(self) -> None:
        controls = QWidget()
        across = QHBoxLayout(controls)
        across.setContentsMargins(0, 0, 0, 0)
        across.addWidget(self.source)
        across.addWidget(self.prompt, 1)
        for part in (self.words, self.temperature, self.write):
            across.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(card("Continue a text", "", controls, self.written))


def in_a_row(first: QLabel, *buttons: QPushButton) -> QWidget:
    """The label at the left, the buttons at the right."""
    whole = QWidget()
    row = QHBoxLayout(whole)
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(first, 1)
    for button in buttons:
        row.addWidget(button)
    return whole


def try_row(one: Try) -> list[str]:
    return [one.label, f"{one.probability:.1%}", " ".join(one.text.split())]


def load_predictor(folder: Path) -> Predictor:
    from ulmfit_core.inference.predictor import Predictor

    return Predictor.load(folder)


def load_generator(folder: Path) -> Generator:
    from ulmfit_core.inference.generate import Generator

    return Generator.load(folder)


def answer_sentence(answer: Prediction, since: str = "") -> str:
    """The answer in words, and what gave it where that is not the saved network alone."""
    if since:
        return f"The model in training gives “{answer.label}” {answer.probabilities[answer.label]:.1%}, {since}."
    given = f"The classifier gives “{answer.label}” {answer.probabilities[answer.label]:.1%}"
    return f"{given}, {blend_note(answer.blend_weight)}." if answer.blend_weight else f"{given}."


def version_of(folder: Path) -> object:
    """Changes when the bundle is replaced; None where there is none."""
    path = folder / "model.json"
    return (folder, path.stat().st_mtime_ns) if path.exists() else None


def shown(probabilities: dict[str, float]) -> dict[str, float]:
    """The likeliest first, so that the answer is always in sight; MOST_BARS at most."""
    likeliest = sorted(probabilities.items(), key=lambda pair: -pair[1])
    return dict(likeliest[:MOST_BARS])
