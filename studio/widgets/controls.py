"""The controls of a form. All speak alike: read, write, `chosen` (a value) and `judged` (what is wrong)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from PySide6.QtCore import QLocale, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QValidator, QWheelEvent
from PySide6.QtWidgets import QAbstractSpinBox, QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit

from ulmfit_core import catalog

CHOICES = {
    **{name: entry.title for name, entry in catalog.SCHEDULES.items()},
    "adamw": "AdamW",
    "adam": "Adam",
    "sgd": "SGD",
    "nt_asgd": "NT-ASGD",
    "phase": "Each phase",
    "stage": "Whole stage",
    "all": "All at once",
    "gradual": "Gradually",
    "last": "Last group only",
    "chain": "Chain-thaw",
    "auto": "Automatic",
    "float32": "float32",
    "bf16": "bf16",
    "fp16": "fp16",
    "cpu": "CPU only",
    "lstm": "LSTM",
    "qrnn": "QRNN",
    "full": "Full",
    "adaptive": "Adaptive",
    "macro_f1": "Macro F1",
    "valid_loss": "Validation loss",
    "next_word_accuracy": "Next word",
    "unigram": "Pieces of words",
    "bpe": "Byte pairs",
    "char": "Characters",
    "word": "Whole words",
    "ulmfit": "ULMFiT",
    "fastai": "fastai",
    "\t": "Tab",
    " ": "Space",
    ",": "Comma  ,",
    ";": "Semicolon  ;",
    "|": "Bar  |",
    "@": "At sign  @",
}
# A line on a choice whose name is short.
MEANINGS = {
    name: entry.title
    for table in (catalog.OPTIMIZERS, catalog.RULES, catalog.VOCABULARIES) for name, entry in table.items()
}  # fmt: skip


# Left, top, right, bottom inside a spin box: its own padding in a style sheet does not move the text.
TEXT_MARGINS = 7, 0, 0, 0


class NumberBox(QDoubleSpinBox):
    """A spin box for whole numbers and for rates as small as 0.0001; the wheel turns it only with the focus.

    `problem` says in words why a text is refused, or nothing: the one judge of what may be typed.
    """

    chosen = Signal(object)
    judged = Signal(str)

    def __init__(self, whole: bool, low: float, high: float, problem: Callable[[str], str]):
        self._problem = problem  # these first, because Qt validates while it builds
        self._unit = ""
        super().__init__()
        self._whole = whole
        self._typed = ""
        self.setLocale(QLocale.c())
        self.setDecimals(0 if whole else 10)
        self.setRange(low, high)
        self.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
        self.setKeyboardTracking(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.valueChanged.connect(self._tell)
        self.lineEdit().setTextMargins(*TEXT_MARGINS)
        self.lineEdit().textEdited.connect(self._typing)
        self.editingFinished.connect(self._finished)

    def set_words(self, unit: str, zero: str) -> None:
        """The unit after the number, and the word shown in place of 0."""
        self._unit = unit
        self._fit_unit()
        self.setSpecialValueText(zero)

    def _fit_unit(self) -> None:
        """1 epoch, 2 epochs; s stands for seconds and stays."""
        unit = self._unit.removesuffix("s") if self.value() == 1 and self._unit != "s" else self._unit
        self.setSuffix(f" {unit}" if unit else "")

    def read(self) -> float:
        return int(self.value()) if self._whole else self.value()

    def write(self, value: float) -> None:
        with QSignalBlocker(self):
            self.setValue(value)
            self._fit_unit()

    def _tell(self) -> None:
        self._typed = ""
        self._fit_unit()
        self.chosen.emit(self.read())

    def _typing(self, text: str) -> None:
        self._typed = text
        self.judged.emit(self._judge(text))

    def _finished(self) -> None:
        problem = self._judge(self._typed) if self._typed else ""
        if problem:
            self.judged.emit(f"{problem} It stays at {self.text()}.")
        self._typed = ""

    def _judge(self, text: str) -> str:
        return "" if text == self.specialValueText() else self._problem(self._bare(text))

    def _bare(self, text: str) -> str:
        bare = text.strip()
        for unit in (self._unit, self.suffix().strip()):
            bare = bare.removesuffix(unit)
        return bare.strip()

    # What Qt asks of a spin box with its own way of writing numbers

    def textFromValue(self, value: float) -> str:
        return np.format_float_positional(round(value, 10), trim="-")

    def valueFromText(self, text: str) -> float:
        value = number(self._bare(text))
        return self.value() if value is None else value

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        state = QValidator.State.Intermediate if self._judge(text) else QValidator.State.Acceptable
        return state, text, position

    def wheelEvent(self, event: QWheelEvent) -> None:
        super().wheelEvent(event) if self.hasFocus() else event.ignore()


class ChoiceBox(QComboBox):
    """A list of the values that a field may have; the wheel turns it only when it has the focus.

    `words` are what is read for each value where they are not those of CHOICES.
    """

    chosen = Signal(object)
    judged = Signal(str)

    def __init__(self, values: Iterable[object], words: Mapping[Any, str] | None = None):
        super().__init__()
        known: Mapping[Any, str] = words or CHOICES
        for value in values:
            self.addItem(known.get(value, str(value).replace("_", " ").capitalize()), value)
            if value in MEANINGS:
                self.setItemData(self.count() - 1, MEANINGS[str(value)], Qt.ItemDataRole.ToolTipRole)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.activated.connect(self._picked)

    def read(self) -> Any:
        return self.currentData()

    def write(self, value: object) -> None:
        self.setCurrentIndex(self.findData(value))

    def _picked(self, index: int) -> None:
        self.chosen.emit(self.itemData(index))

    def wheelEvent(self, event: QWheelEvent) -> None:
        super().wheelEvent(event) if self.hasFocus() else event.ignore()


class TickBox(QCheckBox):
    """Yes or no."""

    chosen = Signal(object)
    judged = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.clicked.connect(self._clicked)

    def read(self) -> bool:
        return self.isChecked()

    def write(self, value: bool) -> None:
        self.setChecked(value)

    def _clicked(self, checked: bool) -> None:
        self.chosen.emit(checked)


class TextBox(QLineEdit):
    """A line of text, or several separated by commas where the field is a list."""

    chosen = Signal(object)
    judged = Signal(str)

    def __init__(self, many: bool):
        super().__init__()
        self._many = many
        self.editingFinished.connect(self._finished)

    def read(self) -> str | list[str]:
        text = self.text().strip()
        return [part.strip() for part in text.split(",") if part.strip()] if self._many else text

    def write(self, value: str | list[str]) -> None:
        self.setText(", ".join(value) if isinstance(value, list) else value)

    def _finished(self) -> None:
        if self.isModified():
            self.setModified(False)
            self.chosen.emit(self.read())


class NumbersBox(QLineEdit):
    """Numbers separated by commas; 1/6 may be written for a share."""

    chosen = Signal(object)
    judged = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._values: list[float] = []
        self.textEdited.connect(self._typing)
        self.editingFinished.connect(self._finished)

    def read(self) -> list[float]:
        return self._values

    def write(self, values: list[float]) -> None:
        self._values = list(values)
        self.setText(", ".join(share_text(value) for value in values))

    def _typing(self, text: str) -> None:
        self.judged.emit("" if shares(text) is not None else "Numbers are needed here, with commas between them.")

    def _finished(self) -> None:
        if not self.isModified():
            return
        self.setModified(False)
        values = shares(self.text())
        if values is not None:
            self._values = values
            self.chosen.emit(values)


Input = NumberBox | ChoiceBox | TickBox | TextBox | NumbersBox


def shares(text: str) -> list[float] | None:
    """The numbers of “1/6, 1/3, 1”; None where one of them is none."""
    try:
        return [float(Fraction(part.strip())) for part in text.split(",") if part.strip()]
    except (ValueError, ZeroDivisionError):
        return None


def share_text(value: float) -> str:
    """The shortest way to write it that reads back as the same number: 0.5, 1/6 or all its digits."""
    simple = Fraction(value).limit_denominator(99)
    short = f"{value:.6g}"
    return short if float(short) == value else str(simple) if float(simple) == value else repr(value)


def number(text: str) -> float | None:
    """The number a person typed: 0.004, 4e-3 or 30,000 alike; None where it is none."""
    try:
        value = float(text.strip().replace(",", ""))
    except ValueError:
        return None
    return value if np.isfinite(value) else None
