"""What a setting's declaration says to a person: label, group, bounds, the word for 0, why a value is refused."""

from __future__ import annotations

import html
import re
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from studio.widgets.controls import CHOICES, ChoiceBox, Input, NumberBox, NumbersBox, TextBox, TickBox, number

UNBOUNDED = 1e9

# The words a newcomer reads; the field's own term stands at the end of its help.
LABELS = {
    "enabled": "Part of the recipe",
    "lr_max": "Highest learning rate",
    "lr_min": "Rate of the lowest group",
    "layer_shares": "Rates by group",
    "drop_mult": "Dropout multiplier",
    "bptt": "Window length",
    "accumulate": "Batches per step",
    "optimizer": "Optimiser",
    "schedule": "Learning-rate schedule",
    "span": "Schedule spans",
    "cut_frac": "Rising share",
    "ratio": "Peak to lowest rate",
    "pct_start": "Rising share of one-cycle",
    "flat_share": "Flat share",
    "momentum_low": "Lowest momentum",
    "beta2": "Second beta",
    "layer_factor": "Layer-rate factor",
    "unfreezing": "Unfreezing",
    "frozen_epochs": "Epochs per frozen phase",
    "weight_decay_end": "Weight decay left at the end",
    "nonmono": "Patience of NT-ASGD",
    "patience": "Early stopping",
    "clip": "Gradient clipping",
    "input_drop": "Input dropout",
    "hidden_drop": "Hidden dropout",
    "weight_drop": "Weight dropout",
    "embedding_drop": "Embedding dropout",
    "output_drop": "Output dropout",
    "drop_start": "Dropouts at the start",
    "drop_end": "Dropouts at the end",
    "noise_start": "Unknown tokens at the start",
    "noise_end": "Unknown tokens at the end",
    "grow": "Grow the present classifier",
    "label_smoothing": "Label smoothing",
    "class_weights": "Class weights",
    "tokens_per_pass": "Tokens per pass",
    "precision": "Number format",
    "checkpoint_seconds": "Checkpoint every",
    "seed": "Random seed",
    "alpha": "AR weight",
    "beta": "TAR weight",
    "variable_bptt": "Variable window length",
    "embedding": "Embedding size",
    "hidden": "Hidden size",
    "layers": "Layers",
    "cell": "Recurrent layer",
    "softmax": "Softmax",
    "threads": "Processor threads",
    "head": "Head size",
    "head_drop": "Head dropout",
    "max_length": "Longest document",
    "keep_best_by": "Keep the best by",
    "blend": "Blend with word counts",
    "groups": "What is trained",
    "alone": "Alone",
    "kind": "Made of",
    "size": "Vocabulary size",
    "min_frequency": "Rarest word",
    "reuse": "Take the model's vocabulary",
    "extend": "Pieces to add",
    "byte_fallback": "Bytes for rare characters",
    "rules": "Text rules",
    "sample_mb": "Text to learn from",
    "coverage": "Character coverage",
    "max_tokens": "Longest text",
    "data": "Texts",
    "label": "Label column",
    "text": "Text columns",
    "test": "Test file",
    "unlabelled": "Texts without labels",
    "corpus": "General text",
    "valid_fraction": "Validation share",
    "test_fraction": "Test share",
}
# The headings under which many settings are told apart; what is named nowhere comes last.
GROUPS = {
    "Learning rate": (
        "cut_frac", "ratio", "pct_start", "flat_share", "span", "layer_factor", "lr_min", "layer_shares",
    ),
    "Optimiser": (
        "optimizer", "momentum", "momentum_low", "beta2", "weight_decay", "weight_decay_end", "nonmono", "clip",
    ),
    "Unfreezing": ("unfreezing", "frozen_epochs"),
    "Dropout and noise": (
        "input_drop", "hidden_drop", "weight_drop", "embedding_drop", "output_drop", "head_drop", "drop_start",
        "drop_end", "noise_start", "noise_end", "label_smoothing", "alpha", "beta",
    ),
    "Batches and precision": (
        "batch_size", "bptt", "variable_bptt", "accumulate", "max_length", "tokens_per_pass", "precision", "device",
        "threads",
    ),
}  # fmt: skip
REST = "Other"
# What 0 stands for, told by the declaration's own help.
ZEROS = {
    "0 chooses": "automatic",
    "0 means": "automatic",
    "0 takes the stage's": "automatic",
    "0 uses the layer-rate factor": "by factor",
    "uses all": "all",
    "keeps all": "all",
    "trains all": "all",
    "takes it as it is": "none",
    "0 does not clip": "off",
    "0 never stops early": "never",
    "0 sets no limit": "no limit",
}


