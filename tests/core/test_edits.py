"""A person's corrections: kept in a log of their own, taken in by each import, never lost."""

import json

import numpy as np
import pytest

from tests.core import trained
from ulmfit_core import edit_log, events
from ulmfit_core.config import Recipe
from ulmfit_core.data import edits
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.errors import UserError
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.project import Project
from ulmfit_core.run import launch

ROWS = [(f"{kind} text number {number}", kind) for number in range(30) for kind in ("good", "bad")]


def write(path, rows):
    path.write_text("\n".join(["text,label", *(f"{text},{label}" for text, label in rows)]), encoding="utf-8")
    return str(path)


@pytest.fixture
def project(tmp_path):
    recipe = Recipe()
    recipe.data.data, recipe.data.text, recipe.data.label = write(tmp_path / "rows.csv", ROWS), ["text"], "label"
    return Project.create(tmp_path / "project", recipe)


def imported(project):
    """The dataset, label and split of each text, and all that was said."""
    said = []
    ended = launch(project, "import", sink=said.append)
    assert ended.status == "done", ended.reason
    dataset = Dataset.open(project.dataset_folder)
    texts = dataset.texts(np.arange(len(dataset)))
    names = [*dataset.labels, ""]  # -1, no label, is the last
    of = {
        text: (names[label], ("train", "valid", "test", "unlabelled")[split])
        for text, label, split in zip(texts, dataset.label_ids, dataset.split_ids, strict=True)
    }
    return dataset, of, [event.text for event in said if isinstance(event, events.Message)]


def in_split(of, split):
    return next(text for text, (_, where) in of.items() if where == split)


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_a_row_of_any_split_has_its_new_label_and_all_rows_stay_where_they_were(project, split):
    _, before, _ = imported(project)
    text = in_split(before, split)
    edits.relabel(project, f"  {text.replace(' ', '   ')}", "so so", before=before[text][0])
    assert project.state("import").mark == "stale"
    dataset, after, said = imported(project)
    assert after == before | {text: ("so so", split)} and dataset.labels == ["bad", "good", "so so"]
    assert any("1 rows have your label" in line for line in said)
    assert project.state("import").mark == "done"


def test_a_correction_outlives_another_file_and_waits_for_its_text(project, tmp_path):
    edits.relabel(project, ROWS[0][0], "bad", "good")
    edits.relabel(project, ROWS[2][0], "bad", "good")
    project.recipe.data.data = write(tmp_path / "other.csv", [ROWS[0], *ROWS[3:], ("one more", "good")])
    _, of, said = imported(project)
    assert of[ROWS[0][0]][0] == "bad" and ROWS[2][0] not in of
    assert any(ROWS[2][0] in line and "are kept" in line for line in said)
    project.recipe.data.data = str(tmp_path / "rows.csv")
    _, of, said = imported(project)
    assert of[ROWS[2][0]][0] == "bad" and not any("are kept" in line for line in said)


def test_an_added_text_trains_and_moves_no_other_row(project):
    _, before, _ = imported(project)
    edits.add(project, "quite another text, with a comma", "new")
    edits.add(project, ROWS[0][0], "bad")
    dataset, after, said = imported(project)
    assert after == before | {
        "quite another text, with a comma": ("new", "train"), ROWS[0][0]: ("bad", before[ROWS[0][0]][1]),
    }  # fmt: skip
    assert len(dataset) == len(ROWS) + 1, "a text that the data has is not there twice"
    assert any("1 rows have your label, 1 texts were added" in line for line in said)
    edits.relabel(project, "quite another text, with a comma", "good")
    assert imported(project)[1]["quite another text, with a comma"] == ("good", "train")


def test_unlabelled_rows_gain_a_label_but_not_the_texts_that_test(project, tmp_path):
    _, before, _ = imported(project)
    tested, bare = in_split(before, "test"), ["nobody knows this", "nor this"]
    (tmp_path / "bare.txt").write_text("\n".join([*bare, tested]), encoding="utf-8")
    project.recipe.data.unlabelled, project.recipe.data.transductive = str(tmp_path / "bare.txt"), True
    edits.relabel(project, bare[0], "good")
    edits.relabel(project, tested, "good")
    dataset, after, _ = imported(project)
    assert after[bare[0]] == ("good", "train") and after[bare[1]] == ("", "unlabelled")
    texts = dataset.texts(np.arange(len(dataset)))
    copies = [row for row, text in enumerate(texts) if text == tested]
    assert sorted(dataset.split_ids[copies].tolist()) == [2, 3], "the copy of a test text trains nothing"


