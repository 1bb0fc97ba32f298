"""Word counts beside the network: which of the two is trusted, and that what is saved answers as what was measured."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from ulmfit_core import events
from ulmfit_core.config import ClassifySettings, ModelSettings, Recipe, VocabSettings, blend_note, set_value
from ulmfit_core.errors import UserError
from ulmfit_core.inference.baseline import tfidf_guesses
from ulmfit_core.inference.blend import best_exponents, fit_words, held_out
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.jobs.blend import who_answers
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.word_counts import NUMBERS, TERMS, Exponents, Pool, WordCounts, pooled
from ulmfit_core.project import Project
from ulmfit_core.run import Stopped, launch
from ulmfit_core.terminal import report_lines

FILES = (TERMS, NUMBERS)
SMALL = {
    "finetune.enabled": False, "classify.threads": 1, "classify.unfreezing": "all", "classify.batch_size": 16,
    "classify.drop_mult": 0.0, "data.valid_fraction": 0.3, "data.test_fraction": 0.2,
}  # fmt: skip
FILLERS = ["amber", "bridge", "candle", "desert", "engine", "forest"]


def project_of(folder, texts, labels, **settings):
    """A project whose vocabulary is built."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f"{text},{label}" for text, label in zip(texts, labels, strict=True)]
    (folder / "rows.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    recipe = Recipe(
        vocab=VocabSettings(kind="word", min_frequency=1), model=ModelSettings(embedding=12, hidden=12, layers=1)
    )
    recipe.data.data, recipe.data.text, recipe.data.label = str(folder / "rows.csv"), ["text"], "label"
    for key, value in {**SMALL, **settings}.items():
        set_value(recipe, key, value)
    project = Project.create(folder / "project", recipe)
    run(project, "import", "vocab")
    return project


def run(project, *jobs):
    """Report of the last job, and all that was said."""
    said, report = [], {}
    for job in jobs:
        ended = launch(project, job, sink=said.append)
        assert ended.status == "done", ended.reason
        report = ended.report
    return report, [event.text for event in said if isinstance(event, events.Message)]


def said_by_words(count):
    """Texts whose label stands in their words: two telling ones among others."""
    rng = np.random.default_rng(0)
    for number in range(count):
        telling = ["lovely", "splendid"] if number % 2 else ["dreadful", "tedious"]
        yield " ".join(rng.permutation([*rng.choice(FILLERS, 4), rng.choice(telling)])), "good" if number % 2 else "bad"


def said_by_letters(count):
    """Texts whose label stands in a letter of its own, which word counts pass over."""
    rng = np.random.default_rng(0)
    for number in range(count):
        yield " ".join(["k" if number % 2 else "q", *rng.choice(FILLERS, 3)]), "good" if number % 2 else "bad"


def trained(folder, rows, **settings):
    project = project_of(folder, *zip(*rows, strict=True), **settings)
    report, messages = run(project, "classify")
    return project, report, messages


@pytest.fixture(scope="module")
def ignorant(tmp_path_factory):
    """A network that learned nothing, since its rate is next to 0, beside word counts that know all."""
    folder = tmp_path_factory.mktemp("ignorant")
    return trained(folder, said_by_words(200), **{"classify.epochs": 1, "classify.lr_max": 1e-9})


@pytest.fixture(scope="module")
def knowing(tmp_path_factory):
    """A network that learned all of what word counts cannot see."""
    folder = tmp_path_factory.mktemp("knowing")
    return trained(folder, said_by_letters(200), **{"classify.epochs": 12, "classify.lr_max": 0.03})


def saved_bundle(project):
    return project.bundle_folder("classify")


# The exponents


def sides(rows):
    """Labels of `rows` rows, probabilities that are right of most, and others that have nothing to do with them."""
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, rows)
    right = 0.9 * np.eye(3)[np.where(rng.random(rows) < 0.9, labels, 0)] + 0.1 / 3
    return labels, right, rng.dirichlet([2, 2, 2], rows)


def test_the_share_goes_to_the_side_that_knows_the_more_the_more_rows_say_so():
    for rows, least in ((100, 0.55), (1000, 0.8)):
        labels, right, chance = sides(rows)
        assert best_exponents(chance, right, labels).weight > least
        assert best_exponents(right, chance, labels).weight < 1 - least


