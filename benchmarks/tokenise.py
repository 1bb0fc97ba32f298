"""How fast do texts become token ids? Ours beside fastai's two routes and SentencePiece alone, in turn.

    python benchmarks/tokenise.py --work FOLDER [--oracle PYTHON] [--words 1000000] [--rounds 5] [--json]

The same texts for all, half reviews of IMDb and half Wikipedia; each side is a process of its own (`routes.py`) that
waits while another works. Appends a row to docs/results/tokenise.jsonl and writes the table of docs/performance.md.
`--only ours raw` measures some of the routes and writes nothing.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import lzma
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import page
import peers
import sentencepiece
from routes import ROUTES, SIZE
from study import DATA

from ulmfit_core import catalog
from ulmfit_core.config import VocabSettings
from ulmfit_core.data.dataset import TEXTS, write_table
from ulmfit_core.run import Run
from ulmfit_core.text import train_vocab, vocab, words

RESULTS = Path("docs/results/tokenise.jsonl")
TITLES = {
    "raw": "SentencePiece alone, rules applied before",
    "ours": "ULMFiT Studio, pieces",
    "ours_words": "ULMFiT Studio, words (spaCy)",
    "fastai_pieces": "fastai, SentencePiece",
    "fastai_spacy": "fastai, spaCy",
}
SAMPLE_SECONDS = 0.25
PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
Row = dict[str, Any]


# The texts and the vocabularies


def prepare(work: Path, wanted: int) -> int:
    """Write texts and vocabularies of about `wanted` words into the folder, once. Returns the words there are."""
    facts = work / f"words-{wanted}.json"
    if not facts.exists():
        work.mkdir(parents=True, exist_ok=True)
        texts = [*_up_to(imdb(), wanted // 2), *_up_to(wikipedia(), wanted // 2)]
        write_lines(work / "texts.jsonl", texts)
        batches = ({"text": texts[at : at + 1000]} for at in range(0, len(texts), 1000))
        write_table(work / "texts.arrow", TEXTS, batches)
        learn(work, texts)
        facts.write_text(json.dumps(sum(len(text.split()) for text in texts)), encoding="utf-8")
    return int(json.loads(facts.read_text(encoding="utf-8")))


def learn(work: Path, texts: list[str]) -> None:
    """Our two vocabularies, and the texts as SentencePiece gets them."""
    prepared = [vocab.prepare(text, catalog.resolve("rules", "ulmfit")) for text in texts]
    write_lines(work / "prepared.jsonl", prepared)
    pieces = train_vocab.train(prepared, VocabSettings(size=SIZE), work, Run())
    vocab.new_vocabulary("unigram", pieces, "ulmfit", {}).copy_to(work / "pieces")
    settings = VocabSettings(kind="word", size=60_000, rules="fastai")
    listed = words.to_json(words.learn(texts, settings, Run(), sum(map(len, texts))))
    vocab.new_vocabulary("word", listed, "fastai", {}).copy_to(work / "words")


def imdb() -> Iterator[str]:
    with lzma.open(DATA / "imdb_train.csv.xz", "rt", encoding="utf-8", newline="") as file:
        yield from (row["text"] for row in csv.DictReader(file))


def wikipedia() -> Iterator[str]:
    """Paragraphs, headings left out."""
    with lzma.open(DATA / "wiki.valid.txt.xz", "rt", encoding="utf-8") as file:
        yield from (line.strip() for line in file if line.strip() and not line.startswith(" ="))


def _up_to(texts: Iterable[str], wanted: int) -> Iterator[str]:
    found = 0
    for text in texts:
        if found >= wanted:
            return
        found += len(text.split())
        yield text


def write_lines(path: Path, texts: Iterable[str]) -> None:
    path.write_text("".join(json.dumps(text) + "\n" for text in texts), encoding="utf-8")


# Measuring


class Memory:
    """The most memory that a process and those below it held at once, in bytes: pages that several share count once."""

    def __init__(self, pid: int):
        self.peak = 0
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self.peak = max(self.peak, sum(map(_pss, family(self._pid))))


def family(pid: int) -> list[int]:
    """A process and all below it."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found = [pid]
    for one in found:
        found += [child for child, parent in pairs if parent == one]
    return found


def _pss(pid: int) -> int:
    try:
        found = PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has ended since it was listed
    return int(found[1]) * 1024 if found else 0


def measure(work: Path, sides: list[tuple[str, int]], python: Path | None, rounds: int) -> list[Row]:
    """For each side, a route and its processes: seconds of each round and peak memory, which has a round of its own."""
    children = [peers.Peer(route, *_command(route, python), 1, _task(work, route, count)) for route, count in sides]
    rows = [{"route": route, "processes": count, "seconds": [], "processor": []} for route, count in sides]
    for row, child in zip(rows, children):
        with Memory(child.facts["pid"]) as memory:
            child.ask(go=True)
        row["memory"] = memory.peak
    for _, (row, child) in itertools.product(range(rounds), zip(rows, children)):
        answer = child.ask(go=True)
        row["seconds"].append(answer["seconds"])
        row["processor"].append(answer["processor"])
    for child in children:
        child.__exit__()
    return rows


def _command(route: str, python: Path | None) -> tuple[Path | str, str]:
    return (peers.oracle(python) if route.startswith("fastai") else sys.executable), "routes.py"


def _task(work: Path, route: str, processes: int) -> dict[str, Any]:
    packages = str(Path(sentencepiece.__file__).parent.parent)
    texts = str(work / "texts.jsonl")
    return {"route": route, "processes": processes, "texts": texts, "folder": str(work), "packages": packages}


# What is told


def table(row: Row) -> str:
    """Words a second by the median of the rounds, and each as a multiple of fastai's spaCy with as many processes."""
    base = {side["processes"]: median(side["seconds"]) for side in row["sides"] if side["route"] == "fastai_spacy"}
    lines = ["| Route | Processes | Words a second | Times fastai's spaCy | Peak memory |", "|---|--:|--:|--:|--:|"]
    for side in row["sides"]:
        taken = median(side["seconds"])
        times = f"{base[side['processes']] / taken:.1f}" if side["processes"] in base else ""
        lines.append(
            f"| {TITLES[side['route']]} | {side['processes']} | {row['words'] / taken:,.0f} | {times} "
            f"| {side['memory'] / 2**20:,.0f} MB |"
        )
    return "\n".join(lines)


def main() -> None:
    options = read_options()
    work = options.work.absolute()
    count = prepare(work, options.words)
    processes = sorted({1, options.processes})
    sides = [(route, number) for route in options.only or TITLES for number in processes]
    found = measure(work, sides, options.oracle, options.rounds)
    row = {"words": count, "rounds": options.rounds, **peers.machine(), "sides": found}
    if not options.only:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        with RESULTS.open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
        page.write_between(page.PAGE, "tokenise", table(row))
    print(json.dumps(row) if options.json else table(row))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("/tmp/ulmfit-tokenise"), help="where texts and parts lie")
    parser.add_argument("--oracle", type=Path, help="a Python that has fastai")
    parser.add_argument("--words", type=int, default=1_000_000, help="words of text, half of each kind")
    parser.add_argument("--rounds", type=int, default=5, help="passes of each side, in turn")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="besides one process")
    parser.add_argument("--only", nargs="+", choices=list(ROUTES), help="some routes; nothing is written")
    parser.add_argument("--json", action="store_true", help="the row instead of the table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
