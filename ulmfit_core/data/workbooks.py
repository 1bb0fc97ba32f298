"""Reads the sheets of Excel and OpenDocument files, which are laid out in memory as a whole, empty cells included."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any
from xml.parsers import expat

import python_calamine as calamine

from ulmfit_core.data import trial
from ulmfit_core.data.containers import FAILURES, Broken, Content, check_expansion, cut_short, damaged, read_whole
from ulmfit_core.data.formats import BadRow, Record, Source
from ulmfit_core.data.tables import BATCH, as_text, chosen, not_whole
from ulmfit_core.errors import UserError

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
BINARY = b"xl/workbook.bin"
LARGEST_SHEET = 512 * 2**20
MOST_CELLS = 24_000_000
MOST_TEXT = 512 * 2**20
LARGEST_CELL = 16 * 2**20
WIDE_CELL = re.compile(rb' r="([A-Z]{2,3})[0-9]')
# A row or cell and its number: r="7", r="B7".
PLACE = re.compile(rb' r="[A-Z]{0,3}([0-9]+)"')
SHARED = "xl/sharedStrings.xml"
SHARED_CELL = re.compile(rb't="s"[^>]{0,50}><v>([0-9]{1,9})<')
# Pieces of a part overlap by this much, so that no cell's tag is cut between two.
OVERLAP = 100
# A piece of a sheet whose cells may copy more than this is looked at cell by cell.
SUSPICIOUS = 8 * 2**20


def is_workbook(names: list[str]) -> bool:
    """Whether the members of a zip archive are those of an Excel or OpenDocument file."""
    return any(name in ("xl/workbook.xml", "xl/workbook.bin", "content.xml") for name in names)


def sheet_names(content: Content) -> list[str]:
    """The sheets of a workbook. Raises UserError where it is damaged."""
    return _workbook(content).sheet_names


def inspect_workbook(content: Content, sheet: str) -> Source:
    """The sheet, laid out in memory, and its width; whether it has a header is for its reader's caller to say."""
    book = _workbook(content)
    name = chosen(content, book.sheet_names, sheet, "sheet")
    rows = _sheet(content, book, name)
    return Source(content, "workbook", [str(n) for n in range(1, rows.width + 1)], sheet=name, rows=rows)


def workbook_members(content: Content) -> list[str]:
    """Names of what lies in a zip archive inside another package. Raises Broken where it is not whole."""
    try:
        with zipfile.ZipFile(io.BytesIO(read_whole(content))) as archive:
            return archive.namelist()
    except (*FAILURES, EOFError, OSError, ValueError):
        raise Broken(cut_short(content.name)) from None


def first_rows(source: Source, rows: int) -> Iterator[Record]:
    """The first rows of a sheet, the header too."""
    records = islice(read_workbook(source), rows)
    return (record for record in records if not isinstance(record, BadRow))


def read_workbook(source: Source) -> Iterator[Record | BadRow]:
    """Records of a sheet with the numbers its program shows; blank rows are no records."""
    sheet = source.rows or _sheet(source.content, _workbook(source.content), source.sheet)
    # Its rows come with the blank ones above the table, which may not begin in the first column either.
    first = (sheet.start or (0, 0))[0] + 1
    for number, cells in enumerate(sheet.iter_rows(), start=1):
        texts = [_typed(cell) for cell in cells[-sheet.width :]]
        if number % BATCH == 0:
            source.position.share = min((number - first) / sheet.height, 1.0)
        if any(texts) and not (source.header and number == first):
            yield number, texts


def _typed(value: Any) -> str:
    """A cell as a person would type it: 0.3 for 0.30000000000000004, a date without the midnight behind it."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return as_text(value) if value.is_integer() else f"{value:.15g}"
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ").removesuffix(" 00:00:00")
    return as_text(value)


def _workbook(content: Content) -> calamine.CalamineWorkbook:
    data = read_whole(content)
    old = data.startswith(OLE)
    if old and "EncryptedPackage".encode("utf-16-le") in data:
        raise UserError(locked(content.name))
    if not old:
        _check_parts(content.name, data)
    if (old or BINARY in data) and not trial.bears(data):
        raise not_whole(content.name, "spreadsheet")
    with refusing(content.name):
        return calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))


def _sheet(content: Content, book: calamine.CalamineWorkbook, name: str) -> calamine.CalamineSheet:
    with refusing(content.name):
        return book.get_sheet_by_name(name)


@contextmanager
def refusing(name: str) -> Iterator[None]:
    """Raise UserError for what calamine cannot read, also where its Rust code panics, which is no Exception."""
    try:
        yield
    except calamine.PasswordError:
        raise UserError(locked(name)) from None
    except calamine.CalamineError:
        raise not_whole(name, "spreadsheet") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise not_whole(name, "spreadsheet") from None


def locked(name: str) -> str:
    return f"{name} is locked with a password. Open it, save it without one and choose it again."


# Before a workbook is laid out: is it whole, and does it fit into memory


def _check_parts(name: str, data: bytes) -> None:
    """Unpack each part once, piece by piece, so that only a workbook that is whole and fits is laid out in memory."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if any(entry.flag_bits & 1 for entry in entries):
                raise UserError(locked(name))
            size = sum(entry.file_size for entry in entries)
            check_expansion(name, size, len(data))
            if size > LARGEST_SHEET:
                raise UserError(too_large(name, f"more than {LARGEST_SHEET // 2**20} MB"))
            shared = _Shared(name)
            for entry in sorted(entries, key=lambda entry: entry.filename != SHARED):
                with archive.open(entry) as part:
                    _check_part(name, entry.filename, iter(partial(part.read, 2**20), b""), shared)
    except (*FAILURES, EOFError, OSError, ValueError):
        raise Broken(damaged(name)) from None


