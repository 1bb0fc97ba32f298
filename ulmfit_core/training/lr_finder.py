"""The LR range test (Smith 2017): training steps at a rate that grows from tiny to huge, and what they suggest."""

from __future__ import annotations

import contextlib
import itertools
import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ulmfit_core import device as devices
from ulmfit_core.config import PhaseSettings
from ulmfit_core.errors import UserError
from ulmfit_core.run import Run
from ulmfit_core.training import optimizers
from ulmfit_core.training.plan import TrainingPlan, make_plan
from ulmfit_core.training.stage import Stage

FIRST_RATE, LAST_RATE = 1e-7, 10.0
SMOOTHING = 0.98
# The test ends when the smoothed loss is so many times its lowest.
DIVERGED = 4.0
COLUMNS = ("step", "loss", "smoothed", "lr")
LABEL = "Finding a learning rate"
# Of a curve the first tenth is left out, where the mean is young, and the last steps, where it goes up the wall.
LAST_STEPS = 5
SHORTEST_VALLEY = 3
# The loss has begun to fall when it has gone so much of its way down for good, from where a quarter of the curve before
# its lowest lies above: the very highest is but the draw of the first batches.
BEGUN, START = 0.03, 0.75
# Which suggestion is advised, the first that there is. A classifier was measured (docs/results.md, “The rate finder”);
# a language model's batches hold many words, so that its curve is smooth and the valley, fastai's default, lies well.
PREFERRED = {"classify": ("slide", "minimum", "valley", "steepest")}
PREFERRED_OF_LANGUAGE = ("valley", "slide", "steepest", "minimum")
# Slide: steps between the two ends of the interval, and how much their slopes may differ.
INTERVAL, SLOPE_DIFFERENCE = 15, 0.005


@dataclass(frozen=True)
class Curve:
    """One entry a step: the rate of the highest layer group, the loss, and its mean so far (EMA, debiased)."""

    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    smoothed: list[float] = field(default_factory=list)


# The test


@devices.kept_memory()
def range_test(stage: Stage, run: Run, groups: int = 1, steps: int = 100) -> Curve:
    """Train at rates from 1e-7 to 10, evenly spaced in their logarithm, until the loss diverges.

    The top `groups` layer groups learn, 0 for all, each at its share of the rate. All else is the stage's: batches
    from its first epoch on, optimizer, clipping, precision, seed. The steps go into the run's log; a stop raises
    Stopped, an early finish ends with the curve so far. Weights, buffers, gradients and modes are put back in any
    case; the dropouts stay at those of the first step. Raises UserError where there is too little text for a step.
    """
    with unchanged(stage.model):
        return _Test(stage, run, groups, steps).measure()


