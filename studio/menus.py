"""The menu bar: every action of the window that is not on a screen, with its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QApplication, QMenu, QMessageBox

from studio import help, recent, theme
from studio.screens import SCREENS
from ulmfit_core import __version__
from ulmfit_core.sample import SAMPLES

if TYPE_CHECKING:
    from studio.main_window import MainWindow

ABOUT = f"""<h3>ULMFiT Studio {__version__}</h3>
<p>Train a text classifier of your own: a language model learns from plain text, gets used to your
kind of text, and then learns your labels from few examples.</p>
<p>The method is ULMFiT by Jeremy Howard and Sebastian Ruder (2018),
<a href="https://arxiv.org/abs/1801.06146">arXiv:1801.06146</a>.
Free software under the Apache License 2.0.</p>"""


def fill(window: MainWindow) -> None:
    """Build all menus of the window."""
    _fill_project(window)
    _fill_steps(window)
    _fill_view(window)
    help_menu = window.menuBar().addMenu("&Help")
    _add(help_menu, "&Help on what has the focus", lambda: help.show_help(window), "F1")
    _add(help_menu, "&Keys", lambda: help.Shortcuts(window).open(), "Ctrl+/")
    _add(help_menu, "Open the folder of &logs", help.open_logs)
    help_menu.addSeparator()
    _add(help_menu, "&About ULMFiT Studio", lambda: QMessageBox.about(window, "About ULMFiT Studio", ABOUT))


def _add(menu: QMenu, text: str, slot: object, keys: str = "") -> QAction:
    action = menu.addAction(text)
    action.triggered.connect(slot)
    if keys:
        action.setShortcut(QKeySequence(keys))
    return action


def _fill_project(window: MainWindow) -> None:
    menu = window.menuBar().addMenu("Pro&ject")
    _add(menu, "&New project…", window.new_project, "Ctrl+N")
    _add(menu, "&Open project…", window.choose_project, "Ctrl+O")
    opened = menu.addMenu("Open &recent")
    opened.aboutToShow.connect(lambda: _fill_recent(opened, window))
    samples = menu.addMenu("Open a &sample")
    for name, each in SAMPLES.items():
        _add(samples, each.title, lambda checked=False, chosen=name: window.open_sample(chosen))
    window.step_actions.append(_add(menu, "Save &as…", window.save_project_as, "Ctrl+Shift+S"))
    menu.addSeparator()
    window.train_action = _add(menu, "Train ever&ything", window.train_everything, "Ctrl+T")
    _add(menu, "&Import a fastai language model…", window.import_fastai)
    menu.addSeparator()
    _add(menu, "&Close project", window.close_project, "Ctrl+W")
    _add(menu, "&Quit", window.close, "Ctrl+Q")


def _fill_recent(menu: QMenu, window: MainWindow) -> None:
    menu.clear()
    for folder in recent.listed():
        reason = recent.missing(folder)
        text = f"{folder} ({reason})" if reason else str(folder)
        action = _add(menu, text, lambda checked=False, chosen=folder: window.open_project(chosen))
        action.setEnabled(not reason)
    if menu.isEmpty():
        menu.addAction("No project was opened yet").setEnabled(False)


def _fill_steps(window: MainWindow) -> None:
    menu = window.menuBar().addMenu("&Go")
    for number, (name, screen) in enumerate(SCREENS.items(), 1):
        def show(checked: bool = False, chosen: str = name) -> None:
            window.go(chosen)

        window.step_actions.append(_add(menu, screen.title, show, f"Ctrl+{number}"))


def _fill_view(window: MainWindow) -> None:
    menu = window.menuBar().addMenu("&View")
    group = QActionGroup(window)
    for name, text in (("light", "&Light"), ("dark", "&Dark")):
        action = _add(menu, text, lambda checked=False, chosen=name: choose_theme(chosen))
        action.setCheckable(True)
        action.setChecked(theme.current() == name)
        group.addAction(action)


def choose_theme(name: str) -> None:
    app = QApplication.instance()
    if isinstance(app, QApplication):
        theme.apply(app, name)
        theme.remember(name)
