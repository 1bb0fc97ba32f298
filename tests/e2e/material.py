"""The files that the end-to-end test feeds to the window: real reviews, held-out ones, a little of Wikipedia."""

from __future__ import annotations

import csv
import lzma
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCES = ("imdb_train.csv.xz", "imdb_test.csv.xz", "wiki.train.txt.xz")


@dataclass(frozen=True)
class Material:
    """What the person has on disk before the start."""

    reviews: Path
    held_out: Path
    corpus: Path
    held_out_rows: int


def write_material(data: Path, folder: Path, rows: int) -> Material:
    """`rows` reviews, a quarter as many held-out ones, 25 words of general text for each review."""
    for name in SOURCES:
        if not (data / name).exists():
            pytest.skip(f"needs {data / name}")
    train = balanced(data / SOURCES[0], rows)
    held_out = balanced(data / SOURCES[1], rows // 4, known={row["text"] for row in train})
    material = Material(folder / "reviews.csv", folder / "held_out.csv", folder / "general.txt", len(held_out))
    write_csv(material.reviews, train)
    write_csv(material.held_out, held_out)
    write_words(data / SOURCES[2], material.corpus, max(20_000, 25 * rows))
    return material


def balanced(path: Path, count: int, known: Iterable[str] = ()) -> list[dict[str, str]]:
    """The first `count` different rows of an IMDb file that are not known, half of each label, labels in turn."""
    taken: dict[str, list[dict[str, str]]] = {}
    seen = set(known)
    for row in read_csv(path):
        same = taken.setdefault(row["label"], [])
        if len(same) < count // 2 and row["text"] not in seen:
            seen.add(row["text"])
            same.append(row)
        if sum(map(len, taken.values())) == count:
            break
    return [row for pair in zip(*taken.values()) for row in pair]


def read_csv(path: Path) -> Iterator[dict[str, str]]:
    with lzma.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    assert len(set(Counter(row["label"] for row in rows).values())) == 1, "as many of each label"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_words(source: Path, path: Path, words: int) -> None:
    """The first lines of a text that together hold so many words."""
    with lzma.open(source, "rt", encoding="utf-8") as lines, path.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(line)
            words -= len(line.split())
            if words <= 0:
                return
