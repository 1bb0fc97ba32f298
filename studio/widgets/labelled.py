"""A control with its name above and a sentence below."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from studio.widgets.card import line


def labelled(title: str, part: QWidget, help: str = "") -> QWidget:
    """The name is the control's: Alt and its marked letter lead there, and a reader of the screen says it."""
    whole = QWidget()
    column = QVBoxLayout(whole)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(3)
    if title:
        name = QLabel(title)
        name.setBuddy(part)
        column.addWidget(name)
    column.addWidget(part)
    if help:
        column.addWidget(line(help, "muted"))
    return whole
