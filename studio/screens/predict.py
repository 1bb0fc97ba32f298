"""The Predict screen: a file is chosen, its text column is seen, and every row is answered into a new file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QTabWidget

from studio import theme
from studio.job_bar import JobBar
from studio.screens import draft
from studio.screens.predict_options import Options
from studio.screens.predict_summary import PredictSummary
from studio.screens.preview import PreviewPage
from studio.screens.reading import KNOBS, Look
from studio.screens.screen import DropScreen
from studio.session import Session
from studio.widgets import pace
from studio.worker import Background
from ulmfit_core import catalog, files
from ulmfit_core.config import DataSettings
from ulmfit_core.events import Ended, Event, Message, Progress
from ulmfit_core.jobs.unfinished import State, read_state

JOB = "predict"
READ = ("text", "label", "id_column", *KNOBS)  # what the job is told of how the file is read
NO_CLASSIFIER = "There is no classifier yet. Train one under “Classify”."
STOP_TIP = "Stop soon. All answers but those of the last seconds are kept, and it can go on from there later."
LEAST_SECONDS = 2.0  # a speed that was seen for less is chance
Looked = tuple[DataSettings, Look]
Asked = tuple[DataSettings, dict[str, Any]]


class PredictScreen(DropScreen):
    """What is chosen stays while the project is open; nothing of it is kept in the project."""

    title = "Predict"
    drop = "Let go to have this file answered."
    explanation = "Drop a file anywhere on this page: every row is answered, and the answers are saved as a new file."

    def __init__(self, session: Session):
        super().__init__(session)
        self.draft = DataSettings()
        self.look = Look()
        self._notes: list[str] = []  # what the job said
        self._asked: Asked | None = None  # of the job at work
        self._answered: Asked | None = None  # of the last one that was done
        self.options = Options()
        self.preview = PreviewPage()
        self.summary = PredictSummary()
        self.tabs = QTabWidget()
        self.bar = AnswerBar(session)
        self.anew = QPushButton("Start &anew")
        self._looking = Background(self)
        self._fill_body()
        self._connect()

    def refresh(self) -> None:
        self.options.set_settings(self.draft, self.look)
        self.preview.show_roles(self.draft)
        self._show_bar()

    def begin(self) -> None:
        """One begins by choosing a file."""
        if not self.draft.data:
            self.options.file.setFocus()

    def tells_of(self, job: str) -> bool:
        return job == JOB

    def _fill_body(self) -> None:
        self.preview.clear()
        self.tabs.addTab(self.preview, "Preview")
        self.tabs.addTab(self.summary, "Answers")
        self.tabs.tabBar().setAccessibleName("What to see of the file")
        self.anew.setToolTip("Drop the rows that are answered already and begin with the first one.")
        self.anew.hide()
        sides = QHBoxLayout()
        sides.setSpacing(theme.LARGE)
        sides.addWidget(self.options)
        sides.addWidget(self.tabs, 1)
        below = QHBoxLayout()
        below.setSpacing(theme.MEDIUM)
        below.addWidget(self.bar, 1)
        below.addWidget(self.anew)
        self.body.addLayout(sides, 1)
        self.body.addLayout(below)

    def _connect(self) -> None:
        self.options.changed.connect(self._change)
        self.options.place_changed.connect(self._show_bar)
        self.bar.wanted.connect(self._start)
        self.anew.clicked.connect(self._start_anew)
        self.session.event.connect(self._hear)
        self.session.run_ended.connect(self._follow_end)
        self._looking.answered.connect(self._show_look)
        self._looking.refused.connect(self._show_unreadable)

    # The file

    def take_files(self, paths: list[str]) -> None:
        self._change({"data": paths[0]})

    @Slot(dict)
    def _change(self, knobs: dict[str, Any]) -> None:
        """The person chose another file, or set how this one is read."""
        self.clear_message()
        if "data" in knobs:
            self._look_at(knobs["data"])
            return
        self.draft = self.draft.model_copy(update=knobs)
        if set(knobs) & set(KNOBS):
            settings = self.draft.model_copy(deep=True)
            self._looking.ask(lambda: look_again(settings))
        self.refresh()

    def _look_at(self, path: str) -> None:
        project = self.session.project
        self.draft, self.look = DataSettings(data=path), Look()
        self.options.set_columns([])
        self.options.propose(path)
        self.tabs.setCurrentWidget(self.preview)
        if path and project:
            data = project.recipe.data.model_copy(deep=True)
            self.preview.refuse(f"Reading {Path(path).name}…")
            self._looking.ask(lambda: look_first(files.at_home(path), data))
        else:
            self._looking.forget()
            self.preview.clear()
        self.refresh()

    @Slot(object)
    def _show_look(self, looked: Looked) -> None:
        self.draft, self.look = looked
        if self.look.preview:
            self.options.set_columns(self.look.preview.columns)
            self.preview.show_rows(self.look.preview)
            self._tell_guess()
        else:
            self.options.set_columns([])
            self.preview.refuse(f"{Path(self.draft.data).name} cannot be shown. The reason stands above.")
            self.show_message(self.look.refusal, "error")
        self.refresh()

    def _tell_guess(self) -> None:
        """That the project's text column is not there, and which one is taken for it."""
        project = self.session.project
        wanted = draft.by_name(project.recipe.data, self.look.preview.columns).text if project else []
        if wanted and self.draft.text != wanted and len(self.look.preview.columns) > 1:
            names, taken = (" and ".join(f"“{name}”" for name in names) for names in (wanted, self.draft.text))
            seems = f" The text seems to be in {taken}." if self.draft.text else ""
            self.show_message(f"This file has no column {names}.{seems} Tick the column that holds the text.", "info")

    @Slot(str)
    def _show_unreadable(self, reason: str) -> None:
        """Something else than the file was wrong."""
        self._show_look((self.draft, Look(refusal=reason)))

    # The job

    @Slot()
    def _show_bar(self) -> None:
        if self.session.job == JOB:
            self.anew.hide()
            return
        waiting, before = self._reason_to_wait(), self._unfinished()
        self.anew.setVisible(before is not None and not waiting)
        self.bar.start.setText("Go &on" if before else "&Start")
        self.bar.set_ready(not waiting, waiting or self._standing(before), self._is_answered())

    def _reason_to_wait(self) -> str:
        project, job = self.session.project, self.session.job
        if self.session.read_only:
            return "This window only reads the project."
        if project is None or not (project.bundle_folder("classify") / "model.json").exists():
            return NO_CLASSIFIER
        if job and job != JOB:
            return f"“{catalog.JOBS[job].title}” is at work. A file can be answered when it is done."
        if not self.draft.data:
            return "Choose a file first."
        if self._looking.busy:
            return "Waits until the file was looked at."
        if not self.look.preview:
            return "Waits until the file can be read."
        return self._problem_of_places() if self.draft.text else "Tick the column that holds the text."

    def _problem_of_places(self) -> str:
        out = self.options.options()["out"]
        if not self.options.out.path() or out.is_dir():
            return "Say where to save the answers."
        same = out.exists() and files.at_home(self.draft.data).samefile(out)
        return "Choose another name for the answers: this is the file to be read." if same else ""

    def _unfinished(self) -> State | None:
        """What a go that was stopped or killed left for this output."""
        path = self.options.out.path()
        return read_state(files.at_home(path)) if path and self.draft.data else None

    def _standing(self, before: State | None) -> str:
        out = self.options.options()["out"]
        if before:
            return f"{before.told.get('rows', 0):,} rows were answered before it was stopped."
        if self._is_answered():
            return f"Answered. Starting again replaces {out.name}."
        return f"{out.name} exists already and will be replaced." if out.exists() else "Ready to answer every row."

    def _is_answered(self) -> bool:
        """Whether what is chosen is what was answered last."""
        return self._answered == (self.draft, self.options.options())

    @Slot()
    def _start(self) -> None:
        self._run(self._unfinished() is not None)

    @Slot()
    def _start_anew(self) -> None:
        self._run(False)

    def _run(self, go_on: bool) -> None:
        self.clear_message()
        self._notes, self._asked = [], (self.draft, self.options.options())
        reading = {name: getattr(self.draft, name) for name in READ}
        data = files.at_home(self.draft.data)
        self.session.start(JOB, data=data, reading=reading, go_on=go_on, **self.options.options())

    @Slot(object)
    def _hear(self, event: Event) -> None:
        if self.session.job == JOB and isinstance(event, Message):
            self._notes.append(event.text)

    @Slot(str, object)
    def _follow_end(self, job: str, ended: Ended) -> None:
        if job != JOB:
            return
        if ended.status == "done" and "out" in ended.report:
            self._answered = self._asked
            self.summary.show_report(ended.report, self._notes)
            self.tabs.setCurrentWidget(self.summary)
        elif ended.status == "failed":
            self.show_message(ended.reason, "error")
        elif ended.status == "stopped":
            self.show_message(kept_words(self._unfinished()))
        self._show_bar()


