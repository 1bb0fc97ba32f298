"""A project is a folder: recipe, dataset, vocabulary, runs, models. What is done or stale is derived, never stored."""

from __future__ import annotations

import contextlib
import datetime
import functools
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import Field, field_validator

from ulmfit_core import __version__, config, edit_log, events, files, lock, reading
from ulmfit_core.config import SCRATCH, Recipe, StageSettings, with_epochs
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
# What the jobs of these steps make takes the place of what the project has: one of them at a time.
REPLACING = ("import", "vocab", "pretrain", "finetune", "classify")
# In a run's folder: what the person says of it.
NOTES, TAGS = "notes.txt", "tags.txt"
# Of a run whose folder does not tell when it was made, and the stamp of a file that is not there.
BEGINNING, ABSENT = "1970-01-01T00:00:00", (0, 0)
STAMP, MILLISECOND = "%Y%m%d-%H%M%S-%f", datetime.timedelta(milliseconds=1)
RUN_NAME = re.compile(r"\d{8}-\d{6}-\d{3}-\w+")
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
    notes: str = ""
    tags: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return self.folder.name

    def annotate(self, notes: str, tags: Iterable[str]) -> RunInfo:
        """Keep what the person says of this run in its folder, and return it with that.

        Plain text, a tag a line, that no fingerprint looks at. Raises UserError where it cannot be kept.
        """
        told = tuple(dict.fromkeys(" ".join(tag.split()) for tag in tags if tag.strip()))
        if not self.folder.is_dir():
            raise UserError(f"The notes cannot be kept: the run {self.id} was deleted meanwhile. Copy them first.")
        try:
            for name, text in ((NOTES, notes.strip()), (TAGS, "\n".join(told))):
                if text != _text(self.folder / name):
                    files.write_text(self.folder / name, text)
        except OSError as error:
            raise UserError(f"The notes cannot be kept in {self.folder}: {error.strerror}. Copy them first.") from None
        return replace(self, notes=notes.strip(), tags=told)


