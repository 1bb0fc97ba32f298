"""Help inside the window: on what has the focus, the list of all keys, and the folder of logs."""

from __future__ import annotations

from PySide6.QtCore import QUrl
from PySide6.QtGui import QAction, QDesktopServices, QKeySequence
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QMainWindow,
    QMenu,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWhatsThis,
    QWidget,
)

from studio import log, theme

# Keys that belong to no menu.
EVERYWHERE = {
    "To the next part of the window, or the one before": "Tab, Shift+Tab",
    "Press the button or tick the box that has the focus": "Space",
    "Press a button or open a menu by its underlined letter": "Alt+letter",
    "Choose among rows, steps or values": "Up, Down",
    "Close a dialog and change nothing": "Esc",
}


class Shortcuts(QDialog):
    """Every key of the window, read from its menus."""

    def __init__(self, window: QMainWindow):
        super().__init__(window)
        self.setWindowTitle("Keys")
        sentence = QLabel("Everything can be done with the keyboard.")
        sentence.setProperty("role", "muted")
        self.table = key_table(keys_of(window) | EVERYWHERE)
        close = QDialogButtonBox()
        close.addButton("&Close", QDialogButtonBox.ButtonRole.RejectRole)
        close.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setSpacing(theme.MEDIUM)
        column.addWidget(sentence)
        column.addWidget(self.table)
        column.addWidget(close)
        self.resize(560, 560)


def keys_of(window: QMainWindow) -> dict[str, str]:
    """What the menus do → the keys for it."""
    found: dict[str, str] = {}
    for top in window.menuBar().actions():
        for action in actions_under(top):
            keys = ", ".join(each.toString(QKeySequence.SequenceFormat.NativeText) for each in action.shortcuts())
            if keys:
                found[f"{bare(top)}: {bare(action)}"] = keys
    return found


def actions_under(action: QAction) -> list[QAction]:
    """The action itself, or those of the menu that it opens."""
    menu = action.menu()
    if not isinstance(menu, QMenu):
        return [action]
    return [one for each in menu.actions() for one in actions_under(each)]


def bare(action: QAction) -> str:
    return action.text().replace("&", "").removesuffix("…")


def key_table(rows: dict[str, str]) -> QTableWidget:
    table = QTableWidget(len(rows), 2)
    table.setHorizontalHeaderLabels(["What", "Keys"])
    table.setAccessibleName("Keys of the window")
    table.setToolTip("What can be done by which key.")
    table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
    table.setTabKeyNavigation(False)
    table.verticalHeader().hide()
    for number, (what, keys) in enumerate(rows.items()):
        table.setItem(number, 0, QTableWidgetItem(what))
        table.setItem(number, 1, QTableWidgetItem(keys))
    table.resizeColumnToContents(0)
    table.horizontalHeader().setStretchLastSection(True)
    return table


def show_help(window: QMainWindow) -> None:
    """Tell what is more to say of the part that has the focus; where nothing is known of it, list the keys."""
    part: QWidget | None = QApplication.focusWidget()
    while part and part is not window and not (part.whatsThis() or part.toolTip()):
        part = part.parentWidget()
    if part is None or part is window:
        Shortcuts(window).open()
        return
    QWhatsThis.showText(part.mapToGlobal(part.rect().bottomLeft()), part.whatsThis() or part.toolTip(), part)


def open_logs() -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(log.folder())))
