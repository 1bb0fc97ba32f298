"""A language model on another vocabulary: rows of known tokens are copied, new ones begin as a mean of old rows.

The mean is that of all rows, or, where the vocabulary is the old one with new pieces, of the pieces that a new one
was cut into before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ulmfit_core.errors import UserError
from ulmfit_core.models.language_model import LanguageModel
from ulmfit_core.text.vocab import Pieces, Vocabulary

NEW = -1


def rows_of(old: Sequence[str], new: Sequence[str]) -> list[int]:
    """For each piece of the `new` vocabulary its row in the `old` one, found by its string; NEW where it has none."""
    places = {piece: row for row, piece in enumerate(old)}
    return [places.get(piece, NEW) for piece in new]


def parts_of(old: Vocabulary, new: Vocabulary) -> dict[int, list[int]]:
    """For each new piece its row and the `old` ids of its pieces, where `new` is `old` with pieces learned besides.

    Empty for any other vocabulary. A piece that holds what `old` does not know is left out.
    """
    if new.facts.get("settings", {}).get("extends") != old.hash or not isinstance(old, Pieces):
        return {}
    found = {row: old.cut(piece) for row, piece in enumerate(new.pieces) if row >= old.size}
    return {row: ids for row, ids in found.items() if old.unk not in ids}


def take_rows(model: LanguageModel, rows: Sequence[int], parts: Mapping[int, Sequence[int]] | None = None) -> None:
    """Give the model a vocabulary of `len(rows)` pieces: row i is its old row `rows[i]`, or the mean of all for NEW.

    A new row in `parts` is the mean of those old rows instead. The decoder's bias likewise. Embedding and decoder stay
    one tensor (ULMFiT, section 3.2; fastai does the same).
    Raises UserError for an adaptive softmax: which words share a cluster follows from the order of its vocabulary.
    """
    if model.clusters is not None:
        raise UserError(
            "A model with an adaptive softmax cannot change its vocabulary. Switch vocab.reuse on, with vocab.extend "
            "at 0, to take its own, or use a base that was trained with model.softmax = full."
        )
    with torch.no_grad():
        model.encoder.embedding = nn.Parameter(_taken(model.encoder.embedding, rows, parts or {}))
        model.bias = nn.Parameter(_taken(model.bias, rows, parts or {}))


def _taken(old: Tensor, rows: Sequence[int], parts: Mapping[int, Sequence[int]]) -> Tensor:
    """`old` (rows, ...) → (len(rows), ...)."""
    index = torch.tensor(rows, device=old.device)
    taken = old[index.clamp(min=0)]
    taken[index == NEW] = old.mean(0)
    for row, ids in parts.items():
        taken[row] = old[list(ids)].mean(0)
    return taken
