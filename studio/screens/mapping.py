"""The left side of the Data screen: which files, what their columns mean, and folded what is seldom changed."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QPushButton, QScrollArea, QVBoxLayout, QWidget

from studio import theme
from studio.read_only import WRITES
from studio.screens.columns import Columns
from studio.screens.kept_columns import KeptColumns
from studio.screens.places import Places
from studio.screens.reading import Look, Reading
from studio.screens.splits import Splits
from studio.widgets.card import card, line
from studio.widgets.fold_card import FoldCard
from studio.widgets.form import Form
from studio.widgets.labelled import labelled
from studio.widgets.path_field import PathField
from ulmfit_core.config import DataSettings

WIDTH = 384
FILES = {
    "data": (
        "Labelled texts",
        "A table, spreadsheet, database, JSON or text file, packed or not, or a folder with one sub-folder for each "
        "label. Several files can be dropped anywhere here at once.",
    ),
    "unlabelled": ("Unlabelled texts", "More texts of the same kind; they teach the language model."),
    "corpus": ("General text", "Text about anything, such as a part of Wikipedia, to learn the language from first."),
}  # fmt: skip
NO_MORE_TEXTS = "Texts without labels, or general text to learn the language from."


class Mapping(QScrollArea):
    """`changed(knobs)`: the person set some of the DataSettings, names and values; its parts tell of the files."""

    changed = Signal(dict)

    def __init__(self, settings: DataSettings):
        super().__init__()
        self._look = Look()
        self.fields = {
            name: PathField(title, folders=name != "corpus", many=name == "data") for name, (title, _) in FILES.items()
        }
        self.add = QPushButton("&Add files…")
        self.places = Places()
        self.reading = Reading()
        self.columns = Columns()
        self.kept = KeptColumns()
        self.splits = Splits()
        self.form = Form(settings, ["corpus_words"], [])
        self._lay_out()
        self._connect()
        self.set_columns([])

    # Showing

    def set_settings(self, settings: DataSettings, look: Look) -> None:
        for name, field in self.fields.items():
            field.set_path(getattr(settings, name))
        self.places.set_settings(settings)
        self.places.order_tabs(self.fields["data"].folder)
        self.reading.set_look(settings, look)
        self.columns.set_settings(settings)
        self.kept.set_settings(settings)
        self.splits.set_settings(settings, bool(look.preview and look.preview.named))
        self.form.set_model(settings)
        self.form.setVisible(bool(settings.corpus))
        self._show_what_counts(settings, look)

    def _show_what_counts(self, settings: DataSettings, look: Look) -> None:
        """What can be done with the chosen file; what has to be chosen is opened."""
        chosen = bool(settings.data)
        self.about.setVisible(not chosen)
        self.add.setVisible(chosen)
        self.reading_card.setVisible(chosen and self.reading.has_something())
        self.splits_card.setVisible(look.preview is not None)
        self.splits_card.say(self.splits.sentence.text())
        named = [Path(path).name for path in (settings.unlabelled, settings.corpus) if path]
        self.texts_card.say(", ".join(named) or NO_MORE_TEXTS)
        if look is not self._look:
            self._look = look
            self._open_what_is_asked(look)

    def _open_what_is_asked(self, look: Look) -> None:
        """Once for each look at a file: what is closed after that stays closed."""
        if look.members or look.sheets or look.refusal:
            self.reading_card.open()
        if look.preview and self.splits.problem:
            self.splits_card.open()

    def set_columns(self, columns: list[str]) -> None:
        """The columns of the chosen file; the mapping is filled in by `set_settings`."""
        self.columns.set_columns(columns)
        self.kept.set_columns(columns)
        self.splits.set_columns(columns)
        self.columns_card.setVisible(bool(columns))

    # Building

    def _lay_out(self) -> None:
        self.add.setToolTip("Choose further files: parts of the data, a test file, texts without labels, and so on.")
        self.about = line(FILES["data"][1], "muted")
        self.reading_card = FoldCard("How it is read", self.reading)
        self.columns_card = card("What the columns mean", "", self.columns, self.kept)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, theme.SMALL, 0)
        column.setSpacing(theme.MEDIUM)
        self.splits_card = FoldCard("Rows kept aside", self.splits)
        more = [self._file(name) for name in FILES if name != "data"]
        self.texts_card = FoldCard("More texts, if you have them", *more, self.form)
        self.fields["data"].setToolTip(FILES["data"][1])
        column.addWidget(card("Your data", "", self.fields["data"], self.about, self.places, self.add))
        for part in (self.reading_card, self.columns_card, self.splits_card, self.texts_card):
            column.addWidget(part)
        column.addStretch()
        inside.setProperty(WRITES, True)  # not the area around it, which still scrolls then
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it
        self.setFixedWidth(WIDTH)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def _file(self, name: str) -> QWidget:
        title, help = FILES[name]
        self.fields[name].setToolTip(help)
        return labelled(title, self.fields[name], help)

    def _connect(self) -> None:
        for name, field in self.fields.items():
            field.chosen.connect(lambda path, name=name: self.changed.emit({name: path}))
        for fold in (self.reading_card, self.splits_card, self.texts_card):
            fold.heading.clicked.connect(lambda _, fold=fold: self._bring_into_sight(fold))
        self.reading.changed.connect(self.changed)
        for part in (self.columns, self.kept, self.splits, self.form):
            part.changed.connect(self._tell)

    def _bring_into_sight(self, card: FoldCard) -> None:
        """Once it is laid out: what opens at the lower edge would not be seen."""
        QTimer.singleShot(0, self, lambda: self.ensureWidgetVisible(card, 0, theme.SMALL))

    def _tell(self, name: str, value: object) -> None:
        self.changed.emit({name: value})