def label_of(name: str) -> str:
    """The label of a field: its words, or its name made readable."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


def grouped(names: list[str]) -> dict[str, list[str]]:
    """The names under their headings, in the headings' order."""
    found = {heading: [name for name in members if name in names] for heading, members in GROUPS.items()}
    known = {name for members in found.values() for name in members}
    found[REST] = [name for name in names if name not in known]
    return {heading: members for heading, members in found.items() if members}


def extra(field: FieldInfo, key: str) -> Any:
    facts = field.json_schema_extra
    return facts.get(key, "") if isinstance(facts, dict) else ""


def bounds(field: FieldInfo) -> tuple[float, float]:
    """Smallest and largest value; an exclusive bound counts as one, the judge of typed text knows better."""
    low, high = -UNBOUNDED, UNBOUNDED
    for fact in field.metadata:
        low = max(low, getattr(fact, "ge", low), getattr(fact, "gt", low))
        high = min(high, getattr(fact, "le", high), getattr(fact, "lt", high))
    return low, high


def zero_word(field: FieldInfo) -> str:
    """The word for a 0 that is no quantity, such as “automatic”."""
    if bounds(field)[0] != 0:
        return ""
    return next((word for phrase, word in ZEROS.items() if phrase in (field.description or "")), "")


def meaning(field: FieldInfo) -> str:
    """The declaration's help; a 0 that the control shows as a word is that word here too."""
    word, told = zero_word(field), field.description or ""
    return re.sub(r"(?<!\S)0 (?=[a-z])", f"“{word}” ", told) if word else told


def default_text(field: FieldInfo) -> str:
    """The default in the words of its control."""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return (zero_word(field) if value == 0 else "") or f"{value:,g} {extra(field, 'unit')}".strip()
    return CHOICES.get(value, value) if isinstance(value, str) and value else "none"


def range_text(field: FieldInfo) -> str:
    """Between which numbers the value lies, with their unit; empty where it is no number."""
    low, high = bounds(field)
    if field.annotation not in (int, float) or low == -UNBOUNDED:
        return ""
    reach = f"{low:,g} to {high:,g}" if high < UNBOUNDED else f"{low:,g} and more"
    return f"{reach} {extra(field, 'unit')}".strip()


def help_of(kind: type[BaseModel], name: str) -> str:
    """All that the declaration says of a knob, as rich text: its meaning and `more_of` it."""
    title, *rest = more_of(kind, name).split("<br>")
    return "<br>".join([title, html.escape(meaning(kind.model_fields[name])), "", *rest])


def more_of(kind: type[BaseModel], name: str) -> str:
    """What does not stand below a knob anyway, as rich text: default, range, source, its name in the file."""
    field = kind.model_fields[name]
    facts = {
        "Default": default_text(field), "Range": range_text(field), "Source": extra(field, "source"),
        "In project.toml": name,
    }  # fmt: skip
    lines = [f"{title}: {html.escape(str(fact))}" for title, fact in facts.items() if fact]
    return "<br>".join([f"<b>{label_of(name)}</b>", *lines])


def is_editable(field: FieldInfo) -> bool:
    """Whether one control can hold it; tables have a widget of their own."""
    kind = field.annotation
    return kind in (str, bool, int, float, list[str], list[float]) or get_origin(kind) is Literal


def problem_of(model: BaseModel, name: str, value: Any) -> str:
    """Why `model` refuses the value, as a sentence; empty where it takes it."""
    try:
        type(model).__pydantic_validator__.validate_assignment(model.model_copy(), name, value)
    except ValidationError as error:
        return error.errors()[0]["msg"].replace("Input should be", "This must be").removesuffix(".") + "."
    return ""


def problem_of_text(model: BaseModel, name: str, text: str) -> str:
    value = number(text)
    return "A number is needed here." if value is None else problem_of(model, name, value)


def make_control(model: BaseModel, name: str) -> Input:
    """The control that fits the field's kind, with the field's value."""
    field = type(model).model_fields[name]
    kind = field.annotation
    made: Input
    if get_origin(kind) is Literal:
        made = ChoiceBox(get_args(kind))
    elif kind is bool:
        made = TickBox()
    elif kind == list[float]:
        made = NumbersBox()
    elif kind in (int, float):
        made = NumberBox(kind is int, *bounds(field), lambda text: problem_of_text(model, name, text))
        made.set_words(extra(field, "unit"), zero_word(field))
    else:
        made = TextBox(many=kind is not str)
    made.write(getattr(model, name))
    return made
