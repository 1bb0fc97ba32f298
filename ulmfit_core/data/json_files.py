"""Reads JSON as a stream: one object a line, an array of objects, or an object that holds arrays by name."""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any

import ijson

from ulmfit_core.data.containers import Content, opened
from ulmfit_core.data.encodings import Position, decode_errors, read_lines
from ulmfit_core.data.formats import SAMPLE_ROWS, BadRow, Record, Source
from ulmfit_core.data.tables import as_text
from ulmfit_core.errors import UserError

ENDINGS = (".json", ".jsonl", ".ndjson")
# So many items are passed to learn which lists there are.
GLANCE = 50_000
# What a line of JSON can be refused for: its grammar, numbers of thousands of digits, thousands of brackets.
UNREADABLE = (ValueError, RecursionError)


def inspect_json(content: Content, encoding: str, head: bytes, sheet: str) -> Source | None:
    """A source where the file is JSON of a shape that can be read, None where it is something else.

    `sheet` picks one of several lists. Raises UserError where the file calls itself JSON and is not, is of another
    shape, or has no such list.
    """
    form = _form(content, encoding, head)
    if form == "lines":
        return _inspect_lines(content, encoding)
    return _inspect_document(content, encoding, sheet) if form else None


def list_names(content: Content, encoding: str, head: bytes) -> list[str]:
    """Names of the lists in a JSON object, as far as the first 50,000 items go; none for anything else."""
    names = dict[str, None]()
    if _form(content, encoding, head) == "document":
        with suppress(ijson.JSONError, *UNREADABLE), _parsed(content, encoding, Position()) as items:
            for name, _ in islice(items, GLANCE):
                names[name] = None
    return [name for name in names if name]


def _form(content: Content, encoding: str, head: bytes) -> str:
    """lines or document where the file says or looks as if it were JSON, else an empty string."""
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head).lstrip("\ufeff \t\r\n")
    if content.suffix not in ENDINGS and text[:1] not in ("{", "["):
        return ""
    first, _, rest = text.partition("\n")
    lines = content.suffix in (".jsonl", ".ndjson") and (text[:1] != "[" or (rest.strip() and _is_json(first)))
    return "lines" if lines or _is_line(first, rest) else "document"


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except UNREADABLE:
        return False
    return True


def _is_line(first: str, rest: str) -> bool:
    """Whether the first line is an object by itself, and not the whole file with its rows in arrays."""
    record = _object(first)
    return record is not None and (bool(rest.strip()) or not any(isinstance(v, list) for v in record.values()))


# One object a line


def _inspect_lines(content: Content, encoding: str) -> Source:
    columns: dict[str, None] = {}
    for line in islice(read_lines(content, encoding, Position()), SAMPLE_ROWS):
        record = _object(line)
        columns.update(dict.fromkeys(record or {}))
    if not columns:
        raise UserError(f'{content.name} is not JSON lines: it needs one object such as {{"text": …}} on each line.')
    return Source(content, "jsonl", list(columns), encoding)


