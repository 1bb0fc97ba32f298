"""A training cut at a step boundary: two files, weights and numbers, replaced so that one whole pair always exists."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import safetensors.torch
from torch import Tensor

from ulmfit_core import files
from ulmfit_core.errors import UserError

VERSION = 1


@dataclass
class Position:
    """Where a training stands: all that is not a tensor."""

    step: int = 0
    epoch: int = 0
    window: int = 0
    best: float | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    epoch_loss: float = 0.0
    epoch_weight: float = 0.0
    seconds: float = 0.0
    threads: int = 0
    device: str = "cpu"
    offsets: dict[str, int] = field(default_factory=dict)
    version: int = VERSION


def save(folder: Path, position: Position, tensors: dict[str, Tensor]) -> None:
    """Write the tensors under a new name, then point state.json to them, then remove the older ones."""
    name = f"state-{position.step}-{position.epoch}.safetensors"
    contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    files.write_bytes(folder / name, safetensors.torch.save(contiguous))
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
    return Position(**record), tensors


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": value for name, value in tensors.items()}


def section(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors saved under `prefix`, by their own names."""
    return {name[len(prefix) + 1 :]: value for name, value in tensors.items() if name.startswith(prefix + "/")}
