"""Several processes, one device each, that train one model together under torchrun: the ranks of a training.

Each reads its own rows of every batch; what they find is added up, so that all take the same step. Rank 0 leads: it
alone owns the project, its logs and checkpoints, and is asked whether to go on. The others follow its word, which
travels by torchrun's store and may be long in coming. What every rank does at the same time travels by gloo, gradients
on CUDA by NCCL.
"""

from __future__ import annotations

import atexit
import contextlib
import datetime
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import safetensors.torch
import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from ulmfit_core.errors import UserError
from ulmfit_core.run import Stopped

# A person may pause for days, and a validation may take hours.
PATIENCE = datetime.timedelta(days=30)
# What rank 0 answers at a step's boundary: the highest answer counts.
GO, FINISH, STOP = 0, 1, 2
# The generators of the ranks begin so far apart, so that each draws its own dropouts.
SEED_STRIDE = 1_000_003


class Ranks:
    """This process among all that train together. Alone, which is the rule, every method is as if it were not there."""

    def __init__(self, number: int = 0, count: int = 1, store: Store | None = None):
        self.number = number
        self.count = count
        self._store = store
        self._words = itertools.count()

    @property
    def alone(self) -> bool:
        return self.count == 1

    @property
    def first(self) -> bool:
        return self.number == 0

    def seed(self, seed: int) -> int:
        """Where this rank's generator begins."""
        return (seed + SEED_STRIDE * self.number) % 2**32 if self.number else seed

    def rows_of(self, batch: int) -> slice:
        """This rank's rows of a batch. Raises UserError where there are fewer rows than ranks."""
        if batch < self.count:
            raise UserError(
                f"A batch of {batch} rows cannot be shared by {self.count} processes. "
                f"Set batch_size to {self.count} or more, or start fewer processes."
            )
        return slice(self.number * batch // self.count, (self.number + 1) * batch // self.count)

    def check_count(self, began: int) -> None:
        """Raises UserError where a training that is resumed was begun by another number of processes."""
        if began != self.count:
            count, now = (f"{n} processes" if n > 1 else "one process" for n in (began, self.count))
            raise UserError(
                f"This training was begun by {count}, each with a share of every batch, and cannot go on in {now}. "
                f"Resume it with torchrun --nproc-per-node {began}, or start it anew."
            )

    # What all do at the same time

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all ranks, the same bits on each. One format and device for all."""
        if self.alone:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        self._reduce(flat)
        for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(total.view_as(tensor))

    def agree(self, ask: Callable[[], bool]) -> bool:
        """Rank 0's answer to `ask`, on every rank. A stop there raises Stopped on all of them."""
        if self.alone:
            return ask()
        answer = torch.tensor(_answer(ask) if self.first else GO)
        self._reduce(answer, highest=True)
        if answer == STOP:
            raise Stopped
        return bool(answer == GO)

    def collect(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """On rank 0 its own tensors and those of rank 1 under “rank1/” and so on; on another rank its own."""
        if not self.first:
            self._post(tensors)
            return tensors
        others = [(rank, self._received(rank)) for rank in range(1, self.count)]
        return {**tensors, **{f"rank{rank}/{name}": value for rank, part in others for name, value in part.items()}}

    def own(self, collected: dict[str, Tensor]) -> dict[str, Tensor]:
        """This rank's share of what was collected, by the names it gave."""
        if self.first:
            return collected
        mark = f"rank{self.number}/"
        return {name[len(mark) :]: value for name, value in collected.items() if name.startswith(mark)}

    def check_same(self, tensors: dict[str, Tensor]) -> None:
        """Raises UserError where these tensors, the model's weights, are not the same bits on every rank."""
        if self.alone:
            return
        mine = _digest(tensors)
        bounds = torch.tensor([mine, -mine])
        self._reduce(bounds, highest=True)
        if bounds[0] != -bounds[1]:
            raise UserError(
                f"The {self.count} processes no longer have the same weights. The last good checkpoint is kept: "
                "go on from it, and if this comes again, train with one process."
            )

    # Rank 0's word

    def from_first(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `work` returns on rank 0, given to every rank; the others wait. What it raises is raised on all."""
        if self.alone:
            return work()
        if not self.first:
            return _heard(self.listen())
        try:
            found = work()
        except Stopped:
            self.say({"stopped": True})
            raise
        except Exception as error:
            self.say({"failed": sentence(error)})
            raise
        self.say({"found": found})
        return found

    def say(self, word: dict[str, Any]) -> None:
        """Rank 0's next word to the others. Alone it is said to nobody."""
        if self._store is not None:
            self._store.set(f"word/{next(self._words)}", json.dumps(word))

    def listen(self) -> dict[str, Any]:
        """The next word of rank 0, as soon as it is said."""
        assert self._store is not None
        key = f"word/{next(self._words)}"
        self._store.wait([key], PATIENCE)
        word: dict[str, Any] = json.loads(self._store.get(key))
        return word

    # When a rank fails

    @contextlib.contextmanager
    def one_fate(self) -> Iterator[None]:
        """What ends this rank's training ends that of the others, who learn of it with its sentence at their next step.

        The first to fail is the one that is heard.
        """
        try:
            yield
        except Stopped:
            raise
        except Exception as error:
            if self._store is not None and not self._store.check(["failed"]):
                who = "" if self.first else f"Process {self.number} of the training failed. "
                self._store.set("failed", who + sentence(error))
            raise

    def _reason(self) -> str:
        if self._store is not None and self._store.check(["failed"]):
            return self._store.get("failed").decode()
        return "Another process of this training ended without a word. Go on from the last checkpoint."

    @contextlib.contextmanager
    def _in_touch(self) -> Iterator[None]:
        """A lost connection is told as what the other rank ended with."""
        try:
            yield
        except RuntimeError:
            raise UserError(self._reason()) from None

    def _reduce(self, tensor: Tensor, highest: bool = False) -> None:
        with self._in_touch():
            dist.all_reduce(tensor, dist.ReduceOp.MAX if highest else dist.ReduceOp.SUM)

    def _post(self, tensors: dict[str, Tensor]) -> None:
        content = safetensors.torch.save({name: value.cpu().contiguous() for name, value in tensors.items()})
        with self._in_touch():
            dist.send(torch.tensor(len(content)), 0)
            dist.send(torch.frombuffer(bytearray(content), dtype=torch.uint8), 0)

    def _received(self, rank: int) -> dict[str, Tensor]:
        size = torch.tensor(0)
        with self._in_touch():
            dist.recv(size, rank)
            content = torch.empty(int(size), dtype=torch.uint8)
            dist.recv(content, rank)
        return safetensors.torch.load(content.numpy().tobytes())


ALONE = Ranks()
_present = ALONE


def started_together() -> bool:
    """Whether torchrun started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def join() -> Ranks:
    """Meet the other processes that torchrun started. Called once, before any work; parted from at the exit."""
    global _present
    store, number, count = next(rendezvous("env://"))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=number, world_size=count, timeout=PATIENCE)
    atexit.register(dist.destroy_process_group)
    _present = Ranks(number, count, PrefixStore("ulmfit", store))
    return _present


def present() -> Ranks:
    """The ranks that this process has joined, otherwise itself alone."""
    return _present


def sentence(error: Exception) -> str:
    return str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"


def _answer(ask: Callable[[], bool]) -> int:
    try:
        return GO if ask() else FINISH
    except Stopped:
        return STOP


def _heard(word: dict[str, Any]) -> dict[str, Any]:
    if "stopped" in word:
        raise Stopped
    if "failed" in word:
        raise UserError(word["failed"])
    found: dict[str, Any] = word["found"]
    return found


def _digest(tensors: dict[str, Tensor]) -> int:
    """62 bits of a hash of all bits of the tensors."""
    sha = hashlib.sha256()
    for value in tensors.values():
        sha.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return int.from_bytes(sha.digest()[:8], "little") >> 2
