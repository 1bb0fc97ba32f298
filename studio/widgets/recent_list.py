"""The list of projects opened lately: a missing one is grey and says why, and any can be taken off the list."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtGui import QAction, QBrush, QColor, QKeySequence
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QMenu

from studio import recent, theme
from studio.plain import tip

FOLDER = Qt.ItemDataRole.UserRole


class RecentList(QListWidget):
    """`picked(folder)` when the person chooses a project that is there."""

    picked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Projects opened lately")
        self.setToolTip("Return opens a project, Delete takes it off this list.")
        self.itemActivated.connect(self._pick)
        self.itemClicked.connect(self._pick)
        self.remove = QAction("&Remove from this list", self)
        self.remove.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))
        self.remove.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.remove.triggered.connect(self._forget)
        self.addAction(self.remove)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._offer)
        theme.changed.connect(self.reread)

    @Slot()
    def reread(self) -> None:
        """Show the list as it is now."""
        row = self.currentRow()
        self.clear()
        for folder in recent.listed():
            self.addItem(_item(folder))
        self.setMaximumHeight(self.sizeHintForRow(0) * self.count() + 2 * theme.SMALL)
        self.setVisible(self.count() > 0)
        self.setCurrentRow(min(row, self.count() - 1))

    @Slot(QListWidgetItem)
    def _pick(self, item: QListWidgetItem) -> None:
        folder = Path(item.data(FOLDER))
        if recent.missing(folder):
            self.reread()  # it may have gone this moment
        else:
            self.picked.emit(str(folder))

    @Slot()
    def _forget(self) -> None:
        item = self.currentItem()
        if item:
            recent.forget(Path(item.data(FOLDER)))
            self.reread()

    @Slot(QPoint)
    def _offer(self, place: QPoint) -> None:
        if self.itemAt(place):
            menu = QMenu(self)
            menu.addAction(self.remove)
            menu.popup(self.viewport().mapToGlobal(place))


def _item(folder: Path) -> QListWidgetItem:
    reason = recent.missing(folder)
    item = QListWidgetItem(f"{folder.name}\n{folder}" + (f" ({reason})" if reason else ""))
    item.setData(FOLDER, str(folder))
    item.setToolTip(tip(f"{folder}: {reason}. Delete takes it off this list." if reason else f"Open {folder}"))
    if reason:
        item.setForeground(QBrush(QColor(theme.colours().muted)))
    return item
