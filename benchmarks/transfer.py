"""Is transfer real? The whole recipe beside training from scratch, on TREC-6 and on IMDb with 1,000 labels.

    python benchmarks/transfer.py --work FOLDER [--seeds 1 2] [--datasets trec imdb] [--json]

Each finished arm appends a row to docs/results/transfer.jsonl; rows that exist are skipped, so the study can be
finished in parts. Projects are kept in FOLDER and interrupted stages are resumed there.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import lzma
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from ulmfit_core import config, files
from ulmfit_core.config import Recipe
from ulmfit_core.project import Project
from ulmfit_core.run import launch

DATA = Path(os.environ.get("ULMFIT_DATA", "../shared/data"))
RESULTS = Path("docs/results/transfer.jsonl")
CORPUS_WORDS = 2_000_000
COMMON = {"vocab.size": 8000, "model.embedding": 128, "model.hidden": 256, "model.layers": 3}
PRETRAIN = {"pretrain.epochs": 1, "pretrain.lr_max": 0.005, "pretrain.drop_mult": 0.1}
DATASETS: dict[str, dict[str, Any]] = {
    "trec": {"finetune.epochs": 8, "finetune.lr_max": 0.004, "classify.epochs": 15, "classify.lr_max": 0.02},
    "imdb": {
        "vocab.max_tokens": 200, "finetune.epochs": 2, "finetune.lr_max": 0.004,
        "classify.epochs": 12, "classify.lr_max": 0.02,
    },
}
HEAD_ONLY = [{"epochs": 1, "groups": 1, "lr_max": 0.01, "schedule": "slanted"}]
# What suits an untrained network better: all layers from the first step, at one rate.
AT_ONCE = {"classify.unfreezing": "all", "classify.layer_factor": 1.0}
SCRATCH = {"base": "none", "pretrain.enabled": False, "finetune.enabled": False}


# The data, made once from the files in DATA


def write_rows(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(rows)


def trec_rows(name: str) -> list[tuple[str, str]]:
    lines = (DATA / "trec" / name).read_text(encoding="latin-1").splitlines()
    return [(line.split(" ", 1)[1], line.split(":", 1)[0]) for line in lines]


def imdb_rows(name: str) -> list[tuple[str, str]]:
    with lzma.open(DATA / name, "rt", encoding="utf-8", newline="") as file:
        return [(row["text"], row.get("label", "")) for row in csv.DictReader(file)]


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


# The projects


def recipe(values: dict[str, Any]) -> Recipe:
    made = Recipe()
    for key, value in {**COMMON, **values}.items():
        config.set_value(made, key, value)
    return made


def project(folder: Path, made: Recipe) -> Project:
    if not (folder / "project.toml").exists():
        return Project.create(folder, made)
    opened = Project.open(folder)
    opened.recipe = made
    opened.save()
    return opened


def run(subject: Project, step: str, **options: Any) -> dict[str, Any]:
    """The report of a finished run of `step`: today's, if there is one, otherwise of one made now."""
    done = subject.finished_run(step) if not options else None
    if done:
        return json.loads((done.folder / "events.jsonl").read_text().splitlines()[-1])["report"]
    unfinished = subject.resumable_run(step)
    print(f"{subject.folder.name}: {step}", file=sys.stderr, flush=True)
    ended = launch(subject, step, resume=unfinished.folder if unfinished else None, **options)
    if ended.status != "done":
        raise SystemExit(f"{subject.folder.name}: {step}: {ended.reason}")
    return ended.report


def base_model(work: Path, seed: int) -> Path:
    """A language model pretrained on the Wikipedia cut; its vocabulary has seen the target texts, never the tests'."""
    made = recipe({
        **PRETRAIN, "data.data": str(work / "all.csv"), "data.text": ["text"],
        "data.corpus": str(DATA / "wiki.train.txt.xz"), "data.corpus_words": CORPUS_WORDS, "pretrain.seed": seed,
    })  # fmt: skip
    subject = project(work / f"base-{seed}", made)
    for step in ("import", "vocab", "pretrain"):
        run(subject, step)
    return subject.bundle_folder("pretrain")


def target(work: Path, dataset: str, seed: int, values: dict[str, Any]) -> Recipe:
    unlabelled = {"data.unlabelled": str(work / "imdb_unlabelled.csv")} if dataset == "imdb" else {}
    return recipe({
        **DATASETS[dataset], **unlabelled, "data.data": str(work / f"{dataset}.csv"),
        "data.test": str(work / f"{dataset}_test.csv"), "data.text": ["text"], "data.label": "label",
        "finetune.seed": seed, "classify.seed": seed, **values,
    })  # fmt: skip


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


def recipe_hash(dataset: str, values: dict[str, Any]) -> str:
    """Of the settings alone, without places and seeds, so that a row means the same on every machine."""
    named = {key: value for key, value in values.items() if key != "base"}
    text = json.dumps([COMMON, PRETRAIN, DATASETS[dataset], CORPUS_WORDS, named, "base" in values], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def finished(row: dict[str, Any]) -> bool:
    if not RESULTS.exists():
        return False
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    return any(all(old.get(key) == value for key, value in row.items()) for old in rows)


def measure(work: Path, dataset: str, seed: int, arm: str, folder: Path, values: dict[str, Any]) -> dict[str, Any]:
    subject = project(folder, target(work, dataset, seed, values))
    began = time.monotonic()
    run(subject, "import")
    run(subject, "vocab")
    tuned = run(subject, "finetune") if subject.recipe.finetune.enabled else {}
    trained = run(subject, "classify")
    report = run(subject, "evaluate")
    return {
        "accuracy": report["accuracy"], "macro_f1": report["macro_f1"], "rows": report["rows"],
        "tfidf": report["baseline_tfidf"]["accuracy"], "valid": trained["best"],
        "perplexity_before": tuned.get("before", {}).get("perplexity"),
        "perplexity_after": tuned.get("best", {}).get("perplexity"),
        "finetune_minutes": round(tuned.get("seconds", 0) / 60, 2),
        "classify_minutes": round(trained["seconds"] / 60, 2),
        "minutes": round((time.monotonic() - began) / 60, 2),
    }  # fmt: skip


def study(work: Path, dataset: str, seed: int) -> None:
    for arm, folder, values in arms(work, dataset, seed):
        row = {"dataset": dataset, "arm": arm, "seed": seed, "recipe": recipe_hash(dataset, values)}
        if finished(row):
            continue
        if "base" in values and values["base"] != "none":
            base_model(work, seed)
        row |= {"cores": os.cpu_count(), **measure(work, dataset, seed, arm, folder, values)}
        log = files.AppendLog(RESULTS)
        log.write(json.dumps(row).encode() + b"\n")
        log.close()
        print(json.dumps(row), file=sys.stderr, flush=True)


def table() -> str:
    """All rows as a Markdown table, newest recipe of an arm last."""
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()]
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
            study(work, dataset, seed)
    if options.json:
        print(json.dumps([json.loads(line) for line in RESULTS.read_text().splitlines()]))


if __name__ == "__main__":
    main()
