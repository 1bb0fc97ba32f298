"""The first screen: open a sample, a project of your own, or make a new one."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QStandardPaths, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QAbstractButton,
    QButtonGroup,
    QFileDialog,
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QRadioButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from studio import remembered, theme
from studio.base_model import facts_of_base, sentence_on
from studio.screens import SCREENS
from studio.screens.screen import Screen
from studio.session import Session
from studio.training_queue import open_steps
from studio.widgets.card import line
from studio.widgets.controls import ChoiceBox
from studio.widgets.recent_list import RecentList
from ulmfit_core import config, files, presets
from ulmfit_core.config import SCRATCH, Recipe
from ulmfit_core.errors import UserError
from ulmfit_core.jobs.base import BASE_OF_NEW
from ulmfit_core.sample import DEFAULT, SAMPLES

SIZES = ("quick", "balanced", "paper")
SAMPLE_KEYS = {"verses": "sad", "support": "upport"}  # pressed with Alt: the first letter of this part of the title
OTHERS = {name: preset.title for name, preset in presets.PRESETS.items() if name not in SIZES}
# What the sizes come to where the model is there already and its size stays.
SIZES_WITH_BASE = {
    "quick": "Few passes over your texts: minutes on any computer. Good for a first look.",
    "balanced": "More passes, for better answers: an hour or so for some thousand texts.",
    "paper": "As many passes as were published. Needs a graphics card, or many hours without.",
}
OTHER_WITH_BASE = "Its passes, rates and dropouts count here; size and vocabulary stay the starter's."


@dataclass(frozen=True)
class Template:
    """A kind of new project: what it is for, and the knobs that make it so."""

    title: str
    meaning: str
    values: dict[str, Any]

    @property
    def has_base(self) -> bool:
        return self.values["base"] != SCRATCH


TEMPLATES = {
    "starter": Template(
        "Classify m&y texts, beginning with the English starter",
        "The language model that comes with the program has read Wikipedia. It gets used to your texts, then learns "
        "your labels.",
        {"base": BASE_OF_NEW},
    ),
    "scratch": Template(
        "Another la&nguage, or from scratch",
        "The language model first learns from general text in your language, if you have some, then from your texts.",
        {"base": SCRATCH},
    ),
    "language_model": Template(
        "A language mo&del only",
        "No labels are needed, and nothing is classified: it learns to write like your texts. Other projects can begin "
        "with it.",
        {"base": BASE_OF_NEW, "classify.enabled": False},
    ),
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
        self.how = _how_it_works()
        sides.addWidget(self.pages, 3)
        sides.addWidget(self.how, 2)
        self.body.addLayout(sides, 1)
        self._connect()

    def refresh(self) -> None:
        self.start.show_recent()

    def show_new_project(self) -> None:
        self.clear_message()
        self.form.offer_name()
        self._show_page(self.form)
        self.form.name.setFocus()
        self.form.name.selectAll()

    def _show_page(self, page: QWidget) -> None:
        """The form needs the whole width."""
        self.pages.setCurrentWidget(page)
        self.how.setVisible(page is self.start)

    def _connect(self) -> None:
        self.start.sample.connect(self._open_sample)
        self.start.training.connect(self._train_sample)
        self.start.new.clicked.connect(self.show_new_project)
        self.start.other.clicked.connect(self._choose)
        self.start.picked.connect(self._open)
        self.form.make.clicked.connect(self._create)
        self.form.cancel.clicked.connect(self._back_to_start)

    @Slot(str)
    def _open_sample(self, name: str) -> None:
        self._try(lambda: self.session.open_sample(name))

    @Slot(str)
    def _train_sample(self, name: str) -> None:
        if self._try(lambda: self.session.open_sample(name)) and self.session.project:
            if open_steps(self.session.project):  # of a sample that is trained there is only to see
                self.session.queue.start()

    @Slot()
    def _choose(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a project folder", remembered.folder())
        if folder:
            remembered.use_folder(folder)
            self._open(folder)

    @Slot(str)
    def _open(self, folder: str) -> None:
        self._try(lambda: self.session.open(folder))

    @Slot()
    def _create(self) -> None:
        recipe = self.form.recipe()
        if self._try(lambda: self.session.create(self.form.folder(), recipe)):
            self._back_to_start()

    @Slot()
    def _back_to_start(self) -> None:
        self.clear_message()
        self._show_page(self.start)

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

    `sample(name)` when one of the samples is to be opened, `training(name)` when it is to be trained as well,
    `picked(folder)` for a recent project.
    """

    sample = Signal(str)
    training = Signal(str)
    picked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.choice = QButtonGroup(self)
        self.choice.buttonClicked.connect(self._choose_sample)
        self.samples = {name: self._sample_button(name) for name in SAMPLES}
        self.wish = QButtonGroup(self)
        self.wish.buttonClicked.connect(self._train_sample)
        self.trainings = {name: self._train_button(name) for name in SAMPLES}
        self.new = QPushButton("&New project")
        self.other = QPushButton("&Open a project…")
        self.recent = RecentList()
        self.recent.picked.connect(self.picked)
        self.none_yet = QLabel("The projects that you open will be listed here.")
        self.none_yet.setProperty("role", "muted")
        self._lay_out()

    def _sample_button(self, name: str) -> QPushButton:
        button = QPushButton("Open")
        button.setAccessibleName(f"Open the sample: {SAMPLES[name].title}")
        button.setProperty("primary", name == DEFAULT)
        button.setProperty("sample", name)
        self.choice.addButton(button)
        return button

    def _train_button(self, name: str) -> QPushButton:
        button = QPushButton("Open and train")
        button.setAccessibleName(f"Open and train the sample: {SAMPLES[name].title}")
        button.setToolTip("Open it and run all its steps, one after the other, in a few minutes.")
        button.setProperty("sample", name)
        self.wish.addButton(button)
        return button

    def show_recent(self) -> None:
        self.recent.reread()
        self.none_yet.setVisible(not self.recent.count())

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, theme.SMALL, 0, 0)
        layout.setSpacing(theme.MEDIUM)
        for name, sample in SAMPLES.items():
            title = sample.title.replace(SAMPLE_KEYS[name], f"&{SAMPLE_KEYS[name]}", 1)
            way = _way(sample.meaning, self.samples[name], self.trainings[name], title=f"Sample: {title}")
            layout.addWidget(way)
        layout.addWidget(_way("Start from files of your own: a spreadsheet, a table, texts, a folder.", self.new))
        layout.addWidget(_way("Go on with a project folder that was made here before.", self.other))
        heading = QLabel("Recent projects")
        heading.setProperty("role", "subheading")
        layout.addWidget(heading)
        layout.addWidget(self.none_yet)
        layout.addWidget(self.recent, 1)
        layout.addStretch(0)

    @Slot(QAbstractButton)
    def _choose_sample(self, button: QAbstractButton) -> None:
        self.sample.emit(button.property("sample"))

    @Slot(QAbstractButton)
    def _train_sample(self, button: QAbstractButton) -> None:
        self.training.emit(button.property("sample"))


