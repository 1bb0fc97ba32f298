"""Real texts for comparing the text rules: read the same way here and in the oracle's environment (stdlib only)."""

from __future__ import annotations

import csv
import lzma
import re
from collections.abc import Iterator
from pathlib import Path

# Texts with something for each rule to do: HTML, repeats, capitals, numbers, signs.
INTERESTING = re.compile(r"<br|&\w+;|#\d|(\S)\1\1|\b(\w+) \2 \2\b|\b[A-Z]{3,}\b|\d,\d{3}|[/#\\]|[^\x00-\x7f]")
EACH = 250


def _imdb(data: Path) -> Iterator[str]:
    with lzma.open(data / "imdb_train.csv.xz", "rt", encoding="utf-8", newline="") as file:
        yield from (row["text"] for row in csv.DictReader(file))


def _ag_news(data: Path) -> Iterator[str]:
    with open(data / "ag_news" / "test.csv", encoding="utf-8", newline="") as file:
        yield from (" ".join(row[1:]) for row in csv.reader(file))


def _trec(data: Path) -> Iterator[str]:
    with open(data / "trec" / "train_5500.label", encoding="latin-1") as file:
        yield from (line.partition(" ")[2].rstrip("\n") for line in file)


def _sms(data: Path) -> Iterator[str]:
    with open(data / "sms_spam" / "spam.tsv", encoding="utf-8", newline="") as file:
        yield from (row["message"] for row in csv.DictReader(file, delimiter="\t"))


SOURCES = {"imdb": _imdb, "ag_news": _ag_news, "trec": _trec, "sms_spam": _sms}


def real_texts(data: Path) -> Iterator[tuple[str, str]]:
    """(name, text): of each source the first `EACH` texts with something for the rules to do."""
    for source, read in SOURCES.items():
        found = (text for text in read(data) if INTERESTING.search(text))
        yield from ((f"{source}-{number}", text) for number, text in zip(range(EACH), found))
