"""The strip over a project that this window only reads, and what is disabled meanwhile."""

from __future__ import annotations

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QWidget

from studio.notice import Notice
from studio.session import Session
from ulmfit_core.errors import UserError

WRITES = "writes"  # the property of a part that changes the project and does nothing else
SEALED = "sealed"


class ReadOnlyStrip(Notice):
    """Says who else has the project open, and offers to take it over when they have closed it."""

    def __init__(self, session: Session):
        super().__init__()
        self._session = session
        self.let_dismiss(False)
        self.action.setToolTip("Open the project anew, so that it can be changed and trained here.")
        self.acted.connect(self._take_over)
        session.project_changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        reason = self._session.read_only
        if not reason:
            self.clear()
        elif self._session.access.may_take_over:
            self.show_message("The other program has closed this project.", "info", "&Work in it here")
        else:
            self.show_message(reason, "warning")

    @Slot()
    def _take_over(self) -> None:
        try:
            self._session.take_over()
        except UserError as error:
            self._session.refused.emit(str(error))


def seal(screen: QWidget, sealed: bool) -> None:
    """Disable the parts of a screen that would change the project, or give back those that were disabled so."""
    for part in screen.findChildren(QWidget):
        if part.property(WRITES) and bool(part.property(SEALED)) != sealed:
            part.setProperty(SEALED, sealed)
            part.setEnabled(not sealed)
