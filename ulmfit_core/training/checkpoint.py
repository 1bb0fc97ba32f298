"""A training cut at a step boundary: two files, weights and numbers, replaced so that one whole pair always exists."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

import safetensors.torch
from torch import Tensor, nn

from ulmfit_core import files
from ulmfit_core.errors import UserError
from ulmfit_core.training.loss_watch import LossWatch

VERSION = 3


@dataclass
class Position:
    """Where a training stands: all that is not a tensor.

    `phase` is the last one told of. `best` is the best value of the metric so far, reached in `best_epoch`.
    `scaler` is empty but in float16. `ranks` is the number of processes that train together. `tail` is the step at
    which its owner asked for an early end, if so.
    """

    step: int = 0
    epoch: int = 0
    window: int = 0
    phase: int = -1
    best: float | None = None
    best_epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    epoch_loss: float = 0.0
    epoch_weight: float = 0.0
    loss_watch: LossWatch = field(default_factory=LossWatch)
    scaler: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    threads: int = 0
    device: str = "cpu"
    ranks: int = 1
    offsets: dict[str, int] = field(default_factory=dict)
    tail: int | None = None
    version: int = VERSION

    def improves(self, metrics: dict[str, float], name: str, higher_is_better: bool) -> bool:
        """Whether no epoch before was as good by the metric of that name; of two alike, the one of the lower loss.

        A figure that could not be measured gives way to any.
        """
        value = metrics[name]
        if self.best is None or math.isnan(self.best):
            return True
        if value == self.best:
            return metrics["valid_loss"] < self.history[self.best_epoch]["valid_loss"]
        return value > self.best if higher_is_better else value < self.best

    def waited(self, first_epoch: int) -> int:
        """How many epochs, `first_epoch` and later, have passed since the best one."""
        return self.epoch - 1 - max(self.best_epoch, first_epoch - 1)


def save(folder: Path, position: Position, tensors: dict[str, Tensor]) -> None:
    """Write the tensors under a new name, then point state.json to them, then remove the older ones."""
    name = f"state-{position.step}-{position.epoch}.safetensors"
    save_tensors(folder / name, tensors)
    files.write_json(folder / "state.json", {"tensors": name, **asdict(position)})
    for path in folder.glob("state-*.safetensors"):
        if path.name != name:
            path.unlink()


def load(folder: Path) -> tuple[Position, dict[str, Tensor]]:
    """Read a checkpoint. Raises UserError if there is none or a newer version wrote it."""
    path = folder / "state.json"
    if not path.exists():
        raise UserError(f"{folder.parent.name} left no checkpoint to go on from. Start the stage anew.")
    record = json.loads(path.read_text(encoding="utf-8"))
    if record["version"] > VERSION:
        raise UserError(f"{path} was written by a newer version of this program. Update it to go on.")
    tensors = safetensors.torch.load_file(folder / record.pop("tensors"))
    record["loss_watch"] = LossWatch(**record.get("loss_watch", {}))
    return Position(**{**record, "version": VERSION}), tensors


def save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    contiguous = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    files.write_bytes(path, safetensors.torch.save(contiguous))


def load_weights(path: Path, model: nn.Module) -> None:
    model.load_state_dict(safetensors.torch.load_file(path))


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": value for name, value in tensors.items()}


def section(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors saved under `prefix`, by their own names."""
    return {name[len(prefix) + 1 :]: value for name, value in tensors.items() if name.startswith(prefix + "/")}
