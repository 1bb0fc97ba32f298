"""The versions of a project's classifier that can answer side by side: the saved one, and the best of other trainings.

A training leaves its best weights in its run's folder. They are of use as long as there is a vocabulary and a list of
labels that they were made for: the project's of today, or those in the saved classifier's bundle.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from ulmfit_core import device as devices
from ulmfit_core import events, provenance, reading
from ulmfit_core.config import ModelSettings
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.errors import UserError
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.models import best_weights, description
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.classifier import Classifier, Head
from ulmfit_core.models.word_counts import Exponents, Pool
from ulmfit_core.project import RUN_NAME, Project, RunInfo
from ulmfit_core.run_settings import recipe_of
from ulmfit_core.text.vocab import Vocabulary

# The key of the classifier that the last finished training saved; others have their run's id.
SAVED = ""


@dataclass(frozen=True)
class Version:
    """`title` tells when it was made and how often it was right on validation rows."""

    title: str
    key: str


@dataclass(frozen=True)
class Home:
    """What weights alone do not tell: the folder of a vocabulary, and labels."""

    vocab_folder: Path
    labels: list[str]


def versions(project: Project) -> list[Version]:
    """The saved classifier, where there is one, then the best of each other training that can be read, newest first."""
    facts = _saved_facts(project)
    made_by = str(facts.get("facts", {}).get("run", ""))
    found = [Version(_saved_title(project, facts["facts"]), SAVED)] if facts else []
    others = [run for run in project.runs_of("classify") if run.id != made_by and run.status in ("done", "stopped")]
    homes = _homes(project, facts) if others else []
    return found + [Version(_title(run), run.id) for run in others if _home(project, run, homes)]


def open_version(project: Project, version: Version) -> Predictor:
    """The answers of one version. Of all but the saved one the network answers alone, since its word counts are gone.

    Raises UserError where it cannot be read any more.
    """
    if version.key == SAVED:
        return Predictor.of(project)
    run = next((run for run in project.runs_of("classify") if run.id == version.key), None)
    home = _home(project, run, _homes(project, _saved_facts(project))) if run else None
    weights = best_weights.newest(run.folder) if run else None
    if run is None or home is None or weights is None:
        raise UserError(f"The classifier {version.title} cannot be read any more. Choose another one.")
    vocab, recipe = Vocabulary.load(home.vocab_folder), recipe_of(run.folder)
    predictor = Predictor(
        _model(weights, vocab, home, recipe.classify.bptt, recipe.classify.max_length), vocab, home.labels,
        recipe.vocab.max_tokens, _pool(run),
    )  # fmt: skip
    predictor.settings = project.recipe.answers
    return predictor


# What fits a run's weights


def _home(project: Project, run: RunInfo, homes: list[Home]) -> Home | None:
    """Which of the `homes` a run was made with; None where it, or the weights, are not there any more."""
    path = best_weights.newest(run.folder)
    if path is None:
        return None
    hashes = provenance.read(run.folder).get("hashes", {})
    for home in homes:
        fits = provenance.vocabulary_hash(home.vocab_folder) == hashes.get("vocabulary")
        if fits and len(home.labels) == _classes(path) and _same_labels(project, run, hashes, home):
            return home
    return None


def _homes(project: Project, saved: dict[str, Any]) -> list[Home]:
    """The saved classifier's, where its bundle can be read, then the project's of today."""
    homes = [Home(project.bundle_folder("classify"), saved["labels"])] if saved else []
    if (project.dataset_folder / "dataset.json").exists():
        homes.append(Home(project.vocab_folder, Dataset.open(project.dataset_folder).labels))
    return homes


def _same_labels(project: Project, run: RunInfo, hashes: dict[str, str], home: Home) -> bool:
    """By their hash. A run of an earlier version has none: its data must be today's, read by today's settings."""
    if hashes.get("labels"):
        return hashes["labels"] == provenance.hash_of_labels(home.labels)
    return hashes.get("data") == provenance.data_hash(project) and recipe_of(run.folder).data == project.recipe.data


def _classes(path: Path) -> int:
    """How many classes the weights answer with; 0 where they are damaged."""
    try:
        with safetensors.safe_open(reading.plain(path), "pt") as file:
            return int(file.get_slice("head.linear2.weight").get_shape()[0])
    except (OSError, UserError, safetensors.SafetensorError):
        return 0


# Opening one


def _model(path: Path, vocab: Vocabulary, home: Home, bptt: int, max_length: int) -> Classifier:
    try:
        weights = safetensors.torch.load_file(reading.plain(path))
        encoder = bundles.new_encoder(_network(weights), vocab.size)
        sizes = weights["head.linear1.weight"].shape[0], len(home.labels)
        model = Classifier(encoder, Head(3 * encoder.features, *sizes, (0.0, 0.0)), bptt, max_length)
        model.load_state_dict(weights)
    except (RuntimeError, ValueError, KeyError, IndexError, OSError, safetensors.SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} cannot be read: {reason}. Choose another version of the classifier.") from None
    return model.to(devices.best_device())


def _network(weights: dict[str, Tensor]) -> ModelSettings:
    """The sizes that these weights have: a run's recipe does not tell them where it began with a pretrained model."""
    embedding = weights["encoder.embedding"].shape[1]
    layers = len({name.split(".")[2] for name in weights if name.startswith("encoder.layers.")})
    qrnn = "encoder.layers.0.weight" in weights
    gates = weights["encoder.layers.0.weight" if qrnn else "encoder.layers.0.weight_hh"].shape[0]
    hidden = gates // (3 if qrnn else 4) if layers > 1 else embedding
    return ModelSettings(embedding=embedding, hidden=hidden, layers=layers, cell="qrnn" if qrnn else "lstm")


