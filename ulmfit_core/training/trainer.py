"""The one training loop: epochs, steps, clipping, validation, keep-best, checkpoints, exact resume.

A run of it is a pure function of the stage, its settings, the thread count and the torch version: it draws
from no generator but its own, so that stopping anywhere and resuming ends with the same bits.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import nn

from ulmfit_core import device as devices
from ulmfit_core import events, files
from ulmfit_core.errors import UserError
from ulmfit_core.run import Run, Stopped
from ulmfit_core.training import checkpoint, optimizers
from ulmfit_core.training.checkpoint import Position
from ulmfit_core.training.plan import TrainingPlan, make_plan
from ulmfit_core.training.stage import Stage, StepResult, state_from, state_tensors


class Trainer:
    """Trains one stage to the end of its plan, or as far as its owner lets it."""

    def __init__(self, stage: Stage, run: Run, folder: Path, device: torch.device):
        """`folder` takes checkpoint/ and best.safetensors. The stage's model is on `device` already."""
        self.stage = stage
        self.run = run
        self.folder = folder
        self.device = device
        self.settings = stage.settings
        self.groups = stage.groups()
        self.plan: TrainingPlan = make_plan(self.settings, [name for name, _ in self.groups], stage.steps_of_epoch)
        if self.plan.total == 0:
            raise UserError("There is too little text for a single training step. Add more rows.")
        self.optimizer = optimizers.make_optimizer(self.groups, self.settings)
        self.rng = torch.Generator(device).manual_seed(self.settings.seed)
        self.at = Position(threads=devices.default_threads(), device=device.type)
        self.state: Any = None
        self._began = time.monotonic()
        self._saved = time.monotonic()

    # The whole run

    def fit(self, resume: bool = False) -> list[dict[str, float]]:
        """Train, leave the best weights in the model, and return the metrics of each epoch."""
        if resume:
            self._restore()
        torch.set_num_threads(self.at.threads)
        self.run.open_steps(self._columns())
        if resume:
            self.run.rewind(self.at.offsets)
            self.run.emit(events.Started(self.stage.name, "Resumed", True, self.at.step))
        else:
            self._announce()
        self._start_clock()
        try:
            while self.at.epoch < self.plan.epochs and self._epoch():
                pass
        except Stopped:
            self._save()
            raise
        self._load_best()
        return self.at.history

    def _epoch(self) -> bool:
        """Finish the current epoch from wherever it stands. False: the owner wants no further one."""
        epoch = self.at.epoch
        if self.at.window == 0:
            self._begin_epoch(epoch)
        optimizers.train_only(self.groups, self.plan.phases[self.plan.phase_of_epoch(epoch)].settings.groups)
        self.stage.model.train()
        going = True
        while going and self.at.window < self.stage.steps_of_epoch(epoch):
            going = self.run.poll()
            if going:
                self._step(epoch)
        self._end_epoch(epoch)
        return going

    def _begin_epoch(self, epoch: int) -> None:
        self.state = self.stage.begin_epoch(epoch)
        self.at.epoch_loss = self.at.epoch_weight = 0.0
        index = self.plan.phase_of_epoch(epoch)
        phase = self.plan.phases[index]
        if epoch == phase.first_epoch:
            names = self.plan.groups[-phase.settings.groups :]
            self.run.emit(events.PhaseBegan(index, phase.title, list(names), self.at.step))

    # One step

    def _step(self, epoch: int) -> None:
        """One update. A stop in the middle drops it: generator and state go back to the boundary before it."""
        before = self.rng.get_state()
        self.optimizer.zero_grad(set_to_none=True)
        try:
            result = self.stage.backward(epoch, self.at.window, self.state, self.rng, self.run.poll)
        except Stopped:
            self.rng.set_state(before)
            raise
        rates, momentum = self.plan.rates(self.at.step), self.plan.momentum(self.at.step)
        norm = self._clip()
        self._check(result.loss, norm)
        optimizers.set_rates(self.optimizer, [rate * result.rate_factor for rate in rates], momentum)
        self.optimizer.step()
        self._count(result, rates, momentum, norm)
        if time.monotonic() - self._saved >= self.settings.checkpoint_seconds:
            self._save()

    def _clip(self) -> float:
        """Norm of the whole gradient, which is then at most `clip`."""
        parameters = [p for _, group in self.groups for p in group if p.grad is not None]
        limit = self.settings.clip or math.inf
        return float(nn.utils.clip_grad_norm_(parameters, limit))

    def _check(self, loss: float, norm: float) -> None:
        if math.isfinite(loss) and math.isfinite(norm):
            return
        raise UserError(
            f"The loss became {loss} at step {self.at.step}: training diverged. "
            "Lower the highest learning rate, for example to a third, and start again."
        )

    def _count(self, result: StepResult, rates: list[float], momentum: float, norm: float) -> None:
        self.state = result.state
        self.at.epoch_loss += result.loss * result.weight
        self.at.epoch_weight += result.weight
        self.at.step += 1
        self.at.window += 1
        # The schedule's rate is logged; a variable-length window multiplied it by length/bptt.
        self.run.emit_step([self.at.step, result.loss, *rates, momentum, norm, result.tokens, self._seconds()])

    # The end of an epoch

    def _end_epoch(self, epoch: int) -> None:
        metrics = {"train_loss": self.at.epoch_loss / max(1.0, self.at.epoch_weight), **self._validate()}
        metrics["seconds"] = self._seconds()
        best = self._is_best(metrics)
        if best:
            self.at.best = metrics[self.stage.best_metric]
            self._save_best()
        phase = self.plan.phase_of_epoch(epoch)
        self.run.emit(events.EpochEnded(epoch, phase, self.at.step, metrics, best))
        self.stage.after_epoch(epoch, self.run)
        self.at.history.append(metrics)
        self.at.epoch, self.at.window, self.state = epoch + 1, 0, None
        self._save()

    def _validate(self) -> dict[str, float]:
        self.stage.model.eval()
        with torch.inference_mode():
            return self.stage.validate(self.run)

    def _is_best(self, metrics: dict[str, float]) -> bool:
        value = metrics[self.stage.best_metric]
        if self.at.best is None:
            return True
        return value > self.at.best if self.stage.higher_is_better else value < self.at.best

    def _save_best(self) -> None:
        weights = {name: value.cpu().contiguous() for name, value in self.stage.model.state_dict().items()}
        files.write_bytes(self.folder / "best.safetensors", safetensors.torch.save(weights))

    def _load_best(self) -> None:
        weights = safetensors.torch.load_file(self.folder / "best.safetensors")
        self.stage.model.load_state_dict(weights)
        self.stage.model.eval()

    # Checkpoints

    def _save(self) -> None:
        began = time.monotonic()
        self.at.seconds = self._seconds()
        self.at.offsets = self.run.offsets()
        tensors = {
            **checkpoint.prefixed("model", dict(self.stage.model.state_dict())),
            **checkpoint.prefixed("optimizer", optimizers.moments(self.optimizer)),
            **checkpoint.prefixed("state", state_tensors(self.state)),
            "generator": self.rng.get_state(),
        }
        checkpoint.save(self.folder / "checkpoint", self.at, tensors)
        self._saved = time.monotonic()
        self.run.emit(events.CheckpointSaved(self.at.step, self._saved - began))

    def _restore(self) -> None:
        self.at, tensors = checkpoint.load(self.folder / "checkpoint")
        if self.at.device != self.device.type:
            self.run.message(f"The run began on {self.at.device} and goes on on {self.device.type}.", "warning")
        self.stage.model.load_state_dict(checkpoint.section("model", tensors))
        optimizers.restore_moments(self.optimizer, checkpoint.section("optimizer", tensors))
        on_device = {name: value.to(self.device) for name, value in checkpoint.section("state", tensors).items()}
        self.state = state_from(on_device)
        if self.at.device == self.device.type:
            self.rng.set_state(tensors["generator"])

    # The clock and the log

    def _start_clock(self) -> None:
        self._began = time.monotonic() - self.at.seconds
        self._paused_before = self.run.paused_seconds
        self._saved = time.monotonic()

    def _seconds(self) -> float:
        """Seconds of training, pauses and earlier sittings accounted for."""
        return time.monotonic() - self._began - (self.run.paused_seconds - self._paused_before)

    def _columns(self) -> list[str]:
        rates = [f"lr:{name}" for name in self.plan.groups]
        return ["step", "loss", *rates, "momentum", "grad_norm", "tokens", "seconds"]

    def _announce(self) -> None:
        steps, rates = self.plan.sample()
        phases = [
            {
                "title": phase.title, "first_step": phase.first, "last_step": phase.last,
                "epochs": phase.settings.epochs, "groups": list(self.plan.groups[-phase.settings.groups :]),
            }
            for phase in self.plan.phases
        ]  # fmt: skip
        self.run.emit(
            events.Plan(
                groups=list(self.plan.groups),
                total_steps=self.plan.total,
                total_tokens=sum(self.stage.tokens_of_epoch(epoch) for epoch in range(self.plan.epochs)),
                epoch_ends=list(self.plan.epoch_ends),
                phases=phases,
                rate_steps=steps,
                rates=rates,
                parameters=sum(p.numel() for _, group in self.groups for p in group),
                device=self.device.type,
                threads=self.at.threads,
            )
        )
