"""The left side of the Data screen: which files, and what their columns mean."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QComboBox, QLabel, QListWidget, QListWidgetItem, QScrollArea, QVBoxLayout, QWidget

from studio import theme
from studio.widgets.card import card, line
from studio.widgets.form import Form
from studio.widgets.path_field import PathField
from ulmfit_core.config import DataSettings

WIDTH = 400
MOST_COLUMNS = 6  # shown at once
FILES = {
    "data": ("Labelled texts", "CSV, JSON lines, Parquet or text, or a folder with one sub-folder for each label."),
    "test": ("Test file", "A separate file with the same columns. Without it some rows are set aside for the test."),
    "unlabelled": ("Unlabelled texts", "More texts of the same kind; they teach the language model."),
    "corpus": ("General text", "Text about anything, such as a part of Wikipedia, to learn the language from first."),
}  # fmt: skip
DETAILS = ("delimiter", "encoding", "header", "labelled_rows", "corpus_words", "seed")


class Mapping(QScrollArea):
    """`changed(name, value)`: the person set one knob of the DataSettings."""

    changed = Signal(str, object)

    def __init__(self, settings: DataSettings):
        super().__init__()
        self.fields = {name: PathField(title, folders=name == "data") for name, (title, _) in FILES.items()}
        self.text = QListWidget()
        self.text.setAccessibleName("Columns that hold the text")
        self.text.setToolTip("Tick every column that holds text (Space). Several are joined in this order.")
        self.label = QComboBox()
        self.split = QComboBox()
        self.form = Form(settings, ["valid_fraction", "test_fraction"], list(DETAILS))
        self._lay_out()
        self._connect()
        self.set_columns([])

    # Showing

    def set_settings(self, settings: DataSettings) -> None:
        for name, field in self.fields.items():
            field.set_path(getattr(settings, name))
        self.form.set_model(settings)
        self._show_choice(settings)

    def set_columns(self, columns: list[str]) -> None:
        """The columns of the chosen file; the mapping is filled in by `set_settings`."""
        with QSignalBlocker(self.text), QSignalBlocker(self.label), QSignalBlocker(self.split):
            self.text.clear()
            for combo, nothing in ((self.label, "No labels"), (self.split, "None: split at random")):
                combo.clear()
                combo.addItem(nothing, "")
            for column in columns:
                self._add_column(column)
        self.columns_card.setVisible(bool(columns))
        shown = min(max(len(columns), 2), MOST_COLUMNS)
        self.text.setFixedHeight(self.text.sizeHintForRow(0) * shown + 2 * theme.SMALL if columns else 0)

    def _add_column(self, column: str) -> None:
        shown = f"Column {column}" if column.isdigit() else column
        item = QListWidgetItem(shown)
        item.setData(Qt.ItemDataRole.UserRole, column)
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        item.setCheckState(Qt.CheckState.Unchecked)
        self.text.addItem(item)
        self.label.addItem(shown, column)
        self.split.addItem(shown, column)

    def _show_choice(self, settings: DataSettings) -> None:
        with QSignalBlocker(self.text), QSignalBlocker(self.label), QSignalBlocker(self.split):
            for item in self._items():
                ticked = item.data(Qt.ItemDataRole.UserRole) in settings.text
                item.setCheckState(Qt.CheckState.Checked if ticked else Qt.CheckState.Unchecked)
            self.label.setCurrentIndex(max(0, self.label.findData(settings.label)))
            self.split.setCurrentIndex(max(0, self.split.findData(settings.split_column)))

    def _items(self) -> list[QListWidgetItem]:
        return [self.text.item(number) for number in range(self.text.count())]

    # Building

    def _lay_out(self) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, theme.SMALL, 0)
        column.setSpacing(theme.MEDIUM)
        column.addWidget(card("Your data", "", self._file("data")))
        self.columns_card = card("What the columns mean", "", *self._choices())
        column.addWidget(self.columns_card)
        more = [self._file(name) for name in FILES if name != "data"]
        column.addWidget(card("More files, if you have them", "", *more))
        column.addWidget(card("Rows kept aside", "", self.form))
        column.addStretch()
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it
        self.setFixedWidth(WIDTH)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def _file(self, name: str) -> QWidget:
        title, help = FILES[name]
        self.fields[name].setToolTip(help)
        return labelled("" if name == "data" else title, self.fields[name], help)

    def _choices(self) -> list[QWidget]:
        for combo, name in ((self.label, "Column that holds the label"), (self.split, "Column that holds the split")):
            combo.setAccessibleName(name)
            combo.setToolTip(name)
            combo.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return [
            labelled("Text (tick one or more)", self.text),
            labelled("Label", self.label, "What the classifier learns to tell."),
            labelled("Split", self.split, "A column that says train, valid or test."),
        ]

    def _connect(self) -> None:
        for name, field in self.fields.items():
            field.chosen.connect(lambda path, name=name: self.changed.emit(name, path))
        self.text.itemChanged.connect(self._tell_text)
        self.label.currentIndexChanged.connect(self._tell_label)
        self.split.currentIndexChanged.connect(self._tell_split)
        self.form.changed.connect(self.changed)

    @Slot(QListWidgetItem)
    def _tell_text(self) -> None:
        ticked = [item for item in self._items() if item.checkState() == Qt.CheckState.Checked]
        self.changed.emit("text", [item.data(Qt.ItemDataRole.UserRole) for item in ticked])

    @Slot(int)
    def _tell_label(self) -> None:
        self.changed.emit("label", self.label.currentData())

    @Slot(int)
    def _tell_split(self) -> None:
        self.changed.emit("split_column", self.split.currentData())


def labelled(title: str, part: QWidget, help: str = "") -> QWidget:
    """A control with its name above and a sentence below."""
    whole = QWidget()
    column = QVBoxLayout(whole)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(3)
    if title:
        name = QLabel(title)
        name.setBuddy(part)
        column.addWidget(name)
    column.addWidget(part)
    if help:
        column.addWidget(line(help, "muted"))
    return whole
