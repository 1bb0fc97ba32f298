"""What a training began with and must have again when it is resumed: the sizes chosen for it, the files that it reads.

Sizes that are left to the program follow from the device, so that a training begun on a graphics card would be another
one on the CPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from ulmfit_core import files, reading
from ulmfit_core.config import StageSettings
from ulmfit_core.project import Project
from ulmfit_core.text.vocab import Vocabulary
from ulmfit_core.training.inputs import Inputs, Noted
from ulmfit_core.training.stage import Stage

NAME = "began.json"
SettingsOf = TypeVar("SettingsOf", bound=StageSettings)


class Known(reading.Record):
    """What a run's file tells: sizes by the names of their settings, and what `Inputs.note` found."""

    sizes: dict[Literal["batch_size", "bptt"], Annotated[int, Field(ge=1, le=4096)]] = {}
    files: dict[str, Noted] = {}


def with_sizes(settings: SettingsOf, folder: Path | None) -> SettingsOf:
    """The settings with the sizes that the run in `folder` began with; as they are where it begins only now.

    Raises UserError where what it noted is damaged.
    """
    return settings.model_copy(update=_read(folder).get("sizes", {}))


def same_inputs(project: Project, stage: Stage, vocab: Vocabulary, folder: Path) -> Inputs:
    """The files that the stage reads, noted in `folder` where its run begins, compared with what was noted otherwise.

    Raises UserError where one is gone or holds something else.
    """
    names = _names(stage.name, vocab)
    known = _read(folder)
    inputs = Inputs(project.folder, names, known.get("files"))
    if known:
        inputs.refuse_gone()
        inputs.refuse_changed()
    else:
        files.write_json(folder / NAME, {"sizes": stage.sizes, "files": inputs.note()})
    return inputs


def _names(step: str, vocab: Vocabulary) -> list[str]:
    kind = "corpus" if step == "pretrain" else "dataset"
    tokens = [f"tokens/{vocab.hash}/{kind}/{name}" for name in ("ids.bin", "offsets.npy")]
    return tokens if step == "pretrain" else [*tokens, "dataset/rows.arrow"]


def _read(folder: Path | None) -> dict[str, Any]:
    """Nothing of a run that begins, or that an earlier version began."""
    path = folder / NAME if folder else None
    return reading.record(path, Known) if path and path.exists() else {}
