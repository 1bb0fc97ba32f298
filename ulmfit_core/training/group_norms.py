"""How hard each layer group is pushed and how far it moves: gradient norm, and update as a share of the weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ulmfit_core.training.optimizers import Groups

# Steps between two looks: a look copies the weights that learn, which costs about as much as an optimizer's step.
LOOK_EVERY = 10


class GroupNorms:
    """Looks at every `LOOK_EVERY`th step and changes nothing; what it finds stays on the device."""

    def __init__(self, groups: Groups):
        self._groups = [parameters for _, parameters in groups]
        self._zero = torch.zeros((), device=self._groups[0][0].device)
        self._nothing = self._zero.expand(2 * len(groups))
        self._looking = False
        self._gradients: list[Tensor] = []
        self._weights: list[list[Tensor]] = []

    @torch.no_grad()
    def before(self, step: int) -> None:
        """Between the backward pass and clipping of step number `step`, counted from 0."""
        self._looking = step % LOOK_EVERY == 0
        if self._looking:
            learning = [_learning(group) for group in self._groups]
            self._gradients = [self._norm([p.grad for p in group if p.grad is not None]) for group in learning]
            self._weights = [[parameter.clone() for parameter in group] for group in learning]

    @torch.no_grad()
    def after(self) -> Tensor:
        """After the optimizer's step: (2·groups,) norms of the gradients, then ‖update‖ / ‖weights‖.

        0 for a group that is frozen, and for all in a step that was not looked at.
        """
        if not self._looking:
            return self._nothing
        ratios = [self._moved(_learning(group), old) for group, old in zip(self._groups, self._weights, strict=True)]
        self._weights = []
        return torch.stack([*self._gradients, *ratios])

    def _moved(self, now: list[nn.Parameter], old: list[Tensor]) -> Tensor:
        """The distance between old and new weights by the norm of the old ones; `old` is used up."""
        size = self._norm(old)
        for before, parameter in zip(old, now, strict=True):
            before.sub_(parameter)
        return self._norm(old) / size.clamp_min(torch.finfo(size.dtype).tiny)

    def _norm(self, tensors: Sequence[Tensor]) -> Tensor:
        return nn.utils.get_total_norm(tensors) if tensors else self._zero


def _learning(group: list[nn.Parameter]) -> list[nn.Parameter]:
    return [parameter for parameter in group if parameter.grad is not None]


def columns(groups: Sequence[str]) -> list[str]:
    """The names under which a run logs the figures of `after`."""
    return [f"grad_norm:{name}" for name in groups] + [f"update_ratio:{name}" for name in groups]
