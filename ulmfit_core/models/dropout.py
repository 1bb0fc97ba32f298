"""Inverted dropout with the run's own generator: no process-wide randomness, so that a resume is exact.

A generator of None means "as in prediction": nothing is dropped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

Rng = torch.Generator | None


@dataclass(frozen=True)
class Dropouts:
    """The five dropouts of the AWD-LSTM (AWD-LSTM paper, section 4)."""

    embedding: float = 0.0
    input: float = 0.0
    hidden: float = 0.0
    weight: float = 0.0
    output: float = 0.0

    def scaled(self, by: float) -> Dropouts:
        """All five times `by` (`drop_mult`), kept below 1."""
        values = (self.embedding, self.input, self.hidden, self.weight, self.output)
        return Dropouts(*(min(value * by, 0.95) for value in values))


def mask(like: Tensor, shape: tuple[int, ...], p: float, rng: torch.Generator) -> Tensor:
    """Zeros with probability `p`, otherwise 1/(1-p), so that the mean stays."""
    kept = like.new_empty(shape)
    if kept.device.type == "cpu":
        torch.ge(_int16(shape, rng), round(p * 2**16) - 2**15, out=kept)
    else:
        kept.bernoulli_(1 - p, generator=rng)
    return kept.div_(1 - p)


def _int16(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Random integers from -2^15 to 2^15 - 1, four from each number drawn.

    On a CPU bernoulli_ draws 64 bits for each element and takes three times as long. 16 bits give `p` to 1/65,536.
    """
    count = math.prod(shape)
    draws = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None, generator=rng)
    return draws.view(torch.int16)[:count].view(shape)


def dropout(x: Tensor, p: float, rng: Rng) -> Tensor:
    """Each element of `x` on its own."""
    if rng is None or p == 0:
        return x
    return x * mask(x, tuple(x.shape), p, rng)


def locked_dropout(x: Tensor, p: float, rng: Rng) -> Tensor:
    """Variational dropout of `x` (batch, time, features): one mask (batch, 1, features) for all time steps."""
    if rng is None or p == 0:
        return x
    return x * mask(x, (x.shape[0], 1, x.shape[2]), p, rng)


def word_mask(weight: Tensor, ids: Tensor, p: float, rng: torch.Generator) -> Tensor:
    """Factor (batch, time, 1) for embedded `ids` (batch, time): whole word types dropped, wherever they stand."""
    kept = mask(weight, (weight.shape[0],), p, rng)
    return kept[ids].unsqueeze(-1)


def unknown_noise(ids: Tensor, ordinary: Tensor, unknown: int, p: float, rng: torch.Generator) -> Tensor:
    """`ids` (batch, time), each `ordinary` one (vocabulary,) read as `unknown` with probability `p`.

    At p = 0 no number is drawn.
    """
    if p == 0:
        return ids
    hit = torch.empty(ids.shape, device=ids.device).bernoulli_(p, generator=rng).bool()
    return ids.masked_fill(hit & ordinary[ids], unknown)
