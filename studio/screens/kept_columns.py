"""Which further columns are kept beside each text, to compare results by."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QPushButton, QVBoxLayout, QWidget

from studio.screens.columns import beside, column_title
from ulmfit_core.config import DataSettings

NONE = "No further columns"
TIP = (
    "Columns that are kept beside each text, such as the rating or the source. After an evaluation, “Parts of the "
    "data” tells how good the answers are for each of their values."
)


class KeptColumns(QWidget):
    """`changed("keep", columns)`: the person ticked or unticked a column. Hidden where the file has none to spare."""

    changed = Signal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self._columns: list[str] = []
        self._kept: list[str] = []
        self.button = QPushButton(NONE)
        self.button.setAccessibleName("Columns to keep beside the texts")
        self.button.setToolTip(TIP)
        self.menu = QMenu(self.button)
        self.button.setMenu(self.menu)
        self.menu.triggered.connect(self._tell)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(beside("Keep", self.button))

    def set_columns(self, columns: list[str]) -> None:
        self._columns = columns

    def set_settings(self, settings: DataSettings) -> None:
        """A kept column that the file does not have is offered too: it must be seen to be given up."""
        self._kept = list(settings.keep)
        used = {*settings.text, settings.label, settings.id_column} - set(self._kept)
        offered = [name for name in dict.fromkeys([*self._columns, *self._kept]) if name not in used]
        self.menu.clear()
        for name in offered:
            self._add(name)
        titles = [column_title(name) for name in self._kept]
        self.button.setText(NONE if not titles else titles[0] if len(titles) == 1 else f"{len(titles)} columns")
        self.setVisible(bool(offered))

    def _add(self, name: str) -> None:
        action = self.menu.addAction(column_title(name))
        action.setData(name)
        action.setCheckable(True)
        action.setChecked(name in self._kept)

    @Slot(QAction)
    def _tell(self, _: QAction) -> None:
        """In the file's order."""
        self.changed.emit("keep", [one.data() for one in self.menu.actions() if one.isChecked()])
