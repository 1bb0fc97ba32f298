"""Room for a part that may need more height than the window has: it scrolls then, and else is as large as its place."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QScrollArea, QWidget


class Room(QScrollArea):
    """Scrolls below the part's least size alone; a scroll area by itself would give it all the height it likes."""

    def __init__(self, part: QWidget):
        super().__init__()
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it
        self.setWidget(_Frame(part))


class _Frame(QWidget):
    """As large as the part in it, whose least size is its own."""

    def __init__(self, part: QWidget):
        super().__init__()
        self._part = part
        part.setParent(self)

    def minimumSizeHint(self) -> QSize:
        return self._part.minimumSizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._part.resize(event.size())

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:  # the part's least size may have changed
            self.updateGeometry()
        return super().event(event)
