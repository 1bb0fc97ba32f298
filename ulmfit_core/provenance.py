"""What a run was made with and from: versions, and hashes of what it read. Written into its folder at its start."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resources import resource_path
from ulmfit_core import __version__, files, reading
from ulmfit_core.config import SCRATCH, STARTER
from ulmfit_core.project import INPUTS, Project

NAME = "provenance.json"
# A job that is no step reads what this step reads.
READS_AS = {"find_lr": "classify", "predict": "evaluate"}


class Known(reading.Record):
    """What is known of a run."""

    versions: dict[str, str] = {}
    options: dict[str, Any] = {}
    hashes: dict[str, str] = {}
    resumed: list[dict[str, str]] = []


class _Source(reading.Record):
    sha256: str
    bytes: int


class _Data(reading.Record):
    labels: list[str] = []
    sources: list[_Source] = []


class _Hashed(reading.Record):
    hash: str


def _record(path: Path, shape: type[reading.Record]) -> dict[str, Any]:
    """{} where there is no such file. Raises UserError where it is damaged."""
    try:
        return reading.record(path, shape)
    except FileNotFoundError:
        return {}


def record(project: Project, job: str, folder: Path, options: dict[str, Any]) -> None:
    """Note in a run's folder what it is about to be made with; where it is resumed, with what it goes on.

    `options` are those of the job, of which Paths are kept as text.
    """
    versions = {
        "program": __version__,
        "torch": importlib.metadata.version("torch"),
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    before = read(folder)
    if before:
        files.write_json(folder / NAME, before | {"resumed": [*before.get("resumed", []), versions]})
        return
    told = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    hashes = _hashes(project, job, told.get("stage", ""))
    files.write_json(folder / NAME, {"versions": versions, "options": told, "hashes": hashes})


def record_import(project: Project, folder: Path) -> None:
    """Add the hash of the data to what an import's folder tells: before its end nobody knows it."""
    known = read(folder)
    files.write_json(folder / NAME, known | {"hashes": {"data": data_hash(project)}})


def read(folder: Path) -> dict[str, Any]:
    """What is known of a run: versions, options, hashes, resumed. Nothing of a run of an earlier version."""
    return _record(folder / NAME, Known)


def base_path(base: str) -> Path:
    """Where the pretrained language model `base` lies (`starter`, or the folder of a bundle), if it is there."""
    return resource_path("starter/english") if base == STARTER else files.at_home(base)


# Hashes, of 16 hexadecimal digits; empty where there is nothing to hash


def _hashes(project: Project, job: str, stage: str) -> dict[str, str]:
    """Of what the job reads: data, vocabulary, the weights it starts from, the pretrained base of the project."""
    step = stage or READS_AS.get(job, job)
    if step == "import":
        return {}
    found = {"data": data_hash(project), "base": base_hash(project)}
    if step != "vocab":
        found["vocabulary"] = vocabulary_hash(project.vocab_folder)
        found["labels"] = labels_hash(project)
        found["weights"] = _grown_hash(project, step) or _start_hash(project, step) or found["base"]
    return found


def data_hash(project: Project) -> str:
    """Of the files that were imported, in the order of their roles; of a folder its size has to do."""
    facts = _record(project.dataset_folder / "dataset.json", _Data)
    sources = [source["sha256"] or str(source["bytes"]) for source in facts.get("sources", [])]
    return _short("\n".join(sources).encode()) if sources else ""


def labels_hash(project: Project) -> str:
    """Of the classes of the imported rows, in their order; empty where none is labelled."""
    facts = _record(project.dataset_folder / "dataset.json", _Data)
    return hash_of_labels(facts.get("labels", []))


def hash_of_labels(labels: Sequence[str]) -> str:
    return _short(json.dumps(labels, ensure_ascii=False).encode()) if labels else ""


def vocabulary_hash(folder: Path) -> str:
    return str(_record(folder / "vocab.json", _Hashed).get("hash", ""))


def base_hash(project: Project) -> str:
    return weights_hash(base_path(project.recipe.base)) if project.recipe.base != SCRATCH else ""


def weights_hash(bundle: Path) -> str:
    """Of the weights of a bundle."""
    path = bundle / "weights.safetensors"
    if not path.exists():
        return ""
    return reading.sha256(path)[:16]


def _start_hash(project: Project, step: str) -> str:
    """Of the weights that the nearest step before this one left, which is part of the recipe."""
    for name in INPUTS.get(step, ()):
        if name in ("pretrain", "finetune", "classify"):
            if project.skip_reason(name):
                return _start_hash(project, name)
            return weights_hash(project.bundle_folder(name))
    return ""


def _grown_hash(project: Project, step: str) -> str:
    """Of the classifier that a training of `classify` grows from; empty where it does not."""
    grows = step == "classify" and project.recipe.classify.grow
    return weights_hash(project.bundle_folder(step)) if grows else ""


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
