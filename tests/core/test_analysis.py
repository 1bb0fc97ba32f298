"""What kept answers tell: calibration, precision against recall, coverage, suspect labels, parts of the data."""

import numpy as np
import pytest
from sklearn import metrics

from ulmfit_core.inference import analysis
from ulmfit_core.inference.answers import Answers
from ulmfit_core.inference.calibration import BINS, calibration
from ulmfit_core.inference.findings import interval
from ulmfit_core.inference.slices import slices


def answers_of(shares, truth):
    rows = len(truth)
    labels = [f"label {number}" for number in range(shares.shape[1])]
    return Answers(labels, [f"text {n}" for n in range(rows)], [""] * rows, np.arange(rows) + 7, truth, shares)


def random_answers(rows=400, labels=4, seed=0, skill=2.0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(labels, size=rows)
    scores = rng.normal(size=(rows, labels)).round(1)
    scores[np.arange(rows), truth] += skill
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return answers_of(shares.astype(np.float32), truth)


# Calibration


def test_bins_are_of_equal_mass_and_their_error_is_the_mean_distance():
    made = random_answers(450)
    side = calibration(made.probabilities, made.truth)
    assert sum(one.rows for one in side.bins) == 450 and len(side.bins) <= BINS
    assert all(20 <= one.rows <= 45 for one in side.bins), "about 30 each; equal probabilities stay together"
    assert [one.confidence for one in side.bins] == sorted(one.confidence for one in side.bins)
    error = sum(one.rows / 450 * abs(one.confidence - one.accuracy) for one in side.bins)
    assert side.ece == pytest.approx(error)
    shares = made.probabilities / made.probabilities.astype(float).sum(1, keepdims=True)
    assert side.loss == pytest.approx(metrics.log_loss(made.truth, shares), abs=1e-6)


def test_distinct_probabilities_fill_the_bins_alike():
    rng = np.random.default_rng(1)
    sure = rng.uniform(0.5, 1, 1500)
    right = rng.uniform(size=1500) < sure
    side = calibration(np.stack([sure, 1 - sure], 1), np.where(right, 0, 1))
    assert {one.rows for one in side.bins} == {100} and side.ece < 0.06, "as sure as it is right"
    overdone = calibration(np.stack([sure, 1 - sure], 1), np.where(rng.uniform(size=1500) < 0.5, 0, 1))
    assert overdone.ece == pytest.approx(float(sure.mean()) - 0.5, abs=0.05)


def test_equal_probabilities_share_a_bin_and_the_order_of_rows_does_not_matter():
    shares = np.array([[0.9, 0.1]] * 50 + [[0.6, 0.4]] * 10)
    truth = np.array([0] * 40 + [1] * 10 + [0] * 5 + [1] * 5)
    side = calibration(shares, truth)
    assert [(one.rows, round(one.confidence, 6), one.accuracy) for one in side.bins] == [(10, 0.6, 0.5), (50, 0.9, 0.8)]
    mixed = np.random.default_rng(0).permutation(60)
    again = calibration(shares[mixed], truth[mixed])
    assert again.ece == pytest.approx(side.ece) and again.loss == pytest.approx(side.loss)


# Precision and recall, coverage


def test_precision_and_recall_are_scikit_learns():
    made = random_answers(3000, 3)
    curves = analysis.precision_recall(made)
    for place, label in enumerate(made.labels):
        positive, scores = made.truth == place, made.probabilities[:, place]
        assert curves[label].average_precision == pytest.approx(metrics.average_precision_score(positive, scores))
        precision, recall, _ = metrics.precision_recall_curve(positive, scores)
        known = set(zip(recall.round(9), precision.round(9)))
        shown = list(zip(curves[label].recall.round(9), curves[label].precision.round(9)))
        assert set(shown) <= known and 50 < len(shown) <= analysis.CURVE_POINTS
        assert (np.diff(curves[label].recall) >= 0).all() and curves[label].recall[-1] == 1


def test_a_label_without_rows_has_no_curve():
    made = random_answers(50, 3)
    bare = answers_of(made.probabilities, np.where(made.truth == 1, 0, made.truth))
    assert list(analysis.precision_recall(bare)) == ["label 0", "label 2"]


def test_coverage_counts_what_is_at_least_so_sure():
    made = random_answers(5000)
    found = analysis.coverage(made)
    assert len(found.thresholds) <= analysis.COVERAGE_POINTS and found.thresholds[0] == 0 and found.coverage[0] == 1
    assert (np.diff(found.thresholds) > 0).all() and (np.diff(found.coverage) <= 0).all()
    sure, right = made.probabilities.max(1), made.given == made.truth
    for threshold, share, accuracy in list(zip(found.thresholds, found.coverage, found.accuracy))[::17]:
        given = sure >= threshold
        assert given.mean() == share and right[given].mean() == pytest.approx(accuracy)


def test_the_threshold_is_the_lowest_that_is_right_so_often():
    made = random_answers(800, skill=1.5)
    sure, right = made.probabilities.max(1), made.given == made.truth
    found = analysis.threshold_for(made, 0.9)
    assert 0 < found < 1 and right[sure >= found].mean() >= 0.9
    assert all(right[sure >= lower].mean() < 0.9 for lower in np.unique(sure[sure < found]))
    assert analysis.threshold_for(made, right.mean()) == 0 and analysis.threshold_for(made, 0.0) == 0
    wrong = answers_of(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([1, 1]))
    assert analysis.threshold_for(wrong, 0.5) is None


# Suspect labels


def by_definition(made):
    """Confident learning in loops: the rows whose confident label is another and likelier one."""
    shares, truth = made.probabilities.astype(float), made.truth
    expected = {label: shares[truth == label, label].mean() for label in set(truth.tolist())}
    for row in range(len(truth)):
        claims = [label for label, least in expected.items() if shares[row, label] >= least]
        best = max(claims, key=lambda label: shares[row, label], default=truth[row])
        if best != truth[row] and shares[row, best] > shares[row, truth[row]]:
            yield row, made.labels[best]


def test_suspect_labels_are_those_of_the_definition():
    made = random_answers(500, 5, seed=4, skill=1.0)
    found = analysis.label_errors(made)
    assert {(one.row - 7, one.suggested) for one in found} == set(by_definition(made)) and len(found) > 20
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    first = found[0]
    place = first.row - 7
    assert (first.text, first.label) == (made.texts[place], made.labels[made.truth[place]])
    assert first.probability == pytest.approx(float(made.probabilities[place].max()))


def test_spoiled_labels_are_found():
    made = random_answers(2000, 4, seed=6, skill=5.0)
    rng = np.random.default_rng(0)
    spoiled = rng.choice(2000, 100, replace=False)
    truth = made.truth.copy()
    truth[spoiled] = (truth[spoiled] + 1) % 4
    found = analysis.label_errors(answers_of(made.probabilities, truth))
    hit = {one.row - 7 for one in found} & set(spoiled.tolist())
    assert len(hit) >= 80 and len(hit) >= 0.85 * len(found)
    assert sum(one.row - 7 in hit for one in found[:50]) >= 47, "the most suspect come first"


def test_perfect_answers_make_no_label_suspect():
    truth = np.array([0, 1, 2, 0])
    assert analysis.label_errors(answers_of(np.eye(3)[truth], truth)) == []


# Parts of the data


def test_lengths_go_in_quarters_that_say_their_ends():
    texts = [" ".join(["word"] * count) for count in (1, 1, 2, 3, 4, 5, 6, 90)]
    right = np.array([1, 1, 1, 1, 0, 0, 0, 1], bool)
    found = slices(texts, {}, right)["length"]
    assert [one.value for one in found] == ["1 word", "2 to 3 words", "4 to 5 words", "6 to 90 words"]
    assert [one.rows for one in found] == [2] * 4 and [one.accuracy for one in found] == [1, 1, 0, 0.5]
    assert (found[3].low, found[3].high) == interval(1, 2)
    alike = slices(["a b"] * 5, {}, right[:5])["length"]
    assert [(one.value, one.rows) for one in alike] == [("2 words", 5)]


def test_rare_values_are_shown_together_and_many_numbers_in_quarters():
    values = [f"shop {number}" for number in range(30) for _ in range(30 - number)]
    right = np.ones(len(values), bool)
    found = slices(["text"] * len(values), {"shop": values, "one": ["same"] * len(values)}, right)
    assert set(found) == {"length", "shop"}, "a column with one value tells nothing"
    shops = found["shop"]
    assert [one.value for one in shops[:2]] == ["shop 0", "shop 1"] and len(shops) == 20
    assert shops[-1].value == "others" and sum(one.rows for one in shops) == len(values)
    prices = [str(number / 10) for number in range(99)] + [""]
    quarters = slices(["text"] * 100, {"price": prices}, np.ones(100, bool))["price"]
    assert [one.value for one in quarters] == ["0 to 2.4", "2.5 to 4.9", "5 to 7.4", "7.5 to 9.8", "(empty)"]


def test_few_numbers_stand_in_their_order_and_a_column_may_be_called_length():
    stars = ["10", "2", "2", "", "1"]
    found = slices(["text"] * 5, {"stars": stars, "length": ["x", "y", "x", "x", "x"]}, np.ones(5, bool))
    assert [one.value for one in found["stars"]] == ["1", "2", "10", "(empty)"]
    assert [one.value for one in found["length (column)"]] == ["x", "y"] and found["length"][0].value == "1 word"
