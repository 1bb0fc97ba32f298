"""Parts side by side, or one below the other where there is no room for that."""

from __future__ import annotations

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QWidget

from studio import theme

ACROSS, DOWN = QBoxLayout.Direction.LeftToRight, QBoxLayout.Direction.TopToBottom


class Beside(QWidget):
    """`parts` with their shares of the room; `narrow` is the width in pixels below which they are stacked."""

    def __init__(self, narrow: int, parts: dict[QWidget, int]):
        super().__init__()
        self._narrow = narrow
        self._row = QBoxLayout(ACROSS, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(theme.LARGE)
        for part, share in parts.items():
            self._row.addWidget(part, share)

    @property
    def stacked(self) -> bool:
        return self._row.direction() == DOWN

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._row.setDirection(DOWN if event.size().width() < self._narrow else ACROSS)
        self._row.setSpacing(theme.SMALL if self.stacked else theme.LARGE)