def _way(text: str, *buttons: QPushButton, title: str = "") -> QFrame:
    """A card with a button or two and what they lead to. The key in the title presses the first button."""
    card = QFrame()
    card.setProperty("card", True)
    layout = QHBoxLayout(card)
    layout.setContentsMargins(theme.LARGE, theme.MEDIUM, theme.LARGE, theme.MEDIUM)
    layout.setSpacing(theme.LARGE)
    column = QVBoxLayout()
    column.setSpacing(theme.SMALL)
    for button in buttons:
        button.setFixedWidth(180)
        column.addWidget(button)
    buttons[0].setToolTip(text)
    layout.addLayout(column)
    layout.addLayout(_titled(title, text, buttons[0]), 1)
    card.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
    return card


def _titled(title: str, text: str, button: QPushButton) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(theme.SMALL)
    column.addStretch()
    if title:
        heading = QLabel(title)
        heading.setProperty("role", "subheading")
        heading.setBuddy(button)
        column.addWidget(heading)
    column.addWidget(QLabel(text, wordWrap=True))
    column.addStretch()
    return column


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
    for number, step in enumerate((row for row in SCREENS.values() if row.meaning), 1):
        sentence = QLabel(f"<b>{number}. {step.title}</b><br>{step.meaning}", wordWrap=True)
        sentence.setContentsMargins(0, theme.SMALL, 0, 0)
        column.addWidget(sentence)
    whole = QWidget()
    layout = QVBoxLayout(whole)
    layout.setContentsMargins(0, theme.SMALL, 0, 0)
    layout.addWidget(card)
    layout.addStretch()
    return whole


