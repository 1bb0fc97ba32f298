"""What a source of records is, and the readers of text files: tables, plain text, a label in each line, paired files.

What cannot be used comes back as a `BadRow` with its reason; nothing is dropped in silence.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from ulmfit_core.data import patterns, sniff
from ulmfit_core.data.containers import Content
from ulmfit_core.data.encodings import Position, read_lines
from ulmfit_core.errors import UserError

SAMPLE_ROWS = 1000
# A line that no file holds, put behind the last one: it comes back whole only if every quote was closed.
END = "\x02end\x02"


class BadRow(NamedTuple):
    """A row that was left out. `row` is the number a spreadsheet shows (from 1, the header included)."""

    file: str
    row: int
    reason: str


# Number of a row as a spreadsheet shows it, and its cells.
Record = tuple[int, list[str]]


@dataclass(frozen=True)
class Source:
    """A file whose shape is known; `columns` are the names of its cells, or "1", "2" … without header.

    `unit` is what a document is in plain text, `pattern` how a line is made up, `sheet` the sheet, table or list that
    is read, `listed` whether the last cell names the list. `labels` is a file of labels beside one of texts. `root`
    folders stand around those named by labels. `parts` are the files or members that are read one after the other,
    `left_out` those that are not read. `rows` is a sheet that is laid out in memory already.
    """

    content: Content
    reader: str
    columns: list[str]
    encoding: str = "utf-8"
    delimiter: str = ""
    quoting: bool = True
    header: bool = False
    unit: str = "auto"
    pattern: str = ""
    sheet: str = ""
    listed: bool = False
    labels: Source | None = None
    root: int = 0
    parts: tuple[Source, ...] = ()
    left_out: tuple[BadRow, ...] = ()
    rows: Any = field(default=None, compare=False, repr=False)
    position: Position = field(default_factory=Position)

    @property
    def path(self) -> Path:
        return self.content.path

    @property
    def name(self) -> str:
        return self.content.name


def read_delimited(source: Source) -> Iterator[Record | BadRow]:
    """Records of a CSV or TSV. Raises UserError for an unclosed quote or where most rows have another width."""
    lines = chain(read_lines(source.content, source.encoding, source.position), [_end_line(source)])
    width, good, bad = len(source.columns), 0, 0
    number = 0
    first_bad = ""
    try:
        for number, cells in sniff.split_records(lines, source.delimiter, source.quoting):
            if cells[0] == END:
                break
            if END in cells[-1]:
                raise UserError(open_quote(source.name, number))
            if number == 1 and source.header:
                continue
            if len(cells) == width:
                good += 1
                yield number, cells
                continue
            bad += 1
            reason = f"{len(cells)} columns instead of {width}"
            first_bad = first_bad or f"row {number} has {reason}"
            yield BadRow(source.name, number, reason)
            if bad >= SAMPLE_ROWS and bad > good:
                break
    except csv.Error:
        raise UserError(open_quote(source.name, number + 1)) from None
    if bad > good:
        raise UserError(
            f"{source.name} is broken or not separated by {_mark(source.delimiter)}: {first_bad}, "
            f"and {bad} of {bad + good} rows are like that. Check the delimiter and the quotes."
        )  # fmt: skip


def _end_line(source: Source) -> str:
    # Parted at the sign where the delimiter parts a line once only, so that its first cell is END too.
    return f"{END}{source.delimiter}{END}\n"


def open_quote(name: str, number: int) -> str:
    return f"{name} is broken: a quote that opens in row {number} is never closed. Mend that row."


def _mark(delimiter: str) -> str:
    return {"\t": "tabs", " ": "spaces"}.get(delimiter, f"“{delimiter}”")


def read_text(source: Source) -> Iterator[Record | BadRow]:
    """Documents of plain text: lines, paragraphs between blank lines, or articles under ` = Title = ` lines."""
    stream = enumerate(read_lines(source.content, source.encoding, source.position), start=1)
    if source.unit == "paragraph":
        return _blocks(stream, lambda line: not line.strip())
    if source.unit == "auto" and has_titles(source):
        return _blocks(stream, lambda line: sniff.TITLE.fullmatch(line) is not None)
    return ((number, [line.strip()]) for number, line in stream if line.strip())


def has_titles(source: Source) -> bool:
    """Whether plain text is made up of articles under ` = Title = ` lines."""
    return sniff.is_wikitext(list(islice(read_lines(source.content, source.encoding, Position()), SAMPLE_ROWS)))


def _blocks(lines: Iterator[tuple[int, str]], parts: Callable[[str], bool]) -> Iterator[Record]:
    """The lines that are not blank, in blocks; a block ends before a line of which `parts` is true."""
    began, block = 1, list[str]()
    for number, line in lines:
        if block and parts(line):
            yield began, ["\n".join(block)]
            block = []
        if line.strip():
            began = began if block else number
            block.append(line.strip())
    if block:
        yield began, ["\n".join(block)]


def read_pattern(source: Source) -> Iterator[Record | BadRow]:
    """Records of a file with a label in each line, taken apart by the source's pattern."""
    cells_of = patterns.splitter(source.pattern)
    good, bad = 0, 0
    for number, line in enumerate(read_lines(source.content, source.encoding, source.position), start=1):
        cells = cells_of(line.strip()) if line.strip() else []
        if cells is None:
            bad += 1
            yield BadRow(source.name, number, "does not follow the line pattern")
        elif cells:
            good += 1
            yield number, cells
    if bad > good:
        raise UserError(f"{source.name}: {bad} of {bad + good} lines do not follow the pattern {source.pattern}.")


def read_paired(source: Source) -> Iterator[Record | BadRow]:
    """Records of two files, one text a line in one, its label in the same line of the other.

    Raises UserError with both counts where one is longer.
    """
    assert source.labels is not None
    labels = read_lines(source.labels.content, source.labels.encoding, Position())
    texts, marks = 0, 0
    for text, label in zip_longest(read_lines(source.content, source.encoding, source.position), labels):
        texts, marks = texts + (text is not None), marks + (label is not None)
        if text is not None and label is not None:
            yield texts, [text.strip(), label.strip()]
    if texts != marks:
        raise UserError(
            f"{source.name} has {texts:,} lines and {source.labels.name} has {marks:,}. "
            "Each text needs its label in the same line of the other file."
        )
