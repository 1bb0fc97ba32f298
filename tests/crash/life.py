"""The life of a small project, command by command, as it is when nobody disturbs it: before and after each of them."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.crash.shell import Shell
from ulmfit_core.config import set_value
from ulmfit_core.project import Project

WORDS = (
    "sun", "rain", "wind", "cloud", "river", "stone", "bird", "tree", "house", "road", "salt", "bread", "song", "light",
    "night", "morning", "winter", "summer", "water", "fire", "hill", "field", "door", "window", "hand", "voice",
)  # fmt: skip
ROWS, DOCUMENTS, ASKED = 160, 40, 5000  # the last are more than one of the parts in which a file is answered
CHECKPOINT_SECONDS = 0.3
TRAINING = ("pretrain", "finetune", "classify")
SMALL = {
    "vocab.size": 200, "vocab.sample_mb": 0.2, "model.embedding": 32, "model.hidden": 48, "model.layers": 2,
    "pretrain.epochs": 3, "finetune.epochs": 4, "classify.epochs": 2, "pretrain.bptt": 20, "finetune.bptt": 20,
}  # fmt: skip
ALIKE = {"threads": 1, "batch_size": 8, "checkpoint_seconds": CHECKPOINT_SECONDS}
SETTINGS = SMALL | {f"{step}.{knob}": value for step in TRAINING for knob, value in ALIKE.items()}
OTHER_ROWS = ("data.seed", 7)  # are held out, so that everything that there is must be made anew


@dataclass(frozen=True)
class Place:
    """A folder with the project and what is written for its owner beside it."""

    folder: Path

    @property
    def project(self) -> Path:
        return self.folder / "project"

    @property
    def out(self) -> Path:
        return self.folder / "out"


@dataclass(frozen=True)
class Stage:
    """A command on a place; `again` is what its owner says after it was cut off, `step` what it trains.

    `change`: a setting, and what its owner sets it to before.
    """

    name: str
    command: Callable[[Place], list[str]]
    again: Callable[[Place], list[str]]
    step: str = ""
    change: tuple[str, Any] | None = None


class Commands:
    """The command lines, with the data they name."""

    def __init__(self, data: Path):
        self.data = data

    def new(self, place: Place) -> list[str]:
        settings = [part for name, value in SETTINGS.items() for part in ("--set", f"{name}={value}")]
        files = ["--data", str(self.data / "rows.csv"), "--corpus", str(self.data / "general.txt")]
        columns = ["--text", "text", "--label", "label", "--base", "none", "--preset", "quick"]
        return ["new", str(place.project), *files, *columns, *settings]

    def new_again(self, place: Place) -> list[str]:
        begun = (place.project / "project.toml").exists()
        return self.run("vocab")(place) if begun else self.new(place)

    def run(self, step: str) -> Callable[[Place], list[str]]:
        return lambda place: ["run", str(place.project), step, "--resume"]

    def evaluate(self, place: Place) -> list[str]:
        files = ["--csv", str(place.out / "rows.csv"), "--html", str(place.out / "page.html")]
        return ["evaluate", str(place.project), *files]

    def predict(self, name: str) -> Callable[[Place], list[str]]:
        asked = str(self.data / "asked.csv")
        return lambda place: ["predict", str(place.project), "--data", asked, "--out", str(place.out / name)]

    def predict_again(self, name: str) -> Callable[[Place], list[str]]:
        def command(place: Place) -> list[str]:
            begun = all((place.out / f"{name}{end}").exists() for end in (".part", ".part.json"))
            return [*self.predict(name)(place), *(["--resume"] if begun else [])]

        return command

    def stages(self, prefix: str, change: tuple[str, Any] | None = None) -> list[Stage]:
        steps = [Stage(prefix + step, self.run(step), self.run(step), step) for step in TRAINING]
        answers = [
            Stage(f"{prefix}predict {name}", self.predict(name), self.predict_again(name))
            for name in ("answers.csv", "answers.parquet")
        ]
        vocab = Stage(f"{prefix}vocab", self.run("vocab"), self.run("vocab"), change=change)
        return [vocab, *steps, Stage(f"{prefix}evaluate", self.evaluate, self.evaluate), *answers]


class Life:
    """Each stage is lived when it is first asked for, in a copy of what the one before it left."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.shell = Shell()
        write_data(folder / "data")
        commands = Commands(folder / "data")
        new, classify = Stage("new", commands.new, commands.new_again), commands.run("classify")
        grow = Stage("grow", classify, classify, "classify", ("classify.grow", True))
        self.stages = [new, *commands.stages(""), *commands.stages("again ", OTHER_ROWS), grow]
        self.seconds: dict[str, float] = {}
        self.changes: dict[str, int] = {}

    def number(self, name: str) -> int:
        return next(number for number, stage in enumerate(self.stages) if stage.name == name)

    def before(self, number: int) -> Place:
        """What the stage begins with; to be copied, not touched."""
        if number == 0:
            (self.folder / "empty" / "out").mkdir(parents=True, exist_ok=True)
            return Place(self.folder / "empty")
        change, changed = self.stages[number].change, Place(self.folder / f"before-{number}")
        if change is None:
            return self.after(number - 1)
        if not changed.folder.exists():
            shutil.copytree(self.after(number - 1).folder, changed.folder)
            project = Project.open(changed.project)
            set_value(project.recipe, *change)
            project.save()
        return changed

    def after(self, number: int) -> Place:
        """What the stage leaves when nobody disturbs it."""
        stage, place = self.stages[number], Place(self.folder / f"after-{number}")
        if stage.name not in self.changes:
            shutil.copytree(self.before(number).folder, place.folder)
            log, began = self.folder / f"{number}.log", time.monotonic()
            status = self.shell.fork(stage.command(place), place.folder, log).wait()
            assert status == 0, log.read_text(encoding="utf-8")
            self.seconds[stage.name] = time.monotonic() - began
            self.changes[stage.name] = len(log.with_suffix(".changes").read_text(encoding="utf-8").splitlines())
        return place


def write_data(folder: Path) -> None:
    """Rows of two classes that differ in their words, general text, and rows that are to be classified."""
    draw = random.Random(3)
    folder.mkdir()
    rows = ["text,label"]
    for number in range(ROWS):
        words = WORDS[:18] if number % 2 else WORDS[12:]
        rows.append(f"{' '.join(draw.choices(words, k=24))} {number},{'yes' if number % 2 else 'no'}")
    general = [" ".join(draw.choices(WORDS, k=60)) for _ in range(DOCUMENTS)]
    asked = ["text", *(f"{' '.join(draw.choices(WORDS, k=5))} {number}" for number in range(ASKED))]
    for name, lines in {"rows.csv": rows, "general.txt": general, "asked.csv": asked}.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