def test_word_counts_that_know_nothing_are_not_taken_to_flatten_a_network_that_is_too_sure():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, 600)
    guesses = np.where(rng.random(600) < 0.6, labels, rng.integers(0, 3, 600))
    network = 0.999 * np.eye(3)[guesses] + 0.001 / 3
    words = np.full((600, 3), 1 / 3) + rng.normal(0, 0.02, (600, 3))
    words /= words.sum(1, keepdims=True)
    assert best_exponents(network, words, labels).network < 0.4
    assert pooled(network, words, best_exponents(network, words, labels)).argmax(1).tolist() == guesses.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_no_other_exponents_have_a_lower_loss_with_the_priors(seed):
    rng = np.random.default_rng(seed)
    network, words, labels = rng.dirichlet([1, 1, 1], 60), rng.dirichlet([1, 1, 1], 60), rng.integers(0, 3, 60)
    words[:30] = 0.5 * words[:30] + 0.5 * np.eye(3)[labels[:30]]
    network[::3, 0] = 0

    def cost(a, b):
        shares = np.maximum(network, 1e-5) ** a * np.maximum(words, 1e-5) ** b
        of_truth = (shares / shares.sum(1, keepdims=True))[np.arange(60), labels]
        priors = [2 * (a / 0.7 - np.log(a)), 2 * (b - np.log(b)) if b else 0]
        return -np.log(of_truth).sum() + sum(priors)

    found = best_exponents(network, words, labels)
    least = cost(found.network, found.words)
    others = [(found.network * x, found.words + y) for x in (0.9, 0.99, 1.01, 1.1) for y in (-0.05, 0, 0.05)]
    assert all(least <= cost(a, b) + 1e-6 for a, b in others if b > 0)
    alone = best_exponents(network, None, labels)
    assert alone.words == 0 and all(cost(alone.network, 0) <= cost(alone.network * x, 0) + 1e-6 for x in (0.95, 1.05))


def test_a_handful_of_rows_moves_the_exponents_only_so_far():
    labels = np.array([0, 1, 2])
    right = 0.6 * np.eye(3) + 0.4 / 3
    found = best_exponents(right, right[[1, 2, 0]], labels)
    assert 0.3 < found.words < 1 < found.network < 2
    assert best_exponents(right, None, 2 - labels[[0, 0, 2]]).network < 1


def test_answers_at_the_networks_own_exponent_stay_the_same_labels():
    labels, right, chance = sides(200)
    for network in (right, chance):
        assert np.array_equal(pooled(network, None, Exponents(0.3)).argmax(1), network.argmax(1))


@pytest.mark.parametrize("of_both", [True, False])
def test_no_row_is_judged_with_exponents_that_it_helped_to_choose(of_both):
    rng = np.random.default_rng(1)
    network, words = rng.dirichlet([1, 1, 1], 40), rng.dirichlet([1, 1, 1], 40) if of_both else None
    labels = rng.integers(0, 3, 40)
    first = held_out(network, words, labels, seed=3)
    assert np.array_equal(first, held_out(network, words, labels, seed=3))
    assert not np.array_equal(first, held_out(network, words, labels, seed=4))
    for row in range(3):
        changed = labels.copy()
        changed[row] = (labels[row] + 1) % 3
        assert np.array_equal(held_out(network, words, changed, seed=3)[row], first[row])


# The word counts


def test_the_word_counts_are_the_baseline():
    texts, labels = zip(*said_by_words(80), strict=True)
    numbers = np.array([("bad", "middling", "good").index(label) for label in labels])
    numbers[::5] = 1
    words = fit_words(texts, numbers, 4)
    shares = words.probabilities(texts)
    assert np.array_equal(shares.argmax(1), tfidf_guesses(texts, numbers, texts))
    assert shares.sum(1) == pytest.approx(1) and not shares[:, 3].any(), "a label without training texts has none"


