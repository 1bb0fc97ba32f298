"""Lays out a workbook in a process of its own, because calamine trusts the counts in a binary file: a damaged one can
make it ask for more memory than there is, which ends the whole process, or run in a circle.
"""

from __future__ import annotations

import contextlib
import io
import sys

import python_calamine as calamine

from ulmfit_core import trial


def bears(data: bytes) -> bool:
    """Whether a child process lives through laying out all sheets of this workbook, or through refusing it."""
    return trial.bears("ulmfit_core.data.trial", data)


def main() -> None:
    """Read a workbook from standard input and lay it out. Ends with an error code where Rust code panics."""
    trial.limit()
    with contextlib.suppress(calamine.CalamineError):
        book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
        for name in book.sheet_names:
            book.get_sheet_by_name(name)


if __name__ == "__main__":
    main()
