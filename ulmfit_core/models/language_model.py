"""Encoder and tied decoder: predicts the next token, with the AWD-LSTM paper's two activation penalties."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ulmfit_core.models.awd_lstm import AwdLstm, State
from ulmfit_core.models.dropout import Rng, locked_dropout


@dataclass(frozen=True)
class LanguageOutput:
    """`raw` and `dropped`: last layer's output (batch, time, features) before and after output dropout."""

    logits: Tensor
    raw: Tensor
    dropped: Tensor
    state: State


class LanguageModel(nn.Module):
    """The decoder's weight IS the embedding; only its bias is its own."""

    def __init__(self, encoder: AwdLstm):
        super().__init__()
        self.encoder = encoder
        self.bias = nn.Parameter(torch.zeros(encoder.embedding.shape[0]))

    def forward(self, ids: Tensor, state: State, rng: Rng = None) -> LanguageOutput:
        """`ids` (batch, time) → logits (batch, time, vocabulary)."""
        raw, state = self.encoder(ids, state, rng)
        dropped = locked_dropout(raw, self.encoder.drops.output, rng)
        return LanguageOutput(F.linear(dropped, self.encoder.embedding, self.bias), raw, dropped, state)

    def groups(self) -> list[tuple[str, list[nn.Parameter]]]:
        """Layer groups from the bottom up; embedding and decoder come LAST, as in fastai."""
        layers = [(f"rnn{i + 1}", list(layer.parameters())) for i, layer in enumerate(self.encoder.layers)]
        return [*layers, ("embedding+decoder", [self.encoder.embedding, self.bias])]


def activation_penalty(output: LanguageOutput, alpha: float, beta: float) -> Tensor:
    """AR on the dropped output plus TAR on the raw one (AWD-LSTM 4.3), in float32. Not part of the reported loss."""
    penalty = alpha * output.dropped.float().pow(2).mean()
    if output.raw.shape[1] > 1:
        raw = output.raw.float()
        penalty = penalty + beta * (raw[:, 1:] - raw[:, :-1]).pow(2).mean()
    return penalty
