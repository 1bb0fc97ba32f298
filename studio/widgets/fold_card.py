"""A card that opens and closes by its heading; while it is closed, a line may say what it holds."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QFrame, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from studio import theme
from studio.widgets.card import line


class FoldCard(QFrame):
    """Closed at first; it never closes by itself."""

    def __init__(self, title: str, *parts: QWidget):
        super().__init__()
        self.setProperty("card", True)
        self.heading = QToolButton()
        self.heading.setText(title)
        self.heading.setProperty("role", "subheading")
        self.heading.setCheckable(True)
        self.heading.setAutoRaise(True)
        self.heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.heading.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.summary = line(role="muted")
        self.summary.setTextFormat(Qt.TextFormat.PlainText)  # names of files and columns stay what they are
        self.inside = QWidget()
        self._lay_out(parts)
        self.heading.toggled.connect(self._show_inside)
        self._show_inside(False)

    @property
    def is_open(self) -> bool:
        return self.heading.isChecked()

    def open(self) -> None:
        self.heading.setChecked(True)

    def say(self, summary: str) -> None:
        """What is seen while it is closed."""
        self.summary.setText(summary)
        self.heading.setAccessibleDescription(summary)
        self.summary.setVisible(not self.is_open and bool(summary))

    def _lay_out(self, parts: tuple[QWidget, ...]) -> None:
        within = QVBoxLayout(self.inside)
        within.setContentsMargins(0, 0, 0, 0)
        within.setSpacing(theme.SMALL)
        for part in parts:
            within.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.MEDIUM, theme.SMALL, theme.MEDIUM, theme.SMALL)
        column.setSpacing(theme.SMALL)
        for part in (self.heading, self.summary, self.inside):
            column.addWidget(part)

    @Slot(bool)
    def _show_inside(self, opened: bool) -> None:
        self.inside.setVisible(opened)
        self.summary.setVisible(not opened and bool(self.summary.text()))
        self.heading.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self.heading.setToolTip("Hide this again." if opened else "Show and change this.")
