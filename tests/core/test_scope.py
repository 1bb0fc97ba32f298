"""Which texts are told as unknown, which answers are withheld, and what a label that was never trained is answered."""

import json
import shutil

import numpy as np
import pytest
import safetensors.numpy

from tests.core.test_blend import FILLERS, said_by_words, trained
from ulmfit_core.config import AnswerSettings
from ulmfit_core.data import edits
from ulmfit_core.errors import UserError
from ulmfit_core.events import Progress
from ulmfit_core.inference import scope
from ulmfit_core.inference.predictor import Predictor, as_record
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.checks import content_hash
from ulmfit_core.models.scope import FILE, Pairs
from ulmfit_core.project import Project
from ulmfit_core.run import Control, launch

NEW = [f"{word} {other} zebra zebra" for word in FILLERS[:3] for other in FILLERS[3:]]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    rows = [*said_by_words(240), *((f"{one} zebra {two}", "bad") for one in FILLERS[:2] for two in FILLERS[4:])]
    return trained(tmp_path_factory.mktemp("scope"), rows, **{"classify.epochs": 6, "classify.lr_max": 0.03})[0]


@pytest.fixture
def copy(project, tmp_path):
    return Project.open(shutil.copytree(project.folder, tmp_path / "project"))


def familiar_texts(count):
    return [text for text, _ in said_by_words(count)]


def far_texts(count, vocabulary=12):
    """Words that were all seen, in orders that never were."""
    rng = np.random.default_rng(3)
    return [" ".join(rng.choice(["lovely", "tedious", "zebra"], vocabulary)) for _ in range(count)]


# Pairs of tokens


def test_seen_pairs_are_known_and_few_others_are():
    rng = np.random.default_rng(1)
    seen = [rng.integers(0, 60_000, 40) for _ in range(200)]
    pairs = Pairs.of(seen, 200 * 40)
    assert all(pairs.known(document) == 1 for document in seen)
    others = np.mean([pairs.known(rng.integers(0, 60_000, 40)) for _ in range(200)])
    assert others < 0.15
    half = np.concatenate([seen[0], rng.integers(60_000, 90_000, 39)])
    assert 0.45 < pairs.known(half) < 0.65
    assert pairs.known(np.array([4])) == 0 and Pairs.of([], 0).known(seen[0]) == 0


# The statistics


def drawn(rows, seed, far=0.0):
    """Documents, scores and answers of a text that is `far` from usual."""
    rng = np.random.default_rng(seed)
    documents = [np.r_[rng.integers(0, 30, 12), rng.integers(500, 9_000, int(far))] for _ in range(rows)]
    scores = rng.normal(0, 1, (rows, 3)) + (6 - far) * np.eye(3)[rng.integers(0, 3, rows)]
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return documents, scores, shares


def fitted(rows, seed=0):
    made = scope.fit(drawn(300, 99)[0], 300 * 12, *drawn(rows, seed))
    assert made
    return made


@pytest.mark.parametrize("rows", [20, 45, 1000, 3000])
def test_no_more_familiar_texts_are_called_unknown_than_was_asked_for(rows):
    """Averaged over many draws of few rows; a thousand rows speak for themselves."""
    seeds = range(30 if rows < 1000 else 2)
    for share in (0.02, 0.05):
        called = [np.mean(fitted(rows, seed).familiar(*drawn(2000, 7)) < share) for seed in seeds]
        assert share * 0.4 < np.mean(called) < share * 1.6


def test_a_text_is_as_familiar_as_the_share_of_rows_that_are_no_more_so():
    made = fitted(1000)
    shares = np.sort(made.familiar(*drawn(1000, 0)))
    assert np.abs(shares[20:] - np.arange(21, 1001) / 1000).max() < 0.003
    assert (np.diff(shares) >= 0).all() and shares[0] > 0 and shares[-1] == 1
    assert made.familiar(*drawn(200, 5, far=5)).mean() < 0.02
    assert made.familiar([], np.empty((0, 3)), np.empty((0, 3))).shape == (0,)


