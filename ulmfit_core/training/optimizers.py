"""AdamW with one rate for each layer group; biases and norms do not decay."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ulmfit_core.config import StageSettings


def make_optimizer(groups: Sequence[tuple[str, list[nn.Parameter]]], settings: StageSettings) -> torch.optim.AdamW:
    """Two parameter groups a layer group, decayed and not, in the groups' order."""
    parts = []
    for _, parameters in groups:
        matrices = [p for p in parameters if p.dim() > 1]
        vectors = [p for p in parameters if p.dim() <= 1]
        parts += [
            {"params": matrices, "weight_decay": settings.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
    return torch.optim.AdamW(parts, lr=1e-3, betas=(settings.momentum, settings.beta2), eps=1e-7)


def set_rates(optimizer: torch.optim.Optimizer, rates: Sequence[float], momentum: float) -> None:
    """Rate of each layer group, and Adam's first beta, for the coming step."""
    for index, part in enumerate(optimizer.param_groups):
        part["lr"] = rates[index // 2]
        part["betas"] = (momentum, part["betas"][1])


def train_only(groups: Sequence[tuple[str, list[nn.Parameter]]], top: int) -> None:
    """Freeze all but the `top` last groups. Adam's state of groups that were training stays."""
    for index, (_, parameters) in enumerate(groups):
        for parameter in parameters:
            parameter.requires_grad_(index >= len(groups) - top)
            parameter.grad = None


def moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state as named tensors, for a checkpoint."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{name}": value for index, values in state.items() for name, value in values.items()}


def restore_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of `moments`."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
