"""The card “Rows kept aside”: which rows validate and test, and in plain words what the import will do.

What a column or a file says goes before the chosen way, so a control is shown where the way needs it or it is set.
"""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio import theme
from studio.screens.split_words import (
    ABOUT,
    TRANSDUCTIVE,
    WAYS,
    cases,
    foretell,
    missing,
    problem_of,
)
from studio.widgets.card import line
from studio.widgets.controls import ChoiceBox, NumberBox, number
from studio.widgets.declared import bounds, make_control
from studio.widgets.form import FieldRow, Fold
from studio.widgets.path_field import PathField
from ulmfit_core.config import DataSettings
from ulmfit_core.data.splits import TEST, VALID, Origin, manner

NUMBER_WIDTH = 134  # as in a Form
GIVEN = ("split_column", "group_column", "valid", "test")  # "" where not given
# What a way asks for, and what may stay beside it when it is chosen.
ASKED: dict[str, tuple[str, ...]] = {
    "stratified": (), "tail": (), "group": ("group_column",), "column": ("split_column",), "file": ("valid", "test"),
    "folds": ("folds", "fold", "group_column"),
}  # fmt: skip
KEPT: dict[str, tuple[str, ...]] = {
    "stratified": (), "tail": ("valid", "test"), "group": ("valid", "test"), "folds": ("valid", "test"),
    "column": ("group_column", "valid", "test"), "file": ("group_column",),
}  # fmt: skip
ADVANCED = ("labelled_rows", "transductive", "seed")


class Splits(QWidget):
    """`changed(name, value)`: the person set one knob of the DataSettings."""

    changed = Signal(str, object)

    def __init__(self) -> None:
        super().__init__()
        self._settings = DataSettings()
        self._columns: list[str] = []
        self._named = False
        self._earlier: dict[str, str] = {}  # what was given before another way was chosen
        self.way = ChoiceBox(WAYS, WAYS)
        self.about = line(role="hint")
        self.knobs = make_knobs()
        self.sentence = QLabel(wordWrap=True)
        self.sentence.setTextFormat(Qt.TextFormat.PlainText)  # names of files and columns stay what they are
        self.rows = {name: FieldRow(self._settings, name) for name in ADVANCED}
        self.advanced = Fold("Advanced", self.rows)
        self._lay_out()
        self._connect()
        self.set_settings(self._settings)

    @property
    def problem(self) -> str:
        """Why an import would be refused, as far as is known before it; empty where it would not."""
        return problem_of(self._settings, self._columns, self._named)

    def set_columns(self, columns: list[str]) -> None:
        """The columns of the chosen file. Where they differ, what was given for another file is forgotten."""
        if columns != self._columns:
            self._earlier = {}
        self._columns = list(columns)
        for name in ("split_column", "group_column"):
            box = self.knobs[name].control
            assert isinstance(box, ColumnBox)
            box.offer(columns)
        self.set_settings(self._settings, self._named)

    def set_settings(self, settings: DataSettings, named: bool = False) -> None:
        """`named`: whether parts of the chosen file may be called train, valid or test (`Preview.named`)."""
        self._settings, self._named = settings, named
        self.way.write(way_of(settings))
        for name, knob in self.knobs.items():
            knob.show_value(settings)
            knob.setVisible(name in counting(settings, named))
        for row in self.rows.values():
            row.set_model(settings)
        self._hide_what_counts_not()
        self._explain()

    # What is seen

    def _hide_what_counts_not(self) -> None:
        labelled = bool(self._settings.label)
        for part in (self.way, self.about, self.rows["labelled_rows"]):
            part.setVisible(labelled)
        self.rows["seed"].setVisible("seed" in counting(self._settings, self._named))
        self.advanced.count()

    def _explain(self) -> None:
        problem = self.problem
        self.about.setText(ABOUT[way_of(self._settings)])
        self.sentence.setText(problem or foretell(self._settings, self._named))
        self.sentence.setProperty("role", "problem" if problem else "")
        self.sentence.style().polish(self.sentence)

    # What the person does

    @Slot(object)
    def _choose_way(self, way: str) -> None:
        """Take back what was given for this way before; drop what was given for others."""
        now = {name: getattr(self._settings, name) for name in GIVEN}
        self._earlier.update({name: value for name, value in now.items() if value})
        asked = {name: now[name] or self._earlier.get(name, "") for name in GIVEN if name in ASKED[way]}
        dropped = dict.fromkeys((name for name in GIVEN if name not in (*ASKED[way], *KEPT[way])), "")
        self._tell_all({**asked, **dropped, "split": way})

    @Slot(str, object)
    def _tell(self, name: str, value: Any) -> None:
        """Where the chosen fold is past the number of folds, the last one is chosen."""
        past = name == "folds" and self._settings.fold > value
        self._tell_all({name: value, "fold": value} if past else {name: value})

    def _tell_all(self, changes: dict[str, Any]) -> None:
        """The settings are compared before the first signal, which changes them."""
        different = {name: value for name, value in changes.items() if value != getattr(self._settings, name)}
        for name, value in different.items():
            self.changed.emit(name, value)

    # Building

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.MEDIUM)
        describe(self.way, "How rows are kept aside", "Which rows are for validation and test, and not for training.")
        head = QVBoxLayout()
        head.setSpacing(3)
        head.addWidget(self.way)
        head.addWidget(self.about)
        column.addLayout(head)
        for part in (*self.knobs.values(), self.sentence):
            column.addWidget(part)
        below = self.rows["transductive"].layout()
        assert below is not None
        below.addWidget(line(TRANSDUCTIVE, "hint"))
        column.addWidget(self.advanced)

    def _connect(self) -> None:
        self.way.chosen.connect(self._choose_way)
        parts: list[Knob | FieldRow] = [*self.knobs.values(), *self.rows.values()]
        for part in parts:
            part.changed.connect(self._tell)


