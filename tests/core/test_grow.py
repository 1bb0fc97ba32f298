"""Training that begins with the project's classifier: labels are matched by name, new ones learned, resume is exact."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import safetensors.torch
import torch

from tests.core import trained
from ulmfit_core import provenance
from ulmfit_core.config import ClassifySettings, FinetuneSettings, ModelSettings, Recipe, set_value
from ulmfit_core.events import CheckpointSaved, EpochEnded, Message
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.jobs import grow
from ulmfit_core.jobs.classify import make_stage
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.project import Project
from ulmfit_core.run import Control, Run, launch
from ulmfit_core.text.vocab import Vocabulary

NEW = "animal"  # comes before the old labels, so that all numbers change
TELLING = ("otter", "badger")


def rows_with_a_new_label() -> list[tuple[str, str]]:
    """The rows of before and 60 whose words tell the new label."""
    rng = np.random.default_rng(1)
    new = [" ".join(rng.permutation([*TELLING, *rng.choice(trained.FILLERS, 3, replace=False)])) for _ in range(60)]
    return [*trained.rows(160), *((text, NEW) for text in new)]


def base(folder) -> str:
    """A language model that knows all words, untrained: the projects take over its vocabulary."""
    vocab = Vocabulary.load(trained.project_of(folder, rows_with_a_new_label()).vocab_folder)
    network = ModelSettings(embedding=12, hidden=16, layers=2)
    model = bundles.new_language_model(network, vocab.size, FinetuneSettings())
    bundles.save(folder / "bundle", Bundle("language_model", network, model, vocab), "")
    return str(folder / "bundle")


@pytest.fixture(scope="module")
def trained_project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grow")
    settings = {"classify.blend": "off", "classify.epochs": 16, "base": base(folder / "base")}
    project = trained.project_of(folder, trained.rows(160), **settings)
    report = trained.run(project, "classify")
    assert report["best"]["accuracy"] > 0.9
    return project


@pytest.fixture
def project(trained_project, tmp_path):
    """A copy of the trained project whose data has a new label by now. The vocabulary is the base's, so the same."""
    folder = tmp_path / "project"
    shutil.copytree(trained_project.folder, folder)
    lines = ["text,label", *(f"{text},{label}" for text, label in rows_with_a_new_label())]
    (tmp_path / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    project = Project.open(folder)
    recipe = project.recipe
    recipe.data.data = str(tmp_path / "rows.csv")
    recipe.classify.grow, recipe.classify.epochs = True, 3
    trained.run(project, "import", "vocab")
    return project


def weights(folder):
    return safetensors.torch.load_file(folder / "weights.safetensors")


def old_texts():
    return [text for text, _ in trained.rows(60)]


def test_the_rows_follow_the_labels_names_and_the_rest_of_the_classifier_is_taken_over(project):
    before = weights(project.bundle_folder("classify"))
    stage, bundle = make_stage(project, Run())
    after = {name: value.cpu() for name, value in stage.model.state_dict().items()}
    assert bundle.labels == [NEW, "bad", "good"]
    torch.testing.assert_close(after["head.linear2.weight"][1:], before["head.linear2.weight"], rtol=0, atol=0)
    assert set(after) == set(before) and any("running_mean" in name for name in after)
    for name in set(after) - {"head.linear2.weight"}:
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=0)


def test_labels_in_another_order_keep_their_rows_and_those_that_are_gone_leave(trained_project):
    old = bundles.load(trained_project.bundle_folder("classify"))
    rows = old.model.head.linear2.weight.detach().cpu().clone()
    turned = grow.grown(old, ["good", "bad"], ClassifySettings(), lambda label, most: [])
    torch.testing.assert_close(turned.head.linear2.weight.cpu(), rows.flip(0), rtol=0, atol=0)
    fewer = grow.grown(old, ["good", "other"], ClassifySettings(), lambda label, most: [])
    torch.testing.assert_close(fewer.head.linear2.weight.cpu(), torch.stack([rows[1], rows.mean(0)]))


def test_the_old_labels_scores_are_the_same_before_the_first_step(project):
    texts = old_texts()
    before = Predictor.load(project.bundle_folder("classify")).network_probabilities(texts)
    stage, bundle = make_stage(project, Run())
    stage.model.eval()
    after = Predictor(stage.model, bundle.vocab, bundle.labels).network_probabilities(texts)
    np.testing.assert_allclose(after[:, 1:] / after[:, 1:].sum(1, keepdims=True), before, atol=1e-5)


