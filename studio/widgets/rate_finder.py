"""Finding a learning rate: start the search, watch the loss as the rate grows, and take one of its suggestions."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from studio import theme
from studio.session import Session
from studio.widgets.card import card, line
from studio.widgets.controls import ChoiceBox
from studio.widgets.rate_curve import SUGGESTIONS, RateCurve
from studio.widgets.run_bar import button
from ulmfit_core import catalog, events
from ulmfit_core.config import rate_text
from ulmfit_core.errors import UserError
from ulmfit_core.events import Ended
from ulmfit_core.project import TITLES, Project, RunInfo
from ulmfit_core.run_settings import changes, keys_of, recipe_of, steps_to

JOB = "find_lr"
REDRAW_MILLISECONDS = 250
LAST, EVERY = 1, 0  # layer groups that the search trains, as the job counts them
ABOUT = (
    "The rate grows from step to step while the loss is watched; then everything is put back as it was. "
    "A good rate lies where the loss falls, well before it turns up."
)
# What the search trains, in the words of its choice and in a sentence below it.
GROUPS = {LAST: "Only the last layer group", EVERY: "All layers"}
TRAINED = {
    LAST: "The last layer group alone learns during the search, as in the first phase of a gradual unfreezing.",
    EVERY: "All layers learn during the search, as in the last phase of a training.",
}
# Settings of a stage that no search depends on.
APART = (
    "lr_max", "epochs", "schedule", "phases", "patience", "keep_best_by", "blend", "checkpoint_seconds", "device",
    "threads",
)  # fmt: skip
STOPPED = "Stopped. Nothing was changed."
CLICK = "Click the curve to take any other rate; or go along it with the arrow keys and press Enter."


class RateFinder(QWidget):
    """`picked(rate, groups)` when a rate is chosen that was found with so many layer groups; `closed` to go back."""

    picked = Signal(float, int)
    closed = Signal()

    def __init__(self, session: Session, step: str):
        super().__init__()
        self.session, self.step = session, step
        self.folder: Path | None = None  # of the search whose curve is shown
        self.report: dict[str, Any] = {}
        self._asked = False  # whether the run that starts now is the one asked for here
        self._failure = ""  # why the last search in this window has no result
        self._make_parts()
        self._lay_out()
        self._timer = QTimer(self)
        self._timer.setInterval(REDRAW_MILLISECONDS)
        self._timer.timeout.connect(self.reread)
        session.run_started.connect(self._begin)
        session.run_ended.connect(self._end)
        session.project_changed.connect(self._refresh_if_shown)

    @property
    def running(self) -> bool:
        return self.session.job == JOB and self.folder is not None and self.session.run_folder == self.folder

    # What a person does

    @Slot()
    def search(self) -> None:
        self._asked = True
        self.session.start(JOB, stage=self.step, groups=self.groups.read())
        self._asked = False

    @Slot()
    def stop(self) -> None:
        self.status.setText("Stopping …")
        self.session.stop()

    @Slot(float)
    def pick(self, rate: float) -> None:
        """Take a rate, to two digits: a search is no more exact than that."""
        self.picked.emit(float(f"{rate:.2g}"), int(self.report.get("groups", self.groups.read())))

    def say(self, sentence: str) -> None:
        self.outcome.setText(sentence)

    def told(self, job: str) -> bool:
        """Whether the job is the search that is shown here."""
        return job == JOB and self.isVisible() and self.folder == self.session.run_folder

    # Following the session

    @Slot()
    def _refresh_if_shown(self) -> None:
        if self.isVisible():
            self.refresh()

    def refresh(self) -> None:
        """Which buttons may be pressed, and why not; the newest search of this step if none is shown."""
        project = self.session.project
        if project is None:
            return
        if self.folder is None:
            found = newest_search(project, self.step)
            if found:
                self._show(found[0].folder, found[1])
        reason = self._obstacle(project)
        had_focus = self.start.hasFocus() or self.stop_button.hasFocus()
        self.start.setEnabled(not reason and not self.running)
        self.stop_button.setVisible(self.running)
        self.groups.setEnabled(not self.running)
        self.trained.setText(TRAINED[self.groups.read()])
        self._show_age(project)
        if had_focus:
            (self.stop_button if self.running else self.start).setFocus()
        if not self.running:
            self.status.setText(reason or self._sentence())

    def _obstacle(self, project: Project) -> str:
        """Why a search cannot start now, or an empty string."""
        if self.running:
            return ""
        if self.session.job:
            return f"“{catalog.JOBS[self.session.job].title}” is at work. A search can start when it is done."
        return project.skip_reason(self.step) or project.waits_for(self.step)

    def _sentence(self) -> str:
        if self._failure:
            return self._failure
        return "" if self.report else "Ready to search. It takes about a hundred steps of the training."

    @Slot(str, object)
    def _begin(self, job: str, folder: Path) -> None:
        if self._asked:
            self._failure = ""
            self._show(folder, {})
            self._timer.start()
            self.status.setText("Getting ready …")
            self.refresh()

    @Slot(str, object)
    def _end(self, job: str, ended: Ended) -> None:
        if job != JOB or self.folder is None or self.session.run_folder != self.folder:
            return
        self._timer.stop()
        self.reread()
        self._show_report(ended.report)
        self._failure = {"done": "", "stopped": STOPPED}.get(ended.status, ended.reason)
        if self._failure and not self._count:
            self.folder = None
        self.say(CLICK)
        self.refresh()

    # Showing a search

    def _show(self, folder: Path | None, report: dict[str, Any]) -> None:
        self.folder = folder
        self.curve.show_search(folder, report)
        self._show_report(report)

    @Slot()
    def reread(self) -> None:
        self.curve.reread()
        if self.running and self._count:
            rate, loss = (self.curve.steps[name][-1] for name in ("lr", "loss"))
            self.status.setText(f"Step {self._count:,}   ·   rate {rate_text(rate)}   ·   loss {loss:.3f}")

    @property
    def _count(self) -> int:
        return len(self.curve.steps.values)

    def _show_report(self, report: dict[str, Any]) -> None:
        self.report = report
        self.curve.show_report(report)
        found = self.curve.found
        for name, take in self.takes.items():
            take.setText(f"Take {rate_text(found[name])}" if name in found else "None found")
            take.setEnabled(name in found)
            self._accent(take, name == report.get("advised"))
        self.choices.setVisible(bool(report))
        self.advice.setText(str(report.get("advice") or ""))

    def _show_age(self, project: Project) -> None:
        """Say of a search that it was made with other texts or settings, and advise nothing by it."""
        changed = changed_since(project, self.step, self.folder) if self.folder and self.report else ""
        self.age.setText(f"Made before {changed}: search again." if changed else "")
        self.age.setVisible(bool(changed))
        self.curve.show_stale(bool(changed))
        self.advice.setVisible(not changed)
        for name, take in self.takes.items():
            self._accent(take, not changed and name == self.report.get("advised"))
        self._accent(self.start, bool(changed) or not self.report)

    @staticmethod
    def _accent(part: QPushButton, accented: bool) -> None:
        if part.property("primary") != accented:
            part.setProperty("primary", accented)
            part.style().polish(part)

    @Slot(object)
    def _say_trained(self, groups: int) -> None:
        self.trained.setText(TRAINED[groups])

    # Making it

    def _make_parts(self) -> None:
        self.groups = ChoiceBox(GROUPS, GROUPS)
        self.groups.write(EVERY if self.step == "pretrain" else LAST)  # a fresh model has nothing to be kept frozen
        self.groups.setAccessibleName("What the search trains")
        self.groups.setToolTip("The last group alone is what a gradual unfreezing begins with.")
        self.groups.chosen.connect(self._say_trained)
        self.trained, self.age = line("", "muted"), line("", "muted")
        self.start = button("&Search", "Start the search with the settings shown.", self.search)
        self.start.setProperty("primary", True)
        self.stop_button = button("S&top", "Stop the search; nothing is changed by it.", self.stop)
        self.back = button("Bac&k to the training", "Show the training's curves again.", self.closed.emit)
        self.status, self.outcome = line("", "muted"), line(CLICK, "muted")
        self.advice = line()
        self.curve = RateCurve()
        self.curve.plot.setCursor(Qt.CursorShape.CrossCursor)
        self.curve.plot.setToolTip(CLICK)
        self.curve.clicked.connect(self.pick)
        self.takes = {name: self._take_button(name) for name in SUGGESTIONS}

    def _take_button(self, name: str) -> QPushButton:
        title, meaning = SUGGESTIONS[name]
        made = button("", f"{title}: {meaning}", partial(self._take, name))
        made.setAccessibleName(f"Take the suggestion {title}")
        return made

    def _take(self, name: str, checked: bool = False) -> None:
        self.pick(self.report["suggestions"][name])

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(line("Find a learning rate", "subheading"), 1)
        top.addWidget(self.back)
        controls = QHBoxLayout()
        for each in (self.groups, self.start, self.stop_button):
            controls.addWidget(each)
        controls.addSpacing(theme.SMALL)
        controls.addWidget(self.status, 1)
        curve = card("", "", self.curve)
        curve.layout().setStretchFactor(self.curve, 1)  # type: ignore[union-attr]
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, theme.SMALL, 0)
        column.setSpacing(theme.SMALL)
        column.addLayout(top)
        column.addWidget(line(ABOUT, "muted"))
        column.addLayout(controls)
        column.addWidget(self.trained)
        column.addWidget(curve, 1)
        column.addWidget(self._choices())
        scrolling = QScrollArea(widgetResizable=True)  # in a low window, so that no sentence is cut off
        scrolling.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scrolling.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scrolling.setWidget(inside)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scrolling)

    def _choices(self) -> QWidget:
        self.choices = QWidget()
        grid = QGridLayout(self.choices)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(theme.MEDIUM)
        grid.addWidget(self.age, 0, 0, 1, 3)
        grid.addWidget(self.advice, 0, 0, 1, 3)
        for row, (name, (_, meaning)) in enumerate(SUGGESTIONS.items(), 1):
            grid.addWidget(self.takes[name], row, 0)
            grid.addWidget(self.curve.titles[name], row, 1)
            grid.addWidget(line(meaning), row, 2)
        grid.addWidget(self.outcome, len(SUGGESTIONS) + 1, 0, 1, 3)
        grid.setColumnStretch(2, 1)
        self.choices.hide()
        return self.choices

    # Hidden plots rest

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()
        self.reread()
        if self.running:
            self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()


def newest_search(project: Project, step: str) -> tuple[RunInfo, dict[str, Any]] | None:
    """The newest finished search of a step, with its report."""
    for run in project.runs_of(JOB):
        if run.status == "done":
            report = _report(run)
            if report.get("stage") == step:
                return run, report
    return None


def changed_since(project: Project, step: str, folder: Path) -> str:
    """What a search depends on and was changed after it, in words; empty where it still holds."""
    try:
        searched = recipe_of(folder)
    except UserError:
        return "this version of the program"
    keys = [key for key in keys_of(project.recipe, step) if key not in {f"{step}.{name}" for name in APART}]
    sections = {change.key.partition(".")[0] for change in changes([searched, project.recipe], keys)}
    if "data" in sections:
        return "the texts were changed"
    if sections:
        return "the settings were changed"
    for name in steps_to(project, step)[:-1]:
        done = next((run for run in project.runs_of(name) if run.status == "done"), None)
        if done and done.id > folder.name:
            return f"“{TITLES[name]}” was run again"
    return ""


def _report(run: RunInfo) -> dict[str, Any]:
    told = events.read_events(run.folder / "events.jsonl")
    return told[-1].report if told and isinstance(told[-1], Ended) else {}
