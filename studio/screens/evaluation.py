"""The screen that measures the classifier on rows it never learned from, beside what simpler means reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QStackedWidget

from studio import remembered
from studio.screens.evaluation_export import Export
from studio.screens.evaluation_overview import Report
from studio.screens.evaluation_pages import Measured, Page, Tabs
from studio.screens.evaluation_words import newest_report
from studio.screens.screen import Screen
from studio.screens.wrong_answers import read_wrong
from studio.session import Session
from studio.widgets.card import line
from studio.widgets.controls import ChoiceBox
from studio.widgets.path_field import FILTER
from studio.widgets.run_bar import RunBar
from studio.worker import Background
from ulmfit_core import events

NOTHING = (
    "Here will stand how often the classifier is right on texts it never saw, beside a word-counting baseline;\n"
    "which labels it takes for which; and the texts it got wrong."
)
FILE = "file"
MEASURED_ON = {"test": "On test rows", "valid": "On validation rows", FILE: "On another file…"}
WIDEST_CHOICE = 220  # pixels
STOPPED = "The evaluation was stopped."
STOPPED_BEFORE = f"{STOPPED} What stands here is the one before it."
OVERVIEW = 0  # the number of its tab
# The other parts of the report → module and class, title, what a person learns there.
PAGES = (
    ("trust:TrustPage", "Trust", "When to believe an answer, and when it had better give none."),
    ("classes:ClassesPage", "Classes", "Each class in figures, and how well it can be told from the rest."),
    ("parts:PartsPage", "Parts of the data", "Whether it does worse on long texts, on one source, …"),
    ("suspects:SuspectsPage", "Suspect labels", "Texts whose label in the data is probably a mistake."),
)


class EvaluationScreen(Screen):
    """Shows the report of the newest finished evaluation."""

    step = "evaluate"
    title = "Evaluate"
    explanation = "How good is the classifier on texts that it never saw, and what did the language model add?"

    def __init__(self, session: Session):
        super().__init__(session)
        self.measured_on = MeasuredOn()
        self.bar = Bar(session, self.step, self.measured_on)
        self.report = Report(session)
        self.tabs = Tabs(session)
        self.export = Export(self.tabs, self.report.confusion)
        self._shown: Path | None = None  # the folder of the run whose report is seen
        self._reading = Background(self)
        self._nothing = line(NOTHING, "muted")
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._pages = QStackedWidget()
        self._lay_out_all()
        self._connect()

    def refresh(self) -> None:
        """A report that is seen already stays as it is, with what is chosen in it."""
        self.bar.refresh()
        project = self.session.project
        found = newest_report(project) if project else None
        self._pages.setCurrentIndex(1 if found else 0)
        if project and found and found[0] != self._shown:
            self._shown, report = found
            measured = Measured(*found)
            self.report.show_report(report)
            self.tabs.use(measured)
            self.export.offer(project, measured)
            self._reading.ask(lambda: read_wrong(measured))

    def _connect(self) -> None:
        self.session.run_ended.connect(self._end)
        self._reading.answered.connect(self.report.show_wrong)
        self._reading.refused.connect(self._complain)
        self.report.wrong.opened.connect(self._try_text)
        self.report.wrong.chosen.troubled.connect(self._complain)
        self.tabs.made.connect(self._listen)
        self.export.told.connect(self.show_message)

    @Slot(object)
    def _listen(self, page: Page) -> None:
        """Pages that were just made may ask for other parts of the window."""
        for signal, slot in (("opened", self._try_text), ("wanted", self._show_class), ("troubled", self._complain)):
            if hasattr(page, signal):
                getattr(page, signal).connect(slot)

    @Slot(str)
    def _try_text(self, text: str) -> None:
        self.wants.emit("try_it", text)

    @Slot(str)
    def _show_class(self, label: str) -> None:
        self.tabs.setCurrentIndex(OVERVIEW)
        self.report.show_class(label)

    @Slot(str)
    def _complain(self, sentence: str) -> None:
        self.show_message(sentence, "error")

    @Slot(str, object)
    def _end(self, job: str, ended: events.Ended) -> None:
        if job == self.step and ended.status == "failed":
            self.show_message(ended.reason, "error")
        elif job == self.step and ended.status == "stopped":
            self.show_message(STOPPED_BEFORE if self._shown else STOPPED)
        elif job == self.step:
            self.clear_message()
            self.report.verticalScrollBar().setValue(0)

    def _lay_out_all(self) -> None:
        self.tabs.tabBar().setAccessibleName("Parts of the report")
        self.tabs.tabBar().setToolTip("Parts of the report.")
        self.tabs.addTab(self.report, "Overview")
        self.tabs.setTabToolTip(OVERVIEW, "How often it is right, beside simpler means; what it gets wrong.")
        for address, title, tip in PAGES:
            self.tabs.add_later(f"studio.screens.evaluation_{address}", title, tip)
        self.tabs.setCornerWidget(self.export)
        self._pages.addWidget(self._nothing)
        self._pages.addWidget(self.tabs)
        self.body.addWidget(self.bar)
        self.body.addWidget(self._pages, 1)


class MeasuredOn(ChoiceBox):
    """What the next evaluation measures: `options` are those of the job."""

    def __init__(self) -> None:
        super().__init__(MEASURED_ON, MEASURED_ON)
        self.setAccessibleName("What is measured")
        self.setToolTip(
            "Test rows were kept aside for this. Validation rows chose the best epoch, so they flatter a little. "
            "Another file needs the columns of your data."
        )
        self.setMaximumWidth(WIDEST_CHOICE)  # a file may have a long name
        self._file = ""
        self._before = "test"
        self.chosen.connect(self._choose)

    @property
    def options(self) -> dict[str, Any]:
        chosen = self.read()
        return {"data": Path(self._file)} if chosen == FILE else {"split": chosen}

    def take_file(self, path: str) -> None:
        """Measure on this file; on what was chosen before where there is none."""
        self._file = path or self._file
        title = f"On {Path(self._file).name}…" if self._file else MEASURED_ON[FILE]
        self.setItemText(self.findData(FILE), title)
        self._before = FILE if path else self._before
        self.write(self._before)

    @Slot(object)
    def _choose(self, chosen: str) -> None:
        if chosen != FILE:
            self._before = chosen
            return
        path, _ = QFileDialog.getOpenFileName(self, "Measure on a file", remembered.start_at(self._file), FILTER)
        if path:
            remembered.use_folder(path)
        self.take_file(path)


class Bar(RunBar):
    """Without the reason why the step is out of date: the strip over the screen tells it."""

    def __init__(self, session: Session, step: str, measured_on: MeasuredOn):
        self._measured_on = measured_on
        super().__init__(session, step, "&Evaluate")
        buttons = self.start_button.parentWidget()
        row = buttons.layout() if buttons else None
        assert isinstance(row, QHBoxLayout)
        row.insertWidget(row.indexOf(self.start_button) + 1, measured_on)
        self.setTabOrder(self.start_button, measured_on)

    @Slot()
    def start(self) -> None:
        self.session.start(self.step, **self._measured_on.options)

    def _show_idle(self) -> None:
        super()._show_idle()
        project = self.session.project
        state = project.state(self.step) if project else None
        if state and state.mark == "stale" and self.status.text() == state.reason:
            self.status.clear()
