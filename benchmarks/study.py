"""What the studies share: samples of public data, projects whose stages run once, rows that are never redone."""

from __future__ import annotations

import csv
import hashlib
import json
import lzma
import os
import sys
import time
from pathlib import Path
from typing import Any

from ulmfit_core import config, files
from ulmfit_core.config import Recipe
from ulmfit_core.project import Project
from ulmfit_core.run import launch

DATA = Path(os.environ.get("ULMFIT_DATA", "../shared/data"))
Values = dict[str, Any]
Row = dict[str, Any]


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


def ag_news_rows(name: str) -> list[tuple[str, str]]:
    """The training file names its columns; the test file does not and has the title in a column of its own."""
    with (DATA / "ag_news" / name).open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.reader(file) if line != ["class", "text"]]
    return [(" ".join(texts), label) for label, *texts in lines]


def emotion_rows() -> list[tuple[str, str]]:
    with (DATA / "emotion" / "emotion16k.csv").open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["label_name"]) for row in csv.DictReader(file)]


# The projects


def setting(text: str) -> tuple[str, Any]:
    """A knob given on the command line as KEY=VALUE."""
    key, _, value = text.partition("=")
    return key, config.parse_value(value)


def recipe(values: Values) -> Recipe:
    """The default recipe with these knobs, by their dotted names."""
    made = Recipe()
    for key, value in values.items():
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


def pretrained(folder: Path, values: Values) -> Path:
    """The language model of a project of its own, trained where it is not there yet."""
    subject = project(folder, recipe(values))
    for step in ("import", "vocab", "pretrain"):
        run(subject, step)
    return subject.bundle_folder("pretrain")


def measure(folder: Path, values: Values) -> Row:
    """What a row says of a project: its classifier, trained from import to evaluation where it is not there yet.

    The figures are the network's alone, unless the values blend it with word counts: then those without the blend
    stand under `network`, and what the validation rows said of it under `blend`.
    """
    subject = project(folder, recipe({"classify.blend": "off", **values}))
    began = time.monotonic()
    for step in ("import", "vocab"):
        run(subject, step)
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
        **({"network": report["network"], "blend": trained["blend"]} if "network" in report else {}),
    }  # fmt: skip


# The rows


def recipe_hash(*facts: Any) -> str:
    """Of settings alone, without places and seeds, so that a row means the same on every machine."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]


def rows_of(results: Path) -> list[Row]:
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def finished(results: Path, row: Row) -> bool:
    return any(all(old.get(key) == value for key, value in row.items()) for old in rows_of(results))


def append(results: Path, row: Row) -> None:
    log = files.AppendLog(results)
    log.write(json.dumps(row).encode() + b"\n")
    log.close()
    print(json.dumps(row), file=sys.stderr, flush=True)
