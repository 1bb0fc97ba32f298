"""Whether this window may change its project, and what other processes do to it meanwhile.

The first window that opens a project may change it; one that comes later reads, and may take over when the other
has closed the project. What a job of another process makes is seen here within two seconds.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from ulmfit_core import lock
from ulmfit_core.lock import Holder
from ulmfit_core.project import Project

LOOK_MILLISECONDS = 1500


class Access(QObject):
    """The lock on one project. `worker` is the process that is at work in it elsewhere, if any."""

    changed = Signal()  # another process began or ended something, or saved the project

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self.worker: Holder | None = None
        self._project: Project | None = None
        self._lock: lock.Lock | None = None
        self._seen: object = None
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MILLISECONDS)
        self._timer.timeout.connect(self.look)

    def enter(self, project: Project) -> None:
        """Take the project's lock, or mark the project as one that this window only reads."""
        self.leave()
        try:
            self._lock = lock.Lock(project.folder, lock.WINDOW, "Another window")
        except lock.Held as held:
            project.read_only = f"{held} has this project open. Here it can only be read."
        except OSError as error:
            project.read_only = f"{project.folder} cannot be written ({error.strerror}). The project can only be read."
        self._project = project
        self._seen = self._state()
        self._timer.start()

    def leave(self) -> None:
        """Let others change the project."""
        self._timer.stop()
        if self._lock:
            self._lock.release()
        self._project = self._lock = self.worker = None

    @property
    def may_take_over(self) -> bool:
        """Whether the project is only read here though nobody else has it open any more."""
        if self._project is None or self._lock:
            return False
        return lock.may_be_taken(self._project.folder, lock.WINDOW)

    @Slot()
    def look(self) -> None:
        """Tell when something that others change has changed."""
        state = self._state()
        if state != self._seen:
            self._seen = state
            self.changed.emit()

    def _state(self) -> object:
        assert self._project is not None
        folder = self._project.folder
        at_work = lock.holder(folder, lock.WORK)
        self.worker = None if at_work and at_work.is_this_process else at_work
        return self.worker, self.may_take_over, stamp(folder / "project.toml"), stamp(folder / "runs")


def stamp(path: Path) -> int:
    """Changes whenever the file or folder does; 0 where there is none."""
    return path.stat().st_mtime_ns if path.exists() else 0
