"""The best weights of a training, in its run's folder: a file for each epoch that was the best so far.

A checkpoint names the file that belongs to it, so that the weights of a later epoch, which a crash left behind, are
never taken for its own. Only what no checkpoint names any more is removed.
"""

from __future__ import annotations

import re
from pathlib import Path

# Earlier versions kept a single file and wrote over it.
SINGLE = "best.safetensors"
NAME = re.compile(r"best(-[0-9]{1,15})?\.safetensors")


def name_of(epoch: int) -> str:
    """`epoch` counts from 0, the name from 1 as people do."""
    return f"best-{epoch + 1}.safetensors"


def newest(run: Path) -> Path | None:
    """The file of the last epoch that was the best; None where no epoch ended yet."""
    return max(_found(run), key=_epoch, default=None)


def remove_others(run: Path, named: set[str]) -> None:
    for path in _found(run):
        if path.name not in named:
            path.unlink()


def _found(run: Path) -> list[Path]:
    return [path for path in run.glob("best*.safetensors") if NAME.fullmatch(path.name)]


def _epoch(path: Path) -> int:
    return int(path.stem.partition("-")[2] or 0)
