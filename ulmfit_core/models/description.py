"""What model.json of a bundle tells, in every form that it has had; read without torch, for the window asks too."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ulmfit_core import reading, reports
from ulmfit_core.config import ModelSettings
from ulmfit_core.errors import UserError

# 2: a classifier whose probabilities are pooled; 3: weights in eight bits; 4: a classifier that tells unknown texts,
# whatever its weights; otherwise a bundle stays 1, which older programs can read.
VERSION = 4
# A classifier's sizes in model.json; whether the weights' file has them is another question.
MOST, MOST_HIDDEN = 2**31 - 1, 2**20


class _Known(reading.Record):
    hash: str


class _Sizes(reading.Record):
    bptt: int = Field(ge=1, le=MOST)
    max_length: int = Field(ge=1, le=MOST)
    head: int = Field(ge=1, le=MOST_HIDDEN)


class _Facts(reports.Report):
    figures: Any = {}  # of a starter: those of each text that it was measured on, which nothing here reads


class Description(reading.Record):
    """What model.json must tell."""

    format: int = 0
    kind: Literal["language_model", "classifier"]
    network: ModelSettings
    vocabulary: _Known
    facts: _Facts
    labels: list[str] = []
    max_tokens: int = Field(0, ge=0, le=MOST)
    classifier: _Sizes | None = None


def read(folder: Path) -> dict[str, Any]:
    """model.json of a bundle. Raises UserError where it is missing, damaged or of a newer version."""
    path = folder / "model.json"
    if not path.exists():
        raise UserError(f"{folder} holds no model: model.json is missing. Train the stage that makes it first.")
    record = reading.record(path, reading.Versioned)
    if record.get("format", 0) > VERSION:
        raise UserError(f"{path} was written by a newer version of this program. Update it to open the model.")
    told = reading.fitting(record, Description, path)
    if told["kind"] == "classifier" and not (told.get("classifier") and told.get("labels")):
        raise UserError(reading.damaged(path, "it tells no labels or sizes of its classifier"))
    return told


class Network(reading.Record):
    layers: int
    hidden: int
    embedding: int


class Size(reading.Record):
    size: int


class Told(reading.Record):
    """What others ask of a model that they do not open."""

    kind: str = ""
    network: Network | None = None
    vocabulary: Size | None = None
    labels: list[str] = []
    facts: _Facts = _Facts()


def known(folder: Path) -> dict[str, Any]:
    """What others ask of a model, {} where there is none. Raises UserError where it is damaged."""
    path = folder / "model.json"
    return reading.record(path, Told) if path.exists() else {}
