"""What all screens share: a heading, a sentence of explanation, a strip for messages, and a body to fill."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from studio import theme
from studio.notice import Notice
from studio.session import Session
from studio.widgets.path_field import dropped_paths
from studio.widgets.room import Room


class Screen(QWidget):
    """A page of the window. Subclasses name their step, title and explanation, and fill `self.body`.

    `wants(screen, subject)`: another screen is to be shown, with a subject that it understands.
    """

    wants = Signal(str, object)
    step = ""  # import, vocab, pretrain, finetune, classify, evaluate; "" for a screen that is no step
    title = ""
    explanation = ""
    needs_project = True

    def __init__(self, session: Session):
        super().__init__()
        self.session = session
        self.heading = QLabel(self.title)
        self.heading.setProperty("role", "heading")
        self.sentence = QLabel(self.explanation, wordWrap=True)
        self.sentence.setProperty("role", "muted")
        self.notice = Notice()
        self.body = QVBoxLayout()
        self._lay_out()
        session.project_changed.connect(self._refresh_if_shown)

    def refresh(self) -> None:
        """Show the project as it is now: called when the screen appears, and when the project changes."""

    def begin(self) -> None:
        """The person came to work here, not only past it: put the focus where one begins, if there is such a place."""

    def take(self, subject: object) -> None:
        """Show what another screen asked for, after `refresh`."""

    def tells_of(self, job: str) -> bool:
        """Whether the screen says itself how a job ended."""
        return job == self.step

    def show_message(self, text: str, level: str = "info", action: str = "") -> None:
        """level: info, warning or error. `action` captions a button that makes `self.notice` emit acted."""
        self.notice.show_message(text, level, action)

    def clear_message(self) -> None:
        self.notice.clear()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._refresh_if_shown()

    @Slot()
    def _refresh_if_shown(self) -> None:
        if self.isVisible() and (self.session.project or not self.needs_project):
            self.refresh()

    def _lay_out(self) -> None:
        """All in one room that scrolls where the window is too low for it: nothing is squeezed or cut off."""
        inside = QWidget()
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(Room(inside))
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(theme.LARGE, theme.LARGE, theme.LARGE, theme.MEDIUM)
        layout.setSpacing(theme.SMALL)
        layout.addWidget(self.heading)
        layout.addWidget(self.sentence)
        layout.addSpacing(theme.SMALL)
        layout.addWidget(self.notice)
        layout.addLayout(self.body, 1)
        self.body.setSpacing(theme.MEDIUM)


class DropScreen(Screen):
    """A screen on which files may be dropped anywhere. Its sentence says `drop` while they are over it."""

    drop = ""

    def __init__(self, session: Session):
        super().__init__(session)
        self.setAcceptDrops(True)

    def take_files(self, paths: list[str]) -> None:
        """These files or folders were dropped, one at least."""
        raise NotImplementedError

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_paths(event):
            self.sentence.setText(self.drop)
            event.acceptProposedAction()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.sentence.setText(self.explanation)

    def dropEvent(self, event: QDropEvent) -> None:
        self.sentence.setText(self.explanation)
        self.take_files(dropped_paths(event))
        event.acceptProposedAction()
