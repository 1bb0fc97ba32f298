"""Adaptive softmax (Grave et al. 2017) on a tied decoder: rare words in clusters, scored only where they are met.

The vocabulary is ordered by frequency. A head scores its most frequent words and one entry for each cluster of rarer
ones; the probability of a rare word is that of its cluster times its own within the cluster. In training a cluster's
words are scored only for the tokens whose target is among them. The words' rows are those of the embedding, at full
length, so that weights stay tied; only the entries of the clusters are new.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ulmfit_core.models import linear_loss
from ulmfit_core.models.linear_loss import Gradients

# Where clusters begin, by frequency. Part of what a saved model means: not to be changed for those that are there.
# On 12M words of Wikipedia, vocabulary 60,000, the first 1,000 words are 74 % of the text, 5,000 88 %, 15,000 96 %,
# 30,000 98 %: the decoder multiplies a twentieth of the full softmax's matrices.
CUTOFFS = (1_000, 5_000, 15_000, 30_000)


def cutoffs(softmax: str, vocabulary: int) -> tuple[int, ...]:
    """First word of each cluster in a vocabulary ordered by frequency; none for the full softmax."""
    return tuple(first for first in CUTOFFS if first < vocabulary) if softmax == "adaptive" else ()


class Clusters(nn.Module):
    """The entries of the clusters in the head. `cutoffs` are the numbers of their first words."""

    def __init__(self, vocabulary: int, features: int, cutoffs: tuple[int, ...]):
        super().__init__()
        self.cutoffs = cutoffs
        self.parts = [slice(*ends) for ends in itertools.pairwise((*cutoffs, vocabulary))]
        # A fresh model takes all words to be about as likely, as with the full softmax.
        self.weight = nn.Parameter(torch.zeros(len(cutoffs), features))
        self.bias = nn.Parameter(torch.tensor([math.log(part.stop - part.start) for part in self.parts]))

    def loss(self, hidden: Tensor, embedding: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy; arguments, formats and memory as those of `linear_cross_entropy`."""
        inputs = linear_loss.differentiable(hidden, embedding, bias, self.weight, self.bias)
        loss: Tensor = _AdaptiveCrossEntropy.apply(*inputs, targets, self)
        return loss

    def log_probabilities(self, hidden: Tensor, embedding: Tensor, bias: Tensor) -> Tensor:
        """`hidden` (..., features) → (..., vocabulary); the probabilities of all words sum to one."""
        head = _log_softmax(hidden, *self.head(embedding, bias))
        parts = [head[..., : self.cutoffs[0]]]
        for entry, cluster in enumerate(self.parts, self.cutoffs[0]):
            tail = _log_softmax(hidden, embedding[cluster], bias[cluster])
            parts.append(tail + head[..., entry, None])
        return torch.cat(parts, -1)

    def head(self, embedding: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Weight and bias of the frequent words, followed by the clusters'."""
        first = self.cutoffs[0]
        return torch.cat([embedding[:first], self.weight]), torch.cat([bias[:first], self.bias])

    def entries(self, targets: Tensor) -> Tensor:
        """(rows,) each target's place in the head: its own, or its cluster's. Ignored ones stay."""
        entry = torch.bucketize(targets, torch.tensor(self.cutoffs, device=targets.device), right=True)
        return torch.where(entry > 0, entry + (self.cutoffs[0] - 1), targets)


def _log_softmax(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.linear(hidden, weight, bias).to(linear_loss.sums_format(weight)).log_softmax(-1)


class _AdaptiveCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, embedding: Tensor, bias: Tensor, own_weight: Tensor, own_bias: Tensor,
        targets: Tensor, clusters: Clusters,
    ) -> Tensor:  # fmt: skip
        """The decoder learns as a whole or not at all."""
        dtype = linear_loss.working_format(embedding)
        share = linear_loss.shares(targets, linear_loss.sums_format(embedding))
        needs = (ctx.needs_input_grad[0], *[any(ctx.needs_input_grad[1:])] * 2)
        hidden, weight, head_bias = linear_loss.in_format(dtype, hidden, *clusters.head(embedding, bias))
        head = linear_loss.wanted(hidden, weight, head_bias, needs)
        rows = len(targets)
        loss = linear_loss.mean_cross_entropy(hidden, weight, head_bias, clusters.entries(targets), share, rows, head)
        words = linear_loss.wanted(hidden, embedding, bias, (False, *needs[1:]))
        for cluster in clusters.parts:
            loss += _tail(cluster, hidden, embedding, bias, targets, share, head.hidden, words)
        ctx.save_for_backward(head.hidden, share, *_divided(head, words, clusters.cutoffs[0]))
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        hidden, share, *others = ctx.saved_tensors
        scaled = (linear_loss.scaled(part, grad) for part in others)
        return linear_loss.scaled_rows(hidden, share, grad), *scaled, None, None


def _tail(
    cluster: slice, hidden: Tensor, embedding: Tensor, bias: Tensor, targets: Tensor, share: Tensor,
    hidden_gradient: Tensor | None, words: Gradients,
) -> Tensor:  # fmt: skip
    """What the choice among the words of one cluster adds to the loss and to the gradients, where it is met.

    How many rows that is, an accelerator has to say.
    """
    rows = ((targets >= cluster.start) & (targets < cluster.stop)).nonzero()[:, 0]
    if not len(rows):
        return share.new_zeros(())
    met, weight, bias = linear_loss.in_format(hidden.dtype, hidden[rows], embedding[cluster], bias[cluster])
    gradients = Gradients(
        None if hidden_gradient is None else torch.empty_like(met),
        None if words.weight is None else words.weight[cluster],
        None if words.bias is None else words.bias[cluster],
    )
    loss = linear_loss.mean_cross_entropy(
        met, weight, bias, targets[rows] - cluster.start, share[rows], len(targets), gradients
    )
    if hidden_gradient is not None and gradients.hidden is not None:
        hidden_gradient.index_add_(0, rows, gradients.hidden)
    return loss


def _divided(head: Gradients, words: Gradients, first: int) -> list[Tensor | None]:
    """The gradients of embedding, bias, the clusters' weight and bias; the words' take theirs from the head's."""
    if head.weight is None or head.bias is None or words.weight is None or words.bias is None:
        return [None] * 4
    words.weight[:first], words.bias[:first] = head.weight[:first], head.bias[:first]
    return [words.weight, words.bias, head.weight[first:].clone(), head.bias[first:].clone()]
