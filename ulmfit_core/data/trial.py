"""Lays out a workbook in a process of its own, because calamine trusts the counts in a binary file: a damaged one can
make it ask for more memory than there is, which ends the whole process, or run in a circle.

The parent (`bears`) learns from the child (`main`) whether its own process can do the same.
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import python_calamine as calamine

MOST_MEMORY = 1024 * 2**20
MOST_SECONDS = 30.0


def bears(data: bytes) -> bool:
    """Whether a child process lives through laying out all sheets of this workbook, or through refusing it."""
    command = [sys.executable, "-m", "ulmfit_core.data.trial"]
    root = Path(__file__).parent.parent.parent
    quiet = subprocess.DEVNULL
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(command, input=data, stdout=quiet, stderr=quiet, cwd=root, timeout=MOST_SECONDS)
        return done.returncode == 0
    return False


def main() -> None:
    """Read a workbook from standard input and lay it out. Ends with an error code where Rust code panics."""
    with contextlib.suppress(ImportError):  # Windows has no such limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    with contextlib.suppress(calamine.CalamineError):
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
        for name in book.sheet_names:
            book.get_sheet_by_name(name)


if __name__ == "__main__":
    main()
