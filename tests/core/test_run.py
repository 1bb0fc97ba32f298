"""Runs report, log steps, pause, stop and end with a word that is kept."""

import errno
import os
import threading
import time

import numpy as np
import pytest

from ulmfit_core import catalog, events
from ulmfit_core.catalog import Entry
from ulmfit_core.config import Recipe
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project
from ulmfit_core.run import Control, Run, Stopped, launch, read_steps

JOB = {}


def job(project, run, **options):
    return JOB["work"](project, run, **options)


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Launch a function as a job of a new project."""
    monkeypatch.setitem(catalog.JOBS, "test", Entry(f"{__name__}:job", "A test"))
    monkeypatch.setattr(Entry, "resolve", lambda self: job)
    project = Project.create(tmp_path / "project")

    def run_it(work, **options):
        JOB["work"] = work
        return project, launch(project, "test", **options)

    return run_it


# Steps


def test_steps_come_back_and_a_torn_tail_is_ignored(tmp_path):
    run = Run(tmp_path)
    run.open_steps(["step", "loss", "lr:head"])
    for step in range(5):
        run.emit_step([step, step / 2, 0.1])
    run.close()
    path = tmp_path / "steps.f32"
    path.write_bytes(path.read_bytes() + b"\1\2\3")
    steps = read_steps(path)
    assert steps.values.shape == (5, 3) and steps["loss"].tolist() == [0, 0.5, 1, 1.5, 2]
    assert steps.rate_columns == ["lr:head"]
    assert isinstance(steps.values, np.memmap) or isinstance(steps.values.base, np.memmap)


@pytest.mark.parametrize("content", [None, b"", b"ULMSTEP1", b"something else entirely"])
def test_a_missing_or_foreign_file_has_no_steps(tmp_path, content):
    if content is not None:
        (tmp_path / "steps.f32").write_bytes(content)
    assert read_steps(tmp_path / "steps.f32").values.size == 0


def test_rewinding_leaves_no_step_twice(tmp_path):
    run = Run(tmp_path)
    run.open_steps(["step"])
    run.emit_step([0])
    run.message("kept")
    offsets = run.offsets()
    run.emit_step([1])
    run.message("cut")
    run.close()
    again = Run(tmp_path)
    again.open_steps(["step"])
    again.rewind(offsets)
    again.emit_step([1])
    again.close()
    assert read_steps(tmp_path / "steps.f32")["step"].tolist() == [0, 1]
    assert [event.text for event in events.read_events(tmp_path / "events.jsonl")] == ["kept"]


def test_a_silent_run_writes_nothing(tmp_path):
    run = Run()
    run.open_steps(["step"])
    run.emit_step([1])
    run.message("nothing")
    assert run.offsets() == {} and run.poll()


# Progress, pause and stop


def test_track_yields_all_and_tells_the_end():
    seen = []
    assert list(Run(sink=seen.append).track([1, 2, 3], "Counting")) == [1, 2, 3]
    assert (seen[-1].label, seen[-1].done, seen[-1].total) == ("Counting", 3.0, 3.0)


def test_progress_is_not_logged(tmp_path):
    run = Run(tmp_path)
    list(run.track([1], "Counting"))
    assert events.read_events(tmp_path / "events.jsonl") == []


def test_a_pause_blocks_and_a_stop_ends_it():
    control = Control()
    control.pause()
    run = Run(control=control)
    threading.Timer(0.1, control.stop).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        run.poll()
    assert time.monotonic() - began > 0.05 and run.paused_seconds > 0.05


def test_finish_now_is_told_by_poll():
    control = Control()
    run = Run(control=control)
    assert run.poll()
    control.finish()
    assert not run.poll()


def test_a_child_has_a_folder_of_its_own(tmp_path):
    child = Run(tmp_path).child("fold-1")
    child.message("here")
    assert (tmp_path / "fold-1" / "events.jsonl").exists()


# Launch


def test_a_finished_job(start):
    seen = []
    project, ended = start(lambda project, run: {"rows": 3}, sink=seen.append)
    assert (ended.status, ended.report) == ("done", {"rows": 3})
    assert [type(event).__name__ for event in seen] == ["Started", "Ended"]
    assert project.runs()[0].status == "done"


def test_a_refusal_leaves_no_run_behind(start):
    def work(project, run):
        raise UserError("No. Do this instead.")

    project, ended = start(work)
    assert (ended.status, ended.reason) == ("failed", "No. Do this instead.")
    assert project.runs() == []


@pytest.mark.parametrize("kept", ["checkpoint", "steps.f32", "notes.txt"])
def test_a_run_that_has_something_to_go_on_from_outlives_a_refusal(start, kept):
    def work(project, run):
        (run.folder / kept).mkdir()
        raise UserError("No.")

    project, ended = start(work)
    assert ended.status == "failed" and len(project.runs()) == 1


def test_want_of_memory_is_told_as_what_it_is(start):
    def work(project, run):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    _, ended = start(work)
    assert ended.status == "failed" and "Close other programs" in ended.reason and "disk" not in ended.reason


def test_an_unexpected_error_is_kept_with_its_traceback(start):
    def work(project, run):
        raise ValueError("odd")

    project, ended = start(work)
    assert ended.status == "failed" and ended.reason.startswith("ValueError: odd. Details are in ")
    (run,) = project.runs()
    assert "Traceback" in (run.folder / "error.log").read_text()


def test_a_stop(start):
    control = Control()
    control.stop()
    _, ended = start(lambda project, run: run.poll(), control=control)
    assert ended.status == "stopped"


def test_a_recipe_becomes_the_projects_only_when_the_run_is_done(start):
    def refuse(project, run):
        raise UserError("No.")

    project, _ = start(refuse, recipe=Recipe(name="new"))
    assert project.recipe.name == "project"
    project, _ = start(lambda project, run: {}, recipe=Recipe(name="new"))
    assert project.recipe.name == Project.open(project.folder).recipe.name == "new"


def test_the_job_sees_the_tried_recipe_and_its_options(start):
    seen = {}

    def work(project, run, **options):
        seen.update(options, name=project.recipe.name)

    start(work, recipe=Recipe(name="new"), a=1)
    assert seen == {"a": 1, "name": "new"}