class NewProjectPage(QWidget):
    """Name, place, template and settings of a new project. All fields can be typed into."""

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
        self.outcome = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.outcome.setProperty("role", "muted")
        self.make = QPushButton("&Create project")
        self.make.setProperty("primary", True)
        self.cancel = QPushButton("Canc&el")
        self.make.setToolTip("Make the project's folder and go on to its data.")
        self.cancel.setToolTip("Back to the start; nothing is made.")
        self.kinds = QButtonGroup(self)
        self.templates = {name: QRadioButton(template.title) for name, template in TEMPLATES.items()}
        self.about_base = line("", "muted")
        self.presets = QButtonGroup(self)
        self.sizes = {name: QRadioButton(f"&{presets.PRESETS[name].title}") for name in SIZES}
        self.about_sizes = {name: line("", "muted") for name in SIZES}
        self.other = QRadioButton("After another so&urce:")
        self.source = ChoiceBox(OTHERS, OTHERS)
        self.about_source = line("", "muted")
        self._lay_out()
        self._connect()
        self._lead_tab_to_picked()
        self._show_outcome()
        self._show_template()

    def folder(self) -> Path:
        """Where the project will lie: a folder named like it, with signs that no file name may hold replaced."""
        name = "".join("-" if sign in '/\\:*?"<>|' else sign for sign in self.name.text().strip())
        return files.at_home(self.place.text().strip()) / name

    def offer_name(self) -> None:
        """Where a folder of that name is there, the name with the next number behind it that makes it a free one."""
        name, last = re.fullmatch(r"(.*?)(?: (\d+))?", self.name.text().strip()).groups()  # type: ignore[union-attr]
        number = int(last or 1)
        while name and os.path.exists(self.folder()):
            number += 1
            self.name.setText(f"{name} {number}")

    def recipe(self) -> Recipe:
        """What the fields and choices come to."""
        recipe = presets.apply_preset(Recipe(name=self.name.text().strip()), self.preset())
        for key, value in self.template().values.items():
            config.set_value(recipe, key, value)
        return recipe

    def template(self) -> Template:
        return next(TEMPLATES[name] for name, radio in self.templates.items() if radio.isChecked())

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
        fields.addRow("Kind", self._template_choice())
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

    def _template_choice(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(2)
        for name, radio in self.templates.items():
            template = TEMPLATES[name]
            radio.setChecked(name == "starter")
            radio.setAccessibleDescription(template.meaning)
            radio.setToolTip(template.meaning)
            self.kinds.addButton(radio)
            column.addWidget(radio)
            column.addWidget(_below(line(template.meaning, "muted")))
        return column

    def _preset_choice(self) -> QGridLayout:
        """Each with its sentence beside it."""
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.LARGE)
        grid.setVerticalSpacing(theme.SMALL)
        grid.setColumnStretch(1, 1)
        for row, (name, radio) in enumerate(self.sizes.items()):
            radio.setChecked(name == "balanced")
            self.presets.addButton(radio)
            grid.addWidget(radio, row, 0)
            grid.addWidget(self.about_sizes[name], row, 1)
        grid.addLayout(self._source_choice(), len(SIZES), 0)
        grid.addWidget(self.about_source, len(SIZES), 1)
        grid.addWidget(self.about_base, len(SIZES) + 1, 0, 1, 2)
        return grid

    def _source_choice(self) -> QHBoxLayout:
        """One more choice, which has choices of its own."""
        self.presets.addButton(self.other)
        self.other.setToolTip("The settings of a published program, figure by figure.")
        self.source.setAccessibleName("Source of the settings")
        self.source.setToolTip("Whose settings the project begins with.")
        self.source.setEnabled(False)
        row = QHBoxLayout()
        row.addWidget(self.other)
        row.addWidget(self.source)
        row.addStretch()
        return row

    def _connect(self) -> None:
        self.browse.clicked.connect(self._browse)
        self.other.toggled.connect(self.source.setEnabled)
        self.source.currentIndexChanged.connect(self._show_source)
        self.kinds.buttonToggled.connect(self._show_template)
        for group in (self.kinds, self.presets):
            group.buttonToggled.connect(self._lead_tab_to_picked)
        for field in (self.name, self.place):
            field.textChanged.connect(self._show_outcome)
            field.returnPressed.connect(self.make.click)

    @Slot()
    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Where to put the project", self.place.text())
        if folder:
            self.place.setText(folder)

    @Slot()
    def _lead_tab_to_picked(self) -> None:
        """Qt leads Tab to the first of those that exclude each other, or to the one that last had the focus."""
        for button in (*self.kinds.buttons(), *self.presets.buttons()):
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus if button.isChecked() else Qt.FocusPolicy.ClickFocus)

    @Slot()
    def _show_template(self) -> None:
        """What a size means follows from whether the model is there already."""
        base = self.template().values["base"]
        for name, sentence in self.about_sizes.items():
            preset = presets.PRESETS[name]
            meaning = SIZES_WITH_BASE[name] if self.template().has_base else preset.meaning
            sentence.setText(meaning)
            self.sizes[name].setAccessibleDescription(meaning)
            self.sizes[name].setToolTip(meaning if self.template().has_base else f"{meaning} {preset.vocabulary}")
        size = sentence_on(facts_of_base(base))
        self.about_base.setText(f"The starter's size: {size[0].lower()}{size[1:]}" if size else "")
        self.about_base.setVisible(bool(size))
        self._show_source()

    @Slot()
    def _show_source(self) -> None:
        preset = presets.PRESETS[self.source.read()]
        with_base = OTHER_WITH_BASE if self.template().has_base else ""
        self.about_source.setText(with_base or f"{preset.meaning} {preset.vocabulary}")
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
