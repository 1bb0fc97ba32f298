"""The window from its start to its end as `ulmfit-studio` opens it: it loads the engine, shows each screen, and closes.

Run it as ``python -P open_window.py PROJECT PICTURE``: the last screen is drawn into the file PICTURE.
"""

from __future__ import annotations

import sys
import threading

from PySide6.QtCore import QTimer, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QApplication

import studio.__main__ as program
from studio.main_window import MainWindow
from studio.screens import SCREENS

PICTURE = sys.argv.pop()
LOOK_EVERY = 100  # milliseconds


class VisitedWindow(MainWindow):
    """The window with a visitor, who waits until the engine is loaded and goes."""

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._visitor = QTimer(self, interval=LOOK_EVERY)
        self._visitor.timeout.connect(self._visit)
        self._visitor.start()

    @Slot()
    def _visit(self) -> None:
        if "torch" not in sys.modules or any(thread.name == "import engine" for thread in threading.enumerate()):
            return
        self._visitor.stop()
        for screen in SCREENS:
            self.go(screen)
            QApplication.processEvents()
        assert self.grab().save(PICTURE)
        self.close()


if __name__ == "__main__":
    program.MainWindow = VisitedWindow
    sys.exit(program.main())
