"""Whether a language model trains on a large corpus as fast, and in as little memory, as on a small one.

    python benchmarks/flat.py [--tokens FOLDER] [--millions 1 4 16 60] [--seconds 10] [--rounds 5] [--json]

Each size is a process of its own that trains the same small model; they take turns in slices (`peers.py`), so what
disturbs the machine hits all alike. Then each corpus is read once from end to end without a model. The corpora are cut
from, or made of copies of, the token ids in FOLDER (a project's tokens/<hash>/corpus); without it they are made up.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import torch
from engine_lm import documents
from peers import Peer, machine, peak_memory
from study import Row, Values

from ulmfit_core.data import tokens
from ulmfit_core.data.batches import LanguageBatches
from ulmfit_core.data.feed import Feed
from ulmfit_core.data.tokens import Tokens
from ulmfit_core.device import best_device

MILLION = 1_000_000
MADE_UP = {"vocabulary": 8_000, "document": 400, "tokens": MILLION}
NETWORK = {"model.embedding": 64, "model.hidden": 96, "model.layers": 2}
READ = {"batch": 16, "bptt": 35}


# The corpora


def source(folder: Path | None) -> list[np.ndarray]:
    """Documents to make corpora of: those in `folder`, or ids drawn by Zipf's law."""
    if folder:
        opened = Tokens.open(folder)
        return [opened[number] for number in range(len(opened))]
    shares = 1 / np.arange(1, MADE_UP["vocabulary"] + 1)
    drawn = np.random.default_rng(1).choice(MADE_UP["vocabulary"], MADE_UP["tokens"], p=shares / shares.sum())
    return list(drawn.astype(np.uint16).reshape(-1, MADE_UP["document"]))


def so_many(given: list[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """The documents over and over, up to `count` tokens."""
    while True:
        for document in given:
            yield document[:count]
            count -= len(document)
            if count <= 0:
                return


def write_corpora(folder: Path, options: argparse.Namespace) -> dict[int, Path]:
    """Folders of token ids by millions of tokens."""
    given = source(options.tokens)
    corpora = {size: folder / f"corpus-{size}" for size in options.millions}
    for size, place in corpora.items():
        tokens.write(place, so_many(given, size * MILLION), given[0].dtype)
    return corpora


# The measurements


def trained(corpora: dict[int, Path], options: argparse.Namespace) -> dict[int, Row]:
    """Median tokens per second and peak memory of training, by size."""
    vocabulary = 1 + max(int(Tokens.open(place).ids.max()) for place in corpora.values())
    with contextlib.ExitStack() as stack:
        peers = {size: _child(size, place, vocabulary, options, stack) for size, place in corpora.items()}
        for peer in peers.values():
            peer.train(options.seconds / 3)  # what only the first steps do is not counted
        rounds = [{size: peer.train(options.seconds) for size, peer in peers.items()} for _ in range(options.rounds)]
    smallest = min(corpora)
    return {
        size: {
            "rate": median(done[size]["amount"] / done[size]["seconds"] for done in rounds),
            "of_smallest": median(_rate(done[size]) / _rate(done[smallest]) for done in rounds),
            "memory": rounds[-1][size]["memory"],
        }
        for size in corpora
    }


def _rate(done: Row) -> float:
    return done["amount"] / done["seconds"]


def _child(
    size: int, place: Path, vocabulary: int, options: argparse.Namespace, stack: contextlib.ExitStack
) -> Peer:  # fmt: skip
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    values: Values = {**NETWORK, "pretrain.threads": options.threads, "pretrain.checkpoint_seconds": 1e9}
    places = {"train": str(place), "valid": str(place), "folder": folder}
    # What one thread on a CPU does is told by its processor seconds, which others do not lengthen.
    clock = "processor" if options.threads == 1 and best_device().type == "cpu" else "wall"
    task = {"values": values, "vocabulary": vocabulary, "clock": clock, **places}
    return stack.enter_context(Peer(f"{size} million tokens", sys.executable, "engine_lm.py", options.threads, task))


def read_through(place: Path) -> Row:
    """An epoch of windows of a corpus, each read and dropped: milliseconds of each, and what memory it took.

    The mapped part is the file's own pages, which the system takes back when others need them.
    """
    mapped, before = mapped_memory(), time.process_time()
    epoch = LanguageBatches(documents(str(place)), **READ, seed=1).epoch(0)
    feed = Feed(epoch, torch.device("cpu"))
    start = time.process_time()
    for index in range(len(epoch)):
        feed[index]
    end = time.process_time()
    return {
        "start_seconds": start - before,
        "read_ms": (end - start) / len(epoch) * 1000,
        "read_memory": peak_memory(),
        "of_it_mapped": mapped_memory() - mapped,
    }


def mapped_memory() -> int:
    """Bytes of files that this process has mapped into its memory now; 0 where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssFile"))


def measure(options: argparse.Namespace) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        corpora = write_corpora(Path(folder), options)
        rows = trained(corpora, options)
        for size, place in corpora.items():
            command = [sys.executable, __file__, "--read", str(place)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows[size] |= json.loads(done.stdout)
    return [{"millions": size, **row, "threads": options.threads, **machine()} for size, row in rows.items()]


def table(rows: list[Row]) -> str:
    lines = [
        "| million tokens | tokens/s | of the smallest's | peak memory, MiB | a window read in, ms | reading an epoch: "
        "memory, MiB | without pages of the file, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        own = row["read_memory"] - row["of_it_mapped"]
        lines.append(
            f"| {row['millions']} | {row['rate']:,.0f} | {row['of_smallest']:.2f} | {row['memory'] / 2**20:,.0f} "
            f"| {row['read_ms']:.3f} | {row['read_memory'] / 2**20:,.0f} | {own / 2**20:,.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=Path, help="a folder of token ids to make the corpora of")
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 4, 16, 60], help="sizes of the corpora")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a slice of training")
    parser.add_argument("--rounds", type=int, default=5, help="slices of each size")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the rows as one JSON list")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        print(json.dumps(read_through(options.read)))
        return
    rows = measure(options)
    print(json.dumps(rows) if options.json else table(rows))


if __name__ == "__main__":
    main()
