"""What regularises a stage and follows a course of its own from the first step to the last: dropouts and noise."""

from __future__ import annotations

import torch
from torch import Tensor

from ulmfit_core.config import StageSettings
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.dropout import Dropouts
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import Vocabulary


def dropouts_at(settings: StageSettings, share: float) -> Dropouts:
    """The five dropouts of a step `share` of the way, 0 to 1."""
    return bundles.dropouts(settings, _evenly(settings.drop_start, settings.drop_end, share))


def noise_at(settings: StageSettings, share: float) -> float:
    """Share of the ordinary tokens that are read as unknown, `share` of the way."""
    return _evenly(settings.noise_start, settings.noise_end, share)


def ordinary_tokens(vocab: Vocabulary, device: torch.device) -> Tensor:
    """(vocabulary,) bool: the ids that noise may replace, which are all but the tokens with a meaning of their own."""
    ordinary = torch.ones(vocab.size, dtype=torch.bool)
    ordinary[[vocab.id_of(name) for name in SPECIALS]] = False
    return ordinary.to(device)


def _evenly(start: float, end: float, share: float) -> float:
    return start + (end - start) * share
