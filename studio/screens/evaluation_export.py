"""On the Evaluate screen: taking a report elsewhere, as tables, as a page to pass on or as a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, Signal, Slot
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import QFileDialog, QMenu, QPushButton, QWidget

from studio import remembered
from studio.screens.evaluation_pages import Measured, Tabs
from studio.widgets.confusion import Confusion
from studio.worker import Background
from ulmfit_core import files
from ulmfit_core.project import Project

# What can be saved → its entry in the menu, the name offered, the kind of file.
KINDS = {
    "csv": ("All &answers and figures (CSV)…", "evaluation.csv", "Tables (*.csv)"),
    "matrix": ("Confusion &matrix (CSV)…", "confusion.csv", "Tables (*.csv)"),
    "drawn": ("Confusion matrix as &shown (PNG)…", "confusion.png", "Pictures (*.png)"),
    "html": ("&Report to pass on (HTML)…", "evaluation.html", "Web pages (*.html)"),
    "png": ("&Picture of what is seen here (PNG)…", "evaluation.png", "Pictures (*.png)"),
}
# Slim, as the tabs are that it stands beside.
STYLE = "QPushButton { padding: 1px 10px; min-height: 16px; } QPushButton:focus { padding: 0 9px; }"


class Export(QPushButton):
    """A button with a menu. `told(sentence, level)` when something was saved or could not be."""

    told = Signal(str, str)

    def __init__(self, report: Tabs, matrix: Confusion):
        """A picture is taken of the part of the report that is seen, or of the matrix."""
        super().__init__("E&xport")
        self._report, self._matrix = report, matrix
        self._project: Project | None = None
        self._measured: Measured | None = None
        self._saving = Background(self)
        self._saving.answered.connect(self._saved)
        self._saving.refused.connect(self._not_saved)
        self.setToolTip("Save figures, answers or a picture of this report.")
        self.setMenu(self._make_menu())
        self.setStyleSheet(STYLE)
        self.setEnabled(False)

    def offer(self, project: Project, measured: Measured) -> None:
        self._project, self._measured = project, measured
        self.setEnabled(True)

    def save(self, kind: str, target: Path) -> None:
        """One of KINDS, written in a thread; a picture is drawn before."""
        measured, project = self._measured, self._project
        if measured is None or project is None or self._saving.busy:
            return
        write = self._writer(kind, project, measured, target)
        self.setEnabled(False)
        self.told.emit(f"Saving {target.name} …", "info")
        self._saving.ask(lambda: (write(), target)[1])

    def _writer(self, kind: str, project: Project, measured: Measured, target: Path) -> Callable[[], object]:
        """What writes the file; it is called in a thread."""
        if kind in ("png", "drawn"):
            image = picture(self._report.seen if kind == "png" else self._matrix.spread())
            return lambda: files.write_bytes(target, png(image))
        if kind == "matrix":
            return lambda: files.write_bytes(target, matrix_csv(measured.report))
        from ulmfit_core.inference import exports

        if kind == "html":
            return lambda: exports.write_html(project, measured.folder, target)
        return lambda: exports.write_csv(measured.folder, target)

    @Slot(QAction)
    def _ask(self, action: QAction) -> None:
        kind = action.data()
        _, name, pattern = KINDS[kind]
        title = action.text().replace("&", "").removesuffix("…")  # what only a menu shows
        chosen, _ = QFileDialog.getSaveFileName(self, title, str(Path(remembered.folder()) / name), pattern)
        if chosen:
            remembered.use_folder(chosen)
            self.save(kind, Path(chosen))

    @Slot(object)
    def _saved(self, target: Path) -> None:
        self.setEnabled(True)
        self.told.emit(f"Saved as {target}.", "info")

    @Slot(str)
    def _not_saved(self, reason: str) -> None:
        self.setEnabled(True)
        self.told.emit(f"It could not be saved. {reason}", "error")

    def _make_menu(self) -> QMenu:
        menu = QMenu(self)
        for kind, (title, _, _) in KINDS.items():
            menu.addAction(title).setData(kind)
        menu.triggered.connect(self._ask)
        return menu


def picture(part: QWidget) -> QImage:
    """All of it, at twice the size, also what is scrolled out of sight."""
    from studio.widgets import plot_export

    return plot_export.picture(part, ())


def png(image: QImage) -> bytes:
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(data.data())


def matrix_csv(report: dict[str, Any]) -> bytes:
    """The confusion matrix of all classes: true labels down, answers across."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["true label", *report["labels"]])
    writer.writerows([label, *counts] for label, counts in zip(report["labels"], report["confusion"], strict=True))
    return out.getvalue().encode("utf-8")
