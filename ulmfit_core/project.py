"""A project is a folder: recipe, dataset, vocabulary, runs, models. What is done or stale is derived, never stored."""

from __future__ import annotations

import contextlib
import datetime
import functools
import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from ulmfit_core import __version__, config, events, files
from ulmfit_core.config import Recipe
from ulmfit_core.errors import UserError

FORMAT = 1
# Raised when some kind of file is read otherwise than before, since the same settings then give other rows: 2 took
# fastText's labels without their mark, no label from `unsup`, UTF-8 with stray bytes as UTF-8.
READING = 2

# Which steps a step needs, in the order of the rail.
INPUTS: dict[str, tuple[str, ...]] = {
    "import": (),
    "vocab": ("import",),
    "pretrain": ("vocab",),
    "finetune": ("vocab", "pretrain"),
    "classify": ("vocab", "finetune"),
    "evaluate": ("classify",),
}
TITLES = {
    "import": "Data", "vocab": "Vocabulary", "pretrain": "Pretrain", "finetune": "Fine-tune",
    "classify": "Classify", "evaluate": "Evaluate",
}  # fmt: skip
# The bundle under models/ that a training step leaves behind.
BUNDLES = {"pretrain": "pretrained", "finetune": "finetuned", "classify": "classifier"}


@dataclass(frozen=True)
class StepState:
    """mark: empty (waits, see `reason`), ready, done, stale or skipped (see `reason`)."""

    mark: str
    reason: str = ""


@dataclass(frozen=True)
class RunInfo:
    """One folder under runs/. status: done, stopped, failed or unfinished (crashed, or still at work)."""

    folder: Path
    job: str
    fingerprint: str
    created: str
    status: str
    reason: str
    resumable: bool

    @property
    def id(self) -> str:
        return self.folder.name


