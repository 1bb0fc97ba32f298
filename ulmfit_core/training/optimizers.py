"""The optimizers: one rate for each layer group; biases and norms do not decay.

Adam's weight decay is part of the gradient (L2), as in fastai 0.7; AdamW takes it from the weights themselves, as in
fastai 1 and later. A small Adam decay is not a small AdamW decay: Adam divides it by the gradient's size.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ulmfit_core import catalog
from ulmfit_core.config import StageSettings

Groups = Sequence[tuple[str, list[nn.Parameter]]]
Parts = list[dict[str, Any]]


def adamw(parts: Parts, settings: StageSettings) -> torch.optim.Optimizer:
    """Decoupled weight decay (Loshchilov & Hutter 2019)."""
    return torch.optim.AdamW(parts, lr=1e-3, betas=(settings.momentum, settings.beta2), eps=settings.eps)


def adam(parts: Parts, settings: StageSettings) -> torch.optim.Optimizer:
    """Weight decay in the gradient (L2)."""
    return torch.optim.Adam(parts, lr=1e-3, betas=(settings.momentum, settings.beta2), eps=settings.eps)


def sgd(parts: Parts, settings: StageSettings) -> torch.optim.Optimizer:
    """Momentum, weight decay in the gradient (L2)."""
    return torch.optim.SGD(parts, lr=1e-3, momentum=settings.momentum)


def make_optimizer(groups: Groups, settings: StageSettings) -> torch.optim.Optimizer:
    """Two parameter groups a layer group, decayed and not, in the groups' order."""
    parts: Parts = []
    for _, parameters in groups:
        matrices = [p for p in parameters if p.dim() > 1]
        vectors = [p for p in parameters if p.dim() <= 1]
        parts += [
            {"params": matrices, "weight_decay": settings.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
    optimizer: torch.optim.Optimizer = catalog.resolve("optimizer", settings.optimizer)(parts, settings)
    return optimizer


def set_rates(optimizer: torch.optim.Optimizer, rates: Sequence[float], momentum: float, weight_decay: float) -> None:
    """For the coming step: rate of each layer group, momentum (Adam's first beta), decay of the matrices."""
    for index, part in enumerate(optimizer.param_groups):
        part["lr"] = rates[index // 2]
        part["weight_decay"] = 0.0 if index % 2 else weight_decay
        if "betas" in part:
            part["betas"] = (momentum, part["betas"][1])
        else:
            part["momentum"] = momentum


def train_only(groups: Groups, trained: Collection[int]) -> None:
    """Freeze all but the groups of these numbers. The optimizer's state of groups that were training stays."""
    for index, (_, parameters) in enumerate(groups):
        for parameter in parameters:
            parameter.requires_grad_(index in trained)
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
