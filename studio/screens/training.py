"""The screen of a training step: settings on the left, curves, progress and epochs on the right.

Pretraining, fine-tuning and classifying share it; they differ in step, title and explanation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from studio import theme
from studio.screens.epochs import EpochsTable, SampleTexts
from studio.screens.screen import Screen
from studio.session import Session
from studio.widgets import schedule_preview
from studio.widgets.card import card
from studio.widgets.form import Form, extra
from studio.widgets.live_plot import LivePlot
from studio.widgets.run_bar import RunBar
from ulmfit_core import events
from ulmfit_core.config import ModelSettings, Recipe
from ulmfit_core.project import Project, RunInfo

SETTINGS_WIDTH = 330
# What a newcomer may want to turn; all else is under Advanced, as is what its declaration calls advanced.
FIRST = (
    "epochs", "lr_max", "drop_mult", "schedule", "unfreezing", "layer_factor", "batch_size", "bptt", "enabled",
)  # fmt: skip
NEXT = {"pretrain": "Fine-tune", "finetune": "Classify", "classify": "Evaluate"}


class TrainingScreen(Screen):
    """Watches the newest run of its step, or shows the schedule that the settings would lead to."""

    def __init__(self, session: Session):
        super().__init__(session)
        self._shown: Path | None = None  # the run whose curves are drawn
        self._previewing = False
        self._make_parts()
        self._lay_out_parts()
        session.event.connect(self._hear)
        session.run_started.connect(self._begin)
        session.run_ended.connect(self._end)

    # Following the project

    def refresh(self) -> None:
        project = self.session.project
        if project is None:
            return
        self._show_settings(project)
        run = self.newest_run(project)
        if self.running or (run and not self._previewing):
            self._show_run(run.folder if run else None)
        else:
            self._show_coming(project)
        self.last_run.setVisible(bool(run) and self._previewing)
        self.bar.refresh()

    @property
    def running(self) -> bool:
        return self.session.job == self.step

    def newest_run(self, project: Project) -> RunInfo | None:
        runs = [run for run in project.runs() if run.job == self.step]
        return runs[-1] if runs else None

    def _show_settings(self, project: Project) -> None:
        self.form.set_model(getattr(project.recipe, self.step))
        self.model_form.set_model(project.recipe.model)
        self.model_part.setVisible(first_trained(project) == self.step)
        self.settings.setEnabled(not self.running)

    def _show_run(self, folder: Path | None) -> None:
        if folder and folder != self._shown:
            self._shown = folder
            self.plot.show_run(folder)
        self._show_epochs()

    def _show_coming(self, project: Project) -> None:
        self._shown = None
        self._show_epochs()
        skipped = project.skip_reason(self.step)
        if skipped:
            self.plot.clear()
            self.plot.say(f"This step is not part of the recipe.\n{skipped}")
        else:
            plan = schedule_preview.coming_plan(project.recipe, self.step)
            self.plot.show_plan(plan, schedule_preview.STEPS_PER_EPOCH)

    def _show_epochs(self) -> None:
        told = events.read_events(self._shown / "events.jsonl") if self._shown else []
        self.epochs.show_events(told)
        self.samples.show_events(told)

    # Following the run

    @Slot(str, object)
    def _begin(self, job: str, folder: Path) -> None:
        if job == self.step:
            self._previewing = False
            self._shown = None
            self.clear_message()
            self._show_run(folder)

    @Slot(object)
    def _hear(self, event: events.Event) -> None:
        if not self.running:
            return
        if isinstance(event, events.EpochEnded | events.SampleText):
            self._show_epochs()
        elif isinstance(event, events.Message):
            self.show_message(event.text, event.level)

    @Slot(str, object)
    def _end(self, job: str, ended: events.Ended) -> None:
        if job != self.step:
            return
        self.plot.reread()
        if ended.status == "done":
            early = " early, with the best result so far" if ended.finished_early else ""
            self.show_message(f"The training finished{early}. Next comes “{NEXT[job]}”.")
        elif ended.status == "failed":
            self.show_message(ended.reason, "error")

    # What a person does

    @Slot(str, object)
    def _change(self, name: str, value: Any) -> None:
        self._previewing = True
        self.session.change(f"{self.step}.{name}", value)

    @Slot(str, object)
    def _change_model(self, name: str, value: Any) -> None:
        self._previewing = True
        self.session.change(f"model.{name}", value)

    @Slot()
    def _show_last_run(self) -> None:
        self._previewing = False
        self.refresh()

    # Making it

    def _make_parts(self) -> None:
        blank = getattr(Recipe(), self.step)
        fields = type(blank).model_fields
        self.form = Form(blank, [name for name in FIRST if not extra(fields[name], "advanced")])
        self.model_form = Form(ModelSettings())
        self.plot = LivePlot()
        self.bar = RunBar(self.session, self.step)
        self.epochs = EpochsTable()
        self.samples = SampleTexts()
        self.samples.setVisible(self.step != "classify")
        self.last_run = QPushButton("Show the &last run")
        self.last_run.setToolTip("Back from the coming schedule to the curves of the last run.")
        self.form.changed.connect(self._change)
        self.model_form.changed.connect(self._change_model)
        self.last_run.clicked.connect(self._show_last_run)

    def _lay_out_parts(self) -> None:
        right = QVBoxLayout()
        right.setSpacing(theme.MEDIUM)
        plots = card("", "", self.plot, self.last_run)
        plots.layout().setStretchFactor(self.plot, 1)  # type: ignore[union-attr]
        plots.layout().setAlignment(self.last_run, Qt.AlignmentFlag.AlignRight)  # type: ignore[union-attr]
        right.addWidget(plots, 5)
        right.addWidget(self.bar)
        below = QHBoxLayout()
        below.addWidget(self.epochs, 8)
        below.addWidget(self.samples, 3)
        right.addLayout(below, 2)
        across = QHBoxLayout()
        across.setSpacing(theme.LARGE)
        across.addWidget(self._settings_column())
        across.addLayout(right, 1)
        self.body.addLayout(across, 1)

    def _settings_column(self) -> QWidget:
        self.model_part = titled("Size of the model", self.model_form)
        self.settings = QWidget()
        column = QVBoxLayout(self.settings)
        column.setContentsMargins(0, 0, theme.MEDIUM, 0)
        column.addWidget(titled("Settings", self.form))
        column.addWidget(self.model_part)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidget(self.settings)
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it follows the focus of what is in it
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFixedWidth(SETTINGS_WIDTH)
        return area


class PretrainScreen(TrainingScreen):
    step = "pretrain"
    title = "Pretrain"
    explanation = "The language model learns the language at large: it reads general text and predicts each next word."


class FinetuneScreen(TrainingScreen):
    step = "finetune"
    title = "Fine-tune"
    explanation = "The language model learns how your texts are written. After each epoch it writes a few words."


class ClassifyScreen(TrainingScreen):
    step = "classify"
    title = "Classify"
    explanation = "The classifier learns your labels on top of the language model, layer by layer from the top."


def first_trained(project: Project) -> str:
    """The step that makes the model, and so decides on its size; none where a finished model is the base."""
    if project.recipe.base != "none":
        return ""
    return next((step for step in NEXT if not project.skip_reason(step)), "")


def titled(title: str, part: QWidget) -> QWidget:
    whole = QWidget()
    heading = QLabel(title)
    heading.setProperty("role", "subheading")
    column = QVBoxLayout(whole)
    column.setContentsMargins(0, 0, 0, theme.MEDIUM)
    column.setSpacing(theme.MEDIUM)
    column.addWidget(heading)
    column.addWidget(part)
    return whole