def test_word_counts_of_several_classes_come_back_as_they_were(tmp_path):
    texts, labels = zip(*said_by_words(60), strict=True)
    numbers = np.array([4 if label == "good" else 0 for label in labels])
    numbers[::4] = 2
    words = fit_words(texts, numbers, 5)
    loaded = WordCounts.load(tmp_path, words.save(tmp_path), 5)
    assert np.array_equal(loaded.coefficients, words.coefficients) and loaded.classes == [0, 2, 4]
    assert np.array_equal(loaded.probabilities(texts), words.probabilities(texts))


def test_without_words_or_a_second_class_there_is_nothing_to_fit():
    assert fit_words(["a b", "c !"], np.array([0, 1]), 2) is None
    assert fit_words(["some words", "more words"], np.array([1, 1]), 2) is None


def test_a_stop_is_heard_between_texts_and_before_the_second_part():
    texts, numbers = ["lamp sun", "moon", "lamp star"], np.array([0, 1, 0])
    calls = []
    fit_words(texts, numbers, 2, lambda: calls.append(0))
    assert len(calls) == len(texts) + 1

    def stop():
        raise Stopped

    with pytest.raises(Stopped):
        fit_words(texts, numbers, 2, stop)


def test_of_very_many_terms_the_commonest_are_kept(monkeypatch):
    monkeypatch.setattr("ulmfit_core.inference.blend.MOST_TERMS", 3)
    words = fit_words(["lamp lamp sun", "sun moon", "lamp star"], np.array([0, 1, 0]), 2)
    assert len(words.terms) == 3 and {"lamp", "sun"} <= set(words.terms)
    assert words.document_counts[words.terms.index("sun")] == 2


def test_what_is_said_of_a_weight_is_true_of_it():
    assert blend_note(1.0) == "from word counts alone, since the network adds nothing yet"
    assert blend_note(0.354).endswith("which weigh 35%")
    assert blend_note(0.999).endswith("more than 99%") and blend_note(0.001).endswith("less than 1%")


# The training


def test_word_counts_answer_where_the_network_knows_nothing(ignorant):
    project, report, messages = ignorant
    blend = report["blend"]
    assert blend["used"] and blend["weight"] > 0.75
    assert blend["valid_rows"] + blend["train_rows"] <= 160, "no test row was counted"
    kept = bundles.load(saved_bundle(project)).pool.words
    assert kept.rows == blend["valid_rows"] + blend["train_rows"], "what answers has learned from both"
    note = blend_note(blend["weight"])
    assert any(note in message for message in messages)
    assert f"- answers: {note}." in (saved_bundle(project) / "MODEL_CARD.md").read_text()
    measured, _ = run(project, "evaluate")
    assert measured["accuracy"] >= measured["baseline_tfidf"]["accuracy"] > measured["network"]["accuracy"]
    validated = launch(project, "evaluate", split="valid").report
    trained_alone = validated["baseline_tfidf"]["accuracy"]
    assert validated["accuracy"] == pytest.approx(trained_alone, abs=0.051), "validation rows taught the judge nothing"
    assert measured["blend"] == {"weight": blend["weight"]}
    lines = report_lines(measured)
    assert note in lines[1] and "the network alone" in lines[2]


def test_the_network_answers_where_word_counts_know_nothing(knowing):
    project, report, messages = knowing
    blend = report["blend"]
    assert blend["network"]["accuracy"] > 0.95 and not blend["used"] and blend["answers"] == "calibrated"
    assert any("The answers are the network's alone, made" in message for message in messages)
    assert not any((saved_bundle(project) / name).exists() for name in FILES)
    record = json.loads((saved_bundle(project) / "model.json").read_text())
    assert record["format"] == 4 and record["blend"] == blend["exponents"]["calibrated"]
    measured, _ = run(project, "evaluate")
    assert "network" not in measured and report_lines(measured)[1].startswith("ULMFiT")


def copied(project, folder, **settings):
    shutil.copytree(project.folder, folder)
    copy = Project.open(folder)
    for key, value in settings.items():
        set_value(copy.recipe, key, value)
    return copy


