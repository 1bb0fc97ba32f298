"""Which suggestion of the rate finder is best: searches on 500 labels of TREC-6, AG News and emotions, then trainings.

    python benchmarks/finder.py --work FOLDER [--sets ...] [--rates 0.0023 ...] [--json]

The classifier starts from the starter, without fine-tuning, with the settings of `balanced`. It is trained at each rate
that the search suggests, at the default .02, and at the further `--rates`. Accuracy is that on 1,000 further rows of
the training pool, by which the epoch is kept too; no test row is read. Each training appends a row to
docs/results/finder.jsonl; rows that exist are skipped.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import low_shot
import study

from ulmfit_core.presets import PRESETS
from ulmfit_core.project import Project

RESULTS = Path("docs/results/finder.jsonl")
SETS = ("trec", "ag_news", "emotion")
LABELS, VALID_ROWS, SEED, DEFAULT = 500, 1_000, 1, 0.02
CLASSIFIER = {key: value for key, value in PRESETS["balanced"].values.items() if key.startswith("classify.")}
FIXED: study.Values = {
    **CLASSIFIER, "classify.threads": 1, "classify.blend": "off", "finetune.enabled": False, "base": "starter",
    "data.text": ["text"], "data.label": "label", "data.test_fraction": 0.0,
}  # fmt: skip


def prepared(work: Path, name: str, rate: float) -> Project:
    """A project of the set whose classifier can be trained at that rate."""
    labelled, valid = work / f"{name}-{LABELS}.csv", work / f"{name}-valid.csv"
    if not valid.exists():
        work.mkdir(parents=True, exist_ok=True)
        pool, _, _ = low_shot.parts_of(name)
        order = low_shot.drawn(pool, SEED)
        study.write_rows(labelled, [pool[row] for row in order[:LABELS]])
        study.write_rows(valid, [pool[row] for row in order[-VALID_ROWS:]])
    values = {**FIXED, "data.data": str(labelled), "data.valid": str(valid), "classify.lr_max": rate}
    subject = study.project(work / f"{name}-{rate:g}", study.recipe(values))
    for step in ("import", "vocab"):
        study.run(subject, step)
    return subject


def suggested(work: Path, name: str) -> dict[str, float]:
    """What a search for the last layer group suggests, to two digits as the window takes it."""
    report = study.run(prepared(work, name, DEFAULT), "find_lr", stage="classify", groups=1)
    return {rule: float(f"{rate:.2g}") for rule, rate in report["suggestions"].items() if rate}


def trained(work: Path, name: str, rate: float) -> study.Row:
    best = study.run(prepared(work, name, rate), "classify")["best"]
    return {key: best[key] for key in ("accuracy", "macro_f1", "train_loss", "valid_loss")}


def measure(work: Path, name: str, rates: list[float]) -> None:
    rules: dict[float, list[str]] = {DEFAULT: ["default"]}
    for rule, rate in suggested(work, name).items():
        rules.setdefault(rate, []).append(rule)
    for rate in [*rules, *(rate for rate in rates if rate not in rules)]:
        row = {"set": name, "labels": LABELS, "seed": SEED, "rate": rate}
        if not study.finished(RESULTS, row):
            study.append(RESULTS, {**row, "rules": rules.get(rate, []), **trained(work, name, rate)})


def table(rows: list[study.Row]) -> str:
    lines = ["| set | rate | suggested by | accuracy | macro F1 |", "|---|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: (SETS.index(row["set"]), row["rate"])):
        figures = f"{row['accuracy']:.3f} | {row['macro_f1']:.3f}"
        lines.append(f"| {low_shot.TITLES[row['set']]} | {row['rate']:g} | {', '.join(row['rules'])} | {figures} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the projects")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--rates", nargs="+", type=float, default=[], help="further rates to train at")
    parser.add_argument("--json", action="store_true", help="print the rows as one JSON value")
    options: Any = parser.parse_args()
    for name in options.sets:
        measure(options.work.resolve(), name, options.rates)
    rows = study.rows_of(RESULTS)
    print(json.dumps(rows) if options.json else table(rows))


if __name__ == "__main__":
    main()
