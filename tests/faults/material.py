"""A project so small that all its steps take seconds, as it stands before each step, and what a step may leave."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.core import trained
from ulmfit_core import events
from ulmfit_core.config import ModelSettings, Recipe, VocabSettings, set_value
from ulmfit_core.project import Project
from ulmfit_core.run import launch

STEPS = ("import", "vocab", "finetune", "classify", "evaluate")
ROWS = 40
TINY = {
    **trained.SMALL, "finetune.enabled": True, "finetune.epochs": 1, "finetune.threads": 1, "finetune.batch_size": 4,
    "finetune.bptt": 20, "classify.epochs": 2, "finetune.checkpoint_seconds": 1e6, "classify.checkpoint_seconds": 1e6,
    "insight.forgetting": False,
}  # fmt: skip
# What differs from run to run though nothing else does.
NEVER_THE_SAME = ("seconds", "run", "created", "at", "fingerprint")


def recipe_of(folder: Path, kind: str = "word") -> Recipe:
    """Of two labels that stand in the words of the texts; the file of rows is written to `folder`."""
    lines = ["text,label", *(f"{text},{label}" for text, label in trained.rows(ROWS))]
    (folder / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    network = ModelSettings(embedding=8, hidden=12, layers=2)
    recipe = Recipe(vocab=VocabSettings(kind=kind, min_frequency=1, size=100), model=network)
    recipe.data.data, recipe.data.text, recipe.data.label = str(folder / "rows.csv"), ["text"], "label"
    for key, value in TINY.items():
        set_value(recipe, key, value)
    return recipe


@dataclass(frozen=True)
class Material:
    """`before[step]`: the project before a step; `after[step]`: what it has after it where nothing fails."""

    before: dict[str, Path]
    after: dict[str, dict[str, object]]

    def copy(self, step: str, folder: Path) -> Path:
        """A project of its own, before a step."""
        return shutil.copytree(self.before[step], folder)


def make(folder: Path, kind: str = "word") -> Material:
    """Run all steps undisturbed."""
    folder.mkdir(parents=True, exist_ok=True)
    project = Project.create(folder / "project", recipe_of(folder, kind))
    before, after = {}, {}
    for step in STEPS:
        before[step] = shutil.copytree(project.folder, folder / f"before-{step}")
        ended = launch(project, step)
        assert ended.status == "done", ended.reason
        after[step] = made(project)
    return Material(before, after)


def made(project: Project) -> dict[str, object]:
    """What a project has, by name, without what no two runs have in common; {} of what it has not."""
    places = {
        "dataset": project.dataset_folder, "vocab": project.vocab_folder, "tokens": project.tokens_folder,
        "finetuned": project.bundle_folder("finetune"), "classifier": project.bundle_folder("classify"),
    }  # fmt: skip
    return {name: contents(place) for name, place in places.items()} | {"report": _report(project)}


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder by their place in it, but for working folders and what is half made."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            found[name] = _plain(path)
    return found


def _plain(path: Path) -> bytes:
    """The bytes of a file; a record without the facts that no two runs have in common, a card not at all."""
    if path.suffix == ".json":
        return json.dumps(_steady(json.loads(path.read_text(encoding="utf-8"))), sort_keys=True).encode()
    return b"" if path.name == "MODEL_CARD.md" else path.read_bytes()


def _steady(value: object) -> object:
    if isinstance(value, dict):
        return {key: _steady(each) for key, each in value.items() if key not in NEVER_THE_SAME}
    return [_steady(each) for each in value] if isinstance(value, list) else value


def _report(project: Project) -> object:
    run = project.finished_run("evaluate")
    if run is None:
        return {}
    told = [event for event in events.read_events(run.folder / "events.jsonl") if isinstance(event, events.Ended)]
    return _steady(told[-1].report)


def run_again(project: Project, step: str) -> events.Ended:
    """Run a step as a person would after a failure: gone on with where that can be."""
    unfinished = project.resumable_run(step)
    return launch(project, step, resume=unfinished.folder if unfinished else None)


def complaint_about(reason: str) -> str:
    """Why a sentence is not fit for a person, or an empty string."""
    for mark in ("Traceback", "Errno", "Error:", "Exception", "error.log"):
        if mark in reason:
            return f"“{mark}” in: {reason}"
    ends = (".", "!", "--resume")  # with the command to go on with, to be copied
    return "" if reason.rstrip().endswith(ends) else f"no sentence: {reason!r}"
