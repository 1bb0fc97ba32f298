"""Takes lines apart that hold a text and its label: by a pattern, `{label}:{fine} {text}`, or as fastText does."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ulmfit_core.errors import UserError

FIELD = re.compile(r"\{(\w+)\}")
# Forms that are recognised. TREC's keeps label and sub-label together in the first column, as a space parts them.
FASTTEXT = "__label__"
TREC = "LABEL:fine text"
TREC_LINE = re.compile(r"([A-Z][A-Z_]*):(\w+)\s+(\S.*)")
FASTTEXT_LINE = re.compile(r"((?:__label__\S+\s+)+)(.*)")
FEWEST_LINES = 3

Splitter = Callable[[str], list[str] | None]


def recognise(lines: Sequence[str]) -> str:
    """The form of these lines, or an empty string where they have none that is known."""
    kept = [line.strip() for line in lines if line.strip()]
    if len(kept) < FEWEST_LINES:
        return ""
    if all(FASTTEXT_LINE.fullmatch(line) for line in kept):
        return FASTTEXT
    found = [TREC_LINE.fullmatch(line) for line in kept]
    labels = {match[1] for match in found if match}
    return TREC if all(found) and 1 < len(labels) <= len(kept) // 2 + 1 else ""


def columns(pattern: str) -> list[str]:
    """The names of the cells. Raises UserError for a pattern that does not say where the text is."""
    if pattern == FASTTEXT:
        return ["label", "text"]
    if pattern == TREC:
        return ["label:fine", "text", "label", "fine"]
    names = FIELD.findall(pattern)
    if "text" not in names or len(set(names)) < len(names):
        raise UserError(f"The line pattern “{pattern}” must name {{text}}, and each part once: “{{label}} {{text}}”.")
    if not all(FIELD.split(pattern)[2:-1:2]):
        raise UserError(f"The line pattern “{pattern}” needs a sign or a space between its parts.")
    return names


def splitter(pattern: str) -> Splitter:
    """A function from a line to its cells, or to None where the line does not follow the pattern."""
    if pattern == FASTTEXT:
        return _fasttext
    return _trec if pattern == TREC else _by_marks(pattern)


def _fasttext(line: str) -> list[str] | None:
    match = FASTTEXT_LINE.fullmatch(line)
    labels = [mark.removeprefix(FASTTEXT) for mark in match[1].split()] if match else []
    return [",".join(labels), match[2]] if match else None


def _trec(line: str) -> list[str] | None:
    match = TREC_LINE.fullmatch(line)
    return [f"{match[1]}:{match[2]}", match[3], match[1], match[2]] if match else None


def _by_marks(pattern: str) -> Splitter:
    """What stands before the text is taken off from the left, what stands behind it from the right.

    So the signs that part the fields may stand in the text, and a line is taken apart in linear time.
    """
    names = columns(pattern)
    before, behind = pattern.split("{text}")
    front, back = FIELD.split(before), FIELD.split(behind)

    def cells(line: str) -> list[str] | None:
        left = _off(line.removeprefix(front[0]), front[2::2], from_left=True) if line.startswith(front[0]) else None
        if left is None:
            return None
        # A pattern's end comes last in the line, so that it is looked for first.
        ends = [back[-1], *reversed(back[0:-1:2])] if len(back) > 1 else [back[0]]
        rest = left[-1]
        if not rest.endswith(ends[0]):
            return None
        right = _off(rest.removesuffix(ends[0]), ends[1:], from_left=False)
        if right is None:
            return None
        found = [*left[:-1], right[-1], *reversed(right[:-1])]
        return [cell.strip() for cell in found] if len(found) == len(names) else None

    return cells


def _off(line: str, marks: Sequence[str], *, from_left: bool) -> list[str] | None:
    """The parts before each of the marks, then what is left; None where a mark is missing."""
    parts = list[str]()
    for mark in marks:
        first, found, last = line.partition(mark) if from_left else line.rpartition(mark)
        if not found:
            return None
        parts.append(first if from_left else last)
        line = last if from_left else first
    return [*parts, line]
