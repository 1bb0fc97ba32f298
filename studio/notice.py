"""A strip with one message, at most one thing to do about it, and a cross to dismiss it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from studio import theme

SIGNS = {"info": "i", "warning": "!", "error": "✕"}
SPOKEN = {"info": "Note", "warning": "Warning", "error": "Error"}


class Notice(QFrame):
    """Hidden until `show_message`."""

    acted = Signal()
    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._sign = QLabel()
        self._sign.setProperty("role", "subheading")
        self.label = QLabel(wordWrap=True)
        self.label.setTextFormat(Qt.TextFormat.PlainText)  # names of files and columns stay what they are
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.action = QPushButton()
        self.action.clicked.connect(self.acted)
        self.action.hide()
        self._close = QPushButton("Dismiss")
        self._close.setAccessibleName("Dismiss this message")
        self._close.setToolTip("Put this message away.")
        self._close.clicked.connect(self._dismiss)
        self._lay_out()
        self.hide()

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.SMALL, theme.SMALL)
        layout.setSpacing(theme.MEDIUM)
        layout.addWidget(self._sign)
        layout.addWidget(self.label, 1)
        layout.addWidget(self.action)
        layout.addWidget(self._close)

    @property
    def text(self) -> str:
        return self.label.text() if not self.isHidden() else ""

    def let_dismiss(self, may: bool) -> None:
        """Whether the person can put it away."""
        self._close.setVisible(may)

    def show_message(self, text: str, level: str = "info", action: str = "", refuse: str = "Dismiss") -> None:
        """`action` is the caption of the button that emits `acted`; none without a caption. `refuse` dismisses it."""
        self._close.setText(refuse)
        self.setProperty("notice", level)
        self.style().polish(self)
        self._sign.setText(SIGNS[level])
        self.label.setText(text)
        self.setAccessibleName(f"{SPOKEN[level]}: {text}")
        self.action.setText(action)
        self.action.setAccessibleDescription(text)
        self.action.setToolTip(self.action.toolTip() or "Do what the message offers.")
        self.action.setVisible(bool(action))
        self.show()

    @Slot()
    def _dismiss(self) -> None:
        self.hide()
        self.dismissed.emit()

    def clear(self) -> None:
        self.hide()
