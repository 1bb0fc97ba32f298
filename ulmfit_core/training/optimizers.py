"""The optimizers: one rate for each layer group; biases and norms do not decay.

Adam's weight decay is part of the gradient (L2), as in fastai 0.7; AdamW takes it from the weights themselves, as in
fastai 1 and later. A small Adam decay is not a small AdamW decay: Adam divides it by the gradient's size.

Torch's own run as one fused kernel, which on one thread of a CPU takes a quarter of the time of Adam's separate
operations and a third of SGD's.
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

# Where a fused kernel leaves out a step that it is told to. Those of MPS do not look at `found_inf`.
FUSED = ("cpu", "cuda")


def adamw(parts: Parts, settings: StageSettings) -> torch.optim.Optimizer:
    """Decoupled weight decay (Loshchilov & Hutter 2019)."""
    betas = (settings.momentum, settings.beta2)
    return torch.optim.AdamW(parts, lr=1e-3, betas=betas, eps=settings.eps, fused=fused(parts))


def adam(parts: Parts, settings: StageSettings) -> torch.optim.Optimizer:
    """Weight decay in the gradient (L2)."""
    betas = (settings.momentum, settings.beta2)
    return torch.optim.Adam(parts, lr=1e-3, betas=betas, eps=settings.eps, fused=fused(parts))


def sgd(parts: Parts, settings: StageSettings) -> torch.optim.Optimizer:
    """Momentum, weight decay in the gradient (L2)."""
    optimizer = torch.optim.SGD(parts, lr=1e-3, momentum=settings.momentum, fused=fused(parts))
    optimizer.register_step_pre_hook(_begin_at_zero)
    return optimizer


def fused(parts: Parts) -> bool:
    """Whether torch's optimizers may run as one kernel over these parameters."""
    return all(parameter.device.type in FUSED for part in parts for parameter in part["params"])


def _begin_at_zero(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    """Momentum before the first step. Torch's fused SGD leaves it uninitialised where that step is left out."""
    for part in optimizer.param_groups:
        for parameter in part["params"] if part["momentum"] else []:
            if parameter.grad is not None and "momentum_buffer" not in optimizer.state[parameter]:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


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


def step_unless(forbidden: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """One step, or none where `forbidden`, a float32 scalar, is 1: weights and moments are then as they were.

    A fused kernel looks at it on the device. For any other optimizer it is read here, which waits for the device.
    """
    if optimizer.defaults.get("fused"):
        optimizer.found_inf = forbidden  # type: ignore[attr-defined]
        optimizer.step()
    elif not forbidden:
        optimizer.step()


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
