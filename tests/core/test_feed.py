"""Windows come in any order that is asked for, the next one made meanwhile, and no thread outlives its window."""

import threading

import numpy as np
import pytest
import torch

from tests.core.test_batches import counting
from ulmfit_core.data.batches import LanguageBatches, LanguageEpoch
from ulmfit_core.data.feed import Feed, ReadAhead


def threads_ended():
    """The reading threads, once each has ended."""
    for thread in threading.enumerate():
        if thread.name == "read ahead":
            thread.join(5)
    return not [thread for thread in threading.enumerate() if thread.name == "read ahead"]


def test_the_next_window_is_made_in_another_thread_and_only_once():
    made = []
    ahead = ReadAhead(lambda index: made.append((index, threading.current_thread().name)) or index * 10, 4)
    assert [ahead[index] for index in range(4)] == [0, 10, 20, 30]
    assert threads_ended()
    assert made == [(0, "MainThread"), (1, "read ahead"), (2, "read ahead"), (3, "read ahead")]


def test_at_most_one_window_is_made_ahead():
    made = []
    ahead = ReadAhead(lambda index: made.append(index) or index, 100)
    ahead[5]
    assert threads_ended() and made == [5, 6]


def test_a_step_that_was_dropped_may_be_asked_for_again():
    ahead = ReadAhead(lambda index: index, 10)
    assert [ahead[index] for index in (3, 3, 4, 0, 9, 8)] == [3, 3, 4, 0, 9, 8]
    assert threads_ended()


def test_an_error_is_raised_where_its_window_is_asked_for():
    ahead = ReadAhead(lambda index: 1 / (2 - index), 5)
    assert ahead[1] == 1.0
    assert threads_ended()
    with pytest.raises(ZeroDivisionError):
        ahead[2]
    assert ahead[3] == -1.0


def test_a_feed_is_its_epoch_on_the_device():
    epoch = LanguageBatches(counting([300, 7]), 4, 20, seed=3).epoch(0)
    feed = Feed(epoch, torch.device("cpu"))
    for index in range(len(epoch)):
        for tensor, array in zip(feed[index], epoch[index], strict=True):
            assert tensor.is_contiguous() and np.array_equal(tensor.numpy(), array)
    assert threads_ended()


def test_for_an_accelerator_the_next_window_is_there_before_it_is_asked_for():
    """The device “meta” takes tensors without their numbers: an accelerator that every machine has."""

    class Watched(LanguageEpoch):
        def __getitem__(self, index):
            made.append(index)
            return super().__getitem__(index)

    made: list[int] = []
    epoch = LanguageBatches(counting([300]), 4, 20, seed=3).epoch(0)
    epoch.__class__ = Watched
    feed = Feed(epoch, torch.device("meta"))
    inputs, targets = feed[0]
    assert threads_ended() and made == [0, 1]
    assert inputs.device.type == targets.device.type == "meta" and inputs.shape == (4, epoch.windows[0])
    feed[1]
    assert threads_ended() and made == [0, 1, 2]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gets_the_same_windows_from_pinned_memory():
    epoch = LanguageBatches(counting([3000]), 4, 20, seed=3).epoch(0)
    feed = Feed(epoch, torch.device("cuda"))
    assert all(part.is_pinned() for part in feed._make(0))
    for index in range(len(epoch)):
        assert all(np.array_equal(a.cpu().numpy(), b) for a, b in zip(feed[index], epoch[index], strict=True))
