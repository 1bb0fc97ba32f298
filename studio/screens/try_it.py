"""The screen to try the models: a text is classified as it is typed, and the language model continues a text.

Models are loaded and asked in threads of their own; the window never waits for them.
"""

from __future__ import annotations

from PySide6.QtCore import Slot

from studio import in_training
from studio.screens.screen import Screen
from studio.screens.try_it_classifier import ClassifierPart
from studio.screens.try_it_writer import WriterPart
from studio.screens.watched import watch
from studio.session import Session
from studio.widgets.own_height import OwnHeight
from studio.widgets.room import Room

WATCHED = (
    "This text is read after each epoch (pass) of the next training; nothing happens before. See “Watched” under "
    "“Classify”."
)


class TryItScreen(Screen):
    """Classify a text as it is typed; let the language model write."""

    title = "Try it"
    explanation = "Type or paste a text: the answer follows as you type, and the words that speak for it are coloured."

    def __init__(self, session: Session):
        super().__init__(session)
        self.classifier, self.writer = ClassifierPart(), WriterPart()
        self.tabs = OwnHeight()
        self.tabs.setDocumentMode(True)
        self.tabs.setAccessibleName("What to try")
        self.tabs.addTab(self.classifier, "Classify a text")
        self.tabs.addTab(self.writer, "Let it write")
        self.tabs.currentChanged.connect(self._turn)
        self.body.addWidget(self.tabs, 1)
        self.classifier.troubled.connect(self._complain)
        self.writer.troubled.connect(self._complain)
        self.classifier.watched.connect(self._watch)
        self.classifier.corrected.connect(session.project_changed)
        self.classifier.retrain.connect(self._retrain)
        self.writer.train.connect(self._train_writer)

    def refresh(self) -> None:
        project = self.session.project
        if project:
            classifier = in_training.control_of(self.session, in_training.CLASSIFIERS)
            self.classifier.use(project, classifier, not self.session.read_only)
            self.writer.use(project, in_training.control_of(self.session, in_training.WRITERS))

    def begin(self) -> None:
        """One begins by typing a text."""
        if self.tabs.currentWidget() is self.writer:
            self.writer.begin()
        else:
            self.classifier.text.setFocus()

    def take(self, subject: object) -> None:
        """A text that another screen wants to be tried."""
        self.tabs.setCurrentWidget(self.classifier)
        self.classifier.put(str(subject))

    @Slot(int)
    def _turn(self, _: int) -> None:
        for room in self.findChildren(Room):
            room.verticalScrollBar().setValue(0)
        if self.isVisible() and not self.tabs.tabBar().hasFocus():
            self.begin()

    @Slot(str)
    def _watch(self, text: str) -> None:
        if watch(self.session, text):
            self.show_message(WATCHED)

    @Slot()
    def _retrain(self) -> None:
        self.wants.emit("classify", None)

    @Slot()
    def _train_writer(self) -> None:
        self.wants.emit("finetune", None)

    @Slot(str)
    def _complain(self, sentence: str) -> None:
        self.show_message(sentence, "error")
