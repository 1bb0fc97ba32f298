"""The main window: the rail of steps, the screens, Back and Next, hints, and a careful close."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QByteArray, Qt, QTimer, Slot
from PySide6.QtGui import QAction, QCloseEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMainWindow,
    QMessageBox,
    QPlainTextEdit,
    QPushButton,
    QStackedWidget,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

from studio import menus, naming, notify, remembered, steps, theme
from studio.ask import confirmed
from studio.hint import Hint
from studio.import_fastai import ImportFastai
from studio.interrupted import LastTime
from studio.notice import Notice
from studio.plain import tip
from studio.queue_strip import QueueStrip
from studio.rail import Rail
from studio.read_only import ReadOnlyStrip, seal
from studio.saving_as import SaveAs
from studio.screens import SCREENS, WELCOME
from studio.screens.screen import Screen
from studio.screens.verdict import remark
from studio.session import Session
from studio.training_queue import open_steps
from studio.widgets.card import line
from ulmfit_core import catalog, events
from ulmfit_core.config import Recipe
from ulmfit_core.errors import UserError
from ulmfit_core.events import Ended
from ulmfit_core.project import INPUTS

RAIL_WIDTH = 216
FRAME = 40  # pixels that the system's frame may take of the height
PROGRAM = "ULMFiT Studio"
TRAIN = "Run every step that is open, one after the other: {}. You can go away meanwhile. (Ctrl+T)"


class MainWindow(QMainWindow):
    def __init__(self, session: Session):
        super().__init__()
        self.session = session
        self.screens: dict[str, Screen] = {}
        self.current = ""
        self.step_actions: list[QAction] = []
        self.train_action = QAction(self)
        self._folder: Path | None = None
        self._closing = False
        self._make_parts()
        self._lay_out()
        menus.fill(self)
        self._connect()
        self._restore_geometry()
        self._follow_project()
        if session.project is None:
            self.go("welcome")

    # Building

    def _make_parts(self) -> None:
        self.project_name = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.project_name.setProperty("role", "subheading")
        self.rail = Rail()
        self.alert = Notice()  # what was refused, what ended elsewhere
        self.hint = Hint(self.session)
        self.read_only = ReadOnlyStrip(self.session)
        self.last_time = LastTime(self.session)
        self.queue = QueueStrip(self.session)
        self.train = QPushButton("Train ever&ything")
        self.train_hindrance = line("", "hint")  # why it cannot be pressed
        self.train_hindrance.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.stack = QStackedWidget()
        self.status = QLabel()
        self.status.setProperty("role", "muted")
        self.back = QPushButton("&Back")
        self.next = QPushButton("&Next")
        self.back.setToolTip("Go to the step before this one.")
        self.next.setToolTip("Go to the step after this one; what runs goes on.")

    def _lay_out(self) -> None:
        self.rail_panel = QFrame()
        left = QVBoxLayout(self.rail_panel)
        left.setContentsMargins(theme.SMALL, theme.LARGE, theme.SMALL, theme.SMALL)
        self.project_name.setContentsMargins(theme.MEDIUM, 0, 0, theme.SMALL)
        left.addWidget(self.project_name)
        left.addWidget(self.rail, 1)
        left.addWidget(self.train_hindrance)  # above the button, which so keeps its place when the line comes and goes
        left.addWidget(self.train)
        self.rail_panel.setFixedWidth(RAIL_WIDTH)

        strips = QVBoxLayout()
        strips.setContentsMargins(theme.LARGE, theme.SMALL, theme.LARGE, 0)
        strips.addWidget(self.read_only)
        strips.addWidget(self.last_time)
        strips.addWidget(self.queue)
        strips.addWidget(self.alert)
        strips.addWidget(self.hint)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addLayout(strips)
        right.addWidget(self.stack, 1)
        right.addWidget(self._bottom_bar())

        centre = QWidget()
        whole = QHBoxLayout(centre)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.rail_panel)
        whole.addLayout(right, 1)
        self.setCentralWidget(centre)
        self.setMinimumSize(1000, 640)

    def _bottom_bar(self) -> QWidget:
        self.bottom = QWidget()
        layout = QHBoxLayout(self.bottom)
        layout.setContentsMargins(theme.LARGE, theme.SMALL, theme.LARGE, theme.MEDIUM)
        layout.addWidget(self.back)
        layout.addStretch()
        layout.addWidget(self.status)
        layout.addStretch()
        layout.addWidget(self.next)
        return self.bottom

    def _connect(self) -> None:
        self.rail.chosen.connect(self.go)
        self.rail.entered.connect(self.enter)
        self.back.clicked.connect(self.go_back)
        self.next.clicked.connect(self.go_next)
        self.hint.wants.connect(self.go)
        self.last_time.wants.connect(self.go)
        self.train.clicked.connect(self.train_everything)
        self.session.queue.changed.connect(self._show_train)
        self.session.queue.ended.connect(self._tell_queue_end)
        self.session.refused.connect(self._show_refusal)
        self.session.project_changed.connect(self._follow_project)
        self.session.run_started.connect(self._follow_start)
        self.session.run_ended.connect(self._follow_end)
        theme.changed.connect(self.rail.viewport().update)

    # Going from screen to screen

    @Slot(str)
    def go(self, name: str) -> None:
        """Show a screen; it is made when it is first asked for."""
        if name != "welcome" and self.session.project is None:
            return
        if name not in self.screens:
            row = WELCOME if name == "welcome" else SCREENS[name]
            self.screens[name] = row.resolve()(self.session)
            naming.complete(self.screens[name])
            self.screens[name].wants.connect(self.go_with)
            self.stack.addWidget(self.screens[name])
            self._order_tabs()
        self.current = name
        self.alert.clear()
        self.stack.setCurrentWidget(self.screens[name])
        self._show_state()
        if not self.rail.hasFocus():
            self.screens[name].begin()

    @Slot(str)
    def enter(self, name: str) -> None:
        """Begin to work on a screen that was chosen on the rail."""
        if name in self.screens:
            self.screens[name].begin()

    @Slot(str, object)
    def go_with(self, name: str, subject: object) -> None:
        """Show a screen with what another one wants to be seen there."""
        self.go(name)
        self.screens[name].take(subject)

    def _order_tabs(self) -> None:
        """Back and Next come after the newest screen, whose parts now end the chain of Tab."""
        last = self.previousInFocusChain()
        while last and last.focusPolicy() == Qt.FocusPolicy.NoFocus:
            last = last.previousInFocusChain()
        if last:  # the chain is a ring, so there always is one
            QWidget.setTabOrder(last, self.back)
            QWidget.setTabOrder(self.back, self.next)

    @Slot()
    def go_back(self) -> None:
        self._go_if(self._neighbour(-1))

    @Slot()
    def go_next(self) -> None:
        self._go_if(self._neighbour(1))

    def _go_if(self, name: str | None) -> None:
        if name:
            self.go(name)

    def _neighbour(self, direction: int) -> str | None:
        """The nearest screen before or after this one whose step is part of the recipe."""
        names = list(SCREENS)
        if self.session.project is None or self.current not in names:
            return None
        number = names.index(self.current) + direction
        while 0 <= number < len(names) and steps.state_of(self.session, names[number]).mark == "skipped":
            number += direction
        return names[number] if 0 <= number < len(names) else None

    # Showing where things stand

    @Slot()
    def _follow_project(self) -> None:
        """The project changed: perhaps a knob, perhaps it is another one."""
        project = self.session.project
        folder = project.folder if project else None
        if folder == self._folder:
            self._show_state()
            return
        self._folder = folder
        self._drop_screens()
        self.go(steps.first_open_screen(self.session) if project else "welcome")

    def _drop_screens(self) -> None:
        """Nothing of one project may be seen in the next one. Welcome has nothing of any."""
        for name in [name for name in self.screens if name != "welcome"]:
            screen = self.screens.pop(name)
            self.stack.removeWidget(screen)
            screen.deleteLater()

    def _show_state(self) -> None:
        project = self.session.project
        self.rail_panel.setVisible(project is not None)
        self.bottom.setVisible(self.current in SCREENS)
        for action in self.step_actions:
            action.setEnabled(project is not None)
        reading = " (only reading)" if self.session.read_only else ""
        self.setWindowTitle(f"{project.recipe.name}{reading} — {PROGRAM}" if project else PROGRAM)
        if project:
            self.project_name.setText(project.recipe.name)
            self.project_name.setToolTip(tip(str(project.folder)))
            self.rail.set_rows([steps.row(self.session, name) for name in SCREENS])
            self.rail.select(self.current)
            self._show_neighbours()
        seal(self.stack, bool(self.session.read_only))
        self._show_train()
        self.hint.show_for(self.current)

    def _show_neighbours(self) -> None:
        after, before = self._neighbour(1), self._neighbour(-1)
        self.back.setEnabled(before is not None)
        self.next.setEnabled(after is not None)
        self.back.setText(f"&Back: {SCREENS[before].title}" if before else "&Back")
        self.next.setText(f"&Next: {SCREENS[after].title}" if after else "&Next")
        done = steps.state_of(self.session, self.current).mark == "done" if self.current in SCREENS else False
        self.next.setProperty("primary", done)  # what to do next, once the step is done
        self.next.style().polish(self.next)
        job = self.session.job
        elsewhere = self.current not in SCREENS or not SCREENS[self.current].shows(job)
        word = "Paused" if self.session.paused else "Running"
        self.status.setText(f"{word}: {catalog.JOBS[job].title}" if job and elsewhere else "")

    # Training everything

    @Slot()
    def train_everything(self) -> None:
        """Run all open steps. The screens follow for as long as the person looks on."""
        if self._lacks_data():
            self.go("dataset")
            self._show_refusal("Choose a file with your texts first, and say which column holds the text.")
        else:
            self.rail.setFocus()  # the button is disabled now; a field that took its focus would look like work there
            self.session.queue.start(self._recipe_to_import())

    def _lacks_data(self) -> bool:
        project = self.session.project
        return project is not None and not project.recipe.data.data and self._recipe_to_import() is None

    def _recipe_to_import(self) -> Recipe | None:
        """The project's with what is chosen on the Data screen, where that waits to be imported for the first time."""
        project, screen = self.session.project, self.screens.get("dataset")
        if project is None or screen is None or project.state("import").mark == "done":
            return None
        if not screen.bar.start.isEnabled():  # type: ignore[attr-defined]
            return None
        return project.recipe.model_copy(update={"data": screen.draft.model_copy(deep=True)})  # type: ignore[attr-defined]

    @Slot()
    def _show_train(self) -> None:
        project = self.session.project
        titles = [steps.title_of(step) for step in open_steps(project)] if project else []
        hindrance = self._why_not_train(bool(titles))
        self.train.setEnabled(not hindrance)
        self.train_action.setEnabled(not hindrance)
        self.train.setToolTip(hindrance or TRAIN.format(", ".join(titles)))
        self.train_hindrance.setText(hindrance)
        self.train_hindrance.setVisible(bool(hindrance))

    def _why_not_train(self, something_open: bool) -> str:
        if self.session.read_only:
            return "This window only reads the project."
        if self.session.queue.active:
            return "It is at work: what comes stands above."
        if something_open:
            return ""
        job = self.session.job
        standing = "paused" if self.session.paused else "at work"
        return f"“{catalog.JOBS[job].title}” is {standing}." if job else "Every step is done."

    @Slot(str, str)
    def _tell_queue_end(self, status: str, sentence: str) -> None:
        sentence = " ".join([sentence, *self._remarks()])
        self.alert.show_message(sentence, "error" if status == "failed" else "info")
        name = self.session.project.recipe.name if self.session.project else PROGRAM
        notify.tell(self, name, sentence)

    def _remarks(self) -> list[str]:
        """What the verdicts have to say of the trainings that the queue has done."""
        project, done = self.session.project, self.session.queue.done
        runs = [next(project.runs_of(step), None) for step in done] if project else []
        found = [(run.job, remark(events.read_events(run.folder / "events.jsonl"))) for run in runs if run]
        return [f"{steps.title_of(step)}: it {said}, see its “Verdict”." for step, said in found if said]

    # What is refused, and what ends elsewhere

    @Slot(str)
    def _show_refusal(self, text: str) -> None:
        self.alert.show_message(text, "error")

    @Slot(str, object)
    def _follow_start(self, job: str, folder: Path) -> None:
        """Whoever watched a step of the queue, and does nothing else there, goes on to watch the next one."""
        self.alert.clear()
        done = self.session.queue.done
        if job == self.session.queue.running and job in INPUTS:
            step = SCREENS[self.current].step if self.current in SCREENS else ""
            watched = step == done[-1] and not self._at_work() if done else bool(step)
            if watched:
                self.go(steps.screen_of(job))

    def _at_work(self) -> bool:
        """Whether the person fills something in here, or has a menu or dialog open."""
        typing = isinstance(self.focusWidget(), QLineEdit | QAbstractSpinBox | QComboBox | QPlainTextEdit | QTextEdit)
        open_part = QApplication.activePopupWidget() or QApplication.activeModalWidget()
        return bool(open_part) or typing and self.isActiveWindow()

    @Slot(str, object)
    def _follow_end(self, job: str, ended: Ended) -> None:
        if self._closing:
            QTimer.singleShot(0, self.close)
            return
        self.alert.clear()  # it may have said that this job is still running
        if self.session.queue.active:  # it tells of its end itself
            return
        if self.screens[self.current].tells_of(job):
            return
        words = {"done": "is done.", "stopped": "was stopped.", "failed": "failed."}[ended.status]
        reason = ended.reason if ended.status == "failed" else ""
        level = "error" if ended.status == "failed" else "info"
        self.alert.show_message(f"“{catalog.JOBS[job].title}” {words} {reason}".strip(), level)

    # The project menu

    @Slot()
    def new_project(self) -> None:
        self.go("welcome")
        self.screens["welcome"].show_new_project()  # type: ignore[attr-defined]

    @Slot()
    def choose_project(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a project folder", remembered.folder())
        if folder:
            remembered.use_folder(folder)
            self.open_project(Path(folder))

    @Slot(object)
    def open_project(self, folder: Path) -> None:
        self._try(lambda: self.session.open(folder))

    def open_sample(self, name: str) -> None:
        self._try(lambda: self.session.open_sample(name))

    @Slot()
    def save_project_as(self) -> None:
        dialog = SaveAs(self.session, self)
        dialog.saved.connect(self.open_project)
        dialog.open()

    @Slot()
    def import_fastai(self) -> None:
        ImportFastai(self.session, self).open()

    @Slot()
    def close_project(self) -> None:
        self._try(self.session.close_project)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except UserError as error:
            self._show_refusal(str(error))

    # Closing

    def closeEvent(self, event: QCloseEvent) -> None:
        """While a job is at work: ask, stop it, and close when its thread has ended."""
        if self.session.job and not self._closing and self._person_wants_to_stop():
            self._closing = True
            self.session.queue.forget()
            self.setEnabled(False)
            self.setWindowTitle(f"Stopping… — {PROGRAM}")
            self.session.stop()
        if self.session.job:
            event.ignore()
            return
        remembered.settings().setValue("geometry", self.saveGeometry())
        self.session.leave()
        event.accept()

    def _person_wants_to_stop(self) -> bool:
        title = catalog.JOBS[self.session.job or ""].title
        text = f"“{title}” is still running."
        more = "What was finished is kept. A training can go on from there later."
        yes, no, role = "&Stop and close", "&Keep it running", QMessageBox.ButtonRole.AcceptRole
        return confirmed(self, "Close while working?", text, more, yes=yes, no=no, role=role)

    def _restore_geometry(self) -> None:
        geometry = remembered.settings().value("geometry")
        if isinstance(geometry, QByteArray) and self.restoreGeometry(geometry):
            return
        room = self.screen().availableSize()
        self.resize(min(1280, room.width()), min(800, room.height() - FRAME))
