"""A disk on which the n-th thing that is written fails, as this process sees it: the functions of `os` are wrapped."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

WRITING_MODES = set("wax+")


class FailingDisk:
    """Counts what is written below `folder`; the n-th of it fails with the error `number`, once or for good."""

    def __init__(self, folder: Path, nth: int = 0, number: int = errno.ENOSPC, for_good: bool = False):
        self.folder, self.nth, self.number, self.for_good = str(folder.resolve()), nth, number, for_good
        self.count = 0
        self.failed = ""  # what failed

    @contextmanager
    def at_work(self) -> Iterator[FailingDisk]:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("write", "fsync", "replace", "rename"):
                patch.setattr(os, name, self._wrapped(getattr(os, name), name))
            patch.setattr(os, "mkdir", self._wrapped(os.mkdir, "mkdir", lambda path, *more: not os.path.exists(path)))
            patch.setattr(os, "open", self._wrapped(os.open, "create", _may_create))
            patch.setattr(io, "open", self._wrapped(io.open, "create", _creates))
            yield self

    def mend(self) -> None:
        self.nth, self.for_good = 0, False

    def _wrapped(self, call: Callable[..., Any], name: str, counts: Callable[..., Any] = lambda *a, **k: True) -> Any:
        def maybe(place: Any, *arguments: Any, **options: Any) -> Any:
            if counts(place, *arguments, **options) and self._is_below(place):
                self._count(name, place)
            return call(place, *arguments, **options)

        return maybe

    def _is_below(self, place: Any) -> bool:
        path = os.readlink(f"/proc/self/fd/{place}") if isinstance(place, int) else os.fspath(place)
        return os.path.abspath(path).startswith(self.folder + os.sep)

    def _count(self, name: str, place: Any) -> None:
        self.count += 1
        if self.count == self.nth or (self.for_good and self.nth and self.count > self.nth):
            self.failed = self.failed or f"{name} {place}"
            raise OSError(self.number, os.strerror(self.number))


def _creates(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> bool:
    return isinstance(file, str | os.PathLike) and bool(set(mode) & WRITING_MODES) and not os.path.exists(file)


def _may_create(path: Any, flags: int, *arguments: Any, **options: Any) -> bool:
    return bool(flags & os.O_CREAT)
