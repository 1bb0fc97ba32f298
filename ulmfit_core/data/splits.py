"""Which rows train, validate and test: repeatable from a seed, as pure functions of the labels and groups.

What a column or a file says of a row is followed; these functions part the rows that are left in training.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from ulmfit_core.config import DataSettings
from ulmfit_core.errors import UserError

TRAIN, VALID, TEST, UNLABELLED = range(4)
SPLITS = ("train", "valid", "test", "unlabelled")
NAMES = {
    "": TRAIN, "train": TRAIN, "training": TRAIN,
    "valid": VALID, "validation": VALID, "dev": VALID, "val": VALID,
    "test": TEST, "testing": TEST,
    "unlabelled": UNLABELLED, "unlabeled": UNLABELLED, "unsup": UNLABELLED,
}  # fmt: skip

Origin = Literal["given", "fold", "share", "none"]

# Moves a share of the training rows to a split, in place.
SetAside = Callable[[float, int], None]


def assign(
    splits: np.ndarray, labels: np.ndarray, groups: np.ndarray | None, settings: DataSettings, rng: np.random.Generator
) -> None:
    """Part the training rows as the settings say, in place; rows that lie in another split stay there.

    `splits`, `labels` and `groups` have shape (rows,); groups of None: every row stands for itself. Test rows are
    set aside where there are none and no test file was given, validation rows where there are none.
    Raises UserError, saying what to change, where a part cannot have rows.
    """
    _check_given(splits, groups, settings)
    aside = _way(splits, labels, groups, settings, rng)
    given = {part: bool((splits == part).any()) for part in (VALID, TEST)}
    for part, origin in origins(settings, given[VALID], given[TEST]).items():
        if origin == "fold":
            _set_aside_fold(splits, labels, groups, settings, part, rng)
        elif origin == "share":
            aside(settings.test_fraction if part == TEST else settings.valid_fraction, part)
    _check_parts(splits, settings)


def origins(settings: DataSettings, valid_given: bool, test_given: bool) -> dict[int, Origin]:
    """Where the test and the validation rows come from, in the order in which they are set aside.

    `valid_given`, `test_given`: whether a column, a file or the data's own parts name such rows.
    """
    folds = settings.split == "folds"
    test: Origin = "given" if test_given else "fold" if folds else "share" if settings.test_fraction > 0 else "none"
    valid: Origin = "given" if valid_given else "fold" if folds and test_given else "share"
    return {TEST: test, VALID: valid}


def manner(settings: DataSettings, grouped: bool) -> Literal["tail", "group", "stratified"]:
    """How a share is set aside. The tail is named by its place in the file, whatever the groups."""
    return "tail" if settings.split == "tail" else "group" if grouped else "stratified"


def _way(
    splits: np.ndarray, labels: np.ndarray, groups: np.ndarray | None, settings: DataSettings, rng: np.random.Generator
) -> SetAside:
    way = manner(settings, groups is not None)
    if way == "tail":
        return lambda share, into: set_aside_tail(splits, share, into)
    if way == "group" and groups is not None:
        return lambda share, into: set_aside_groups(splits, labels, groups, share, into, rng)
    return lambda share, into: set_aside(splits, labels, share, into, rng)


def _check_given(splits: np.ndarray, groups: np.ndarray | None, settings: DataSettings) -> None:
    """Raises UserError where the chosen way of splitting lacks what it needs."""
    given = {part: bool((splits == part).any()) for part in (TRAIN, VALID, TEST)}
    if settings.split == "group" and groups is None:
        raise UserError("A split by group needs a group column. Choose one (data.group_column) or another split.")
    if settings.split == "column" and not (given[VALID] or given[TEST]):
        raise UserError(
            "A split by column needs a column that marks rows as valid or test. Choose one (data.split_column), "
            "or another split."
        )
    if settings.split == "file" and not (settings.valid or settings.test):
        raise UserError("A split by file needs a file of validation or test rows. Choose one, or another split.")
    for part, name, what in ((VALID, settings.valid, "validation"), (TEST, settings.test, "test")):
        if name and not given[part]:
            raise UserError(f"{Path(name).name} has no usable {what} row. Choose another file or leave it empty.")
    if settings.split == "folds" and settings.fold > settings.folds:
        raise UserError(f"There is no fold {settings.fold} of {settings.folds}. Set data.fold to a number up to it.")
    if settings.split == "folds" and given[VALID] and given[TEST]:
        raise UserError("Validation and test rows are both given, so no fold can be set aside. Choose another split.")
    if not given[TRAIN]:
        raise UserError("No labelled row is left to train on: all of them are set aside. Mark some rows as train.")


def _check_parts(splits: np.ndarray, settings: DataSettings) -> None:
    """Raises UserError where training, validation or a wanted test has no row."""
    for part, what in ((VALID, "validation"), (TEST, "the test")):
        wanted = part == VALID or settings.split == "folds" or settings.test_fraction > 0
        if wanted and not (splits == part).any():
            other = " or set data.test_fraction to 0" if part == TEST else ""
            raise UserError(
                f"There are too few labelled rows to set some aside for {what}. Add rows of each class"
                f"{', or groups that can be told apart' if settings.group_column else ''}{other}."
            )
    if not (splits == TRAIN).any():
        raise UserError("No labelled row is left to train on. Add rows, or set smaller shares aside.")


# At random, each class by its share


def take_share(labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of `count` rows, spread evenly over the classes. `labels` has shape (rows,).

    Rows sorted by class, at random inside it, then every n-th of them: each class gives its share to within one row.
    """
    order = np.lexsort((rng.random(len(labels)), labels))
    places = ((np.arange(count) + rng.random()) * len(labels) / max(count, 1)).astype(np.int64)
    return np.sort(order[places])


