"""Texts, and what holds one, a bounded amount at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def portions(items: Iterable[Item], length: Callable[[Item], int], most: int, characters: int) -> Iterator[list[Item]]:
    """Lists of up to `most` items, fewer where they have about `characters` characters: a function of the items alone.

    `length`: the characters of an item. Long ones do not add up in memory, but one is never cut.
    """
    portion, taken = list[Item](), 0
    for item in items:
        portion.append(item)
        taken += length(item)
        if len(portion) == most or taken >= characters:
            yield portion
            portion, taken = [], 0
    if portion:
        yield portion
