"""A small project whose classifier is trained in a second or two: the label stands in the words of its texts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ulmfit_core.config import ModelSettings, Recipe, VocabSettings, set_value
from ulmfit_core.project import Project
from ulmfit_core.run import launch

TELLING = {"bad": ("dreadful", "tedious"), "good": ("lovely", "splendid")}
FILLERS = ("amber", "bridge", "candle", "desert", "engine", "forest", "garden", "harbour")
SMALL = {
    "finetune.enabled": False, "classify.threads": 1, "classify.unfreezing": "all", "classify.batch_size": 16,
    "classify.drop_mult": 0.0, "classify.epochs": 8, "classify.lr_max": 0.03, "data.valid_fraction": 0.3,
    "data.test_fraction": 0.2,
}  # fmt: skip


def rows(count: int) -> list[tuple[str, str]]:
    """Texts of five different words, one of which tells the label, and their labels."""
    rng = np.random.default_rng(0)
    labels = [("bad", "good")[number % 2] for number in range(count)]
    return [
        (" ".join(rng.permutation([*rng.choice(FILLERS, 4, replace=False), rng.choice(TELLING[label])])), label)
        for label in labels
    ]


def project_of(folder: Path, texts: Iterable[tuple[str, str]], **settings: Any) -> Project:
    """A project whose vocabulary, of whole words, is built. `settings` by dotted names, beside those of SMALL."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["text,label", *(f"{text},{label}" for text, label in texts)]
    (folder / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    network = ModelSettings(embedding=12, hidden=16, layers=2)
    recipe = Recipe(vocab=VocabSettings(kind="word", min_frequency=1), model=network)
    recipe.data.data, recipe.data.text, recipe.data.label = str(folder / "rows.csv"), ["text"], "label"
    for key, value in {**SMALL, **settings}.items():
        set_value(recipe, key, value)
    project = Project.create(folder / "project", recipe)
    run(project, "import", "vocab")
    return project


def run(project: Project, *jobs: str) -> dict[str, Any]:
    """The report of the last of these jobs."""
    report: dict[str, Any] = {}
    for job in jobs:
        ended = launch(project, job)
        assert ended.status == "done", ended.reason
        report = ended.report
    return report