def _pool(run: RunInfo) -> Pool | None:
    """The exponent that makes a finished training's network as sure as its validation rows say, if that was found."""
    told = events.read_events(run.folder / "events.jsonl")
    report = next((event.report for event in reversed(told) if isinstance(event, events.Ended)), {})
    found = report.get("blend", {}).get("exponents", {}).get("calibrated")
    return Pool(Exponents(found["network"])) if found else None


# What people read


def _saved_facts(project: Project) -> dict[str, Any]:
    """What the saved classifier's bundle tells; {} where there is none that can be read."""
    try:
        return description.read(project.bundle_folder("classify"))
    except UserError:
        return {}  # whoever opens it tells what is wrong


def _saved_title(project: Project, facts: dict[str, Any]) -> str:
    run = str(facts.get("run", ""))
    path = project.bundle_folder("classify") / "model.json"
    saved = datetime.datetime.fromtimestamp(path.stat().st_mtime)
    made = datetime.datetime.strptime(run[:15], "%Y%m%d-%H%M%S") if RUN_NAME.fullmatch(run) else saved
    blend = facts.get("blend", {})
    figures = blend.get(blend.get("answers", ""), facts.get("best", {}))
    return f"saved, {_when(made)}{_accuracy(figures)}"


def _title(run: RunInfo) -> str:
    told = events.read_events(run.folder / "events.jsonl")
    best = next((e.metrics for e in reversed(told) if isinstance(e, events.EpochEnded) and e.best), {})
    early = ", stopped" if run.status == "stopped" else ""
    return f"{_when(datetime.datetime.fromisoformat(run.created))}{_accuracy(best)}{early}"


def _when(made: datetime.datetime) -> str:
    year = "" if made.year == datetime.date.today().year else f" {made.year}"
    return f"of {made.day} {made:%b}{year}, {made:%H:%M}"


def _accuracy(figures: dict[str, float]) -> str:
    return f", accuracy {figures['accuracy']:.1%}" if "accuracy" in figures else ""
