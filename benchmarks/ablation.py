"""What each part of ULMFiT is worth: six arms, each with one part more than the one before, on TREC-6 and IMDb.

    python benchmarks/ablation.py --work FOLDER [--datasets trec imdb] [--seeds 1 2 3 4 5] [--table] [--json]

Each finished arm appends a row to docs/results/ablation.jsonl; rows that exist are skipped, so the study can be
finished in parts. Projects are kept in FOLDER and interrupted stages are resumed there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from pathlib import Path

import study
from study import DATA, Values, imdb_rows, trec_rows, write_rows

RESULTS = Path("docs/results/ablation.jsonl")
# 3.1M parameters.
COMMON = {"vocab.size": 8000, "model.embedding": 192, "model.hidden": 288, "model.layers": 3}
CORPUS_WORDS = 3_000_000
PRETRAIN = {
    "pretrain.epochs": 1, "pretrain.lr_max": 0.005, "pretrain.drop_mult": 0.1,
    "pretrain.batch_size": 16, "pretrain.bptt": 35,
}  # fmt: skip
DATASETS: dict[str, Values] = {
    "trec": {"finetune.epochs": 6, "finetune.lr_max": 0.004},
    "imdb": {
        "vocab.max_tokens": 300, "data.valid_fraction": 0.2, "finetune.epochs": 1, "finetune.lr_max": 0.004,
    },
}  # fmt: skip
# All arms of a dataset train the classifier for so many epochs in all; gradual unfreezing spends four on its way down.
EPOCHS = {"trec": 12, "imdb": 10}
SEEDS = {"trec": [1, 2, 3, 4, 5], "imdb": [1, 2]}
PLAIN = {"classify.unfreezing": "all", "classify.layer_factor": 1.0, "classify.schedule": "constant"}
# The highest rate of each arm, from a pilot on TREC's validation rows (docs/results.md says what was tried).
ONE_RATE, CONSTANT_RATE, SLANTED_RATE = 0.003, 0.02, 0.02


def arms(dataset: str) -> dict[str, Values]:
    """Knobs of each arm, from the least to the whole recipe."""
    epochs = {"classify.epochs": EPOCHS[dataset]}
    plain = {**epochs, **PLAIN, "classify.lr_max": ONE_RATE}
    discriminative = {**plain, "classify.layer_factor": 2.6, "classify.lr_max": CONSTANT_RATE}
    slanted = {**discriminative, "classify.schedule": "slanted", "classify.lr_max": SLANTED_RATE}
    gradual = {**slanted, "classify.unfreezing": "gradual", "classify.epochs": EPOCHS[dataset] - 4}
    return {
        "from scratch": {**plain, "finetune.enabled": False},
        "+ pretraining": {**plain, "finetune.enabled": False},
        "+ LM fine-tuning": plain,
        "+ discriminative": discriminative,
        "+ slanted triangular": slanted,
        "+ gradual unfreezing": gradual,
    }


def prepare(work: Path) -> None:
    """Fixed samples: 500 labelled and 5,000 unlabelled reviews, 2,000 test reviews, all of TREC."""
    if (work / "all.csv").exists():
        return
    work.mkdir(parents=True, exist_ok=True)
    draw = random.Random(2018)
    labelled = draw.sample(imdb_rows("imdb_train.csv.xz"), 500)
    unlabelled = [(text, "") for text, _ in draw.sample(imdb_rows("imdb_unsup.csv.xz"), 5_000)]
    trec = trec_rows("train_5500.label")
    write_rows(work / "imdb.csv", labelled)
    write_rows(work / "imdb_unlabelled.csv", unlabelled)
    write_rows(work / "imdb_test.csv", draw.sample(imdb_rows("imdb_test.csv.xz"), 2_000))
    write_rows(work / "trec.csv", trec)
    write_rows(work / "trec_test.csv", trec_rows("TREC_10.label"))
    write_rows(work / "all.csv", [(text, "") for text, _ in labelled + unlabelled + trec])


def base_model(work: Path) -> Path:
    """One language model for all arms; its vocabulary has seen the target texts, never the tests'."""
    return study.pretrained(work / "base", {
        **COMMON, **PRETRAIN, "data.data": str(work / "all.csv"), "data.text": ["text"],
        "data.corpus": str(DATA.absolute() / "wiki.train.txt.xz"), "data.corpus_words": CORPUS_WORDS,
    })  # fmt: skip


def settings(work: Path, dataset: str, arm: str, seed: int) -> Values:
    """All knobs of one row. Arms that share a language model share its project, so it is fine-tuned once a seed."""
    base = {"base": str(base_model(work))} if arm != "from scratch" else {"pretrain.enabled": False}
    unlabelled = {"data.unlabelled": str(work / "imdb_unlabelled.csv")} if dataset == "imdb" else {}
    return {
        **COMMON, **DATASETS[dataset], **base, **unlabelled, "data.data": str(work / f"{dataset}.csv"),
        "data.test": str(work / f"{dataset}_test.csv"), "data.text": ["text"], "data.label": "label",
        "finetune.seed": seed, "classify.seed": seed, **arms(dataset)[arm],
    }  # fmt: skip


def place(work: Path, dataset: str, arm: str, seed: int) -> Path:
    return work / f"{dataset}-{'scratch' if arm == 'from scratch' else 'pretrained'}-{seed}"


def hash_of(dataset: str, arm: str) -> str:
    return study.recipe_hash(COMMON, PRETRAIN, CORPUS_WORDS, DATASETS[dataset], arm, arms(dataset)[arm])


def one_arm(work: Path, dataset: str, arm: str, seed: int) -> None:
    row = {"dataset": dataset, "arm": arm, "size": 0 if dataset == "trec" else 500, "seed": seed}
    row |= {"recipe": hash_of(dataset, arm), "cores": os.cpu_count()}
    if not study.finished(RESULTS, row):
        study.append(RESULTS, row | study.measure(place(work, dataset, arm, seed), settings(work, dataset, arm, seed)))


def table() -> str:
    """Test accuracy of each arm, mean (lowest to highest) over its seeds, as Markdown; only rows of today's recipe."""
    lines = ["| arm | TREC-6 | seeds | IMDb, 500 labels | seeds |", "|---|---|---|---|---|"]
    rows = study.rows_of(RESULTS)
    for arm in arms("trec"):
        cells = []
        for dataset in DATASETS:
            key = (dataset, hash_of(dataset, arm))
            cells.append(cell([row["accuracy"] for row in rows if (row["dataset"], row["recipe"]) == key]))
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join(lines)


def cell(figures: list[float]) -> str:
    if not figures:
        return "- | 0"
    return f"{sum(figures) / len(figures):.3f} ({min(figures):.3f} to {max(figures):.3f}) | {len(figures)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/ablation"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--datasets", nargs="+", choices=list(DATASETS), default=list(DATASETS))
    parser.add_argument("--table", action="store_true", help="print the rows there are as Markdown, run nothing")
    parser.add_argument("--json", action="store_true", help="print all rows as one JSON list")
    options = parser.parse_args()
    if options.table:
        print(table())
        return
    work = options.work.absolute()
    prepare(work)
    for dataset in options.datasets:
        for seed in [seed for seed in options.seeds if seed in SEEDS[dataset]]:
            for arm in arms(dataset):
                one_arm(work, dataset, arm, seed)
    if options.json:
        print(json.dumps(study.rows_of(RESULTS)))


if __name__ == "__main__":
    main()
