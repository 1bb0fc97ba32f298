"""An evaluation of a small real classifier: its figures are scikit-learn's, its exports hold all of it, and safely."""

import csv
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from tests.core.test_blend import run as run_jobs
from tests.core.test_cli import ulmfit
from tests.core.test_figures import of_scikit_learn
from ulmfit_core.config import ModelSettings, Recipe, VocabSettings, set_value
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.errors import UserError
from ulmfit_core.events import Message, Progress
from ulmfit_core.inference import answers
from ulmfit_core.inference.exports import write_csv, write_html
from ulmfit_core.jobs import evaluate as job
from ulmfit_core.project import Project
from ulmfit_core.run import Control, launch
from ulmfit_core.terminal import report_lines

LABELS = ("good", "<script>alert(1)</script>", "=cmd()")
WORDS = (("lovely", "warm"), ("cold", "grey"), ("loud", "quick"))
FILLERS = ["amber", "bridge", "candle", "desert", "engine", "forest"]
SMALL = {
    "finetune.enabled": False, "classify.threads": 1, "classify.unfreezing": "all", "classify.batch_size": 16,
    "classify.epochs": 2, "data.valid_fraction": 0.3, "data.test_fraction": 0.3, "data.keep": ["stars", "shop"],
}  # fmt: skip


