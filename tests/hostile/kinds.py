"""What is damaged: each kind names the folder that it lies in, its files, how it is opened, how often it is drawn."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.hostile import doors, window

CLASSIFIER = ("classifier", "eight")
BUNDLES = (*CLASSIFIER, "language", "words")


@dataclass(frozen=True)
class Kind:
    """`folders` of the sound files, one of which is copied; `files` below it, as patterns; `weight` of 100.

    `seconds` of processors' work that it may take; all screens of a window take more than one file.
    """

    folders: tuple[str, ...]
    files: tuple[str, ...]
    door: Callable[[Path], list[str]]
    weight: float
    seconds: float = 5.0

    def copy(self, sound: Path, folder: str, target: Path) -> list[str]:
        """A sound copy in `target`. Returns the names of its files of this kind."""
        shutil.copytree(sound / folder, target, symlinks=True)
        return sorted(
            {str(path.relative_to(target)) for name in self.files for path in target.glob(name) if path.is_file()}
        )


KINDS = {
    "model.json": Kind(BUNDLES, ("model.json",), doors.open_bundle, 8),
    "weights": Kind(BUNDLES, ("weights.safetensors",), doors.open_bundle, 8),
    "bundle vocabulary": Kind(BUNDLES, ("spm.model", "vocab.json", "words.json"), doors.open_bundle, 5),
    "word counts": Kind(CLASSIFIER, ("word_counts.*",), doors.open_bundle, 5),
    "scope": Kind(CLASSIFIER, ("scope.safetensors",), doors.open_bundle, 3),
    "sentencepiece": Kind(("classifier",), ("spm.model",), doors.open_vocabulary, 9),
    "vocabulary": Kind(("classifier", "words"), ("vocab.json", "words.json"), doors.open_vocabulary, 4),
    "project.toml": Kind(("project",), ("project.toml", "runs/*/config.toml"), doors.open_run, 6),
    "dataset": Kind(("project",), ("dataset/*",), doors.open_project, 5),
    "tokens": Kind(("project",), ("tokens/*/*/*",), doors.open_training, 2),
    "project vocabulary": Kind(("project",), ("vocab/*",), doors.open_project, 1.5),
    "project models": Kind(("project",), ("models/*/*", "runs/*/best-*.safetensors"), doors.open_project, 2),
    "corrections and tries": Kind(("project",), ("edits.jsonl", "tries.json"), doors.open_corrections, 5),
    "answers": Kind(("project",), ("runs/*/answers.arrow", "runs/*/report.json"), doors.open_answers, 6),
    "checkpoint": Kind(("project",), ("runs/*-classify/checkpoint/*",), doors.open_checkpoint, 4),
    "run log": Kind(("project",), ("runs/*/events.jsonl",), doors.open_run, 7),
    "steps": Kind(("project",), ("runs/*/steps.f32", "runs/*/provenance.json"), doors.open_run, 5),
    "window": Kind(("project",), ("**/*.*",), window.open_window, 0.4, 30.0),
    "fastai zip": Kind(("fastai/zip",), ("weights.pth",), doors.open_fastai, 4),
    "fastai legacy": Kind(("fastai/v1", "fastai/v07"), ("*.pth", "*.h5"), doors.open_fastai, 3),
    "fastai words": Kind(("fastai/zip", "fastai/v1", "fastai/v07"), ("vocab.pkl", "itos.pkl"), doors.open_fastai, 2),
    "fastai archive": Kind(("fastai/packed",), ("model.tgz",), doors.open_fastai, 2),
}
