"""Weights in eight bits: each row of a matrix as whole numbers from -127 to 127 beside one scale of its own.

A row's largest weight is 127, so no weight is off by more than a 254th of it. Vectors (biases, statistics) stay as they
are: they are few.
"""

from __future__ import annotations

import torch
from torch import Tensor

SCALE = ".scale"  # behind a matrix's name: float32, shape (rows,)
STEPS = 127


def packed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same names; of a floating-point matrix (rows, columns) its int8 numbers, and its scales beside it."""
    stored: dict[str, Tensor] = {}
    for name, value in weights.items():
        if value.dim() == 2 and value.is_floating_point():
            scale = value.float().abs().amax(1).clamp_min(1e-12) / STEPS
            stored[name] = (value.float() / scale[:, None]).round().to(torch.int8)
            stored[name + SCALE] = scale
        else:
            stored[name] = value
    return stored


def unpacked(stored: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in float32 again; what was never packed is left alone. Raises ValueError where a scale is wrong."""
    weights = {}
    for name, value in stored.items():
        if value.dtype == torch.int8:
            weights[name] = value.float() * _scale(stored, name)[:, None]
        elif not (name.endswith(SCALE) and name[: -len(SCALE)] in stored):
            weights[name] = value
    return weights


def _scale(stored: dict[str, Tensor], name: str) -> Tensor:
    scale = stored.get(name + SCALE)
    fits = scale is not None and scale.dtype == torch.float32 and scale.shape == stored[name].shape[:1]
    if scale is None or not fits or not bool(scale.isfinite().all()):
        raise ValueError(f"the scales of {name} are missing or damaged")
    return scale
