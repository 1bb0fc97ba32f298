"""Copying and saving a run's plots and figures, as the tools ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QApplication, QFileDialog, QWidget

from studio.widgets import plot_export
from studio.widgets.curves import Curves
from studio.worker import Background
from ulmfit_core import files

PATTERNS = {"png": "Pictures (*.png)", "svg": "Drawings (*.svg)", "csv": "Tables (*.csv)"}


class Taking(QObject):
    """`told` is a sentence on how it went. `hidden` is not part of a picture of `plots`."""

    told = Signal(str)

    def __init__(self, plots: QWidget, hidden: Sequence[QWidget]):
        super().__init__(plots)
        self.curves: Curves | None = None
        self._plots, self._hidden = plots, hidden
        self._saving = Background(self)
        self._saving.answered.connect(self._saved)
        self._saving.refused.connect(self._not_saved)

    @Slot(str)
    def take(self, what: str) -> None:
        """One of `plot_tools.SAVE`."""
        if what == "picture":
            QApplication.clipboard().setImage(plot_export.picture(self._plots, self._hidden))
            self.told.emit("The picture is in the clipboard.")
        elif what == "figures":
            text = plot_export.figures(self.curves) if self.curves else ""
            QApplication.clipboard().setText(text)
            count = text.count("\n")
            self.told.emit(f"{count:,} rows are in the clipboard." if count else "There are no figures yet.")
        else:
            chosen, _ = QFileDialog.getSaveFileName(self._plots, "Save the curves", f"curves.{what}", PATTERNS[what])
            if chosen:
                self.save(what, Path(chosen))

    def save(self, kind: str, target: Path) -> None:
        """Write the picture (png, svg), or every step (csv), which is done in a thread."""
        if kind == "csv":
            self._save_csv(target)
            return
        draw = plot_export.png if kind == "png" else plot_export.svg
        try:
            with files.replacing_file(target) as file:
                file.write(draw(self._plots, self._hidden))
        except OSError as error:
            self._not_saved(str(error.strerror))
        else:
            self.told.emit(f"Saved as {target.name}.")

    def _save_csv(self, target: Path) -> None:
        if self.curves is None:
            self.told.emit("There are no figures yet.")
            return
        folder = self.curves.folder
        self.told.emit(f"Saving {target.name} …")
        self._saving.ask(lambda: f"{plot_export.save_csv(folder, target):,} steps are in {target.name}.")

    @Slot(object)
    def _saved(self, sentence: object) -> None:
        self.told.emit(str(sentence))

    @Slot(str)
    def _not_saved(self, reason: str) -> None:
        self.told.emit(f"It could not be saved: {reason}")
