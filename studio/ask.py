"""A question before something that cannot be taken back; keeping things as they are is the default."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget


def confirmed(
    parent: QWidget, title: str, text: str, more: str, *, yes: str, no: str, role: QMessageBox.ButtonRole
) -> bool:
    """Whether the person chose `yes`, a button of that role; Enter and Escape mean `no`."""
    box = QMessageBox(QMessageBox.Icon.Question, title, text, parent=parent)
    box.setTextFormat(Qt.TextFormat.PlainText)  # names of projects and runs stay what they are
    box.setInformativeText(more)
    act = box.addButton(yes, role)
    keep = box.addButton(no, QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(keep)
    box.setEscapeButton(keep)
    box.exec()
    return box.clickedButton() is act
