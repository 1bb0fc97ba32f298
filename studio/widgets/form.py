"""A form that builds itself from a settings model, whose declarations say what each knob means and may be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from studio.widgets.controls import ChoiceBox, Input, NumberBox, TextBox, TickBox, number

# The words a newcomer reads; the field's own term follows in the line of help.
LABELS = {
    "enabled": "Part of the recipe",
    "lr_max": "Highest learning rate",
    "drop_mult": "Dropout multiplier",
    "bptt": "Window length",
    "schedule": "Learning-rate schedule",
    "cut_frac": "Rising share",
    "ratio": "Peak to lowest rate",
    "pct_start": "Rising share of one-cycle",
    "momentum_low": "Lowest momentum",
    "beta2": "Second beta",
    "layer_factor": "Layer-rate factor",
    "frozen_epochs": "Epochs per frozen phase",
    "clip": "Gradient clipping",
    "input_drop": "Input dropout",
    "hidden_drop": "Hidden dropout",
    "weight_drop": "Weight dropout",
    "embedding_drop": "Embedding dropout",
    "output_drop": "Output dropout",
    "tokens_per_pass": "Tokens per pass",
    "checkpoint_seconds": "Checkpoint every",
    "seed": "Random seed",
    "alpha": "AR weight",
    "beta": "TAR weight",
    "variable_bptt": "Variable window length",
    "embedding": "Embedding size",
    "hidden": "Hidden size",
    "layers": "Layers",
    "head": "Head size",
    "head_drop": "Head dropout",
    "max_length": "Longest document",
    "keep_best_by": "Keep the best by",
    "size": "Vocabulary size",
    "rules": "Text rules",
    "sample_mb": "Text to learn from",
    "coverage": "Character coverage",
    "max_tokens": "Longest text",
    "data": "Texts",
    "label": "Label column",
    "text": "Text columns",
    "test": "Test file",
    "unlabelled": "Texts without labels",
    "corpus": "General text",
    "valid_fraction": "Validation share",
    "test_fraction": "Test share",
}
# What 0 stands for, told by the declaration's own help.
ZEROS = {
    "0 chooses": "automatic",
    "0 means": "automatic",
    "uses all": "all",
    "keeps all": "all",
    "trains all": "all",
    "0 does not clip": "off",
}


def label_of(name: str) -> str:
    """The label of a field: its words, or its name made readable."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


class FieldRow(QWidget):
    """One knob: label, control and a line that helps, or says what is wrong."""

    changed = Signal(str, object)

    def __init__(self, model: BaseModel, name: str):
        super().__init__()
        self.name = name
        self._model = model
        self._field = type(model).model_fields[name]
        self.control = self._make_control()
        self.control.write(getattr(model, name))
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

    def _make_control(self) -> Input:
        kind = self._field.annotation
        if get_origin(kind) is Literal:
            return ChoiceBox(get_args(kind))
        if kind is bool:
            return TickBox()
        if kind in (int, float):
            box = NumberBox(kind is int, *bounds(self._field), self._problem_of_text)
            box.set_words(extra(self._field, "unit"), zero_word(self._field))
            return box
        return TextBox(many=kind is not str)

    def _lay_out(self) -> None:
        title = QLabel(label_of(self.name), wordWrap=True)
        title.setBuddy(self.control)
        line = QHBoxLayout()
        line.addWidget(title, 1)
        line.addWidget(self.control)
        if isinstance(self.control, TextBox):
            title.setMinimumWidth(90)
        elif not isinstance(self.control, TickBox):
            self.control.setFixedWidth(134)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(line)
        column.addWidget(self.note)

    def _describe(self) -> None:
        self.control.setAccessibleName(label_of(self.name))
        self.control.setAccessibleDescription(self._field.description or "")
        self.control.setObjectName(self.name)
        self.setToolTip(self._tooltip())

    def _help(self) -> str:
        text = self._field.description or ""
        return text if name_is_plain(self.name) else f"<b>{self.name}</b> · {text}"

    def _tooltip(self) -> str:
        low, high = bounds(self._field)
        facts = [f"<b>{label_of(self.name)}</b> ({self.name})", self._field.description or ""]
        if isinstance(self.control, NumberBox):
            facts.append(f"From {low:g} to {high:g}." if high < UNBOUNDED else f"From {low:g}.")
        if extra(self._field, "source"):
            facts.append(f"Source: {extra(self._field, 'source')}.")
        return "<br>".join(facts)

    def _choose(self, value: Any) -> None:
        problem = self._problem_of(value)
        self._show_problem(problem)
        if problem:
            self.control.write(getattr(self._model, self.name))
        elif value != getattr(self._model, self.name):
            self.changed.emit(self.name, value)

    def _problem_of_text(self, text: str) -> str:
        value = number(text)
        return "A number is needed here." if value is None else self._problem_of(value)

    def _problem_of(self, value: Any) -> str:
        try:
            type(self._model).__pydantic_validator__.validate_assignment(
                self._model.model_copy(), self.name, value
            )
        except ValidationError as error:
            return error.errors()[0]["msg"].replace("Input should be", "This must be").removesuffix(".") + "."
        return ""

    def _show_problem(self, problem: str) -> None:
        self.note.setText(problem or self._help())
        self.note.setProperty("role", "problem" if problem else "hint")
        self.note.style().polish(self.note)


