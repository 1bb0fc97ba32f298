"""What a training tells after each epoch: a row of figures."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QAction, QColor

from studio import theme
from studio.widgets.pace import duration
from studio.widgets.table import Table
from ulmfit_core.events import Ended, EpochEnded, Event, Plan

# Metric → heading and format; a column is shown where the run has the metric.
COLUMNS = {
    "train_loss": ("Train loss", "{:.4f}"),
    "valid_loss": ("Valid. loss", "{:.4f}"),
    "perplexity": ("Perplexity", "{:,.1f}"),
    "next_word_accuracy": ("Next word", "{:.1%}"),
    "accuracy": ("Accuracy", "{:.1%}"),
    "macro_f1": ("Macro F1", "{:.3f}"),
}


class EpochsTable(Table):
    """One row an epoch; the kept one has a star and stands out. Its menu and Ctrl+C copy it."""

    def __init__(self) -> None:
        super().__init__("Epochs")
        self.nothing = "A row of figures appears here after each epoch. The best epoch gets a star and is kept."
        self.setToolTip("Ctrl+C copies the marked rows, or all of them, for a spreadsheet.")
        copy = QAction("&Copy for a spreadsheet", self)
        copy.triggered.connect(self.copy_rows)
        self.addAction(copy)
        self._stale = False
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        theme.changed.connect(self._grey)
        self.show_events([])

    def show_events(self, told: Sequence[Event]) -> None:
        ended = [event for event in told if isinstance(event, EpochEnded)]
        names = [name for name in COLUMNS if any(name in event.metrics for event in ended)]
        best = max((event.epoch for event in ended if event.best), default=None)
        phases = trained_in(told)
        headers = ["Epoch", *(COLUMNS[name][0] for name in names or list(COLUMNS)[:2]), "Time"]
        rows = [
            [epoch_text(event, best), *figures(event, names), took, *phases[event.phase : event.phase + 1]]
            for event, took in zip(ended, times(ended))
        ]
        self.set_rows([*headers, *(["Trained"] if phases else [])], rows)
        self._embolden([event.epoch for event in ended], best)
        self._grey()
        over = bool(told) and isinstance(told[-1], Ended)
        self._look_at([event.epoch for event in ended], best if over else None)

    def show_stale(self, stale: bool) -> None:
        """Whether the figures are of earlier settings."""
        self._stale = stale
        self._grey()

    @Slot()
    def copy_rows(self) -> None:
        self.copy()

    @Slot()
    def _grey(self) -> None:
        shade = QColor(theme.colours().muted) if self._stale else None  # None: the theme's own
        for item in (self.item(row, column) for row in range(self.rowCount()) for column in range(self.columnCount())):
            if item:
                item.setData(Qt.ItemDataRole.ForegroundRole, shade)

    def _look_at(self, epochs: list[int], epoch: int | None) -> None:
        """Scroll to an epoch's row; to the newest one where it has none."""
        if epoch is not None and epoch in epochs:
            row = self.model().index(epochs.index(epoch), 0)
            self.scrollTo(row, Table.ScrollHint.PositionAtCenter)
        else:
            self.scrollToBottom()

    def _embolden(self, epochs: list[int], best: int | None) -> None:
        if best is None or best not in epochs:
            return
        for column in range(self.columnCount()):
            item = self.item(epochs.index(best), column)
            if item:
                font = item.font()
                font.setBold(True)
                item.setFont(font)


def epoch_text(event: EpochEnded, best: int | None) -> str:
    return f"★ {event.epoch + 1}" if event.epoch == best else str(event.epoch + 1)


def figures(event: EpochEnded, names: list[str]) -> list[str]:
    return [COLUMNS[name][1].format(event.metrics[name]) if name in event.metrics else "" for name in names]


def times(ended: list[EpochEnded]) -> list[str]:
    """How long each epoch took, its validation included; a log counts seconds from the start of the training."""
    ends = [event.metrics.get("seconds", 0.0) for event in ended]
    return [duration(end - before) for before, end in zip([0.0, *ends], ends)]


def trained_in(told: Sequence[Event]) -> list[str]:
    """What each phase trains; nothing where there is one phase only."""
    plans = [event for event in told if isinstance(event, Plan)]
    titles = [phase["title"] for phase in plans[-1].phases] if plans else []
    return titles if len(titles) > 1 else []
