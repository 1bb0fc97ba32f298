"""Reads weights from a safetensors file: names, sizes and types are compared with a model's before any is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor, nn

from ulmfit_core import reading
from ulmfit_core.models import int8
from ulmfit_core.models.int8 import SCALE

FLOATS = ("F32", "F16", "BF16", "F64")


def load(path: Path, model: nn.Module) -> dict[str, Tensor]:
    """The weights of a file by name, all that `model` has, which may be on the device `meta`; eight bits are unpacked.

    Raises ValueError where the file cannot be read, is not of this model, or holds what is no number; UserError where
    something else lies in its place.
    """
    try:
        reading.plain(path)
        with safetensors.safe_open(path, "pt") as file:
            _compare(file, model.state_dict())
        weights = int8.unpacked(safetensors.torch.load_file(path))
    except (OSError, safetensors.SafetensorError) as error:
        raise ValueError(reading.shortened(str(error))) from None
    for name, value in weights.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ValueError(f"{name} holds what is no number")
    return weights


def _compare(file: Any, wanted: dict[str, Tensor]) -> None:
    """Raises ValueError where the file has other names, sizes or types than are wanted."""
    names = set(file.keys())
    scales = {name + SCALE for name in wanted} & names
    if names - scales != wanted.keys():
        name = min((names - scales) ^ wanted.keys())
        raise ValueError(f"{reading.shortened(name)} is {'missing' if name in wanted else 'not expected'}")
    for name, value in wanted.items():
        part = file.get_slice(name)
        types = (*FLOATS, "I8") if value.is_floating_point() else ("I64",)
        if tuple(part.get_shape()) != tuple(value.shape):
            raise ValueError(f"{name} has the size {part.get_shape()} instead of {list(value.shape)}"[:200])
        if part.get_dtype() not in types:
            raise ValueError(f"{name} holds numbers of the type {part.get_dtype()}")
