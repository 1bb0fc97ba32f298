"""What the window must know of the language model that a project starts from, without loading it."""

from __future__ import annotations

from typing import Any

from ulmfit_core import reading
from ulmfit_core.config import SCRATCH
from ulmfit_core.errors import UserError
from ulmfit_core.jobs.base import base_folder
from ulmfit_core.models import description

LANGUAGE_MODEL = "language_model"


def facts_of_base(base: str) -> dict[str, Any]:
    """What model.json says of it; nothing where there is no base, or none that can be read."""
    try:
        return read_base(base) if base != SCRATCH else {}
    except UserError:
        return {}


class Vocab(reading.Record):
    """What of vocab.json is shown."""

    kind: str = "unigram"
    rules: str = ""
    size: int = 0


def vocabulary_of_base(base: str) -> dict[str, Any]:
    """What vocab.json says of its vocabulary: kind, rules, size; nothing where there is none that can be read."""
    if base == SCRATCH:
        return {}
    try:
        return reading.record(base_folder(base) / "vocab.json", Vocab)
    except (UserError, FileNotFoundError):
        return {}


def read_base(base: str) -> dict[str, Any]:
    """What model.json says. Raises UserError where it is no language model to start from."""
    folder = base_folder(base)
    facts = description.known(folder)
    if facts.get("kind") != LANGUAGE_MODEL:
        raise UserError(f"{folder} holds no language model but another kind of model. Choose another folder.")
    return facts


def sentence_on(facts: dict[str, Any]) -> str:
    """Its size in one line."""
    network, vocabulary = facts.get("network", {}), facts.get("vocabulary", {})
    if not network or not vocabulary:
        return ""
    return (
        f"{network['layers']} recurrent layers of {network['hidden']:,}, embedding {network['embedding']:,}, "
        f"{vocabulary['size']:,} tokens."
    )
