"""A language model on another vocabulary: rows of known tokens are copied, new ones begin as the mean of all rows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ulmfit_core.errors import UserError
from ulmfit_core.models.language_model import LanguageModel

NEW = -1


def rows_of(old: Sequence[str], new: Sequence[str]) -> list[int]:
    """For each piece of the `new` vocabulary its row in the `old` one, found by its string; NEW where it has none."""
    places = {piece: row for row, piece in enumerate(old)}
    return [places.get(piece, NEW) for piece in new]


def take_rows(model: LanguageModel, rows: Sequence[int]) -> None:
    """Give the model a vocabulary of `len(rows)` pieces: row i is its old row `rows[i]`, or the mean of all for NEW.

    The decoder's bias likewise. Embedding and decoder stay one tensor (ULMFiT, section 3.2; fastai does the same).
    Raises UserError for an adaptive softmax: which words share a cluster follows from the order of its vocabulary.
    """
    if model.clusters is not None:
        raise UserError(
            "A model with an adaptive softmax cannot change its vocabulary. Switch vocab.reuse on to take its own, or "
            "use a base that was trained with model.softmax = full."
        )
    with torch.no_grad():
        model.encoder.embedding = nn.Parameter(_taken(model.encoder.embedding, rows))
        model.bias = nn.Parameter(_taken(model.bias, rows))


def _taken(old: Tensor, rows: Sequence[int]) -> Tensor:
    """`old` (rows, ...) → (len(rows), ...)."""
    index = torch.tensor(rows, device=old.device)
    taken = old[index.clamp(min=0)]
    taken[index == NEW] = old.mean(0)
    return taken
