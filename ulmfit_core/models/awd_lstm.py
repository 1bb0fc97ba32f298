"""The AWD-LSTM encoder (Merity et al. 2017): embedding, weight-dropped recurrent layers, state passed explicitly."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ulmfit_core.models import lstm
from ulmfit_core.models.dropout import Dropouts, Rng, dropout, locked_dropout, word_mask
from ulmfit_core.models.qrnn import QRNNLayer

# One pair a layer, (h, c) of an LSTM or (last input, c) of a QRNN, each (1, batch, features).
State = list[tuple[Tensor, Tensor]]


class WeightDropLSTM(nn.Module):
    """One LSTM layer whose hidden-to-hidden weights are dropped anew in each forward pass (DropConnect)."""

    def __init__(self, inputs: int, outputs: int, weight_drop: float):
        super().__init__()
        self.state_sizes = (outputs, outputs)
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
        if lstm.suits(x, self.weight_ih, weight_hh):
            return lstm.lstm(x, state, weights, torch.bfloat16)
        output, h, c = torch.lstm(x, state, weights, True, 1, 0.0, self.training, False, True)
        return output, (h, c)


class AwdLstm(nn.Module):
    """Token ids to contextual features. The last layer has the embedding's size. `cell`: lstm or qrnn."""

    def __init__(
        self, vocabulary: int, embedding: int, hidden: int, layers: int, drops: Dropouts, cell: str = "lstm"
    ):  # fmt: skip
        super().__init__()
        sizes = [embedding] + [hidden] * (layers - 1) + [embedding]
        self.drops = drops
        self.embedding = nn.Parameter(torch.empty(vocabulary, embedding))
        self.layers = nn.ModuleList(_layers(cell, sizes, drops.weight))

    @property
    def features(self) -> int:
        return self.embedding.shape[1]

    def reset(self, rng: torch.Generator) -> None:
        """Fresh weights from `rng`: embedding U(-.1, .1), layers U(-1/√n, 1/√n)."""
        nn.init.uniform_(self.embedding, -0.1, 0.1, generator=rng)
        for layer in self._stack():
            layer.reset(rng)

    def set_dropouts(self, drops: Dropouts) -> None:
        self.drops = drops
        for layer in self._stack():
            layer.weight_drop = drops.weight

    def _stack(self) -> Iterator[WeightDropLSTM | QRNNLayer]:
        """The layers by their own type, which ModuleList hides."""
        return cast(Iterator[WeightDropLSTM | QRNNLayer], iter(self.layers))

    def initial_state(self, batch: int) -> State:
        """Zeros: the state before the first token."""
        zeros = self.embedding.new_zeros
        sizes = [layer.state_sizes for layer in self._stack()]
        return [(zeros(1, batch, first), zeros(1, batch, c)) for first, c in sizes]

    def forward(self, ids: Tensor, state: State, rng: Rng = None) -> tuple[Tensor, State]:
        """`ids` (batch, time) → raw output of the last layer (batch, time, features) and the new state.

        Hidden dropout follows every layer but the last; what follows the last is its user's choice.
        """
        x = F.embedding(ids, self.embedding)
        if rng is not None and self.drops.embedding:
            x = x * word_mask(self.embedding, ids, self.drops.embedding, rng)
        x = locked_dropout(x, self.drops.input, rng)
        new_state: State = []
        for index, layer in enumerate(self._stack()):
            if index:
                x = locked_dropout(x, self.drops.hidden, rng)
            x, pair = layer(x, state[index], rng)
            new_state.append(pair)
        return x, new_state


def _layers(cell: str, sizes: list[int], weight_drop: float) -> list[nn.Module]:
    """The first QRNN layer reads two tokens at a time, the others one, as in fastai and MultiFiT."""
    pairs = list(itertools.pairwise(sizes))
    if cell == "qrnn":
        return [QRNNLayer(a, b, weight_drop, 1 if index else 2) for index, (a, b) in enumerate(pairs)]
    return [WeightDropLSTM(a, b, weight_drop) for a, b in pairs]


def detach(state: State) -> State:
    """The same numbers, in float32 and without their history: where back-propagation through time ends."""
    return [(h.detach().float(), c.detach().float()) for h, c in state]


def sliced(state: State, part: slice) -> State:
    """The state of some rows of a batch."""
    return [(h[:, part].contiguous(), c[:, part].contiguous()) for h, c in state]


def joined(states: Sequence[State]) -> State:
    """The states of several batches, one below the other, as one batch's."""
    if len(states) == 1:
        return states[0]
    layers = zip(*states, strict=True)
    return [(torch.cat([h for h, _ in pairs], 1), torch.cat([c for _, c in pairs], 1)) for pairs in layers]
