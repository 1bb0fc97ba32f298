"""The program's log: what it did and what went wrong, in the folder that the system keeps for logs."""

from __future__ import annotations

import logging
import platform
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import platformdirs
from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler

from ulmfit_core import __version__, files
from ulmfit_core.errors import UserError

SIZE, KEPT = 1_000_000, 3  # bytes of one log, and how many older ones there are
LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}
logger = logging.getLogger("ulmfit_studio")


def folder() -> Path:
    return Path(platformdirs.user_log_dir("ulmfit-studio", appauthor=False))


def begin() -> None:
    """Log from now on: errors that nothing caught, Qt's messages, and what `logger` is told.

    A folder that cannot be written costs the log, not the work.
    """
    try:
        handler = files.rotating_log(folder() / "studio.log", SIZE, KEPT)
    except OSError as error:
        print(f"There is no log: {error}", file=sys.stderr)
        return
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.info("ULMFiT Studio %s, Python %s, %s", __version__, platform.python_version(), platform.platform())
    sys.excepthook = _tell_error
    threading.excepthook = _tell_thread_error
    qInstallMessageHandler(_tell_qt)


def tell_refusals(tell: Callable[[str], object]) -> None:
    """From now on a UserError that nobody caught is told to the person, as what it is; other errors as before."""
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, UserError):
            logger.info("Refused: %s", error)
            tell(str(error))
        else:
            before(kind, error, trace)

    sys.excepthook = hook


def _tell_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logger.error("An error that nothing caught", exc_info=(kind, error, trace))
    sys.__excepthook__(kind, error, trace)


def _tell_thread_error(facts: threading.ExceptHookArgs) -> None:
    error = facts.exc_value or facts.exc_type()
    logger.error("In the thread %s", facts.thread and facts.thread.name)
    _tell_error(facts.exc_type, error, facts.exc_traceback)


def _tell_qt(kind: QtMsgType, context: QMessageLogContext, text: str) -> None:
    logger.log(LEVELS[kind], "Qt: %s", text)
    print(text, file=sys.stderr)
