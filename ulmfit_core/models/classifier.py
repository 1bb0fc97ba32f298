"""The classifier: encoder read in chunks (BPT3C), concat pooling, a small head (ULMFiT paper, section 3.3)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from ulmfit_core.models.awd_lstm import AwdLstm, detach
from ulmfit_core.models.dropout import Rng, dropout

# What `Classifier.read` takes at once: at most so much that a stop is not long in coming, and where documents end so
# few steps that little is read behind their ends.
READ_STEPS, READ_TOKENS, LEAST_STEPS = 512, 5_120, 32


class Head(nn.Module):
    """BatchNorm, dropout, linear, ReLU, BatchNorm, dropout, linear: pooled features → class scores.

    torch's own initialisation is skipped: it would draw from the process-wide generator.
    """

    def __init__(self, features: int, hidden: int, classes: int, drops: tuple[float, float]):
        super().__init__()
        self.drops = drops
        self.norm1 = nn.BatchNorm1d(features)
        self.linear1 = skip_init(nn.Linear, features, hidden, bias=False)
        self.norm2 = nn.BatchNorm1d(hidden)
        self.linear2 = skip_init(nn.Linear, hidden, classes, bias=False)

    def reset(self, rng: torch.Generator) -> None:
        for linear in (self.linear1, self.linear2):
            nn.init.kaiming_normal_(linear.weight, generator=rng)

    def forward(self, pooled: Tensor, rng: Rng) -> Tensor:
        x = self.linear1(dropout(self.norm1(pooled), self.drops[0], rng))
        return self.linear2(dropout(self.norm2(x.relu()), self.drops[1], rng))


class Pool:
    """Concat pooling [last, max, mean] over chunks, each document by its own length: batch mates do not matter."""

    def __init__(self, lengths: Tensor, features: int, first_pooled: Tensor):
        self.lengths = lengths
        self.first_pooled = first_pooled
        self.last = self.maximum = self.total = torch.zeros(())
        self.started = False
        self.features = features

    def add(self, output: Tensor, start: int) -> None:
        """Take in `output` (batch, time, features), whose first position is `start` in the documents."""
        positions = torch.arange(start, start + output.shape[1], device=output.device)
        inside = (positions < self.lengths[:, None]) & (positions >= self.first_pooled[:, None])
        inside = inside.unsqueeze(-1)
        is_last = (positions == self.lengths[:, None] - 1).unsqueeze(-1)
        last = (output * is_last).sum(1)
        maximum = output.masked_fill(~inside, float("-inf")).amax(1)
        total = (output * inside).sum(1)
        if self.started:
            last, maximum, total = self.last + last, torch.maximum(self.maximum, maximum), self.total + total
        self.last, self.maximum, self.total, self.started = last, maximum, total, True

    def features_of(self) -> Tensor:
        """(batch, 3 × features): last, max, mean."""
        count = (self.lengths - self.first_pooled).unsqueeze(-1)
        return torch.cat([self.last, self.maximum, self.total / count], 1)

    def keep(self, rows: int) -> None:
        """Go on with the first `rows` documents."""
        self.lengths, self.first_pooled = self.lengths[:rows], self.first_pooled[:rows]
        self.last, self.maximum, self.total = self.last[:rows], self.maximum[:rows], self.total[:rows]


class Classifier(nn.Module):
    """Documents to class scores."""

    def __init__(self, encoder: AwdLstm, head: Head, bptt: int, max_length: int):
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.bptt = bptt
        self.max_length = max_length

    def pool(
        self, ids: Tensor, lengths: Tensor, rng: Rng = None, between: Callable[[], object] = bool, bptt: int = 0
    ) -> Tensor:
        """`ids` (batch, time), padded on the right, `lengths` (batch,) ≥ 1 → pooled features (batch, 3 × features).

        A chunk has `bptt` tokens, 0 for the model's own. The state is carried from chunk to chunk and detached
        between them. Of a document longer than `max_length` only the chunks that begin within its last
        `max_length` tokens are pooled; the others are read without gradient. `between` is called before each
        chunk, so that a stop need not wait.
        """
        bptt = bptt or self.bptt
        state = self.encoder.initial_state(ids.shape[0])
        first = self._first_pooled(lengths, bptt)
        pool = Pool(lengths, self.encoder.features, first)
        start_of_gradient = int(first.min())
        for start in range(0, ids.shape[1], bptt):
            between()
            chunk = ids[:, start : start + bptt]
            if start < start_of_gradient:
                with torch.no_grad():
                    _, state = self.encoder(chunk, state, rng)
            else:
                output, state = self.encoder(chunk, detach(state), rng)
                pool.add(output.float(), start)
        return pool.features_of()

    def read(self, ids: Tensor, lengths: Tensor, between: Callable[[], object] = bool) -> Tensor:
        """As `pool`, for prediction. The documents come longest first; each leaves the batch near its end.

        A chunk ends where the shortest document does, but has LEAST_STEPS: a layer gathers its weights anew for each.
        """
        left = lengths.tolist()
        state = self.encoder.initial_state(len(left))
        pool = Pool(lengths, self.encoder.features, self._first_pooled(lengths, self.bptt))
        ended: list[Tensor] = []
        start = 0
        while left:
            between()
            steps = max(LEAST_STEPS, left[-1] - start)
            end = start + min(steps, READ_STEPS, max(1, READ_TOKENS // len(left)), left[0] - start)
            output, state = self.encoder(ids[: len(left), start:end], state)
            pool.add(output.float(), start)
            rows = sum(length > end for length in left)
            if rows < len(left):
                ended.insert(0, pool.features_of()[rows:])
                pool.keep(rows)
                left, state = left[:rows], [(h[:, :rows], c[:, :rows]) for h, c in state]
            start = end
        return torch.cat(ended)

    def forward(self, ids: Tensor, lengths: Tensor, rng: Rng = None, between: Callable[[], object] = bool) -> Tensor:
        """Class scores (batch, classes)."""
        return self.head(self.pool(ids, lengths, rng, between), rng)

    def first_pooled(self, length: int) -> int:
        """The first token that is pooled of a document of that many."""
        return int(self._first_pooled(torch.tensor([length]), self.bptt)[0])

    def _first_pooled(self, lengths: Tensor, bptt: int) -> Tensor:
        """The start of the first chunk that lies within the last `max_length` tokens, for each document."""
        beyond = (lengths - self.max_length).clamp(min=0)
        last_chunk = (lengths - 1) // bptt
        return torch.minimum((beyond + bptt - 1) // bptt, last_chunk) * bptt

    def groups(self) -> list[tuple[str, list[nn.Parameter]]]:
        """Layer groups from the bottom up: embedding FIRST, head last."""
        layers = [(f"rnn{i + 1}", list(layer.parameters())) for i, layer in enumerate(self.encoder.layers)]
        return [("embedding", [self.encoder.embedding]), *layers, ("head", list(self.head.parameters()))]
