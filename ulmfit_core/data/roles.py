"""Sorts files and folders that come together into the settings they belong to, by their names and their columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from ulmfit_core.config import DataSettings
from ulmfit_core.data import folders, readers, sniff, splits
from ulmfit_core.data.formats import Source, has_titles
from ulmfit_core.data.kinds import inspect
from ulmfit_core.errors import UserError

CORPUS_WORDS = {"corpus", "wiki", "wikipedia", "wikitext", "pretrain", "pretraining"}
LABEL_WORDS = {"label", "labels", "class", "classes", "target", "targets"}
UNLABELLED_WORDS = {word for word, part in splits.NAMES.items() if part == splits.UNLABELLED}
# Shorter lines are names, numbers or labels, not texts that teach a language model.
TEXT_LENGTH = 20
LOOKED_AT = 200
WHAT = {
    "valid": "validation rows", "test": "test rows", "unlabelled": "texts without labels", "corpus": "general text",
    "labels_file": "labels",
}  # fmt: skip


class Dropped(NamedTuple):
    """A file, what it holds, and the setting that its name or its looks say, "" where they say none."""

    path: Path
    source: Source
    role: str


def roles_of(paths: Sequence[Path]) -> dict[str, str | list[str]]:
    """The settings data, more, valid, test, unlabelled, corpus and labels_file that these files give, as far as any.

    Several files of rows are ordered by name, numbers in it by value. `data` is missing where every file is something
    else by its name; a file that comes alone is `data`. Raises UserError naming a file that fits nowhere, a second one
    for the same setting, and what `inspect` refuses.
    """
    known = sorted(dict.fromkeys(map(Path, paths)), key=_by_number)
    if len(known) == 1:
        return {"data": str(known[0])}
    dropped = [_look(path) for path in known]
    data = _data(dropped)
    found: dict[str, str | list[str]] = {"data": str(data.path)} if data else {}
    for file in dropped:
        if file is data:
            continue
        role = _role(file, data)
        if role == "more":
            found["more"] = [*found.get("more", []), str(file.path)]
        elif role in found:
            raise UserError(
                f"{Path(str(found[role])).name} and {file.path.name} both seem to be {WHAT[role]}, "
                "for which there is one place. Leave one of them out."
            )
        else:
            found[role] = str(file.path)
    return found


def _by_number(path: Path) -> list[tuple[bool, int, str]]:
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", str(path))]


def _look(path: Path) -> Dropped:
    source = inspect(path, DataSettings())
    return Dropped(path, source, _said(path, source))


def _said(path: Path, source: Source) -> str:
    words = set(re.split(r"[^a-z]+", path.name.removesuffix(path.suffix).lower()))
    if _is_plain(source) and (words & LABEL_WORDS or _holds_labels(source)):
        return "labels_file"
    if words & CORPUS_WORDS:
        return "corpus"
    if words & UNLABELLED_WORDS:
        return "unlabelled"
    return folders.split_name(path.name)


def _data(dropped: list[Dropped]) -> Dropped | None:
    """The first file of training rows by name, or the one with the most columns of those whose names say nothing."""
    named = [file for file in dropped if file.role == "train"]
    free = [file for file in dropped if not file.role]
    return named[0] if named else max(free, key=lambda file: len(file.source.columns), default=None)


def _role(file: Dropped, data: Dropped | None) -> str:
    if file.role == "labels_file" and not (data and _is_plain(data.source)):
        raise UserError(
            f"{file.path.name} seems to hold labels, which go beside a file with one text a line and nothing else. "
            "Leave it out."
        )
    if file.role not in ("", "train") or data is None:
        return file.role
    if file.source.columns == data.source.columns:
        return "more"
    if file.role == "" and _is_plain(file.source) and has_titles(file.source):
        return "corpus"
    if file.role == "" and _holds_texts(file.source, data.source):
        return "unlabelled"
    raise UserError(
        f"{file.path.name} fits nowhere beside {data.path.name}: its columns are {_listed(file.source)}, "
        f"not {_listed(data.source)}. Choose it by itself where it belongs."
    )


def _holds_texts(source: Source, data: Source) -> bool:
    """Whether these are texts that lack the label: lines of text, or some of the data's columns with the text."""
    rows = readers.first_rows(source, LOOKED_AT)
    if _is_plain(source):
        return sum(len(row[0]) for row in rows) >= TEXT_LENGTH * max(len(rows), 1)
    text, label = sniff.guess_columns(data.columns, readers.first_rows(data, LOOKED_AT))
    named = source.header == data.header and set(source.columns) < set(data.columns)
    return named and set(text) <= set(source.columns) and label not in source.columns


def _is_plain(source: Source) -> bool:
    return source.reader == "text"


def _holds_labels(source: Source) -> bool:
    rows = readers.first_rows(source, LOOKED_AT)
    return not has_titles(source) and sniff.label_like(tuple(row[0] for row in rows))


def _listed(source: Source) -> str:
    return ", ".join(f"“{name}”" for name in islice(source.columns, 10))
