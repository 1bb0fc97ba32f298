"""What a model reads, and in which order: a pure function of (seed, epoch), known before the epoch begins."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np

from ulmfit_core.config import PhaseSettings

IGNORED = -100  # the target that counts for nothing; torch's cross-entropy skips it


class Store(Protocol):
    """Where documents lie as arrays of ids: a list of arrays, or token ids on disk."""

    def __getitem__(self, index: int, /) -> np.ndarray: ...


class Documents:
    """Several token stores seen as one list of documents (any sequence of id arrays will do)."""

    def __init__(self, parts: Sequence[tuple[Store, np.ndarray, np.ndarray]]):
        """`parts`: (store, rows of it that are used, length of each of those rows in tokens)."""
        self._stores = [store for store, _, _ in parts]
        self._store_of = np.concatenate([np.full(len(rows), i) for i, (_, rows, _) in enumerate(parts)])
        self._rows = np.concatenate([rows for _, rows, _ in parts])
        self.lengths = np.concatenate([lengths for _, _, lengths in parts]).astype(np.int64)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> np.ndarray:
        return self._stores[self._store_of[index]][self._rows[index]]

    @property
    def tokens(self) -> int:
        return int(self.lengths.sum())


class Stream:
    """The documents in a given order as one long text, read piece by piece: memory does not grow with it."""

    def __init__(self, documents: Documents, order: np.ndarray):
        self._documents = documents
        self._order = order
        self._ends = np.cumsum(documents.lengths[order])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def read(self, start: int, count: int) -> np.ndarray:
        """`count` ids from position `start`, fewer at the end."""
        pieces, wanted = [], min(start + count, len(self))
        index = int(np.searchsorted(self._ends, start, side="right"))
        while start < wanted:
            document = self._documents[int(self._order[index])]
            begin = start - (int(self._ends[index]) - len(document))
            piece = document[begin : begin + wanted - start]
            pieces.append(piece)
            start += len(piece)
            index += 1
        return np.concatenate(pieces).astype(np.int64) if pieces else np.empty(0, np.int64)


class LanguageBatches:
    """The stream cut into `batch` columns, read in windows of about `bptt` tokens, each continuing the last.

    A window is (inputs, targets), both (batch, time) int64; targets are the inputs one token later.
    For training the few tokens that do not fill all columns are left to the next epoch's shuffle; for
    validation (`train=False`) nothing is: short columns are filled with `IGNORED` targets.
    """

    def __init__(
        self, documents: Documents, batch: int, bptt: int, *, seed: int, variable: bool = True, train: bool = True,
        by_epoch: Sequence[int] = (),
    ):  # fmt: skip
        """`by_epoch`: the window length of each epoch; `bptt` holds for any after them."""
        self.documents = documents
        self.train = train
        pairs = max(0, documents.tokens - 1)
        self.batch = max(1, min(batch, pairs))
        self.bptt = bptt
        self._seed = seed
        self._by_epoch = by_epoch
        self._variable = variable and train
        self._column = pairs // self.batch if train else -(-pairs // self.batch)

    def bptt_of(self, epoch: int) -> int:
        return self._by_epoch[epoch] if epoch < len(self._by_epoch) else self.bptt

    def windows(self, epoch: int) -> np.ndarray:
        """Length of each window of an epoch; as in AWD-LSTM 3.1 N(base, 5), base = bptt or, 1 time in 20, half."""
        bptt = self.bptt_of(epoch)
        if not self._variable:
            return _fixed_windows(self._column, bptt)
        rng = np.random.default_rng([self._seed, epoch, 1])
        count = 2 + 2 * self._column // bptt
        lengths: list[int] = []
        while sum(lengths) < self._column:
            base = np.where(rng.random(count) < 0.95, bptt, bptt / 2)
            lengths += [max(5, int(length)) for length in rng.normal(base, 5)]
        return _cut_to(np.array(lengths or [0]), self._column)

    def epoch(self, epoch: int) -> LanguageEpoch:
        order = np.arange(len(self.documents))
        if self.train:
            order = np.random.default_rng([self._seed, epoch, 0]).permutation(order)
        return LanguageEpoch(Stream(self.documents, order), self.batch, self._column, self.windows(epoch))


class LanguageEpoch:
    """The windows of one epoch, by number."""

    def __init__(self, stream: Stream, batch: int, column: int, windows: np.ndarray):
        self._stream = stream
        self._batch = batch
        self._column = column
        self.windows = windows
        self._starts = np.concatenate([[0], np.cumsum(windows)])

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        start, length = int(self._starts[index]), int(self.windows[index])
        inputs = np.zeros((self._batch, length), np.int64)
        targets = np.full((self._batch, length), IGNORED, np.int64)
        for row in range(self._batch):
            ids = self._stream.read(row * self._column + start, length + 1)
            pairs = max(0, len(ids) - 1)
            inputs[row, :pairs], targets[row, :pairs] = ids[:-1], ids[1:]
        return inputs, targets


def _fixed_windows(column: int, bptt: int) -> np.ndarray:
    return np.array([min(bptt, column - start) for start in range(0, column, bptt)], np.int64)


def _cut_to(lengths: np.ndarray, total: int) -> np.ndarray:
    """The first windows that together cover exactly `total` tokens."""
    ends = np.cumsum(lengths)
    count = int(np.searchsorted(ends, total)) + 1
    cut = lengths[:count].copy()
    cut[-1] -= ends[count - 1] - total
    return cut


class ClassBatches:
    """Documents of like length together, so that little is padding; the longest batch comes first."""

    def __init__(self, lengths: np.ndarray, batch: int, *, seed: int):
        self._lengths = lengths
        self._batch = batch
        self._seed = seed
        self.order = lru_cache(maxsize=2)(self._order)

    def __len__(self) -> int:
        return len(_split(np.arange(len(self._lengths)), self._batch))

    def _order(self, epoch: int) -> list[np.ndarray]:
        """The batches of a training epoch, each an array of document numbers, never a single one (BatchNorm)."""
        rng = np.random.default_rng([self._seed, epoch, 2])
        shuffled = rng.permutation(len(self._lengths))
        pool = 50 * self._batch
        pools = [shuffled[i : i + pool] for i in range(0, len(shuffled), pool)]
        ordered = np.concatenate([part[np.argsort(-self._lengths[part], kind="stable")] for part in pools])
        batches = _split(ordered, self._batch)
        longest = max(range(len(batches)), key=lambda i: self._lengths[batches[i][0]])
        rest = [batches[i] for i in rng.permutation(len(batches)) if i != longest]
        return [batches[longest], *rest]


def by_length(lengths: np.ndarray, batch: int) -> list[np.ndarray]:
    """Batches for prediction: like lengths together, longest first; put the answers back by number."""
    order = np.argsort(-lengths, kind="stable")
    return [order[i : i + batch] for i in range(0, len(order), batch)]


def _split(order: np.ndarray, batch: int) -> list[np.ndarray]:
    """Batches of `batch`; a last one of a single document joins the one before."""
    batches = [order[i : i + batch] for i in range(0, len(order), batch)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches


def pad(documents: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """ids (batch, time) int64, filled with 0 on the right, and lengths (batch,)."""
    lengths = np.array([len(document) for document in documents], np.int64)
    ids = np.zeros((len(documents), int(lengths.max())), np.int64)
    for row, document in enumerate(documents):
        ids[row, : len(document)] = document
    return ids, lengths


def language_window(tokens: int, gpu: bool) -> tuple[int, int]:
    """Batch and bptt by size of the corpus: a small language model needs many updates more than big batches."""
    if gpu and tokens > 5_000_000:
        return 128, 70
    for limit, choice in ((100_000, (8, 20)), (5_000_000, (16, 35)), (20_000_000, (32, 70))):
        if tokens < limit:
            return choice
    return 64, 70


def windows_of_phases(phases: Sequence[PhaseSettings], bptt: int) -> list[int]:
    """Window length of each epoch: its phase's, or the stage's `bptt` where the phase has none."""
    return [row.bptt or bptt for row in phases for _ in range(row.epochs)]


def class_batch(rows: int, gpu: bool) -> int:
    """Documents in a step by number of training rows."""
    if gpu:
        return 64
    return 16 if rows < 2_000 else 32 if rows < 20_000 else 64
