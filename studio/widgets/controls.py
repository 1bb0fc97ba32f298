"""The controls of a form. All speak alike: read, write, `chosen` (a value) and `judged` (what is wrong)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from PySide6.QtCore import QLocale, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QValidator, QWheelEvent
from PySide6.QtWidgets import QAbstractSpinBox, QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit

CHOICES = {
    "slanted": "Slanted triangle",
    "one_cycle": "One cycle",
    "constant": "Constant",
    "all": "All at once",
    "gradual": "Gradually",
    "last": "Last group only",
    "macro_f1": "Macro F1",
    "valid_loss": "Validation loss",
    "ulmfit": "ULMFiT",
    "fastai": "fastai",
    "\t": "Tab",
    " ": "Space",
    ",": "Comma  ,",
    ";": "Semicolon  ;",
    "|": "Bar  |",
    "@": "At sign  @",
}


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
    """A list of the values that a field may have; the wheel turns it only when it has the focus."""

    chosen = Signal(object)
    judged = Signal(str)

    def __init__(self, values: Iterable[str]):
        super().__init__()
        for value in values:
            self.addItem(CHOICES.get(value, value.replace("_", " ").capitalize()), value)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.activated.connect(self._picked)

    def read(self) -> str:
        return self.currentData()

    def write(self, value: str) -> None:
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


Input = NumberBox | ChoiceBox | TickBox | TextBox


def number(text: str) -> float | None:
    """The number a person typed: 0.004, 4e-3 or 30,000 alike; None where it is none."""
    try:
        value = float(text.strip().replace(",", ""))
    except ValueError:
        return None
    return value if np.isfinite(value) else None
