"""The LSTM layer for bfloat16 on a CPU: where a layer is large, faster than torch's, which calls oneDNN.

oneDNN adds each time step's share to the weights' gradient in memory, and a large gradient does not fit in the cache.
Here what does not depend on the step before is one matrix product over all steps: the input's part of the gates, the
gradients of the input and of the weights. `docs/performance.md` has the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Weights of a layer from which on this is faster than oneDNN (bfloat16, 16 to 64 sequences, measured on AMD Zen 4).
LARGE = 1_500_000
# Elements of gates whose derivatives are computed together: few enough to stay in the cache.
CHUNK = 1 << 17

_sigmoid_backward = torch.ops.aten.sigmoid_backward
_tanh_backward = torch.ops.aten.tanh_backward


def suits(x: Tensor, weight_ih: Tensor, weight_hh: Tensor) -> bool:
    """Whether a training pass of this layer is faster here than with torch.lstm."""
    half = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    large = weight_ih.numel() + weight_hh.numel() >= LARGE
    return x.device.type == "cpu" and half and large and torch.is_grad_enabled()


def lstm(
    x: Tensor, state: tuple[Tensor, Tensor], weights: Sequence[Tensor], dtype: torch.dtype
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """`x` (batch, time, inputs) → output (batch, time, features) and the new (h, c), each (1, batch, features).

    `weights`: input-to-hidden, hidden-to-hidden, and their biases, gates in torch's order (i, f, g, o). Matrix products
    are in `dtype`, which the output has too; cell and sums over time are in float32 or wider. The new h has the format
    of the old one.
    """
    h, c = state
    weight_ih, weight_hh = (weight.to(dtype) for weight in weights[:2])
    bias = (weights[2] + weights[3]).to(dtype)
    steps = x.to(dtype).transpose(0, 1).contiguous()
    cell = c[0].to(torch.promote_types(dtype, torch.float32))
    output, c = _Lstm.apply(steps, h[0].to(dtype), cell, weight_ih, weight_hh, bias)
    return output.transpose(0, 1), (output[-1:].to(h.dtype), c.unsqueeze(0))


class _Lstm(torch.autograd.Function):
    """`x` (time, batch, inputs), `h` and `c` (batch, features) → outputs (time, batch, features) and the last c."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, h: Tensor, c: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        gates = torch.addmm(bias, x.flatten(0, 1), weight_ih.t()).unflatten(0, x.shape[:2])
        hidden, cells = h.new_empty(len(x) + 1, *h.shape), c.new_empty(len(x) + 1, *c.shape)
        hidden[0], cells[0] = h, c
        _run(gates, hidden, cells, weight_hh.t())
        ctx.save_for_backward(x, weight_ih, weight_hh, gates, hidden, cells)
        return hidden[1:], cells[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_output: Tensor, d_cell: Tensor) -> tuple[Tensor, ...]:
        x, weight_ih, weight_hh, gates, hidden, cells = ctx.saved_tensors
        d_gates, d_hidden, d_cell = _run_back(d_output, d_cell, weight_hh, gates, cells)
        flat = d_gates.flatten(0, 1)
        d_x = torch.mm(flat, weight_ih).view_as(x)
        d_weight_ih = torch.mm(flat.t(), x.flatten(0, 1))
        d_weight_hh = torch.mm(flat.t(), hidden[:-1].flatten(0, 1))
        return d_x, d_hidden, d_cell, d_weight_ih, d_weight_hh, flat.sum(0)


def _run(gates: Tensor, hidden: Tensor, cells: Tensor, weight: Tensor) -> None:
    """Fill in `hidden` and `cells`, (time + 1, batch, features), after their first entries.

    `gates` (time, batch, 4 · features) has the input's part; it becomes the whole before the activations, from which
    the backward pass computes them anew.
    """
    wide = torch.empty_like(gates[0], dtype=cells.dtype)
    i, f, g, o = wide.chunk(4, 1)
    for gate, h, new_h, c, new_c in zip(gates, hidden, hidden[1:], cells, cells[1:], strict=False):
        torch.addmm(gate, h, weight, out=gate)
        _activate_(wide.copy_(gate))
        torch.mul(f, c, out=new_c).addcmul_(i, g)
        new_h.copy_(_tanh_(new_c.clone()).mul_(o))


def _run_back(
    d_output: Tensor, d_cell: Tensor, weight: Tensor, gates: Tensor, cells: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `gates`, before their activations, of the first h and of the first c."""
    time, batch, _ = gates.shape
    d_gates, d_cell = torch.empty_like(gates), d_cell.clone()
    d_hidden = d_output[-1]
    weight = weight.t().contiguous().t()  # the order in which the product reads it
    size = max(1, CHUNK // gates[0].numel())
    for end in range(time, 0, -size):
        begin = max(0, end - size)
        by_gate, by_hidden, forget = _derivatives(gates[begin:end], cells[begin : end + 1])
        for step in reversed(range(begin, end)):
            wide = d_hidden.to(cells.dtype)
            d_cell.addcmul_(wide, by_hidden[step - begin])
            d_gate = by_gate[step - begin]
            d_gate[:, :3] *= d_cell.unsqueeze(1)
            d_gate[:, 3] *= wide
            d_cell.mul_(forget[step - begin])
            d_gates[step] = d_gate.flatten(1)
            before = d_output[step - 1] if step else torch.zeros_like(d_hidden)
            d_hidden = torch.addmm(before, d_gates[step], weight)
    return d_gates, d_hidden, d_cell


def _derivatives(gates: Tensor, cells: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of some steps: what the gradient of the cell (gates i, f, g) or of h (gate o) is multiplied by for each gate,
    (time, batch, 4, features); what that of h is for the cell; the forget gate. `cells` has one step more.
    """
    i, f, g, o = _activate_(gates.to(cells.dtype, copy=True)).chunk(4, 2)
    squashed = _tanh_(cells[1:].clone())
    parts = [
        _sigmoid_backward(g, i), _sigmoid_backward(cells[:-1], f), _tanh_backward(i, g),
        _sigmoid_backward(squashed, o),
    ]  # fmt: skip
    return torch.stack(parts, 2), _tanh_backward(o, squashed), f


def _activate_(gates: Tensor) -> Tensor:
    """Sigmoid of i, f and o, tanh of g, in place; gates last."""
    g = gates.chunk(4, -1)[2]
    g.mul_(2)
    gates.sigmoid_()
    g.mul_(2).sub_(1)
    return gates


def _tanh_(x: Tensor) -> Tensor:
    """In place, by way of the sigmoid: torch's tanh takes ten times as long on a CPU."""
    return x.mul_(2).sigmoid_().mul_(2).sub_(1)
