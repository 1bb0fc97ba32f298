"""The most memory that a process and all its children hold at once, watched from beside them (Linux)."""

from __future__ import annotations

import re
import threading
from pathlib import Path

PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


class Memory:
    """The most memory that a process and those below it held at once, in bytes: pages that several share count once.

    It looks every `pause` seconds.
    """

    def __init__(self, pid: int, pause: float):
        self.peak = 0
        self._pid, self._pause = pid, pause
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        ended = False
        while not ended:
            self.peak = max(self.peak, sum(map(_pss, family(self._pid))))
            ended = self._ended.wait(self._pause)


def family(pid: int) -> list[int]:
    """A process and all below it."""
    parents = {int(path.name): _parent(path) for path in Path("/proc").iterdir() if path.name.isdigit()}
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def _parent(process: Path) -> int:
    try:
        # The name in brackets, the second field, may have spaces.
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has ended since it was listed


def _pss(pid: int) -> int:
    try:
        found = PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has ended since it was listed
    return int(found[1]) * 1024 if found else 0
