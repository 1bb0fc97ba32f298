"""Texts of the test: nothing that trains reads a token of them, unless the switch is on, and then it is told."""

import json

import pytest

from ulmfit_core import events
from ulmfit_core.config import DataSettings, ModelSettings, Recipe, VocabSettings, set_value
from ulmfit_core.project import Project
from ulmfit_core.run import launch

SMALL = {"finetune.epochs": 1, "finetune.threads": 1, "finetune.batch_size": 8, "finetune.bptt": 10,
         "classify.epochs": 1, "classify.threads": 1, "classify.unfreezing": "all"}  # fmt: skip


def project_of(folder, word, transductive):
    """A project whose test rows, unlabelled copies of them and general text all hold `word`, and no other row does."""
    folder.mkdir()
    rows = [f"r{n},{'good' if n % 2 else 'bad'} words of row {n},{n % 2},train" for n in range(60)]
    secret = [f"{word} {'good' if n % 2 else 'bad'} {word} {n}" for n in range(12)]
    rows += [f"t{n},{text},{n % 2},test" for n, text in enumerate(secret)]
    (folder / "a.csv").write_text("\n".join(["id,text,label,part", *rows]), encoding="utf-8")
    (folder / "u.txt").write_text("\n".join([*secret, "open words", "more words"]), encoding="utf-8")
    data = DataSettings(
        data=str(folder / "a.csv"), unlabelled=str(folder / "u.txt"), text=["text"], label="label",
        split_column="part", id_column="id", transductive=transductive,
    )  # fmt: skip
    vocab = VocabSettings(kind="word", min_frequency=1)
    recipe = Recipe(data=data, vocab=vocab, model=ModelSettings(embedding=8, hidden=8, layers=2))
    for key, value in SMALL.items():
        set_value(recipe, key, value)
    return Project.create(folder / "p", recipe)


def run(project, *jobs):
    """The reports of the jobs, and all that was said."""
    said, reports = [], []
    for job in jobs:
        ended = launch(project, job, sink=said.append)
        assert ended.status == "done", ended.reason
        reports.append(ended.report)
    return reports, [event.text for event in said if isinstance(event, events.Message)]


def learned(project):
    """The vocabulary and the weights of the fine-tuned model."""
    folder = project.bundle_folder("finetune")
    return [(folder / name).read_bytes() for name in ("words.json", "weights.safetensors")]


@pytest.mark.parametrize("transductive", [False, True])
def test_what_the_test_rows_say_changes_the_language_model_only_if_it_may(tmp_path, transductive):
    first = project_of(tmp_path / "a", "zebra", transductive)
    other = project_of(tmp_path / "b", "spotted quagga", transductive)
    for project in (first, other):
        (_, _, report), messages = run(project, "import", "vocab", "finetune")
        assert report.get("transductive", False) == transductive
        assert sum("test rows too, without their labels" in message for message in messages) == transductive
    same = [one == another for one, another in zip(learned(first), learned(other), strict=True)]
    assert same == ([False, False] if transductive else [True, True])
    for project, word in ((first, "zebra"), (other, "quagga")):
        assert (word in learned(project)[0].decode()) == transductive


def test_a_transductive_model_says_so_wherever_its_figures_stand(tmp_path):
    project = project_of(tmp_path / "a", "zebra", True)
    reports, messages = run(project, "import", "vocab", "finetune", "classify", "evaluate")
    assert json.loads((project.dataset_folder / "dataset.json").read_text())["transductive"] is True
    assert all(report["transductive"] for report in reports)
    assert sum("transductive" in message for message in messages) == 1
    for step in ("finetune", "classify"):
        card = (project.bundle_folder(step) / "MODEL_CARD.md").read_text()
        assert "test texts: read by the language model, without their labels (transductive)" in card
    assert {row["id"][0] for row in reports[-1]["worst"]} <= {"t"}
    assert_exports_hold_ids(project, tmp_path)


def assert_exports_hold_ids(project, folder):
    for name in ("out.csv", "out.jsonl"):
        ended = launch(project, "predict", data=folder / "a" / "a.csv", out=folder / name)
        assert ended.status == "done" and ended.report["rows"] == 72, ended.reason
    lines = (folder / "out.csv").read_text().splitlines()
    assert lines[0] == "row,id,text,label,answer,probability,p(0),p(1),reason"
    assert lines[1].startswith("2,r0,bad words of row 0,")
    assert json.loads((folder / "out.jsonl").read_text().splitlines()[61])["id"] == "t1"
    bare = folder / "bare.csv"
    bare.write_text("text,other\ngood words,1\nbad words,2\n")
    assert launch(project, "predict", data=bare, out=folder / "bare_out.csv").status == "done"
    assert (folder / "bare_out.csv").read_text().startswith("row,text,label,")
