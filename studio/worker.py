"""Work off the main thread: one job with its news in a queue, and short questions with one answer each.

News does not travel as signals: a thread that trains thousands of steps a second would flood the event loop.
The worker appends to a deque, and the session's timer takes it from there.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from ulmfit_core import catalog, files, run
from ulmfit_core.errors import UserError
from ulmfit_core.events import Ended, Event
from ulmfit_core.project import Project

COLLECT_MILLISECONDS = 1000


class Worker:
    """A thread that carries one job to its end. `news` is for the main thread to empty."""

    def __init__(self, project: Project, job: str, folder: Path, options: dict[str, Any]):
        self.control = run.Control()
        self.news: deque[Event] = deque()
        self.ended: Ended | None = None
        self._launch = lambda: run.launch(
            project, job, control=self.control, sink=self.news.append, folder=folder, **options
        )
        # Not a daemon: a training that is cut off at exit would lose what is after its last checkpoint.
        self._thread = threading.Thread(target=self._work, name=f"job {job}")

    def start(self) -> None:
        self._thread.start()

    @property
    def finished(self) -> bool:
        return not self._thread.is_alive()

    def wait(self, seconds: float | None = None) -> None:
        self._thread.join(seconds)

    def _work(self) -> None:
        try:
            self.ended = self._launch()
        except Exception as error:  # the disk is full, the folder is gone: it could not even be logged
            self.ended = Ended("failed", f"{type(error).__name__}: {error}.")
            self.news.append(self.ended)


class Background(QObject):
    """Answers questions in a thread, one at a time; of those asked meanwhile only the newest counts.

    `answered` and `refused` arrive in the main thread, and only for the newest question.
    """

    answered = Signal(object)
    refused = Signal(str)
    _returned = Signal(int, object, str)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._asked = 0
        self._busy = False
        self._waiting: Callable[[], Any] | None = None
        self._returned.connect(self._deliver)

    @property
    def busy(self) -> bool:
        return self._busy

    def ask(self, question: Callable[[], Any]) -> None:
        """Call `question` in a thread. What it returns comes with `answered`, a UserError with `refused`."""
        self._asked += 1
        if self._busy:
            self._waiting = question
        else:
            self._begin(question)

    def forget(self) -> None:
        """The answer to what was asked is no longer wanted."""
        self._asked += 1
        self._waiting = None

    def _begin(self, question: Callable[[], Any]) -> None:
        self._busy = True
        number = self._asked
        threading.Thread(target=self._work, args=(number, question), name="background", daemon=True).start()

    def _work(self, number: int, question: Callable[[], Any]) -> None:
        answer, refusal = None, ""
        try:
            answer = question()
        except UserError as error:
            refusal = str(error)
        except OSError as error:
            refusal = files.told(error)
        except Exception as error:
            refusal = f"{type(error).__name__}: {error}"
        with contextlib.suppress(RuntimeError):  # the screen that asked was closed meanwhile
            self._returned.emit(number, answer, refusal)

    @Slot(int, object, str)
    def _deliver(self, number: int, answer: Any, refusal: str) -> None:
        self._busy = False
        question, self._waiting = self._waiting, None
        if question:
            self._begin(question)
        elif number != self._asked:
            return
        elif refusal:
            self.refused.emit(refusal)
        else:
            self.answered.emit(answer)


class Collector(QObject):
    """Collects Python's garbage in the main thread only, and between two events.

    A collection that happens to start in a worker can destroy objects of Qt there (napari#1029). One that starts while
    Qt destroys an object, which holds a lock then, can wait for that lock for ever: so the automatic collection stays
    off to the end of the process.
    """

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        gc.disable()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._collect)
        self._timer.start(COLLECT_MILLISECONDS)

    @Slot()
    def _collect(self) -> None:
        """What the automatic collection would do: each generation when its count is over its threshold."""
        for generation in (2, 1, 0):
            if gc.get_count()[generation] > gc.get_threshold()[generation] > 0:
                gc.collect(generation)
                return


def import_engine() -> None:
    """Load what jobs and plots are made of, so that the first starts at once. Takes seconds: call it in a thread."""
    import pyqtgraph  # noqa: F401
    import torch  # noqa: F401

    for job in ("import", "vocab"):
        catalog.resolve("job", job)
    # What the engine's modules consist of is never garbage: collections need not look at it again.
    gc.freeze()