def kept_words(before: State | None) -> str:
    """What a stop left to go on with. The rows that were being read are not among it."""
    rows = before.told.get("rows", 0) if before else 0
    if not rows:
        return "Stopped before any answers were saved."
    kept = "1 answered row is" if rows == 1 else f"{rows:,} answered rows are"
    return f"Stopped. {kept} kept: press “Go on” to answer the others."


class AnswerBar(JobBar):
    """Tells rows and their speed besides the time left."""

    def __init__(self, session: Session):
        super().__init__(session, JOB, "&Start")
        self._since: tuple[float, float] | None = None  # when it was first told of rows, and how many were done
        self.start.setToolTip("Answer every row of the file.")
        self.stop.setToolTip(STOP_TIP)

    @Slot(str, object)
    def _follow_start(self, job: str) -> None:
        super()._follow_start(job)
        self._since = None

    @Slot()
    def _pause_or_continue(self) -> None:
        super()._pause_or_continue()
        self._since = None

    @Slot(object)
    def _follow(self, event: Event) -> None:
        super()._follow(event)
        if self.session.job == self.job and isinstance(event, Progress) and not self._is_held():
            now = time.monotonic()
            self._since = self._since or (now, event.done)
            self.label.setText(self._told(event, now - self._since[0], event.done - self._since[1], now))

    def _told(self, event: Progress, seconds: float, rows: float, now: float) -> str:
        left = self._left.of(event, now)
        speed = f"{rows / seconds:,.0f} a second" if seconds >= LEAST_SECONDS else ""
        time_left = f"{pace.duration(left)} left" if left is not None else ""
        return ", ".join(filter(None, [f"{event.done:,.0f} of about {event.total:,.0f} rows", speed, time_left]))


def look_first(path: Path, project: DataSettings) -> Looked:
    """How a newly chosen file is read, and its first rows. Takes a moment: call it off the main thread."""
    from ulmfit_core.data.unseen import settings_for  # brings pyarrow, which the first paint need not wait for

    return look_again(settings_for(path, project))


def look_again(settings: DataSettings) -> Looked:
    """The settings with the columns that the file has, and its first rows. Call it off the main thread."""
    look = draft.look_at(None, settings)
    return (with_columns(settings, look.preview) if look.preview else settings), look


def with_columns(settings: DataSettings, preview: Any) -> DataSettings:
    """The text columns where the file has all of them, else those that look like it; label and id where it has them."""
    settings, columns = draft.by_name(settings, preview.columns), preview.columns
    there = bool(settings.text) and set(settings.text) <= set(columns)
    text = list(columns) if len(columns) == 1 else settings.text if there else list(preview.text)
    others = {name: getattr(settings, name) for name in ("label", "id_column")}
    found = {name: column if column in columns else "" for name, column in others.items()}
    return settings.model_copy(update={"text": text, **found})