def set_aside(splits: np.ndarray, labels: np.ndarray, share: float, into: int, rng: np.random.Generator) -> None:
    """Move a share of the training rows, at least one, to a split, in place; each class keeps a training row."""
    rows = np.flatnonzero(splits == TRAIN)
    taken = rows[take_share(labels[rows], _count(rows, share), rng)]
    splits[taken] = into
    _give_back(splits, labels, taken)


def keep_labelled(splits: np.ndarray, labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Leave `count` rows in training, make the others unlabelled, in place. Returns the rows that lost their label."""
    rows = np.flatnonzero(splits == TRAIN)
    if count <= 0 or count >= len(rows):
        return np.empty(0, np.int64)
    lost = np.ones(len(rows), bool)
    lost[take_share(labels[rows], count, rng)] = False
    lost[_first_of_missing(labels[rows], lost)] = False
    splits[rows[lost]] = UNLABELLED
    return rows[lost]


def _count(rows: np.ndarray, share: float) -> int:
    return min(len(rows), max(1, round(len(rows) * share)))


def _give_back(splits: np.ndarray, labels: np.ndarray, taken: np.ndarray) -> None:
    left = set(np.unique(labels[splits == TRAIN]).tolist())
    for row in taken:
        if labels[row] not in left:
            splits[row] = TRAIN
            left.add(int(labels[row]))


def _first_of_missing(labels: np.ndarray, lost: np.ndarray) -> list[int]:
    missing = set(labels.tolist()) - set(labels[~lost].tolist())
    return [int(np.flatnonzero(labels == label)[0]) for label in missing]


# The last rows


def set_aside_tail(splits: np.ndarray, share: float, into: int) -> None:
    """Move the last share of the training rows, at least one, to a split, in place, whatever their classes.

    In time-ordered data what comes later is set aside; a row given back to training would tell of the future.
    """
    rows = np.flatnonzero(splits == TRAIN)
    splits[rows[len(rows) - _count(rows, share) :]] = into


# Whole groups


def set_aside_groups(
    splits: np.ndarray, labels: np.ndarray, groups: np.ndarray, share: float, into: int, rng: np.random.Generator
) -> None:
    """Move whole groups of training rows to a split, in place, so that each class gives its share as nearly as may be.

    Large groups first, at random among those of a size: at first those that exceed no class's share, then those that
    still bring the shares nearer. A group that holds the last training rows of a class stays. Raises UserError
    where that is every group.
    """
    rows = np.flatnonzero(splits == TRAIN)
    if not len(rows):
        return
    short = _class_counts(labels[rows][take_share(labels[rows], _count(rows, share), rng)], labels)
    left = _class_counts(labels[rows], labels)
    waiting = _shuffled(_members(rows, groups[rows]), rng)
    for least_gain in (1.0, 0.0):
        for members in waiting:
            classes, counts = np.unique(labels[members], return_counts=True)
            gain = (np.abs(short[classes]) - np.abs(short[classes] - counts)).sum() / len(members)
            if gain > 0 and gain >= least_gain and (left[classes] > counts).all():
                short[classes] -= counts
                left[classes] -= counts
                splits[members] = into
        waiting = [members for members in waiting if splits[members[0]] == TRAIN]
    if not (splits == into).any():
        _take_smallest(splits, labels, left, waiting, into)


def _take_smallest(
    splits: np.ndarray, labels: np.ndarray, left: np.ndarray, waiting: list[np.ndarray], into: int
) -> None:
    """One group, though it is larger than the whole share."""
    for members in reversed(waiting):
        classes, counts = np.unique(labels[members], return_counts=True)
        if (left[classes] > counts).all():
            splits[members] = into
            return
    raise UserError(
        f"The {len(waiting):,} groups of the labelled rows cannot be parted: each of them holds all training rows of "
        "some class. Choose another group column, or leave it empty."
    )


def _class_counts(some: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.bincount(some, minlength=int(labels.max()) + 1)


def _members(rows: np.ndarray, groups: np.ndarray) -> list[np.ndarray]:
    """The rows of each group; `groups` are those of `rows`."""
    order = np.argsort(groups, kind="stable")
    ends = np.flatnonzero(np.diff(groups[order])) + 1
    return np.split(rows[order], ends)


def _shuffled(members: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Largest groups first, those of a size at random."""
    places = rng.permutation(len(members))
    return sorted((members[place] for place in places), key=len, reverse=True)


# Folds


def _set_aside_fold(
    splits: np.ndarray, labels: np.ndarray, groups: np.ndarray | None, settings: DataSettings, into: int,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Set one fold aside. Which rows it holds follows from the state of `rng` and the number of folds alone."""
    rows = np.flatnonzero(splits == TRAIN)
    chosen = None if groups is None else groups[rows]
    splits[rows[fold_numbers(labels[rows], chosen, settings.folds, rng) == settings.fold - 1]] = into


def fold_numbers(labels: np.ndarray, groups: np.ndarray | None, folds: int, rng: np.random.Generator) -> np.ndarray:
    """int64, shape (rows,): the fold of each row, from 0. Each class is spread evenly; groups stay whole.

    Without groups each fold has its share of a class to within one row. Raises UserError where a fold is left empty.
    """
    if groups is None:
        places, what = len(labels), "labelled rows"
    else:
        places, what = len(np.unique(groups)), "groups of labelled rows"
    if places < folds:
        raise UserError(f"{places:,} {what} cannot fill {folds} folds. Set data.folds to {places} or fewer.")
    return _row_folds(labels, folds, rng) if groups is None else _group_folds(labels, groups, folds, rng)


def _row_folds(labels: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Rows sorted by class, at random inside it, dealt out in turn."""
    numbers = np.empty(len(labels), np.int64)
    numbers[np.lexsort((rng.random(len(labels)), labels))] = np.arange(len(labels)) % folds
    return numbers


def _group_folds(labels: np.ndarray, groups: np.ndarray, folds: int, rng: np.random.Generator) -> np.ndarray:
    """Large groups first, each to the fold that has the least of its classes, or else the fewest rows."""
    numbers = np.empty(len(labels), np.int64)
    classes = _class_counts(labels, labels)
    held, sizes = np.zeros((folds, len(classes))), np.zeros(folds)
    for members in _shuffled(_members(np.arange(len(labels)), groups), rng):
        ids, counts = np.unique(labels[members], return_counts=True)
        load = held[:, ids] @ (counts / classes[ids])
        fold = np.lexsort((sizes, load))[0]
        held[fold, ids] += counts
        sizes[fold] += len(members)
        numbers[members] = fold
    return numbers
