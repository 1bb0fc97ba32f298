"""NT-ASGD: once validation stalls, the mean of the weights after each step is the model (AWD-LSTM paper, section 3)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn


def has_stalled(losses: Sequence[float], nonmono: int) -> bool:
    """Whether the newest of the validation losses is worse than the best of those before it but the last `nonmono`.

    The condition of the authors' code; their first print of it, over the last `nonmono`, was a slip.
    """
    *earlier, newest = losses
    return len(earlier) > nonmono and newest > min(earlier[:-nonmono])


class Average:
    """The running mean of some parameters. Buffers, such as a norm's statistics, stay those of the training."""

    def __init__(self, parameters: Sequence[nn.Parameter]):
        self._parameters = parameters
        self._means: list[Tensor] = []
        self._count = 0

    @property
    def started(self) -> bool:
        return bool(self._means)

    def start(self) -> None:
        """Average from the next step on."""
        self._means = [parameter.detach().clone() for parameter in self._parameters]
        self._count = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are after a step; nothing happens before `start`."""
        self._count += 1
        for mean, parameter in zip(self._means, self._parameters):
            mean.lerp_(parameter, 1 / self._count)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Within it the parameters are the means; after it they are what they were, bit for bit."""
        raw = [parameter.detach().clone() for parameter in self._parameters] if self.started else []
        self._write(self._means)
        try:
            yield
        finally:
            self._write(raw)

    def tensors(self) -> dict[str, Tensor]:
        """For a checkpoint: the means and how many weights are in them; empty before `start`."""
        if not self.started:
            return {}
        return {"count": torch.tensor(self._count), **{str(i): mean for i, mean in enumerate(self._means)}}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """The inverse of `tensors`."""
        if not tensors:
            return
        self.start()
        self._count = int(tensors["count"])
        for index, mean in enumerate(self._means):
            mean.copy_(tensors[str(index)])

    @torch.no_grad()
    def _write(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self._parameters, values):
            parameter.copy_(value)
