"""The smallest stage that can be trained: a line through random points, with figures that a test can write out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ulmfit_core.config import StageSettings
from ulmfit_core.run import Control
from ulmfit_core.training.stage import StepResult


def toy_settings(**changes: Any) -> StageSettings:
    """One constant rate for all groups, a checkpoint after every step."""
    plain = {"epochs": 2, "lr_max": 0.01, "schedule": "constant", "layer_factor": 1.0, "checkpoint_seconds": 1e-9}
    return StageSettings(**{**plain, **changes})


class ToyStage:
    """Layer groups below, middle and head; `steps` steps an epoch, drawn from their own seeds and the run's generator.

    `valid` are the validation losses of the epochs (measured where empty), `told` the loss that is reported of a
    step, `spoil` what is added to the loss that is differentiated. `seen` are the weights before each step,
    `shown` those after each validation.
    """

    name = "finetune"
    best_metric = "valid_loss"
    higher_is_better = False

    def __init__(
        self, settings: StageSettings, steps: int = 5, valid: Sequence[float] = (),
        told: Callable[[int], float] | None = None, spoil: Callable[[int], float] = lambda step: 0.0,
        half: bool = False,
    ):  # fmt: skip
        self.settings = settings
        self.steps, self.valid, self.told, self.spoil, self.half = steps, valid, told, spoil, half
        self.model = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 1))
        rng = torch.Generator().manual_seed(settings.seed)
        for parameter in self.model.parameters():
            nn.init.uniform_(parameter, -0.5, 0.5, generator=rng)
        self.seen: list[torch.Tensor] = []
        self.shown: list[torch.Tensor] = []
        self.progress: list[float] = []

    def flat(self) -> torch.Tensor:
        return torch.cat([parameter.detach().flatten() for parameter in self.model.parameters()])

    def groups(self) -> list[tuple[str, list[nn.Parameter]]]:
        return [(name, list(layer.parameters())) for name, layer in zip(("below", "middle", "head"), self.model)]

    def steps_of_epoch(self, epoch: int) -> int:
        return self.steps

    def tokens_of_epoch(self, epoch: int) -> int:
        return 8 * self.steps

    def begin_epoch(self, epoch: int) -> None:
        return None

    def set_progress(self, share: float) -> None:
        self.progress.append(share)

    def backward(self, epoch, index, state, rng, poll, differentiate) -> StepResult:
        self.seen.append(self.flat())
        x, y = points(1000 * epoch + index)
        x = x + 0.01 * torch.randn(x.shape, generator=rng)
        poll()
        step = epoch * self.steps + index
        with torch.autocast("cpu", torch.float16) if self.half else contextlib.nullcontext():
            guess = self.model(x)
        loss = F.mse_loss(guess.float(), y)
        differentiate(loss + self.spoil(step) * guess.float().sum())
        told = torch.tensor(self.told(step), dtype=torch.float64) if self.told else loss.detach()
        return StepResult(told, 8, 8, 1.0, None)

    def validate(self, run) -> dict[str, float]:
        x, y = points(-1)
        run.poll()
        loss = float(F.mse_loss(self.model(x), y))
        return {"valid_loss": self.valid[len(self.shown)] if self.valid else loss, "accuracy": -loss}

    def after_epoch(self, epoch: int, run) -> None:
        self.shown.append(self.flat())


def points(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(seed + 10))
    return x, x.sum(1, keepdim=True)


class StopAfter(Control):
    """Stops at the n-th poll, or never; counts the polls."""

    def __init__(self, polls=None):
        super().__init__()
        self.limit, self.count = polls, 0

    @property
    def stopping(self):
        self.count += 1
        return self.limit is not None and self.count > self.limit
