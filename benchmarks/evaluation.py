"""How far an evaluation can be trusted: of trained projects the figures with their intervals, the calibration error and
the loss before and after, and how many texts can be answered if 95 of 100 answers are to be right.

    python benchmarks/evaluation.py PROJECT ... [--split test|valid] [--results FILE] [--json]

Each project is copied and the copy evaluated; every figure is computed again from the exported CSV, by scikit-learn
and the loss by its formula, and `off` is the largest difference. Each finished project appends a row to
docs/results/evaluation.jsonl; a row of the same project, split, data and classifier that exists is not made again.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import study
from sklearn import metrics
from study import Row

from ulmfit_core import files, provenance
from ulmfit_core.errors import UserError
from ulmfit_core.inference import analysis, answers
from ulmfit_core.inference.exports import write_csv
from ulmfit_core.models.word_counts import FLOOR
from ulmfit_core.project import Project
from ulmfit_core.run import launch

RESULTS = Path("docs/results/evaluation.jsonl")
ACCURACY = 0.95
LEFT = ("runs", "tokens", "cache", "work.lock", "window.lock", "pretrained", "finetuned")  # not copied


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="+", type=Path, metavar="PROJECT")
    parser.add_argument("--split", choices=("test", "valid"), default="test")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--json", action="store_true", help="print the rows as one JSON value")
    options = parser.parse_args()
    try:
        rows = [row_of(folder, options.split, options.results) for folder in options.projects]
    except UserError as error:
        sys.exit(str(error))
    print(json.dumps(rows, indent=1) if options.json else "\n".join(map(sentence, rows)))


def row_of(folder: Path, split: str, results: Path) -> Row:
    """The row of a project, from the results where it is there, else of an evaluation made now."""
    project = Project.open(folder)
    known = {
        "project": project.recipe.name, "split": split, "data": provenance.data_hash(project),
        "classifier": classifier_hash(project),
    }  # fmt: skip
    for old in study.rows_of(results):
        if all(old.get(key) == value for key, value in known.items()):
            return old
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / folder.name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(*LEFT))
        row = known | measured(Project.open(copy), split)
    study.append(results, row)
    return row


def classifier_hash(project: Project) -> str:
    weights = project.bundle_folder("classify") / "weights.safetensors"
    if not weights.exists():
        raise UserError(f"{project.folder} has no trained classifier. Train it first.")
    return hashlib.sha256(weights.read_bytes()).hexdigest()[:16]


def measured(project: Project, split: str) -> Row:
    print(f"{project.recipe.name}: evaluate", file=sys.stderr, flush=True)
    began = time.process_time()
    ended = launch(project, "evaluate", split=split)
    if ended.status != "done":
        raise UserError(f"{project.recipe.name}: {ended.reason}")
    seconds, report = time.process_time() - began, ended.report
    evaluated = project.folder / "runs" / report["run"]
    write_csv(evaluated, evaluated / "answers.csv")
    kept = answers.load(evaluated)
    assert kept is not None
    return {
        "rows": report["rows"], "labels": len(report["labels"]), "figures": report["figures"],
        "tfidf": report["baseline_tfidf"]["accuracy"], "calibration": sides(report),
        "answered": answered(kept), "suspect_labels": len(analysis.label_errors(kept)),
        "off": largest_difference(evaluated / "answers.csv", report), "processor_seconds": round(seconds, 1),
    }  # fmt: skip


def sides(report: dict[str, Any]) -> dict[str, Any]:
    known = report["calibration"]
    return {side: {name: known[side][name] for name in ("ece", "loss")} for side in ("network", "answers")}


def answered(kept: answers.Answers) -> dict[str, float] | None:
    """From which probability on answers are right in 95 of 100 cases, and the share of texts that have one."""
    threshold = analysis.threshold_for(kept, ACCURACY)
    if threshold is None:
        return None
    return {"threshold": threshold, "share": float((kept.probabilities.max(1) >= threshold).mean())}


# The same by scikit-learn


def largest_difference(path: Path, report: dict[str, Any]) -> float:
    """Between any figure of the report, the loss of the answers included, and scikit-learn's from the CSV."""
    truth, shares = read(path)
    theirs = of_scikit_learn(truth, shares)
    ours = {name: figure["value"] for name, figure in report["figures"].items()}
    ours["loss"] = report["calibration"]["answers"]["loss"]
    return max(abs(ours[name] - theirs[name]) for name in theirs)


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(rows,) places of the true labels and (rows, labels) probabilities of an exported CSV."""
    with path.open(newline="", encoding="utf-8") as file:
        heads = next(csv.reader(file))
        first = next(place for place, name in enumerate(heads) if name.startswith("p("))
        labels = [files.safe_cell(name[2:-1]) for name in heads if name.startswith("p(")]
        rows = [(labels.index(row[heads.index("truth")]), row[first : first + len(labels)]) for row in csv.reader(file)]
    return np.array([truth for truth, _ in rows]), np.array([shares for _, shares in rows], float)


def of_scikit_learn(truth: np.ndarray, shares: np.ndarray) -> dict[str, float]:
    given, macro = shares.argmax(1), {"average": "macro", "zero_division": 0}
    exact = shares / shares.sum(1, keepdims=True)  # its shares are of 64 bits
    return {
        "accuracy": metrics.accuracy_score(truth, given),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, given),
        "macro_f1": metrics.f1_score(truth, given, **macro),
        "micro_f1": metrics.f1_score(truth, given, average="micro"),
        "macro_precision": metrics.precision_score(truth, given, **macro),
        "macro_recall": metrics.recall_score(truth, given, **macro),
        "roc_auc": metrics.roc_auc_score(truth, exact[:, 1] if shares.shape[1] == 2 else exact, multi_class="ovr"),
        "mcc": metrics.matthews_corrcoef(truth, given), "kappa": metrics.cohen_kappa_score(truth, given),
        "loss": float(-np.log(np.maximum(shares[np.arange(len(truth)), truth], FLOOR)).mean()),
    }  # fmt: skip


# Words


def sentence(row: Row) -> str:
    accuracy, before, after = row["figures"]["accuracy"], *(row["calibration"][side] for side in ("network", "answers"))
    share = f"{row['answered']['share']:.1%} from {row['answered']['threshold']:.2f}" if row["answered"] else "never"
    return (
        f"{row['project']} ({row['split']}): accuracy {accuracy['value']:.4f} ({accuracy['low']:.4f} to "
        f"{accuracy['high']:.4f}), ECE {before['ece']:.4f} to {after['ece']:.4f}, loss {before['loss']:.4f} to "
        f"{after['loss']:.4f}, {ACCURACY:.0%} right: {share}, off scikit-learn by {row['off']:.1g}"
    )


if __name__ == "__main__":
    main()
