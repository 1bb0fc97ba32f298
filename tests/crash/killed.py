"""Kills a command in a copy of its project, says what is wrong with what is left, and lets its owner go on."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tests.crash.life import CHECKPOINT_SECONDS, Life, Place, Stage
from tests.crash.moments import SEED, Moment
from tests.crash.shell import Process, seconds_of_orphans
from ulmfit_core import events
from ulmfit_core.config import StageSettings
from ulmfit_core.project import Project, RunInfo
from ulmfit_core.run import read_steps

MOST_LOST_SECONDS = 60  # with the default time between checkpoints
# What two runs of the same work differ in: when they were made, and how long they took.
RUN = re.compile(rb"\d{8}-\d{6}-\d{3}-\w+")
SECONDS = re.compile(rb'(seconds"?: )[\d.e+-]+')
TEXTS = (".json", ".md", ".html")
# What a training keeps in its run, whichever steps and epochs it names.
KEPT = re.compile(r"(state|older)\.json|(state|best)-.*\.safetensors")


@dataclass
class Told:
    """A kill, as a row. `hit`: the command was still at work; `step`, `saved`: steps logged, and in the checkpoint.

    `before`: the change that it was about to make, where that is known.
    """

    stage: str
    by: str
    at: float
    started: bool
    hit: bool
    orphans_seconds: float
    step: int = 0
    saved: int = 0
    lost_seconds: float = 0.0
    before: str = ""


class Case:
    """One moment of the project's life, from a copy of what was before it to what must be after it."""

    def __init__(self, life: Life, moment: Moment, folder: Path):
        self.life, self.moment, self.place = life, moment, Place(folder / "place")
        self.stage: Stage = life.stages[moment.stage]
        self.before, self.after = life.before(moment.stage), life.after(moment.stage)
        self.log = folder / "log"
        shutil.copytree(self.before.folder, self.place.folder)

    def run(self) -> list[Told]:
        rows, command = list[Told](), self.stage.command
        for at in self.moment.at:
            rows.append(self._kill(self._begin(command(self.place), at), at))
            if not rows[-1].hit:
                break
            self._check_what_is_left(rows[-1])
            command = self.stage.again
        if rows[-1].hit:
            self._go_on()
        self._check_the_end()
        return rows

    def _begin(self, arguments: list[str], at: float = 0.0) -> Process:
        if self.moment.started:
            return self.life.shell.start(arguments, self.log)
        die_at = int(at) if self.moment.by == "changes" else 0
        return self.life.shell.fork(arguments, self.place.folder, self.log, die_at)

    def _kill(self, process: Process, at: float) -> Told:
        status = process.wait(at) if self.moment.by == "seconds" else process.wait()
        if status is None:
            status = process.kill()
        assert status in (0, -9), f"status {status}\n{self.told()}"
        orphans = seconds_of_orphans(process.id)
        told = Told(self.stage.name, self.moment.by, at, self.moment.started, status == -9, orphans)
        if self.moment.by == "changes":
            changes = self.log.with_suffix(".changes").read_text(encoding="utf-8")
            told.before = changes.splitlines()[-1].replace(f"{self.place.folder}/", "")
        return told

    def told(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _do(self, arguments: list[str]) -> None:
        status = self._begin(arguments).wait()
        assert status == 0, f"{arguments} ended with {status}\n{self.told()}"

    # What is left by a kill

    def _check_what_is_left(self, row: Told) -> None:
        if not (self.place.project / "project.toml").exists():
            assert self.stage.name == "new"
            return
        project = Project.open(self.place.project)
        self._do(["runs", str(self.place.project)])
        for name in names_of_artefacts(self.place) | names_of_artefacts(self.before):
            raw = contents(self.place.folder / name) == contents(self.before.folder / name)
            new = settled(self.place.folder / name) == settled(self.after.folder / name)
            assert raw or new, f"{name} is neither the old one nor the new one"
        run = project.resumable_run(self.stage.step) if self.stage.step else None
        if run:
            row.step, row.saved, row.lost_seconds = measured_loss(run.folder, CHECKPOINT_SECONDS)

    # Going on

    def _go_on(self) -> None:
        opens = (self.place.project / "project.toml").exists()
        unfinished = Project.open(self.place.project).resumable_run(self.stage.step) if opens else None
        again = self.stage.again(self.place)
        self._do(again)
        if self.stage.name == "new" and again[0] == "run":
            self.after = self.life.after(self.moment.stage + 1)
        if unfinished and self.stage.step:
            run = Project.open(self.place.project).finished_run(self.stage.step)
            assert run and run.id == unfinished.id, "it is the same run that went on"
            self._check_steps(run)

    def _check_steps(self, run: RunInfo) -> None:
        """Each step once, and each as it was when nobody disturbed it."""
        calm = Project.open(self.after.project).finished_run(self.stage.step)
        assert calm
        one, other = (read_steps(each.folder / "steps.f32") for each in (run, calm))
        assert one["step"].tolist() == list(range(1, len(one.values) + 1))
        np.testing.assert_array_equal(one["loss"], other["loss"])
        epochs = [[told.epoch for told in events.read_events(each.folder / "events.jsonl")
                   if isinstance(told, events.EpochEnded)] for each in (run, calm)]  # fmt: skip
        assert epochs[0] == epochs[1]

    def _check_the_end(self) -> None:
        assert Project.open(self.place.project).runs()[-1].status == "done"
        for name in names_of_artefacts(self.place) | names_of_artefacts(self.after):
            made, wanted = settled(self.place.folder / name), settled(self.after.folder / name)
            different = sorted(file for file in made.keys() | wanted.keys() if made.get(file) != wanted.get(file))
            assert not different, f"{name} is not as if nobody had disturbed it: {different}"
        strays = list(strays_in(self.place, self.after))
        assert not strays, f"left over: {strays}\n{self.told()}"


def measured_loss(run: Path, checkpoint_seconds: float) -> tuple[int, int, float]:
    """Steps that a run has logged, those in its checkpoint, and the seconds of training between: few enough."""
    state = json.loads((run / "checkpoint" / "state.json").read_text(encoding="utf-8"))
    steps = read_steps(run / "steps.f32")
    if len(steps.values) <= state["step"]:
        return len(steps.values), state["step"], 0.0
    clock = np.concatenate([[0.0], steps["seconds"]])
    lost = float(clock[-1] - state["seconds"])
    in_between = 2 * float(np.diff(clock).max())  # the saving itself, and the step that goes on when it falls due
    assert lost <= checkpoint_seconds + in_between
    assert StageSettings().checkpoint_seconds + in_between <= MOST_LOST_SECONDS
    return len(steps.values), state["step"], lost


# What is compared


def names_of_artefacts(place: Place) -> set[str]:
    """What is finished: folders of the project and files for its owner, relative to the place."""
    project = place.project
    folders = [project / "dataset", project / "vocab", *project.glob("models/*"), *project.glob("tokens/*/*")]
    found = [path for path in (*folders, *place.out.glob("*")) if path.exists()]
    return {
        str(path.relative_to(place.folder)) for path in found
        if "/." not in str(path.relative_to(place.folder)) and ".part" not in path.name
    }  # fmt: skip


def contents(path: Path) -> dict[str, str]:
    """Hashes of a file, or of all files in a folder; {} where there is nothing."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in read(path)}


def settled(path: Path) -> dict[str, str]:
    """The same without what two runs of the same work differ in."""
    return {name: hashlib.sha256(_settled(name, data)).hexdigest() for name, data in read(path)}


def _settled(name: str, data: bytes) -> bytes:
    return SECONDS.sub(rb"\1", RUN.sub(b"RUN", data)) if name.endswith(TEXTS) else data


def read(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_file():
        yield path.name, path.read_bytes()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            yield str(file.relative_to(path)), file.read_bytes()


def strays_in(place: Place, wanted: Place) -> Iterator[str]:
    """What nobody made on purpose: outside of runs/ what is not in the other place, inside names that no run has."""
    known = {each.name for each in wanted.project.glob("runs/*/**/*")} | {"checkpoint", "steps.f32"}
    there = {str(path.relative_to(wanted.folder)) for path in wanted.folder.rglob("*")}
    for path in sorted(place.folder.rglob("*")):
        name = str(path.relative_to(place.folder))
        depth = len(path.relative_to(place.project).parts) if name.startswith("project/runs/") else 0
        if depth == 2:
            if not (path / "config.toml").exists():
                yield name
        elif depth > 2:
            if path.name not in known and not KEPT.fullmatch(path.name):
                yield name
        elif name not in there:
            yield name
    for state in place.project.glob("runs/*/checkpoint/state.json"):
        named = {json.loads(path.read_text(encoding="utf-8"))["tensors"] for path in state.parent.glob("*.json")}
        yield from (str(path) for path in state.parent.glob("*.safetensors") if path.name not in named)


# What is told


def keep(number: int, kills: list[Told]) -> None:
    """Print the kills of a moment; where ULMFIT_TORTURE_OUT names a file, add them to it, a row each."""
    rows = [json.dumps({"seed": SEED, "number": number, **asdict(kill)}) + "\n" for kill in kills]
    print(*rows, sep="")
    if named := os.environ.get("ULMFIT_TORTURE_OUT"):
        Path(named).parent.mkdir(parents=True, exist_ok=True)
        with Path(named).open("a", encoding="utf-8") as file:
            file.writelines(rows)