def test_no_text_of_a_tested_group_is_drawn_into_training(tmp_path):
    rows = [(f"text {number}", ("good", "bad")[number % 2], f"author {number // 4}") for number in range(40)]
    lines = [",".join(row) for row in rows] + [f"bare {number},,author {number}" for number in range(10)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label,who", *lines]), encoding="utf-8")
    recipe = Recipe()
    recipe.data.data, recipe.data.text, recipe.data.label = str(tmp_path / "rows.csv"), ["text"], "label"
    recipe.data.group_column, recipe.data.transductive = "who", True
    project = Project.create(tmp_path / "project", recipe)
    for number in range(10):
        edits.relabel(project, f"bare {number}", "good")
    _, of, _ = imported(project)
    where = {who: of[text][1] for text, _, who in rows}
    assert {of[f"bare {n}"][1] for n in range(10) if where[f"author {n}"] == "train"} == {"train"}
    assert {of[f"bare {n}"][1] for n in range(10) if where[f"author {n}"] != "train"} == {"unlabelled"}


def test_a_class_that_has_lost_all_its_rows_is_gone(project, tmp_path):
    odd = [("odd one", "odd"), ("odd two", "odd")]
    project.recipe.data.data = write(tmp_path / "odd.csv", [*ROWS, *odd])
    dataset, before, _ = imported(project)
    assert dataset.labels == ["bad", "good", "odd"]
    for text, _ in odd:
        edits.relabel(project, text, "good", "odd")
    dataset, after, _ = imported(project)
    assert dataset.labels == ["bad", "good"]
    assert {text: split for text, (_, split) in after.items()} == {text: split for text, (_, split) in before.items()}


def test_an_undo_brings_back_what_was_before(project):
    clean = project.fingerprint("import")
    dataset, before, _ = imported(project)
    first = edits.relabel(project, ROWS[0][0], "bad", "good")
    second = edits.relabel(project, ROWS[0][0], "so so", "bad")
    assert [edit.number for edit in edits.active(project)] == [1, 2] and first.time <= second.time
    edits.undo(project, second.number)
    assert imported(project)[1][ROWS[0][0]][0] == "bad"
    edits.undo(project, first.number)
    assert edits.active(project) == [] and edits.version_of(project) == "" and project.fingerprint("import") == clean
    assert imported(project)[1] == before
    with pytest.raises(UserError, match="no correction 1 "):
        edits.undo(project, first.number)
    assert edits.add(project, "one more", "good").number == 5, "undoing has taken numbers too"


def test_new_labels_ask_for_no_language_model_but_new_texts_do(project):
    steps = ("import", "vocab", "finetune", "classify", "evaluate")
    before = {step: project.fingerprint(step) for step in steps}
    edits.confirm(project, ROWS[1][0], "bad")
    assert {step: project.fingerprint(step) for step in steps} == before
    edits.relabel(project, ROWS[0][0], "bad", "good")
    changed = [step for step in steps if project.fingerprint(step) != before[step]]
    assert changed == ["import", "vocab", "classify", "evaluate"]
    edits.add(project, "one more", "good")
    assert [step for step in steps if project.fingerprint(step) != before[step]] == list(steps)
    project.recipe.data.label = ""
    bare = project.fingerprint("import")
    edits.relabel(project, ROWS[2][0], "bad")
    assert project.fingerprint("import") == bare, "without a label column no correction is taken in"


def test_what_a_power_cut_left_is_passed_over_and_told_once_it_is_in_the_way(project):
    edits.relabel(project, ROWS[0][0], "bad", "good")
    path = project.folder / edit_log.NAME
    torn = path.read_bytes() + b'{"number": 2, "kind": "relabel", "te'
    path.write_bytes(torn)
    assert [edit.number for edit in edits.active(project)] == [1]
    assert path.read_bytes() == torn, "reading mends nothing"
    assert edits.add(project, "après ☃\nline two", "good").number == 2
    assert [edit.text for edit in edits.active(project)] == [ROWS[0][0], "après ☃\nline two"]
    _, of, said = imported(project)
    assert of[ROWS[0][0]][0] == "bad" and any("Damaged lines" in line and ": 1." in line for line in said)


def test_a_kind_of_a_newer_version_is_kept_and_changes_nothing(project):
    line = {"number": 7, "kind": "translate", "text": ROWS[0][0], "label": "x", "before": "", "time": ""}
    (project.folder / edit_log.NAME).write_text(json.dumps(line) + "\n")
    assert edits.active(project) == [] and edits.version_of(project) == ""
    assert edits.relabel(project, ROWS[0][0], "bad").number == 8
    assert "translate" in (project.folder / edit_log.NAME).read_text()


def test_what_cannot_be_kept_is_refused(project):
    for text, label in (("  ", "good"), ("a text", " ")):
        with pytest.raises(UserError, match="needs a text and a label"):
            edits.relabel(project, text, label)
    edit = edits.relabel(project, "a text", "good")
    project.read_only = "Another window has this project open."
    for refused in (lambda: edits.add(project, "a", "b"), lambda: edits.undo(project, edit.number)):
        with pytest.raises(UserError, match="Another window"):
            refused()
    assert edits.active(project) == [edit]


def test_what_is_no_file_is_told(project):
    (project.folder / edit_log.NAME).mkdir()
    with pytest.raises(UserError, match="edits.jsonl is a folder and not a file"):
        edits.relabel(project, "a text", "good")


@pytest.mark.slow
def test_after_a_new_label_the_classifier_alone_is_trained_again(tmp_path):
    small = {"finetune.enabled": True, "finetune.epochs": 1, "finetune.threads": 1, "classify.epochs": 1}
    project = trained.project_of(tmp_path, trained.rows(60), **small)
    trained.run(project, "finetune", "classify")
    text = Dataset.open(project.dataset_folder).texts([0])[0]
    edits.relabel(project, text, "so so")
    marks = {step: project.state(step).mark for step in ("import", "vocab", "finetune", "classify")}
    assert marks == {"import": "stale", "vocab": "stale", "finetune": "done", "classify": "stale"}
    trained.run(project, "import", "vocab", "classify")
    assert project.state("finetune").mark == project.state("classify").mark == "done"
    assert Predictor.of(project).labels == ["bad", "good", "so so"]
