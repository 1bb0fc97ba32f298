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
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import page
import peers
import sentencepiece
from memory import Memory
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
# Of the watch on memory: between two looks, and at least in all.
SAMPLE_SECONDS, WATCHED_SECONDS = 0.02, 2.0
TURN_SECONDS = 3.0
COMPARED = ("fastai_spacy", "fastai_pieces", "raw")
CLOCKS = {"seconds": "on the wall", "processor": "by processor time"}
Row = dict[str, Any]


# The texts and the vocabularies


def prepare(work: Path, wanted: int) -> int:
    """Write texts and vocabularies of about `wanted` words into the folder, once. Returns the words there are."""
    facts = work / "words.json"
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
    with lzma.open(DATA / "wiki.train.txt.xz", "rt", encoding="utf-8") as file:
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


def measure(work: Path, sides: list[tuple[str, int]], python: Path | None, rounds: int) -> list[Row]:
    """For each side, a route and its processes: peak memory, and then seconds of a pass in each round.

    Memory is measured while no other side runs, with which it could share pages.
    """
    rows = [_watched(work, route, count, python) for route, count in sides]
    children = [_started(work, route, count, python) for route, count in sides]
    for _, (row, child) in itertools.product(range(rounds), zip(rows, children)):
        turn = _turn(child)
        for clock in CLOCKS:
            row[clock].append(sum(answer[clock] for answer in turn) / len(turn))
    for child in children:
        child.__exit__()
    return rows


def _turn(child: peers.Peer) -> list[peers.Answer]:
    """So many passes that a fast side works for some seconds, too."""
    answers = [child.ask(go=True)]
    while sum(answer["seconds"] for answer in answers) < TURN_SECONDS:
        answers.append(child.ask(go=True))
    return answers


def _watched(work: Path, route: str, processes: int, python: Path | None) -> Row:
    with _started(work, route, processes, python) as child, Memory(child.facts["pid"], SAMPLE_SECONDS) as memory:
        began = time.monotonic()
        while time.monotonic() - began < WATCHED_SECONDS:
            child.ask(go=True)
    return {"route": route, "processes": processes, "memory": memory.peak, "seconds": [], "processor": []}


def _started(work: Path, route: str, processes: int, python: Path | None) -> peers.Peer:
    return peers.Peer(route, *_command(route, python), 1, _task(work, route, processes))


def _command(route: str, python: Path | None) -> tuple[Path | str, str]:
    return (peers.oracle(python) if route.startswith("fastai") else sys.executable), "routes.py"


def _task(work: Path, route: str, processes: int) -> dict[str, Any]:
    packages = str(Path(sentencepiece.__file__).parent.parent)
    texts = str(work / "texts.jsonl")
    return {"route": route, "processes": processes, "texts": texts, "folder": str(work), "packages": packages}


# What is told


def table(row: Row) -> str:
    """Words a second by the medians of the rounds."""
    lines = [
        "| Route | Processes | Words a second | Words a second of processor time | Peak memory |",
        "|---|--:|--:|--:|--:|",
    ]
    for side in row["sides"]:
        rates = " | ".join(f"{row['words'] / median(side[clock]):,.0f}" for clock in CLOCKS)
        lines.append(f"| {TITLES[side['route']]} | {side['processes']} | {rates} | {side['memory'] / 2**20:,.0f} MB |")
    told = f"{row['words']:,} words, {row['rounds']} rounds, {row['cores']} cores of {row['cpu']}."
    return "\n".join([*lines, "", *_multiples(row), "", told])


def _multiples(row: Row) -> Iterator[str]:
    """How our pieces compare with other routes, for each number of processes: medians of the rounds' ratios."""
    sides = {(side["route"], side["processes"]): side for side in row["sides"]}
    for count in sorted({processes for route, processes in sides if route == "ours"}):
        ours = sides["ours", count]
        for clock, by in CLOCKS.items():
            times = [
                f"{_ratio(sides[route, count][clock], ours[clock]):.2f} times the rate of {TITLES[route]}"
                for route in COMPARED if (route, count) in sides
            ]  # fmt: skip
            yield f"- Processes: {count}, {by}: {TITLES['ours']} has {'; '.join(times)}."


def _ratio(theirs: list[float], ours: list[float]) -> float:
    return median(one / other for one, other in zip(theirs, ours))


def main() -> None:
    options = read_options()
    work = options.work.absolute() / str(options.words)
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
