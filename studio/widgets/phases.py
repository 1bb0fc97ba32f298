"""The table of phases: which layer groups are trained, for how long, under which schedule. A row is a phase."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMenu,
    QPushButton,
    QTableWidget,
    QVBoxLayout,
    QWidget,
)

from studio import theme
from studio.read_only import WRITES
from studio.widgets.controls import ChoiceBox, Input
from studio.widgets.declared import label_of, make_control, meaning, problem_of
from ulmfit_core.config import PhaseSettings, StageSettings, planned_phases
from ulmfit_core.training.plan import make_plan

# Column → heading and width.
COLUMNS = {
    "epochs": ("Epochs", 100),
    "groups": ("Trained", 144),
    "lr_max": ("Highest rate", 100),
    "schedule": ("Schedule", 142),
    "bptt": ("Window", 120),
}
ROW_HEIGHT = 36
# What the table can be filled with: caption → way of unfreezing; empty for the one that is set.
FILLINGS = {
    "The &way of unfreezing in the settings": "",
    "Only the &last group": "last",
    "&One more each phase": "gradual",
    "&Chain-thaw": "chain",
    "&All at once": "all",
}
EMPTY = "No phases: epochs and unfreezing in the settings decide. “Fill from” begins with what they lead to."
REPLACES = "These phases replace epochs, rate, schedule and unfreezing of the settings."


class PhaseTable(QWidget):
    """Edits `StageSettings.phases`. `changed("phases", rows)` for each change that the settings allow.

    The rows shown follow `set_settings`; a value that is refused goes back, and a line says why.
    """

    changed = Signal(str, object)
    closed = Signal()

    def __init__(self, name: str = "Phases"):
        super().__init__()
        self.setProperty(WRITES, True)
        self._settings = StageSettings()
        self._groups: tuple[str, ...] = ()
        self._rows: list[PhaseSettings] = []
        self._controls: list[dict[str, Input]] = []
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setAccessibleName(name)
        self.note = QLabel(wordWrap=True)
        self._make_buttons()
        self._quieten_table()
        self._lay_out()
        self._show_note("")

    def set_settings(self, settings: StageSettings, groups: Sequence[str]) -> None:
        """Show the table of `settings`, whose stage has these layer groups, the bottom group first."""
        known = tuple(groups) == self._groups and len(settings.phases) == len(self._rows)
        self._settings, self._groups = settings, tuple(groups)
        if known and settings.phases == self._rows:
            return
        self._rows = [row.model_copy() for row in settings.phases]
        if known:
            self._write_rows()
        else:
            self._rebuild()
        self._show_note("")

    def control(self, row: int, name: str) -> Input:
        return self._controls[row][name]

    # What a person does

    @Slot()
    def add(self) -> None:
        """One more row after the marked one, like it; the first one trains all groups."""
        at = self._current() + 1
        last = self._rows[at - 1] if self._rows else PhaseSettings(lr_max=self._settings.lr_max, epochs=1)
        self._put([*self._rows[:at], last.model_copy(), *self._rows[at:]], at)

    @Slot()
    def remove(self) -> None:
        at = self._current()
        self._put([*self._rows[:at], *self._rows[at + 1 :]], min(at, len(self._rows) - 2))

    @Slot()
    def move_up(self) -> None:
        self._swap(-1)

    @Slot()
    def move_down(self) -> None:
        self._swap(1)

    def fill(self, unfreezing: str) -> None:
        """The phases of a way of unfreezing, or of the settings' own, as rows to go on from."""
        update: dict[str, Any] = {"phases": []} | ({"unfreezing": unfreezing} if unfreezing else {})
        planned = planned_phases(self._settings.model_copy(update=update), len(self._groups))
        self._put([row.model_copy(update=trained(self._place(row))) for row in planned], 0)

    @Slot()
    def clear(self) -> None:
        self._put([], -1)

    def _swap(self, direction: int) -> None:
        at, other = self._current(), self._current() + direction
        if 0 <= other < len(self._rows):
            rows = list(self._rows)
            rows[at], rows[other] = rows[other], rows[at]
            self._put(rows, other)

    def _put(self, rows: list[PhaseSettings], current: int) -> None:
        same = len(rows) == len(self._rows)
        self._rows = rows
        self._write_rows() if same else self._rebuild()
        if rows:
            self.table.selectRow(max(0, current))
        self._show_note("")
        self._tell()

    def _tell(self) -> None:
        self._follow_selection()
        self.changed.emit("phases", [row.model_copy() for row in self._rows])

    def _choose(self, row: int, name: str, value: Any) -> None:
        old = self._rows[row]
        update = trained(value) if name == "groups" else {name: value}
        problem = "" if name == "groups" else problem_of(old, name, value)
        self._judge(row, name, problem)
        if problem:
            self.control(row, name).write(getattr(old, name))
        elif old != old.model_copy(update=update):
            self._rows[row] = old.model_copy(update=update)
            self._tell()

    def _judge(self, row: int, name: str, problem: str) -> None:
        self._show_note(f"Phase {row + 1}, {label_of(name).lower()}: {problem}" if problem else "")

    # Showing the rows

    def _current(self) -> int:
        return self.table.currentRow() if self._rows else -1

    def _write_rows(self) -> None:
        for row, controls in zip(self._rows, self._controls, strict=True):
            for name, control in controls.items():
                value: Any = self._place(row) if name == "groups" else getattr(row, name)
                if control.read() != value:
                    control.write(value)

    def _place(self, row: PhaseSettings) -> int:
        """What a row trains as one number: so many groups from the top, 0 for all; below 0 only the lowest of them.

        All stay all when the model gets another layer; more groups than there are mean all of them.
        """
        count = min(row.groups or len(self._groups), len(self._groups))
        if row.alone:
            return -count if count > 1 else count
        return 0 if count == len(self._groups) else count

    def _rebuild(self) -> None:
        self._controls = []
        self.table.setRowCount(0)
        self.table.setRowCount(len(self._rows))
        for number, row in enumerate(self._rows):
            self._controls.append({name: self._cell(number, row, name) for name in COLUMNS})
        self._write_rows()
        if self._rows:
            self.table.selectRow(0)
        self._share_width()
        self._follow_selection()

    def _cell(self, number: int, row: PhaseSettings, name: str) -> Input:
        words = self._words_of_groups()
        control = ChoiceBox(words, words) if name == "groups" else make_control(row, name)
        control.setAccessibleName(f"Phase {number + 1}: {label_of(name)}")
        control.setAccessibleDescription(meaning(PhaseSettings.model_fields[name]))
        control.setToolTip(meaning(PhaseSettings.model_fields[name]))
        control.installEventFilter(self)
        control.setProperty("row", number)
        control.setProperty("column", list(COLUMNS).index(name))
        control.chosen.connect(partial(self._choose, number, name))
        control.judged.connect(partial(self._judge, number, name))
        self.table.setCellWidget(number, list(COLUMNS).index(name), control)
        return control

    def _words_of_groups(self) -> dict[int, str]:
        """What may be trained (see `_place`) → how the plan calls such a phase."""
        count = len(self._groups)
        places = [*range(1, count), 0, *range(-2, -count - 1, -1)]
        settings = StageSettings(phases=[PhaseSettings(**trained(place)) for place in places])
        plan = make_plan(settings, self._groups, lambda epoch: 1)
        return {place: phase.title for place, phase in zip(places, plan.phases, strict=True)}

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The row of the control that has the focus is the marked one, and in sight."""
        if event.type() == QEvent.Type.FocusIn:
            self.table.setCurrentCell(watched.property("row"), watched.property("column"))
        return super().eventFilter(watched, event)

    @Slot()
    def _follow_selection(self) -> None:
        at, count = self._current(), len(self._rows)
        self.remove_button.setEnabled(count > 0)
        self.up_button.setEnabled(at > 0)
        self.down_button.setEnabled(0 <= at < count - 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share_width()

    def _share_width(self) -> None:
        """The words for what is trained are as long as the names of the layers: they get the room that is left."""
        others = sum(width for name, (_, width) in COLUMNS.items() if name != "groups")
        bars = self.table.verticalHeader().width() + self.table.verticalScrollBar().sizeHint().width()
        room = self.table.width() - others - bars - 2 * self.table.frameWidth()
        self.table.setColumnWidth(list(COLUMNS).index("groups"), max(COLUMNS["groups"][1], room))

    def _show_note(self, problem: str) -> None:
        self.note.setText(problem or (REPLACES if self._rows else EMPTY))
        self.note.setProperty("role", "problem" if problem else "muted")
        self.note.style().polish(self.note)

    # Making it

    def _make_buttons(self) -> None:
        self.fill_button = _button("F&ill from", "Begin with the phases of a known way of unfreezing.")
        self.add_button = _button("&Add", "One more phase after the marked one.")
        self.remove_button = _button("Re&move", "Take the marked phase away.")
        self.up_button = _button("&Up", "Let the marked phase come earlier.")
        self.down_button = _button("Do&wn", "Let the marked phase come later.")
        self.close_button = _button("&Close", "Hide the table; its phases stay.")
        self.close_button.clicked.connect(self.closed)
        self.add_button.clicked.connect(self.add)
        self.remove_button.clicked.connect(self.remove)
        self.up_button.clicked.connect(self.move_up)
        self.down_button.clicked.connect(self.move_down)
        menu = QMenu(self)
        for caption, unfreezing in FILLINGS.items():
            menu.addAction(caption).triggered.connect(partial(self._fill_from_menu, unfreezing))
        menu.addSeparator()
        menu.addAction("&Nothing: remove all phases").triggered.connect(self.clear)
        self.fill_button.setMenu(menu)

    def _fill_from_menu(self, unfreezing: str, checked: bool = False) -> None:
        self.fill(unfreezing)

    def _quieten_table(self) -> None:
        table = self.table
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.horizontalHeader().setHighlightSections(False)
        table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for column, (_, width) in enumerate(COLUMNS.values()):
            table.setColumnWidth(column, width)
        table.setProperty("controls", True)
        table.setHorizontalHeaderLabels([heading for heading, _ in COLUMNS.values()])
        table.itemSelectionChanged.connect(self._follow_selection)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        for each in (self.fill_button, self.add_button, self.remove_button, self.up_button, self.down_button):
            buttons.addWidget(each)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SMALL)
        column.addWidget(self.note)
        column.addWidget(self.table, 1)
        column.addLayout(buttons)


def trained(place: int) -> dict[str, Any]:
    """The inverse of `PhaseTable._place`: what it says in a row's own terms."""
    return {"groups": abs(place), "alone": place < 0}


def _button(text: str, tip: str) -> QPushButton:
    made = QPushButton(text)
    made.setToolTip(tip)
    made.setAccessibleDescription(tip)
    return made