def way_of(settings: DataSettings) -> str:
    """The way that the engine takes: what is given goes before a choice at random."""
    if settings.split != "stratified":
        return settings.split
    if settings.split_column:
        return "column"
    if settings.valid or settings.test:
        return "file"
    return "group" if settings.group_column else "stratified"


def counting(settings: DataSettings, named: bool) -> set[str]:
    """The knobs that are shown: those that the way asks for and those that make a difference to the import."""
    given = {name for name in GIVEN if getattr(settings, name)}
    if not settings.label:
        return given
    every = [] if missing(settings, named) else cases(settings, named)
    shares = {"test_fraction"} if any(case[TEST] in ("share", "none") for case in every) else set()
    shares |= {"valid_fraction"} if any(case[VALID] == "share" for case in every) else set()
    return given | set(ASKED[way_of(settings)]) | shares | ({"seed"} if is_drawn(settings, every) else set())


def is_drawn(settings: DataSettings, every: list[dict[int, Origin]]) -> bool:
    """Whether chance takes part in any of the cases, and so the seed."""
    origins = {origin for case in every for origin in case.values()}
    shared = "share" in origins and manner(settings, bool(settings.group_column)) != "tail"
    return bool(settings.labelled_rows) or shared or "fold" in origins


# One control each


class ShareBox(NumberBox):
    """A share within the bounds of its declaration, shown and typed in per cent."""

    def __init__(self, name: str):
        low, high = (100 * bound for bound in bounds(DataSettings.model_fields[name]))
        super().__init__(False, low, high, lambda text: out_of(text, low, high))
        self.set_words("%", "" if low else "none")

    def read(self) -> float:
        return self.value() / 100

    def write(self, value: float) -> None:
        super().write(100 * value)


def out_of(text: str, low: float, high: float) -> str:
    """Why the text is no percentage from `low` to `high`, as a sentence; empty where it is one."""
    value = number(text)
    if value is None:
        return "A number is needed here."
    return "" if low <= value <= high else f"From {low:g} to {high:g} %."


