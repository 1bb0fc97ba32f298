"""Tells a training that fails: a figure that is not finite, or a smoothed loss that has left its lowest far below."""

from __future__ import annotations

import math
from dataclasses import dataclass

BETA = 0.98
FIRST_STEP = 100  # before it the mean is over too little to judge by


@dataclass
class LossWatch:
    """Exponential mean of the loss of each step, corrected for its beginning. Part of a checkpoint."""

    steps: int = 0
    total: float = 0.0
    lowest: float = 0.0

    def problem(self, loss: float, norm: float, overflows: bool) -> str:
        """Take in the loss and the gradient's norm of one more step; what is wrong with them, or nothing.

        `overflows`: a gradient beyond the range of float16 is ordinary, its step is skipped.
        """
        if not math.isfinite(loss):
            return f"the loss became {loss}"
        if not math.isfinite(norm) and not overflows:
            return f"the gradient became {norm}"
        self._add(loss)
        return f"the smoothed loss rose from {self.lowest:.3g} to {self.mean:.3g}" if self.diverged else ""

    def _add(self, loss: float) -> None:
        self.steps += 1
        self.total = BETA * self.total + (1 - BETA) * loss
        self.lowest = min(self.lowest, self.mean) if self.steps > 1 else self.mean

    @property
    def mean(self) -> float:
        return self.total / (1 - BETA**self.steps) if self.steps else 0.0

    @property
    def diverged(self) -> bool:
        """More than twice the lowest mean, plus 1 for losses near zero."""
        return self.steps > FIRST_STEP and self.mean > 2 * self.lowest + 1

    @property
    def rising(self) -> bool:
        """Half the way to `diverged`: a checkpoint cut now might not be worth going back to."""
        return self.steps > FIRST_STEP and self.mean > 1.5 * self.lowest + 0.5
