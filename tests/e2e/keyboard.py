"""A hand that leaves the mouse alone: it goes by Tab to what it wants, as the list of keys in the window says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDialog,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QRadioButton,
    QTableWidget,
    QWidget,
)

from tests.e2e.hand import Hand, caption

Kind = TypeVar("Kind", bound=QWidget)
MOST_TABS = 40  # who needs more to come to a control has lost the way
FOCUS_SECONDS = 10


class Mouse(QObject):
    """Counts what the mouse does to the program: presses, wheel."""

    def __init__(self, app: QApplication):
        super().__init__(app)
        self.events = 0
        app.installEventFilter(self)

    def eventFilter(self, part: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick, QEvent.Type.Wheel):
            self.events += 1
        return False


class Keyboard:
    """What a person does who has no mouse. It looks through a `Hand`, and sends keys to whatever has the focus."""

    def __init__(self, hand: Hand):
        self.hand = hand
        self.listed: dict[str, str] = {}  # what the window's list of keys says: the deed, its key
        self.tabs: dict[str, int] = {}  # the most that were needed to come to each control

    def learn_the_keys(self) -> None:
        """Open the list of keys, read it, and close it."""
        self.hand.key("ctrl+slash")
        self.hand.wait(lambda: isinstance(QApplication.activeWindow(), QDialog), "the list of keys")
        table = self.hand.find("Keys of the window", QTableWidget)
        self.listed = {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount())}
        self.hand.key("Escape")
        self.hand.wait(lambda: not table.isVisible(), "the list to close")

    def do(self, deed: str) -> None:
        """By the key that the list names for it."""
        self.hand.key(self.listed[deed].lower().replace("ctrl+/", "ctrl+slash"))

    def go_to(self, name: str, kind: type[Kind] = QAbstractButton) -> Kind:
        """Press Tab until the control has the focus; it may first have to appear."""
        self.hand.wait(lambda: self.hand.sees(name, kind), f"“{name}” to be there")
        wanted = self.hand.find(name, kind)
        passed: list[str] = []
        while not has_focus(wanted):
            passed.append(described(QApplication.focusWidget()))
            assert len(passed) <= MOST_TABS, f"Tab does not lead to “{name}”, but to: {passed}"
            self.tab()
        self.tabs[name] = max(len(passed), self.tabs.get(name, 0))
        return wanted

    def tab(self) -> None:
        before = QApplication.focusWidget()
        self.hand.key("Tab")
        what = f"Tab to lead on from {described(before)}"
        self.hand.wait(lambda: QApplication.focusWidget() is not before, what, FOCUS_SECONDS)

    def press(self, name: str) -> None:
        self.go_to(name)
        self.hand.key("space")

    def fill(self, name: str, text: str, kind: type[QWidget] = QLineEdit, leave: str = "Tab") -> None:
        """Replace what stands in a field, and leave it."""
        self.go_to(name, kind)
        self.hand.key("ctrl+a")
        self.hand.type(text)
        self.hand.key(leave)

    def choose(self, name: str, item: str) -> None:
        """Go through the choices of a closed list by the arrow keys."""
        combo = self.go_to(name, QComboBox)
        wanted = combo.findText(item)
        assert wanted >= 0, f"“{name}” offers no “{item}”"
        while combo.currentIndex() != wanted:
            self.move(combo.currentIndex, wanted)

    def pick(self, name: str) -> None:
        """Tab leads to whichever radio button is picked, the arrows from there to the others."""
        group = self.hand.find(name, QRadioButton).group()
        picked = lambda: group.buttons().index(group.checkedButton())  # noqa: E731
        self.go_to(caption(group.checkedButton()), QRadioButton)
        wanted = [caption(button) for button in group.buttons()].index(name)
        while picked() != wanted:
            self.move(picked, wanted)

    def tick_only(self, name: str, column: str) -> None:
        """Tick this row of a list and no other, with the arrow keys and Space."""
        rows = self.go_to(name, QListWidget)
        self.hand.key("Home")
        self.hand.wait(lambda: rows.currentRow() == 0, "the first row", FOCUS_SECONDS)
        for number in range(rows.count()):
            while rows.currentRow() != number:
                self.move(rows.currentRow, number)
            self._tick(rows.item(number), rows.item(number).data(Qt.ItemDataRole.UserRole) == column)

    def move(self, place: Callable[[], int], wanted: int) -> None:
        """One place on by an arrow key."""
        before = place()
        self.hand.key("Down" if wanted > before else "Up")
        self.hand.wait(lambda: place() != before, "the arrow key to move on", FOCUS_SECONDS)

    def _tick(self, row: QListWidgetItem, wanted: bool) -> None:
        state = Qt.CheckState.Checked if wanted else Qt.CheckState.Unchecked
        if row.checkState() != state:
            self.hand.key("space")
            self.hand.wait(lambda: row.checkState() == state, f"the tick at “{row.text()}”", FOCUS_SECONDS)


def has_focus(widget: QWidget) -> bool:
    """The focus may be on what stands in for it, such as the line in a spin box."""
    focus = QApplication.focusWidget()
    return focus is widget or focus is not None and widget.isAncestorOf(focus)


def described(widget: QWidget | None) -> str:
    """The name by which a person knows a control."""
    if widget is None:
        return "nothing"
    return widget.accessibleName() or caption(widget) or type(widget).__name__
