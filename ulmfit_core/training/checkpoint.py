"""A training cut at a step boundary: weights and numbers, two files that belong together, and those of the cut before.

`state.json` names the tensors of the last checkpoint, `older.json` those of the one before, each with their checksum.
Both are replaced only once the new tensors are on disk, so that one whole pair always exists; and where a disk has
damaged the last one, `mend` lets the older one take its place. Each also names the best weights so far, which lie
beside the folder in a file for each epoch that was the best: what a checkpoint says of them is true of that file.
"""

from __future__ import annotations

import itertools
import math
import re
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pydantic
import safetensors
import safetensors.torch
from torch import Tensor, nn

from ulmfit_core import files, reading
from ulmfit_core.errors import UserError
from ulmfit_core.models import best_weights
from ulmfit_core.training.loss_watch import LossWatch

# 4: a checksum of the tensors. 5: a file of best weights for each epoch, named here; before, all were best.safetensors.
VERSION = 5
LAST, OLDER = "state.json", "older.json"
TENSORS = re.compile(r"state-[0-9][0-9.-]*\.safetensors")
DAMAGED = "damaged-"  # before the names of files that are set aside
MOST, MOST_THREADS = 2**40, 4096  # of steps and other things that a position counts
READ_AT_ONCE = 1 << 20  # bytes
Count = Annotated[int, pydantic.Field(ge=0, lt=2**48)]
BestFile = Annotated[str, pydantic.Field(pattern=f"^{best_weights.NAME.pattern}$")]


@dataclass
class Position:
    """Where a training stands: all that is not a tensor.

    `phase` is the last one told of. `best` is the best value of the metric so far, reached in `best_epoch`, whose
    weights are in the file `best_weights`, of that checksum. `scaler` is empty but in float16. `ranks` is the number of
    processes that train together. `tail` is the step at which its owner asked for an early end, if so; `over` that no
    further step is wanted, also where the plan has more.
    """

    step: Count = 0
    epoch: Count = 0
    window: Count = 0
    phase: int = -1
    best: float | None = None
    best_epoch: Count = 0
    best_weights: BestFile = best_weights.SINGLE
    best_checksum: Count | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    epoch_loss: float = 0.0
    epoch_weight: float = 0.0
    loss_watch: LossWatch = field(default_factory=LossWatch)
    scaler: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    threads: Count = 0
    device: str = "cpu"
    ranks: Count = 1
    offsets: dict[str, Count] = field(default_factory=dict)
    tail: int | None = None
    over: bool = False
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


POSITION = pydantic.TypeAdapter(Position)


class Damaged(Exception):
    """What is wrong with a file of a checkpoint, and which one it is."""


def save(folder: Path, position: Position, tensors: dict[str, Tensor]) -> None:
    """Write the tensors under a new name, let state.json name them and older.json those before, remove what is older.

    The best weights that the position names are on disk already, in the folder above. May be called again after an
    OSError: until its end the last checkpoint is whole.
    """
    content = packed(tensors)
    name = _new_name(folder, position)
    files.write_bytes(folder / name, content)
    try:
        if (folder / LAST).exists():
            files.write_bytes(folder / OLDER, (folder / LAST).read_bytes())
        files.write_json(folder / LAST, {"tensors": name, "checksum": zlib.crc32(content), **asdict(position)})
    finally:  # also where the disk was full: the new tensors would take the room that is waited for
        _remove_unnamed(folder)
    _remove_other_best(folder)


def _new_name(folder: Path, position: Position) -> str:
    """One that no checkpoint has, also where a training was resumed and stopped at the same step."""
    return _free_name(folder, f"state-{position.step}-{position.epoch}", ".safetensors")


def _remove_unnamed(folder: Path) -> None:
    named = set[str]().union(*(_tensors_named(path) for path in _records(folder)))
    for path in folder.glob("state-*.safetensors"):
        if path.name not in named:
            path.unlink()


def _remove_other_best(folder: Path) -> None:
    if (folder / LAST).exists():
        best_weights.remove_others(folder.parent, {_best_named(path) for path in _records(folder)})


