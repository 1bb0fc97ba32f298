"""A file that a training reads is gone or changed under it: it says which and what to do, and can go on later."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.core.toy import StopAfter
from tests.core.trained import project_of, rows
from ulmfit_core import events, files
from ulmfit_core.errors import UserError
from ulmfit_core.jobs import began
from ulmfit_core.project import Project
from ulmfit_core.run import Control, launch, read_steps
from ulmfit_core.training.inputs import Inputs

SETTINGS = {
    "classify.epochs": 3, "classify.blend": "off",
}  # fmt: skip
READ = ("ids.bin", "offsets.npy", "rows.arrow")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return project_of(tmp_path_factory.mktemp("files"), rows(120), **SETTINGS)


@pytest.fixture
def project(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "project")
    return Project.open(tmp_path / "project")


def path_of(project, name):
    return next(project.folder.rglob(name))


class AfterEpoch(Control):
    """Does something once, at the first poll after the first epoch has ended."""

    def __init__(self, what):
        super().__init__()
        self.what, self.ended = what, False

    def hear(self, event):
        self.ended |= isinstance(event, events.EpochEnded)

    @property
    def stopping(self):
        if self.ended and self.what:
            self.what, what = None, self.what
            what()
        return super().stopping


def train(project, what=None, **options):
    control = AfterEpoch(what)
    return launch(project, "classify", control=control, sink=control.hear, **options)


def newest(project):
    return next(project.runs_of("classify"))


def write_over(path):
    """Other content of the same size, in place."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 10**9))


@pytest.mark.parametrize("name", READ)
def test_a_file_that_was_written_over_ends_the_training_before_a_checkpoint_has_it(project, name):
    path = path_of(project, name)
    before = path.read_bytes()
    ended = train(project, lambda: write_over(path))
    run = newest(project)
    assert ended.status == "failed" and run.resumable
    assert ended.reason == (
        f"{path} was changed since this training began, so that it cannot go on with it. Put it back as it was and go "
        "on from the last checkpoint, or start the stage anew with the data as it is now."
    )
    again = launch(project, "classify", resume=run.folder)
    assert again.status == "failed" and (again.reason == ended.reason or f"{path.parent} are damaged" in again.reason)
    files.write_bytes(path, before)
    assert launch(project, "classify", resume=run.folder).status == "done"
    undisturbed = train(project)
    assert undisturbed.status == "done"
    losses = [read_steps(each.folder / "steps.f32")["loss"] for each in (run, newest(project))]
    assert np.array_equal(*losses)


@pytest.mark.parametrize("name", READ)
def test_a_file_that_is_gone_is_named_with_the_step_that_makes_it(project, name):
    path = path_of(project, name)
    kept = path.read_bytes()
    ended = train(project, path.unlink)
    maker = "“Data” (and then “Vocabulary”)" if name == "rows.arrow" else "“Vocabulary”"
    assert ended.status == "failed" and newest(project).resumable
    assert ended.reason.startswith(f"{path} is gone, which this training reads. Put it back, or let {maker} make it")
    steps = len(read_steps(newest(project).folder / "steps.f32")["loss"])
    again = launch(project, "classify", resume=newest(project).folder)
    assert again.status == "failed" and str(path.parent) in again.reason and "error.log" not in again.reason
    files.write_bytes(path, kept)
    assert launch(project, "classify", resume=newest(project).folder).status == "done"
    assert len(read_steps(newest(project).folder / "steps.f32")["loss"]) == 1.5 * steps


def test_what_is_made_again_from_the_same_data_is_the_same(project):
    ended = train(project, lambda: shutil.rmtree(project.tokens_folder))
    assert ended.status == "failed" and "“Vocabulary”" in ended.reason
    for job in ("import", "vocab"):
        assert launch(project, job).status == "done"
    assert project.resumable_run("classify") == newest(project)
    assert launch(project, "classify", resume=newest(project).folder).status == "done"


def test_data_that_was_imported_anew_with_another_row_is_no_data_to_go_on_with(project):
    """The settings are the same, and with them the fingerprint; the file is not."""
    source = Path(project.recipe.data.data)
    kept = source.read_bytes()
    assert launch(project, "classify", control=StopAfter(20)).status == "stopped"
    stopped = newest(project)
    try:
        source.write_bytes(kept + b"\na splendid amber bridge candle,good")
        for job in ("import", "vocab"):
            assert launch(project, job).status == "done"
    finally:
        source.write_bytes(kept)
    assert project.resumable_run("classify") is not None
    ended = launch(project, "classify", resume=stopped.folder)
    assert ended.status == "failed" and "was changed since this training began" in ended.reason


def test_a_file_that_was_only_touched_or_copied_is_the_same(project):
    def touch():
        for name in READ:
            path = path_of(project, name)
            shutil.copyfile(path, path.with_suffix(".copy"))
            os.replace(path.with_suffix(".copy"), path)

    assert train(project, touch).status == "done"


