"""The Runs screen: everything that was ever run in this project, one run in full or several beside each other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, QUrl, Slot
from PySide6.QtGui import QAction, QDesktopServices, QHideEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from studio import theme
from studio.screens import run_again, run_trash
from studio.screens.kept_checkpoints import KeptCheckpoints
from studio.screens.run_compare import MOST, RunComparison
from studio.screens.run_details import RunDetails
from studio.screens.run_list import Filter, RunTable
from studio.screens.run_story import Line, Seen, Story, look, read_story, remark_on
from studio.screens.screen import Screen
from studio.session import Session
from studio.widgets.card import line as text_line
from studio.widgets.room import Room
from studio.worker import Background
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project

NOTHING = (
    "Every import, build and training leaves a row here, with its settings, curves and result, so that you can\n"
    "compare runs and go back to the best one. There is none yet: begin with “Data”."
)
NONE_FOUND = "No run has these words, this job and this tag."
TOO_MANY = f"At most {MOST} runs can be compared. Choose fewer."
LOOK_MILLISECONDS = 800  # between two looks at the project's folder while the screen is seen
AT_ONCE = 0.03  # seconds that a look may take in the window's own thread; the rest is read in another one
IN_TURN = 0.25  # seconds after which what was read so far is shown
OFFERED = 15  # runs in the menu of those to compare with
LEAST_TABLE, LEAST_DETAILS = 216, 168  # pixels: a heading and seven rows; tabs and what is first on each
COMPARED = ("vocab", "pretrain", "finetune", "classify", "evaluate")  # jobs whose runs have figures to compare
COMPARE = "Lay another run of the same job beside this one; or hold Ctrl and click several in the list."
NO_FIGURES = "An import, a search for a rate or a file of answers has no figures to compare."
NONE_LIKE_IT = "There is no other run of this job to compare with yet."


class RunsScreen(Screen):
    title = "Runs"
    explanation = "All runs of this project, the newest first. Choose one to see it, or several to compare them."

    def __init__(self, session: Session):
        super().__init__(session)
        self._seen = Seen([], False)
        self._shown: list[Line] = []
        self.filter, self.table = Filter(), RunTable()
        self.details, self.comparison = RunDetails(), RunComparison()
        self.nothing = QLabel(NOTHING)
        self.nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.none_found = QLabel(NONE_FOUND)
        self.remark = text_line("", "muted")  # what is not understood of the chosen runs
        self.too_many = QLabel(TOO_MANY, alignment=Qt.AlignmentFlag.AlignCenter)
        self._reader = Background(self)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MILLISECONDS)
        self._make_actions()
        self._fill_body()
        self._connect()

    @property
    def stories(self) -> list[Line]:
        """The runs in the list, from the top down."""
        return self.table.lines()

    @property
    def chosen(self) -> list[Line]:
        return self.table.chosen_lines()

    def refresh(self) -> None:
        """Show at once what can be read at once. An answer that is under way would be older than that."""
        self._reader.forget()
        opened, own = self._place()
        self._take(look(opened, self._seen.lines, own, AT_ONCE), {})
        self._ask()

    # Building

    def _make_actions(self) -> None:
        self.again = self._action("&Run again…", "Start this run's job once more with its settings.", self._run_again)
        self.use = self._action("&Use these settings…", "Make this run's settings the project's.", self._use_settings)
        self.note = self._action("N&otes and tags", "Write down what you want to remember of it (F2).", self._note)
        self.show_files = self._action("Open its &folder", "Show the files of this run.", self._open_folder)
        self.discard = self._action("&Delete…", "Move the chosen runs to the trash (Delete key).", self._delete)
        self.seek = self._action("&Find", "List only the runs with some words (Ctrl+F).", self._find)
        for action, keys, reach in (
            (self.discard, QKeySequence.StandardKey.Delete, Qt.ShortcutContext.WidgetShortcut),
            (self.note, QKeySequence("F2"), Qt.ShortcutContext.WidgetShortcut),
            (self.seek, QKeySequence.StandardKey.Find, Qt.ShortcutContext.WidgetWithChildrenShortcut),
        ):
            action.setShortcut(keys)
            action.setShortcutContext(reach)
        self.addAction(self.seek)
        self.others = QMenu("&Compare with", self)
        self.others.setToolTip("Lay another run beside this one.")

    def _action(self, text: str, tip: str, slot: Callable[[], None]) -> QAction:
        action = QAction(text, self)
        action.setToolTip(tip)
        action.triggered.connect(slot)
        return action

    def _fill_body(self) -> None:
        self.pages = QStackedWidget()
        for page in (self.details, self.comparison, self.too_many):
            self.pages.addWidget(page)
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.addWidget(self._upper())
        self.split.addWidget(self._lower())
        self.split.setSizes([LEAST_TABLE, 400])
        self.split.setChildrenCollapsible(False)
        self.body.addWidget(self.nothing, 1)
        self.body.addWidget(self.split, 1)
        self.body.addWidget(self._buttons())
        self.checkpoints = KeptCheckpoints(self.session)
        self.body.addWidget(self.checkpoints)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.addActions([self.discard, self.note])

    def _upper(self) -> QWidget:
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SMALL)
        for part in (self.filter, self.none_found):
            column.addWidget(part)
        column.addWidget(self.table, 1)
        self.table.setMinimumHeight(LEAST_TABLE)
        return whole

    def _lower(self) -> QWidget:
        self.below = QWidget()
        column = QVBoxLayout(self.below)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SMALL)
        column.addWidget(self.remark)
        column.addWidget(Room(self.pages), 1)  # curves scroll in a low window, rather than take the list's room
        self.below.setMinimumHeight(LEAST_DETAILS)
        return self.below

    def _buttons(self) -> QWidget:
        self.compare = QPushButton("&Compare with")
        self.compare.setMenu(self.others)
        self.delete = ActionButton(self.discard)
        self.buttons = QWidget()
        row = QHBoxLayout(self.buttons)
        row.setContentsMargins(0, 0, 0, 0)
        for button in (self.compare, ActionButton(self.again), ActionButton(self.use), ActionButton(self.note)):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.delete)
        return self.buttons

    def _connect(self) -> None:
        self.table.chosen.connect(self._show_chosen)
        self.table.customContextMenuRequested.connect(self._show_menu)
        self.filter.changed.connect(self._list)
        self.others.aboutToShow.connect(self._offer_others)
        self.details.notes.saved.connect(self._ask)
        self.details.notes.refused.connect(self._refuse)
        self.details.card.refused.connect(self._refuse)
        self._reader.answered.connect(self._take_answer)
        self._reader.refused.connect(self._refuse)
        self._timer.timeout.connect(self._ask)

    # Reading, in a thread of its own while the screen is seen

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()
        self._reader.forget()

    def _place(self) -> tuple[Project, Path | None]:
        assert self.session.project is not None
        return self.session.project, self.session.run_folder if self.session.job else None

    @Slot()
    def _ask(self) -> None:
        if self.session.project is None or self._reader.busy:
            return
        opened, own = self._place()
        before, shown = self._seen.lines, self._shown
        self._reader.ask(lambda: answer(opened, before, own, shown))

    @Slot(object)
    def _take_answer(self, found: tuple[Project, Seen, dict[str, Story]]) -> None:
        opened, seen, stories = found
        if opened is self.session.project and self.isVisible():
            self._take(seen, stories)
            if not seen.whole:
                self._ask()

    def _take(self, seen: Seen, stories: dict[str, Story]) -> None:
        """Show what was read; `stories` are those of the chosen runs that have more to tell than before."""
        self._seen = seen
        self.filter.offer(seen.lines)
        self._list()
        if stories and [line.info.id for line in self._shown] == self.table.chosen_ids():
            self._show(stories)

    # The list

    @Slot()
    def _list(self) -> None:
        self.table.set_lines(self.filter.taken(self._seen.lines))
        ran = bool(self._seen.lines)
        self.nothing.setVisible(not ran)
        self.split.setVisible(ran)
        self.buttons.setVisible(ran)
        self.checkpoints.setVisible(ran)
        self.none_found.setVisible(not self.table.lines())
        self.below.setVisible(bool(self.table.lines()))
        self._let_act()

    @Slot()
    def _show_chosen(self) -> None:
        self._let_act()
        if self.chosen:
            self._show({})

    def _show(self, stories: dict[str, Story]) -> None:
        """One run in full, or several beside each other. Those not in `stories` are read now."""
        self._shown = self.chosen
        if len(self._shown) > MOST:
            self.pages.setCurrentWidget(self.too_many)
            return
        try:
            told = [stories.get(line.info.id) or read_story(line.info.folder) for line in self._shown]
            self._show_told(told)
        except FileNotFoundError:  # removed by another program: the next look takes it from the list
            return

    def _show_told(self, told: list[Story]) -> None:
        assert self.session.project is not None
        self.remark.setText(" ".join(dict.fromkeys(filter(None, map(remark_on, told)))))
        self.remark.setVisible(bool(self.remark.text()))
        if len(told) == 1:
            self.details.show_story(self.session.project, told[0])
        else:
            self.comparison.show_stories(told)
        self.pages.setCurrentWidget(self.details if len(told) == 1 else self.comparison)

    def _let_act(self) -> None:
        """What may be done with the chosen runs now."""
        chosen, free = self.chosen, not self.session.read_only
        one = len(chosen) == 1
        repeatable = one and bool(chosen) and not chosen[0].at_work
        for action in (self.again, self.use):
            action.setEnabled(repeatable and free and not self.session.job)
        self.note.setEnabled(one)
        self.show_files.setEnabled(one)
        self.discard.setEnabled(bool(chosen) and free and not any(line.at_work for line in chosen))
        alike = self._alike(chosen[0]) if one else []
        self.compare.setEnabled(bool(alike))
        comparable = not one or chosen[0].info.job in COMPARED
        self.compare.setToolTip(COMPARE if alike or not one else NONE_LIKE_IT if comparable else NO_FIGURES)
        self.details.notes.let_write(free)

    @Slot()
    def _show_menu(self) -> None:
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        if self.compare.isEnabled():
            menu.addMenu(self.others)
        menu.addActions([self.again, self.use, self.note, self.show_files])
        menu.addSeparator()
        menu.addAction(self.discard)
        row = self.table.visualRect(self.table.currentIndex())
        menu.exec(self.table.viewport().mapToGlobal(row.center()))
        menu.deleteLater()

    @Slot()
    def _offer_others(self) -> None:
        """Runs to compare the chosen one with."""
        self.others.clear()
        if not self.chosen:
            return
        chosen = self.chosen[0]
        for line in self._alike(chosen)[:OFFERED]:
            text = "   ".join(filter(None, (line.title, line.started, line.result.replace("&", "&&"))))
            action = self.others.addAction(text)
            action.setData((chosen.info.id, line.info.id))
            action.triggered.connect(self._compare)

    def _alike(self, chosen: Line) -> list[Line]:
        """The other runs whose figures can be laid beside those of this one: those of the same job."""
        job = chosen.info.job
        return [line for line in self._seen.lines if line.info.job == job and line is not chosen] * (job in COMPARED)

    @Slot()
    def _compare(self) -> None:
        action = self.sender()
        assert isinstance(action, QAction)
        ids = action.data()
        if not set(ids) <= {line.info.id for line in self.table.lines()}:
            self.filter.clear()
        self.table.choose(ids)
        self.table.setFocus()

    # What may be done with runs

    @Slot()
    def _run_again(self) -> None:
        self._repeat(starting=True)

    @Slot()
    def _use_settings(self) -> None:
        self._repeat(starting=False)

    def _repeat(self, starting: bool) -> None:
        opened = self.session.project
        if opened is None or len(self.chosen) != 1:
            return
        self.clear_message()
        try:
            again = run_again.prepare(opened, read_story(self.chosen[0].info.folder))
            chosen = run_again.AgainDialog(again, starting, self).exec()
            if chosen and again.changes and not (chosen == run_again.START and again.story.info.job == "import"):
                run_again.use(self.session, again)
                self.show_message("The project has the settings of this run now.")
            if chosen == run_again.START and run_again.start(self.session, again):
                self._choose_own()
        except (UserError, OSError) as error:
            self._refuse(str(error))

    def _choose_own(self) -> None:
        """The run that was just started, so that one sees it at work."""
        self.clear_message()
        self.filter.clear()
        if self.session.run_folder:
            self.table.choose([self.session.run_folder.name])

    @Slot()
    def _note(self) -> None:
        if len(self.chosen) == 1:
            self.details.setCurrentWidget(self.details.notes)
            self.details.notes.notes.setFocus()

    @Slot()
    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.chosen[0].info.folder)))

    @Slot()
    def _find(self) -> None:
        self.filter.text.setFocus()
        self.filter.text.selectAll()

    @Slot()
    def _delete(self) -> None:
        opened, lines = self.session.project, self.chosen
        if opened is None or not lines:
            return
        try:
            run_trash.refuse_running(lines)
            if not run_trash.asked(self, opened, lines):
                return
            self.details.notes.save()
            self.details.forget()
            self.comparison.forget()
            run_trash.remove(self, opened, lines)
        except (UserError, OSError) as error:
            self._refuse(str(error))
        self._shown = []
        self.session.project_changed.emit()

    @Slot(str)
    def _refuse(self, sentence: str) -> None:
        self.show_message(sentence, "error")


class ActionButton(QPushButton):
    """A button for an action that a menu and a key have too."""

    def __init__(self, action: QAction):
        super().__init__()
        self._action = action
        self.clicked.connect(action.trigger)
        action.enabledChanged.connect(self.setEnabled)
        self.setText(action.text())
        self.setToolTip(action.toolTip())
        self.setEnabled(action.isEnabled())


def answer(
    opened: Project, before: list[Line], own: Path | None, shown: list[Line]
) -> tuple[Project, Seen, dict[str, Story]]:
    """A look at the project's runs, and the stories of those shown that have changed since."""
    seen = look(opened, before, own, IN_TURN)
    stories = {}
    for line in shown:
        now = seen.find(line.info.id)
        if now and (now.stamp, now.at_work) != (line.stamp, line.at_work):
            with contextlib.suppress(FileNotFoundError):  # removed since it was looked at
                stories[line.info.id] = read_story(line.info.folder)
    return opened, seen, stories