def rows_of(count, seed=0):
    """(text, label, stars, shop): every fifth text has the words of another label."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        label = number % 3
        told = WORDS[label if number % 5 else (label + 1) % 3]
        text = [*rng.choice(FILLERS, rng.integers(2, 9)), str(rng.choice(told))]
        yield " ".join(text) + " <b>&</b>", LABELS[label], str(number % 4), f"shop {number % 7}"


def write(path, rows, head=("text", "label", "stars", "shop")):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    recipe = Recipe(
        vocab=VocabSettings(kind="word", min_frequency=1), model=ModelSettings(embedding=12, hidden=12, layers=1)
    )
    data = write(folder / "rows.csv", rows_of(300))
    recipe.data.data, recipe.data.text, recipe.data.label = str(data), ["text"], "label"
    for key, value in SMALL.items():
        set_value(recipe, key, value)
    project = Project.create(folder / "project", recipe)
    run_jobs(project, "import", "vocab", "classify")
    return project


@pytest.fixture(scope="module")
def measured(trained):
    """(report, folder of the run) of an evaluation on test rows."""
    report, _ = run_jobs(trained, "evaluate")
    return report, trained.folder / "runs" / report["run"]


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    heads = [name for name in rows[0] if name.startswith("p(")]
    return rows, np.array([[float(row[name]) for name in heads] for row in rows])


# The report


def test_every_figure_follows_from_the_exported_csv(measured, tmp_path):
    report, folder = measured
    write_csv(folder, tmp_path / "answers.csv")
    rows, shares = read_csv(tmp_path / "answers.csv")
    labels = [name.removeprefix("'") for name in (row["truth"] for row in rows)]
    truth = np.array([report["labels"].index(label) for label in labels])
    for name, value in of_scikit_learn(truth, shares).items():
        known = report["figures"][name]
        assert known["value"] == pytest.approx(value, abs=1e-6), name
        assert known["low"] <= known["value"] <= known["high"]
    assert report["accuracy"] == report["figures"]["accuracy"]["value"]
    assert report["accuracy"] == np.mean([row["right"] == "yes" for row in rows])
    answers_side = report["calibration"]["answers"]
    exact = shares / shares.sum(1, keepdims=True)
    assert answers_side["loss"] == pytest.approx(metrics.log_loss(truth, exact), abs=1e-4)
    assert sum(one["rows"] for one in answers_side["bins"]) == len(rows) == report["rows"]


def test_test_rows_are_measured_with_what_validation_rows_fitted(trained, measured):
    report, folder = measured
    known = report["calibration"]
    pool = json.loads((trained.bundle_folder("classify") / "model.json").read_text())["blend"]
    assert known["exponents"]["network"] == pytest.approx(pool["network"])
    assert known["fitted_on"] == job.ON_OTHERS and known["answers"]["loss"] != known["network"]["loss"]
    kept = answers.load(folder)
    assert not np.array_equal(kept.network, kept.probabilities)


def test_validation_rows_are_never_measured_with_what_was_fitted_on_them(trained):
    from ulmfit_core.inference.blend import held_out, loss
    from ulmfit_core.inference.predictor import Predictor

    report = launch(trained, "evaluate", split="valid").report
    assert report["split"] == "valid" and report["calibration"]["fitted_on"] == job.HELD_OUT
    kept = answers.load(trained.folder / "runs" / report["run"])
    predictor = Predictor.load(trained.bundle_folder("classify"))
    fitted = predictor.pooled(kept.network, kept.texts)
    assert not np.allclose(fitted, kept.probabilities), "these learned from the very rows"
    if not predictor.pool.words:
        again = held_out(kept.network, None, kept.truth, trained.recipe.classify.seed)
        assert np.allclose(again, kept.probabilities, atol=1e-6)
    classified = trained.maker("classify")
    told = json.loads((classified.folder / "events.jsonl").read_text().splitlines()[-1])["report"]["blend"]
    assert loss(kept.probabilities, kept.truth) == pytest.approx(told[told["answers"]]["valid_loss"], abs=1e-4)


def test_kept_columns_and_lengths_are_compared(trained, measured):
    report, folder = measured
    assert list(report["slices"]) == ["length", "stars", "shop"]
    kept = answers.load(folder)
    dataset = Dataset.open(trained.dataset_folder)
    assert kept.kept == dataset.kept(kept.rows) and set(kept.kept["stars"]) == {"0", "1", "2", "3"}
    right = kept.given == kept.truth
    for part in report["slices"]["stars"]:
        chosen = np.array(kept.kept["stars"]) == part["value"]
        assert (part["rows"], part["accuracy"]) == (int(chosen.sum()), pytest.approx(right[chosen].mean()))
    assert all(part["value"].endswith("words") for part in report["slices"]["length"])
    assert sum(part["rows"] for part in report["slices"]["length"]) == report["rows"]


def test_another_file_is_compared_by_the_same_columns_or_all_with_few_values(trained, tmp_path):
    rows = [(*row, f"unique {number}", str(number % 2)) for number, row in enumerate(rows_of(60, seed=1))]
    other = write(tmp_path / "other.csv", rows, ("text", "label", "stars", "shop", "name", "half"))
    report = launch(trained, "evaluate", data=other).report
    assert report["split"] == str(other) and report["calibration"]["fitted_on"] == job.ON_VALIDATION
    assert list(report["slices"]) == ["length", "stars", "shop"]
    plain = trained.recipe.model_copy(deep=True)
    plain.data.keep = []
    report = launch(Project(trained.folder, plain), "evaluate", data=other).report
    assert list(report["slices"]) == ["length", "stars", "shop", "half"], "60 different names tell nothing"
    few = write(tmp_path / "few.csv", [row[:2] for row in rows], ("text", "label"))
    assert list(launch(trained, "evaluate", data=few).report["slices"]) == ["length"]


def test_a_file_that_the_classifier_learned_from_is_no_judge_of_it(trained, tmp_path):
    told = []
    report = launch(trained, "evaluate", data=Path(trained.recipe.data.data), sink=told.append).report
    labels = [each.label for each in told if isinstance(each, Progress)]
    assert "Classifying groups of 256 texts" in labels and labels[-1] == "Comparing with word counting"
    dataset = Dataset.open(trained.dataset_folder)
    taught = {text for split in ("train", "valid") for text in dataset.texts(dataset.labelled_rows(split))}
    texts = [row[0] for row in rows_of(300)]
    assert report["learned_rows"] == sum(text in taught for text in texts) > 200
    warned = [event.text for event in told if isinstance(event, Message) and event.level == "warning"]
    assert any(f"learned from {report['learned_rows']} of these 300 texts" in text for text in warned)
    fresh = write(tmp_path / "fresh.csv", [(f"new {number}", "good", "", "") for number in range(5)])
    assert "learned_rows" not in launch(trained, "evaluate", data=fresh).report


def test_without_a_pool_nothing_was_fitted(trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / "copy")
    copy = Project.open(tmp_path / "copy")
    set_value(copy.recipe, "classify.blend", "off")
    report, _ = run_jobs(copy, "classify", "evaluate")
    known = report["calibration"]
    assert known["exponents"] is None and known["fitted_on"] == job.NOT_FITTED
    assert known["network"] == known["answers"]
    kept = answers.load(copy.folder / "runs" / report["run"])
    assert np.array_equal(kept.network, kept.probabilities)


def test_a_stop_leaves_no_report(trained):
    class StopLate(Control):
        polls = 0

        @property
        def stopping(self):
            self.polls += 1
            return self.polls > 150  # in the midst of the intervals

    control = StopLate()
    assert launch(trained, "evaluate", control=control).status == "stopped" and control.polls > 150
    newest = next(trained.runs_of("evaluate"))
    assert newest.status == "stopped" and not (newest.folder / "report.json").exists()


def test_the_terminal_tells_intervals_and_calibration(measured):
    report, _ = measured
    lines = report_lines(report)
    low, high = report["figures"]["accuracy"]["low"], report["figures"]["accuracy"]["high"]
    assert f"accuracy {report['accuracy']:.4f} ({low:.4f} to {high:.4f})" in lines[1]
    assert any(line.startswith("calibration error (ECE): answers") for line in lines) and "TF-IDF" in "".join(lines)
    earlier = {name: value for name, value in report.items() if name not in ("figures", "calibration", "slices")}
    assert f"accuracy {report['accuracy']:.4f}  macro F1" in report_lines(earlier)[1]


# The exports


def test_the_csv_has_every_answer_and_no_formula(measured, tmp_path):
    report, folder = measured
    write_csv(folder, tmp_path / "answers.csv")
    kept = answers.load(folder)
    rows, shares = read_csv(tmp_path / "answers.csv")
    assert np.array_equal(shares.astype(np.float32), kept.probabilities), "all digits"
    assert [row["text"] for row in rows] == kept.texts and [int(row["row"]) for row in rows] == kept.rows.tolist()
    assert {row["truth"] for row in rows} == {"good", "<script>alert(1)</script>", "'=cmd()"}
    assert [row["shop"] for row in rows] == kept.kept["shop"]
    assert "\n=" not in (tmp_path / "answers.csv").read_text() and ",=" not in (tmp_path / "answers.csv").read_text()


class Tags(HTMLParser):
    """The tags of a page, what they link to, and the text between them."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.links, self.said = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "onload", "onerror")]

    def handle_data(self, data):
        self.said.append(data)


