"""Guesses about a table from its first rows: delimiter, quotes, header, and which columns hold text and label."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from ulmfit_core.data import splits

# A cell longer than this is a quote that was never closed, not a text.
CELL_LIMIT = 16 * 1024 * 1024
csv.field_size_limit(CELL_LIMIT)

DELIMITERS = (",", "\t", ";", "|")
TABLE_ENDINGS = (".csv", ".tsv", ".tab")
TEXT_NAMES = {"text", "sentence", "review", "content", "message", "tweet", "body", "document", "question", "comment"}
LABEL_NAMES = {"label", "class", "category", "sentiment", "target", "stars", "rating", "y", "topic", "emotion"}
SPLIT_NAMES = {"split", "set", "subset", "partition", "fold", "part"}
ID_NAME = re.compile(r"(.*[\W_])?(id|uid|uuid|guid|key|index)")
GROUP_NAMES = {"group", "author", "user", "username", "speaker", "patient", "customer", "reviewer", "thread", "session"}
NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d+)*|\.\d+)([eE][+-]?\d+)?\s*")
TITLE = re.compile(r" ?= [^=].* = \s*")


def split_records(lines: Iterable[str], delimiter: str, quoting: bool) -> Iterator[tuple[int, list[str]]]:
    """(number, cells) of each record, numbered as a spreadsheet shows them: the first is 1, blank lines count.

    `@` and a space separate once only, from the right and from the left: the text may hold more of them.
    Raises csv.Error for a cell beyond all measure.
    """
    if delimiter in ("@", " "):
        yield from _split_once(lines, delimiter)
        return
    style: Literal[0, 3] = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
    for number, cells in enumerate(csv.reader(lines, delimiter=delimiter, quoting=style), start=1):
        if cells:
            yield number, cells


def _split_once(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, start=1):
        line = line.strip()
        if line:
            yield number, line.rsplit("@", 1) if delimiter == "@" else line.split(None, 1)


def is_wikitext(lines: Sequence[str]) -> bool:
    """Whether some line is a title such as ` = Argon = `."""
    return any(TITLE.fullmatch(line) for line in lines)


def find_delimiter(lines: list[str], ending: str, labelled: bool = True) -> str:
    """The delimiter of a table, or an empty string where the lines are plain text.

    A file that does not call itself a table must be nearly without exception to count as one; where no labels
    are expected only a tab is proof enough, for prose may hold any other sign in each line.
    """
    table = ending in TABLE_ENDINGS
    scores = {mark: _consistency(lines, mark) for mark in (DELIMITERS if labelled or table else "\t")}
    best = max(scores, key=lambda mark: scores[mark])
    if scores[best] >= (0.5 if table else 0.98):
        return best
    if table:
        return "\t" if ending != ".csv" else ","
    return _label_mark(lines) if labelled else ""


def _consistency(lines: list[str], delimiter: str) -> float:
    """Share of records with the usual number of cells, 0 where that is one."""
    try:
        widths = Counter(len(cells) for _, cells in split_records(lines, delimiter, quoting=True))
    except csv.Error:
        return 0.0
    width, count = widths.most_common(1)[0] if widths else (1, 0)
    return count / widths.total() if width > 1 else 0.0


def _label_mark(lines: list[str]) -> str:
    """`@` or a space where it parts a text from one of few labels, as in `text@positive` and `1 text`."""
    for mark, side in (("@", -1), (" ", 0)):
        records = [cells for _, cells in split_records(lines, mark, quoting=False)]
        labels = {cells[side] for cells in records}
        # In a file sorted by label the head has one label only, which counts if it is a number.
        several = len(labels) > 1 or all(map(str.isdigit, labels))
        even = len(records) >= 20 and all(len(cells) == 2 for cells in records)
        if even and several and len(labels) <= 0.05 * len(records):
            return mark
    return ""


def find_quoting(lines: Iterable[str], delimiter: str) -> bool:
    """Whether quotes enclose cells. Tab-separated files often hold bare quotes that would swallow line ends."""
    if delimiter != "\t":
        return delimiter not in ("@", " ")
    kept = list(lines)
    if not any('"' in line for line in kept):
        return True
    bare = _odd_rows(kept, quoting=False)
    quoted = _odd_rows(kept, quoting=True)
    spans = sum(1 for _ in split_records(kept, "\t", True)) < sum(1 for _ in split_records(kept, "\t", False))
    return quoted <= bare and not (spans and bare == 0)


def _odd_rows(lines: list[str], quoting: bool) -> int:
    """Records whose number of cells is not the usual one."""
    widths = Counter(len(cells) for _, cells in split_records(lines, "\t", quoting))
    return widths.total() - widths.most_common(1)[0][1] if widths else 0


def has_header(rows: list[list[str]], wanted: Sequence[str] = ()) -> bool:
    """Whether the first row names the columns. `wanted` are the names that the settings ask for."""
    first, rest = rows[0], rows[1:]
    if any(name in first and not name.isdigit() for name in wanted):
        return True
    if not rest or len(set(first)) < len(first) or any(NUMBER.fullmatch(cell) for cell in first):
        return False
    if any(len(cell) > 60 for cell in first) or not any(first):
        return False
    if any(cell.strip().lower() in TEXT_NAMES | LABEL_NAMES for cell in first):
        return True
    columns = list(zip(*(row for row in rest if len(row) == len(first))))
    recurs = any(cell in column for cell, column in zip(first, columns))
    return not recurs and any(_unlike(cell, column) for cell, column in zip(first, columns))


def _unlike(cell: str, column: tuple[str, ...]) -> bool:
    """Whether a cell differs in kind from those below it: a word over numbers, a word over long texts."""
    numbers = sum(bool(NUMBER.fullmatch(value)) for value in column)
    return numbers > 0.9 * len(column) or _mean_length(column) > 3 * len(cell)


def guess_columns(columns: list[str], rows: list[list[str]]) -> tuple[list[str], str]:
    """(text columns, label column): the longest column, and a short one with few distinct values."""
    values = dict(zip(columns, zip(*rows))) if rows else {}
    if not values:
        return [], ""
    text = max(values, key=lambda name: _mean_length(values[name]) + 20 * (name.lower() in TEXT_NAMES))
    labels = [name for name in values if name != text and label_like(values[name])]
    named = [name for name in labels if name.lower() in LABEL_NAMES]
    # The head of a file that is sorted by class shows one class only: then the name says it.
    alike = [name for name in values if name.lower() == "label" and len(set(values[name])) == 1 and all(values[name])]
    certain = [name for name in alike if name != text]
    found = certain or named or labels
    return [text], _in_words(found[0], {name: values[name] for name in labels}) if found else ""


def _in_words(label: str, labels: dict[str, tuple[str, ...]]) -> str:
    """The column that tells the same classes in words where `label` numbers them, such as `label_name` beside it."""
    numbers = labels.get(label, ())
    if not all(cell.strip().isdecimal() for cell in numbers if cell):
        return label
    classes = len(set(numbers))
    same = [name for name, cells in labels.items() if len(set(cells)) == len(set(zip(numbers, cells))) == classes]
    return next((name for name in same if not any(map(str.isdecimal, labels[name]))), label)


def guess_others(columns: list[str], rows: list[list[str]], taken: Sequence[str]) -> tuple[str, str, str]:
    """(split, id, group column), each by its name and its cells, "" where none is; never one of `taken`.

    A split column says train, valid or test in each row, an id differs from row to row, a group comes again.
    """
    values = dict(zip(columns, zip(*rows))) if rows else {}
    free = {name: values[name] for name in values if name not in taken and any(values[name])}
    split = [name for name in free if name.lower() in SPLIT_NAMES and _says_split(free[name])]
    ids = [n for n in free if ID_NAME.fullmatch(n.lower()) and len(set(free[n])) == len(free[n])]
    groups = [n for n in free if _is_group(n.lower()) and len(set(free[n])) < len(free[n])]
    first = [(found or [""])[0] for found in (split, ids, groups)]
    return first[0], first[1], first[2]


def _says_split(column: tuple[str, ...]) -> bool:
    return all(cell.strip().lower() in splits.NAMES for cell in column)


def _is_group(name: str) -> bool:
    return re.split(r"[\W_]+(?:id|name)$", name)[0] in GROUP_NAMES


def label_like(column: tuple[str, ...]) -> bool:
    """Whether these cells are short and few of them differ."""
    filled = [value for value in column if value]
    return bool(filled) and 2 <= len(set(filled)) <= max(2, len(filled) // 4) and _mean_length(tuple(filled)) <= 40


def _mean_length(column: tuple[str, ...]) -> float:
    return sum(map(len, column)) / max(len(column), 1)
