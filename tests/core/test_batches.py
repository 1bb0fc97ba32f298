"""Every token is read once, in an order that follows from seed and epoch alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulmfit_core.config import PhaseSettings
from ulmfit_core.data.batches import (
    IGNORED,
    ClassBatches,
    Documents,
    LanguageBatches,
    Stream,
    by_length,
    language_window,
    pad,
    windows_of_phases,
)
from ulmfit_core.data.tokens import Tokens


def documents_of(*texts):
    tokens = tokens_of(*texts)
    return Documents([(tokens, np.arange(len(texts)), tokens.lengths)])


def tokens_of(*texts):
    offsets = np.cumsum([0, *(len(text) for text in texts)])
    return Tokens(np.array([id for text in texts for id in text], np.uint32), offsets, {})


def counting(lengths):
    """Documents whose ids count 0, 1, 2 … through all of them."""
    ends = np.cumsum([0, *lengths])
    return documents_of(*(range(a, b) for a, b in zip(ends, ends[1:], strict=False)))


@given(st.lists(st.lists(st.integers(0, 65535), max_size=6), min_size=1, max_size=12).filter(any), st.data())
def test_a_stream_reads_like_one_long_array(texts, data):
    """Also of several stores, of some of their rows in any order, with empty documents among them."""
    cut = data.draw(st.integers(0, len(texts)))
    rows = [data.draw(st.permutations(range(len(part)))) for part in (texts[:cut], texts[cut:])]
    stores = [tokens_of(*part) for part in (texts[:cut], texts[cut:])]
    parts = [(store, np.array(r, int), store.lengths[np.array(r, int)]) for store, r in zip(stores, rows, strict=True)]
    order = np.array(data.draw(st.permutations(range(len(texts)))))
    listed = [texts[:cut][r] for r in rows[0]] + [texts[cut:][r] for r in rows[1]]
    whole = np.array([id for number in order for id in listed[number]])
    stream = Stream(Documents(parts), order)
    positions = np.array(data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=4, max_size=4))).reshape(2, 2)
    assert len(stream) == len(whole) and (stream.read(positions) == whole[positions]).all()


@given(st.lists(st.integers(1, 9), min_size=3, max_size=30), st.integers(1, 5), st.integers(1, 12))
def test_validation_sees_every_next_token_exactly_once(lengths, batch, bptt):
    batches = LanguageBatches(counting(lengths), batch, bptt, seed=1, train=False)
    epoch = batches.epoch(0)
    pairs = [
        (int(a), int(b))
        for i in range(len(epoch))
        for a, b in zip(*(part.ravel() for part in epoch[i]), strict=True)
        if b != IGNORED
    ]
    assert sorted(pairs) == [(i, i + 1) for i in range(sum(lengths) - 1)]


@given(st.integers(1, 400), st.integers(1, 8), st.integers(5, 40), st.integers(0, 3))
def test_training_windows_cover_each_column_once(size, batch, bptt, epoch):
    batches = LanguageBatches(counting([size, 3]), batch, bptt, seed=7)
    windows = batches.windows(epoch)
    assert windows.sum() == (size + 2) // batches.batch and (windows > 0).all()
    assert (windows == batches.windows(epoch)).all()


def test_a_single_token_has_no_window():
    for train in (True, False):
        assert len(LanguageBatches(counting([1]), 4, 20, seed=3, train=train).epoch(0)) == 0


def test_a_window_continues_the_one_before():
    epoch = LanguageBatches(counting([500]), 4, 20, seed=3).epoch(0)
    for index in range(len(epoch) - 1):
        assert (epoch[index][1][:, -1] == epoch[index + 1][0][:, 0]).all()


def test_variable_windows_have_the_papers_mean_and_spread():
    windows = LanguageBatches(counting([2_000_000]), 1, 70, seed=5).windows(0)[:-1]
    assert windows.mean() == pytest.approx(0.95 * 70 + 0.05 * 35, abs=0.7)
    assert windows.min() >= 5 and len(set(windows.tolist())) > 20
    short = (windows < 52).mean()
    assert short == pytest.approx(0.05, abs=0.01)


def test_each_epoch_has_the_windows_of_its_phase():
    phases = [PhaseSettings(epochs=2, bptt=10), PhaseSettings(bptt=0), PhaseSettings(bptt=100)]
    assert windows_of_phases(phases, 40) == [10, 10, 40, 100]
    batches = LanguageBatches(counting([200_000]), 1, 40, seed=5, by_epoch=windows_of_phases(phases, 40))
    for epoch, base in enumerate([10, 10, 40, 100, 40]):
        windows = batches.windows(epoch)
        assert windows.sum() == 199_999
        assert np.median(windows) == pytest.approx(base, rel=0.1)
    fixed = LanguageBatches(counting([1000]), 1, 40, seed=5, variable=False, by_epoch=[10, 100])
    assert [set(fixed.windows(epoch)[:-1].tolist()) for epoch in range(3)] == [{10}, {100}, {40}]


def test_epochs_are_shuffled_differently_but_the_same_each_time():
    batches = LanguageBatches(counting([5] * 50), 2, 10, seed=3)
    first, again, second = (batches.epoch(e)[0][0].tolist() for e in (0, 0, 1))
    assert first == again != second


@given(st.lists(st.integers(1, 50), min_size=2, max_size=200), st.integers(2, 16), st.integers(0, 2))
def test_class_batches_hold_every_document_once_and_never_one_alone(lengths, batch, epoch):
    batches = ClassBatches(np.array(lengths), batch, seed=1)
    order = batches.order(epoch)
    assert sorted(np.concatenate(order).tolist()) == list(range(len(lengths)))
    assert all(len(rows) > 1 for rows in order) and len(order) == len(batches)
    assert max(lengths) == lengths[order[0][0]]


def test_a_cpu_takes_small_windows_whatever_the_corpus():
    assert language_window(99_999, False, 5120) == (8, 20)
    assert {language_window(size, False, 5120) for size in (10**5, 10**7, 10**9)} == {(16, 35)}


def test_a_gpu_takes_larger_windows_of_a_large_corpus_that_fit_in_a_pass():
    assert [language_window(size, True, 65_536) for size in (10**4, 10**6, 10**7)] == [(8, 20), (16, 35), (128, 70)]
    assert language_window(10**7, True, 4_480) == (64, 70)
    assert language_window(10**7, True, 10) == (16, 70)


def test_by_length_can_be_put_back_in_order():
    rows = by_length(np.array([3, 9, 1, 9, 2]), 2)
    assert [part.tolist() for part in rows] == [[1, 3], [0, 4], [2]]


def test_padding_is_on_the_right():
    ids, lengths = pad([np.array([5, 6]), np.array([7, 8, 9])])
    assert ids.tolist() == [[5, 6, 0], [7, 8, 9]] and lengths.tolist() == [2, 3]