def test_the_page_is_whole_and_runs_nothing(trained, measured, tmp_path):
    report, folder = measured
    write_html(trained, folder, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    found = Tags(page)
    assert {"html", "style", "svg", "table", "h2"} <= set(found.tags)
    assert not {"script", "link", "img", "iframe", "b"} & set(found.tags) and not found.links
    assert "http" not in re.sub("http-equiv", "", page) and "prefers-color-scheme:dark" in page
    said = " ".join(found.said)
    assert LABELS[1] in said and "<b>&</b>" in said, "shown as they are"
    assert report["run"] in said and f"{report['accuracy']:.4f}" in said and job.ON_OTHERS in said
    assert found.tags.count("svg") == 2 + 3, "calibration, coverage, a curve for each class"


def test_many_classes_fold_the_matrix_and_draw_the_hardest(trained, measured, tmp_path):
    from ulmfit_core.inference.html_report import MOST_CURVES, page
    from ulmfit_core.training.metrics import classification

    report, folder = measured
    rng = np.random.default_rng(0)
    labels = [f"class {number}" for number in range(40)]
    truth, shares = rng.integers(40, size=400), rng.dirichlet(np.ones(40), 400).astype(np.float32)
    many = answers.Answers(labels, ["text"] * 400, [""] * 400, np.arange(400), truth, shares, shares)
    figures = {**report, **job._figures(shares, truth, labels), **classification(shares.argmax(1), truth)}
    found = Tags(page("name", figures, many, {"Run": "x"}))
    assert "details" in found.tags and found.tags.count("svg") == 2 + MOST_CURVES


def test_what_cannot_be_exported_is_said(trained, measured, tmp_path):
    _, folder = measured
    bare = tmp_path / "20260101-000000-000-evaluate"
    bare.mkdir()
    with pytest.raises(UserError, match="kept no answers. Evaluate again"):
        write_csv(bare, tmp_path / "x.csv")
    shutil.copy(folder / answers.NAME, bare)
    with pytest.raises(UserError, match="earlier version"):
        write_html(trained, bare, tmp_path / "x.html")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_csv(folder, tmp_path / "file" / "x.csv")


def test_a_label_that_the_classifier_does_not_know_is_refused(trained, tmp_path):
    other = write(tmp_path / "other.csv", [("a text", "strange", "1", "x")] * 3)
    assert "labels that the classifier never saw: strange" in launch(trained, "evaluate", data=other).reason


def test_the_command_line_measures_exports_and_refuses(trained, tmp_path):
    written = ["--csv", tmp_path / "a.csv", "--html", tmp_path / "a.html"]
    out, said = ulmfit("evaluate", trained.folder, "--split", "valid", *written, "--json")
    report = json.loads(out)
    assert report["split"] == "valid" and len(read_csv(tmp_path / "a.csv")[0]) == report["rows"]
    assert "<h1>" in (tmp_path / "a.html").read_text() and "a.html" in said
    ulmfit("evaluate", trained.folder, "--split", "train", status=2)
    eight = json.loads(ulmfit("evaluate", trained.folder, "--int8", "--json")[0])
    assert eight["eight_bits"] and abs(eight["accuracy"] - launch(trained, "evaluate").report["accuracy"]) < 0.1


def test_kept_answers_may_be_of_another_file(measured, tmp_path):
    _, folder = measured
    kept = answers.load(folder)
    answers.save(tmp_path, replace(kept, rows=np.full(len(kept.rows), -1)))
    write_csv(tmp_path, tmp_path / "a.csv")
    assert {row["row"] for row in read_csv(tmp_path / "a.csv")[0]} == {""}


def test_the_benchmark_checks_a_copy_and_keeps_its_row(trained, tmp_path):
    evaluation = import_module("evaluation")
    before = [run.id for run in trained.runs_of("evaluate")]
    row = evaluation.row_of(trained.folder, "test", tmp_path / "rows.jsonl")
    assert row["off"] < 1e-6 and row["rows"] == launch(trained, "evaluate").report["rows"]
    assert [run.id for run in trained.runs_of("evaluate")][1:] == before, "the project itself was left alone"
    assert evaluation.row_of(trained.folder, "test", tmp_path / "rows.jsonl") == row, "not measured again"
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 1
    told = evaluation.sentence(row)
    assert f"accuracy {row['figures']['accuracy']['value']:.4f}" in told and "off scikit-learn" in told