class Form(QWidget):
    """All knobs of a model: `names` first (else those not declared advanced), the rest folded away.

    `changed(name, value)` is emitted for values that the model allows; the form itself changes nothing.
    """

    changed = Signal(str, object)

    def __init__(
        self, model: BaseModel, names: Iterable[str] | None = None, advanced: Iterable[str] | None = None
    ):
        super().__init__()
        self.rows: dict[str, FieldRow] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        first, rest = split_names(type(model), names, advanced)
        for name in first:
            column.addWidget(self._row(model, name))
        if rest:
            column.addWidget(Fold("Advanced", [self._row(model, name) for name in rest]))

    def set_model(self, model: BaseModel) -> None:
        """Show another model of the same kind, without signals."""
        for row in self.rows.values():
            row.set_model(model)

    def control(self, name: str) -> Input:
        return self.rows[name].control

    def _row(self, model: BaseModel, name: str) -> FieldRow:
        row = self.rows[name] = FieldRow(model, name)
        row.changed.connect(self.changed)
        return row


class Fold(QFrame):
    """A section that opens and closes by its heading."""

    def __init__(self, title: str, rows: list[FieldRow]):
        super().__init__()
        self.heading = QToolButton()
        self.heading.setText(f"{title} ({len(rows)} settings)")
        self.heading.setCheckable(True)
        self.heading.setToolTip("Show or hide settings that seldom need a change.")
        self.heading.setAutoRaise(True)
        self.heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.heading.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.inside = QWidget()
        column = QVBoxLayout(self.inside)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(12)
        for row in rows:
            column.addWidget(row)
        outside = QVBoxLayout(self)
        outside.setContentsMargins(0, 0, 0, 0)
        outside.addWidget(self.heading)
        outside.addWidget(self.inside)
        self.heading.toggled.connect(self._open)
        self._open(False)

    def _open(self, opened: bool) -> None:
        self.inside.setVisible(opened)
        self.heading.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)


# What a declaration says

UNBOUNDED = 1e9


def extra(field: FieldInfo, key: str) -> Any:
    facts = field.json_schema_extra
    return facts.get(key, "") if isinstance(facts, dict) else ""


def bounds(field: FieldInfo) -> tuple[float, float]:
    """Smallest and largest value; an exclusive bound counts as one, the judge of typed text knows better."""
    low, high = -UNBOUNDED, UNBOUNDED
    for fact in field.metadata:
        low = max(low, getattr(fact, "ge", low), getattr(fact, "gt", low))
        high = min(high, getattr(fact, "le", high), getattr(fact, "lt", high))
    return low, high


def zero_word(field: FieldInfo) -> str:
    """The word for a 0 that is no quantity, such as “automatic”."""
    if bounds(field)[0] != 0:
        return ""
    return next((word for phrase, word in ZEROS.items() if phrase in (field.description or "")), "")


def name_is_plain(name: str) -> bool:
    return name.replace("_", " ") == label_of(name).lower()


def is_editable(field: FieldInfo) -> bool:
    """Tables of phases and the like have no place in a form."""
    kind = field.annotation
    return kind in (str, bool, int, float, list[str]) or get_origin(kind) is Literal


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
