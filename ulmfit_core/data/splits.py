"""Which rows train, validate and test: stratified, repeatable from a seed, as pure functions of the labels."""

from __future__ import annotations

import numpy as np

TRAIN, VALID, TEST, UNLABELLED = range(4)
SPLITS = ("train", "valid", "test", "unlabelled")
NAMES = {
    "": TRAIN, "train": TRAIN, "training": TRAIN,
    "valid": VALID, "validation": VALID, "dev": VALID, "val": VALID,
    "test": TEST, "testing": TEST,
    "unlabelled": UNLABELLED, "unlabeled": UNLABELLED, "unsup": UNLABELLED,
}  # fmt: skip


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
    count = max(1, round(len(rows) * share))
    taken = rows[take_share(labels[rows], count, rng)]
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


def _give_back(splits: np.ndarray, labels: np.ndarray, taken: np.ndarray) -> None:
    left = set(np.unique(labels[splits == TRAIN]).tolist())
    for row in taken:
        if labels[row] not in left:
            splits[row] = TRAIN
            left.add(int(labels[row]))


def _first_of_missing(labels: np.ndarray, lost: np.ndarray) -> list[int]:
    missing = set(labels.tolist()) - set(labels[~lost].tolist())
    return [int(np.flatnonzero(labels == label)[0]) for label in missing]
