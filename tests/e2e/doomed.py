"""A window in a process of its own in which a person begins a training, or goes on with one, until it is done.

Run it as ``python -m tests.e2e.doomed begin PROJECT EPOCHS PICTURES`` or ``… resume PICTURES``, and kill it at any
moment.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from PySide6.QtWidgets import QAbstractSpinBox

from studio import worker
from studio.__main__ import make_application
from studio.main_window import MainWindow
from studio.session import Session
from tests.e2e.hand import Hand

STEP = "finetune"
LONGEST_SECONDS = 1800


def main(way: str, *words: str) -> None:
    app, hand = make_application(["ulmfit-studio"]), Hand(Path(words[-1]))
    worker.Collector(app)
    window = MainWindow(Session(app))
    if way == "begin":
        window.session.open(words[0])
    window.show()
    hand.wait(window.isActiveWindow, "the window to have the focus")
    loader = threading.Thread(target=worker.import_engine, name="import engine", daemon=True)
    loader.start()
    hand.wait(lambda: not loader.is_alive(), "the engine to be loaded")
    begin(hand, words[1]) if way == "begin" else resume(hand, window)
    hand.wait(lambda: window.session.job == STEP, "the training to begin")
    hand.picture("at-work")
    hand.wait(lambda: window.session.job is None, "the end of the training", LONGEST_SECONDS)
    window.close()
    app.shutdown()


def begin(hand: Hand, epochs: str) -> None:
    """Change a setting, then start."""
    hand.fill("Epochs", epochs, QAbstractSpinBox)
    hand.click("Start")


def resume(hand: Hand, window: MainWindow) -> None:
    """Take the offer to go on that the program makes at its start."""
    window.last_time.look()
    hand.click("Resume")


if __name__ == "__main__":
    main(*sys.argv[1:])
