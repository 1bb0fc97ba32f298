"""The left side of a training screen: the stage's settings, its phases, and the size of the model it makes."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from studio import theme
from studio.read_only import WRITES
from studio.session import Session
from studio.widgets import schedule_preview
from studio.widgets.balance import BalanceHint
from studio.widgets.card import line
from studio.widgets.controls import NumberBox
from studio.widgets.declared import extra, zero_word
from studio.widgets.form import Form
from studio.widgets.start_from import StartFrom
from ulmfit_core.config import SCRATCH, ModelSettings, Recipe, StageSettings, planned_phases
from ulmfit_core.project import Project

LEAST_WIDTH, WIDTH = 296, 330
# What a newcomer may want to turn; all else is under Advanced, as is what its declaration calls advanced.
FIRST = (
    "epochs", "lr_max", "drop_mult", "schedule", "unfreezing", "layer_factor", "batch_size", "bptt", "enabled",
)  # fmt: skip
# What the table of phases says for each phase in the settings' place.
REPLACED = ("epochs", "lr_max", "schedule", "unfreezing", "frozen_epochs")
TRAINED = ("pretrain", "finetune", "classify")


class StageSettingsColumn(QScrollArea):
    """`changed(key, value)` with the dotted name of a knob. It shows the recipe and changes nothing itself."""

    changed = Signal(str, object)
    rate_wanted = Signal()
    phases_wanted = Signal(bool)  # whether the table of phases is to be seen

    def __init__(self, session: Session, step: str):
        super().__init__()
        self.step = step
        blank = getattr(Recipe(), step)
        fields = type(blank).model_fields
        self.form = Form(blank, [name for name in FIRST if not extra(fields[name], "advanced")])
        self.model_form = Form(ModelSettings())
        self.start_from = StartFrom(session)
        self.balance = BalanceHint()
        self.summary = line("", "hint")
        self._make_buttons()
        self._lay_out()
        self.form.changed.connect(partial(self._tell, step))
        self.model_form.changed.connect(partial(self._tell, "model"))

    def show_for(self, project: Project) -> None:
        settings: StageSettings = getattr(project.recipe, self.step)
        self.form.set_model(settings)
        self.form.let_change(REPLACED, not settings.phases)
        self.model_form.set_model(project.recipe.model)
        self.model_part.setVisible(first_trained(project) == self.step)
        self.base_part.setVisible(self.step == "pretrain")
        self.balance.show_for(project, self.step)
        self._say_epochs(project)
        groups = schedule_preview.groups_of(project.recipe, self.step)
        self.summary.setText(phases_sentence(project.settings_of(self.step), len(groups)))

    def _say_epochs(self, project: Project) -> None:
        """Epochs that are left to the program are shown with their number, once the texts are counted."""
        control = self.form.control("epochs")
        assert isinstance(control, NumberBox)
        word = zero_word(type(getattr(project.recipe, self.step)).model_fields["epochs"])
        chosen = project.settings_of(self.step).epochs if word and control.read() == 0 else 0
        control.setSpecialValueText(f"{word} ({chosen})" if chosen else word)

    def _tell(self, section: str, name: str, value: Any) -> None:
        self.changed.emit(f"{section}.{name}", value)

    def _make_buttons(self) -> None:
        self.find_rate = QPushButton("Fin&d a rate…")
        self.find_rate.setToolTip("Try out all rates in a short search, and take one that its curve suggests.")
        self.find_rate.clicked.connect(self.rate_wanted)
        self.edit_phases = QPushButton("&Edit the phases")
        self.edit_phases.setCheckable(True)
        self.edit_phases.setToolTip("Show or hide the table of phases, below the coming schedule.")
        self.edit_phases.toggled.connect(self.phases_wanted)
        for part in (self.start_from, self.edit_phases):
            part.setProperty(WRITES, True)

    def _lay_out(self) -> None:
        self.form.rows["lr_max"].add_below(self.find_rate)
        self.base_part = titled("Start from", self.start_from)
        self.model_part = titled("Size of the model", self.model_form)
        self.inside = QWidget()
        column = QVBoxLayout(self.inside)
        column.setContentsMargins(0, 0, theme.MEDIUM, 0)
        column.addWidget(self.base_part)
        column.addWidget(titled("Settings", self.form, self.balance))
        column.addWidget(titled("Phases", self.summary, self.edit_phases))
        column.addWidget(self.model_part)
        column.addStretch(1)
        self.setWidget(self.inside)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(LEAST_WIDTH)
        self.setMaximumWidth(WIDTH)

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, super().sizeHint().height())

    @Slot()
    def close_phases(self) -> None:
        self.edit_phases.setChecked(False)


def phases_sentence(settings: StageSettings, groups: int) -> str:
    """What decides on the phases, and how many there are."""
    planned = planned_phases(settings, groups)
    phases, epochs = counted(len(planned), "phase"), counted(sum(row.epochs for row in planned), "epoch")
    if settings.phases:
        return f"The table decides: {phases}, {epochs}. It replaces epochs, rate, schedule and unfreezing above."
    return f"The way of unfreezing above decides: {phases}, {epochs}. A table of your own can replace it."


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def first_trained(project: Project) -> str:
    """The step that makes the model, and so decides on its size; none where a finished model is the base."""
    if project.recipe.base != SCRATCH:
        return ""
    return next((step for step in TRAINED if not project.skip_reason(step)), "")


def titled(title: str, *parts: QWidget) -> QWidget:
    whole = QWidget()
    heading = QLabel(title)
    heading.setProperty("role", "subheading")
    column = QVBoxLayout(whole)
    column.setContentsMargins(0, 0, 0, theme.MEDIUM)
    column.setSpacing(theme.MEDIUM)
    for part in (heading, *parts):
        column.addWidget(part)
    return whole
