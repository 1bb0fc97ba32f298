"""The Runs screen: everything that was ever run in this project, with its settings, epochs, texts and curves."""

from __future__ import annotations

import datetime
import tomllib
from dataclasses import dataclass
from typing import Any

import tomlkit
from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMessageBox, QPlainTextEdit, QPushButton, QSplitter, QTabWidget

from studio import theme
from studio.ask import confirmed
from studio.screens.screen import Screen
from studio.session import Session
from studio.widgets.live_plot import LivePlot
from studio.widgets.rate_curve import RateCurve, suggestions_text
from studio.widgets.table import Table
from ulmfit_core import catalog, events, project
from ulmfit_core.events import Ended, EpochEnded, Event, SampleText
from ulmfit_core.project import RunInfo

HEADERS = ["Job", "Started", "Status", "Time", "Best result"]
NOTHING = "Every import, build and training leaves a row here. There is none yet."
# The metrics worth a place in the table, the best first, and whether more is better.
METRICS = {"accuracy": True, "macro_f1": True, "perplexity": False, "valid_loss": False}


@dataclass(frozen=True)
class Story:
    """A run with all that its log tells."""

    info: RunInfo
    events: list[Event]

    @property
    def epochs(self) -> list[EpochEnded]:
        return [event for event in self.events if isinstance(event, EpochEnded)]

    @property
    def stepped(self) -> bool:
        """Whether it wrote a step, and so has a curve."""
        return (self.info.folder / "steps.f32").exists()

    @property
    def searched(self) -> bool:
        """Whether it is a search for a learning rate."""
        return self.info.job == "find_lr"

    @property
    def report(self) -> dict[str, Any]:
        return next((event.report for event in reversed(self.events) if isinstance(event, Ended)), {})


class RunsScreen(Screen):
    title = "Runs"
    explanation = "All runs of this project, the newest first. Choose one to see its settings, figures and curves."

    def __init__(self, session: Session):
        super().__init__(session)
        self.stories: list[Story] = []
        self.shown: RunInfo | None = None
        self.nothing = QLabel(NOTHING)
        self.table = Table("Runs")
        self.curves = LivePlot()
        self.search = RateCurve()
        self.epochs = Table("Epochs of the chosen run")
        self.texts = Table("Texts that the language model wrote")
        self.settings = QPlainTextEdit()
        self.delete = QPushButton("&Delete this run…")
        self.tabs = QTabWidget()
        self._fill_body()
        self.table.itemSelectionChanged.connect(self._show_chosen)
        self.delete.clicked.connect(self._delete)

    def refresh(self) -> None:
        assert self.session.project is not None
        chosen = self.shown
        self.stories = [_story(run) for run in reversed(self.session.project.runs())]
        self.table.blockSignals(True)
        self.table.set_rows(HEADERS, [self._row(story) for story in self.stories])
        self.table.blockSignals(False)
        self._show_whether_any()
        ids = [story.info.id for story in self.stories]
        if ids:
            self.table.selectRow(ids.index(chosen.id) if chosen and chosen.id in ids else 0)

    # Building

    def _fill_body(self) -> None:
        self.settings.setReadOnly(True)
        self.settings.setAccessibleName("Settings of the chosen run")
        self.curves.setContentsMargins(*[theme.MEDIUM] * 4)
        self.table.setSelectionMode(Table.SelectionMode.SingleSelection)
        self.delete.setToolTip("Remove the folder of this run with its logs and checkpoint. Models are kept.")
        self.search.setContentsMargins(*[theme.MEDIUM] * 4)
        self.tabs.addTab(self.curves, "Curves")
        self.tabs.addTab(self.search, "Curve")
        self.tabs.addTab(self.epochs, "Epochs")
        self.tabs.addTab(self.texts, "Texts")
        self.tabs.addTab(self.settings, "Settings")
        self.tabs.tabBar().setAccessibleName("What to see of the chosen run")
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.addWidget(self.table)
        self.split.addWidget(self.tabs)
        self.split.setSizes([220, 380])
        self.split.setChildrenCollapsible(False)
        self.body.addWidget(self.nothing)
        self.body.addWidget(self.split, 1)
        buttons = QHBoxLayout()
        buttons.addStretch()
        buttons.addWidget(self.delete)
        self.body.addLayout(buttons)
        self.body.addStretch(0)

    def _show_whether_any(self) -> None:
        self.nothing.setVisible(not self.stories)
        self.split.setVisible(bool(self.stories))
        self.delete.setVisible(bool(self.stories))

    # One run

    def _row(self, story: Story) -> list[str]:
        return [
            job_title(story.info.job),
            story.info.created.replace("T", "  "),
            self._status(story.info),
            duration(story.events),
            best_result(story.epochs) or measured(story.report) or suggested(story.report),
        ]

    def _status(self, run: RunInfo) -> str:
        if self._at_work(run):
            return "running"
        return f"{run.status}: {run.reason}" if run.status == "failed" else run.status

    def _at_work(self, run: RunInfo) -> bool:
        return bool(self.session.job) and run.folder == self.session.run_folder

    @Slot()
    def _show_chosen(self) -> None:
        row = self.table.currentRow()
        if not 0 <= row < len(self.stories):
            return
        story = self.stories[row]
        self.delete.setEnabled(not self._at_work(story.info))
        headers, rows = epoch_table(story.epochs)
        self.epochs.set_rows(headers, rows)
        samples = [event for event in story.events if isinstance(event, SampleText)]
        self.texts.set_rows(["Epoch", "Text"], [[event.epoch + 1, event.prompt + event.text] for event in samples])
        self.settings.setPlainText(settings_of(story))
        if self.shown is None or self.shown.id != story.info.id:
            self._show_curves(story)
        self.shown = story.info
        self._show_tabs(story, bool(samples))

    def _show_curves(self, story: Story) -> None:
        self.curves.clear()
        if story.searched:
            self.search.show_search(story.info.folder, story.report)
        elif story.stepped:
            self.curves.show_run(story.info.folder)

    def _show_tabs(self, story: Story, wrote: bool) -> None:
        """An import has no curves: its settings are what there is to see."""
        trained = bool(story.epochs) or (story.stepped and not story.searched)
        before = [self.tabs.isTabVisible(self.tabs.indexOf(page)) for page in (self.curves, self.search)]
        now = [trained, story.searched]
        for page, shown in zip((self.curves, self.search, self.epochs, self.texts), (*now, trained, wrote)):
            self.tabs.setTabVisible(self.tabs.indexOf(page), shown)
        if any(now) and now != before:
            self.tabs.setCurrentWidget(self.search if story.searched else self.curves)

    @Slot()
    def _delete(self) -> None:
        run, opened = self.shown, self.session.project
        if run is None or opened is None or not self._confirmed(run):
            return
        self.shown = None
        self.curves.clear()
        opened.delete_run(run)
        self.session.project_changed.emit()

    def _confirmed(self, run: RunInfo) -> bool:
        text = f"Delete the run “{job_title(run.job)}” of {run.created.replace('T', ', ')}?"
        more = "Its log, curves and checkpoint are removed for good, and its step counts as not done."
        role = QMessageBox.ButtonRole.DestructiveRole
        return confirmed(self, "Delete a run", text, more, yes="&Delete", no="&Keep it", role=role)


