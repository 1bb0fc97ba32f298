"""A hand on mouse and keyboard: it looks where a control is on the screen and sends the X server real events there.

It reads the tree of widgets, as a person reads the screen, but presses nothing in it: all that it does goes through
xdotool to the X server, from there through the window manager and Qt's event loop to the window.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QEventLoop, QPoint, QRect, Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QComboBox,
    QLineEdit,
    QListWidget,
    QRadioButton,
    QScrollArea,
    QWidget,
)

from studio.widgets.fold_card import FoldCard

Kind = TypeVar("Kind", bound=QWidget)
LOOK_MILLISECONDS = 20
STILL_LOOKS = 3
PATIENCE = 300  # seconds: where other programs keep the processors busy, a second's work takes half a minute
WHEEL_UP, WHEEL_DOWN = "4", "5"


class Hand:
    """`out` is a folder for what the screen looked like on the way."""

    def __init__(self, out: Path):
        self.out = out
        out.mkdir(parents=True, exist_ok=True)

    # Looking

    def wait(self, condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """Let the window live until the condition holds."""
        late = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < late, f"Waited {seconds:.0f} s in vain for {what}."
            self._rest()

    def find(self, name: str, kind: type[Kind]) -> Kind:
        """The one control of this kind that can be seen and bears this name or caption."""
        found = [widget for widget in self._seen(kind) if name in (widget.accessibleName(), caption(widget))]
        assert len(found) == 1, f"{len(found)} controls are called “{name}”"
        return found[0]

    def sees(self, name: str, kind: type[QWidget] = QAbstractButton) -> bool:
        """Whether such a control is there and can be used."""
        return any(
            name in (widget.accessibleName(), caption(widget)) and widget.isEnabled() for widget in self._seen(kind)
        )

    def picture(self, name: str) -> None:
        """Keep what the whole screen shows, window manager's frame and all, once it is painted."""
        for _ in range(STILL_LOOKS):
            self._rest()
        QApplication.primaryScreen().grabWindow(0).save(str(self.out / f"{name}.png"))

    # Doing

    def click(self, name: str, kind: type[QWidget] = QAbstractButton) -> None:
        self.wait(lambda: self.sees(name, kind) or self._folded(name, kind), f"“{name}” to be there")
        if not self.sees(name, kind):
            self._unfold(self._folded(name, kind)[0])
        widget = self.find(name, kind)
        self._scroll_to(widget)
        self._click_at(lambda: widget.mapToGlobal(spot(widget)))

    def type(self, text: str) -> None:
        self._send("type", "--delay", "6", "--", text)

    def key(self, combination: str) -> None:
        """For example ctrl+a, Tab or alt+v."""
        self._send("key", combination)

    def fill(self, name: str, text: str, kind: type[QWidget] = QLineEdit, leave: str = "Tab") -> None:
        """Replace what stands in a field, and leave it."""
        self.click(name, kind)
        self.key("ctrl+a")
        self.type(text)
        self.key(leave)

    def choose(self, name: str, item: str) -> None:
        """Open a list of choices and click one of them."""
        self.click(name, QComboBox)
        combo = self.find(name, QComboBox)
        view = combo.view()
        self.wait(view.isVisible, f"the choices of “{name}”")
        index = combo.model().index(combo.findText(item), 0)
        self._click_at(lambda: view.viewport().mapToGlobal(view.visualRect(index).center()))
        self.wait(lambda: not view.isVisible() and combo.currentText() == item, f"“{item}” to be chosen")

    def tick(self, name: str, item: str) -> None:
        """Tick one row of a list, unless it has its tick."""
        rows = self.find(name, QListWidget)
        row = rows.findItems(item, Qt.MatchFlag.MatchExactly)[0]
        if row.checkState() == Qt.CheckState.Unchecked:
            self._scroll_to(rows)
            self._click_at(lambda: rows.viewport().mapToGlobal(tick_of(rows.visualItemRect(row))))
        self.wait(lambda: row.checkState() == Qt.CheckState.Checked, f"the tick at “{item}”")

    # How it is done

    def _folded(self, name: str, kind: type[QWidget]) -> list[FoldCard]:
        """The closed card in which such a control is, as its heading suggests."""
        closed = [card for card in self._seen(FoldCard) if not card.is_open]
        return [
            card for card in closed
            if any(name in (part.accessibleName(), caption(part)) for part in card.inside.findChildren(kind))
        ]  # fmt: skip

    def _unfold(self, card: FoldCard) -> None:
        self._scroll_to(card.heading)
        self._click_at(lambda: card.heading.mapToGlobal(card.heading.rect().center()))
        self.wait(lambda: card.inside.isVisible(), "the card to open")

    def _seen(self, kind: type[Kind]) -> list[Kind]:
        return [widget for widget in QApplication.allWidgets() if isinstance(widget, kind) and widget.isVisible()]

    def _scroll_to(self, widget: QWidget) -> None:
        """Turn the wheel until the control is in sight."""
        area = scroll_area_of(widget)
        self._still(lambda: widget.mapToGlobal(QPoint()))
        while area and (notch := direction(widget, area)):
            self._turn_wheel(area, notch)

    def _turn_wheel(self, area: QScrollArea, notch: str) -> None:
        before = area.verticalScrollBar().value()
        corner = area.viewport().mapToGlobal(QPoint(4, area.viewport().height() // 2))
        self._send("mousemove", str(corner.x()), str(corner.y()), "click", notch)
        self.wait(lambda: area.verticalScrollBar().value() != before, "the page to scroll")

    def _click_at(self, where: Callable[[], QPoint]) -> None:
        place = self._still(where)
        self._send("mousemove", str(place.x()), str(place.y()), "click", "1")

    def _still(self, where: Callable[[], QPoint]) -> QPoint:
        """A place once it stays the same: what has just appeared moves its neighbours some turns of the loop later."""
        place, looks = where(), 1
        while looks < STILL_LOOKS:
            self._rest()
            before, place = place, where()
            looks = looks + 1 if place == before else 1
        return place

    def _send(self, *words: str) -> None:
        process = subprocess.Popen(["xdotool", *words])
        self.wait(lambda: process.poll() is not None, "xdotool")
        assert process.returncode == 0, words

    @staticmethod
    def _rest() -> None:
        """A short turn of Qt's event loop, which does not burn the processor that the training needs."""
        loop = QEventLoop()
        QTimer.singleShot(LOOK_MILLISECONDS, loop.quit)
        loop.exec()


def caption(widget: QWidget) -> str:
    text = getattr(widget, "text", None)
    return text().replace("&", "") if callable(text) else ""


def spot(widget: QWidget) -> QPoint:
    """Where a person clicks: the middle, but the mark itself of what can be ticked."""
    if isinstance(widget, QRadioButton | QCheckBox):
        return QPoint(8, widget.height() // 2)
    return widget.rect().center()


def tick_of(row: QRect) -> QPoint:
    """Where the box of a row that can be ticked is."""
    return QPoint(row.left() + 10, row.center().y())


def scroll_area_of(widget: QWidget) -> QScrollArea | None:
    parent = widget.parentWidget()
    while parent and not isinstance(parent, QScrollArea):
        parent = parent.parentWidget()
    return parent


def direction(widget: QWidget, area: QScrollArea) -> str:
    """Which way to turn the wheel, or nothing where the control is in sight."""
    rect = QRect(widget.mapTo(area.viewport(), QPoint()), widget.size())
    if rect.top() < 0:
        return WHEEL_UP
    return WHEEL_DOWN if rect.bottom() > area.viewport().height() else ""
