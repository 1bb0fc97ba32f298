"""What a killed process left half made is removed by the next one, and never what a living one is at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ulmfit_core import files
from ulmfit_core.config import Recipe
from ulmfit_core.project import Project
from ulmfit_core.run import launch


@pytest.fixture
def ended() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_only_what_no_living_process_makes_is_removed(tmp_path: Path, ended: int) -> None:
    ours = f".state.json.new-{files.HOST}-{os.getpid()}-ab_c1"
    theirs = (f".state.json.new-{files.HOST}-{ended}-x1_y", f".rows.csv.new-{files.HOST}-{ended}")
    for name in (*theirs, ours, "rows.csv", ".rows.csv.old-1", ".git"):
        (tmp_path / name).write_text(name)
    for name in (f".models.new-{files.HOST}-{ended}-abc", f".20261122-run.removed-{files.HOST}-{ended}"):
        (tmp_path / name / "deep").mkdir(parents=True)
    files.clear_abandoned(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".git", ".rows.csv.old-1", ours, "rows.csv"]


def test_a_number_that_no_process_can_have_is_a_dead_ones(tmp_path: Path) -> None:
    for number in (2**31, 2**63, 10**30):
        (tmp_path / f".rows.csv.new-{files.HOST}-{number}").write_text("half")
    files.clear_abandoned(tmp_path)
    assert os.listdir(tmp_path) == []


def test_what_another_computer_makes_is_left_alone_for_a_day(tmp_path: Path, ended: int) -> None:
    theirs, old = (tmp_path / f".{name}.new-00000000-{ended}" for name in ("rows.csv", "old.csv"))
    for path in (theirs, old):
        path.write_text("half")
    os.utime(old, (0, 0))
    files.clear_abandoned(tmp_path)
    assert os.listdir(tmp_path) == [theirs.name]


def test_of_one_name_what_bears_the_number_of_this_process_is_a_dead_ones(tmp_path: Path) -> None:
    """Numbers of processes come again; in a container they are the same each time."""
    (tmp_path / f".rows.csv.new-{files.HOST}-{os.getpid()}").write_text("of a killed process\n")
    other = f".other.csv.new-{files.HOST}-{os.getpid()}"
    (tmp_path / other).write_text("at work\n")
    with files.replacing_file(tmp_path / "rows.csv") as log:
        log.write(b"new\n")
    assert (tmp_path / "rows.csv").read_text() == "new\n"
    assert sorted(os.listdir(tmp_path)) == [other, "rows.csv"]


def test_a_folder_can_be_removed_after_a_removal_that_was_killed(tmp_path: Path) -> None:
    half = tmp_path / f".run.removed-{files.HOST}-{os.getpid()}"
    for folder in (half, tmp_path / "run"):
        folder.mkdir()
        (folder / "events.jsonl").write_text("")
    files.remove_folder(tmp_path / "run")
    assert os.listdir(tmp_path) == []


def test_a_project_can_be_created_where_the_first_try_was_killed(tmp_path: Path, ended: int) -> None:
    (tmp_path / f".project.toml.new-{files.HOST}-{ended}-abc").write_text("name")
    Project.create(tmp_path, Recipe(name="Verses"))
    assert os.listdir(tmp_path) == ["project.toml"]


def test_the_next_job_clears_away_what_the_killed_one_left_and_keeps_its_run(tmp_path: Path, ended: int) -> None:
    project = Project.create(tmp_path / "project")
    run = project.new_run_folder("finetune")
    (run / "checkpoint").mkdir()
    left = [project.folder, project.folder / "runs", run, run / "checkpoint"]
    for folder in left:
        (folder / f".state.json.new-{files.HOST}-{ended}-abc").write_text("half")
    assert launch(project, "import").status == "failed"  # for no file was chosen
    assert not list(project.folder.rglob(".*"))
    assert [each.id for each in project.runs()] == [run.name]


def test_a_run_has_its_config_from_the_moment_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project.create(tmp_path / "project")

    def kill(*paths: object) -> None:
        raise KeyboardInterrupt  # at the first rename, that of the config to its name

    monkeypatch.setattr(os, "replace", kill)
    with pytest.raises(KeyboardInterrupt):
        project.new_run_folder("import")
    assert os.listdir(project.folder / "runs") == []