def test_too_few_rows_say_nothing():
    assert scope.fit([], 0, *drawn(scope.FEWEST_ROWS - 1, 0)) is None


# The answers


def test_what_was_never_read_is_unknown_and_what_was_is_not(project):
    predictor = Predictor.of(project)
    assert predictor.settings == AnswerSettings() and predictor.settings.unknown > 0
    near, far = (predictor.predict(texts) for texts in (familiar_texts(200), far_texts(50)))
    assert np.mean([each.unknown for each in near]) < 0.06
    assert np.mean([each.unknown for each in far]) > 0.5
    assert all(each.answer == "unknown" and each.label in predictor.labels for each in far if each.unknown)
    assert all(each.unknown == (each.familiar < predictor.settings.unknown) for each in [*near, *far])


def test_answers_are_withheld_as_the_recipe_says_and_probabilities_stay(project, copy):
    copy.recipe.answers = AnswerSettings(least_sure=0.999, unknown=0)
    strict, plain = Predictor.of(copy), Predictor.load(copy.bundle_folder("classify"))
    texts = [*familiar_texts(40), *far_texts(10)]
    withheld = strict.predict(texts)
    for each, other in zip(withheld, plain.predict(texts), strict=True):
        assert each.probabilities == other.probabilities and not each.unknown and other.answer == other.label
        assert each.unsure == (max(each.probabilities.values()) < 0.999)
        assert each.answer == ("not sure" if each.unsure else each.label)
    assert 0 < sum(each.unsure for each in withheld) < len(texts)
    told = as_record(withheld[0])
    assert told["answer"] == withheld[0].answer and told["familiar"] == withheld[0].familiar
    assert copy.fingerprint("classify") == project.fingerprint("classify")


def test_features_are_what_the_head_reads_whoever_is_read_beside(project):
    import torch

    predictor, texts = Predictor.of(project), familiar_texts(5)
    features = predictor.features(texts)
    assert features.shape == (5, 3 * predictor.model.encoder.features) and features.dtype == np.float32
    assert np.allclose(predictor.features(texts[2:3]), features[2:3], atol=1e-5)
    with torch.inference_mode():
        scores = predictor.model.head(torch.from_numpy(features), None).numpy()
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    assert np.allclose(predictor.network_probabilities(texts), shares, atol=1e-5)
    assert predictor.features([]).shape == (0, features.shape[1])


# The bundle


def test_a_bundle_keeps_what_was_measured_and_older_ones_know_nothing_of_it(copy, tmp_path):
    folder = copy.bundle_folder("classify")
    assert json.loads((folder / "model.json").read_text())["format"] == 4
    bundle = bundles.load(folder)
    for eight_bits in (False, True):
        bundles.save(tmp_path / "again", bundle, "", eight_bits)
        assert (tmp_path / "again" / FILE).read_bytes() == (folder / FILE).read_bytes()
        assert json.loads((tmp_path / "again/model.json").read_text())["format"] == 4
        assert Predictor.load(tmp_path / "again").predict(["amber"])[0].familiar is not None
    bundle.scope = None
    bundles.save(tmp_path / "older", bundle, "")
    assert json.loads((tmp_path / "older/model.json").read_text())["format"] == 2
    (answer,) = Predictor.load(tmp_path / "older").predict(["zzz qqq"])
    assert answer.familiar is None and not answer.unknown


