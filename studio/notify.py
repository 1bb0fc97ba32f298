"""Telling a person who is not looking at the window that long work has ended."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QStyle, QSystemTrayIcon, QWidget

SHOWN_MILLISECONDS = 10_000


def tell(window: QWidget, title: str, text: str) -> bool:
    """Ask the desktop to point at the window, and show a message where there is a tray. False if the window is active,
    for then it tells by itself."""
    if window.isActiveWindow():
        return False
    QApplication.alert(window)
    if QSystemTrayIcon.isSystemTrayAvailable() and QSystemTrayIcon.supportsMessages():
        _message(window, title, text)
    return True


def _message(window: QWidget, title: str, text: str) -> None:
    """A message needs an icon in the tray, which goes when the message does."""
    style = window.style().standardIcon(QStyle.StandardPixmap.SP_DialogApplyButton)
    tray = QSystemTrayIcon(style if window.windowIcon().isNull() else window.windowIcon(), window)
    tray.setToolTip(title)
    tray.show()
    tray.showMessage(title, text, msecs=SHOWN_MILLISECONDS)
    QTimer.singleShot(SHOWN_MILLISECONDS, tray.deleteLater)