class Project:
    """An open project folder. `read_only` is a sentence that says why nothing may be written; empty where it may."""

    def __init__(self, folder: Path, recipe: Recipe):
        self.folder = folder
        self.recipe = recipe
        self.read_only = ""

    @classmethod
    def create(cls, folder: Path, recipe: Recipe | None = None) -> Project:
        """Make a new project. Raises UserError if the folder holds anything already, or cannot be made."""
        folder = files.at_home(folder).absolute()
        project = cls(folder, recipe or Recipe())
        project.recipe.name = project.recipe.name or folder.name
        try:
            refuse_if_in_use(folder)
            project.save()
        except OSError as error:
            reason = f"The project cannot be created in {folder}: {error.strerror}."
            raise UserError(f"{reason} Choose another place.") from None
        return project

    @classmethod
    def open(cls, folder: Path) -> Project:
        """Open a project folder. Raises UserError if it is none, one of a newer version, or cannot be read."""
        folder = files.at_home(folder).absolute()
        path = folder / "project.toml"
        try:
            if not path.is_file():
                raise UserError(f"{folder} is not a project: it has no project.toml. Create one with “New project”.")
            if lock.holder(folder, lock.WORK) is None:  # else the folder that is moved aside is on its way
                for parent in (folder, folder / "models", *folder.glob("tokens/*")):
                    files.recover(parent)
            return cls(folder, config.from_toml(reading.text(path), str(path)))
        except OSError as error:
            raise UserError(files.told(error)) from None

    def saved_recipe(self) -> Recipe | None:
        """What project.toml says now: a job at work has the recipe of its start. None where that cannot be read.

        It may be in the middle of an edit by hand: whoever starts the next job is told.
        """
        try:
            return config.from_toml(reading.text(self.folder / "project.toml"))
        except (UserError, OSError):
            return None

    def save(self) -> None:
        self.refuse_if_read_only()
        files.write_text(self.folder / "project.toml", config.to_toml(self.recipe))

    def clear_abandoned(self) -> None:
        """Remove what killed processes left half made: files and folders without a name yet, never a run."""
        runs = self.run_folders()
        above = (self.folder, self.folder / "models", self.folder / "runs", *self.tokens_folder.glob("*"))
        for place in (*above, *runs, *(run / "checkpoint" for run in runs)):
            files.clear_abandoned(place)

    # Who may write

    def refuse_if_read_only(self) -> None:
        if self.read_only:
            raise UserError(self.read_only)

    def refuse_if_busy(self, job: str) -> None:
        """Raise UserError if `job` would replace what another process is making in this project."""
        busy = lock.holder(self.folder, lock.WORK) if job in REPLACING else None
        if busy:
            raise UserError(busy_sentence(busy.sentence))

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
        self.refuse_if_read_only()
        facts = {
            "job": job,
            "fingerprint": self.fingerprint(job) if job in INPUTS else "",
            "created": datetime.datetime.now().isoformat(timespec="seconds"),
            "version": __version__,
            "format": FORMAT,
        }
        document = {"run": facts, "recipe": self.recipe.model_dump(mode="json")}
        while True:
            folder = self._next_run_folder(job)
            try:  # so that no run is without its config, whenever it is killed
                with files.replacing_folder(folder, replace=False) as fresh:
                    files.write_text(fresh / "config.toml", tomlkit.dumps(document))
                return folder
            except OSError as error:  # another process may have taken that very name
                if error.errno not in files.TAKEN or not folder.parent.is_dir():
                    raise

    def _next_run_folder(self, job: str) -> Path:
        """Its name comes after all others, also where the clock was set back: that tells which run is the newest."""
        others = [name for name in self._run_names() if RUN_NAME.fullmatch(name)]
        moment = max([datetime.datetime.now(), *map(_just_after, others[-1:])])
        return self.folder / "runs" / f"{moment.strftime(STAMP)[:-3]}-{job}"

    def runs(self) -> list[RunInfo]:
        """All runs, oldest first. One that another thread removes meanwhile is left out."""
        return [run for folder in self.run_folders() if (run := _run_there(folder))]

    def run_folders(self) -> list[Path]:
        """The folders of all runs, oldest first."""
        return [self.folder / "runs" / name for name in self._run_names()]

    def runs_of(self, job: str = "") -> Iterator[RunInfo]:
        """The runs of a job, or of all, newest first, each read only when asked for: a project may have thousands."""
        for name in reversed(self._run_names()):
            run = _run_there(self.folder / "runs" / name) if _may_be(name, job) else None
            if run and job in ("", run.job):
                yield run

    def _run_names(self) -> list[str]:
        runs = self.folder / "runs"
        return sorted(name for name in os.listdir(runs) if name[0] != ".") if runs.is_dir() else []

    def finished_run(self, step: str) -> RunInfo | None:
        """The run that made what the project has of `step`, where it had today's settings and inputs.

        An older run with today's settings counts no more: what it made was replaced.
        """
        run, wanted = self.maker(step), self.fingerprint(step)
        return run if run and run.fingerprint == wanted == self._imported_with(step, wanted) else None

    def maker(self, step: str) -> RunInfo | None:
        """The finished run that made what the project has of a step: the one its model names, else the newest.

        None where there is none, or where it was deleted: nobody knows any more what the model was made with.
        """
        named = _facts_of_bundle(self.bundle_folder(step)).get("run", "") if step in BUNDLES else ""
        if named:
            run = _run_there(self.folder / "runs" / named) if Path(str(named)).name == named else None
            return run if run and run.status == "done" else None
        return next((run for run in self.runs_of(step) if run.status == "done"), None)

    def _imported_with(self, step: str, otherwise: str) -> str:
        """The fingerprint that the imported rows bear; `otherwise` for other steps and where there are no rows."""
        path = self.dataset_folder / "dataset.json"
        facts = _json(path, _stamp(path)) if step == "import" else {}
        return str(facts.get("fingerprint", otherwise))

    def settings_of(self, step: str) -> StageSettings:
        """A training step's settings, with the epochs that the imported texts ask for where they are left to them."""
        settings: StageSettings = getattr(self.recipe, step)
        imported = None if settings.epochs else self.finished_run("import")
        told = events.read_events(imported.folder / "events.jsonl") if imported else []
        report = next((event.report for event in reversed(told) if isinstance(event, events.Ended)), {})
        texts = report.get("splits", {}).get("train", 0)
        return with_epochs(settings, texts) if texts else settings

    def resumable_run(self, step: str) -> RunInfo | None:
        """The newest run of `step`, if it did not finish, left a checkpoint and nothing changed since."""
        run = next(self.runs_of(step), None)
        return run if run and run.resumable and run.fingerprint == self.fingerprint(step) else None

    def delete_run(self, run: RunInfo) -> None:
        self.refuse_if_read_only()
        files.remove_folder(run.folder)

    # Steps

    def fingerprint(self, step: str, texts_alone: bool = False) -> str:
        """Hash of the step's settings, its inputs' fingerprints and the format version.

        Settings at their default do not enter, so that a knob which a newer version adds makes nothing stale. With
        `texts_alone` a person's new labels do not enter either: language models read texts, so that a new label does
        not ask for them to be trained again, while an added text does.
        """
        texts_alone = texts_alone or step in ("pretrain", "finetune")
        inputs = [self.fingerprint(name, texts_alone) for name in INPUTS[step] if not self.skip_reason(name)]
        text = json.dumps([FORMAT, step, self._settings_of(step, texts_alone), inputs], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _edits(self, texts_alone: bool) -> list[str]:
        """What corrections of the data make of the import's fingerprint: nothing where there are none."""
        version = edit_log.version(self.folder, texts_alone) if self.recipe.data.label else ""
        return [f"edits {version}"] if version else []

    def _settings_of(self, step: str, texts_alone: bool) -> list[Any]:
        recipe = self.recipe
        parts: dict[str, list[Any]] = {
            "import": [recipe.data, f"reading {READING}", *self._edits(texts_alone)],
            "vocab": [recipe.vocab, recipe.base],
            "pretrain": [recipe.pretrain, recipe.model],
            "finetune": [recipe.finetune, recipe.model, recipe.base],
            "classify": [recipe.classify, recipe.model, recipe.base],
            "evaluate": [],
        }
        outside = config.OUTSIDE_FINGERPRINT
        return [
            part if isinstance(part, str) else part.model_dump(mode="json", exclude_defaults=True, exclude=outside)
            for part in parts[step]
        ]

    def skip_reason(self, step: str) -> str:
        """Why a step is not part of this recipe, or an empty string."""
        recipe = self.recipe
        if step in ("pretrain", "finetune", "classify") and not getattr(recipe, step).enabled:
            return "Switched off in the settings."
        if step == "pretrain" and recipe.base != SCRATCH:
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
        if any(run.status == "done" for run in self.runs_of(step)):
            return StepState("stale", waiting or "Settings or inputs changed since the last run.")
        return StepState("empty", waiting) if waiting else StepState("ready")

    def waits_for(self, step: str) -> str:
        """What must be done before `step` can start, or an empty string."""
        if step == "import" and not self.recipe.data.data:
            return "Choose a file with your texts first."
        first = self.blocking_step(step)
        return f"Waits for “{TITLES[first]}”." if first else ""

    def blocking_step(self, step: str) -> str:
        """The first that is to be done of all the steps that `step` rests on; an empty string where none is."""
        for name in INPUTS[step]:
            if not self.skip_reason(name) and not self.finished_run(name):
                return self.blocking_step(name) or name
        return ""


def refuse_if_in_use(folder: Path) -> None:
    """Raise UserError if something lies where a project is to be made, but for what a killed first try left."""
    files.clear_abandoned(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists already and is not empty. Choose a new folder for the project.")


def busy_sentence(other: str) -> str:
    """Why a job cannot start beside the `other`, which is told with its process."""
    return f"{other} is at work in this project. Wait until it is done, or stop it there."


def _just_after(name: str) -> datetime.datetime:
    """The millisecond after the time in a run's name; long ago where that is no time."""
    try:
        return datetime.datetime.strptime(name[:19], STAMP) + MILLISECOND
    except (ValueError, OverflowError):
        return datetime.datetime.min


def read_run(folder: Path) -> RunInfo:
    """What a run's folder tells: its config and the last word of its event log.

    One that cannot be read is a failed run whose reason says so, so that it can be seen and deleted.
    """
    try:
        facts = _facts(folder / "config.toml", _stamp(folder / "config.toml"))
        last = _last_word(folder / "events.jsonl", _stamp(folder / "events.jsonl"))
    except UserError as error:
        return RunInfo(folder, folder.name[20:], "", BEGINNING, "failed", str(error), resumable=False)
    status = last.status if last else "unfinished"
    return RunInfo(
        folder=folder,
        job=facts["job"],
        fingerprint=facts["fingerprint"],
        created=facts["created"],
        status=status,
        reason=last.reason if last else "",
        resumable=status != "done" and (folder / "checkpoint" / "state.json").exists(),
        notes=_text(folder / NOTES),
        tags=tuple(_text(folder / TAGS).splitlines()),
    )


def _run_there(folder: Path) -> RunInfo | None:
    """The run in a folder that may be no run's, or be gone by now."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return read_run(folder)
    return None


def _may_be(name: str, job: str) -> bool:
    """Whether a folder of that name may hold a run of `job`, "" for any. A name that a person gave may hold any."""
    return not job or name.endswith(f"-{job}") or RUN_NAME.fullmatch(name) is None


# The window asks for every step's state at each turn of a knob: what did not change is not read again.


def _stamp(path: Path) -> tuple[int, int]:
    """Changes whenever the file does."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # whoever reads it says why it cannot be read
        return ABSENT
    return (found.st_mtime_ns, found.st_size)


class _RunFacts(reading.Record):
    job: str = Field(max_length=100)
    fingerprint: str
    created: str

    @field_validator("created")
    @classmethod
    def is_time(cls, created: str) -> str:
        """Raises ValueError where it is none."""
        datetime.datetime.fromisoformat(created)
        return created


@functools.lru_cache(maxsize=10_000)
def _facts(path: Path, stamp: tuple[int, int]) -> dict[str, Any]:
    """What stands before the recipe, which takes far longer to read."""
    head = reading.toml(reading.text(path).partition("\n[recipe]")[0], path)
    return reading.fitting(head.get("run"), _RunFacts, path)


@functools.lru_cache(maxsize=32)
def _json(path: Path, stamp: tuple[int, int]) -> dict[str, Any]:
    """A file that says what something was made of; {} where there is none. Raises UserError where it is damaged."""
    return reading.record(path, reading.Record) if stamp != ABSENT else {}


def _facts_of_bundle(folder: Path) -> dict[str, Any]:
    """What a bundle says of its making; {} where there is none, or it is too damaged to say: whoever loads it tells."""
    path = folder / "model.json"
    with contextlib.suppress(UserError):
        facts = _json(path, _stamp(path)).get("facts")
        return facts if isinstance(facts, dict) else {}
    return {}


@functools.lru_cache(maxsize=10_000)
def _last_word(path: Path, stamp: tuple[int, int]) -> events.Ended | None:
    """The last event, if it is the end: only the last line of a log that may be long is looked at."""
    lines = reading.content(path, events.MOST_BYTES).split(b"\n") if stamp != ABSENT else []
    last = next((line for line in reversed(lines[:-1]) if line), b"")
    event = events.kept(last) if last else None
    return event if isinstance(event, events.Ended) else None


def _text(path: Path) -> str:
    """What a person wrote of a run; what cannot be read is nothing."""
    try:
        return reading.content(path).decode("utf-8", "replace")
    except (FileNotFoundError, UserError):
        return ""
