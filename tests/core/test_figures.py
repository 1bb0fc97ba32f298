"""Nine figures are scikit-learn's on any answers, and their intervals are those of rows drawn anew."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from ulmfit_core.inference.figures import NAMES, area, confusion_cells, figures, of_counts
from ulmfit_core.run import Stopped


def random_answers(rows, labels, seed, skill=1.5):
    rng = np.random.default_rng(seed)
    truth = rng.integers(labels, size=rows)
    scores = rng.normal(size=(rows, labels)).round(1)  # so that some are equal
    scores[np.arange(rows), truth] += skill
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return truth, shares.astype(np.float32)


def of_scikit_learn(truth, shares):
    """Each figure by scikit-learn; the area is its binary one, averaged over the labels that have rows."""
    given, macro = shares.argmax(1), {"average": "macro", "zero_division": 0}
    areas = [
        metrics.roc_auc_score(truth == label, shares[:, label])
        for label in ([1] if shares.shape[1] == 2 else np.unique(truth))
        if 0 < (truth == label).sum() < len(truth)
    ]
    return dict(zip(NAMES, [
        metrics.accuracy_score(truth, given), metrics.balanced_accuracy_score(truth, given),
        metrics.f1_score(truth, given, **macro), metrics.f1_score(truth, given, average="micro"),
        metrics.precision_score(truth, given, **macro), metrics.recall_score(truth, given, **macro),
        np.mean(areas) if areas else np.nan, metrics.matthews_corrcoef(truth, given),
        metrics.cohen_kappa_score(truth, given),
    ], strict=True))  # fmt: skip


def agree(truth, shares):
    found = figures(truth, shares, resamples=10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of labels without rows
        known = of_scikit_learn(truth, shares)
    assert list(found) == list(NAMES)
    for name, value in known.items():
        measured = found[name].value
        assert (measured is None) == bool(np.isnan(value)), name
        assert measured is None or measured == pytest.approx(value, abs=1e-9), name


@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(2, 8), st.integers(0, 10_000))
def test_every_figure_is_scikit_learns(rows, labels, seed):
    agree(*random_answers(rows, labels, seed))


def test_with_all_labels_the_area_is_scikit_learns_one_versus_rest():
    truth, shares = random_answers(500, 5, 3)
    known = metrics.roc_auc_score(truth, shares, multi_class="ovr", average="macro")
    assert figures(truth, shares, resamples=5)["roc_auc"].value == pytest.approx(known, abs=1e-9)


def test_labels_without_rows_and_one_class_alone():
    truth, shares = random_answers(80, 6, 1)
    agree(np.where(truth == 4, 0, truth), shares)
    alone = figures(np.zeros(20, int), np.tile([0.7, 0.3], (20, 1)))
    assert alone["accuracy"].value == alone["accuracy"].low == 1 and alone["mcc"].value == 0
    for name in ("roc_auc", "kappa"):
        assert (alone[name].value, alone[name].low, alone[name].high) == (None, None, None)


def test_weighed_rows_are_rows_drawn_more_than_once():
    truth, shares = random_answers(120, 4, 2)
    weights = np.random.default_rng(0).integers(0, 4, (120, 3)).astype(np.float32)
    for draw, found in enumerate(area(truth, shares, weights)):
        known = [
            metrics.roc_auc_score(truth == label, shares[:, label], sample_weight=weights[:, draw])
            for label in range(4)
        ]
        assert found == pytest.approx(np.mean(known), abs=1e-6)


def test_intervals_are_those_of_rows_drawn_anew():
    truth, shares = random_answers(300, 3, 5)
    rng = np.random.default_rng(9)
    draws = [rng.integers(300, size=300) for _ in range(1500)]
    of_draws = [of_counts(*counted(truth[draw], shares[draw]), 3) for draw in draws]
    found = figures(truth, shares, resamples=1500)
    for name in ("accuracy", "macro_f1", "mcc"):
        low, high = np.percentile([one[name][0] for one in of_draws], [2.5, 97.5])
        assert found[name].low == pytest.approx(low, abs=0.01) and found[name].high == pytest.approx(high, abs=0.01)
        assert found[name].low < found[name].value < found[name].high
    once = np.ones((300, 1), np.float32)
    low, high = np.percentile([area(truth[draw], shares[draw], once)[0] for draw in draws[:400]], [2.5, 97.5])
    whole = found["roc_auc"]
    assert whole.low == pytest.approx(low, abs=0.01) and whole.high == pytest.approx(high, abs=0.01)


def counted(truth, shares):
    cells, counts = confusion_cells(truth, shares.argmax(1))
    return cells, counts[None]


def test_the_same_seed_draws_the_same_rows():
    truth, shares = random_answers(100, 3, 7)
    first = figures(truth, shares, resamples=50)
    assert first == figures(truth, shares, resamples=50) != figures(truth, shares, resamples=50, seed=1)


def test_a_stop_is_heard_and_no_rows_have_no_figures():
    truth, shares = random_answers(50, 3, 0)
    calls = []

    def stop():
        calls.append(0)
        if len(calls) == 4:
            raise Stopped

    with pytest.raises(Stopped):
        figures(truth, shares, resamples=1000, between=stop)
    with pytest.raises(ValueError, match="no rows"):
        figures(truth[:0], shares[:0])
