"""The AWD-LSTM encoder (Merity et al. 2017): embedding, weight-dropped LSTM layers, state passed explicitly."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ulmfit_core.models.dropout import Dropouts, Rng, dropout, locked_dropout, word_mask

# One (h, c) pair a layer, each (1, batch, features of that layer).
State = list[tuple[Tensor, Tensor]]


class WeightDropLSTM(nn.Module):
    """One LSTM layer whose hidden-to-hidden weights are dropped anew in each forward pass (DropConnect)."""

    def __init__(self, inputs: int, outputs: int, weight_drop: float):
        super().__init__()
        self.outputs = outputs
        self.weight_drop = weight_drop
        bound = 1 / math.sqrt(outputs)
        self.weight_ih = nn.Parameter(torch.empty(4 * outputs, inputs))
        self.weight_hh = nn.Parameter(torch.empty(4 * outputs, outputs))
        self.bias_ih = nn.Parameter(torch.empty(4 * outputs))
        self.bias_hh = nn.Parameter(torch.empty(4 * outputs))
        self._bound = bound

    def reset(self, rng: torch.Generator) -> None:
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -self._bound, self._bound, generator=rng)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor], rng: Rng) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """`x` (batch, time, inputs) → (batch, time, outputs) and the new (h, c)."""
        weight_hh = dropout(self.weight_hh, self.weight_drop, rng)
        weights = [self.weight_ih, weight_hh, self.bias_ih, self.bias_hh]
        output, h, c = torch.lstm(x, state, weights, True, 1, 0.0, self.training, False, True)
        return output, (h, c)


class AwdLstm(nn.Module):
    """Token ids to contextual features. The last layer has the embedding's size."""

    def __init__(self, vocabulary: int, embedding: int, hidden: int, layers: int, drops: Dropouts):
        super().__init__()
        sizes = [embedding] + [hidden] * (layers - 1) + [embedding]
        self.drops = drops
        self.embedding = nn.Parameter(torch.empty(vocabulary, embedding))
        stack = [WeightDropLSTM(a, b, drops.weight) for a, b in itertools.pairwise(sizes)]
        self.layers = nn.ModuleList(stack)

    @property
    def features(self) -> int:
        return self.embedding.shape[1]

    def reset(self, rng: torch.Generator) -> None:
        """Fresh weights from `rng`: embedding U(-.1, .1), LSTM U(-1/√n, 1/√n)."""
        nn.init.uniform_(self.embedding, -0.1, 0.1, generator=rng)
        for layer in self._lstms():
            layer.reset(rng)

    def set_dropouts(self, drops: Dropouts) -> None:
        self.drops = drops
        for layer in self._lstms():
            layer.weight_drop = drops.weight

    def _lstms(self) -> Iterator[WeightDropLSTM]:
        """The layers by their own type, which ModuleList hides."""
        return cast(Iterator[WeightDropLSTM], iter(self.layers))

    def initial_state(self, batch: int) -> State:
        """Zeros: the state before the first token."""
        sizes = [(1, batch, layer.outputs) for layer in self._lstms()]
        return [(self.embedding.new_zeros(size), self.embedding.new_zeros(size)) for size in sizes]

    def forward(self, ids: Tensor, state: State, rng: Rng = None) -> tuple[Tensor, State]:
        """`ids` (batch, time) → raw output of the last layer (batch, time, features) and the new state.

        Hidden dropout follows every layer but the last; what follows the last is its user's choice.
        """
        x = F.embedding(ids, self.embedding)
        if rng is not None and self.drops.embedding:
            x = x * word_mask(self.embedding, ids, self.drops.embedding, rng)
        x = locked_dropout(x, self.drops.input, rng)
        new_state: State = []
        for index, layer in enumerate(self._lstms()):
            if index:
                x = locked_dropout(x, self.drops.hidden, rng)
            x, pair = layer(x, state[index], rng)
            new_state.append(pair)
        return x, new_state


def detach(state: State) -> State:
    """The same numbers without their history: where back-propagation through time ends."""
    return [(h.detach(), c.detach()) for h, c in state]
