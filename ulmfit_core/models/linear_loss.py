"""A linear layer and its cross-entropy as one function, which never holds the scores of all rows at once.

The scores of a vocabulary are the largest thing in a language model: 4,608 tokens × 60,000 words are 1.1 GB, three
times over in a plain backward pass. Here some rows are scored, their loss and all their gradients taken, and the next
rows overwrite the scores. Nothing is computed twice: the backward pass only multiplies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ulmfit_core.data.batches import IGNORED

# Bytes of scores that exist at once. Fewer make narrower matrices, which multiply slower, and pass over the gradient
# of the weight more often; from 32 MB on glibc fetches memory from the system anew for each allocation.
SCORES_CPU = 30 << 20
SCORES_ACCELERATOR = 128 << 20
# Numbers that a processor keeps at hand from one operation to the next (4 MB in float32).
CACHED = 1 << 20


@dataclass(frozen=True)
class Gradients:
    """What one call has gathered; None where it is not wanted.

    `hidden` (rows, features) is as it leaves the matrix product, before each row's share and the mean; `weight`
    (vocabulary, features) and `bias` (vocabulary,) are in float32 or better and complete.
    """

    hidden: Tensor | None
    weight: Tensor | None
    bias: Tensor | None


def linear_cross_entropy(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of `hidden` (rows, features) · weightᵀ + bias over `targets` (rows,) that are not IGNORED.

    `weight` (vocabulary, features), `bias` (vocabulary,). Under autocast the matrices are multiplied in its format;
    softmax, loss and the sums of gradients are in float32 always. Where all targets are ignored, loss and gradients
    are 0. Can be differentiated once.
    """
    loss: Tensor = _LinearCrossEntropy.apply(*differentiable(hidden, weight, bias), targets)
    return loss


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        share = shares(targets, sums_format(weight))
        hidden, weight, bias = in_format(working_format(weight), hidden, weight, bias)
        gradients = wanted(hidden, weight, bias, ctx.needs_input_grad)
        loss = mean_cross_entropy(hidden, weight, bias, targets, share, len(targets), gradients)
        ctx.save_for_backward(gradients.hidden, share, gradients.weight, gradients.bias)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        hidden, share, *others = ctx.saved_tensors
        return scaled_rows(hidden, share, grad), *(scaled(part, grad) for part in others), None


def mean_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, share: Tensor, rows: int, gradients: Gradients
) -> Tensor:
    """Sum of the rows' cross-entropies, each times its share, divided by `rows`; adds to or fills `gradients`.

    `rows` may be more than there are here. All matrices are in the format that they are multiplied in.
    """
    total = share.new_zeros(())
    shared = (hidden * share[:, None]).to(hidden.dtype)
    parts = list(chunks(len(hidden), weight))
    space = weight.new_empty(max(part.stop - part.start for part in parts), len(weight))
    for part in parts:
        scores = torch.addmm(bias, hidden[part], weight.t(), out=space[: len(hidden[part])])
        total += _to_differences(scores, targets[part], share[part], gradients.bias, rows)
        if gradients.hidden is not None:
            torch.mm(scores, weight, out=gradients.hidden[part])
        if gradients.weight is not None:
            _add_product(gradients.weight, scores, shared[part], 1 / rows)
    return total / rows


def _to_differences(scores: Tensor, targets: Tensor, share: Tensor, bias_gradient: Tensor | None, rows: int) -> Tensor:
    """Sum of each row's share of its cross-entropy; `scores` become their gradient, softmax less one at the target.

    Row blocks stay in the processor's cache: the memory is read and written once.
    """
    total = share.new_zeros(())
    one = share.new_full((len(share), 1), -1.0)
    places = targets.clamp(min=0)[:, None]
    for block in _slices(len(scores), _block(scores, scores.shape[1])):
        exact = scores[block].to(share.dtype)
        softmax = exact.softmax(1)
        # log Σ exp: the likeliest is at least 1 / vocabulary, so that its logarithm is exact.
        log_sum = exact.amax(1) - softmax.amax(1).log()
        total += ((log_sum - exact.gather(1, places[block])[:, 0]) * share[block]).sum()
        softmax.scatter_add_(1, places[block], one[block])
        if bias_gradient is not None:
            bias_gradient.addmv_(softmax.t(), share[block], alpha=1 / rows)
        scores[block] = softmax
    return total


def _add_product(total: Tensor, scores: Tensor, hidden: Tensor, factor: float) -> None:
    """total (vocabulary, features) += factor · scoresᵀ · hidden, the sum in the format of `total`."""
    if total.dtype == scores.dtype:
        total.addmm_(scores.t(), hidden, alpha=factor)
        return
    for block in _slices(len(total), _block(total, total.shape[1])):
        total[block].add_(torch.mm(scores[:, block].t(), hidden), alpha=factor)


# Formats and sizes


def working_format(weight: Tensor) -> torch.dtype:
    """What matrices are multiplied in: autocast's format where that is on."""
    kind = weight.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype


def sums_format(weight: Tensor) -> torch.dtype:
    """What sums are in: float32, or float64 for a weight in float64."""
    return torch.promote_types(weight.dtype, torch.float32)


def shares(targets: Tensor, dtype: torch.dtype) -> Tensor:
    """(rows,) what each row counts: 0 for ignored targets, otherwise rows / rows that count; their mean is 1.

    About 1, so that float16 loses nothing: the mean's division is by a number that needs no device to be read.
    """
    known = (targets != IGNORED).to(dtype)
    return known * (len(targets) / known.sum().clamp(min=1))


def in_format(dtype: torch.dtype, *tensors: Tensor) -> list[Tensor]:
    return [tensor.to(dtype) for tensor in tensors]


def wanted(hidden: Tensor, weight: Tensor, bias: Tensor, needs: Sequence[bool]) -> Gradients:
    """Space for the gradients of the three as far as they are needed; they are in the working format already."""
    sums = sums_format(weight)
    return Gradients(
        torch.empty_like(hidden) if needs[0] else None,
        torch.zeros_like(weight, dtype=sums) if needs[1] else None,
        torch.zeros_like(bias, dtype=sums) if needs[2] else None,
    )


def chunks(rows: int, weight: Tensor) -> Iterator[slice]:
    """Rows whose scores may exist at once, evened out."""
    most = SCORES_CPU if weight.device.type == "cpu" else SCORES_ACCELERATOR
    count = max(1, -(-rows * len(weight) * weight.element_size() // most))
    return _slices(rows, max(1, -(-rows // count)))


def _block(matrix: Tensor, width: int) -> int:
    """Rows of `width` to work on at once; an accelerator takes them all, for it pays for each operation."""
    return max(1, CACHED // width) if matrix.device.type == "cpu" else max(1, len(matrix))


def _slices(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


# Into and out of autograd


def differentiable(*tensors: Tensor) -> list[Tensor]:
    """As they are, or without history where no gradient is recorded: a function's forward pass does not know that."""
    return [tensor if torch.is_grad_enabled() else tensor.detach() for tensor in tensors]


def scaled_rows(hidden: Tensor | None, share: Tensor, grad: Tensor) -> Tensor | None:
    """The gradient of the mean loss by `hidden`, times `grad`, in float32."""
    return None if hidden is None else hidden * (share * (grad / len(share)))[:, None]


def scaled(gradient: Tensor | None, grad: Tensor) -> Tensor | None:
    """Times `grad`, a scalar, in place. The CPU skips a factor of 1; to look at it would make an accelerator wait."""
    if gradient is None or (grad.device.type == "cpu" and grad == 1):
        return gradient
    return gradient.mul_(grad)
