"""Tries that are kept: in the project's folder, there again when it is opened, never over a damaged file."""

from __future__ import annotations

import json

import pytest

from studio import kept_tries
from studio.kept_tries import Try
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project

SAD, HAPPY = Try("sad", 0.75, "The rain fell"), Try("happy", 1.0, "We danced\n“all night”")


@pytest.fixture
def project(tmp_path, recipe) -> Project:
    return Project.create(tmp_path / "project", recipe)


def test_they_are_there_again_newest_first(project):
    assert kept_tries.read(project) == []
    kept_tries.add(project, SAD)
    kept_tries.add(project, HAPPY)
    assert kept_tries.read(Project.open(project.folder)) == [HAPPY, SAD]
    written = json.loads((project.folder / "tries.json").read_text(encoding="utf-8"))
    assert written["format"] == 1 and written["tries"][1] == {"label": "sad", "probability": 0.75, "text": SAD.text}


def test_one_of_several_alike_is_removed(project):
    for one in (SAD, HAPPY, SAD):
        kept_tries.add(project, one)
    assert kept_tries.remove(project, SAD) == [HAPPY, SAD] == kept_tries.read(project)


def test_the_oldest_gives_way(project, monkeypatch):
    monkeypatch.setattr(kept_tries, "MOST", 2)
    for number in range(3):
        kept_tries.add(project, Try("sad", 0.5, str(number)))
    assert [one.text for one in kept_tries.read(project)] == ["2", "1"]


NEWER, CUT = '{"format": 2, "tries": []}', '{"format": 1, "tries": [{"label": "a"}]}'


@pytest.mark.parametrize("damage", ["{", "[]", "null", NEWER, CUT])
def test_a_damaged_file_is_told_and_stays(project, damage):
    path = project.folder / "tries.json"
    path.write_text(damage, encoding="utf-8")
    with pytest.raises(UserError, match="tries.json is damaged"):
        kept_tries.read(project)
    for change in (kept_tries.add, kept_tries.remove):
        with pytest.raises(UserError, match="tries.json is damaged"):
            change(project, SAD)
    assert path.read_text(encoding="utf-8") == damage


def test_a_project_that_is_only_read_keeps_none(project):
    project.read_only = "Another window has it."
    with pytest.raises(UserError, match="Another window"):
        kept_tries.add(project, SAD)
    assert not (project.folder / "tries.json").exists()
