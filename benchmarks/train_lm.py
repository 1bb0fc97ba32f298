"""Tokens per second and memory of language-model training: this program beside fastai and beside bare matrix products.

    python benchmarks/train_lm.py [--oracle PYTHON] [--rows 16000 60000] [--seconds 30] [--rounds 5] [--quick] [--json]

The sides of a row (`peers.py`) take turns in slices on the same cores, so what disturbs the machine hits all alike.
Their figures are medians over the slices, their ratios medians over the rounds. All read the same made-up text and do
the same work: full softmax (but in the row that says so), AR and TAR, all dropouts, clipping, AdamW, windows of equal
length, no checkpoints. A run appends its rows to docs/results/train_lm.jsonl and rewrites the table in
docs/performance.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import page
import study
from peers import CLOCKS, Answer, Peer, machine, oracle
from study import Row, Values

from ulmfit_core.data import tokens
from ulmfit_core.device import best_device, default_threads
from ulmfit_core.text.rules import SPECIALS

RESULTS = Path("docs/results/train_lm.jsonl")
DOCUMENT = 1000  # tokens
# An accelerator reads many times faster: the same text so many times over.
TEXT_TOKENS, REPEATED = 5_000_000, 40
CLIP, WEIGHT_DECAY = 0.25, 0.01


@dataclass(frozen=True)
class Case:
    """One row: sizes of the network, shape of a step. `softmax` is ours; fastai has only the full one."""

    vocabulary: int
    embedding: int
    hidden: int
    layers: int
    batch: int
    window: int
    softmax: str = "full"

    @property
    def tokens(self) -> int:
        return self.batch * self.window

    @property
    def weights(self) -> int:
        """Numbers in the matrices that each token is multiplied by: both of each LSTM layer, and the decoder."""
        sizes = [self.embedding] + [self.hidden] * (self.layers - 1) + [self.embedding]
        return sum(4 * b * (a + b) for a, b in pairwise(sizes)) + self.embedding * self.vocabulary

    @property
    def flops(self) -> int:
        """Of a token in training: 2 for each of these numbers going forward, twice that for the two gradients."""
        return 6 * self.weights

    @property
    def title(self) -> str:
        softmax = "" if self.softmax == "full" else f", {self.softmax} softmax"
        network = f"{self.embedding}/{self.hidden}/{self.layers}"
        return f"{network}, vocabulary {self.vocabulary:,}{softmax}, {self.batch} × {self.window}"


CASES = {
    "16000": Case(16_000, 400, 1152, 3, 64, 72),
    "60000": Case(60_000, 400, 1152, 3, 64, 72),
    "60000-adaptive": Case(60_000, 400, 1152, 3, 64, 72, "adaptive"),
    "small": Case(8_000, 192, 288, 3, 16, 35),
}
CASES_ON_GPU = {
    "16000-128": Case(16_000, 400, 1152, 3, 128, 72),
    "16000-512": Case(16_000, 400, 1152, 3, 512, 72),
    "60000-128": Case(60_000, 400, 1152, 3, 128, 72),
}
QUICK = Case(300, 16, 24, 2, 4, 10)


# The sides


def made_up_text(folder: Path, vocabulary: int, repeats: int) -> Path:
    """Words drawn by Zipf's law; written once for a vocabulary."""
    place = folder / f"text-{vocabulary}"
    if not place.exists():
        count = vocabulary - len(SPECIALS)
        shares = 1 / np.arange(1, count + 1)
        drawn = np.random.default_rng(1).choice(count, TEXT_TOKENS, p=shares / shares.sum()) + len(SPECIALS)
        documents = drawn.reshape(-1, DOCUMENT)
        tokens.write(place, (document for _ in range(repeats) for document in documents), np.dtype(np.uint16))
    return place


def our_task(case: Case, precision: str, threads: int) -> Values:
    values = {
        "model.embedding": case.embedding, "model.hidden": case.hidden, "model.layers": case.layers,
        "model.softmax": case.softmax, "pretrain.batch_size": case.batch, "pretrain.bptt": case.window,
        "pretrain.variable_bptt": False, "pretrain.drop_mult": 1.0, "pretrain.lr_max": 1e-3, "pretrain.clip": CLIP,
        "pretrain.weight_decay": WEIGHT_DECAY, "pretrain.precision": precision, "pretrain.threads": threads,
        "pretrain.checkpoint_seconds": 1e9,
    }  # fmt: skip
    return {"values": values, "vocabulary": case.vocabulary}


def fastai_task(case: Case, half: bool) -> Values:
    sizes = {name: value for name, value in asdict(case).items() if name != "softmax"}
    return {**sizes, "rate": 1e-3, "clip": CLIP, "weight_decay": WEIGHT_DECAY, "half": half, "seed": 1}


def matmul_task(case: Case, number_format: str) -> Values:
    """The largest product of the network but the decoder's: the inner layers' inputs times their weights."""
    return {"shape": [case.tokens, case.hidden, 4 * case.hidden], "format": number_format}


