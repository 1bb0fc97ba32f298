"""What the columns of the chosen file mean: which hold the text and in which order, which the label and the id."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from studio import theme
from studio.screens.splits import ColumnBox
from studio.widgets.card import line
from studio.widgets.labelled import labelled
from ulmfit_core.config import DataSettings

MOST_COLUMNS = 5  # shown at once
TITLE_WIDTH = 48  # pixels
ROLE = Qt.ItemDataRole.UserRole
LEARNED = "What the classifier learns to tell."


class Columns(QWidget):
    """`changed(name, value)`: the person chose text, label or id_column of the DataSettings.

    `labels`: what labels in the file are good for.
    """

    changed = Signal(str, object)

    def __init__(self, labels: str = LEARNED) -> None:
        super().__init__()
        self._about_label = line(labels, "muted")
        self._texts: list[str] = []  # in the order in which they are joined
        self.text = QListWidget()
        self.text.setAccessibleName("Columns that hold the text")
        self.text.setToolTip("Tick every column that holds text (Space). Several are joined into one text.")
        self.earlier = QPushButton("Earlier")
        self.earlier.setToolTip("Join the marked column before the one in front of it.")
        self.later = QPushButton("Later")
        self.later.setToolTip("Join the marked column after the one behind it.")
        self.joined = line("", "muted")
        self.label = _column_box("Column that holds the label", "No labels", labels)
        self.id = _column_box("Column that names each row", "None", "Names a row where it is listed, if it has a name.")
        self._lay_out()
        self._connect()

    # Showing

    def set_columns(self, columns: list[str]) -> None:
        """The columns of the chosen file; what they are taken for is filled in by `set_settings`."""
        self.label.offer(columns)
        self.id.offer(columns)
        with QSignalBlocker(self.text):
            self.text.clear()
            for column in columns:
                self._add_text(column)
        shown = min(max(len(columns), 2), MOST_COLUMNS)
        self.text.setFixedHeight(self.text.sizeHintForRow(0) * shown + 2 * theme.SMALL if columns else 0)

    def set_settings(self, settings: DataSettings) -> None:
        self._texts = list(settings.text)
        with QSignalBlocker(self.text):
            for item in self._items():
                self._show_item(item)
        self.label.write(settings.label)
        self.id.write(settings.id_column)
        self._show_order()

    def _add_text(self, column: str) -> None:
        item = QListWidgetItem(column_title(column))
        item.setData(ROLE, column)
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(Qt.CheckState.Unchecked)
        self.text.addItem(item)

    def _show_item(self, item: QListWidgetItem) -> None:
        """Ticked where it is text, with its place where several are joined."""
        column = item.data(ROLE)
        ticked = column in self._texts
        place = f"  ▸ {self._texts.index(column) + 1}" if ticked and len(self._texts) > 1 else ""
        item.setText(column_title(column) + place)
        item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)

    @Slot()
    def _show_order(self) -> None:
        """The order counts where there are several."""
        several = len(self._texts) > 1
        names = " + ".join(f"xxfld {place} {column_title(name)}" for place, name in enumerate(self._texts, start=1))
        self.joined.setText(
            f"Joined into one text in this order, each behind a mark of its field: {names}." if several else ""
        )
        for part in (self.joined, self.earlier, self.later):
            part.setVisible(several)
        place = self._marked_place()
        self.earlier.setEnabled(place > 0)
        self.later.setEnabled(0 <= place < len(self._texts) - 1)

    def _marked_place(self) -> int:
        """Where the marked column stands among the texts; -1 where it is none of them."""
        item = self.text.currentItem()
        return self._texts.index(item.data(ROLE)) if item and item.data(ROLE) in self._texts else -1

    def _items(self) -> list[QListWidgetItem]:
        return [self.text.item(number) for number in range(self.text.count())]

    # Building

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.addWidget(self.earlier)
        buttons.addWidget(self.later)
        buttons.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SMALL)
        column.addWidget(labelled("Text (tick one or more)", self.text))
        column.addLayout(buttons)
        column.addWidget(self.joined)
        column.addWidget(beside("Label", self.label))
        column.addWidget(self._about_label)
        column.addWidget(beside("Id", self.id))

    def _connect(self) -> None:
        self.text.itemChanged.connect(self._tell_text)
        self.text.currentRowChanged.connect(self._show_order)
        self.earlier.clicked.connect(self._move_earlier)
        self.later.clicked.connect(self._move_later)
        self.label.chosen.connect(self._tell_label)
        self.id.chosen.connect(self._tell_id)

    # What the person does

    @Slot(QListWidgetItem)
    def _tell_text(self, item: QListWidgetItem) -> None:
        """A column that is ticked comes last; one that is unticked leaves the others as they are."""
        column = item.data(ROLE)
        others = [name for name in self._texts if name != column]
        ticked = item.checkState() == Qt.CheckState.Checked
        self.changed.emit("text", [*others, column] if ticked else others)

    @Slot()
    def _move_earlier(self) -> None:
        self._move(-1)

    @Slot()
    def _move_later(self) -> None:
        self._move(1)

    def _move(self, direction: int) -> None:
        place = self._marked_place()
        texts = list(self._texts)
        texts.insert(place + direction, texts.pop(place))
        self.changed.emit("text", texts)

    @Slot(object)
    def _tell_label(self, column: str) -> None:
        self.changed.emit("label", column)

    @Slot(object)
    def _tell_id(self, column: str) -> None:
        self.changed.emit("id_column", column)


def _column_box(name: str, nothing: str, tip: str) -> ColumnBox:
    box = ColumnBox(nothing)
    box.setAccessibleName(name)
    box.setToolTip(tip)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box


def beside(title: str, box: QWidget) -> QWidget:
    """A title and the control that it names, in one row."""
    whole, name = QWidget(), QLabel(title)
    name.setBuddy(box)
    name.setFixedWidth(TITLE_WIDTH)
    row = QHBoxLayout(whole)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(theme.SMALL)
    row.addWidget(name)
    row.addWidget(box, 1)
    return whole


def column_title(column: str) -> str:
    """A column's name; one without a name is known by its number."""
    return f"Column {column}" if column.isdigit() else column
