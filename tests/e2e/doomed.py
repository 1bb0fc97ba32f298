"""A window in a process of its own that opens a project, changes a setting, begins to train, and waits to be killed.

Run it as ``python -m tests.e2e.doomed PROJECT EPOCHS PICTURES``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtWidgets import QAbstractSpinBox

from studio import worker
from studio.__main__ import make_application
from studio.main_window import MainWindow
from studio.session import Session
from tests.e2e.hand import Hand

LONGEST_SECONDS = 1800


def main(project: str, epochs: str, pictures: str) -> None:
    app, hand = make_application(["ulmfit-studio"]), Hand(Path(pictures))
    collector = worker.Collector(app)
    window = MainWindow(Session(app))
    window.session.open(project)
    window.show()
    hand.wait(window.isActiveWindow, "the window to have the focus")
    hand.fill("Epochs", epochs, QAbstractSpinBox)
    hand.click("Start")
    hand.wait(lambda: window.session.job == "finetune", "the training to begin")
    hand.picture("before-the-kill")
    hand.wait(lambda: False, "the kill", LONGEST_SECONDS)
    collector.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