def _object(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except UNREADABLE:
        return None
    return record if isinstance(record, dict) else None


def read_json_lines(source: Source) -> Iterator[Record | BadRow]:
    """Records of a file with one JSON object a line; a missing key is an empty cell."""
    good, bad = 0, 0
    for number, line in enumerate(read_lines(source.content, source.encoding, source.position), start=1):
        if not line.strip():
            continue
        record = _object(line)
        if record is not None:
            good += 1
            yield number, [_cell(record.get(name)) for name in source.columns]
            continue
        bad += 1
        yield BadRow(source.name, number, "not a JSON object")
    if bad > good:
        raise UserError(f"{source.name} is not JSON lines: {bad} of {bad + good} lines are no JSON object.")


def _cell(value: Any) -> str:
    text = as_text(value)
    # JSON can spell halves of characters, which no file of text can hold.
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# Documents


class _Utf8:
    """A stream of text as the bytes that the parser wants, keeping the position."""

    def __init__(self, text: io.TextIOWrapper, share: Any, position: Position):
        self._text, self._share, self._position = text, share, position

    def read(self, count: int = -1) -> bytes:
        self._position.share = self._share()
        return self._text.read(count).encode("utf-8", "replace")


@contextmanager
def _parsed(content: Content, encoding: str, position: Position) -> Iterator[Iterator[tuple[str, Any]]]:
    with opened(content) as (stream, share):
        text = io.TextIOWrapper(stream, encoding=encoding, errors=decode_errors(encoding))
        yield _items(ijson.basic_parse(_Utf8(text, share, position), use_float=False))


def _items(events: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """(name of its array, item) of an array of items, whose name is empty, or of each array in an object."""
    root, name = next(events)[0], ""
    if root == "start_array":
        yield from (("", item) for item in _array(events))
    for event, value in events:
        if event == "map_key":
            name = value
        elif event == "start_array":
            yield from ((name, item) for item in _array(events))
        elif event == "start_map":
            _value(events, event, value)


def _array(events: Iterator[tuple[str, Any]]) -> Iterator[Any]:
    for event, value in events:
        if event == "end_array":
            return
        yield _value(events, event, value)


def _value(events: Iterator[tuple[str, Any]], event: str, value: Any) -> Any:
    if not event.startswith("start_"):
        return value
    builder, depth = ijson.ObjectBuilder(), 1
    builder.event(event, value)
    while depth:
        event, value = next(events)
        depth += event.startswith("start_") - event.startswith("end_")
        builder.event(event, value)
    return builder.value


def _inspect_document(content: Content, encoding: str, sheet: str) -> Source | None:
    named = content.suffix in ENDINGS
    sample = list[tuple[str, Any]]()
    try:
        with _parsed(content, encoding, Position()) as items:
            sample.extend(islice(_of_list(items, sheet), SAMPLE_ROWS))
    except (ijson.JSONError, *UNREADABLE) as error:
        if not named and not _columns([item for _, item in sample if isinstance(item, dict)]):
            return None
        if not sample:
            raise UserError(f"{content.name} is not JSON: {_reason(error)}. Write it again.") from None
    columns = _columns([item for _, item in sample])
    if not columns and named:
        raise UserError(_other_shape(content.name, sheet if not sample else ""))
    if not columns:
        return None
    if not sample[0][0] or sheet:
        return Source(content, "json", columns, encoding, sheet=sheet)
    name = next(name for name in ("list", "name of list", "") if name not in columns)
    return Source(content, "json", [*columns, name], encoding, listed=True)


def _of_list(items: Iterator[tuple[str, Any]], sheet: str) -> Iterator[tuple[str, Any]]:
    """The items of the list `sheet`, or all of them; a document that is one array has no names to pick by."""
    return ((name, item) for name, item in items if not sheet or name in ("", sheet))


def _other_shape(name: str, sheet: str) -> str:
    if sheet:
        return f"{name} has no list “{sheet}” with anything in it. Choose another one with data.sheet."
    return (
        f"{name} is JSON of another shape: it needs an array of objects such as "
        '[{"text": …, "label": …}, …], or an object that holds one.'
    )


def _reason(error: BaseException) -> str:
    return str(error).split("\n")[0].strip() or "it ends too early"


def _columns(sample: list[Any]) -> list[str]:
    """Keys of objects, numbers for arrays of equal length, "text" for texts alone; none for other shapes."""
    if sample and all(isinstance(item, dict) for item in sample):
        return list(dict.fromkeys(key for item in sample for key in item))
    if sample and all(isinstance(item, list) and item for item in sample):
        return [str(number) for number in range(1, len(sample[0]) + 1)]
    return ["text"] if sample and all(isinstance(item, str) for item in sample) else []


def read_json(source: Source) -> Iterator[Record | BadRow]:
    """Records of a JSON document, numbered from 1; the last cell names the list where several are read.

    Raises UserError with the number of the last good one where the document breaks off.
    """
    names = source.columns[:-1] if source.listed else source.columns
    number = 0
    try:
        with _parsed(source.content, source.encoding, source.position) as items:
            for number, (name, item) in enumerate(_of_list(items, source.sheet), start=1):
                cells = _cells(item, names)
                if cells is None:
                    yield BadRow(source.name, number, "not of the shape of the first one")
                else:
                    yield number, [*cells, name][: len(source.columns)]
    except (ijson.JSONError, *UNREADABLE) as error:
        raise UserError(f"{source.name} is broken after row {number:,}: {_reason(error)}. Write it again.") from None


def _cells(item: Any, names: list[str]) -> list[str] | None:
    if isinstance(item, dict):
        return [_cell(item.get(name)) for name in names]
    if isinstance(item, list):
        return [_cell(value) for value in item] if len(item) == len(names) else None
    return [_cell(item)] if names == ["text"] else None
