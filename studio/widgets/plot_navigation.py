"""What a person does to see another part of a run's plots, by mouse or keys: zoom, move, follow, see all."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Qt, Signal, Slot

from studio.widgets.plot_panel import Panel
from studio.widgets.plot_window import Window

KEY_ZOOM, KEY_SHIFT = 0.6, 0.2  # of the width, for a press of a key
KEY_ZOOMS: dict[int, float] = {
    Qt.Key.Key_Plus: KEY_ZOOM, Qt.Key.Key_Equal: KEY_ZOOM, Qt.Key.Key_Minus: 1 / KEY_ZOOM,
}  # fmt: skip
KEY_SHIFTS: dict[int, float] = {Qt.Key.Key_PageUp: -KEY_SHIFT, Qt.Key.Key_PageDown: KEY_SHIFT}
KEYS = (
    "Wheel: zoom. Drag: zoom into a box. Shift and drag: move. Double click: show all. "
    "Keys: the arrows move the line (with Shift: faster), + and − zoom, Page Up and Page Down move, 0 shows all."
)


class Navigation(QObject):
    """Owns the window of steps, and which plots' heights were chosen. `changed` when another part is looked at."""

    changed = Signal()

    def __init__(self, panels: list[Panel]):
        super().__init__()
        self.window = Window()
        self.heights: dict[Panel, tuple[float, float]] = {}  # of the vertical axes that the person has chosen
        self.newest = 0  # step of the run
        self._boxes = {panel.plot.getViewBox(): panel for panel in panels}
        for box in self._boxes:
            box.wheeled.connect(self.turn)
            box.boxed.connect(self.zoom_into)
            box.shifted.connect(self.shift)
            box.reset_wanted.connect(self.show_all)

    @property
    def zoomed(self) -> bool:
        return self.window.zoomed or bool(self.heights)

    @Slot(float, float, bool)
    def turn(self, factor: float, about: float, vertical: bool) -> None:
        """The wheel over the plot that sends this: show `factor` times as much, about a step's place or a value."""
        if not vertical:
            self.zoom(factor, about)
            return
        panel = self._boxes[self.sender()]
        low, high = panel.plot.viewRange()[1]
        self.heights[panel] = about + (low - about) * factor, about + (high - about) * factor
        self.changed.emit()

    def zoom(self, factor: float, about: float) -> None:
        self.window.zoom(factor, about)
        self._settle()

    @Slot(object, bool)
    def zoom_into(self, box: Any, high: bool) -> None:
        """Show a box (QRectF) of places, and of values where it is `high` enough to mean them."""
        if high:
            self.heights[self._boxes[self.sender()]] = box.top(), box.bottom()
        self.window.show(self.window.step(box.left()), self.window.step(box.right()))
        self._settle()

    @Slot(float)
    def shift(self, by: float) -> None:
        self.window.shift(by)
        self._settle()

    @Slot()
    def show_all(self) -> None:
        self.reset(self.window.total)
        self.changed.emit()

    @Slot(bool)
    def follow(self, wanted: bool) -> None:
        """Move on with the newest step, beginning now, or stay."""
        window = self.window
        if wanted and not window.sees(self.newest):
            width = window.last - window.first
            window.show(self.newest - width * (1 - KEY_SHIFT), self.newest + width * KEY_SHIFT)
        window.follows = wanted
        self.changed.emit()

    def reset(self, total: int) -> None:
        """Look at all of a run of `total` steps."""
        self.window.reset(total)
        self.heights.clear()

    def press(self, key: int, about: float | None) -> bool:
        """Do what a key stands for, about a step where one is marked. False: it stands for nothing here."""
        window = self.window
        low, high = float(window.place(window.first)), float(window.place(window.last))
        if key in KEY_ZOOMS:
            self.zoom(KEY_ZOOMS[key], (low + high) / 2 if about is None else float(window.place(about)))
        elif key in KEY_SHIFTS:
            self.shift(KEY_SHIFTS[key] * (high - low))
        elif key == Qt.Key.Key_0:
            self.show_all()
        return key in KEY_ZOOMS or key in KEY_SHIFTS or key == Qt.Key.Key_0

    def _settle(self) -> None:
        """A view that has the newest step in it moves on with it; any other stays where the person put it."""
        self.window.follows = self.window.zoomed and self.window.sees(self.newest)
        self.changed.emit()
