"""The one training loop: epochs, steps, clipping, validation, keep-best, checkpoints, exact resume.

A run of it is a pure function of the stage, its settings, the thread count and the torch version: it draws
from no generator but its own, so that stopping anywhere and resuming ends with the same bits.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ulmfit_core import device as devices
from ulmfit_core import events, faults, files
from ulmfit_core.errors import UserError
from ulmfit_core.models import best_weights
from ulmfit_core.run import Run, Stopped
from ulmfit_core.training import checkpoint, group_norms, optimizers
from ulmfit_core.training.averaging import Average, has_stalled
from ulmfit_core.training.checkpoint import Position
from ulmfit_core.training.distributed import ALONE, Ranks
from ulmfit_core.training.inputs import Inputs
from ulmfit_core.training.plan import TrainingPlan, make_plan
from ulmfit_core.training.stage import Stage, StepResult, state_from, state_tensors

# Steps between two readings of losses and norms on an accelerator: each reading waits until it has caught up.
LOG_EVERY = 20
NO_CHECKPOINT = "No checkpoint was cut yet"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Issued:
    """A step that was given to the device.

    `figures` (3 + 2·groups,) are its loss, its gradient's norm, the scale of float16 and what GroupNorms found.
    """

    number: int
    figures: Tensor
    rates: list[float]
    weight: int
    tokens: int
    seconds: float


class Trainer:
    """Trains one stage to the end of its plan, or as far as its owner lets it."""

    def __init__(
        self, stage: Stage, run: Run, folder: Path, device: torch.device, threads: int = 0, ranks: Ranks = ALONE,
        inputs: Inputs | None = None,
    ):  # fmt: skip
        """`folder` takes checkpoint/ and the best weights. The stage's model is on `device` already.

        `threads` that a fresh run computes in (0: as the settings say); a resumed one takes those it began with.
        `ranks` train together: each with a trainer and its share of the stage, all steps alike. Rank 0 writes.
        `inputs` are the files that the stage reads, looked at before each epoch and each checkpoint.
        """
        self.stage = stage
        self.run = run
        self.folder = folder
        self.device = device
        self.ranks = ranks
        self.inputs = inputs or Inputs()
        self.settings = stage.settings
        self.groups = stage.groups()
        self.plan: TrainingPlan = make_plan(self.settings, [name for name, _ in self.groups], stage.steps_of_epoch)
        if self.plan.total == 0:
            raise UserError("There is too little text for a single training step. Add more rows.")
        self.parameters = [parameter for _, group in self.groups for parameter in group]
        self.optimizer = optimizers.make_optimizer(self.groups, self.settings)
        self.average = Average(self.parameters)
        self.norms = group_norms.GroupNorms(self.groups)
        scaled = devices.needs_scaling(device, self.settings.precision)
        self.scaler = torch.amp.GradScaler(device.type, enabled=scaled)
        self.rng = torch.Generator(device).manual_seed(ranks.seed(self.settings.seed))
        threads = threads or devices.default_threads(self.settings.threads)
        self.at = Position(threads=threads, device=device.type, ranks=ranks.count)
        self.log_every = 1 if device.type == "cpu" else LOG_EVERY
        self._issued: list[Issued] = []
        self._halved = 0  # how often memory ran out, and passes were halved
        self._failed = torch.zeros((), dtype=torch.bool, device=device)
        self._one = torch.ones((), device=device)
        self.state: Any = None
        self._began = time.monotonic()
        self._saved = time.monotonic()
        self._saved_step: int | None = None  # of the last checkpoint that this sitting has cut or read
        self._resumed = False
        self._warnings: list[str] = []  # of a resume: told once the log was cut back, which would lose them
        self.after_save: Callable[[], None] = lambda: None  # called after each checkpoint

    # The whole run

    @devices.kept_memory()
    def fit(self, resume: bool = False) -> list[dict[str, float]]:
        """Train, leave the best weights in the model, and return the metrics of each epoch.

        Raises UserError where loss, gradient, weights, memory, device or files fail; the last good checkpoint stays.
        """
        self._resumed = resume
        with self._faults_told():
            return self._fit(resume)

    def _fit(self, resume: bool) -> list[dict[str, float]]:
        if resume:
            self._restore()
        torch.set_num_threads(self.at.threads)
        self.run.open_steps(self._columns())
        if resume:
            self.run.rewind(self.at.offsets)
            self.run.emit(events.Started(self.stage.name, "Resumed", True, self.at.step))
            for text in self._warnings:
                self.run.message(text, "warning")
        else:
            self._announce()
        self.ranks.check_same(self.stage.model.state_dict())
        self._start_clock()
        if not resume:
            self._save()
        try:
            while self.at.epoch < self.plan.epochs and not self._is_over():
                self._epoch()
        except Stopped:
            self._save_at_stop()
            raise
        if self.ranks.first:
            checkpoint.load_best(self.folder, self.at, self.stage.model)
        self.stage.model.eval()
        return self.at.history

    def _is_over(self) -> bool:
        """Whether no further epoch begins though the plan has one."""
        between = self.at.epoch > 0 and self.at.window == 0
        if between and not self.at.over and not self.ranks.agree(self._has_time):
            self.at.over = True
            self._save()  # so that no crash forgets it
        return self.at.over or self._gave_up()

    def _gave_up(self) -> bool:
        """Whether the last `patience` epochs, all of the last phase, brought no improvement."""
        waited = self.at.waited(self.plan.phases[-1].first_epoch)
        if not self.settings.patience or waited < self.settings.patience:
            return False
        self.run.message(
            f"No better {self.stage.best_metric} in {waited} epochs: stopped after epoch {self.at.epoch}. "
            f"The model of epoch {self.at.best_epoch + 1} is kept."
        )
        return True

    def _epoch(self) -> None:
        """Finish the current epoch from wherever it stands."""
        epoch = self.at.epoch
        if self.at.window == 0:
            self._begin_epoch(epoch)
        optimizers.train_only(self.groups, self.plan.phases[self.plan.phase_of_epoch(epoch)].trained)
        self.stage.model.train()
        going = True
        while going and self.at.step < self.plan.epoch_ends[epoch]:
            going = self._goes_on()
            if going:
                self._step(epoch)
        self._end_epoch(epoch, over=not going)

    def _begin_epoch(self, epoch: int) -> None:
        self.inputs.refuse_gone()
        self.inputs.refuse_changed()
        self.state = self.stage.begin_epoch(epoch)
        self.at.epoch_loss = self.at.epoch_weight = 0.0
        index = self.plan.phase_of_epoch(epoch)
        if index > self.at.phase:
            self.at.phase, phase = index, self.plan.phases[index]
            self.run.emit(events.PhaseBegan(index, phase.title, self.plan.names(phase), self.at.step))

    # One step

    def _step(self, epoch: int) -> None:
        """One update. A stop in the middle drops it: generator and state go back to the boundary before it."""
        result = self._gradients(epoch)
        self.ranks.add_up([result.loss, *(p.grad for p in self.parameters if p.grad is not None)])
        scale = self.scaler.scale(self._one)
        self.scaler.unscale_(self.optimizer)
        self.norms.before(self.at.step)
        norm = self._clip()
        step = self.at.step
        rates, momentum, decay = self.plan.rates(step), self.plan.momentum(step), self.plan.weight_decay(step)
        optimizers.set_rates(self.optimizer, [rate * result.rate_factor for rate in rates], momentum, decay)
        optimizers.step_unless(self._forbidden(result.loss, norm, scale), self.optimizer)
        self.scaler.update()
        self.average.update()
        figures = torch.cat([torch.stack([result.loss, norm, scale]), self.norms.after()])
        self._count(result, figures, [*rates, momentum, decay])
        self._save_if_due()

    def _gradients(self, epoch: int) -> StepResult:
        before = self.rng.get_state()
        self.stage.set_progress(self.plan.progress(self.at.step))
        # No rank stops where the others cannot: they wait for its gradients.
        poll = self._poll if self.ranks.alone else lambda: True

        def passes() -> StepResult:
            self.optimizer.zero_grad(set_to_none=True)
            try:
                return self.stage.backward(epoch, self.at.window, self.state, self.rng, poll, self._differentiate)
            except Exception:
                self.rng.set_state(before)
                raise

        return self._in_smaller_passes(passes)

    def _in_smaller_passes(self, work: Callable[[], Result]) -> Result:
        """What `work` returns; where memory runs out in it, it is done anew in passes half as large."""
        while True:
            try:
                return work()
            except Exception as error:
                if not faults.is_out_of_memory(error):
                    raise
            # Not where the error is at hand: it holds on to all that the pass had taken.
            self.optimizer.zero_grad(set_to_none=True)
            devices.give_back_memory(self.device)
            self._halve_passes()

    def _halve_passes(self) -> None:
        """Raises UserError where they are at their smallest."""
        size = self.stage.halve_passes()
        if not size:
            raise self._stopped_by(faults.MEMORY)
        self._halved += 1
        self.run.message(
            f"The memory ran out in step {self.at.step + 1}. From there on each step is made in smaller parts, of at "
            f"most {size}: it learns as much, a little more slowly."
        )

    def _differentiate(self, loss: Tensor) -> None:
        self.scaler.scale(loss).backward()

    def _poll(self) -> bool:
        """Ask whether to go on. Before a pause all is told that has been done."""
        if self.run.control.paused:
            self._read()
        return self.run.poll()

    def _goes_on(self) -> bool:
        """Whether a further step follows. Asked to finish, the rates fall to zero first; asked twice, it ends here."""
        if self.ranks.agree(self._poll):
            return True
        if self.plan.tail is None:
            self._begin_tail()
        return self.ranks.agree(self._has_time)

    def _has_time(self) -> bool:
        return not self.run.control.hurried

    def _begin_tail(self) -> None:
        self._read()
        self.at.tail = self.at.step
        self.plan = self.plan.finished_early(self.at.step)
        self._announce()
        if not self.at.loss_watch.rising:
            self._save()  # so that no crash forgets what was asked for

    def _clip(self) -> Tensor:
        """Norm of the whole gradient, which is then at most `clip`; a scalar on the device."""
        return nn.utils.clip_grad_norm_(self.parameters, self.settings.clip or math.inf)

    def _forbidden(self, loss: Tensor, norm: Tensor, scale: Tensor) -> Tensor:
        """1 for a step that would spoil the weights, and for all that follow it until it is told of; otherwise 0.

        A gradient beyond the range of float16 forbids its own step only: it is ordinary while its scale can fall.
        """
        finite = norm.isfinite()
        self._failed |= ~(loss.isfinite() & (finite | (scale > 1)))
        return (self._failed | ~finite).float()

    def _check_weights(self) -> None:
        """Before they are kept: weights that are not finite never replace those that are."""
        if not all(bool(value.isfinite().all()) for value in self.stage.model.state_dict().values()):
            raise self._fault(self.at.step + 1, "the weights were no longer finite")

    @contextlib.contextmanager
    def _faults_told(self) -> Iterator[None]:
        """What the machine does to a training, or a file that was changed under it, is told in a sentence."""
        try:
            yield
        except (UserError, Stopped):
            raise
        except Exception as error:
            fault = faults.fault_of(error)
            if fault is None:
                self.inputs.refuse_changed()
                if isinstance(error, OSError):
                    raise UserError(f"{files.told(error)} {self._kept()}") from error
                raise
            raise self._stopped_by(fault) from error

    def _stopped_by(self, fault: faults.Fault) -> UserError:
        return UserError(f"At step {self.at.step + 1} {fault.what}. {self._kept()} {fault.remedy}")

    def _kept(self) -> str:
        good = self._last_good()
        return f"{good}: {faults.GOES_ON}." if good else f"{NO_CHECKPOINT}: start the stage anew."

    def _last_good(self) -> str:
        """Which checkpoint there is to go on from, without a full stop; "" where none was cut."""
        if self._saved_step is None:
            return "The last good checkpoint is kept" if self._resumed else ""
        return f"The last good checkpoint (step {self._saved_step}) is kept"

    def _fault(self, step: int, what: str) -> UserError:
        return UserError(
            f"At step {step} {what}: training diverged. {self._last_good() or NO_CHECKPOINT}. "
            "Lower the highest learning rate, for example to a third, check that clipping is on, and start again."
        )

    def _count(self, result: StepResult, figures: Tensor, rates: list[float]) -> None:
        self.state = result.state
        self.at.step += 1
        self.at.window += 1
        # The schedule's rate is logged; a variable-length window multiplied it by length/bptt.
        step = Issued(self.at.step, figures, rates, result.weight, result.tokens, self._seconds())
        self._issued.append(step)
        if len(self._issued) >= self.log_every:
            self._read()

    def _read(self) -> None:
        """Log the steps that were issued since the last reading. Raises UserError for the first that failed."""
        issued, self._issued = self._issued, []
        if not issued:
            return
        figures = torch.stack([step.figures for step in issued]).tolist()
        for step, (loss, norm, scale, *by_group) in zip(issued, figures, strict=True):
            problem = self.at.loss_watch.problem(loss, norm, overflows=scale > 1)
            if problem:
                raise self._fault(step.number, problem)
            self.at.epoch_loss += loss * step.weight
            self.at.epoch_weight += step.weight
            self.run.emit_step([step.number, loss, *step.rates, norm, *by_group, step.tokens, step.seconds])

    # The end of an epoch

    def _end_epoch(self, epoch: int, over: bool) -> None:
        """`over`: its owner wants no further step, and the checkpoint of its end says so."""
        self._read()
        self._check_weights()
        self.ranks.check_same(self.stage.model.state_dict())
        judged = self.ranks.from_first(lambda: self._judge(epoch))
        metrics = judged["metrics"]
        if self._improves(metrics):
            self.at.best, self.at.best_epoch = metrics[self.stage.best_metric], epoch
            self.at.best_weights, self.at.best_checksum = best_weights.name_of(epoch), judged["checksum"]
        self.at.history.append(metrics)
        self._average_if_stalled()
        self.at.epoch, self.at.window, self.state, self.at.over = epoch + 1, 0, None, over
        self._save()

    def _judge(self, epoch: int) -> dict[str, Any]:
        """Validate, report and keep the best, all with the averaged weights where averaging has begun.

        Returns the `metrics` and the `checksum` of the weights where they are the best.
        """
        with self.average.in_place():
            metrics = {"train_loss": self.at.epoch_loss / max(1.0, self.at.epoch_weight), **self._validate()}
            metrics["seconds"] = self._seconds()
            checksum = self._keep_best(epoch) if self._improves(metrics) else None
            self._tell_epoch(epoch, metrics, best=checksum is not None)
        return {"metrics": metrics, "checksum": checksum}

    def _tell_epoch(self, epoch: int, metrics: dict[str, float], best: bool) -> None:
        """A stop meanwhile takes back what was told: whoever goes on ends the epoch anew."""
        before = self.run.when_there_is_room(self.run.offsets)
        try:
            self.run.emit(events.EpochEnded(epoch, self.plan.phase_of_epoch(epoch), self.at.step, metrics, best))
            self.stage.after_epoch(epoch, self.run)
        except Stopped:
            self.run.when_there_is_room(lambda: self.run.rewind(before))
            raise

    def _keep_best(self, epoch: int) -> int:
        """Beside those that the checkpoints name: a crash before the next one leaves these to nobody."""
        self.run.refuse_gone()
        path, weights = self.folder / best_weights.name_of(epoch), self.stage.model.state_dict()
        return self.run.when_there_is_room(lambda: checkpoint.save_tensors(path, weights), checkpoint.bytes_of(weights))

    def _improves(self, metrics: dict[str, float]) -> bool:
        return self.at.improves(metrics, self.stage.best_metric, self.stage.higher_is_better)

    def _validate(self) -> dict[str, float]:
        self.stage.model.eval()
        with torch.inference_mode():
            return self._in_smaller_passes(lambda: self.stage.validate(self.run))

    def _average_if_stalled(self) -> None:
        if self.settings.optimizer != "nt_asgd" or self.average.started or self.at.step == self.plan.total:
            return
        if has_stalled([metrics["valid_loss"] for metrics in self.at.history], self.settings.nonmono):
            self.average.start()
            self.run.message(f"Validation has stalled: from step {self.at.step + 1} on the weights are averaged.")

    # Checkpoints

    def _save_if_due(self) -> None:
        """Not while the loss rises, which the steps that are not read yet may say."""
        if not self.ranks.agree(self._is_save_due):
            return
        self._read()
        if not self.at.loss_watch.rising:
            self._save()

    def _is_save_due(self) -> bool:
        waited = time.monotonic() - self._saved
        return waited >= self.settings.checkpoint_seconds and not self.at.loss_watch.rising

    def _save(self) -> None:
        """Cut a checkpoint. While the disk is full it waits; a stop meanwhile is heard at the next boundary."""
        self.inputs.refuse_changed()
        self._read()
        self._check_weights()
        began = time.monotonic()
        self.at.seconds = self._seconds()
        self.at.scaler = self.scaler.state_dict()
        own = {**checkpoint.prefixed("state", state_tensors(self.state)), "generator": self.rng.get_state()}
        own["halved"] = torch.tensor(self._halved)
        tensors = {
            **checkpoint.prefixed("model", dict(self.stage.model.state_dict())),
            **checkpoint.prefixed("optimizer", optimizers.moments(self.optimizer)),
            **checkpoint.prefixed("average", self.average.tensors()),
            **self.ranks.collect(own),
        }
        try:
            self.run.when_there_is_room(lambda: self._write(tensors), checkpoint.bytes_of(tensors))
        except Stopped:
            return
        self._saved, self._saved_step = time.monotonic(), self.at.step
        self.run.emit(events.CheckpointSaved(self.at.step, self._saved - began))
        self.after_save()

    def _write(self, tensors: dict[str, Tensor]) -> None:
        self.at.offsets = self.run.offsets()
        if self.ranks.first:
            checkpoint.save(self.folder / "checkpoint", self.at, tensors)

    def _save_at_stop(self) -> None:
        self._save()
        if self._saved_step is None:
            self.run.message(
                "The disk is full: not even the first checkpoint could be kept. Make room, then start the stage anew.",
                "warning",
            )
        elif self._saved_step < self.at.step:
            self.run.message(
                f"The disk is full: step {self.at.step:,} could not be kept. Make room, then go on from step "
                f"{self._saved_step:,}.", "warning",
            )  # fmt: skip

    def _restore(self) -> None:
        mended = self.ranks.from_first(lambda: checkpoint.mend(self.folder / "checkpoint"))
        self._warnings = list(mended.values())
        self.at, tensors = checkpoint.load(self.folder / "checkpoint")
        self._saved_step = self.at.step
        self.ranks.check_count(self.at.ranks)
        if self.at.tail is not None:
            self.plan = self.plan.finished_early(self.at.tail)
        if (self.at.over or self.at.tail is not None) and not self.run.control.finishing:
            self.run.control.finish()
        if self.at.device != self.device.type:
            self._warnings.append(f"The run began on {self.at.device} and goes on on {self.device.type}.")
        self.stage.model.load_state_dict(checkpoint.section("model", tensors))
        optimizers.restore_moments(self.optimizer, checkpoint.section("optimizer", tensors))
        self.average.restore(checkpoint.section("average", tensors))
        if self.at.scaler:
            self.scaler.load_state_dict(self.at.scaler)
        own = self.ranks.own(tensors)
        on_device = {name: value.to(self.device) for name, value in checkpoint.section("state", own).items()}
        self.state = self._fitting(state_from(on_device))
        if self.at.device == self.device.type:
            self.rng.set_state(own["generator"])
        self.at.device = self.device.type
        self._halved = int(own.get("halved", 0))
        if self._halved:  # the same passes again, which draw the same masks
            self.stage.halve_passes(self._halved)

    def _fitting(self, state: Any) -> Any:
        """Raises UserError where a carried state is not of this batch, which the network would read past its end."""
        shapes = [
            {name: value.shape for name, value in state_tensors(each).items()}
            for each in (state, self.stage.begin_epoch(self.at.epoch))
        ]
        if self.at.window and shapes[0] != shapes[1]:
            raise UserError(
                f"The checkpoint in {self.folder} has a state for other batches than began.json. Start the stage anew."
            )
        return state

    # The clock and the log

    def _start_clock(self) -> None:
        self._began = time.monotonic() - self.at.seconds
        self._paused_before = self.run.paused_seconds
        self._saved = time.monotonic()

    def _seconds(self) -> float:
        """Seconds of training, pauses and earlier sittings accounted for."""
        return time.monotonic() - self._began - (self.run.paused_seconds - self._paused_before)

    def _columns(self) -> list[str]:
        rates, norms = [f"lr:{name}" for name in self.plan.groups], group_norms.columns(self.plan.groups)
        return ["step", "loss", *rates, "momentum", "weight_decay", "grad_norm", *norms, "tokens", "seconds"]

    def _announce(self) -> None:
        tokens = sum(self.stage.tokens_of_epoch(epoch) for epoch in range(self.plan.epochs))
        size = sum(parameter.numel() for parameter in self.parameters)
        self.run.emit(self.plan.event(tokens, size, self.device.type, self.at.threads))
