"""What a training tells after each epoch: a row of figures, and for a language model a text of its own."""

from __future__ import annotations

import html
from collections.abc import Sequence

from PySide6.QtWidgets import QTextEdit

from studio import theme
from studio.widgets.table import Table
from ulmfit_core.events import EpochEnded, Event, SampleText

# Metric → heading and format; a column is shown where the run has the metric.
COLUMNS = {
    "train_loss": ("Train loss", "{:.4f}"),
    "valid_loss": ("Valid. loss", "{:.4f}"),
    "perplexity": ("Perplexity", "{:,.1f}"),
    "next_word_accuracy": ("Next word", "{:.1%}"),
    "accuracy": ("Accuracy", "{:.1%}"),
    "macro_f1": ("Macro F1", "{:.3f}"),
}

NO_SAMPLES = "After each epoch the model writes a few words here. They become more and more like your texts."


class EpochsTable(Table):
    """One row an epoch; the kept one has a star."""

    def __init__(self) -> None:
        super().__init__("Epochs")
        self.nothing = "A row of figures appears here after each epoch. The best epoch gets a star and is kept."
        self.show_events([])

    def show_events(self, told: Sequence[Event]) -> None:
        ended = [event for event in told if isinstance(event, EpochEnded)]
        names = [name for name in COLUMNS if any(name in event.metrics for event in ended)]
        best = max((event.epoch for event in ended if event.best), default=None)
        headers = ["Epoch", *(COLUMNS[name][0] for name in names or list(COLUMNS)[:2])]
        self.set_rows(headers, [self._row(event, names, event.epoch == best) for event in ended])
        self.scrollToBottom()

    @staticmethod
    def _row(event: EpochEnded, names: list[str], best: bool) -> list[str]:
        figures = [
            COLUMNS[name][1].format(event.metrics[name]) if name in event.metrics else "" for name in names
        ]
        return [f"★ {event.epoch + 1}" if best else str(event.epoch + 1), *figures]


class SampleTexts(QTextEdit):
    """What the language model wrote, the newest first."""

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setTabChangesFocus(True)
        self.setAccessibleName("Texts that the language model wrote")
        self.show_events([])

    def show_events(self, told: Sequence[Event]) -> None:
        samples = [event for event in told if isinstance(event, SampleText)]
        self.setHtml("".join(self._paragraph(event) for event in reversed(samples)) or self._nothing())

    @staticmethod
    def _nothing() -> str:
        """A placeholder of Qt's own would not wrap."""
        return f'<span style="color:{theme.colours().muted}">{NO_SAMPLES}</span>'

    @staticmethod
    def _paragraph(event: SampleText) -> str:
        # The model writes the prompt again before it goes on.
        return f"<p><b>Epoch {event.epoch + 1}</b><br>{html.escape(event.text) or '(no words)'}</p>"
