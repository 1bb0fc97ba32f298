"""Save as: a whole copy or none, what is done stays done, the project itself untouched."""

from __future__ import annotations

import threading

import pytest

from ulmfit_core import lock
from ulmfit_core.config import DataSettings, Recipe
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project
from ulmfit_core.project_copy import Copying
from ulmfit_core.run import launch


@pytest.fixture
def project(tmp_path, reviews) -> Project:
    """Imported twice, with other splits."""
    recipe = Recipe(name="One", data=DataSettings(data=str(reviews), text=["text"], label="label"))
    made = Project.create(tmp_path / "one", recipe)
    for seed in (1, 2):
        made.recipe.data.seed = seed
        made.save()
        assert launch(made, "import").status == "done"
    return made


def state_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("with_runs", [True, False])
def test_the_copy_stands_as_the_project_does(project, tmp_path, with_runs):
    before = state_of(project.folder)
    copying = Copying(project, tmp_path / "two", "Two", with_runs)
    assert copying.work() == tmp_path / "two"
    copy = Project.open(tmp_path / "two")
    assert copy.recipe.name == "Two" and copy.recipe.data == project.recipe.data
    assert copy.state("import").mark == "done" and copy.fingerprint("import") == project.fingerprint("import")
    assert len(copy.runs()) == (2 if with_runs else 1)
    assert copying.done == copying.total > 0
    assert state_of(project.folder) == before
    same = {name: data for name, data in state_of(copy.folder).items() if name != "project.toml"}
    assert same.items() <= before.items()


def test_a_stopped_copy_leaves_nothing(project, tmp_path):
    copying = Copying(project, tmp_path / "two", "Two", True)
    copying.control.stop()
    with pytest.raises(UserError, match="Nothing was made"):
        copying.work()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "reviews.csv"]


def test_locks_are_not_taken_along(project, tmp_path):
    with lock.Lock(project.folder, lock.WINDOW, "A window"):
        Copying(project, tmp_path / "two", "Two", True).work()
    assert not list((tmp_path / "two").glob("*.lock"))


def test_what_cannot_be_is_refused(project, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("Dear")
    with pytest.raises(UserError, match="not empty"):
        Copying(project, tmp_path / "full", "Two", True).work()
    with pytest.raises(UserError, match="inside the project"):
        Copying(project, project.folder / "runs" / "two", "Two", True).work()
    with lock.Lock(project.folder, lock.WORK, "“Train the classifier”"), pytest.raises(UserError, match="at work"):
        Copying(project, tmp_path / "two", "Two", True).work()
    assert (tmp_path / "full" / "letter.txt").read_text() == "Dear" and not (tmp_path / "two").exists()


def test_it_can_be_watched_from_another_thread(project, tmp_path):
    copying = Copying(project, tmp_path / "two", "Two", True)
    worker = threading.Thread(target=copying.work)
    seen = [copying.done]
    worker.start()
    while worker.is_alive():
        seen.append(copying.done)
    seen.append(copying.done)
    assert seen == sorted(seen) and seen[0] == 0 < seen[-1] == copying.total
