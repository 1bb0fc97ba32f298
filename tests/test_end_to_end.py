"""The real recipe from raw text to a prediction, by the command line, with the preset of a million parameters."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from resources import resource_path
from ulmfit_core import events
from ulmfit_core.project import Project

SAMPLE = resource_path("sample")
SHORT = ["finetune.epochs=4", "classify.epochs=2", "pretrain.epochs=3"]


def ulmfit(*arguments):
    command = [str(Path(sys.executable).parent / "ulmfit"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if "--json" in arguments else done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("e2e") / "verses"
    files = ["--data", SAMPLE / "verses.csv", "--unlabelled", SAMPLE / "lines.txt", "--corpus", SAMPLE / "corpus.txt"]
    columns = ["--text", "text", "--label", "label", "--set", "data.split_column=split"]
    settings = [part for setting in SHORT for part in ("--set", setting)]
    ulmfit("new", folder, *files, *columns, "--base", "none", "--preset", "quick", *settings)
    ulmfit("run", folder, "all")
    return Project.open(folder)


def log_of(project, step):
    return events.read_events(project.finished_run(step).folder / "events.jsonl")


def test_every_step_is_done(project):
    steps = ("import", "vocab", "pretrain", "finetune", "classify")
    assert [project.state(step).mark for step in steps] == ["done"] * 5
    plan = next(event for event in log_of(project, "classify") if isinstance(event, events.Plan))
    assert 800_000 < plan.parameters < 1_200_000


def test_fine_tuning_lowers_the_perplexity_of_held_out_verses_by_a_fifth(project):
    report = log_of(project, "finetune")[-1].report
    assert report["best"]["perplexity"] < 0.8 * report["before"]["perplexity"]


def test_fine_tuning_shows_a_generated_sentence_each_epoch(project):
    texts = [event.text for event in log_of(project, "finetune") if isinstance(event, events.SampleText)]
    assert len(texts) == 4 and all(len(text.split()) >= 3 for text in texts) and len(set(texts)) == 4


def test_the_report_counts_every_test_row_beside_its_baselines(project):
    report = ulmfit("evaluate", project.folder, "--json")
    assert report["split"] == "test" and report["rows"] == 80 and report["majority"] == 0.5
    assert sum(map(sum, report["confusion"])) == 80
    right = report["confusion"][0][0] + report["confusion"][1][1]
    assert report["accuracy"] == pytest.approx(right / 80)
    assert 0.5 < report["baseline_tfidf"]["accuracy"] <= 1


def test_a_file_is_classified_as_its_texts_are(project, tmp_path):
    texts = ["We danced until the morning came.", "", "The house is empty now."]
    (tmp_path / "texts.csv").write_text("text\n" + "\n".join(f'"{text}"' for text in texts) + "\n", encoding="utf-8")
    out = tmp_path / "answers.jsonl"
    summary = ulmfit("predict", project.folder, "--data", tmp_path / "texts.csv", "--out", out, "--json")
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    alone = ulmfit("predict", project.folder, texts[0], texts[2], "--json")
    assert (summary["rows"], summary["answered"], summary["bad_rows"]) == (3, 2, 1)
    assert [row["text"] for row in rows] == [texts[0], None, texts[2]] and rows[1]["reason"] == "no text"
    for row, answer in zip((rows[0], rows[2]), alone, strict=True):
        assert row["label"] == answer["label"] == max(answer["probabilities"], key=answer["probabilities"].get)
        assert row["probabilities"] == pytest.approx(answer["probabilities"], abs=1e-5)
        assert sum(answer["probabilities"].values()) == pytest.approx(1)


def test_the_language_model_writes_on_from_a_prompt(project):
    first, again = (ulmfit("generate", project.folder, "the sea", "--words", "12") for _ in range(2))
    assert first == again and first.startswith("the sea") and len(first.split()) > 3


def test_a_change_upstream_marks_what_follows_stale_and_deletes_nothing(project):
    weights = (project.bundle_folder("classify") / "weights.safetensors").read_bytes()
    changed = Project(project.folder, project.recipe.model_copy(deep=True))
    changed.recipe.finetune.epochs += 1
    assert changed.state("pretrain").mark == "done"
    assert [changed.state(step).mark for step in ("finetune", "classify")] == ["stale", "stale"]
    assert (project.bundle_folder("classify") / "weights.safetensors").read_bytes() == weights
