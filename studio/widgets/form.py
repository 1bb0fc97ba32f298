"""A form that builds itself from a settings model, whose declarations say what each knob means and may be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QTextDocumentFragment
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWhatsThis, QWidget

from studio.read_only import WRITES
from studio.widgets.controls import Input, NumbersBox, TextBox, TickBox
from studio.widgets.declared import (
    extra,
    grouped,
    help_of,
    is_editable,
    label_of,
    make_control,
    meaning,
    more_of,
    problem_of,
)

UNGROUPED = 8  # settings that need no headings among them


class FieldRow(QWidget):
    """One knob: label, control and a line that helps, or says what is wrong."""

    changed = Signal(str, object)

    def __init__(self, model: BaseModel, name: str):
        super().__init__()
        self.name = name
        self._model = model
        self._field = type(model).model_fields[name]
        self.control = make_control(model, name)
        self.note = QLabel(self._help(), wordWrap=True)
        self.note.setProperty("role", "hint")
        self._lay_out()
        self._describe()
        self.control.chosen.connect(self._choose)
        self.control.judged.connect(self._show_problem)

    def set_model(self, model: BaseModel) -> None:
        """Show another model's value; a text that is being typed stays where the value is the same."""
        old, new = getattr(self._model, self.name), getattr(model, self.name)
        self._model = model
        if old != new or self.control.read() != new:
            self.control.write(new)
            self._show_problem("")

    def add_below(self, part: QWidget) -> None:
        """One more thing that belongs to this knob."""
        column = self.layout()
        assert isinstance(column, QVBoxLayout)
        column.addWidget(part, 0, Qt.AlignmentFlag.AlignRight)

    def _lay_out(self) -> None:
        title = QLabel(label_of(self.name), wordWrap=True)
        title.setBuddy(self.control)
        line = QHBoxLayout()
        line.addWidget(title, 1)
        line.addWidget(HelpButton(self.control))
        line.addWidget(self.control)
        if isinstance(self.control, TextBox | NumbersBox):
            title.setMinimumWidth(90)
        elif not isinstance(self.control, TickBox):
            self.control.setFixedWidth(134)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(line)
        column.addWidget(self.note)

    def _describe(self) -> None:
        """The control tells all of its declaration to the mouse and a screen reader; help says what is more."""
        text = help_of(type(self._model), self.name)
        self.control.setAccessibleName(label_of(self.name))
        self.control.setAccessibleDescription(plain(text))
        self.control.setObjectName(self.name)
        self.control.setWhatsThis(more_of(type(self._model), self.name))
        for part in (self, self.control):
            part.setToolTip(text)

    def _help(self) -> str:
        return meaning(self._field)

    def _choose(self, value: Any) -> None:
        problem = problem_of(self._model, self.name, value)
        self._show_problem(problem)
        if problem:
            self.control.write(getattr(self._model, self.name))
        elif value != getattr(self._model, self.name):
            self.changed.emit(self.name, value)

    def _show_problem(self, problem: str) -> None:
        self.note.setText(problem or self._help())
        self.note.setProperty("role", "problem" if problem else "hint")
        self.note.style().polish(self.note)


class HelpButton(QToolButton):
    """A question mark that shows what the line below a control does not say.

    The keyboard has F1 for it, so Tab passes it by.
    """

    def __init__(self, control: QWidget):
        super().__init__()
        self._control = control
        self.setText("?")
        self.setProperty("role", "help")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName("Help")
        self.setToolTip("Its default, its range and where it comes from. Or press F1 in the field.")
        self.clicked.connect(self._show)

    def _show(self) -> None:
        QWhatsThis.showText(self.mapToGlobal(self.rect().bottomLeft()), self._control.whatsThis(), self)


class Form(QWidget):
    """All knobs of a model: `names` first (else those not declared advanced), the rest folded away.

    `changed(name, value)` is emitted for values that the model allows; the form itself changes nothing.
    """

    changed = Signal(str, object)

    def __init__(
        self, model: BaseModel, names: Iterable[str] | None = None, advanced: Iterable[str] | None = None
    ):
        super().__init__()
        self.setProperty(WRITES, True)
        self.rows: dict[str, FieldRow] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        first, rest = split_names(type(model), names, advanced)
        for name in first:
            column.addWidget(self._row(model, name))
        self.advanced = Fold("Advanced", {name: self._row(model, name) for name in rest})
        if rest:
            column.addWidget(self.advanced)

    def set_model(self, model: BaseModel) -> None:
        """Show another model of the same kind, without signals."""
        for row in self.rows.values():
            row.set_model(model)

    def control(self, name: str) -> Input:
        return self.rows[name].control

    def show_rows(self, names: Iterable[str], shown: bool) -> None:
        """Hide settings that mean nothing beside the others, or show them again."""
        for name in names:
            self.rows[name].setVisible(shown)
        self.advanced.count()

    def let_change(self, names: Iterable[str], may: bool) -> None:
        """Settings that something else replaces cannot be changed."""
        for name in names:
            self.rows[name].control.setEnabled(may)

    def _row(self, model: BaseModel, name: str) -> FieldRow:
        row = self.rows[name] = FieldRow(model, name)
        row.changed.connect(self.changed)
        return row


class Fold(QFrame):
    """A section that opens and closes by its heading; many settings are told apart by headings of their groups."""

    def __init__(self, title: str, rows: dict[str, FieldRow]):
        super().__init__()
        self.heading = QToolButton()
        self._title, self._rows = title, rows
        self.heading.setCheckable(True)
        self.heading.setToolTip("Show or hide settings that seldom need a change.")
        self.heading.setAutoRaise(True)
        self.heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.heading.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.inside = QWidget()
        self._fill(rows)
        self.count()
        outside = QVBoxLayout(self)
        outside.setContentsMargins(0, 0, 0, 0)
        outside.addWidget(self.heading)
        outside.addWidget(self.inside)
        self.heading.toggled.connect(self._open)
        self._open(False)

    def count(self) -> None:
        """Tell how many settings there are in it."""
        shown = sum(not row.isHidden() for row in self._rows.values())
        self.heading.setText(f"{self._title} ({shown} setting{'s' * (shown != 1)})")

    def _fill(self, rows: dict[str, FieldRow]) -> None:
        column = QVBoxLayout(self.inside)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(12)
        groups = grouped(list(rows)) if len(rows) > UNGROUPED else {"": list(rows)}
        for heading, names in groups.items():
            if heading:
                column.addWidget(self._group_heading(heading))
            for name in names:
                column.addWidget(rows[name])

    @staticmethod
    def _group_heading(text: str) -> QLabel:
        heading = QLabel(text)
        heading.setProperty("role", "group")
        heading.setIndent(0)
        return heading

    def _open(self, opened: bool) -> None:
        self.inside.setVisible(opened)
        self.heading.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)


def plain(text: str) -> str:
    """Rich text of ours as sentences."""
    return QTextDocumentFragment.fromHtml(text).toPlainText().replace("\n", " ")


def split_names(
    kind: type[BaseModel], names: Iterable[str] | None, advanced: Iterable[str] | None
) -> tuple[list[str], list[str]]:
    """Which fields are shown at first and which under Advanced."""
    fields = {name: field for name, field in kind.model_fields.items() if is_editable(field)}
    first = [name for name in (names or fields) if name in fields]
    if names is None:
        first = [name for name in first if not extra(fields[name], "advanced")]
    rest = fields if advanced is None else [name for name in advanced if name in fields]
    return first, [name for name in rest if name not in first]
