"""The first screen: open a sample, a project of your own, or make a new one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QStandardPaths, Signal, Slot
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QFileDialog,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from studio import theme
from studio.screens.screen import Screen
from studio.session import Session
from studio.widgets.card import line
from studio.widgets.controls import ChoiceBox
from studio.widgets.recent_list import RecentList
from ulmfit_core import presets
from ulmfit_core.config import Recipe
from ulmfit_core.errors import UserError
from ulmfit_core.sample import DEFAULT, SAMPLES

SIZES = ("quick", "balanced", "paper")
SAMPLE_KEYS = {"verses": "sad", "support": "upport"}  # pressed with Alt: the first letter of this part of the title
OTHERS = {name: preset.title for name, preset in presets.PRESETS.items() if name not in SIZES}


WAY = {
    "Data": "Choose a file and say which column is the text and which the label.",
    "Vocabulary": "The texts are cut into words and parts of words.",
    "Pretrain": "A language model learns from general text to guess the next word.",
    "Fine-tune": "It goes on with your texts, labelled or not, and gets used to how they are written.",
    "Classify": "A classifier on top of it learns your labels, layer by layer.",
    "Evaluate": "Texts that were kept aside show how good it is, and where it errs.",
    "Try it": "Type a text and see the answer as you type.",
}


class WelcomeScreen(Screen):
    title = "Welcome to ULMFiT Studio"
    explanation = (
        "Teach a computer to sort texts into your own classes, from a few hundred examples. "
        "A language model first learns from plain text, then from yours; that is why few labels suffice."
    )
    needs_project = False

    def __init__(self, session: Session):
        super().__init__(session)
        self.start = StartPage()
        self.form = NewProjectPage()
        self.pages = QStackedWidget()
        self.pages.addWidget(self.start)
        self.pages.addWidget(self.form)
        sides = QHBoxLayout()
        sides.setSpacing(theme.LARGE)
        sides.addWidget(self.pages, 3)
        sides.addWidget(_how_it_works(), 2)
        self.body.addLayout(sides, 1)
        self._connect()

    def refresh(self) -> None:
        self.start.show_recent()

    def show_new_project(self) -> None:
        self.clear_message()
        self.pages.setCurrentWidget(self.form)
        self.form.name.setFocus()
        self.form.name.selectAll()

    def _connect(self) -> None:
        self.start.sample.connect(self._open_sample)
        self.start.new.clicked.connect(self.show_new_project)
        self.start.other.clicked.connect(self._choose)
        self.start.picked.connect(self._open)
        self.form.make.clicked.connect(self._create)
        self.form.cancel.clicked.connect(self._back_to_start)

    @Slot(str)
    def _open_sample(self, name: str) -> None:
        self._try(lambda: self.session.open_sample(name))

    @Slot()
    def _choose(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a project folder")
        if folder:
            self._open(folder)

    @Slot(str)
    def _open(self, folder: str) -> None:
        self._try(lambda: self.session.open(folder))

    @Slot()
    def _create(self) -> None:
        recipe = presets.apply_preset(Recipe(name=self.form.name.text().strip()), self.form.preset())
        if self._try(lambda: self.session.create(self.form.folder(), recipe)):
            self._back_to_start()

    @Slot()
    def _back_to_start(self) -> None:
        self.clear_message()
        self.pages.setCurrentWidget(self.start)

    def _try(self, act: Callable[[], None]) -> bool:
        try:
            self.clear_message()
            act()
        except UserError as error:
            self.show_message(str(error), "error")
            return False
        return True


class StartPage(QWidget):
    """The samples, two more ways to begin, and the projects opened lately.

    `sample(name)` when one of the samples is chosen, `picked(folder)` for a recent project.
    """

    sample = Signal(str)
    picked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.choice = QButtonGroup(self)
        self.choice.buttonClicked.connect(self._choose_sample)
        self.samples = {name: self._sample_button(name) for name in SAMPLES}
        self.new = QPushButton("&New project")
        self.other = QPushButton("&Open a project…")
        self.recent = RecentList()
        self.recent.picked.connect(self.picked)
        self.none_yet = QLabel("The projects that you open will be listed here.")
        self.none_yet.setProperty("role", "muted")
        self._lay_out()

    def _sample_button(self, name: str) -> QPushButton:
        title, key = SAMPLES[name].title, SAMPLE_KEYS[name]
        button = QPushButton(title.replace(key, f"&{key}", 1))
        button.setAccessibleName(f"Open the sample: {title}")
        button.setProperty("primary", name == DEFAULT)
        button.setProperty("sample", name)
        self.choice.addButton(button)
        return button

    def show_recent(self) -> None:
        self.recent.reread()
        self.none_yet.setVisible(not self.recent.count())

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, theme.SMALL, 0, 0)
        layout.setSpacing(theme.MEDIUM)
        for name, sample in SAMPLES.items():
            layout.addWidget(_way(self.samples[name], f"A sample to try. {sample.meaning}"))
        layout.addWidget(_way(self.new, "Start from files of your own: a spreadsheet, a table, texts, a folder."))
        layout.addWidget(_way(self.other, "Go on with a project folder that was made here before."))
        heading = QLabel("Recent projects")
        heading.setProperty("role", "subheading")
        layout.addWidget(heading)
        layout.addWidget(self.none_yet)
        layout.addWidget(self.recent, 1)
        layout.addStretch(0)

    @Slot(QAbstractButton)
    def _choose_sample(self, button: QAbstractButton) -> None:
        self.sample.emit(button.property("sample"))


def _way(button: QPushButton, text: str) -> QFrame:
    """A card with a button and what it leads to."""
    card = QFrame()
    card.setProperty("card", True)
    layout = QHBoxLayout(card)
    layout.setContentsMargins(theme.LARGE, theme.MEDIUM, theme.LARGE, theme.MEDIUM)
    layout.setSpacing(theme.LARGE)
    button.setFixedWidth(180)
    button.setToolTip(text)
    label = QLabel(text, wordWrap=True)
    layout.addWidget(button)
    layout.addWidget(label, 1)
    return card


def _how_it_works() -> QWidget:
    """The way through the program, beside the start."""
    card = QFrame()
    card.setProperty("card", True)
    column = QVBoxLayout(card)
    column.setContentsMargins(*[theme.LARGE] * 4)
    column.setSpacing(theme.SMALL)
    heading = QLabel("How it works")
    heading.setProperty("role", "subheading")
    column.addWidget(heading)
    for number, (title, meaning) in enumerate(WAY.items(), 1):
        sentence = QLabel(f"<b>{number}. {title}</b><br>{meaning}", wordWrap=True)
        sentence.setContentsMargins(0, theme.SMALL, 0, 0)
        column.addWidget(sentence)
    whole = QWidget()
    layout = QVBoxLayout(whole)
    layout.setContentsMargins(0, theme.SMALL, 0, 0)
    layout.addWidget(card)
    layout.addStretch()
    return whole


class NewProjectPage(QWidget):
    """Name, place and size of a new project. All fields can be typed into."""

    def __init__(self) -> None:
        super().__init__()
        self.name = QLineEdit("My project")
        self.name.setAccessibleName("Name of the project")
        self.name.setToolTip("What the project is called; its folder gets the same name.")
        documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        self.place = QLineEdit(str(Path(documents) / "ULMFiT projects"))
        self.place.setAccessibleName("Folder in which the project is made")
        self.place.setToolTip("The project becomes a new folder in this one.")
        self.browse = QPushButton("B&rowse…")
        self.browse.setToolTip("Choose the place in a dialog.")
        self.outcome = QLabel(wordWrap=True)
        self.outcome.setProperty("role", "muted")
        self.make = QPushButton("&Create project")
        self.make.setProperty("primary", True)
        self.cancel = QPushButton("Canc&el")
        self.make.setToolTip("Make the project's folder and go on to its data.")
        self.cancel.setToolTip("Back to the start; nothing is made.")
        self.presets = QButtonGroup(self)
        self.sizes = {name: QRadioButton(f"&{presets.PRESETS[name].title}") for name in SIZES}
        self.other = QRadioButton("After another so&urce:")
        self.source = ChoiceBox(OTHERS, OTHERS)
        self.about_source = line("", "muted")
        self._lay_out()
        self._connect()
        self._show_outcome()

    def folder(self) -> Path:
        """Where the project will lie: a folder named like it, with signs that no file name may hold replaced."""
        name = "".join("-" if sign in '/\\:*?"<>|' else sign for sign in self.name.text().strip())
        return Path(self.place.text().strip()).expanduser() / name

    def preset(self) -> str:
        if self.other.isChecked():
            return self.source.read()
        return next(name for name, radio in self.sizes.items() if radio.isChecked())

    def _lay_out(self) -> None:
        place = QHBoxLayout()
        place.addWidget(self.place, 1)
        place.addWidget(self.browse)
        fields = QFormLayout()
        fields.setVerticalSpacing(theme.MEDIUM)
        fields.addRow("N&ame", self.name)
        fields.addRow("P&lace", place)
        fields.labelForField(place).setBuddy(self.place)  # type: ignore[attr-defined]
        fields.addRow("", self.outcome)
        fields.addRow("Settings", self._preset_choice())
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(self.cancel)
        buttons.addWidget(self.make)
        card = QFrame()
        card.setProperty("card", True)
        inside = QVBoxLayout(card)
        inside.setContentsMargins(*[theme.LARGE] * 4)
        inside.setSpacing(theme.LARGE)
        heading = QLabel("New project")
        heading.setProperty("role", "subheading")
        inside.addWidget(heading)
        inside.addLayout(fields)
        inside.addLayout(buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, theme.SMALL, 0, 0)
        layout.addWidget(card)
        layout.addStretch()

    def _preset_choice(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(2)
        for name, radio in self.sizes.items():
            preset = presets.PRESETS[name]
            radio.setChecked(name == "balanced")
            radio.setAccessibleDescription(preset.meaning)
            radio.setToolTip(f"{preset.meaning} {preset.vocabulary}")
            self.presets.addButton(radio)
            column.addWidget(radio)
            column.addWidget(_below(line(preset.meaning, "muted")))
        column.addLayout(self._source_choice())
        column.addWidget(_below(self.about_source))
        return column

    def _source_choice(self) -> QHBoxLayout:
        """One more choice, which has choices of its own."""
        self.presets.addButton(self.other)
        self.other.setToolTip("The settings of a published program, figure by figure.")
        self.source.setAccessibleName("Source of the settings")
        self.source.setToolTip("Whose settings the project begins with.")
        self.source.setEnabled(False)
        self._show_source()
        row = QHBoxLayout()
        row.addWidget(self.other)
        row.addWidget(self.source)
        row.addStretch()
        return row

    def _connect(self) -> None:
        self.browse.clicked.connect(self._browse)
        self.other.toggled.connect(self.source.setEnabled)
        self.source.currentIndexChanged.connect(self._show_source)
        for field in (self.name, self.place):
            field.textChanged.connect(self._show_outcome)
            field.returnPressed.connect(self.make.click)

    @Slot()
    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Where to put the project", self.place.text())
        if folder:
            self.place.setText(folder)

    @Slot()
    def _show_source(self) -> None:
        preset = presets.PRESETS[self.source.read()]
        self.about_source.setText(f"{preset.meaning} {preset.vocabulary}")
        self.other.setAccessibleDescription(self.about_source.text())

    @Slot()
    def _show_outcome(self) -> None:
        complete = bool(self.name.text().strip() and self.place.text().strip())
        self.make.setEnabled(complete)
        self.outcome.setText(f"It will be made in {self.folder()}" if complete else "Type a name and a place.")


def _below(sentence: QLabel) -> QLabel:
    """Set a sentence under the text of its radio button."""
    sentence.setContentsMargins(26, 0, 0, theme.SMALL)
    return sentence