def test_auto_takes_the_lowest_loss_and_on_the_blend():
    for best in ("blend", "calibrated", "word_counts"):
        losses = {name: {"valid_loss": 0.4 if name == best else 0.5} for name in ("blend", "calibrated", "word_counts")}
        report = {"exponents": losses, "network": {"valid_loss": 0.1}, **losses}
        assert who_answers(report, "auto") == best and who_answers(report, "on") == "blend"
    alone = {"exponents": {"calibrated": {}}, "calibrated": {"valid_loss": 0.5}}
    assert who_answers(alone, "on") == "calibrated", "there is nothing to blend"


def test_off_leaves_the_network_alone_and_auto_does_not_change_it(ignorant, tmp_path):
    project, _, _ = ignorant
    copy = copied(project, tmp_path / "off", **{"classify.blend": "off"})
    report, messages = run(copy, "classify")
    assert "blend" not in report and not any("word counts" in message for message in messages)
    weights = [(saved_bundle(p) / "weights.safetensors").read_bytes() for p in (project, copy)]
    assert weights[0] == weights[1]
    assert "blend" not in json.loads((saved_bundle(copy) / "model.json").read_text())
    texts = ["a lovely day", "a tedious day", ""]
    network = Predictor.load(saved_bundle(project)).network_probabilities(texts)
    assert np.array_equal(Predictor.load(saved_bundle(copy)).probabilities(texts), network)


def test_the_knob_leaves_fingerprints_as_they_were():
    assert "blend" not in ClassifySettings().model_dump(exclude_defaults=True)


def test_texts_and_labels_of_test_rows_do_not_matter(tmp_path):
    rows = list(said_by_words(90))
    found = []
    for name, words in (("one", "lovely"), ("other", "tedious")):
        test = [(f"{words} candle {number}", "bad" if number % 3 else "good") for number in range(20)]
        folder = tmp_path / name
        project = project_of(
            folder, *zip(*rows, strict=True),
            **{"classify.epochs": 1, "classify.lr_max": 1e-9, "data.test": str(written(folder, test))},
        )  # fmt: skip
        run(project, "classify")
        found.append([(saved_bundle(project) / name).read_bytes() for name in FILES])
    assert found[0] == found[1]


def written(folder, rows):
    folder.mkdir()
    path = folder / "test.csv"
    path.write_text("\n".join(["text,label", *(f"{text},{label}" for text, label in rows)]), encoding="utf-8")
    return path


# The answers


def test_a_saved_blend_answers_as_before_to_the_bit(ignorant, tmp_path):
    project, _, _ = ignorant
    texts = [text for text, _ in said_by_words(30)] + ["", "nothing known", "Lovely, LOVELY amber!"]
    bundle = bundles.load(saved_bundle(project))
    numbers = np.arange(30) % 2
    bundle.pool = Pool(Exponents(0.7, 1.3), fit_words(texts[:30], numbers, 2))
    fresh = Predictor(bundle.model, bundle.vocab, bundle.labels, bundle.max_tokens, bundle.pool)
    bundles.save(tmp_path / "model", bundle, "# A model")
    loaded = Predictor.load(tmp_path / "model")
    assert np.array_equal(loaded.probabilities(texts), fresh.probabilities(texts))
    assert loaded.probabilities([]).shape == (0, 2)
    words = bundle.pool.words
    one_by_one = np.concatenate([words.probabilities([text]) for text in texts])
    assert np.array_equal(one_by_one, words.probabilities(texts))


def test_an_answer_is_the_product_of_both_to_their_exponents(ignorant):
    project, report, _ = ignorant
    predictor, blend = Predictor.load(saved_bundle(project)), report["blend"]
    exponents = blend["exponents"][blend["answers"]]
    texts = ["a splendid forest", "a dreadful forest"]
    words, network = predictor.pool.words.probabilities(texts), predictor.network_probabilities(texts)
    product = network ** exponents["network"] * words ** exponents["words"]
    assert predictor.probabilities(texts) == pytest.approx(product / product.sum(1, keepdims=True), abs=1e-6)
    good, bad = predictor.predict(texts)
    assert (good.label, bad.label) == ("good", "bad") and good.blend_weight == report["blend"]["weight"]
    assert good.blend_weight == exponents["words"] / (exponents["network"] + exponents["words"])