@pytest.mark.parametrize("harm", ["changed", "missing", "short", "disorder", "infinite", "table"])
def test_a_damaged_file_is_refused_in_a_sentence(copy, harm):
    folder = copy.bundle_folder("classify")
    path = folder / FILE
    if harm == "missing":
        path.unlink()
    elif harm == "changed":
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    else:
        stored = safetensors.numpy.load(path.read_bytes())
        change = {
            "short": {"centre": stored["centre"][:2]}, "disorder": {"points": stored["points"][::-1].copy()},
            "infinite": {"spread": stored["spread"] * np.inf}, "table": {"pairs": stored["pairs"][:-8]},
        }  # fmt: skip
        path.write_bytes(safetensors.numpy.save({**stored, **change[harm]}))
        record = json.loads((folder / "model.json").read_text())
        record["scope"] = content_hash(path.read_bytes())
        (folder / "model.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=f"{FILE}.*train the classifier again"):
        Predictor.load(folder)


# A label of the person's own


def test_five_examples_are_a_label_four_are_none(copy):
    for text in NEW[:4]:
        edits.add(copy, text, "animal")
    assert Predictor.of(copy).labels == ["bad", "good"]
    edits.add(copy, NEW[4], "animal")
    predictor = Predictor.of(copy)
    assert predictor.labels == ["bad", "good", "animal"]
    plain = Predictor.load(copy.bundle_folder("classify"))
    shares, old = predictor.probabilities(NEW[5:]), plain.probabilities(NEW[5:])
    assert shares.shape == (len(NEW) - 5, 3) and np.allclose(shares.sum(1), 1, atol=1e-5)
    assert np.allclose(shares[:, 0] / shares[:, :2].sum(1), old[:, 0], atol=1e-5), "the old labels share as before"
    assert predictor.probabilities([]).shape == (0, 3)
    assert predictor.network_probabilities(NEW).shape == (len(NEW), 2)
    edits.undo(copy, 5)
    assert Predictor.of(copy).labels == ["bad", "good"]


def test_the_new_label_is_found_and_the_old_ones_keep_their_texts(copy):
    for text in NEW[:5]:
        edits.add(copy, text, "animal")
    predictor = Predictor.of(copy)
    found = predictor.predict(NEW[5:])
    assert [each.answer for each in found].count("animal") >= 3 and set(found[0].probabilities) == set(predictor.labels)
    before = [each.label for each in Predictor.load(copy.bundle_folder("classify")).predict(familiar_texts(100))]
    after = [each.label for each in predictor.predict(familiar_texts(100))]
    assert np.mean([one == other for one, other in zip(before, after, strict=True)]) > 0.95


def test_a_label_of_examples_without_a_full_stop_is_not_that_of_all_texts_without_one(tmp_path):
    zebras = [(f"{one} zebra {two}", "bad") for one in FILLERS[:2] for two in FILLERS[4:]]
    rows = [(f"{text} .", label) for text, label in (*said_by_words(240), *zebras)]
    project = trained(tmp_path, rows, **{"classify.epochs": 6, "classify.lr_max": 0.03})[0]
    for text in NEW[:5]:
        edits.add(project, text, "animal")
    predictor = Predictor.of(project)

    def share(texts):
        return np.mean([each.label == "animal" for each in predictor.predict(texts)])

    bare = familiar_texts(100)
    assert share(bare) <= 0.01 and share([f"{text} ." for text in bare]) <= 0.01
    assert share([" ".join(text.split()[:3]) for text in bare]) <= 0.03
    assert share([f"{text} ." for text in NEW[5:]]) > 0.5, "nor does it ask for the missing full stop"


# The job


def test_a_training_stopped_while_it_notes_what_it_learned_from_ends_with_the_same_bundle(project, copy):
    control = Control()

    def stop_there(event):
        if isinstance(event, Progress) and event.label.startswith("Noting"):
            control.stop()

    copy.recipe.classify.seed = project.recipe.classify.seed
    stopped = launch(copy, "classify", control=control, sink=stop_there)
    assert stopped.status == "stopped"
    resumed = launch(copy, "classify", resume=copy.resumable_run("classify").folder)
    assert resumed.status == "done"
    for name in (FILE, "weights.safetensors"):
        found = [(each.bundle_folder("classify") / name).read_bytes() for each in (project, copy)]
        assert found[0] == found[1]
