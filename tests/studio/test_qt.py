"""What the program relies on in this build of Qt, and what it leaves behind."""

from __future__ import annotations

import sys
import threading

from PySide6.QtWidgets import QApplication, QLabel

from studio.main_window import MainWindow


def test_calls_that_return_none_do_not_use_up_its_references(qapp: QApplication) -> None:
    """PySide6 6.12.0 drops a reference to None in each such call; on Python 3.11 that ends in an abort."""
    label = QLabel()
    before = sys.getrefcount(None)
    for number in range(2_000):
        label.setText(str(number))
    assert sys.getrefcount(None) > before - 500


def test_a_window_leaves_no_thread_behind(window: MainWindow, qtbot) -> None:
    before = set(threading.enumerate())
    window.session.open_sample()
    for name in ("dataset", "vocab", "classify", "runs"):
        window.go(name)
    window.close()
    qtbot.waitUntil(lambda: set(threading.enumerate()) <= before, timeout=20_000)
