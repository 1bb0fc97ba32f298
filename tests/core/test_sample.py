"""The sample that ships: enough verses, balanced, and no near-duplicate of a test verse anywhere else."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from resources import resource_path
from ulmfit_core import sample
from ulmfit_core.errors import UserError

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "check_sample.py"


@pytest.fixture(scope="module")
def check():
    spec = importlib.util.spec_from_file_location("check_sample", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_shipped_sample_has_no_problem(check, capsys):
    assert check.main(resource_path("sample")) == 0, capsys.readouterr().out


def test_a_test_verse_among_the_lines_is_found(check, tmp_path, capsys):
    shutil.copytree(resource_path("sample"), tmp_path / "sample")
    verse = next(row for row in check.read_verses(tmp_path / "sample") if row["split"] == "test")
    with (tmp_path / "sample" / "lines.txt").open("a", encoding="utf-8") as file:
        file.write(verse["text"].upper() + "\n")
    assert check.main(tmp_path / "sample") == 1
    assert verse["text"][:20].lower() in capsys.readouterr().out.lower()


def test_the_sample_project_stands_alone_and_is_made_once(tmp_path):
    project = sample.open_or_make(tmp_path / "sample")
    assert (project.folder / project.recipe.data.data).is_file()
    project.recipe.classify.epochs = 3
    project.save()
    assert sample.open_or_make(tmp_path / "sample").recipe.classify.epochs == 3


def test_a_folder_in_use_is_not_taken(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        sample.open_or_make(tmp_path)
