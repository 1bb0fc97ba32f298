"""What the parts of the Evaluate screen share: one evaluation with its answers, and a page filled when it is opened."""

from __future__ import annotations

import importlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QScrollArea, QTabWidget, QVBoxLayout, QWidget

from studio import theme
from studio.session import Session
from studio.widgets.card import line
from studio.worker import Background
from ulmfit_core.errors import UserError

if TYPE_CHECKING:  # brings pyarrow, which the first paint need not wait for
    from ulmfit_core.inference.answers import Answers

READING = "Reading the answers …"
EARLIER = "This report was made by an earlier version of the program. Press “Evaluate” to see this too."


class Measured:
    """One evaluation: the folder of its run and its report; its answers once somebody asks for them."""

    def __init__(self, folder: Path, report: dict[str, Any]):
        self.folder, self.report = folder, report
        self._lock = threading.Lock()
        self._answers: Answers | None = None

    def answers(self) -> Answers:
        """Call it off the main thread. Raises UserError where there are none, or the file is damaged."""
        found = self.answers_if_kept()
        if found is None:
            raise UserError(EARLIER)
        return found

    def answers_if_kept(self) -> Answers | None:
        """Read once, whoever asks first; None of an evaluation that kept none."""
        from ulmfit_core.inference import answers

        with self._lock:
            self._answers = self._answers or answers.load(self.folder)
            return self._answers


class Page(QWidget):
    """A part of the report. What it shows is found in a thread when it is first seen, and again for another report.

    Subclasses fill `column`, say in `look_up` what is to be found and in `show_found` how it is shown.
    """

    def __init__(self, session: Session):
        super().__init__()
        self.session = session
        self.measured: Measured | None = None
        self.state = line("", "muted")
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.inside = QWidget()
        self.column = QVBoxLayout(self.inside)
        self._asked: Measured | None = None
        self._background = Background(self)
        self._background.answered.connect(self._answer)
        self._background.refused.connect(self._refuse)
        self._lay_out()

    def look_up(self, measured: Measured) -> Any:
        """What the page shows; called in a thread, so it touches nothing of Qt. Raises UserError."""
        raise NotImplementedError

    def show_found(self, found: Any) -> None:
        """Fill the page, in the main thread."""
        raise NotImplementedError

    def use(self, measured: Measured) -> None:
        """Show this evaluation, at once or when the page is seen."""
        self.measured = measured
        if self.isVisible():
            self._begin()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._begin()

    def _begin(self) -> None:
        measured = self.measured
        if measured is None or measured is self._asked:
            return
        self._asked = measured
        self._say(READING)
        self._background.ask(lambda: self.look_up(measured))

    @Slot(object)
    def _answer(self, found: Any) -> None:
        self._say("")
        self.show_found(found)

    @Slot(str)
    def _refuse(self, sentence: str) -> None:
        self._say(sentence)

    def _say(self, sentence: str) -> None:
        """In place of what is shown; nothing shows it again."""
        self.state.setText(sentence)
        self.state.setVisible(bool(sentence))
        self.inside.setVisible(not sentence)

    def _lay_out(self) -> None:
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(theme.MEDIUM)
        whole = QWidget()
        outer = QVBoxLayout(whole)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.state)
        outer.addWidget(self.inside, 1)
        outer.addStretch(0)
        self.area = QScrollArea()
        self.area.setWidget(whole)
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.area)


class Tabs(QTabWidget):
    """Parts of one report; each but the first is made when it is first opened. `made(page)` tells that one was."""

    made = Signal(object)

    def __init__(self, session: Session):
        super().__init__()
        self.setDocumentMode(True)
        self.tabBar().setDrawBase(False)
        self._session = session
        self._addresses: dict[int, str] = {}  # of the pages that are to be made
        self._places: dict[int, QVBoxLayout] = {}  # that they are put into
        self._measured: Measured | None = None
        self.pages: dict[int, Page] = {}
        self.currentChanged.connect(self._open)

    def add_later(self, address: str, title: str, tip: str) -> None:
        """`address` is `module:Class`; it is imported when the page is first opened, since plots take their time."""
        place = QWidget()
        number = self.addTab(place, title)
        column = self._places[number] = QVBoxLayout(place)
        column.setContentsMargins(0, theme.SMALL, 0, 0)
        self.setTabToolTip(number, tip)
        self._addresses[number] = address

    @property
    def seen(self) -> QWidget:
        """What is in the part that is open, in its full height."""
        page = self.pages.get(self.currentIndex())
        shown = page.area if page else self.currentWidget()
        inside = shown.widget() if isinstance(shown, QScrollArea) else shown
        assert inside is not None
        return inside

    def use(self, measured: Measured) -> None:
        self._measured = measured
        for page in self.pages.values():
            page.use(measured)

    @Slot(int)
    def _open(self, number: int) -> None:
        module, _, name = self._addresses.pop(number, "").partition(":")
        if not name:
            return
        self.pages[number] = page = getattr(importlib.import_module(module), name)(self._session)
        self._places[number].addWidget(page)
        self.made.emit(page)
        if self._measured:
            page.use(self._measured)