def test_a_new_row_points_to_its_texts_and_is_as_long_as_the_others(project):
    stage, bundle = make_stage(project, Run())
    stage.model.eval()
    rows = stage.model.head.linear2.weight.detach()
    assert float(rows[0].norm()) == pytest.approx(float(rows[1:].norm(dim=1).mean()), rel=1e-4)
    texts = [text for text, label in rows_with_a_new_label() if label == NEW]
    found = Predictor(stage.model, bundle.vocab, bundle.labels).network_probabilities(texts).argmax(1)
    assert (found == 0).mean() > 0.5, "before any step"


def test_a_new_label_is_learned_and_the_report_tells_what_it_grew_from(project):
    before = provenance.weights_hash(project.bundle_folder("classify"))
    source = bundles.load(project.bundle_folder("classify")).facts["run"]
    heard, project.recipe.classify.epochs = [], 16
    ended = launch(project, "classify", sink=heard.append)
    assert ended.status == "done", ended.reason
    told = {"run": source, "kept": 2, "new": [NEW], "gone": []}
    saved = bundles.load(project.bundle_folder("classify"))
    assert ended.report["grown"] == told == saved.facts["grown"] and saved.facts["run"] != source
    assert any("2 kept, 1 new (animal)" in event.text for event in heard if isinstance(event, Message))
    assert provenance.read(project.maker("classify").folder)["hashes"]["weights"] == before
    predictor = Predictor.load(project.bundle_folder("classify"))
    texts, labels = zip(*rows_with_a_new_label(), strict=True)
    right = np.array([each.label for each in predictor.predict(texts)]) == labels
    assert right[:160].mean() > 0.9 and right[160:].mean() > 0.9
    assert project.state("classify").mark == "done"


class StopAfter(Control):
    """Stops the run when its first epoch has ended."""

    def hear(self, event):
        if isinstance(event, EpochEnded):
            self.stop()


def stopped_run(project):
    control = StopAfter()
    assert launch(project, "classify", control=control, sink=control.hear).status == "stopped"
    return project.resumable_run("classify").folder


@pytest.mark.parametrize("meanwhile", ["nothing", "gone", "another"])
def test_a_resumed_run_ends_with_the_same_bits_whatever_became_of_the_old_classifier(project, tmp_path, meanwhile):
    twin = Project.open(shutil.copytree(project.folder, tmp_path / "twin"))
    twin.recipe = project.recipe.model_copy(deep=True)
    folder, heard = stopped_run(project), []
    if meanwhile != "nothing":
        shutil.rmtree(project.bundle_folder("classify"))
    straight = launch(twin, "classify")
    if meanwhile == "another":  # as when a crash came after the new classifier was saved
        shutil.copytree(twin.bundle_folder("classify"), project.bundle_folder("classify"))
    resumed = launch(project, "classify", resume=folder, sink=heard.append)
    assert straight.status == resumed.status == "done", resumed.reason
    found, expected = (weights(each.bundle_folder("classify")) for each in (project, twin))
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert resumed.report["grown"] == straight.report["grown"]
    assert any(isinstance(event, CheckpointSaved) for event in heard)


def test_another_vocabulary_is_refused_with_what_to_do(project):
    set_value(project.recipe, "vocab.reuse", False)
    set_value(project.recipe, "vocab.min_frequency", 50)
    trained.run(project, "vocab")
    ended = launch(project, "classify")
    assert ended.status == "failed"
    assert "another vocabulary" in ended.reason and "classify.grow" in ended.reason


def test_without_a_classifier_the_language_model_is_begun_with_and_a_message_says_so(project):
    shutil.rmtree(project.bundle_folder("classify"))
    heard = []
    ended = launch(project, "classify", sink=heard.append)
    assert ended.status == "done" and "grown" not in ended.report
    assert any("no classifier to grow yet" in event.text for event in heard if isinstance(event, Message))


def test_a_run_that_began_without_a_classifier_does_not_grow_from_a_later_one(project, tmp_path):
    kept = shutil.move(project.bundle_folder("classify"), tmp_path / "kept")
    folder = stopped_run(project)
    shutil.move(kept, project.bundle_folder("classify"))
    resumed = launch(project, "classify", resume=folder)
    assert resumed.status == "done" and "grown" not in resumed.report


def test_the_default_leaves_fingerprints_as_they_are():
    assert Recipe().classify.grow is False
    project = Project(None, Recipe())
    before = project.fingerprint("classify")
    project.recipe.classify.grow = True
    assert project.fingerprint("classify") != before
    assert "grow" not in Recipe().classify.model_dump(exclude_defaults=True)