def test_an_error_of_a_file_that_changed_is_told_as_that(project):
    """Token ids beyond the vocabulary bring a step down with an error of torch."""

    def spoil():
        path = path_of(project, "ids.bin")
        with path.open("r+b") as file:
            file.write(b"\xff" * path.stat().st_size)

    ended = train(project, spoil)
    assert ended.status == "failed" and "ids.bin was changed since this training began" in ended.reason


def test_a_run_of_an_earlier_version_notes_the_files_when_it_is_resumed(project):
    assert launch(project, "classify", control=StopAfter(20)).status == "stopped"
    (newest(project).folder / began.NAME).unlink()
    assert launch(project, "classify", resume=newest(project).folder).status == "done"
    assert (newest(project).folder / began.NAME).exists()


def test_a_damaged_note_is_named(project):
    assert launch(project, "classify", control=StopAfter(20)).status == "stopped"
    path = newest(project).folder / began.NAME
    path.write_text('{"sizes": {"batch_size": "many"}}', encoding="utf-8")
    ended = launch(project, "classify", resume=path.parent)
    assert ended.status == "failed" and ended.reason.startswith(f"{path} is damaged: “sizes.batch_size”")


def test_a_file_is_read_through_only_where_it_was_touched(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"0" * 100)
    inputs = Inputs(tmp_path, ["a.bin"])
    noted = inputs.note()
    assert noted["a.bin"]["bytes"] == 100
    stamp = path.stat().st_mtime_ns
    path.write_bytes(b"1" * 100)
    os.utime(path, ns=(stamp, stamp))
    inputs.refuse_changed()  # neither size nor time of change differs, so its content is not looked at
    os.utime(path)
    with pytest.raises(UserError, match="was changed"):
        inputs.refuse_changed()
    path.write_bytes(b"0" * 100)
    inputs.refuse_changed()
    path.unlink()
    inputs.refuse_changed()
    with pytest.raises(UserError, match="is gone"):
        inputs.refuse_gone()


# Before a training


class AtPoll(StopAfter):
    """Does something once, at the n-th poll."""

    def __init__(self, number, what):
        super().__init__()
        self.number, self.what = number, what

    @property
    def stopping(self):
        if self.count == self.number:
            self.what()
        return super().stopping


@pytest.mark.parametrize("gone", [False, True])
def test_a_file_that_changes_while_it_is_imported_leaves_the_project_as_it_was(project, tmp_path, gone):
    source = tmp_path / "rows.csv"
    shutil.copyfile(project.recipe.data.data, source)
    project.recipe.data.data = str(source)
    before = (project.dataset_folder / "dataset.json").read_bytes()
    more = source.read_bytes() + b"\na splendid amber bridge candle,good"
    ended = launch(project, "import", control=AtPoll(1, source.unlink if gone else lambda: source.write_bytes(more)))
    assert ended.status == "failed" and ended.reason.startswith(f"{source} was changed or removed while it was read.")
    assert (project.dataset_folder / "dataset.json").read_bytes() == before
    source.write_bytes(more)
    assert launch(project, "import").status == "done"


@pytest.mark.parametrize("gone", [False, True])
def test_rows_that_change_while_they_are_encoded_leave_the_tokens_as_they_were(project, gone):
    rows_file, ids = path_of(project, "rows.arrow"), path_of(project, "ids.bin")
    before = ids.read_bytes()
    ended = launch(project, "vocab", control=AtPoll(1, rows_file.unlink if gone else lambda: write_over(rows_file)))
    assert ended.status == "failed" and ended.reason.startswith(f"{rows_file} was changed or removed while its texts")
    assert ids.read_bytes() == before
    for job in ("import", "vocab"):
        assert launch(project, job).status == "done"


# A file that is cut short: the system ends whoever reads beyond its end, the window too

CUT = """
import sys
from pathlib import Path
sys.path.insert(0, ".")
from tests.core.test_changed_files import AfterEpoch, path_of
from ulmfit_core.project import Project
from ulmfit_core.run import launch

project = Project.open(Path(sys.argv[1]))
ids = path_of(project, "ids.bin")
control = AfterEpoch(lambda: ids.open("r+b").truncate(0))
print(launch(project, "classify", control=control, sink=control.hear).reason)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Windows keeps a file that is mapped from being cut short")
def test_a_file_that_is_cut_short_ends_the_process_at_worst_and_never_the_run(project):
    path = path_of(project, "ids.bin")
    kept = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", CUT, str(project.folder)], capture_output=True, text=True, timeout=120)
    assert done.returncode < 0 or "was changed" in done.stdout, done.stderr
    run = newest(project)
    assert run.resumable
    ended = launch(project, "classify", resume=run.folder)
    assert ended.status == "failed" and str(path.parent) in ended.reason
    files.write_bytes(path, kept)
    assert launch(project, "classify", resume=run.folder).status == "done"