def test_an_answer_that_is_not_blended_is_the_networks_to_its_exponent(knowing):
    project, report, _ = knowing
    predictor, exponent = Predictor.load(saved_bundle(project)), report["blend"]["exponents"]["calibrated"]["network"]
    network = predictor.network_probabilities(["k amber", "q amber"])
    product = np.maximum(network, 1e-5) ** exponent
    assert predictor.probabilities(["k amber", "q amber"]) == pytest.approx(
        product / product.sum(1, keepdims=True), abs=1e-6
    )
    assert exponent != 1 and predictor.blend_weight == 0


def test_a_classified_file_says_what_answered(ignorant, tmp_path):
    project, report, _ = ignorant
    (tmp_path / "new.csv").write_text("text\na lovely bridge\na tedious bridge\n")
    ended = launch(project, "predict", data=tmp_path / "new.csv", out=tmp_path / "out.csv")
    assert ended.report["blend"] == {"weight": report["blend"]["weight"]}
    assert [line.split(",")[2] for line in (tmp_path / "out.csv").read_text().splitlines()[1:]] == ["good", "bad"]


# The files


@pytest.fixture
def folder(ignorant, tmp_path):
    return shutil.copytree(saved_bundle(ignorant[0]), tmp_path / "model")


@pytest.mark.parametrize("name", FILES)
def test_a_changed_or_missing_file_is_refused(folder, name):
    whole = (folder / name).read_bytes()
    for broken in (whole[:-1] + bytes([whole[-1] ^ 1]), whole[: len(whole) // 2], b""):
        (folder / name).write_bytes(broken)
        with pytest.raises(UserError, match="not those that were saved with this model"):
            bundles.load(folder)
    (folder / name).unlink()
    with pytest.raises(UserError, match="No such file.*Restore the folder"):
        bundles.load(folder)


@pytest.mark.parametrize(
    "blend",
    [
        {"network": -1.5}, {"words": "much"}, {"words": float("nan")}, {"network": float("inf")},
        {"words": 0.0}, {"hash": 7}, {"hash": None}, 5,
    ],
)  # fmt: skip
def test_an_impossible_description_is_refused(folder, blend):
    record = json.loads((folder / "model.json").read_text())
    record["blend"] = {**record["blend"], **blend} if isinstance(blend, dict) else blend
    (folder / "model.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"model\.json: what it says of how answers are made"):
        bundles.load(folder)


COEFFICIENTS = np.zeros((1, 3), np.float16)
SOUND = WordCounts(4, ["lamp", "moon", "sun"], np.array([1, 4, 2]), [0, 1], 2, COEFFICIENTS, np.zeros(1, np.float32))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"terms": ["lamp", "lamp", "sun"]}, "a term is there twice"),
        ({"terms": ["lamp", "sun"]}, "a term lacks its count"),
        ({"terms": ["lamp", 5, "sun"]}, "no list of terms"),
        ({"document_counts": np.array([1, 5, 2])}, "a count is impossible"),
        ({"document_counts": np.array([1, 0, 2])}, "a count is impossible"),
        ({"document_counts": np.array([1, 0.5, 2])}, "a term lacks its count"),
        ({"classes": [0, 2]}, "a class is none of the labels"),
        ({"classes": [1, 0]}, "the classes are no list of numbers"),
        ({"classes": [0, 1, 2], "labels": 3}, "for other labels"),
        ({"coefficients": np.zeros((1, 2), np.float16)}, "not as many numbers as terms"),
        ({"coefficients": np.full((1, 3), np.nan, np.float16)}, "a number is none"),
        ({"coefficients": np.zeros((1, 3), np.float32)}, "not of half precision"),
        ({"intercept": np.zeros(2, np.float32)}, "not as many numbers as classes"),
    ],
)
def test_word_counts_that_no_training_leaves_are_refused(tmp_path, change, reason):
    known = SOUND.save(tmp_path)
    assert WordCounts.load(tmp_path, known, 2).probabilities(["sun"]).tolist() == [[0.5, 0.5]]
    known = dataclasses.replace(SOUND, **change).save(tmp_path)
    with pytest.raises(UserError, match=reason):
        WordCounts.load(tmp_path, known, 2)
