"""What the window must know of the language model that a project starts from, without loading it."""

from __future__ import annotations

import json
from typing import Any

from ulmfit_core.config import SCRATCH
from ulmfit_core.errors import UserError
from ulmfit_core.jobs.base import base_folder

LANGUAGE_MODEL = "language_model"


def facts_of_base(base: str) -> dict[str, Any]:
    """What model.json says of it; nothing where there is no base, or none that can be read."""
    try:
        return read_base(base) if base != SCRATCH else {}
    except UserError:
        return {}


def vocabulary_of_base(base: str) -> dict[str, Any]:
    """What vocab.json says of its vocabulary: kind, rules, size; nothing where there is none that can be read."""
    if base == SCRATCH:
        return {}
    try:
        facts = json.loads((base_folder(base) / "vocab.json").read_text(encoding="utf-8"))
    except (UserError, OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def read_base(base: str) -> dict[str, Any]:
    """What model.json says. Raises UserError where it is no language model to start from."""
    folder = base_folder(base)
    try:
        facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / 'model.json'} cannot be read: {error}. Choose another model.") from None
    if not isinstance(facts, dict) or facts.get("kind") != LANGUAGE_MODEL:
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
