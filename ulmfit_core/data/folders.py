"""Reads many files as one: text files in a folder for each label, on disk or inside an archive, one document each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from ulmfit_core.data import splits
from ulmfit_core.data.containers import Member, ending, is_dropping, walking
from ulmfit_core.data.encodings import LINE_LIMIT, decode_whole
from ulmfit_core.data.formats import BadRow, Record, Source
from ulmfit_core.errors import UserError

# Endings of files that hold many rows each, so that a folder of them is no folder of documents.
ROWS_ENDINGS = (
    ".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".feather",
    ".db", ".sqlite", ".sqlite3", ".xlsx", ".xls", ".xlsb", ".ods",
)  # fmt: skip
# So many texts without a folder for each label are documents, not tables.
MANY_FILES = 50


def split_name(name: str) -> str:
    """train, valid or test where a word of the name says so, as in `oos_val` and `20news-bydate-train`; else ""."""
    for word in reversed(re.split(r"[^a-z]+", name.lower())):
        if word and word in splits.NAMES and splits.NAMES[word] != splits.UNLABELLED:
            return splits.SPLITS[splits.NAMES[word]]
    return ""


def columns(names: Sequence[str]) -> list[str]:
    """What a tree of these files holds: text, label, split; fewer where folders say less; none if it is none."""
    texts = [path for path in _paths(names) if ending(path[-1]) not in ROWS_ENDINGS]
    nested = [path for path in texts if len(path) == 3 and split_name(path[0])]
    flat = [path for path in texts if len(path) == 2]
    if nested and len(nested) >= len(flat):
        return ["text", "label", "split"]
    if flat and 2 * len(flat) > len(texts) and len({path[0] for path in flat}) > 1:
        return ["text", "label"]
    plain = [path for path in texts if len(path) == 1 and path[0].endswith(".txt")]
    return ["text"] if len(plain) > MANY_FILES and len(plain) == len(names) else []


def _paths(names: Sequence[str]) -> list[tuple[str, ...]]:
    root = common_root(names)
    return [tuple(name.split("/")[root:]) for name in names]


def common_root(names: Sequence[str]) -> int:
    """How many folders stand around everything, as `aclImdb` does; a folder that names a split is none of them."""
    paths = [name.split("/")[:-1] for name in names]
    root = 0
    while paths and all(len(path) > root and path[root] == paths[0][root] for path in paths):
        if split_name(paths[0][root]):
            break
        root += 1
    return root


def read_folder(source: Source) -> Iterator[Record | BadRow]:
    """One record a text file; the folder's name is its label, the folder above that its split where there is one.

    A label of `unsup` or `unlabelled` is none. What lies elsewhere in the tree is a bad row.
    """
    number = 0
    with walking(source.content) as (members, share):
        for member in members:
            if is_dropping(member.name):
                continue
            number += 1
            source.position.share = share()
            yield _record(source, member, number)


def _record(source: Source, member: Member, number: int) -> Record | BadRow:
    depth = len(source.columns)
    path = member.name.split("/")[source.root :]
    name = member.name if source.content.archive == "folder" else f"{source.name}/{member.name}"
    if member.fault or len(path) != depth:
        return BadRow(name, 1, member.fault or "not in a folder of a label")
    try:
        text = _text(member.open(), name, source.encoding)
    except UserError as error:
        return BadRow(name, 1, str(error))
    label = path[-2] if depth > 1 and splits.NAMES.get(path[-2].lower()) != splits.UNLABELLED else ""
    return number, [text.strip(), label, split_name(path[0])][:depth]


def _text(stream: BinaryIO, name: str, encoding: str) -> str:
    with stream:
        data = stream.read(LINE_LIMIT + 1)
    if len(data) > LINE_LIMIT:
        raise UserError(f"{name} is larger than {LINE_LIMIT // 2**20} MB, too large for one document.")
    return decode_whole(name, data, encoding)
