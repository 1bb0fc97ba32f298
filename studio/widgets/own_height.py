"""Pages behind tabs that need no more height than the one that is open: without that, all need that of the highest."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QSizePolicy, QTabWidget

OPEN, CLOSED = QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Ignored


class OwnHeight(QTabWidget):
    """Its least height is that of the page that is open."""

    def __init__(self) -> None:
        super().__init__()
        self.currentChanged.connect(self._fit)

    @Slot(int)
    def _fit(self, _: int = 0) -> None:
        seen = self.currentWidget()
        for page in filter(None, map(self.widget, range(self.count()))):
            page.setSizePolicy(page.sizePolicy().horizontalPolicy(), OPEN if page is seen else CLOSED)

    def tabInserted(self, number: int) -> None:
        super().tabInserted(number)
        self._fit()
