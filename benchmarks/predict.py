"""How fast does a classifier answer? Ours in float32 and in eight bits beside fastai, with the same weights, in turn.

    python benchmarks/predict.py --oracle PYTHON [--rounds 5] [--reviews 128] [--short 512] [--json]
    python benchmarks/predict.py --accuracy PROJECT=ROWS.csv …    # what eight bits change; trains nothing

Networks have random weights. **ours** and fastai share fastai's default network, its words, rules and tokenizer, so
that both read the same tokens; **starter** is the size that this program trains by default, with its own pieces of
words. A run appends a row to docs/results/predict.jsonl and rewrites the table in docs/performance.md.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import page
import study
import torch
from peers import CLOCKS, Peer, machine, oracle
from study import Row

from resources import resource_path
from ulmfit_core.config import ClassifySettings, ModelSettings, VocabSettings
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.models import bundle as bundles
from ulmfit_core.project import Project
from ulmfit_core.run import Run
from ulmfit_core.text import words
from ulmfit_core.text.vocab import Vocabulary, new_vocabulary

RESULTS = Path("docs/results/predict.jsonl")
# Of a text of the first comparison, and how many of them there are.
WORDS, TEXTS = 200, 10
# Sizes of fastai's default network and of ours.
LARGE, SMALL = (400, 1152, 3), (192, 288, 3)
TITLES = {
    "fastai": "fastai", "ours": "ours, float32", "ours_8": "ours, eight bits",
    "starter": "ours, 192/288/3, float32", "starter_8": "ours, 192/288/3, eight bits",
}  # fmt: skip
PARTS = ("one", "one_read", "reviews", "reviews_read", "short", "short_read")


# The texts and the networks


def texts_of(reviews: int, short: int) -> dict[str, list[str]]:
    """By name: texts of 200 words for one by one, whole reviews, and the first ten words of others."""
    found = [text for text, _ in itertools.islice(study.imdb_rows("imdb_test.csv.xz"), 5_000)]
    long = [text.split() for text in found if len(text.split()) > WORDS]
    return {
        "one": [" ".join(text[:WORDS]) for text in long[:TEXTS]],
        "reviews": found[:reviews],
        "short": [" ".join(text.split()[:10]) for text in found[-short:]],
    }


def random_bundle(folder: Path, sizes: tuple[int, int, int], vocab: Vocabulary) -> Path:
    """A classifier of two labels with fresh weights and, of BatchNorm, statistics that are not 0 and 1."""
    network = ModelSettings(embedding=sizes[0], hidden=sizes[1], layers=sizes[2])
    encoder = bundles.new_encoder(network, vocab.size)
    rng = torch.Generator().manual_seed(1)
    encoder.reset(rng)
    model = bundles.new_classifier(encoder, 2, ClassifySettings(bptt=72, max_length=1440, head=50)).eval()
    for norm in (model.head.norm1, model.head.norm2):
        norm.running_mean.normal_(0, 0.05, generator=rng)
        norm.running_var.uniform_(0.01, 0.1, generator=rng)
    bundles.save(folder, bundles.Bundle("classifier", network, model, vocab, ["neg", "pos"]), "")
    return folder


def word_vocabulary(texts: list[str]) -> Vocabulary:
    settings = VocabSettings(kind="word", size=60_000, rules="fastai")
    listed = words.to_json(words.learn(texts, settings, Run(), sum(map(len, texts))))
    return new_vocabulary("word", listed, "fastai", {})


# The measurement


def measure(folder: Path, options: argparse.Namespace) -> Row:
    """Seconds of every side and part by round, and how far ours is from fastai's probabilities."""
    texts = texts_of(options.reviews, options.short)
    (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    learned = [text for text, _ in study.imdb_rows("imdb_test.csv.xz")[:5_000]]
    large = random_bundle(folder / "large", LARGE, word_vocabulary(learned))
    small = random_bundle(folder / "small", SMALL, Vocabulary.load(resource_path("starter/english")))
    sides = {"fastai": large, "ours": large, "ours_8": large, "starter": small, "starter_8": small}
    peers = {side: started(side, bundle, folder, options) for side, bundle in sides.items()}
    told = {side: np.array(peers[side].ask(told=True)["told"]) for side in ("fastai", "ours", "ours_8")}
    seconds: dict[str, Any] = {side: {part: [] for part in PARTS} for side in sides}
    for _, part, side in itertools.product(range(options.rounds), PARTS, sides):
        seconds[side][part].append(peers[side].ask(**{part: True})["seconds"])
    for peer in peers.values():
        peer.__exit__()
    apart = {side: float(np.abs(told[side] - told["fastai"]).max()) for side in ("ours", "ours_8")}
    facts = {side: peer.facts for side, peer in peers.items()}
    counts = {name: len(found) for name, found in texts.items()}
    return {
        "kind": "speed", "threads": options.threads, "clock": options.clock, **machine(), "texts": counts,
        "facts": facts, "from_fastai": apart, "seconds": seconds,
    }  # fmt: skip


def started(side: str, bundle: Path, folder: Path, options: argparse.Namespace) -> Peer:
    task = {
        "bundle": str(bundle), "texts": str(folder / "texts.json"), "clock": options.clock,
        "eight_bits": side.endswith("_8"),
    }  # fmt: skip
    if side == "fastai":
        return Peer(side, oracle(options.oracle), "fastai_predict.py", options.threads, task)
    return Peer(side, sys.executable, "engine_predict.py", options.threads, task)


def changes(project: Project, rows: Path) -> Row:
    """What eight bits change in the answers to labelled rows of a file: network alone, and with word counts."""
    with rows.open(encoding="utf-8", newline="") as file:
        found = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    texts = [text for text, _ in found]
    whole, eight = (Predictor.of(project, eight_bits=bits) for bits in (False, True))
    assert not eight.refusal, eight.refusal
    truth = np.array([whole.labels.index(label) if label in whole.labels else -1 for _, label in found])
    row: Row = {"kind": "accuracy", "project": project.folder.name, "rows": len(found)}
    networks = [predictor.network_probabilities(texts) for predictor in (whole, eight)]
    answers = [predictor.pooled(network, texts) for predictor, network in zip((whole, eight), networks, strict=True)]
    for name, (before, after) in {"network": networks, "answers": answers}.items():
        row[name] = {
            "float32": float((before.argmax(1) == truth).mean()),
            "eight_bits": float((after.argmax(1) == truth).mean()),
            "changed": int((before.argmax(1) != after.argmax(1)).sum()),
            "largest": float(np.abs(before - after).max()), "mean": float(np.abs(before - after).mean()),
        }  # fmt: skip
    return row


# What is told


def table(rows: list[Row]) -> str:
    speeds = {(row["threads"], row["clock"]): row for row in rows if row["kind"] == "speed"}
    accuracies = {row["project"]: row for row in rows if row["kind"] == "accuracy"}
    parts = [speed_table(row) for row in speeds.values()]
    return "\n\n".join([*parts, *([accuracy_table(list(accuracies.values()))] if accuracies else [])])


def speed_table(row: Row) -> str:
    lines = [
        "| | one text of 200 words: median, 95th percentile (ms) | of fastai's | network alone: ms, of fastai's "
        "| reviews a second | of fastai's | network alone | short texts a second | of fastai's | network alone |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
        *(speed_line(row, side) for side in row["seconds"]),
    ]
    by = "on the wall" if row["clock"] == "wall" else "by processor time"
    told = (
        f"{row['cpu']}, {row['threads']} of {row['cores']} cores, {by}; {row['texts']['reviews']} reviews, "
        f"{row['texts']['short']} short texts. Largest difference of a probability from fastai's: "
        f"{row['from_fastai']['ours']:.0e} in float32, {row['from_fastai']['ours_8']:.0e} in eight bits."
    )
    return "\n".join([*lines, "", told])


def speed_line(row: Row, side: str) -> str:
    one = 1000 * np.array(row["seconds"][side]["one"]).ravel()
    alone = 1000 * median(np.array(row["seconds"][side]["one_read"]).ravel())
    cells = [
        f"{median(one):.0f}, {np.quantile(one, 0.95):.0f}", times(row, side, "one"),
        f"{alone:.0f}, {times(row, side, 'one_read')}",
    ]  # fmt: skip
    for name in ("reviews", "short"):
        rate = row["texts"][name] / median(np.array(row["seconds"][side][name]).ravel())
        cells += [f"{rate:,.1f}", times(row, side, name), times(row, side, f"{name}_read")]
    return f"| {TITLES[side]} | {' | '.join(cells)} |"


def times(row: Row, side: str, part: str) -> str:
    """How many times as fast as fastai: the median of the rounds' ratios."""
    theirs, ours = (np.array(row["seconds"][one][part]).sum(1) for one in ("fastai", side))
    return f"{median(theirs / ours):.2f}"


def accuracy_table(rows: list[Row]) -> str:
    lines = [
        "| classifier, rows | | right in float32 | right in eight bits | labels that change "
        "| probability: largest, mean difference |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for row, name in itertools.product(rows, ("network", "answers")):
        found = row[name]
        what = {"network": "network alone", "answers": "answers as given"}[name]
        lines.append(
            f"| {row['project']}, {row['rows']:,} | {what} | {found['float32']:.4f} | {found['eight_bits']:.4f} "
            f"| {found['changed']} | {found['largest']:.4f}, {found['mean']:.5f} |"
        )
    return "\n".join(lines)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oracle", type=Path, help="a Python that has fastai")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side")
    parser.add_argument("--reviews", type=int, default=128, help="reviews that are read as a file")
    parser.add_argument("--short", type=int, default=512, help="texts of ten words that are read as a file")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=list(CLOCKS), default="processor", help="what tells the seconds")
    parser.add_argument("--accuracy", nargs="+", metavar="PROJECT=CSV", help="what eight bits change; no speed")
    parser.add_argument("--table", action="store_true", help="print the table of the rows there are, run nothing")
    parser.add_argument("--results", type=Path, default=RESULTS, help="another file of rows leaves the page as it is")
    parser.add_argument("--json", action="store_true", help="print the rows measured now as one JSON list")
    return parser.parse_args()


def measured(options: argparse.Namespace) -> list[Row]:
    if options.table:
        return []
    if options.accuracy:
        torch.set_num_threads(options.threads)
        pairs = [given.partition("=") for given in options.accuracy]
        return [changes(Project.open(Path(folder)), Path(rows)) for folder, _, rows in pairs]
    with tempfile.TemporaryDirectory() as folder:
        return [measure(Path(folder), options)]


def main() -> None:
    options = parsed()
    rows = measured(options)
    for row in rows:
        study.append(options.results, row)
    shown = table(study.rows_of(options.results))
    if options.results == RESULTS:
        page.write_between(page.PAGE, "predict", shown)
    print(json.dumps(rows) if options.json else shown)


if __name__ == "__main__":
    main()
