"""The screen of a training step: settings on the left, curves, progress and epochs on the right.

Pretraining, fine-tuning and classifying share it; they differ in step, title and explanation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from studio import theme
from studio.screens.insight import InsightTabs
from studio.screens.screen import Screen
from studio.screens.stage_settings import StageSettingsColumn
from studio.session import Session
from studio.standing import standing_of_training
from studio.widgets import schedule_preview
from studio.widgets.card import card
from studio.widgets.live_plot import LivePlot
from studio.widgets.phases import PhaseTable
from studio.widgets.rate_finder import RateFinder
from studio.widgets.room import Room
from studio.widgets.run_bar import RunBar
from ulmfit_core import events
from ulmfit_core.config import StageSettings, rate_text
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project, RunInfo

PLOT_SHARE, EPOCHS_SHARE, PHASES_SHARE = 5, 2, 5  # of the height
NEWS_MILLISECONDS = 200
# What changes the tabs below the plots.
HEARD = events.EpochEnded | events.SampleText | events.WatchedScores | events.GeneralLoss
STALE = "These results are of earlier settings or texts; the model that they made is out of date. Start trains anew."
NEXT = {"pretrain": "Fine-tune", "finetune": "Classify", "classify": "Evaluate"}


class TrainingScreen(Screen):
    """Watches the newest run of its step, or shows the schedule that the settings would lead to."""

    def __init__(self, session: Session):
        super().__init__(session)
        self._shown: Path | None = None  # the run whose curves are drawn
        self._previewing = False
        self._news = QTimer(self, singleShot=True, interval=NEWS_MILLISECONDS)
        self._news.timeout.connect(self._show_epochs)
        self._make_parts()
        self._lay_out_parts()
        self._share_place()
        session.event.connect(self._hear)
        session.run_started.connect(self._begin)
        session.run_ended.connect(self._end)

    # Following the project

    def refresh(self) -> None:
        project = self.session.project
        if project is None:
            return
        self._show_settings(project)
        self.insight.refresh(may_change=not self.running and not project.read_only)
        run = self.newest_run(project)
        if self.running or (run and not self._previewing):
            self._show_run(run.folder if run else None)
        else:
            self._show_coming(project)
        self.last_run.setVisible(bool(run) and self._previewing)
        shown = None if self.running or self._previewing else run
        self._show_stale(shown is not None and shown.fingerprint != project.fingerprint(self.step))
        self.bar.refresh()

    def tells_of(self, job: str) -> bool:
        return super().tells_of(job) or self.finder.told(job)

    @property
    def running(self) -> bool:
        return self.session.job == self.step

    def newest_run(self, project: Project) -> RunInfo | None:
        return next(project.runs_of(self.step), None)

    def _show_settings(self, project: Project) -> None:
        settings = project.settings_of(self.step)
        self.column.show_for(project)
        self.settings.setEnabled(not self.running)
        self.phases.set_settings(settings, schedule_preview.groups_of(project.recipe, self.step))
        self.finder.curve.show_rate(settings.lr_max)

    def _show_stale(self, stale: bool) -> None:
        """Grey results that other settings or texts than today's led to, and say so in the explanation's place."""
        self.sentence.setText(STALE if stale else self.explanation)
        if stale:
            self.clear_message()
        self.plot.show_stale(stale)
        self.epochs.show_stale(stale)

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
            return
        try:
            plan = schedule_preview.coming_plan(
                project.recipe, self.step, settings=project.settings_of(self.step)
            )
        except UserError as error:
            self.plot.clear()
            self.plot.say(str(error))
        else:
            self.plot.show_plan(plan, schedule_preview.STEPS_PER_EPOCH)

    @Slot()
    def _show_epochs(self) -> None:
        told = events.read_events(self._shown / "events.jsonl") if self._shown else []
        self.insight.show_events(told)

    # Following the run

    @Slot(str, object)
    def _begin(self, job: str, folder: Path) -> None:
        if job == self.step:
            self._previewing = False
            self._shown = None
            self.clear_message()
            self.column.close_phases()
            self.pages.setCurrentWidget(self.training)
            self._show_run(folder)

    @Slot(object)
    def _hear(self, event: events.Event) -> None:
        if not self.running:
            return
        if isinstance(event, HEARD):
            if not self._news.isActive():  # an epoch ends with several of them, and short epochs follow fast
                self._news.start()
        elif isinstance(event, events.Message):
            self.show_message(event.text, event.level)

    @Slot(str, object)
    def _end(self, job: str, ended: events.Ended) -> None:
        if job != self.step:
            return
        self.plot.reread()
        self._show_epochs()
        self._scroll_up()
        if ended.status == "done":
            early = " early, with the best result so far" if ended.finished_early else ""
            told = [f"The training finished{early}.", standing_of_training(ended.report), self.insight.verdict.hint()]
            self.show_message(" ".join(filter(None, [*told, f"Next comes “{NEXT[job]}”."])))
        elif ended.status == "failed":
            self.show_message(ended.reason, "error")

    def _scroll_up(self) -> None:
        """So that what came of a training is seen."""
        room = self.findChild(Room)
        assert room is not None
        room.verticalScrollBar().setValue(0)

    # Messages, in the place of the explanation

    def show_message(self, text: str, level: str = "info", action: str = "") -> None:
        super().show_message(text, level, action)
        self.head.setCurrentWidget(self.notice)

    @Slot()
    def clear_message(self) -> None:
        super().clear_message()
        self.head.setCurrentWidget(self.sentence)

    def _share_place(self) -> None:
        """Explanation and messages take turns in one place: nothing below moves when one appears."""
        around = self.sentence.parentWidget()
        assert around is not None
        layout = around.layout()
        assert isinstance(layout, QVBoxLayout)
        place = layout.indexOf(self.sentence)
        self.head = QStackedWidget()
        self.head.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        for part in (self.sentence, self.notice):
            layout.removeWidget(part)
            self.head.addWidget(part)
        layout.insertWidget(place, self.head)
        self.sentence.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.notice.dismissed.connect(self.clear_message)

    # What a person does

    @Slot(str, object)
    def _change(self, key: str, value: Any) -> bool:
        """What was said of the last run does not hold for the next one. False where the value could not be kept."""
        self._previewing = True
        self.clear_message()
        return self.session.change(key, value)

    @Slot(str, object)
    def _change_setting(self, name: str, value: Any) -> None:
        self._change(f"{self.step}.{name}", value)

    @Slot(bool)
    def _show_phases(self, shown: bool) -> None:
        """The table takes the place of the epochs; the schedule that it leads to stands above it."""
        self.below.setCurrentIndex(1 if shown else 0)
        self.plot.show_loss(not shown)
        self.right.setStretchFactor(self.below, PHASES_SHARE if shown else EPOCHS_SHARE)
        if shown:
            self.pages.setCurrentWidget(self.training)
            self._previewing = not self.running
            self.refresh()

    @Slot()
    def _show_finder(self) -> None:
        self.column.close_phases()
        self.pages.setCurrentWidget(self.finder)
        self.finder.start.setFocus()

    @Slot()
    def _show_training(self) -> None:
        self.pages.setCurrentWidget(self.training)
        self.column.find_rate.setFocus()

    @Slot(float, int)
    def _take_rate(self, rate: float, groups: int) -> None:
        """Write a found rate where it counts: into the settings, or into the phases that train what was searched."""
        project = self.session.project
        assert project is not None
        settings: StageSettings = getattr(project.recipe, self.step)
        if settings.phases:
            self._take_rate_into_phases(settings, rate, groups)
            return
        before = settings.lr_max
        if self._change(f"{self.step}.lr_max", rate):
            self.finder.say(f"The highest learning rate is now {rate_text(rate)}; before it was {rate_text(before)}.")

    def _take_rate_into_phases(self, settings: StageSettings, rate: float, groups: int) -> None:
        rows = list(settings.phases)
        meant = [number for number, row in enumerate(rows) if (row.groups == 1) == (groups == 1)]
        if not meant:
            self.finder.say("No phase of the table trains what was searched. Set the rate in the table of phases.")
            return
        for number in meant:
            rows[number] = rows[number].model_copy(update={"lr_max": rate})
        phases = ", ".join(str(number + 1) for number in meant)
        if self._change(f"{self.step}.phases", rows):
            self.finder.say(f"The highest learning rate is now {rate_text(rate)} in the table of phases: {phases}.")

    @Slot()
    def show_last_run(self) -> None:
        self._previewing = False
        self.refresh()

    # Making it

    def _make_parts(self) -> None:
        self.column = StageSettingsColumn(self.session, self.step)
        self.settings, self.form, self.model_part = self.column.inside, self.column.form, self.column.model_part
        self.plot = LivePlot()
        self.bar = RunBar(self.session, self.step)
        self.insight = InsightTabs(self.session, self.step)
        self.epochs = self.insight.epochs
        self.phases = PhaseTable()
        self.finder = RateFinder(self.session, self.step)
        self.last_run = QPushButton("Show the &last run")
        self.last_run.setToolTip("Back from the coming schedule to the curves of the last run.")
        self._connect_parts()

    def _connect_parts(self) -> None:
        self.column.changed.connect(self._change)
        self.column.phases_wanted.connect(self._show_phases)
        self.column.rate_wanted.connect(self._show_finder)
        self.phases.changed.connect(self._change_setting)
        self.insight.verdict.turned.connect(self._change_setting)
        self.phases.closed.connect(self.column.close_phases)
        self.finder.picked.connect(self._take_rate)
        self.finder.closed.connect(self._show_training)
        self.last_run.clicked.connect(self.show_last_run)

    def _lay_out_parts(self) -> None:
        self.training = QWidget()
        self.right = QVBoxLayout(self.training)
        self.right.setContentsMargins(0, 0, 0, 0)
        self.right.setSpacing(theme.MEDIUM)
        plots = card("", "", self.plot, self.last_run)
        plots.layout().setStretchFactor(self.plot, 1)  # type: ignore[union-attr]
        plots.layout().setAlignment(self.last_run, Qt.AlignmentFlag.AlignRight)  # type: ignore[union-attr]
        self.right.addWidget(plots, PLOT_SHARE)
        self.right.addWidget(self.bar)
        self.right.addWidget(self._below(), EPOCHS_SHARE)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.training)
        self.pages.addWidget(self.finder)
        across = QHBoxLayout()
        across.setSpacing(theme.LARGE)
        across.addWidget(self.column)
        across.addWidget(self.pages, 1)
        self.body.addLayout(across, 1)

    def _below(self) -> QWidget:
        """What the training tells; or the table of phases."""
        self.below = QStackedWidget()
        self.below.addWidget(self.insight)
        self.below.addWidget(self.phases)
        return self.below


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
