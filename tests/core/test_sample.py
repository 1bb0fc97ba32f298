"""The samples that ship: enough texts, balanced, no near-copies; their projects stand alone and train."""

import os
import shutil
import subprocess
import sys

import pytest

from resources import resource_path
from tests.script import load
from ulmfit_core import sample
from ulmfit_core.errors import UserError
from ulmfit_core.run import launch


@pytest.fixture(scope="module")
def check():
    return load("check_sample")


@pytest.fixture(scope="module")
def check_support():
    return load("check_support")


def test_the_shipped_sample_has_no_problem(check, capsys):
    assert check.main(resource_path("sample")) == 0, capsys.readouterr().out


def test_a_test_verse_among_the_lines_is_found(check, tmp_path, capsys):
    shutil.copytree(resource_path("sample"), tmp_path / "sample")
    verse = next(row for row in check.read_verses(tmp_path / "sample") if row["split"] == "test")
    with (tmp_path / "sample" / "lines.txt").open("a", encoding="utf-8") as file:
        file.write(verse["text"].upper() + "\n")
    assert check.main(tmp_path / "sample") == 1
    assert verse["text"][:20].lower() in capsys.readouterr().out.lower()


def test_the_shipped_messages_have_no_problem(check_support, capsys):
    assert check_support.main(resource_path("support")) == 0, capsys.readouterr().out


def test_a_near_copy_among_the_messages_is_found(check_support, tmp_path, capsys):
    shutil.copytree(resource_path("support"), tmp_path / "support")
    text = check_support.read_messages(tmp_path / "support")[0]["text"]
    with (tmp_path / "support" / "unlabelled.txt").open("a", encoding="utf-8") as file:
        file.write(f"Hello! {text}\n")
    assert check_support.main(tmp_path / "support") == 1
    assert f"Hello! {text}" in capsys.readouterr().out


@pytest.mark.parametrize("name", sample.SAMPLES)
def test_a_sample_project_stands_alone_and_is_made_once(tmp_path, name):
    project = sample.open_or_make(tmp_path / "sample", name)
    settings = project.recipe.data
    assert project.recipe.name == sample.SAMPLES[name].title
    assert all((project.folder / file).is_file() for file in (settings.data, settings.unlabelled))
    assert project.recipe.base == "starter" and project.skip_reason("pretrain")
    project.recipe.classify.epochs = 3
    project.save()
    assert sample.open_or_make(tmp_path / "sample", name).recipe.classify.epochs == 3


# Kills itself as the file with this number takes its name.
KILLED = """
import os, signal, sys
from pathlib import Path
from ulmfit_core import sample

replace, left = os.replace, [int(sys.argv[2])]

def maybe(*paths):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*paths)

os.replace = maybe
sample.open_or_make(Path(sys.argv[1]))
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a signal of Unix")
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_first_start_that_is_killed_leaves_no_sample_without_its_data(tmp_path, nth):
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "sample", str(nth)], capture_output=True)
    assert done.returncode == -9, done.stderr
    settings = sample.open_or_make(tmp_path / "sample").recipe.data
    assert all((tmp_path / "sample" / file).is_file() for file in (settings.data, settings.unlabelled))
    assert os.listdir(tmp_path) == ["sample"]


def test_of_two_first_starts_the_faster_one_makes_the_sample(tmp_path, monkeypatch):
    folder = tmp_path / "sample"

    def while_another_starts(name):
        monkeypatch.undo()
        first = sample.open_or_make(folder)
        first.recipe.classify.epochs = 3
        first.save()
        return resource_path(name)

    monkeypatch.setattr(sample, "resource_path", while_another_starts)
    assert sample.open_or_make(folder).recipe.classify.epochs == 3
    assert os.listdir(tmp_path) == ["sample"]


def test_a_sample_is_made_in_an_empty_folder(tmp_path):
    (tmp_path / "sample").mkdir()
    assert sample.open_or_make(tmp_path / "sample").folder == tmp_path / "sample"
    assert os.listdir(tmp_path) == ["sample"]


def test_each_sample_has_a_folder_of_its_own_and_the_messages_are_the_default():
    folders = [sample.default_folder(name) for name in sample.SAMPLES]
    assert len(set(folders)) == len(folders)
    assert sample.default_folder() == sample.default_folder("support")
    assert sample.recipe() == sample.recipe("support")


def test_the_messages_are_imported_whole(tmp_path):
    project = sample.open_or_make(tmp_path / "support", "support")
    facts = launch(project, "import").report
    assert facts["classes"].keys() == {"urgent", "can wait"} and not facts["bad_rows"]
    assert (facts["splits"]["test"], facts["splits"]["train"] + facts["splits"]["valid"]) == (157, 628)


def test_a_sample_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(UserError, match="no sample “poems”. Choose one of: support, verses"):
        sample.open_or_make(tmp_path / "sample", "poems")
    assert not (tmp_path / "sample").exists()


def test_a_folder_in_use_is_not_taken(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        sample.open_or_make(tmp_path)
