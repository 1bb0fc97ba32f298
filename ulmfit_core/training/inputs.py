"""The files that a training reads, as they were when it began: it goes on with the same ones or not at all.

A training maps them into memory. Of one that is removed it keeps hold until it ends; one that is written over changes
under it, and what it learns from then on is worth nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ulmfit_core import reading
from ulmfit_core.errors import UserError


@dataclass(frozen=True)
class Noted:
    """A file as it was: its size, when it was changed in nanoseconds since 1970, and the hash of its content."""

    bytes: int
    changed: int
    sha256: str


class Inputs:
    """Files by their place in `folder`. `noted`: what `note` returned when the training began, {} before that."""

    def __init__(self, folder: Path = Path(), names: Sequence[str] = (), noted: dict[str, Any] | None = None):
        self._folder = folder
        self._names = names
        self._noted = {name: Noted(**facts) for name, facts in (noted or {}).items()}
        self._stamps: dict[str, tuple[int, int]] = {}

    def note(self) -> dict[str, Any]:
        """What each file is now, and must be from now on, for a JSON file. Raises UserError where one is gone."""
        self.refuse_gone()
        self._noted = {name: self._facts(name) for name in self._names}
        return {name: asdict(noted) for name, noted in self._noted.items()}

    def refuse_gone(self) -> None:
        """Raise UserError where a file is no longer there."""
        for name in self._names:
            path = self._folder / name
            if not path.is_file():
                raise UserError(
                    f"{path} is gone, which this training reads. Put it back, or let {_maker(name)} make it again from "
                    "the same data; then go on from the last checkpoint."
                )

    def refuse_changed(self) -> None:
        """Raise UserError where a file holds something else than when the training began. One that is gone may be.

        Files are read through only where their size or time of change differs from when they were last looked at.
        """
        for name, noted in self._noted.items():
            path = self._folder / name
            if path.is_file() and not self._is_as_noted(name, noted):
                raise UserError(
                    f"{path} was changed since this training began, so that it cannot go on with it. Put it back as it "
                    "was and go on from the last checkpoint, or start the stage anew with the data as it is now."
                )

    def _is_as_noted(self, name: str, noted: Noted) -> bool:
        stamp = _stamp(self._folder / name)
        if stamp == self._stamps.get(name, (noted.bytes, noted.changed)):
            return True
        same = stamp[0] == noted.bytes and reading.sha256(self._folder / name) == noted.sha256
        if same:
            self._stamps[name] = stamp
        return same

    def _facts(self, name: str) -> Noted:
        size, changed = _stamp(self._folder / name)
        return Noted(size, changed, reading.sha256(self._folder / name))


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return (found.st_size, found.st_mtime_ns)


def _maker(name: str) -> str:
    """The step that makes such a file."""
    return "“Vocabulary”" if name.startswith("tokens/") else "“Data” (and then “Vocabulary”)"
