"""`ulmfit-studio [PROJECT] [--sample [NAME]]`: open the window."""

from __future__ import annotations

import argparse
import locale
import sys
import threading

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from studio import log, theme, worker
from studio.main_window import MainWindow
from studio.session import Session
from ulmfit_core import __version__, sample
from ulmfit_core.errors import UserError


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("ulmfit-studio", description="Train a text classifier in a window.")
    parser.add_argument("project", nargs="?", help="folder of a project to open")
    names = " or ".join(sample.SAMPLES)
    parser.add_argument(
        "--sample", nargs="?", const=sample.DEFAULT, metavar="NAME", help=f"open a sample project: {names}"
    )
    parser.add_argument("--version", action="version", version=f"ULMFiT Studio {__version__}")
    return parser.parse_args(words)


def make_application(words: list[str]) -> QApplication:
    """The application with its name, theme and font size."""
    app = QApplication(words)
    # Qt takes the number format from the environment; a decimal comma would break the parsing of numbers.
    locale.setlocale(locale.LC_NUMERIC, "C")
    app.setOrganizationName("ulmfit-studio")
    app.setApplicationName("ULMFiT Studio")
    app.setDesktopFileName("ulmfit-studio")
    theme.apply(app, theme.remembered())
    return app


def open_project(window: MainWindow, options: argparse.Namespace) -> None:
    """What the command line named. A folder that is no project leaves Welcome with the reason on top."""
    try:
        if options.sample:
            window.session.open_sample(options.sample)
        elif options.project:
            window.session.open(options.project)
    except UserError as error:
        window.alert.show_message(str(error), "error")


def main() -> int:
    options = arguments(sys.argv[1:])
    log.begin()
    app = make_application(sys.argv[:1])
    worker.Collector(app)
    session = Session(app)
    window = MainWindow(session)
    log.tell_refusals(session.refused.emit)
    open_project(window, options)
    window.show()
    # After the first paint: torch takes seconds to load, the window should not wait for it.
    loader = threading.Thread(target=worker.import_engine, name="import engine", daemon=True)
    QTimer.singleShot(100, loader.start)
    window.last_time.look()
    return app.exec()


if __name__ == "__main__":
    sys.exit(main())
