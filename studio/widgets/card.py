"""A frame with a heading, a line of explanation and its contents."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QLabel, QVBoxLayout, QWidget

from studio import theme


def card(title: str, about: str, *parts: QWidget) -> QFrame:
    """Tables and texts among the parts take what room there is."""
    frame = QFrame()
    frame.setProperty("card", True)
    column = QVBoxLayout(frame)
    column.setContentsMargins(theme.MEDIUM, theme.MEDIUM, theme.MEDIUM, theme.MEDIUM)
    column.setSpacing(theme.SMALL)
    for text, role in ((title, "subheading"), (about, "muted")):
        if text:
            column.addWidget(line(text, role))
    for part in parts:
        column.addWidget(part, 1 if isinstance(part, QAbstractScrollArea) else 0)
    return frame


def line(text: str = "", role: str = "") -> QLabel:
    """A text that wraps; `role` is one of the stylesheet's."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)  # names, labels and texts stay what they are
    label.setWordWrap(True)
    label.setProperty("role", role)
    return label