def start(case: Case, text: Path, options: argparse.Namespace, stack: contextlib.ExitStack) -> dict[str, Peer]:
    """The children of a row by side, made one after another; all are ready and wait."""

    def child(side: str, script: str, task: Values) -> Peer:
        python = oracle(options.oracle) if script == "fastai_lm.py" else sys.executable
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        task = {**task, "train": str(text), "valid": str(text), "folder": folder, "clock": options.clock}
        return stack.enter_context(Peer(side, python, script, options.threads, task))

    peers = {"fastai": child("fastai", "fastai_lm.py", fastai_task(case, best_device().type == "cuda"))}
    for precision in ("float32", "auto"):
        side = f"ours, {precision}"
        peers[side] = child(side, "engine_lm.py", our_task(case, precision, options.threads))
    for number_format in {peer.facts["precision"]: None for peer in peers.values()}:
        side = f"matmul, {number_format}"
        peers[side] = child(side, "matmul.py", matmul_task(case, number_format))
    return peers


# The measurement


def measure(case: Case, text: Path, options: argparse.Namespace) -> Row:
    """What each side did in each round, and what follows from it."""
    with contextlib.ExitStack() as stack:
        peers = start(case, text, options, stack)
        for peer in peers.values():
            peer.train(options.seconds / 3)  # what only the first steps do is not counted
        rounds = [
            {side: peer.train(options.seconds / (6 if "matmul" in side else 1)) for side, peer in peers.items()}
            for _ in range(options.rounds)
        ]  # fmt: skip
    facts = {side: peer.facts for side, peer in peers.items()}
    sides = {side: figures(case, side, rounds, facts[side]) for side in peers}
    return {**asdict(case), "threads": options.threads, "clock": options.clock, **machine(), "sides": sides}


def figures(case: Case, side: str, rounds: list[dict[str, Answer]], facts: Answer) -> Row:
    """Of one side: amounts a second (tokens, or operations of a matrix product) and ratios within each round."""

    def rate(of: str) -> list[float]:
        return [done[of]["amount"] / done[of]["seconds"] for done in rounds]

    def ratio_to(other: str, factor: float = 1.0) -> float:
        return factor * median(a / b for a, b in zip(rate(side), rate(other)))

    last = rounds[-1]
    found = {**facts, "rate": median(rate(side)), "slices": rate(side), "memory": last[side]["memory"]}
    if "matmul" in side:
        return found
    found |= {"of_fastai": ratio_to("fastai"), "memory_of_fastai": last[side]["memory"] / last["fastai"]["memory"]}
    if case.softmax == "full" or side == "fastai":
        found["of_matmul"] = ratio_to(f"matmul, {facts['precision']}", case.flops)
    return found | {"loss": last[side]["loss"]}


# What came of it


def table(rows: list[Row]) -> str:
    """The newest row of each case in each place."""
    newest = {(title(row), place(row)): row for row in rows}
    lines = [
        "| | tokens/s | of fastai's | of the rate of matrix products | peak memory, MiB | of fastai's |",
        "|---|---|---|---|---|---|",
    ]
    for row in newest.values():
        products = ", ".join(product(side, found) for side, found in row["sides"].items() if "matmul" in side)
        lines.append(f"| **{title(row)}** | | | {products} | | {place(row)} |")
        lines += [line(side, found) for side, found in row["sides"].items() if "matmul" not in side]
    return "\n".join(lines)


def title(row: Row) -> str:
    return Case(**{name: row[name] for name in Case.__dataclass_fields__}).title


def place(row: Row) -> str:
    """Where it was measured, and by what."""
    device = row["sides"]["fastai"]["device"]
    by = "" if row["clock"] == "wall" else ", by processor time"
    return f"{row['cpu']}, {row['threads']} of {row['cores']} cores{by}" if device == "cpu" else f"{device}{by}"


def product(side: str, found: Row) -> str:
    return f"{side.removeprefix('matmul, ')} {found['rate'] / 1e9:,.0f} GFLOP/s"


def line(side: str, found: Row) -> str:
    share = f"{found['of_matmul']:.2f}" if "of_matmul" in found else "-"
    return (
        f"| {side} ({found['precision']}) | {found['rate']:,.0f} | {found['of_fastai']:.2f} | {share} "
        f"| {found['memory'] / 2**20:,.0f} | {found['memory_of_fastai']:.2f} |"
    )


def parsed() -> argparse.Namespace:
    cases = CASES_ON_GPU if best_device().type == "cuda" else CASES
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oracle", type=Path, help="a Python that has fastai")
    parser.add_argument("--rows", nargs="+", choices=list(cases), default=list(cases))
    parser.add_argument("--seconds", type=float, default=30.0, help="length of a slice of training")
    parser.add_argument("--rounds", type=int, default=5, help="slices of each side")
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="what tells the seconds")
    parser.add_argument("--quick", action="store_true", help="a tiny model in short slices; kept nowhere")
    parser.add_argument("--table", action="store_true", help="print the table of the rows there are, run nothing")
    parser.add_argument("--results", type=Path, default=RESULTS, help="another file of rows leaves the page as it is")
    parser.add_argument("--json", action="store_true", help="print the rows measured now as one JSON list")
    options = parser.parse_args()
    options.cases = [cases[name] for name in options.rows]
    if options.quick:
        options.cases, options.seconds, options.rounds = [QUICK], 0.5, 2
    return options


def main() -> None:
    options = parsed()
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        for case in [] if options.table else options.cases:
            text = made_up_text(Path(folder), case.vocabulary, REPEATED if best_device().type == "cuda" else 1)
            measured.append(measure(case, text, options))
            if not options.quick:
                study.append(options.results, measured[-1])
    rows = measured if options.quick else study.rows_of(options.results)
    if not options.quick and options.results == RESULTS:
        page.write_between(page.PAGE, "train_lm", table(rows))
    print(json.dumps(measured) if options.json else table(rows))


if __name__ == "__main__":
    main()
