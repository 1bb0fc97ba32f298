"""Opens a project in the real window, on all of its screens, without a display."""

from __future__ import annotations

import functools
import sys
import threading
import time
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication, QMessageBox

from studio import log, theme, worker
from studio.main_window import MainWindow
from studio.screens import SCREENS
from studio.session import Session
from ulmfit_core.errors import UserError

PATIENCE = 4.0  # seconds for what a screen asks off the main thread


@functools.cache
def application() -> QApplication:
    app = QApplication(["window"])
    app.setOrganizationName("ulmfit-studio-tests")
    theme.apply(app, "light")
    worker.Collector(app)
    return app


def open_window(folder: Path) -> list[str]:
    """Show every screen. An error that nothing catches there is raised here."""
    app, caught, session = application(), list[BaseException](), Session()
    before = sys.excepthook, threading.excepthook
    sys.excepthook = lambda kind, error, trace: caught.append(error.with_traceback(trace))
    threading.excepthook = lambda facts: caught.append(facts.exc_value)
    log.tell_refusals(session.refused.emit)
    window = MainWindow(session)
    try:
        window.show()
        return _shown(app, session, window, folder, caught)
    finally:
        sys.excepthook, threading.excepthook = before
        session.leave()
        window.close()
        window.deleteLater()
        session.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def _shown(
    app: QApplication, session: Session, window: MainWindow, folder: Path, caught: list[BaseException]
) -> list[str]:
    try:
        session.open(folder)
    except UserError as error:
        return [str(error)]
    told = []
    for name in SCREENS:
        window.go(name)
        _settle(app)
        if isinstance(app.activeModalWidget(), QMessageBox):
            app.activeModalWidget().reject()
        told += [window.alert.text] if window.alert.isVisible() else []
        if caught:
            raise caught[0]
    return told


def _settle(app: QApplication) -> None:
    """Until no thread answers a question any more."""
    until = time.monotonic() + PATIENCE
    for _ in range(3):
        app.processEvents()
    while time.monotonic() < until and any(thread.name == "background" for thread in threading.enumerate()):
        app.processEvents()
        time.sleep(0.005)
    for _ in range(3):
        app.processEvents()