class Project:
    """An open project folder."""

    def __init__(self, folder: Path, recipe: Recipe):
        self.folder = folder
        self.recipe = recipe

    @classmethod
    def create(cls, folder: Path, recipe: Recipe | None = None) -> Project:
        """Make a new project. Raises UserError if the folder holds anything already."""
        folder = Path(folder).expanduser().absolute()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UserError(f"{folder} exists already and is not empty. Choose a new folder for the project.")
        project = cls(folder, recipe or Recipe())
        project.recipe.name = project.recipe.name or folder.name
        try:
            project.save()
        except OSError as error:
            reason = f"The project cannot be created in {folder}: {error.strerror}."
            raise UserError(f"{reason} Choose another place.") from None
        return project

    @classmethod
    def open(cls, folder: Path) -> Project:
        """Open a project folder. Raises UserError if it is none, or one of a newer version."""
        folder = Path(folder).expanduser().absolute()
        path = folder / "project.toml"
        if not path.is_file():
            raise UserError(f"{folder} is not a project: it has no project.toml. Create one with “New project”.")
        for parent in (folder, folder / "models", *folder.glob("tokens/*")):
            files.recover(parent)
        return cls(folder, config.from_toml(path.read_text(encoding="utf-8"), str(path)))

    def save(self) -> None:
        files.write_text(self.folder / "project.toml", config.to_toml(self.recipe))

    # Places

    @property
    def dataset_folder(self) -> Path:
        return self.folder / "dataset"

    @property
    def vocab_folder(self) -> Path:
        return self.folder / "vocab"

    @property
    def tokens_folder(self) -> Path:
        return self.folder / "tokens"

    def bundle_folder(self, step: str) -> Path:
        """Where the bundle of a training step lies: models/pretrained, finetuned or classifier."""
        return self.folder / "models" / BUNDLES[step]

    # Runs

    def new_run_folder(self, job: str) -> Path:
        """Create runs/<time>-<job>/ with the config that repeats it."""
        stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]
        folder = self.folder / "runs" / f"{stamp}-{job}"
        facts = {
            "job": job,
            "fingerprint": self.fingerprint(job) if job in INPUTS else "",
            "created": datetime.datetime.now().isoformat(timespec="seconds"),
            "version": __version__,
            "format": FORMAT,
        }
        document = {"run": facts, "recipe": self.recipe.model_dump(mode="json")}
        files.write_text(folder / "config.toml", tomlkit.dumps(document))
        return folder

    def runs(self) -> list[RunInfo]:
        """All runs, oldest first. One that another thread removes meanwhile is left out."""
        found = []
        for path in sorted((self.folder / "runs").glob("[!.]*/config.toml")):
            with contextlib.suppress(FileNotFoundError):
                found.append(read_run(path.parent))
        return found

    def finished_run(self, step: str) -> RunInfo | None:
        """The newest finished run of `step` with today's settings and inputs."""
        wanted = self.fingerprint(step)
        done = [run for run in self.runs() if run.job == step and run.status == "done" and run.fingerprint == wanted]
        return done[-1] if done else None

    def resumable_run(self, step: str) -> RunInfo | None:
        """The newest run of `step`, if it did not finish, left a checkpoint and nothing changed since."""
        runs = [run for run in self.runs() if run.job == step]
        if runs and runs[-1].resumable and runs[-1].fingerprint == self.fingerprint(step):
            return runs[-1]
        return None

    def delete_run(self, run: RunInfo) -> None:
        files.remove_folder(run.folder)

    # Steps

    def fingerprint(self, step: str) -> str:
        """Hash of the step's settings, its inputs' fingerprints and the format version.

        Settings at their default do not enter, so that a knob which a newer version adds makes nothing stale.
        """
        inputs = [self.fingerprint(name) for name in INPUTS[step] if not self.skip_reason(name)]
        text = json.dumps([FORMAT, step, self._settings_of(step), inputs], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _settings_of(self, step: str) -> list[Any]:
        recipe = self.recipe
        parts: dict[str, list[Any]] = {
            "import": [recipe.data, f"reading {READING}"],
            "vocab": [recipe.vocab, recipe.base],
            "pretrain": [recipe.pretrain, recipe.model],
            "finetune": [recipe.finetune, recipe.model, recipe.base],
            "classify": [recipe.classify, recipe.model, recipe.base],
            "evaluate": [],
        }
        return [
            part if isinstance(part, str) else part.model_dump(mode="json", exclude_defaults=True)
            for part in parts[step]
        ]

    def skip_reason(self, step: str) -> str:
        """Why a step is not part of this recipe, or an empty string."""
        recipe = self.recipe
        if step in ("pretrain", "finetune", "classify") and not getattr(recipe, step).enabled:
            return "Switched off in the settings."
        if step == "pretrain" and recipe.base != "none":
            return "The project starts from a pretrained language model."
        if step == "evaluate" and not recipe.classify.enabled:
            return "There is no classifier to measure: “Classify” is switched off in the settings."
        if not recipe.data.data:
            return ""  # what follows depends on the data
        if step == "pretrain" and not recipe.data.corpus:
            return "No general text was given; the language model learns from the project's own text."
        if step in ("classify", "evaluate") and not recipe.data.label:
            return "The data has no label column."
        return ""

    def state(self, step: str) -> StepState:
        """Where a step stands today."""
        skipped = self.skip_reason(step)
        if skipped:
            return StepState("skipped", skipped)
        if self.finished_run(step):
            return StepState("done")
        waiting = self.waits_for(step)
        if any(run.job == step and run.status == "done" for run in self.runs()):
            return StepState("stale", waiting or "Settings or inputs changed since the last run.")
        return StepState("empty", waiting) if waiting else StepState("ready")

    def waits_for(self, step: str) -> str:
        """What must be done before `step` can start, or an empty string."""
        if step == "import" and not self.recipe.data.data:
            return "Choose a file with your texts first."
        for name in INPUTS[step]:
            if not self.skip_reason(name) and not self.finished_run(name):
                return f"Waits for “{TITLES[name]}”."
        return ""


def read_run(folder: Path) -> RunInfo:
    """What a run's folder tells: its config and the last word of its event log."""
    facts = _facts(folder / "config.toml", _stamp(folder / "config.toml"))
    last = _last_word(folder / "events.jsonl", _stamp(folder / "events.jsonl"))
    status = last.status if last else "unfinished"
    return RunInfo(
        folder=folder,
        job=facts["job"],
        fingerprint=facts["fingerprint"],
        created=facts["created"],
        status=status,
        reason=last.reason if last else "",
        resumable=status != "done" and (folder / "checkpoint" / "state.json").exists(),
    )


# The window asks for every step's state at each turn of a knob: what did not change is not read again.


def _stamp(path: Path) -> tuple[int, int]:
    """Changes whenever the file does."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


@functools.lru_cache(maxsize=2000)
def _facts(path: Path, stamp: tuple[int, int]) -> dict[str, Any]:
    facts: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["run"]
    return facts


@functools.lru_cache(maxsize=2000)
def _last_word(path: Path, stamp: tuple[int, int]) -> events.Ended | None:
    log = events.read_events(path)
    return log[-1] if log and isinstance(log[-1], events.Ended) else None