def _story(run: RunInfo) -> Story:
    return Story(run, events.read_events(run.folder / "events.jsonl"))


def job_title(job: str) -> str:
    return catalog.JOBS[job].title if job in catalog.JOBS else job


def duration(told: list[Event]) -> str:
    """From the first word of the log to the last one."""
    if len(told) < 2:
        return ""
    return str(datetime.timedelta(seconds=round(told[-1].at - told[0].at)))


def best_result(epochs: list[EpochEnded]) -> str:
    """The first of METRICS that was measured, at its best."""
    for name, more_is_better in METRICS.items():
        values = [epoch.metrics[name] for epoch in epochs if name in epoch.metrics]
        if values:
            best = max(values) if more_is_better else min(values)
            return f"{name.replace('_', ' ')} {best:.1%}" if more_is_better else f"{name.replace('_', ' ')} {best:.2f}"
    return ""


def measured(report: dict[str, Any]) -> str:
    """What an evaluation found."""
    return f"accuracy {report['accuracy']:.1%} on {report['rows']:,} rows" if "accuracy" in report else ""


def suggested(report: dict[str, Any]) -> str:
    """What a search for a learning rate found, and for which step."""
    if "stage" not in report:
        return ""
    found = {name: rate for name, rate in report["suggestions"].items() if rate}
    return f"{project.TITLES[report['stage']]}: {suggestions_text(found) or 'no suggestion'}"


def epoch_table(epochs: list[EpochEnded]) -> tuple[list[str], list[list[Any]]]:
    """A row an epoch, a column a metric; the best epoch is starred."""
    names = list(dict.fromkeys(name for epoch in epochs for name in epoch.metrics))
    headers = ["Epoch", *(name.replace("_", " ") for name in names), "Best"]
    return headers, [epoch_row(epoch, names) for epoch in epochs]


def epoch_row(epoch: EpochEnded, names: list[str]) -> list[Any]:
    return [epoch.epoch + 1, *(figure(epoch.metrics.get(name)) for name in names), "★" * epoch.best]


def figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def settings_of(story: Story) -> str:
    """The part of the recipe that this run used, as it stands in its config.toml."""
    run = story.info
    table = tomllib.loads((run.folder / "config.toml").read_text(encoding="utf-8"))["recipe"]
    section = {"import": "data", "find_lr": story.report.get("stage", "")}.get(run.job, run.job)
    parts = {section: table.get(section, {})}
    if section in project.BUNDLES:
        parts["model"] = table["model"]
    return f"# {run.folder}\n\n{tomlkit.dumps(parts)}"
