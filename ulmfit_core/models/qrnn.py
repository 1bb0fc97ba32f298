"""The QRNN layer (Bradbury et al. 2017): gates by one matrix product over all time steps, a recurrence of elements."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ulmfit_core.models.dropout import Rng, dropout

# Numbers of a block of gates: a megabyte of float32, about the second-level cache of one core.
CACHED = 262_144


class QRNNLayer(nn.Module):
    """A QRNN with forget and output gate (fo-pooling); `window`: 1 or 2, the time steps of input that a gate reads.

    It has no hidden-to-hidden weights: DropConnect is on all weights of the gates, as in fastai 1, anew in each forward
    pass.
    """

    def __init__(self, inputs: int, outputs: int, weight_drop: float, window: int):
        super().__init__()
        self.weight_drop = weight_drop
        self.window = window
        self.state_sizes = ((window - 1) * inputs, outputs)
        self.weight = nn.Parameter(torch.empty(3 * outputs, window * inputs))
        self.bias = nn.Parameter(torch.empty(3 * outputs))

    def reset(self, rng: torch.Generator) -> None:
        """U(-1/√n, 1/√n) with n the columns of the weights."""
        bound = 1 / math.sqrt(self.weight.shape[1])
        for parameter in (self.weight, self.bias):
            nn.init.uniform_(parameter, -bound, bound, generator=rng)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor], rng: Rng) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """`x` (batch, time, inputs) → (batch, time, outputs) and the new (last input, c).

        With a window of 1 the last input is not read again: it has no features.
        """
        last, c = state
        steps = x.transpose(0, 1)
        if self.window == 2:
            before = torch.cat([last.to(x.dtype), steps[:-1]])
            last = steps[-1:].to(c.dtype)
            steps = torch.cat([steps, before], -1)
        weight = dropout(self.weight, self.weight_drop, rng)
        h, c = FoPool.apply(F.linear(steps.contiguous(), weight, self.bias), c)
        return h.transpose(0, 1), (last, c)


class FoPool(torch.autograd.Function):
    """z, f, o of all time steps to outputs: c[t] = f·c[t-1] + (1 - f)·z, h = o·c (Bradbury et al. 2017, section 2.1).

    The arithmetic has the state's format also where the gates come in half precision: a forget gate near 1 would be
    rounded to 1. Time is cut into blocks that stay in the processor's cache, and the gates are activated anew on the
    way back: that is faster than to write them to memory and read them again.
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
        """`gates` (time, batch, 3 · features) before their nonlinearities, `first` c (1, batch, features).

        Returns h (time, batch, features) in the gates' format and the last c (1, batch, features).
        """
        time, batch, features = len(gates), *first.shape[1:]
        c = first.new_empty(time + 1, batch, features)
        c[:1] = first
        h = gates.new_empty(time, batch, features)
        for block in _blocks(gates):
            z, f, o = _activated(gates[block], c.dtype).split(features, -1)
            cells = c[block.start : block.stop + 1].unbind()
            for t, (z_t, f_t) in enumerate(zip(z.unbind(), f.unbind(), strict=True)):
                torch.lerp(z_t, cells[t], f_t, out=cells[t + 1])
            h[block] = o * c[block.start + 1 : block.stop + 1]
        ctx.save_for_backward(gates, c)
        return h, c[-1:].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_h: Tensor, grad_last: Tensor) -> tuple[Tensor, Tensor]:
        """`carried` is the gradient of the c that a block hands to the next one."""
        gates, c = ctx.saved_tensors
        grad = torch.empty_like(gates)
        carried = grad_last
        for block in reversed(_blocks(gates)):
            active = _activated(gates[block], c.dtype)
            grad_out = grad_h[block].to(c.dtype).contiguous()
            carried = _block_backward(active, c[block.start + 1 : block.stop + 1], grad_out, carried)
            grad[block] = active
        return grad, carried


def _blocks(gates: Tensor) -> list[slice]:
    """The time steps in blocks of CACHED numbers a thread; all in one where every operation is a kernel to launch."""
    time, batch, width = gates.shape
    on_cpu = gates.device.type == "cpu"
    steps = max(1, CACHED * torch.get_num_threads() // (batch * width)) if on_cpu else time
    return [slice(start, min(start + steps, time)) for start in range(0, time, steps)]


def _activated(gates: Tensor, dtype: torch.dtype) -> Tensor:
    """tanh of z, sigmoid of f and o. tanh(x) is 2σ(2x) - 1 since torch's tanh takes five times as long as its σ."""
    active = gates.to(dtype, copy=True)
    z = active[..., : active.shape[-1] // 3]
    z.mul_(2)
    active.sigmoid_()
    z.mul_(2).sub_(1)
    return active


def _block_backward(active: Tensor, c: Tensor, grad_h: Tensor, carried: Tensor) -> Tensor:
    """Turn the activated gates into the gradients of the gates, in place. Returns the gradient of the c before them."""
    z, f, o = active.split(c.shape[-1], -1)
    grad_c = grad_h * o
    grad_c[-1:] += carried
    grads, forgets = grad_c.unbind(), f.unbind()
    for t in range(len(grads) - 1, 0, -1):
        grads[t - 1].addcmul_(grads[t], forgets[t])
    carried = grad_c[:1] * f[:1]
    torch.ops.aten.sigmoid_backward.grad_input(grad_h * c, o, grad_input=o)
    grad_c.addcmul_(grad_c, f, value=-1)
    torch.sub(c, z, out=f).mul_(grad_c)  # f(1 - f)(c[t-1] - z) is (1 - f)(c[t] - z)
    torch.ops.aten.tanh_backward.grad_input(grad_c, z, grad_input=z)
    return carried
