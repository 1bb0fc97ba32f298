"""`ulmfit find-lr` and `ulmfit generate`: what they print, as words and as JSON, and what they refuse."""

import io
import json
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from ulmfit_core import config
from ulmfit_core.__main__ import main
from ulmfit_core.config import Recipe
from ulmfit_core.project import Project
from ulmfit_core.run import Control, launch

SMALL = {
    "data.text": ["text"], "data.label": "label", "vocab.size": 120, "model.embedding": 8, "model.hidden": 12,
    "finetune.epochs": 1, "classify.unfreezing": "all", "finetune.batch_size": 8, "finetune.bptt": 10,
}  # fmt: skip


class Terminal(io.StringIO):
    """Remembers what could be read whenever it was flushed."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def flush(self):
        self.seen.append(self.getvalue())


def ulmfit(*arguments, status=0):
    """Run the command line in this process; returns (standard output, standard error)."""
    out, said = Terminal(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(said):
        patch.setattr(sys, "argv", ["ulmfit", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
    assert (left.value.code or 0) == status, said.getvalue()
    return out, said.getvalue()


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose language model was trained for no longer than a moment."""
    folder = tmp_path_factory.mktemp("cli")
    kinds = [("Bad UGLY poor", "neg"), ("Good NICE fine", "pos")]
    rows = [f"{kinds[n % 2][0]} words {n} of many,{kinds[n % 2][1]}" for n in range(120)]
    (folder / "a.csv").write_text("text,label\n" + "\n".join(rows), encoding="utf-8")
    recipe = Recipe()
    for key, value in {**SMALL, "data.data": str(folder / "a.csv")}.items():
        config.set_value(recipe, key, value)
    project = Project.create(folder / "p", recipe)
    control = Control()
    control.finish()
    for step in ("import", "vocab", "finetune"):
        ended = launch(project, step, control=control)
        assert ended.status == "done", ended.reason
    return project


def test_a_search_prints_its_suggestions_and_where_to_write_one(project):
    recipe = (project.folder / "project.toml").read_bytes()
    out, said = ulmfit("find-lr", project.folder, "finetune", "--groups", 0)
    lines = out.getvalue().splitlines()
    found = dict(line.split() for line in lines[:-2])
    assert set(found) <= {"valley", "steepest", "minimum/10", "slide"} and float(found["minimum/10"]) > 1e-8
    assert lines[-2].startswith(f"{found['valley']} is a good highest learning rate for “Fine-tune”: ")
    assert "it was set to 0.004" in lines[-2]
    file = project.folder / "project.toml"
    assert lines[-1] == f"To take it, write lr_max = {found['valley']} under [finetune] in {file}"
    assert "Find a learning rate" in said and file.read_bytes() == recipe


def test_a_search_as_json(project):
    out, _ = ulmfit("find-lr", project.folder, "classify", "--steps", 40, "--json")
    report = json.loads(out.getvalue())
    assert report["stage"] == "classify" and report["groups"] == 1
    assert len(report["rates"]) == len(report["losses"]) == len(report["smoothed"]) <= 40
    assert report["rates"][0] == pytest.approx(1e-7) and report["advice"]


def test_a_search_that_cannot_be_made(project, tmp_path):
    for arguments in (["vocab"], ["classify", "--steps", 3], ["classify", "--groups", -1]):
        ulmfit("find-lr", project.folder, *arguments, status=2)
    out, said = ulmfit("find-lr", project.folder, "pretrain", "--json", status=1)
    assert out.getvalue() == ""
    assert said.splitlines()[-1].startswith(
        "No learning rate can be searched for “Pretrain”. No general text was given"
    )
    shutil.copytree(project.folder, tmp_path / "p")
    shutil.rmtree(tmp_path / "p" / "runs")
    _, said = ulmfit("find-lr", tmp_path / "p", "classify", status=1)
    assert said.splitlines()[-1] == "No learning rate can be searched for “Classify”. Waits for “Data”."
    assert list((tmp_path / "p" / "runs").iterdir()) == []


def test_text_is_printed_word_by_word(project):
    out, _ = ulmfit("generate", project.folder, "Good words", "--words", 6, "--temperature", 2)
    text = out.getvalue()
    assert text.startswith("Good words") and text.endswith("\n") and len(text.split()) <= 8
    words = [seen for seen in out.seen if seen]
    assert words[0] == "Good words" and len(words) >= len(text.split()) - 1
    assert all(text.startswith(seen) and text[len(seen)] in " \n" for seen in words[1:] if len(seen) < len(text))


def test_text_as_json_from_the_folder_of_a_model(project, tmp_path):
    shutil.copytree(project.bundle_folder("finetune"), tmp_path / "writer")
    options = ["--words", 5, "--temperature", 1.5, "--top-k", 40, "--top-p", 0.9, "--min-p", 0.01, "--no-repeat", 2,
               "--seed", 7, "--stop", "zzz", "--json"]  # fmt: skip
    answers = [ulmfit("generate", place, "Bad", *options)[0] for place in (tmp_path / "writer", project.folder)]
    answer = json.loads(answers[0].getvalue())
    assert answer.pop("text").startswith("Bad")
    assert answer == {
        "prompt": "Bad", "words": 5, "temperature": 1.5, "top_k": 40, "top_p": 0.9, "min_p": 0.01, "no_repeat": 2,
        "seed": 7, "stop": "zzz",
    }  # fmt: skip
    assert answers[0].getvalue() == answers[1].getvalue()


def test_what_cannot_write_is_said(project, tmp_path):
    _, said = ulmfit("generate", tmp_path, "Good", status=1)
    assert "is not a project" in said and len(said.splitlines()) == 1
    ulmfit("generate", project.folder, "Good", "--top-p", 1.5, status=2)
    ulmfit("generate", project.folder, "Good", "--words", 0, status=2)