@contextlib.contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Put back, bit for bit, what training changes in a model."""
    parameters = list(model.parameters())
    tensors = [*parameters, *model.buffers()]
    values = [tensor.detach().clone() for tensor in tensors]
    frozen = [(parameter.requires_grad, parameter.grad) for parameter in parameters]
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                tensor.copy_(value)
        for parameter, (requires_grad, grad) in zip(parameters, frozen, strict=True):
            parameter.requires_grad_(requires_grad)
            parameter.grad = grad
        for module, training in modes:
            module.training = training


class _Test:
    """A short training at growing rates, with a generator and an optimizer of its own."""

    def __init__(self, stage: Stage, run: Run, groups: int, steps: int):
        self.stage = stage
        self.run = run
        self.steps = steps
        self.groups = stage.groups()
        self.parameters = [parameter for _, group in self.groups for parameter in group]
        self.plan = _plan(stage, groups, steps)
        device = self.parameters[0].device
        self.optimizer = optimizers.make_optimizer(self.groups, stage.settings)
        scaled = devices.needs_scaling(device, stage.settings.precision)
        self.scaler = torch.amp.GradScaler(device.type, enabled=scaled)
        self.rng = torch.Generator(device).manual_seed(stage.settings.seed)
        self.state: Any = None
        self.curve = Curve()
        self.mean = 0.0

    def measure(self) -> Curve:
        optimizers.train_only(self.groups, self.plan.phases[0].trained)
        self.stage.model.train()
        self.stage.set_progress(0.0)
        self.run.open_steps(COLUMNS)
        places = _places(self.stage)
        for step in self.run.track(range(self.steps), LABEL):
            if not self.run.poll():
                break
            rate = FIRST_RATE * (LAST_RATE / FIRST_RATE) ** (step / max(1, self.steps - 1))
            loss = self._step(*next(places), rate)
            if not math.isfinite(loss):
                break
            self._record(rate, loss)
            if self.curve.smoothed[-1] > DIVERGED * min(self.curve.smoothed):
                break
        return self.curve

    def _step(self, epoch: int, index: int, rate: float) -> float:
        """One step at `rate`; the loss before it."""
        if index == 0:
            self.state = self.stage.begin_epoch(epoch)
        self.optimizer.zero_grad(set_to_none=True)
        result = self.stage.backward(epoch, index, self.state, self.rng, self.run.poll, self._differentiate)
        self.state = result.state
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.parameters, self.stage.settings.clip or math.inf)
        rates = [rate * result.rate_factor * share for share in self.plan.phases[0].shares]
        optimizers.set_rates(self.optimizer, rates, self.plan.momentum(0), self.plan.weight_decay(0))
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return float(result.loss)

    def _differentiate(self, loss: Tensor) -> None:
        self.scaler.scale(loss).backward()

    def _record(self, rate: float, loss: float) -> None:
        """The loss belongs to the weights before the step."""
        self.mean = SMOOTHING * self.mean + (1 - SMOOTHING) * loss
        count = len(self.curve.rates) + 1
        smoothed = self.mean / (1 - SMOOTHING**count)
        self.curve.rates.append(rate)
        self.curve.losses.append(loss)
        self.curve.smoothed.append(smoothed)
        self.run.emit_step([count, loss, smoothed, rate])


def _plan(stage: Stage, groups: int, steps: int) -> TrainingPlan:
    """One phase of the stage at a constant rate: what shares of it the layer groups have."""
    row = PhaseSettings(groups=groups, lr_max=stage.settings.lr_max, schedule="constant")
    settings = stage.settings.model_copy(update={"phases": [row]})
    return make_plan(settings, [name for name, _ in stage.groups()], lambda epoch: steps)


def _places(stage: Stage) -> Iterator[tuple[int, int]]:
    """(epoch, step of it), over and over through the epochs that the stage is planned for."""
    plan = make_plan(stage.settings, [name for name, _ in stage.groups()], stage.steps_of_epoch)
    if plan.total == 0:
        raise UserError("There is too little text for a single training step. Add more rows.")
    for epoch in itertools.cycle(range(plan.epochs)):
        for index in range(stage.steps_of_epoch(epoch)):
            yield epoch, index


# What a curve suggests


def suggestions(curve: Curve, steps: int) -> dict[str, float | None]:
    """A rate by each rule (fastai's), for a test of `steps` steps; None where the curve does not allow it.

    valley: in the middle of the longest fall. steepest: where the loss falls fastest over the logarithm of the rate.
    minimum: a tenth of the rate with the lowest loss. slide: where, seen from the right, the curve stops bending.
    """
    rates, losses = _part(curve, steps)
    if len(losses) < SHORTEST_VALLEY or losses.argmin() == 0:
        return {"valley": None, "steepest": None, "minimum": None, "slide": None}
    return {
        "valley": valley(rates, losses),
        "steepest": float(rates[(np.diff(losses) / np.diff(np.log(rates))).argmin()]),
        "minimum": float(rates[losses.argmin()]) / 10,
        "slide": slide(rates, losses),
    }


def plausible(curve: Curve, steps: int, found: dict[str, float | None]) -> dict[str, float | None]:
    """The suggestions that lie where the loss fell for good, down to its lowest; None in place of the others.

    In a flat beginning the loss goes up and down by the draw of the batches alone, and a rule may take that for a fall.
    """
    rates, losses = _part(curve, steps)
    if len(losses) == 0:
        return dict.fromkeys(found)
    lowest = int(losses.argmin())
    before = losses[: lowest + 1]
    start = float(np.quantile(before, START))
    not_begun = np.flatnonzero(before >= start - BEGUN * (start - before[-1]))
    first, last = rates[not_begun[-1]], rates[lowest]
    return {name: rate if rate and first <= rate <= last else None for name, rate in found.items()}


def advised(found: dict[str, float | None], stage: str) -> str:
    """The name of the suggestion to take for a stage; empty where there is none."""
    return next((name for name in PREFERRED.get(stage, PREFERRED_OF_LANGUAGE) if found.get(name)), "")


def _part(curve: Curve, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Rates and smoothed losses of a test of `steps` steps without the first tenth and the last ones."""
    part = slice(steps // 10, len(curve.rates) - LAST_STEPS)
    return np.array(curve.rates[part]), np.array(curve.smoothed[part])


def valley(rates: np.ndarray, losses: np.ndarray) -> float | None:
    """The middle of the longest valley: of the longest strictly falling subsequence, taken as ending where it does
    and reaching back as many steps as it has members."""
    lengths = _falls(losses)
    length = max(lengths)
    start = lengths.index(length) - length
    return float(rates[start + length // 3 + length // 6]) if length >= SHORTEST_VALLEY else None


def _falls(losses: np.ndarray) -> list[int]:
    """Length of the longest strictly falling subsequence that ends at each loss, by patience sorting."""
    ends: list[float] = []  # ends[n]: minus the highest loss at which a fall of n + 1 losses ends so far
    lengths = []
    for loss in losses:
        place = bisect_left(ends, -loss)
        ends[place : place + 1] = [-loss]
        lengths.append(place + 1)
    return lengths


def slide(rates: np.ndarray, losses: np.ndarray) -> float | None:
    """The left end of an interval that slides in from the right until the slopes at its ends are alike.

    None where they are alike at once: the loss has not turned up.
    """
    if len(losses) <= INTERVAL:
        return None
    slopes = np.gradient(losses)
    unlike = np.abs(slopes[INTERVAL:] - slopes[:-INTERVAL]) > SLOPE_DIFFERENCE  # by the left end of the interval
    alike = np.flatnonzero(~unlike)
    left = int(alike[-1]) + 1 if len(alike) else 0
    return float(rates[left]) if left < len(unlike) else None
