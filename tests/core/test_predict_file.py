"""Answers to the rows of a file: in place and in order, in every format, the same bytes after a stop or a kill."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.core.test_cli import ulmfit
from ulmfit_core import events
from ulmfit_core.config import DataSettings, Recipe
from ulmfit_core.data.unseen import open_unseen, settings_for
from ulmfit_core.errors import UserError
from ulmfit_core.inference import file_summary
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.jobs import predict_file as job
from ulmfit_core.jobs.unfinished import part_of, read_state
from ulmfit_core.project import Project
from ulmfit_core.run import Control, launch

ROOT = Path(__file__).resolve().parents[2]
WORDS = {"good": "lovely warm funny", "bad": "dreary cold boring"}


def sentence(number):
    label = "good" if number % 2 else "bad"
    return f"a {WORDS[label]} film" + " and so on" * (number * 7 % 13) + f" {number}", label


def write_rows(path, rows, head="text,label"):
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def labelled(path, count):
    return write_rows(path, [",".join(sentence(number)) for number in range(count)])


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("answering")
    data = labelled(folder / "train.csv", 120)
    recipe = Recipe(data=DataSettings(data=str(data), text=["text"], label="label"))
    recipe.vocab.size, recipe.model.embedding, recipe.model.hidden = 150, 8, 12
    recipe.finetune.epochs = recipe.classify.epochs = 1
    recipe.classify.unfreezing, recipe.classify.lr_max = "all", 0.05
    recipe.classify.blend = "off"  # so that what answers is the network, which reads texts side by side
    made = Project.create(folder / "project", recipe)
    for step in ("import", "vocab", "finetune", "classify"):
        ended = launch(made, step)
        assert ended.status == "done", ended.reason
    made.recipe.answers.unknown = 0
    made.save()
    return made


def answer(project, data, out, status="done", control=None, **options):
    """(last word, messages) of the job."""
    said = []
    ended = launch(project, "predict", control=control, sink=said.append, data=data, out=out, **options)
    assert ended.status == status, ended.reason
    return ended, [event.text for event in said if isinstance(event, events.Message)]


def read(out):
    """The rows of an answer file as dicts of texts."""
    if out.suffix == ".csv":
        with out.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    if out.suffix == ".parquet":
        return pq.read_table(out).to_pylist()
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]


class StopAfter:
    """Stops the run once the part holds so many rows."""

    def __init__(self, control, out, rows):
        self.control, self.out, self.rows = control, out, rows

    def __call__(self, event):
        state = read_state(self.out)
        if state and state.told.get("rows", 0) >= self.rows:
            self.control.stop()


# What stands in the file


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_each_row_keeps_its_place_whatever_its_length(project, tmp_path, monkeypatch, ending):
    monkeypatch.setattr(job, "ROWS", 37)
    monkeypatch.setattr(job, "CHARACTERS_AT_ONCE", 500)
    data, out = labelled(tmp_path / "new.csv", 100), tmp_path / f"out{ending}"
    ended, _ = answer(project, data, out)
    rows = read(out)
    assert [row["text"] for row in rows] == [sentence(number)[0] for number in range(100)]
    assert [int(row["row"]) for row in rows] == list(range(2, 102))
    alone = Predictor.of(project).predict([row["text"] for row in rows])
    assert [row["answer"] for row in rows] == [one.answer for one in alone]
    shares = [one.probabilities["good"] for one in alone]
    told = [row["probabilities"]["good"] if ending == ".jsonl" else float(row["p(good)"]) for row in rows]
    assert told == pytest.approx(shares, abs=1e-5)
    assert [float(row["probability"]) for row in rows] == pytest.approx([max(s, 1 - s) for s in shares], abs=1e-5)
    assert ended.report["rows"] == ended.report["answered"] == sum(ended.report["labels"].values()) == 100
    assert ended.report["agreement"]["rows"] == 100
    right = sum(one.answer == sentence(number)[1] for number, one in enumerate(alone))
    assert ended.report["agreement"]["agree"] == right


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_row_that_cannot_be_used_stands_in_its_place_with_the_reason(project, tmp_path, ending):
    data = write_rows(tmp_path / "new.csv", ["a warm film,7", ",8", "three,cells,here", "a cold film,9"], "text,stars")
    out = tmp_path / f"out{ending}"
    ended, said = answer(project, data, out, keep=["stars"])
    rows = read(out)
    assert [int(row["row"]) for row in rows] == [2, 3, 4, 5]
    assert [row["reason"] or "" for row in rows] == ["", "no text", "3 columns instead of 2", ""]
    assert [bool(row["answer"]) for row in rows] == [True, False, False, True]
    assert [rows[place]["stars"] for place in (0, 3)] == ["7", "9"]
    assert {tuple(row) for row in rows} == {tuple(rows[0])}, "all rows have the same columns"
    report = ended.report
    assert (report["rows"], report["answered"], report["bad_rows"]) == (4, 2, 2) and "agreement" not in report
    assert report["reasons"] == {"no text": 1, "3 columns instead of 2": 1}
    assert any("2 rows" in text and "could not be used" in text for text in said)


def test_a_text_of_20000_words_is_answered(project, tmp_path):
    long = " ".join(["lovely", "warm"] * 10_000)
    data, out = write_rows(tmp_path / "new.csv", ["a cold film", long, "a warm film"], "text"), tmp_path / "out.jsonl"
    answer(project, data, out)
    rows = read(out)
    assert rows[1]["text"] == long and all(row["answer"] in ("good", "bad") for row in rows)


def test_no_cell_of_a_csv_is_a_formula_and_other_formats_keep_the_text(project, tmp_path):
    texts = ["=HYPERLINK(1)", "+49 is a warm film", "-5", "@home", "plain"]
    data = write_rows(tmp_path / "new.csv", [f'"{text}","{text}"' for text in texts], "text,=note")
    ended, said = answer(project, data, tmp_path / "out.csv", keep=["=note"])
    told = read(tmp_path / "out.csv")
    assert [row["text"] for row in told] == ["'=HYPERLINK(1)", "'+49 is a warm film", "-5", "'@home", "plain"]
    assert [row["'=note"] for row in told] == [row["text"] for row in told]
    assert [text for text in said if text.startswith("Cells of out.csv") and ": 6. An apostrophe" in text]
    for name in ("out.jsonl", "out.parquet"):
        _, said = answer(project, data, tmp_path / name, keep=["=note"])
        assert [row["text"] for row in read(tmp_path / name)] == texts == [r["=note"] for r in read(tmp_path / name)]
        assert not any("formula" in text for text in said)


def test_kept_columns_stand_beside_under_names_of_their_own(project, tmp_path):
    rows = [f"a warm film,{label},{number},x" for number, label in enumerate(("good", "bad"))]
    data = write_rows(tmp_path / "new.csv", rows, "text,label,row,note")
    answer(project, data, tmp_path / "all.csv", keep=["all"])
    told = read(tmp_path / "all.csv")
    assert list(told[0]) == [
        "row", "text", "label", "answer", "probability", "p(bad)", "p(good)", "reason",
        "label (input)", "row (input)", "note",
    ]  # fmt: skip
    assert [(row["label (input)"], row["row (input)"], row["note"]) for row in told] == [
        ("good", "0", "x"), ("bad", "1", "x"),
    ]  # fmt: skip
    answer(project, data, tmp_path / "one.csv", keep=["4"])
    assert list(read(tmp_path / "one.csv")[0])[-2:] == ["reason", "note"]
    ended, _ = answer(project, data, tmp_path / "two.csv", keep=["nothing"], status="failed")
    assert "has no column “nothing”. Its columns are: “text”, “label”, “row”, “note”." in ended.reason


def test_answers_that_are_withheld_are_counted_apart(project, tmp_path):
    data, out = labelled(tmp_path / "new.csv", 20), tmp_path / "out.jsonl"
    answer(project, data, tmp_path / "before.jsonl")
    middle = sum(row["probability"] for row in read(tmp_path / "before.jsonl")) / 20
    careful = Project(project.folder, project.recipe.model_copy(deep=True))
    careful.recipe.answers.least_sure = middle
    ended, _ = answer(careful, data, out)
    unsure = [row for row in read(out) if row["answer"] == "not sure"]
    assert unsure and all(row["probability"] < middle and row["label"] in ("good", "bad") for row in unsure)
    report = ended.report
    assert report["not_sure"] == len(unsure) and sum(report["labels"].values()) == 20 - len(unsure)
    assert report["agreement"]["given"] == 20 - len(unsure)
    assert ("not sure", len(unsure)) in file_summary.counts(report)


# Which columns are read


def test_a_missing_text_column_is_told_with_those_that_there_are(project, tmp_path):
    data = write_rows(tmp_path / "new.csv", ["1,a warm film"], "number,body")
    ended, _ = answer(project, data, tmp_path / "out.csv", status="failed")
    assert "new.csv has no column “text”" in ended.reason and "“number”, “body”" in ended.reason
    assert "--text COLUMN" in ended.reason and not (tmp_path / "out.csv").exists()
    for name in ("body", "2"):
        answer(project, data, tmp_path / "out.csv", reading={"text": [name]})
        assert read(tmp_path / "out.csv")[0]["text"] == "a warm film"


def test_any_kind_of_file_is_read_though_the_project_was_made_from_another(project, tmp_path):
    (tmp_path / "new.txt").write_text("a warm film\na cold film\n", encoding="utf-8")
    lines = [json.dumps({"text": "a warm film", "more": 1}), json.dumps({"text": "a cold film"})]
    (tmp_path / "new.jsonl").write_text("\n".join(lines), encoding="utf-8")
    marked = Project(project.folder, project.recipe.model_copy(deep=True))
    marked.recipe.data.delimiter = ","  # which says nothing of files of another kind
    for name in ("new.txt", "new.jsonl"):
        answer(marked, tmp_path / name, tmp_path / "out.csv")
        assert [row["text"] for row in read(tmp_path / "out.csv")] == ["a warm film", "a cold film"]


def test_several_columns_are_joined_and_kept_apart(tmp_path):
    data = write_rows(tmp_path / "new.csv", ["1,warm,film"], "number,title,body")
    settings = settings_for(data, DataSettings(text=["title", "body"], id_column="number"))
    found = open_unseen(data, settings, ["all"])
    assert found.kept == ["title", "body"]
    [row] = found.rows()
    assert row.text == "xxfld 1 warm xxfld 2 film" and row.id == "1" and row.kept == ("warm", "film")


def test_rows_of_several_files_say_in_which_they_stand(project, tmp_path):
    (tmp_path / "all").mkdir()
    for name in ("one.csv", "two.csv"):
        write_rows(tmp_path / "all" / name, [f"a warm film of {name}"], "text")
    answer(project, tmp_path / "all", tmp_path / "out.jsonl")
    assert [(row["file"].rsplit("/")[-1], row["row"], row["text"]) for row in read(tmp_path / "out.jsonl")] == [
        ("one.csv", 2, "a warm film of one.csv"), ("two.csv", 2, "a warm film of two.csv"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["new.csv", "folder", "out.txt"])
def test_a_place_that_cannot_be_written_is_refused(project, tmp_path, name):
    data = labelled(tmp_path / "new.csv", 3)
    before = data.read_bytes()
    (tmp_path / "folder").mkdir()
    ended, _ = answer(project, data, tmp_path / name, status="failed")
    assert str(tmp_path / name) in ended.reason and data.read_bytes() == before


# Stop, kill, go on


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_what_was_stopped_goes_on_to_the_same_bytes(project, tmp_path, monkeypatch, ending):
    monkeypatch.setattr(job, "ROWS", 20)
    data = labelled(tmp_path / "new.csv", 110)
    whole, out, control = tmp_path / f"whole{ending}", tmp_path / f"out{ending}", Control()
    expected, _ = answer(project, data, whole, keep=["all"])
    said = []
    stop = StopAfter(control, out, 40)
    ended = launch(
        project, "predict", control=control, sink=lambda event: (said.append(event), stop(event)), data=data, out=out,
        keep=["all"],
    )  # fmt: skip
    assert ended.status == "stopped" and not out.exists()
    done = read_state(out).told["rows"]
    assert 40 <= done < 110
    assert any(f"The {done} rows that are answered are kept in {part_of(out)}" in getattr(e, "text", "") for e in said)
    with part_of(out).open("ab") as torn:
        torn.write(b"what a power cut left beyond the state")
    ended, _ = answer(project, data, out, keep=["all"], go_on=True)
    assert out.read_bytes() == whole.read_bytes()
    same = ("rows", "answered", "labels", "agreement", "not_sure", "unknown")
    assert all(ended.report[name] == expected.report[name] for name in same)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["new.csv", whole.name, out.name])


def test_a_stop_soon_after_the_first_rows_keeps_them(project, tmp_path):
    data, out, control = labelled(tmp_path / "new.csv", 1300), tmp_path / "out.csv", Control()
    ended = launch(project, "predict", control=control, sink=StopAfter(control, out, 1), data=data, out=out)
    assert ended.status == "stopped" and 0 < read_state(out).told["rows"] < 1300


def test_a_kill_loses_no_more_than_a_window(project, tmp_path, monkeypatch):
    data = labelled(tmp_path / "new.csv", 1200)
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    code = (
        "from pathlib import Path; from ulmfit_core.jobs import predict_file as job; job.ROWS = 30\n"
        "from ulmfit_core.project import Project; from ulmfit_core.run import launch\n"
        f"launch(Project.open({str(project.folder)!r}), 'predict', data=Path({str(data)!r}), out=Path({str(out)!r}))"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    deadline = time.monotonic() + 100
    while not ((state := read_state(out)) and state.told.get("rows", 0) >= 60):
        assert time.monotonic() < deadline and child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert read_state(out).told["rows"] < 1200
    monkeypatch.setattr(job, "ROWS", 30)
    answer(project, data, out, go_on=True)
    answer(project, data, whole)
    assert out.read_bytes() == whole.read_bytes() and not part_of(out).exists()


def stopped(project, folder, monkeypatch):
    """(input, output) of a go that was stopped after its first rows."""
    monkeypatch.setattr(job, "ROWS", 20)
    data, out, control = labelled(folder / "new.csv", 110), folder / "out.csv", Control()
    assert launch(project, "predict", control=control, sink=StopAfter(control, out, 20), data=data, out=out).status == (
        "stopped"
    )
    return data, out


def test_a_changed_input_model_or_setting_is_refused(project, tmp_path, monkeypatch):
    data, out = stopped(project, tmp_path, monkeypatch)
    kept = part_of(out).read_bytes()
    ended, _ = answer(project, data, out, keep=["label"], go_on=True, status="failed")
    assert "the settings changed since it was begun. Start anew" in ended.reason
    card = project.bundle_folder("classify") / "model.json"
    before = card.read_text(encoding="utf-8")
    card.write_text(before + "\n", encoding="utf-8")
    ended, _ = answer(project, data, out, go_on=True, status="failed")
    assert "the classifier changed" in ended.reason
    card.write_text(before, encoding="utf-8")
    with data.open("a", encoding="utf-8") as more:
        more.write("one more,good\n")
    ended, _ = answer(project, data, out, go_on=True, status="failed")
    assert "the input changed" in ended.reason and part_of(out).read_bytes() == kept


def test_without_going_on_it_starts_anew_and_says_so(project, tmp_path, monkeypatch):
    data, out = stopped(project, tmp_path, monkeypatch)
    _, said = answer(project, data, out)
    assert len(read(out)) == 110 and any("starts anew" in text for text in said)
    ended, _ = answer(project, data, out, go_on=True, status="failed")
    assert "nothing to go on with" in ended.reason


def test_two_do_not_write_the_same_file(project, tmp_path):
    data, out = labelled(tmp_path / "new.csv", 10), tmp_path / "out.csv"
    from ulmfit_core.jobs.unfinished import Part

    part = Part(out, {}, False)
    part.keep(b"a row of the other one", {"rows": 1})
    ended, said = answer(project, data, out, status="failed")
    assert "Another process is writing" in ended.reason and not any("starts anew" in text for text in said)
    part.close()
    answer(project, data, out)


def test_eight_bits_answer_nearly_the_same(project, tmp_path):
    data = labelled(tmp_path / "new.csv", 60)
    answer(project, data, tmp_path / "out.jsonl")
    answer(project, data, tmp_path / "fast.jsonl", eight_bits=True)
    exact, fast = (
        [row["probabilities"]["good"] for row in read(tmp_path / name)] for name in ("out.jsonl", "fast.jsonl")
    )
    assert fast == pytest.approx(exact, abs=0.1) and fast != exact


# The command line


def test_the_command_line_says_what_came_out(project, tmp_path):
    data = write_rows(tmp_path / "new.csv", ["1,a warm film,good", "2,,bad", "3,a cold film,bad"], "n,body,label")
    out, said = ulmfit("predict", project.folder, "--data", data, "--out", tmp_path / "o.csv", "--text", "body",
                       "--keep", "n")  # fmt: skip
    assert "2 rows answered" in out and "1 of 3 rows could not be used" in out and "1 because: no text" in out
    assert "Of 2 rows with a label in the file" in out and f"Written to {tmp_path / 'o.csv'}" in out
    assert "from its column “body”" in said
    assert [row["n"] for row in read(tmp_path / "o.csv")] == ["1", "", "3"]
    _, said = ulmfit("predict", project.folder, "--data", data, "--out", tmp_path / "o.csv", status=1)
    assert "Its columns are: “n”, “body”, “label”" in said
    _, said = ulmfit("predict", project.folder, "--data", data, "--out", tmp_path / "o.csv", "--text", "body",
                     "--resume", status=1)  # fmt: skip
    assert "nothing to go on with" in said


def test_memory_does_not_grow_with_the_rows(project, tmp_path):
    pytest.importorskip("resource", reason="Windows does not tell the peak of memory so")
    few, many = labelled(tmp_path / "few.csv", 1_000), labelled(tmp_path / "many.csv", 8_000)
    code = (
        "import resource; from pathlib import Path; from ulmfit_core.project import Project\n"
        "from ulmfit_core.run import launch; from ulmfit_core.jobs import predict_file as job; job.ROWS = 500\n"
        f"project, out = Project.open({str(project.folder)!r}), Path({str(tmp_path / 'out.csv')!r})\n"
        f"for data in ({str(few)!r}, {str(many)!r}):\n"
        "    assert launch(project, 'predict', data=Path(data), out=out).status == 'done'\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    before, after = (int(line) / 1024 for line in done.stdout.split())
    assert len(read(tmp_path / "out.csv")) == 8_000 and after - before < 15, "megabytes"


def test_a_column_is_refused_before_anything_is_read(tmp_path):
    data = write_rows(tmp_path / "new.csv", ["a,b"], "one,two")
    with pytest.raises(UserError, match="several columns"):
        open_unseen(data, settings_for(data, DataSettings()))
