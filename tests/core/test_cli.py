"""The command line: exit status, one-line reasons, exactly one JSON value, and no project left behind."""

import io
import json
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from ulmfit_core import presets
from ulmfit_core.__main__ import main
from ulmfit_core.config import DataSettings, Recipe
from ulmfit_core.project import Project
from ulmfit_core.run import read_steps

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--base", "none", "--preset", "quick", "--set", "model.embedding=8", "--set", "model.hidden=12",
         "--set", "vocab.size=120", "--set", "finetune.epochs=1", "--set", "classify.epochs=1",
         "--set", "classify.unfreezing=all"]  # fmt: skip


def ulmfit(*arguments, status=0):
    """Run the command line in this process, which has torch loaded; returns (standard output, standard error)."""
    out, said = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(said):
        patch.setattr(sys, "argv", ["ulmfit", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
    assert (left.value.code or 0) == status, said.getvalue()
    return out.getvalue(), said.getvalue()


def new(folder, reviews, *more, status=0):
    return ulmfit("new", folder, "--data", reviews, "--text", "text", "--label", "label", *SMALL, *more, status=status)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small project, trained from end to end, and what the training said."""
    folder = tmp_path_factory.mktemp("cli")
    kinds = [("bad ugly poor", "neg"), ("good nice fine", "pos")]
    rows = [f"{kinds[n % 2][0]} words {n},{kinds[n % 2][1]}" for n in range(120)]
    (folder / "a.csv").write_text("text,label\n" + "\n".join([*rows, "only,three,cells"]), encoding="utf-8")
    new(folder / "p", folder / "a.csv")
    _, said = ulmfit("run", folder / "p")
    return folder / "p", said


def test_help_is_quick_and_loads_no_torch():
    began = time.monotonic()
    command = [sys.executable, "-m", "ulmfit_core", "--help"]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    assert time.monotonic() - began < 10
    assert all(name in out for name in ("new", "run", "data", "evaluate", "predict", "generate", "runs", "sample"))
    check = "import sys, ulmfit_core.__main__; sys.exit(bool({'torch', 'sklearn', 'PySide6'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT).returncode == 0


def test_help_tells_the_presets_apart():
    out, _ = ulmfit("new", "--help")
    words = " ".join(out.split())
    assert all(f"{name}: {preset.meaning} {preset.vocabulary}" in words for name, preset in presets.PRESETS.items())


def test_a_new_project_has_its_data(tmp_path, reviews):
    _, said = new(tmp_path / "p", reviews, "--set", "data.valid_fraction=0.2")
    assert "80 rows" in said
    project = Project.open(tmp_path / "p")
    assert project.state("import").mark == "done" and project.recipe.data.valid_fraction == 0.2
    assert project.recipe.vocab.size == 120 and project.recipe.data.data == str(reviews)


def test_a_new_project_begins_with_the_starter_and_says_so(tmp_path, reviews):
    _, said = ulmfit("new", tmp_path / "p", "--data", reviews, "--label", "label", "--text", "text")
    project = Project.open(tmp_path / "p")
    assert project.recipe.base == "starter" and "begins with the English starter" in said
    assert "look like English" not in said, "these are English"
    assert project.skip_reason("pretrain") == "The project starts from a pretrained language model."


def test_texts_in_another_language_are_told_of(tmp_path, german):
    command = ["new", tmp_path / "p", "--data", german, "--label", "label", "--text", "text", "--corpus", german]
    _, said = ulmfit(*command)
    assert "do not look like English" in said and 'set base = "none" in' in said and "general text is not read" in said
    _, said = ulmfit(*command[:1], tmp_path / "q", *command[2:], "--base", "none")
    assert "English" not in said


def test_the_language_is_told_of_after_an_import_by_run(tmp_path, german):
    recipe = Recipe(base="starter", data=DataSettings(data=str(german), text=["text"], label="label"))
    Project.create(tmp_path / "p", recipe)
    _, said = ulmfit("run", tmp_path / "p", "vocab")
    assert "do not look like English" in said


def test_a_refused_file_leaves_no_project(tmp_path, refused):
    out, said = new(tmp_path / "p", refused.path, status=1)
    assert refused.sentence in said.splitlines()[-1] and out == ""
    assert not (tmp_path / "p").exists()


def test_an_existing_empty_folder_stays_empty(tmp_path):
    (tmp_path / "p").mkdir()
    _, said = new(tmp_path / "p", tmp_path / "none.csv", status=1)
    assert said.splitlines()[-1] == f"There is no file {tmp_path / 'none.csv'}. Check the name and the folder."
    assert list((tmp_path / "p").iterdir()) == []


def test_a_folder_in_use_is_left_alone(tmp_path, reviews):
    new(tmp_path, reviews, status=1)
    assert [path.name for path in tmp_path.iterdir()] == ["reviews.csv"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["new", "p", "--data", "x", "--set", "nonsense=1"],
        ["new", "p", "--data", "x", "--preset", "huge"],
        ["run", "p", "nonsense"],
        ["predict", "p"],
        ["predict", "p", "text", "--out", "x"],
        ["predict", "p", "text", "--keep", "all"],
        ["predict", "p", "--data", "x", "--resume"],
        ["nonsense"],
    ],
)
def test_bad_usage(arguments):
    _, said = ulmfit(*arguments, status=2)
    assert "Error:" in said or "No such command" in said


def test_a_folder_that_is_no_project(tmp_path):
    for command in (["run"], ["data", "--json"], ["evaluate"], ["runs"], ["predict", "--data", "x"]):
        out, said = ulmfit(command[0], tmp_path, *command[1:], status=1)
        assert "is not a project" in said and len(said.splitlines()) == 1 and out == ""


def test_what_has_not_been_done_is_said(tmp_path, reviews):
    new(tmp_path / "p", reviews)
    _, said = ulmfit("predict", tmp_path / "p", "text", status=1)
    assert len(said.splitlines()) == 1
    _, said = ulmfit("run", tmp_path / "p", "pretrain", status=1)
    assert said.startswith("Pretrain is not part of this project: no general text was given")
    _, said = ulmfit("run", tmp_path / "p", "classify", status=1)
    assert "Classify cannot start yet. Waits for “Fine-tune”." in said


def test_running_all_says_what_it_skips(trained):
    folder, said = trained
    assert "Data: done already." in said and "Pretrain: No general text was given" in said
    _, again = ulmfit("run", folder)
    assert again.count("done already.") == 4


def test_data_as_json(trained):
    facts = json.loads(ulmfit("data", trained[0], "--json")[0])
    assert facts["rows"] == 120 and sum(facts["splits"].values()) == 120
    assert facts["classes"] == {"neg": 60, "pos": 60}
    assert facts["bad_rows"] == [{"file": "a.csv", "row": 122, "reason": "3 columns instead of 2"}]
    assert facts["vocabulary"]["rules"] == "ulmfit"


def test_runs_as_json(trained):
    table = json.loads(ulmfit("runs", trained[0], "--json")[0])
    assert [row["job"] for row in table[:4]] == ["import", "vocab", "finetune", "classify"]
    assert {row["status"] for row in table} == {"done"}


def test_evaluate_as_json(trained):
    report = json.loads(ulmfit("evaluate", trained[0], "--json")[0])
    assert 0 <= report["accuracy"] <= 1 and set(report["per_class"]) == {"neg", "pos"}
    assert {"macro_f1", "baseline_tfidf"} <= set(report)
    other = json.loads(ulmfit("evaluate", trained[0], "--data", trained[0].parent / "a.csv", "--json")[0])
    assert other["rows"] == 120


def test_predict_texts_as_json(trained):
    answers = json.loads(ulmfit("predict", trained[0], "good words", "bad words", "--json")[0])
    assert [answer["text"] for answer in answers] == ["good words", "bad words"]
    for answer in answers:
        assert abs(sum(answer["probabilities"].values()) - 1) < 1e-5
        assert answer["label"] == max(answer["probabilities"], key=answer["probabilities"].get)


def test_predict_a_file(trained, tmp_path):
    data = trained[0].parent / "a.csv"
    summary = json.loads(ulmfit("predict", trained[0], "--data", data, "--out", tmp_path / "o.jsonl", "--json")[0])
    lines = (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()
    assert summary["rows"] == len(lines) == 121 and "label" in json.loads(lines[0])
    assert summary["bad_rows"] == 1 and json.loads(lines[120])["reason"] == "3 columns instead of 2"
    answers = json.loads(ulmfit("predict", trained[0], "--data", data, "--json")[0])
    assert len(answers) == 120 and answers[0]["text"] == "bad ugly poor words 0"


def test_generate(trained):
    out, _ = ulmfit("generate", trained[0], "Good", "--words", "5", "--temperature", "0.5")
    assert out.startswith("Good")


def test_ctrl_c_stops_with_status_130_and_a_checkpoint_to_resume(tmp_path, reviews):
    new(tmp_path / "p", reviews, "--set", "finetune.epochs=150")
    ulmfit("run", tmp_path / "p", "vocab")
    command = [sys.executable, "-m", "ulmfit_core", "run", str(tmp_path / "p")]
    child = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    steps = Path(tmp_path / "p" / "runs")
    deadline = time.monotonic() + 100
    while not any(path.stat().st_size > 1000 for path in steps.glob("*-finetune/steps.f32")):
        assert time.monotonic() < deadline and child.poll() is None
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130 and "--resume" in said
    unfinished = Project.open(tmp_path / "p").resumable_run("finetune")
    assert unfinished
    ulmfit("run", tmp_path / "p", "finetune", "--resume")
    finished = Project.open(tmp_path / "p").finished_run("finetune")
    assert finished and finished.folder == unfinished.folder
    steps = read_steps(finished.folder / "steps.f32")["step"]
    assert steps.tolist() == list(range(1, len(steps) + 1))
