"""Encoder and tied decoder: predicts the next token, with the AWD-LSTM paper's two activation penalties."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ulmfit_core.data.batches import IGNORED
from ulmfit_core.models import linear_loss
from ulmfit_core.models.awd_lstm import AwdLstm, State
from ulmfit_core.models.decoder import Clusters
from ulmfit_core.models.dropout import Rng, locked_dropout


@dataclass(frozen=True)
class LanguageFeatures:
    """`raw` and `dropped`: last layer's output (batch, time, features) before and after output dropout."""

    raw: Tensor
    dropped: Tensor
    state: State


@dataclass(frozen=True)
class LanguageOutput:
    """Features and what follows from them: `logits` (batch, time, vocabulary)."""

    logits: Tensor
    raw: Tensor
    dropped: Tensor
    state: State


class LanguageModel(nn.Module):
    """The decoder's weight IS the embedding; its own are its bias and the clusters of an adaptive softmax."""

    def __init__(self, encoder: AwdLstm, cutoffs: tuple[int, ...] = ()):
        """`cutoffs`: first word of each cluster of rare words; none for the full softmax."""
        super().__init__()
        self.encoder = encoder
        vocabulary, features = encoder.embedding.shape
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.clusters = Clusters(vocabulary, features, cutoffs) if cutoffs else None

    def read(self, ids: Tensor, state: State, rng: Rng = None) -> LanguageFeatures:
        """`ids` (batch, time) → features, from which `loss` and `score` follow without logits of the whole batch."""
        raw, state = self.encoder(ids, state, rng)
        return LanguageFeatures(raw, locked_dropout(raw, self.encoder.drops.output, rng), state)

    def forward(self, ids: Tensor, state: State, rng: Rng = None) -> LanguageOutput:
        """`ids` (batch, time) → logits (batch, time, vocabulary)."""
        features = self.read(ids, state, rng)
        return LanguageOutput(self.decode(features.dropped), features.raw, features.dropped, features.state)

    def decode(self, dropped: Tensor) -> Tensor:
        """`dropped` (..., features) → logits (..., vocabulary); of an adaptive softmax log-probabilities."""
        if self.clusters is not None:
            return self.clusters.log_probabilities(dropped, self.encoder.embedding, self.bias)
        return F.linear(dropped, self.encoder.embedding, self.bias)

    def loss(self, dropped: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of `dropped` (batch, time, features) over `targets` (batch, time) that are not IGNORED.

        A float32 scalar to be differentiated; the scores of some rows at a time are held, never of all.
        """
        rows = (dropped.flatten(0, -2), self.encoder.embedding, self.bias, targets.flatten())
        return self.clusters.loss(*rows) if self.clusters is not None else linear_loss.linear_cross_entropy(*rows)

    def score(self, dropped: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Sum of the cross-entropy, targets that were the likeliest token, targets that count: scalars on the device.

        Arguments as those of `loss`. For measuring, without a gradient.
        """
        rows, truth = dropped.flatten(0, -2), targets.flatten()
        loss, right = rows.new_zeros((), dtype=torch.float32), truth.new_zeros(())
        for part in linear_loss.chunks(len(rows), self.encoder.embedding):
            logits = self.decode(rows[part]).float()
            loss += F.cross_entropy(logits, truth[part], reduction="sum", ignore_index=IGNORED)
            right += (logits.argmax(1) == truth[part]).sum()
        return loss, right, (truth != IGNORED).sum()

    def groups(self) -> list[tuple[str, list[nn.Parameter]]]:
        """Layer groups from the bottom up; embedding and decoder come LAST, as in fastai."""
        layers = [(f"rnn{i + 1}", list(layer.parameters())) for i, layer in enumerate(self.encoder.layers)]
        clusters = list(self.clusters.parameters()) if self.clusters is not None else []
        return [*layers, ("embedding+decoder", [self.encoder.embedding, self.bias, *clusters])]


def activation_penalty(output: LanguageFeatures | LanguageOutput, alpha: float, beta: float) -> Tensor:
    """AR on the dropped output plus TAR on the raw one (AWD-LSTM 4.3), in float32. Not part of the reported loss."""
    penalty = alpha * output.dropped.float().pow(2).mean()
    if output.raw.shape[1] > 1:
        raw = output.raw.float()
        penalty = penalty + beta * (raw[:, 1:] - raw[:, :-1]).pow(2).mean()
    return penalty
