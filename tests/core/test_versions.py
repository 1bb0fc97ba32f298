"""Earlier trainings of a classifier can be opened beside the saved one, as long as they fit; others are not offered."""

import json
import shutil

import pytest

from tests.core import trained
from tests.core.toy import StopAfter
from ulmfit_core import events, provenance
from ulmfit_core.data import edits
from ulmfit_core.errors import UserError
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.inference.versions import SAVED, Version, open_version, versions
from ulmfit_core.models import best_weights
from ulmfit_core.models import bundle as bundles
from ulmfit_core.project import Project
from ulmfit_core.run import launch

TEXTS = ["a lovely amber", "tedious bridge candle", "desert"]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A project with two finished trainings and one that was stopped; what the first one answered."""
    project = trained.project_of(tmp_path_factory.mktemp("v"), trained.rows(100))
    trained.run(project, "classify")
    network = Predictor.of(project).network_probabilities(TEXTS)
    project.recipe.classify.epochs, project.recipe.classify.head, project.recipe.classify.bptt = 4, 20, 35
    project.save()
    trained.run(project, "classify")
    epochs = []

    def stop_later(event):
        if isinstance(event, events.EpochEnded):
            epochs.append(event)
            control.limit = 0

    control = StopAfter()
    assert launch(project, "classify", sink=stop_later, control=control).status == "stopped" and epochs
    return project, network


@pytest.fixture
def project(original, tmp_path):
    shutil.copytree(original[0].folder, tmp_path / "project")
    return Project.open(tmp_path / "project")


def test_each_training_is_offered_once_with_its_time_and_its_figure(project):
    found = versions(project)
    runs = list(project.runs_of("classify"))
    assert [version.key for version in found] == [SAVED, runs[0].id, runs[2].id]
    stopped, first = found[1].title, found[2].title
    assert found[0].title.startswith("saved, of ") and stopped.endswith(", stopped") and "stopped" not in first
    ended = events.read_events(runs[2].folder / "events.jsonl")[-1]
    assert first.endswith(f"accuracy {ended.report['best']['accuracy']:.1%}")
    clock = runs[2].created[11:16]
    assert f", {clock}, " in first


def test_a_version_answers_as_it_did(project, original):
    saved, stopped, first = (open_version(project, version) for version in versions(project))
    assert first.network_probabilities(TEXTS) == pytest.approx(original[1], abs=1e-6)
    assert first.labels == saved.labels == ["bad", "good"] and first.model.head.linear1.out_features == 50
    assert saved.model.head.linear1.out_features == stopped.model.head.linear1.out_features == 20
    assert saved.probabilities(TEXTS) == pytest.approx(Predictor.of(project).probabilities(TEXTS), abs=1e-6)
    assert stopped.model.bptt == 35 and first.model.bptt == 70
    assert first.pool and first.pool.words is None, "its word counts were not kept"
    assert first.probabilities(TEXTS).argmax(1).tolist() == original[1].argmax(1).tolist()


def test_without_a_saved_classifier_the_trainings_are_left(project):
    shutil.rmtree(project.bundle_folder("classify"))
    found = versions(project)
    assert [version.key for version in found] == [run.id for run in project.runs_of("classify")]
    assert open_version(project, found[0]).predict(["a lovely amber"])[0].label in ("bad", "good")


def test_damaged_or_absent_weights_are_not_offered(project):
    _, stopped, first = versions(project)
    path = best_weights.newest(project.folder / "runs" / first.key)
    path.write_bytes(path.read_bytes()[:-10])
    best_weights.newest(project.folder / "runs" / stopped.key).unlink()
    assert [version.key for version in versions(project)] == [SAVED]
    for gone in (stopped, first, Version("of yesterday", "20200101-000000-000-classify")):
        with pytest.raises(UserError, match="cannot be read any more"):
            open_version(project, gone)


@pytest.mark.parametrize("change", [lambda table: table[:-1].contiguous(), lambda table: table.flatten()])
def test_weights_of_other_sizes_are_refused_with_a_reason(project, change):
    first = versions(project)[2]
    path = best_weights.newest(project.folder / "runs" / first.key)
    from safetensors.torch import load_file, save_file

    weights = load_file(path)
    whole = weights["encoder.embedding"]
    weights["encoder.embedding"] = change(whole)
    save_file(weights, path)
    with pytest.raises(UserError, match="Choose another version"):
        open_version(project, first)
    save_file({**weights, "encoder.embedding": whole}, path)


def test_what_was_trained_for_other_labels_or_words_is_not_offered(project):
    both = [version.key for version in versions(project)]
    edits.add(project, "one more harbour", "new")
    trained.run(project, "import", "vocab")
    assert [version.key for version in versions(project)] == both, "the saved classifier still has their labels"
    trained.run(project, "classify")
    assert [version.key for version in versions(project)] == [SAVED]
    assert open_version(project, versions(project)[0]).labels == ["bad", "good", "new"]


@pytest.mark.parametrize("what", ["labels", "vocabulary"])
def test_labels_and_vocabulary_are_told_by_their_hashes(project, what):
    _, stopped, first = versions(project)
    path = project.folder / "runs" / first.key / provenance.NAME
    facts = json.loads(path.read_text())
    facts["hashes"][what] = "0" * 16
    path.write_text(json.dumps(facts))
    assert [version.key for version in versions(project)] == [SAVED, stopped.key]


def test_a_run_of_an_earlier_version_counts_while_data_and_settings_are_the_same(project):
    _, stopped, first = versions(project)
    path = project.folder / "runs" / first.key / provenance.NAME
    facts = json.loads(path.read_text())
    del facts["hashes"]["labels"]
    path.write_text(json.dumps(facts))
    assert len(versions(project)) == 3
    project.recipe.data.text = ["label"]
    assert [version.key for version in versions(project)] == [SAVED, stopped.key]


def test_the_sizes_are_those_of_the_weights(tmp_path):
    project = trained.project_of(tmp_path, trained.rows(60), **{"model.cell": "qrnn", "classify.epochs": 1})
    trained.run(project, "classify")
    expected = Predictor.of(project).network_probabilities(TEXTS)
    shutil.rmtree(project.bundle_folder("classify"))
    (version,) = versions(project)
    assert open_version(project, version).network_probabilities(TEXTS) == pytest.approx(expected, abs=1e-6)
    assert bundles.ModelSettings().cell == "lstm"
