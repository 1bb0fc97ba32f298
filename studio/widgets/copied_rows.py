"""Ctrl+C on a table: its headers and rows go to the clipboard as spreadsheets take them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QApplication


class CopiesRows:
    """Mixed into a table of Qt's, which says what is copied of it."""

    def rows_to_copy(self) -> list[Sequence[str]]:
        """The headers, then the rows that are marked."""
        raise NotImplementedError

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)  # type: ignore[misc]  # that of the table

    def copy(self) -> None:
        """Cells are separated by tabs."""
        QApplication.clipboard().setText("\n".join("\t".join(row) for row in self.rows_to_copy()))