def too_large(name: str, what: str) -> str:
    return f"{name} has {what}, too large a sheet to be read. Delete what is far from the table, or save it as CSV."


def _check_part(name: str, part: str, pieces: Iterator[bytes], shared: _Shared) -> None:
    if part == SHARED:
        shared.take(pieces)
    elif part == "content.xml":
        _Outline(name).follow(pieces)
    else:
        _check_places(name, shared.copied(pieces))


def _check_places(name: str, pieces: Iterable[bytes]) -> None:
    """Raise UserError where the cells of an Excel sheet lie in places too far apart."""
    widest, last, tail = b"Z", 0, b""
    for piece in pieces:
        whole = tail + piece
        widest = max([widest, *WIDE_CELL.findall(whole)], key=lambda letters: (len(letters), letters))
        place = PLACE.search(whole, max(whole.rfind(b' r="'), 0))
        last = max(last, int(place[1][:9])) if place else last
        tail = whole[-OVERLAP:]
    columns = _column_number(widest)
    if last * columns > MOST_CELLS:
        raise UserError(too_large(name, f"{last:,} rows and {columns:,} columns"))


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - ord("A") + 1
    return number


class _Shared:
    """The strings that cells of an Excel file share; each cell that names one gets a copy of it."""

    def __init__(self, name: str):
        self._name = name
        self._sizes = list[int]()

    def take(self, pieces: Iterable[bytes]) -> None:
        """Note the size of each string."""
        rest = b""
        for piece in pieces:
            *strings, rest = (rest + piece).split(b"</si>")
            self._sizes += map(len, strings)
            if len(rest) > LARGEST_CELL:
                raise UserError(too_large(self._name, f"a cell of more than {LARGEST_CELL // 2**20} MB"))

    def copied(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces of a sheet, passed on. Raises UserError where its cells copy more than fits."""
        largest, size, tail = max(self._sizes, default=0), 0, b""
        for piece in pieces:
            whole = tail + piece
            # Where all cells were as large as the largest and fitted, none needs to be looked at.
            if self._sizes and whole.count(b't="s"') * largest > SUSPICIOUS:
                places = map(int, SHARED_CELL.findall(whole))
                size += sum(self._sizes[place] for place in places if place < len(self._sizes))
            if size > MOST_TEXT:
                raise UserError(too_large(self._name, f"more than {MOST_TEXT // 2**20} MB of repeated text"))
            tail = whole[-OVERLAP:]
            yield piece


class _Outline:
    """Follows the XML of an OpenDocument file, whose cells and rows say how often they stand there.

    Raises UserError where the tables are too large to be laid out, or the XML is broken: calamine would read on for
    ever.
    """

    def __init__(self, name: str):
        self._name = name
        self._cells = self._text = 0
        self._passed = self._rows = self._columns = 0
        self._repeat = self._width = self._cell = 0

    def follow(self, pieces: Iterable[bytes]) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.CharacterDataHandler = self._start, self._characters
        try:
            for piece in pieces:
                parser.Parse(piece)
            parser.Parse(b"", True)
        except expat.ExpatError:
            raise not_whole(self._name, "spreadsheet") from None
        self._end_table()

    def _start(self, tag: str, facts: dict[str, str]) -> None:
        if tag == "table:table-cell":
            self._cell = int(facts.get("table:number-columns-repeated", 1))
            self._width += self._cell
            if "office:value-type" in facts:
                self._columns = max(self._columns, self._width)
                self._rows = self._passed + self._repeat
        elif tag == "table:covered-table-cell":
            self._width += int(facts.get("table:number-columns-repeated", 1))
        elif tag == "table:table-row":
            self._passed, self._width = self._passed + self._repeat, 0
            self._repeat = int(facts.get("table:number-rows-repeated", 1))
        elif tag == "table:table":
            self._end_table()

    def _characters(self, text: str) -> None:
        self._text += len(text) * self._cell * self._repeat
        if self._text > MOST_TEXT:
            raise UserError(too_large(self._name, f"more than {MOST_TEXT // 2**20} MB of repeated text"))

    def _end_table(self) -> None:
        self._cells += self._rows * self._columns
        if self._cells > MOST_CELLS:
            raise UserError(too_large(self._name, f"{self._rows:,} rows and {self._columns:,} columns"))
        self._passed = self._rows = self._columns = self._repeat = self._width = 0
