"""On a training screen: what the language model wrote after each epoch, and how it is asked to write."""

from __future__ import annotations

import html
from collections.abc import Sequence

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLineEdit, QTextEdit, QVBoxLayout, QWidget

from studio import theme
from studio.read_only import WRITES
from studio.session import Session
from studio.widgets.controls import TEXT_MARGINS
from ulmfit_core.events import Event, SampleText

NOTHING = "After each epoch the model writes a few words here. They become more and more like your texts."


class Texts(QTextEdit):
    """The texts, the newest first. Someone who reads further down is left where they are when one is added."""

    def __init__(self) -> None:
        super().__init__(readOnly=True)
        self.setTabChangesFocus(True)
        self.setAccessibleName("Texts that the language model wrote")
        self.setToolTip("One text an epoch, the newest first; Ctrl+C copies what is marked.")
        self._samples: list[SampleText] | None = None
        self.show_events([])
        theme.changed.connect(self._draw)

    def show_events(self, told: Sequence[Event]) -> None:
        samples = [event for event in told if isinstance(event, SampleText)]
        if samples != self._samples:
            self._samples = samples
            self._draw()

    @Slot()
    def _draw(self) -> None:
        bar = self.verticalScrollBar()
        from_end = bar.maximum() - bar.value() if bar.value() else None
        nothing = f'<span style="color:{theme.colours().muted}">{NOTHING}</span>'
        self.setHtml("".join(paragraph(event) for event in reversed(self._samples or [])) or nothing)
        if from_end is not None:
            bar.setValue(bar.maximum() - from_end)


class Writes(QWidget):
    """The texts under the beginning and the temperature that the next one is written with."""

    def __init__(self, session: Session):
        super().__init__()
        self.session = session
        self.texts = Texts()
        self.prompt = QLineEdit()
        self.prompt.setAccessibleName("Beginning of the text that is written after each epoch")
        self.prompt.setPlaceholderText("Beginning of each text; empty: the model begins")
        self.prompt.setToolTip("The model goes on from here after each epoch, from the next one on.")
        self.temperature = QDoubleSpinBox(minimum=0, maximum=2, singleStep=0.1, prefix="temperature ")
        self.temperature.setAccessibleName("Temperature of the texts")
        self.temperature.setToolTip("Low: the likeliest words. High: bolder and odder ones.")
        self.temperature.setKeyboardTracking(False)
        self.temperature.lineEdit().setTextMargins(*TEXT_MARGINS)
        for part in (self.prompt, self.temperature):
            part.setProperty(WRITES, True)
        self.prompt.editingFinished.connect(self._keep_prompt)
        self.temperature.valueChanged.connect(self._keep_temperature)
        self._lay_out()

    def refresh(self) -> None:
        if self.session.project is None:
            return
        wishes = self.session.project.recipe.insight
        if not self.prompt.hasFocus():
            self.prompt.setText(wishes.prompt)
        self.temperature.blockSignals(True)
        self.temperature.setValue(wishes.temperature)
        self.temperature.blockSignals(False)

    @Slot()
    def _keep_prompt(self) -> None:
        project = self.session.project
        if project and self.prompt.text().strip() != project.recipe.insight.prompt:
            self.session.change("insight.prompt", self.prompt.text().strip())

    @Slot(float)
    def _keep_temperature(self, value: float) -> None:
        self.session.change("insight.temperature", round(value, 2))

    def _lay_out(self) -> None:
        across = QHBoxLayout()
        across.addWidget(self.prompt, 1)
        across.addWidget(self.temperature)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.SMALL, theme.SMALL, theme.SMALL, theme.SMALL)
        column.setSpacing(theme.SMALL)
        column.addLayout(across)
        column.addWidget(self.texts, 1)


def paragraph(event: SampleText) -> str:
    """Its epoch before the text, which repeats the beginning that was asked for."""
    return f"<p><b>Epoch {event.epoch + 1}</b>&nbsp; {html.escape(event.text) or '(no words)'}</p>"
