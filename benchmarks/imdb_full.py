"""IMDb with all there is: a language model fine-tuned on its 100,000 texts, classifiers of all labels and of 500.

A folder of three projects. `prepared` makes them where the texts are. What trains them needs no text any more, only
token ids and labels, on whatever machine: `trained` tells of each part as soon as it is done. The language model reads
the test texts too, without their labels, as in the paper; the projects say so (transductive). All accuracies are those
of the network alone on the 25,000 official test rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import low_shot
import numpy as np
import starter
import study
from starter import Plan
from study import Row, Values

from ulmfit_core import device as devices
from ulmfit_core.config import with_epochs
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.inference.predictor import class_scores
from ulmfit_core.jobs.training_job import open_tokens
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.classifier import Classifier
from ulmfit_core.project import Project
from ulmfit_core.text.vocab import Vocabulary
from ulmfit_core.training.metrics import classification

ALL, FEW, SEEDS = "all", 500, (1, 2)
FILES = {part: f"imdb_{part}.csv.xz" for part in ("train", "test", "unsup")}
# Documents in a step of the classifier with all labels, as in fastai's notebook: fewer leave a graphics card waiting.
ALL_BATCH = 128
TEST_BATCH = 256
# Blending needs the texts. Number format and checkpoints as in the starter's recipe for a graphics card; all else is
# the preset's of the studies, or the default.
RECIPE: Values = {
    **low_shot.TRANSFER, "classify.blend": "off", "classify.precision": "fp16", "finetune.precision": "fp16",
    "finetune.checkpoint_seconds": 120.0, "classify.checkpoint_seconds": 120.0,
}  # fmt: skip


# Made where the texts are


def prepared(folder: Path, base: Path, others: Values) -> list[Project]:
    """The projects, their texts encoded in the vocabulary of the bundle `base`, whose weights do not matter yet."""
    rows = {part: csv_of(folder, part) for part in FILES}
    shared = {
        "base": str(base), "data.text": ["text"], "data.label": "label", "data.test": str(rows["test"]),
        "data.transductive": True, **RECIPE,
    }  # fmt: skip
    files = {"data.data": str(rows["train"]), "data.unlabelled": str(rows["unsup"])}
    whole = files | {"classify.batch_size": ALL_BATCH}
    recipes = {ALL: shared | whole, **{few(seed): shared | few_values(folder, seed) for seed in SEEDS}}
    subjects = [study.project(folder / name, study.recipe(values | others)) for name, values in recipes.items()]
    for subject in subjects:
        for step in ("import", "vocab"):
            study.run(subject, step)
    return subjects


def csv_of(folder: Path, part: str) -> Path:
    path = folder / f"{part}.csv"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        study.write_rows(path, study.imdb_rows(FILES[part]))
    return path


def few(seed: int) -> str:
    return f"few-{seed}"


def few_values(folder: Path, seed: int) -> Values:
    """A draw of labelled rows, a fifth of them to choose the best epoch by. The texts' model is trained elsewhere."""
    path = folder / f"{few(seed)}.csv"
    if not path.exists():
        pool = study.imdb_rows(FILES["train"])
        study.write_rows(path, [pool[row] for row in low_shot.drawn(pool, seed)[:FEW]])
    return {"data.data": str(path), "finetune.enabled": False, "classify.seed": seed, **low_shot.VALID}


# Trained where a graphics card is


def trained(folder: Path, base: Path, minutes: dict[str, float]) -> Iterator[tuple[str, Row]]:
    """The name and the figures of each part when it is done, `base` being the trained language model.

    `minutes` of the steps `finetune` and `classify`, the latter with all labels; without them what the recipe says.
    """
    whole = based(folder / ALL, base)
    if "finetune" in minutes:
        fit_into(minutes["finetune"], whole, "finetune")
    yield "imdb language model", starter.figures_of(whole, "finetune")
    if "classify" in minutes:
        fit_into(minutes["classify"], whole, "classify")
    yield "imdb, all labels", classified(whole)
    for seed in SEEDS:
        subject = based(folder / few(seed), whole.bundle_folder("finetune"))
        yield f"imdb, {FEW} labels, seed {seed}", classified(subject)


def based(folder: Path, base: Path) -> Project:
    """The project with a base that lies where it does on this machine."""
    subject = Project.open(folder)
    subject.recipe.base = str(base)
    subject.save()
    return subject


def classified(subject: Project) -> Row:
    return {**starter.figures_of(subject, "classify"), "test": on_test(subject)}


def on_test(subject: Project) -> dict[str, float]:
    """What the classifier's network reaches on the test rows, read as token ids."""
    bundle = bundles.load(subject.bundle_folder("classify"))
    assert isinstance(bundle.model, Classifier)
    dataset, tokens = Dataset.open(subject.dataset_folder), open_tokens(subject, bundle.vocab, "dataset")
    rows = dataset.labelled_rows("test")
    documents = [tokens[int(row)] for row in rows]
    scores = class_scores(bundle.model.to(devices.best_device()), documents, TEST_BATCH)
    return {"rows": len(rows), **classification(scores.argmax(1), dataset.label_ids[rows])}


# How much of it fits into a given time


def fit_into(minutes: float, subject: Project, step: str) -> Plan:
    """Set the epochs so that the step ends in time; one at least. Once, since a training that is resumed must have the
    schedule that it began with."""
    path = subject.folder / f"plan-{step}.json"
    if path.exists():
        plan = Plan(**json.loads(path.read_text()))
    else:
        plan = plan_for(minutes, subject, step)
        path.write_text(json.dumps(asdict(plan)))
    getattr(subject.recipe, step).epochs = plan.epochs
    subject.save()
    return plan


def plan_for(minutes: float, subject: Project, step: str) -> Plan:
    """Whole epochs over all texts. Of a classifier not more than the recipe has, and its frozen epochs count as whole
    ones, which leaves some time over."""
    recipe = subject.recipe.model_copy(deep=True)
    recipe.classify.unfreezing = "all"
    speed = starter.tokens_per_second(Project(subject.folder, recipe), step)
    texts, tokens = read_in_an_epoch(subject, step)
    seconds = 60 * minutes * starter.TRAINED - starter.TRIAL_SECONDS
    epochs = int(seconds * speed / tokens)
    if step == "classify":
        settings = with_epochs(subject.recipe.classify, texts)
        frozen = subject.recipe.model.layers + 1 if settings.unfreezing == "gradual" else 0
        epochs = min(settings.epochs, epochs - frozen * settings.frozen_epochs)
    return Plan(minutes, round(speed, 1), max(1, epochs), 1.0)


def read_in_an_epoch(subject: Project, step: str) -> tuple[int, int]:
    """Texts, and tokens in them."""
    dataset = Dataset.open(subject.dataset_folder)
    rows = dataset.lm_rows() if step == "finetune" else dataset.labelled_rows("train")
    tokens = open_tokens(subject, Vocabulary.load(subject.vocab_folder), "dataset")
    return len(rows), int(np.asarray(tokens.lengths)[rows].sum())
