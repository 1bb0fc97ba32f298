"""The same from outside the program: the system refuses the n-th write, whoever makes it, a child or a library."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import material
from tests.faults.material import Material
from tests.faults.shim import Outcome, ShimmedCommands
from ulmfit_core.project import Project

# What is run, by the step before which it is run, and the last step that it does.
COMMANDS = {
    "import": (("run", "vocab"), "vocab"), "finetune": (("run", "finetune"), "finetune"),
    "classify": (("run", "classify"), "classify"), "evaluate": (("evaluate",), "evaluate"),
}  # fmt: skip
# What Arrow writes, what the child that learns the vocabulary writes, and what this program does itself.
WROTE = (("write", "rows.arrow"), ("create", "spm.model"), ("write", "spm.model"), ("rename", "vocab.json"))
# In the run of every day; all writes with `make faults`.
SHARE = 100


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Of a vocabulary of pieces, which a child process learns."""
    return material.make(tmp_path_factory.mktemp("pieces"), "unigram")


@pytest.fixture(scope="module")
def shimmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShimmedCommands]:
    commands = ShimmedCommands(tmp_path_factory.mktemp("shim"))
    yield commands
    commands.close()


def command(step: str, folder: Path) -> list[str]:
    (name, *more), _ = COMMANDS[step]
    return [name, str(folder), *more]


def look_at(pieces: Material, shimmed: ShimmedCommands, step: str, folder: Path, nth: int) -> str:
    """Run a command whose n-th write fails, then its steps again; what was wrong about it, or an empty string."""
    pieces.copy(step, folder)
    before, after = material.made(Project.open(folder)), pieces.after[COMMANDS[step][1]]
    outcome = shimmed.run(folder, *command(step, folder), nth=nth, number=errno.ENOSPC)
    where = f"{step}, write {nth} ({outcome.failed})"
    complaint = complaint_about(outcome)
    if complaint:
        return f"{where}: {complaint}"
    again = Project.open(folder)
    for name, now in material.made(again).items():
        if now not in (before[name], after[name]):
            return f"{where}: {name} is neither the old one nor the new one"
    for each in material.STEPS[material.STEPS.index(step) : material.STEPS.index(COMMANDS[step][1]) + 1]:
        if again.state(each).mark != "done":
            last = material.run_again(again, each)
            if last.status != "done":
                return f"{where}: then {each} {last.status}: {last.reason}"
    return "" if material.made(again) == after else f"{where}: another result"


def complaint_about(outcome: Outcome) -> str:
    """Why a person could not live with that, or an empty string."""
    if outcome.status not in (0, 1):
        return f"it ended with {outcome.status}: {outcome.said[-500:]}"
    if outcome.status == 0:
        return material.complaint_about(outcome.said or ".") if "Traceback" in outcome.said else ""
    lines = outcome.said.strip().splitlines()
    return material.complaint_about(lines[-1] if lines else "") or ("Traceback" in outcome.said) * outcome.said


def writes_of(pieces: Material, shimmed: ShimmedCommands, step: str, folder: Path) -> int:
    outcome = shimmed.run(pieces.copy(step, folder), *command(step, folder))
    assert outcome.status == 0, outcome.said
    return outcome.count


@pytest.mark.parametrize("step", COMMANDS)
def test_the_system_may_refuse_any_write(
    pieces: Material, shimmed: ShimmedCommands, tmp_path: Path, step: str
) -> None:
    count = writes_of(pieces, shimmed, step, tmp_path / "counted")
    numbers = range(list(COMMANDS).index(step) + 3, count + 1, SHARE)
    found = [look_at(pieces, shimmed, step, tmp_path / str(nth), nth) for nth in numbers]
    assert found and not list(filter(None, found)), "\n".join(filter(None, found))


def test_the_shim_reaches_children_and_libraries(pieces: Material, shimmed: ShimmedCommands, tmp_path: Path) -> None:
    """Else nothing would be proved."""
    folder = pieces.copy("import", tmp_path / "counted")
    writes = shimmed.run(folder, *command("import", folder)).writes
    for call, name in WROTE:
        nth = next(i for i, line in enumerate(writes, 1) if line.startswith(call) and line.endswith(f"/{name}"))
        folder = pieces.copy("import", tmp_path / f"{call}-{name}")
        outcome = shimmed.run(folder, *command("import", folder), nth=nth, number=errno.ENOSPC)
        assert outcome.failed.startswith(call) and outcome.failed.endswith(name) and outcome.status == 1
        assert not complaint_about(outcome), outcome.said


@pytest.mark.torture
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("step", COMMANDS)
def test_the_system_may_refuse_every_write(
    pieces: Material, shimmed: ShimmedCommands, tmp_path: Path, step: str
) -> None:
    count = writes_of(pieces, shimmed, step, tmp_path / "counted")
    found = [look_at(pieces, shimmed, step, tmp_path / str(nth), nth) for nth in range(1, count + 2)]
    print(f"{' '.join(COMMANDS[step][0])}: {count} writes, each refused once")
    assert not list(filter(None, found)), "\n".join(filter(None, found))
