"""What a model reads, and in which order: a pure function of (seed, epoch), known before the epoch begins."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np

from ulmfit_core.config import PhaseSettings

IGNORED = -100  # the target that counts for nothing; torch's cross-entropy skips it


class Store(Protocol):
    """Where documents lie: one long array of `ids`; document i is ids[offsets[i] : offsets[i + 1]]."""

    ids: np.ndarray
    offsets: np.ndarray


class Documents:
    """Several token stores seen as one list of documents."""

    def __init__(self, parts: Sequence[tuple[Store, np.ndarray, np.ndarray]]):
        """`parts`: (store, rows of it that are used, length of each of those rows in tokens)."""
        self._ids = [store.ids for store, _, _ in parts]
        self._bases = np.cumsum([0, *(len(ids) for ids in self._ids)])
        self.lengths = np.concatenate([lengths for _, _, lengths in parts]).astype(np.int64)
        begins = [np.asarray(store.offsets)[rows] for store, rows, _ in parts]
        self.begins = np.concatenate([base + part for base, part in zip(self._bases, begins, strict=False)])

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.read(np.arange(self.begins[index], self.begins[index] + self.lengths[index]))

    def read(self, addresses: np.ndarray) -> np.ndarray:
        """The ids, int64, at `addresses` (any shape) in all stores laid end to end; document i begins at begins[i]."""
        found = np.empty(addresses.shape, np.int64)
        for base, ids in zip(self._bases, self._ids, strict=False):
            here = (addresses >= base) & (addresses < base + len(ids))
            found[here] = ids[addresses[here] - base]
        return found

    @property
    def tokens(self) -> int:
        return int(self.lengths.sum())


class Stream:
    """The documents in a given order as one long text, read where it is wanted: memory does not grow with it."""

    def __init__(self, documents: Documents, order: np.ndarray):
        lengths = documents.lengths[order]
        self._documents = documents
        self._ends = np.cumsum(lengths)
        self._shifts = documents.begins[order] - (self._ends - lengths)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def read(self, positions: np.ndarray) -> np.ndarray:
        """The ids, int64, at `positions` (any shape), each from 0 to below the stream's length."""
        document = np.searchsorted(self._ends, positions, side="right")
        return self._documents.read(positions + self._shifts[document])


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
        lengths = np.empty(0, np.int64)
        while lengths.sum() < self._column:
            base = np.where(rng.random(count) < 0.95, bptt, bptt / 2)
            lengths = np.concatenate([lengths, np.maximum(5, rng.normal(base, 5).astype(np.int64))])
        return _cut_to(lengths, self._column)

    def epoch(self, epoch: int) -> LanguageEpoch:
        order = np.arange(len(self.documents))
        if self.train:
            order = np.random.default_rng([self._seed, epoch, 0]).permutation(order)
        return LanguageEpoch(Stream(self.documents, order), self.batch, self._column, self.windows(epoch))


class LanguageEpoch:
    """The windows of one epoch, by number."""

    def __init__(self, stream: Stream, batch: int, column: int, windows: np.ndarray):
        self._stream = stream
        self._columns = np.arange(batch) * column
        self.windows = windows
        self._starts = np.concatenate([[0], np.cumsum(windows)])

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        positions = (self._columns + self._starts[index])[:, None] + np.arange(self.windows[index] + 1)
        last = len(self._stream) - 1
        ids = self._stream.read(np.minimum(positions, last))
        inputs, targets = ids[:, :-1].copy(), ids[:, 1:].copy()
        beyond = positions[:, 1:] > last
        inputs[beyond], targets[beyond] = 0, IGNORED
        return inputs, targets


def _fixed_windows(column: int, bptt: int) -> np.ndarray:
    return np.array([min(bptt, column - start) for start in range(0, column, bptt)], np.int64)


def _cut_to(lengths: np.ndarray, total: int) -> np.ndarray:
    """The first windows that together cover exactly `total` tokens."""
    if total == 0:
        return lengths[:0]
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


def language_window(tokens: int, gpu: bool, pass_tokens: int) -> tuple[int, int]:
    """Batch and bptt for a corpus of `tokens`; on a GPU a step is at most one pass of `pass_tokens`.

    A language model needs many updates more than big batches. A CPU reads small windows at nearly the rate of large
    ones, so it takes them whatever the corpus; a GPU would stand idle, so large corpora get larger ones.
    """
    if tokens < 100_000:
        return 8, 20
    if not gpu or tokens < 5_000_000:
        return 16, 35
    return max(16, min(128, pass_tokens // 70)), 70


def windows_of_phases(phases: Sequence[PhaseSettings], bptt: int) -> list[int]:
    """Window length of each epoch: its phase's, or the stage's `bptt` where the phase has none."""
    return [row.bptt or bptt for row in phases for _ in range(row.epochs)]


def class_batch(rows: int, gpu: bool) -> int:
    """Documents in a step by number of training rows."""
    if gpu:
        return 64
    return 16 if rows < 2_000 else 32 if rows < 20_000 else 64
