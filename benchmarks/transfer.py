"""Is transfer real? The whole recipe beside training from scratch, on TREC-6 and on IMDb with 1,000 labels.

    python benchmarks/transfer.py --work FOLDER [--seeds 1 2] [--datasets trec imdb] [--json]

Each finished arm appends a row to docs/results/transfer.jsonl; rows that exist are skipped, so the study can be
finished in parts. Projects are kept in FOLDER and interrupted stages are resumed there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from pathlib import Path
from typing import Any

import study
from study import DATA, Values, imdb_rows, trec_rows, write_rows

RESULTS = Path("docs/results/transfer.jsonl")
CORPUS_WORDS = 2_000_000
COMMON = {"vocab.size": 8000, "model.embedding": 128, "model.hidden": 256, "model.layers": 3}
PRETRAIN = {"pretrain.epochs": 1, "pretrain.lr_max": 0.005, "pretrain.drop_mult": 0.1}
DATASETS: dict[str, dict[str, Any]] = {
    "trec": {"finetune.epochs": 8, "finetune.lr_max": 0.004, "classify.epochs": 15, "classify.lr_max": 0.02},
    "imdb": {
        "vocab.max_tokens": 200,
        "finetune.epochs": 2,
        "finetune.lr_max": 0.004,
        "classify.epochs": 12,
        "classify.lr_max": 0.02,
    },
}
HEAD_ONLY = [{"epochs": 1, "groups": 1, "lr_max": 0.01, "schedule": "slanted"}]
# What suits an untrained network better: all layers from the first step, at one rate.
AT_ONCE = {"classify.unfreezing": "all", "classify.layer_factor": 1.0}
SCRATCH = {"base": "none", "pretrain.enabled": False, "finetune.enabled": False}


# The data and the projects


def prepare(work: Path) -> None:
    """Fixed samples: 1,000 labelled and 10,000 unlabelled reviews, 2,000 test reviews, all of TREC."""
    if (work / "all.csv").exists():
        return
    work.mkdir(parents=True, exist_ok=True)
    draw = random.Random(2018)
    labelled = draw.sample(imdb_rows("imdb_train.csv.xz"), 1_000)
    unlabelled = draw.sample(imdb_rows("imdb_unsup.csv.xz"), 10_000)
    write_rows(work / "imdb.csv", labelled)
    write_rows(work / "imdb_unlabelled.csv", [(text, "") for text, _ in unlabelled])
    write_rows(work / "imdb_test.csv", draw.sample(imdb_rows("imdb_test.csv.xz"), 2_000))
    write_rows(work / "trec.csv", trec_rows("train_5500.label"))
    write_rows(work / "trec_test.csv", trec_rows("TREC_10.label"))
    texts = labelled + unlabelled + trec_rows("train_5500.label")
    write_rows(work / "all.csv", [(text, "") for text, _ in texts])


def base_model(work: Path, seed: int) -> Path:
    """A language model pretrained on the Wikipedia cut; its vocabulary has seen the target texts, never the tests'."""
    return study.pretrained(work / f"base-{seed}", {
        **COMMON, **PRETRAIN, "data.data": str(work / "all.csv"), "data.text": ["text"],
        "data.corpus": str(DATA / "wiki.train.txt.xz"), "data.corpus_words": CORPUS_WORDS, "pretrain.seed": seed,
    })  # fmt: skip


def target(work: Path, dataset: str, seed: int, values: Values) -> Values:
    unlabelled = {"data.unlabelled": str(work / "imdb_unlabelled.csv")} if dataset == "imdb" else {}
    return {
        **COMMON, **DATASETS[dataset], **unlabelled, "data.data": str(work / f"{dataset}.csv"),
        "data.test": str(work / f"{dataset}_test.csv"), "data.text": ["text"], "data.label": "label",
        "finetune.seed": seed, "classify.seed": seed, **values,
    }  # fmt: skip


# The arms


def arms(work: Path, dataset: str, seed: int) -> list[tuple[str, Path, dict[str, Any]]]:
    base = {"base": str(work / f"base-{seed}" / "models" / "pretrained")}
    whole, scratch = work / f"{dataset}-whole-{seed}", work / f"{dataset}-scratch-{seed}"
    return [
        ("whole-head", whole, {**base, "classify.phases": HEAD_ONLY}),
        ("whole", whole, base),
        ("scratch-head", scratch, {**SCRATCH, "classify.phases": HEAD_ONLY}),
        ("scratch", scratch, SCRATCH),
        ("scratch-all", scratch, {**SCRATCH, **AT_ONCE}),
    ]


def recipe_hash(dataset: str, values: Values) -> str:
    named = {key: value for key, value in values.items() if key != "base"}
    return study.recipe_hash(*[COMMON, PRETRAIN, DATASETS[dataset], CORPUS_WORDS, named, "base" in values])


def one_seed(work: Path, dataset: str, seed: int) -> None:
    for arm, folder, values in arms(work, dataset, seed):
        row = {"dataset": dataset, "arm": arm, "seed": seed, "recipe": recipe_hash(dataset, values)}
        if study.finished(RESULTS, row):
            continue
        if "base" in values and values["base"] != "none":
            base_model(work, seed)
        study.append(
            RESULTS, row | {"cores": os.cpu_count(), **study.measure(folder, target(work, dataset, seed, values))}
        )


def table() -> str:
    """All rows as a Markdown table, newest recipe of an arm last."""
    rows = study.rows_of(RESULTS)
    lines = [
        "| data | arm | seed | accuracy | macro F1 | TF-IDF | perplexity before → after | minutes | recipe |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda row: (row["dataset"], row["recipe"], row["arm"], row["seed"])):
        tuned = row["perplexity_after"] and f"{row['perplexity_before']:.0f} → {row['perplexity_after']:.1f}"
        figures = f"{row['accuracy']:.3f} | {row['macro_f1']:.3f} | {row['tfidf']:.3f} | {tuned or '-'}"
        minutes = row["finetune_minutes"] + row["classify_minutes"]
        lines.append(
            f"| {row['dataset']} | {row['arm']} | {row['seed']} | {figures} | {minutes:.1f} | {row['recipe']} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/transfer"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--datasets", nargs="+", choices=list(DATASETS), default=list(DATASETS))
    parser.add_argument("--table", action="store_true", help="print the rows there are as Markdown, run nothing")
    parser.add_argument("--json", action="store_true", help="print all rows as one JSON list")
    options = parser.parse_args()
    if options.table:
        print(table())
        return
    work = options.work.absolute()
    prepare(work)
    for seed in options.seeds:
        for dataset in options.datasets:
            one_seed(work, dataset, seed)
    if options.json:
        print(json.dumps(study.rows_of(RESULTS)))


if __name__ == "__main__":
    main()