def _records(folder: Path) -> list[Path]:
    return [folder / name for name in (LAST, OLDER) if (folder / name).exists()]


def drop_older(folder: Path) -> int:
    """Remove the checkpoint before the last one. Returns the bytes that this freed."""
    before = files.size_of(folder)
    (folder / OLDER).unlink(missing_ok=True)
    _remove_unnamed(folder)
    _remove_other_best(folder)
    return before - files.size_of(folder)


def load(folder: Path) -> tuple[Position, dict[str, Tensor]]:
    """Read the last checkpoint. Raises UserError if there is none, it is damaged or a newer version wrote it."""
    path = folder / LAST
    if not path.exists():
        raise UserError(f"{folder.parent.name} left no checkpoint to go on from. Start the stage anew.")
    try:
        record = _record(path)
        tensors = safetensors.torch.load_file(reading.plain(folder / record.pop("tensors")))
    except (Damaged, OSError, safetensors.SafetensorError) as error:
        reason = reading.shortened(str(error))
        raise UserError(f"The checkpoint in {folder} is damaged: {reason}. Start the stage anew.") from None
    position = POSITION.validate_python({**record, "version": VERSION})
    # As they were written: whole numbers stay whole.
    position.history, position.scaler = record.get("history", []), record.get("scaler", {})
    return position, tensors


def load_best(run: Path, position: Position, model: nn.Module) -> None:
    """Leave the best weights in the model. Raises UserError where they are damaged."""
    path = run / position.best_weights
    try:
        _check_tensors(path, position.best_checksum)
    except Damaged as error:
        raise UserError(
            f"The weights of the best epoch, {position.best_epoch + 1}, are damaged: {error}. "
            "Resume the training: it says whether an older checkpoint can take their place."
        ) from None
    load_weights(path, model)


# A damaged one


def mend(folder: Path) -> dict[str, str]:
    """Where the last checkpoint is damaged set it aside and let the one before take its place.

    Returns what is to be `told` of that, {} where it is whole. Raises UserError where none is; then all stays.
    """
    damage = _damage(folder, LAST) if (folder / LAST).exists() else None
    if damage is None:
        return {}
    if not (folder / OLDER).exists():
        raise UserError(f"The only checkpoint in {folder} is damaged: {damage}. Start the stage anew.")
    worse = _damage(folder, OLDER)
    if worse:
        raise UserError(f"Both checkpoints in {folder} are damaged: {damage}; {worse}. Start the stage anew.")
    aside, step = _set_aside(folder), _record(folder / OLDER)["step"]
    return {
        "told": f"The last checkpoint is damaged: {damage}. It is kept in {folder} as {' and '.join(aside.values())}. "
        f"The training goes on from the one before, of step {step:,}, and does the steps since then again."
    }


def _set_aside(folder: Path) -> dict[str, str]:
    """Keep the last checkpoint's files under other names and let the older one be the last; new names by old ones."""
    told = _content(folder / LAST)
    own = _tensors_named(folder / LAST) - _tensors_named(folder / OLDER)
    names = [LAST, *(name for name in own if (folder / name).exists())]
    aside = {name: _free_name(folder, DAMAGED + name) for name in names}
    for name in names[1:]:
        (folder / name).rename(folder / aside[name])
    files.write_bytes(folder / aside[LAST], told)
    files.write_bytes(folder / LAST, _content(folder / OLDER))
    return aside


def _tensors_named(path: Path) -> set[str]:
    """The name that a record gives to its tensors, as far as it can be read."""
    name = _told(path, b"tensors")
    return {name} if TENSORS.fullmatch(name) else set()


def _best_named(path: Path) -> str:
    return _told(path, b"best_weights") or best_weights.SINGLE


def _told(path: Path, key: bytes) -> str:
    """What a record, which may be damaged, says under a name; "" where it says nothing."""
    found = re.search(rb'"%s": "([^"]*)"' % key, _content(path))
    return found[1].decode(errors="replace") if found else ""


