"""Every way of splitting: each row on one side, groups whole, shares kept, the same again from the same seed."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ulmfit_core.config import DataSettings
from ulmfit_core.data import splits
from ulmfit_core.data.splits import TEST, TRAIN, UNLABELLED, VALID
from ulmfit_core.errors import UserError

# (class, group) of each row.
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=4, max_size=200)
SHARES = st.floats(0.01, 0.5)


def parted(rows, grouped=False, parts=None, **settings):
    """The splits of these rows; they are left out as examples where the settings cannot be met."""
    labels, groups = np.array(rows).T
    parts = np.zeros(len(rows), np.int8) if parts is None else parts.copy()
    settings = DataSettings(**settings)
    try:
        splits.assign(parts, labels, groups if grouped else None, settings, np.random.default_rng(settings.seed))
    except UserError:
        assume(False)
    return labels, groups, parts


@given(ROWS, SHARES, SHARES, st.integers(0, 5))
def test_a_random_split_gives_each_class_its_share(rows, test, valid, seed):
    labels, _, parts = parted(rows, test_fraction=test, valid_fraction=valid, seed=seed)
    assert {TRAIN, VALID, TEST} == set(parts.tolist())
    assert set(labels[parts == TRAIN]) == set(labels)
    for part, share, among in ((TEST, test, parts >= 0), (VALID, valid, parts != TEST)):
        count = max(1, round(among.sum() * share))
        for label in set(labels.tolist()):
            wanted = count * (labels[among] == label).sum() / among.sum()
            assert abs((labels[parts == part] == label).sum() - wanted) <= 1 + 1e-9


@given(ROWS, SHARES, SHARES, st.integers(0, 5))
def test_groups_are_never_torn(rows, test, valid, seed):
    labels, groups, parts = parted(rows, True, test_fraction=test, valid_fraction=valid, seed=seed, split="group")
    assert {TRAIN, VALID, TEST} == set(parts.tolist())
    assert set(labels[parts == TRAIN]) == set(labels)
    for group in set(groups.tolist()):
        assert len(set(parts[groups == group].tolist())) == 1


@given(st.lists(st.integers(0, 3), min_size=4, max_size=200), SHARES, st.integers(0, 5))
def test_groups_of_one_row_give_each_class_its_share(labels, share, seed):
    rows = [(label, number) for number, label in enumerate(labels)]
    labels, _, parts = parted(rows, True, test_fraction=share, seed=seed)
    count = max(1, round(len(rows) * share))
    for label in set(labels.tolist()):
        assert abs((labels[parts == TEST] == label).sum() - count * (labels == label).mean()) <= 1 + 1e-9


@given(ROWS, SHARES, st.integers(0, 5))
def test_no_other_group_would_bring_the_shares_nearer(rows, share, seed):
    labels, groups, parts = parted(rows, True, test_fraction=share, valid_fraction=0.01, seed=seed)
    rng = np.random.default_rng(seed)
    wanted = np.bincount(labels[splits.take_share(labels, max(1, round(len(rows) * share)), rng)], minlength=4)
    taken = np.bincount(labels[parts == TEST], minlength=4)
    left = np.bincount(labels[parts != TEST], minlength=4)
    for group in set(groups[parts != TEST].tolist()):
        more = np.bincount(labels[groups == group], minlength=4)
        if (left[more > 0] > more[more > 0]).all():
            assert np.abs(taken + more - wanted).sum() >= np.abs(taken - wanted).sum()


@given(ROWS, SHARES, SHARES)
def test_the_tail_is_the_end_of_the_file_in_its_order(rows, test, valid):
    _, _, parts = parted(rows, split="tail", test_fraction=test, valid_fraction=valid)
    assert parts.tolist() == sorted(parts.tolist())  # train, validation, test
    assert (parts == TEST).sum() == max(1, round(len(rows) * test))
    assert (parts == VALID).sum() == max(1, round((parts != TEST).sum() * valid))


@given(ROWS, st.integers(2, 6), st.booleans(), st.integers(0, 5))
def test_each_row_is_tested_in_one_fold(rows, folds, grouped, seed):
    tested = np.zeros(len(rows), int)
    for fold in range(1, folds + 1):
        settings = {"split": "folds", "folds": folds, "fold": fold, "seed": seed}
        labels, groups, parts = parted(rows, grouped, **settings)
        assert {TRAIN, VALID, TEST} == set(parts.tolist())
        tested += parts == TEST
        if grouped:
            assert all(len(set(parts[groups == group].tolist())) == 1 for group in set(groups.tolist()))
        else:
            for label in set(labels.tolist()):
                assert abs((labels[parts == TEST] == label).sum() - (labels == label).sum() / folds) < 1
    assert (tested == 1).all()


@given(ROWS, st.sampled_from(["stratified", "folds", "tail"]), st.booleans(), st.integers(0, 5))
def test_the_same_seed_splits_alike(rows, split, grouped, seed):
    first, again = (parted(rows, grouped, split=split, seed=seed)[2] for _ in range(2))
    assert (first == again).all()


def test_another_seed_splits_otherwise():
    rows = [(n % 2, n // 2) for n in range(100)]
    for settings in ({}, {"grouped": True}, {"split": "folds"}, {"split": "folds", "grouped": True}):
        assert (parted(rows, seed=1, **settings)[2] != parted(rows, seed=2, **settings)[2]).any()


@given(ROWS, st.sampled_from(["stratified", "folds", "tail"]))
def test_rows_that_were_given_a_side_stay_there(rows, split):
    given_parts = np.array([(TRAIN, TRAIN, TEST, TRAIN, UNLABELLED)[n % 5] for n in range(len(rows))], np.int8)
    _, _, parts = parted(rows, split=split, parts=given_parts)
    assert (parts[given_parts == TEST] == TEST).all() and (parts[given_parts == UNLABELLED] == UNLABELLED).all()
    assert (parts == TEST).sum() == (given_parts == TEST).sum() and (parts == VALID).any()


def test_folds_of_groups_are_about_as_large():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(200), rng.integers(1, 20, 200))
    labels = rng.integers(0, 3, len(groups))
    folds = splits.fold_numbers(labels, groups, 5, rng)
    counts = np.bincount(labels * 5 + folds, minlength=15).reshape(3, 5)
    assert np.ptp(counts, axis=1).max() <= 19  # one group of the largest size


REFUSED = {
    "a group column is missing": ({"split": "group"}, 20, "A split by group needs a group column."),
    "no column": ({"split": "column"}, 20, "A split by column needs a column that marks rows as valid or test."),
    "no file": ({"split": "file"}, 20, "A split by file needs a file of validation or test rows."),
    "an empty file": ({"test": "/x/t.csv"}, 20, "t.csv has no usable test row. Choose another file or leave it empty."),
    "no such fold": ({"split": "folds", "folds": 3, "fold": 4}, 20, "There is no fold 4 of 3."),
    "too many folds": ({"split": "folds", "folds": 9}, 8, "8 labelled rows cannot fill 9 folds. Set data.folds to 8"),
    "no row for validation": ({"test_fraction": 0.0}, 2, "too few labelled rows to set some aside for validation."),
    "no row for the test": ({}, 2, "too few labelled rows to set some aside for validation."),
    "no row to train on": ({"split": "tail"}, 2, "No labelled row is left to train on."),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_split_that_cannot_be_is_refused(name):
    settings, count, sentence = REFUSED[name]
    settings = DataSettings(**settings)
    labels, parts = np.arange(count) % 2, np.zeros(count, np.int8)
    with pytest.raises(UserError, match=sentence.replace(".", r"\.")):
        splits.assign(parts, labels, None, settings, np.random.default_rng(0))


def test_groups_that_each_hold_a_whole_class_cannot_be_parted():
    labels = np.array([0, 0, 1, 1])
    with pytest.raises(UserError, match="The 2 groups of the labelled rows cannot be parted"):
        splits.assign(np.zeros(4, np.int8), labels, labels, DataSettings(), np.random.default_rng(0))


def test_a_test_that_loses_its_only_row_is_refused():
    labels = np.array([0, *[1] * 9])
    tested = []
    for seed in range(20):  # the row that is drawn is the only one of its class in one of ten seeds
        parts = np.zeros(10, np.int8)
        try:
            splits.assign(parts, labels, None, DataSettings(), np.random.default_rng(seed))
        except UserError as error:
            assert "Add rows of each class" in str(error)
        else:
            tested.append((parts == TEST).sum())
    assert tested and set(tested) == {1}