class ColumnBox(ChoiceBox):
    """One of the columns of the chosen file, or none."""

    def __init__(self, nothing: str):
        super().__init__([])
        self._nothing = nothing
        self.offer([])

    def offer(self, columns: list[str]) -> None:
        self.clear()
        self.addItem(self._nothing, "")
        for column in columns:
            self.addItem(f"Column {column}" if column.isdigit() else column, column)

    def write(self, value: object) -> None:
        """A column that the file does not have is shown too: it must be seen to be mended."""
        if self.findData(value) < 0:
            self.addItem(str(value), value)
        super().write(value)


class FoldBox(ChoiceBox):
    """One of so many folds."""

    def __init__(self) -> None:
        super().__init__([])

    def offer(self, folds: int) -> None:
        if self.count() != folds:
            self.clear()
            for fold in range(1, folds + 1):
                self.addItem(f"{fold} of {folds}", fold)


class FileBox(PathField):
    """A path as the other controls speak."""

    def write(self, value: str) -> None:
        self.set_path(value)


class Knob(QWidget):
    """Title, control and a hint; `changed(name, value)`."""

    changed = Signal(str, object)

    def __init__(self, name: str, title: str, hint: str, control: NumberBox | ChoiceBox | FileBox):
        super().__init__()
        self.name, self.control = name, control
        self._hint = hint
        self._note = line(hint, "hint")
        describe(control, title, hint)
        self._lay_out(title)
        control.chosen.connect(self._choose)
        if isinstance(control, NumberBox):
            control.judged.connect(self._show_problem)

    def show_value(self, settings: DataSettings) -> None:
        if isinstance(self.control, FoldBox):
            self.control.offer(settings.folds)
        self.control.write(getattr(settings, self.name))

    def _lay_out(self, title: str) -> None:
        """Numbers stand beside their title, what is long below it."""
        name = line(title)
        name.setBuddy(self.control)
        narrow = isinstance(self.control, NumberBox | FoldBox)
        head = QHBoxLayout() if narrow else QVBoxLayout()
        head.setSpacing(theme.SMALL if narrow else 3)
        head.addWidget(name, 1)
        head.addWidget(self.control)
        if narrow:
            self.control.setFixedWidth(NUMBER_WIDTH)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(head)
        column.addWidget(self._note)
        self._note.setVisible(bool(self._hint))

    @Slot(str)
    @Slot(object)
    def _choose(self, value: object) -> None:
        self._show_problem("")
        self.changed.emit(self.name, value)

    @Slot(str)
    def _show_problem(self, problem: str) -> None:
        self._note.setText(problem or self._hint)
        self._note.setProperty("role", "problem" if problem else "hint")
        self._note.style().polish(self._note)
        self._note.setVisible(bool(problem or self._hint))


def make_knobs() -> dict[str, Knob]:
    """In the order in which they are shown."""
    folds = make_control(DataSettings(), "folds")
    assert isinstance(folds, NumberBox)
    knobs = (
        Knob("split_column", "Column that says it", "", ColumnBox("None")),
        Knob("group_column", "Column of the groups", "Rows with the same value belong together.", ColumnBox("None")),
        Knob("test", "Test file", "", FileBox("Test file")),
        Knob("valid", "Validation file", "", FileBox("Validation file")),
        Knob("folds", "Number of folds", "", folds),
        Knob("fold", "Fold kept aside", "", FoldBox()),
        Knob("test_fraction", "Share for the test", "Used once, to measure the finished classifier.",
             ShareBox("test_fraction")),
        Knob("valid_fraction", "Share for validation", "Used during training, to see when it gets better.",
             ShareBox("valid_fraction")),
    )  # fmt: skip
    return {knob.name: knob for knob in knobs}


def describe(control: QWidget, name: str, tip: str) -> None:
    control.setAccessibleName(name)
    control.setAccessibleDescription(tip)
    control.setToolTip(tip or name)
