"""Which part of a run is looked at, and the mouse that chooses it: wheel, box, shifting, a double click for all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt, Signal

LEAST_STEPS = 4.0  # that are looked at
WHEEL = 0.8  # of the width that a notch of the wheel leaves
AHEAD = 0.25  # of the width that lies free before the newest step when the view has moved on
FLAT = 8  # pixels: a box no higher than that chooses steps only


class Window:
    """Steps are counted from 0; a place is where a step stands on the axis, which may be one of logarithms."""

    def __init__(self) -> None:
        self.log = False
        self.reset(1)

    def reset(self, total: int) -> None:
        """Look at all of a run of `total` steps."""
        self.total = max(1, total)
        self.follows = False  # whether it moves on with the newest step
        self._part: tuple[float, float] | None = None

    @property
    def zoomed(self) -> bool:
        return self._part is not None

    @property
    def first(self) -> float:
        return self._part[0] if self._part else 0.0

    @property
    def last(self) -> float:
        return self._part[1] if self._part else float(self.total)

    def place(self, steps: Any) -> Any:
        return np.log10(np.asarray(steps, float) + 1) if self.log else steps

    def step(self, place: float) -> float:
        return 10**place - 1 if self.log else place

    def zoom(self, factor: float, about: float) -> None:
        """Make what is seen `factor` times as wide; the place `about` stays if neither end is in the way."""
        low, high = (about + (self.place(end) - about) * factor for end in (self.first, self.last))
        over, under = high - self.place(float(self.total)), self.place(0.0) - low
        by = max(0.0, under) - max(0.0, over)
        self.show(self.step(low + by), self.step(high + by))

    def shift(self, by: float) -> None:
        """Move on by a number of places, no further than to either end."""
        low, high = self.place(self.first), self.place(self.last)
        by = min(max(by, self.place(0.0) - low), self.place(float(self.total)) - high)
        if self.zoomed:
            self.show(self.step(low + by), self.step(high + by))

    def show(self, first: float, last: float) -> None:
        """Look at these steps, at least a few; at all where they are as many."""
        lack = max(0.0, LEAST_STEPS - (last - first)) / 2
        first, last = max(0.0, first - lack), min(float(self.total), last + lack)
        everything = first <= 1e-6 * self.total and last >= self.total * (1 - 1e-6)
        self._part = None if everything else (first, last)

    def follow(self, newest: int) -> bool:
        """Move on where the newest step has left what is seen. True if it moved."""
        if not (self._part and self.follows and newest > self.last):
            return False
        width = self.last - self.first
        last = min(newest + AHEAD * width, float(self.total))
        self.show(last - width, last)
        return True

    def sees(self, step: int) -> bool:
        return self.first <= step <= self.last


class ZoomBox(pg.ViewBox):
    """Tells what the mouse asks for and changes no range itself."""

    wheeled = Signal(float, float, bool)  # factor, about which x or y, whether it is the vertical axis
    boxed = Signal(object, bool)  # QRectF of places and values, whether its height counts
    shifted = Signal(float)  # places
    reset_wanted = Signal()

    def wheelEvent(self, event: Any, axis: int | None = None) -> None:
        vertical = axis == 1 or bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        at = self.mapSceneToView(event.scenePos())
        self.wheeled.emit(WHEEL ** (event.delta() / 120), at.y() if vertical else at.x(), vertical)
        event.accept()

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:
        event.accept()
        shifting = event.button() != Qt.MouseButton.LeftButton or event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if shifting:
            now, before = self.mapToView(event.pos()), self.mapToView(event.lastPos())
            self.shifted.emit(before.x() - now.x())
        elif event.isFinish():
            self.rbScaleBox.hide()
            self._tell_box(event.buttonDownPos(), event.pos())
        else:
            self.updateScaleBox(event.buttonDownPos(), event.pos())

    def _tell_box(self, one: Any, other: Any) -> None:
        drawn = QRectF(one, other).normalized()
        self.boxed.emit(self.childGroup.mapRectFromParent(drawn), drawn.height() > FLAT)

    def mouseClickEvent(self, event: Any) -> None:
        if event.double() and event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            self.reset_wanted.emit()
