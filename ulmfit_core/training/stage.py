"""What the one training loop asks of a stage: pretraining, fine-tuning and classifying differ only in this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ulmfit_core.config import StageSettings
from ulmfit_core.run import Run

# Calls backward() on a scalar, scaled for half precision.
Differentiate = Callable[[Tensor], None]


@dataclass(frozen=True)
class StepResult:
    """`loss` is the reported one, a mean over `weight` tokens or documents, without penalties: a scalar without
    history, on the device. The trainer reads it when it logs, so that a step need not wait for the device.

    `tokens` were read; the step's rates are multiplied by `rate_factor`; `state` goes to the next step.
    """

    loss: Tensor
    weight: int
    tokens: int
    rate_factor: float
    state: Any


class Stage(Protocol):
    """`state` is whatever one step leaves to the next (the LM's hidden state, None for a classifier)."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> StageSettings: ...

    @property
    def model(self) -> nn.Module: ...

    @property
    def best_metric(self) -> str:
        """The metric by which the best epoch is kept."""
        ...

    @property
    def higher_is_better(self) -> bool: ...

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes by name of their settings, chosen where the settings leave that open."""
        ...

    def groups(self) -> list[tuple[str, list[nn.Parameter]]]:
        """Layer groups from the bottom up."""
        ...

    def steps_of_epoch(self, epoch: int) -> int: ...

    def tokens_of_epoch(self, epoch: int) -> int: ...

    def begin_epoch(self, epoch: int) -> Any:
        """The state before the first step of an epoch."""
        ...

    def set_progress(self, share: float) -> None:
        """Set what follows a schedule of its own (dropouts, noise) for a step `share` of the way, 0 to 1."""
        ...

    def backward(
        self, epoch: int, index: int, state: Any, rng: torch.Generator, poll: Callable[[], object],
        differentiate: Differentiate,
    ) -> StepResult:  # fmt: skip
        """Gradients of one step, added to the parameters' grad; calls `poll` between passes.

        Whatever is differentiated goes through `differentiate`, which scales it where half precision needs that.
        Whatever is raised, by `poll` or for want of memory, leaves nothing changed but gradients and `rng`.
        """
        ...

    def halve_passes(self, times: int = 1) -> str:
        """Read half as many rows in a pass from now on, in training and validation, `times` over.

        The gradients of a step stay the same up to rounding; where something is dropped at random, each pass draws
        its own masks. Returns what the largest pass is now, in words; "" where it was one row before.
        """
        ...

    def rehearse(self, rows: int, rng: torch.Generator) -> int:
        """Gradients of a part of the first step, at most `rows` rows of one window, to measure how fast passes are.

        Returns the rows that were read. Nothing but the parameters' grad is changed, and `rng`.
        """
        ...

    def validate(self, run: Run) -> dict[str, float]: ...

    def after_epoch(self, epoch: int, run: Run) -> None:
        """Report what the stage likes to show, such as a generated sentence."""
        ...


def state_tensors(state: Any) -> dict[str, Tensor]:
    """The carried state as named tensors for a checkpoint."""
    if state is None:
        return {}
    pairs = [(f"{i}.{name}", value) for i, pair in enumerate(state) for name, value in zip("hc", pair, strict=True)]
    return dict(pairs)


def state_from(tensors: dict[str, Tensor]) -> Any:
    """The inverse of `state_tensors`."""
    if not tensors:
        return None
    return [(tensors[f"{i}.h"], tensors[f"{i}.c"]) for i in range(len(tensors) // 2)]