def _content(path: Path) -> bytes:
    """Of a record; b"" of what is none, such as a pipe, and would keep its reader for ever."""
    try:
        return reading.content(path)
    except UserError:
        return b""


def _free_name(folder: Path, name: str, ending: str = "") -> str:
    names = (f"{name}{'.' * bool(number)}{number or ''}{ending}" for number in itertools.count())
    return next(name for name in names if not (folder / name).exists())


def _damage(folder: Path, name: str) -> str | None:
    """What is wrong with a checkpoint; None where it is whole."""
    try:
        record = _record(folder / name)
        _check_tensors(folder / record["tensors"], record.get("checksum"))
        _check_best(folder.parent, record)
    except (Damaged, OSError) as error:
        return str(error)
    return None


def _record(path: Path) -> dict[str, Any]:
    """What a checkpoint says of itself. Raises Damaged, and UserError where a newer version wrote it."""
    try:
        record = reading.parsed(reading.text(path))
    except (OSError, ValueError, UserError) as error:
        raise Damaged(f"{path.name} cannot be read ({reading.shortened(str(error))})") from None
    if not isinstance(record, dict) or not TENSORS.fullmatch(str(record.get("tensors"))):
        raise Damaged(f"{path.name} names no tensors")
    if isinstance(record.get("version"), int) and record["version"] > VERSION:
        raise UserError(f"{path} was written by a newer version of this program. Update it to go on.")
    try:
        found = POSITION.validate_python(record)
    except pydantic.ValidationError as error:
        raise Damaged(f"{path.name} is not what was written ({': '.join(reading.first_of(error))})") from None
    if max(found.step, found.epoch, found.window, found.best_epoch) > MOST or not 1 <= found.threads <= MOST_THREADS:
        raise Damaged(f"{path.name} is not what was written (a number in it is impossible)")
    if found.best_epoch >= max(1, len(found.history)):
        raise Damaged(f"{path.name} is not what was written (its best epoch is none of its epochs)")
    return record


def _check_tensors(path: Path, checksum: int | None) -> None:
    """Raises Damaged where the file is not what was written, as far as is known: earlier versions noted no checksum."""
    try:
        with safetensors.safe_open(reading.plain(path), "pt"):
            pass
    except (OSError, UserError, safetensors.SafetensorError) as error:
        raise Damaged(f"{path.name} cannot be read ({reading.shortened(str(error))})") from None
    if checksum is not None and _checksum(path) != checksum:
        raise Damaged(f"{path.name} is not what was written")


def _check_best(run: Path, record: dict[str, Any]) -> None:
    """Raises Damaged where the best weights of the epochs so far are gone or not what was written."""
    path = run / record.get("best_weights", best_weights.SINGLE)
    if record.get("history") and not path.exists():
        raise Damaged(f"{path.name} is missing")
    if record.get("history"):
        _check_tensors(path, record.get("best_checksum"))


def _checksum(path: Path) -> int:
    found = 0
    with path.open("rb") as file:
        while part := file.read(READ_AT_ONCE):
            found = zlib.crc32(part, found)
    return found


# Tensors


def bytes_of(tensors: dict[str, Tensor]) -> int:
    return sum(value.nbytes for value in tensors.values())


def packed(tensors: dict[str, Tensor]) -> bytes:
    return safetensors.torch.save({name: value.detach().cpu().contiguous() for name, value in tensors.items()})


def save_tensors(path: Path, tensors: dict[str, Tensor]) -> int:
    """Returns the checksum of the file."""
    content = packed(tensors)
    files.write_bytes(path, content)
    return zlib.crc32(content)


def load_weights(path: Path, model: nn.Module) -> None:
    model.load_state_dict(safetensors.torch.load_file(reading.plain(path)))


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}/{name}": value for name, value in tensors.items()}


def section(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors saved under `prefix`, by their own names."""
    return {name[len(prefix) + 1 :]: value for name, value in tensors.items() if name.startswith(prefix + "/")}
