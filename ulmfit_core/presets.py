"""Named sets of settings: two of this program's own, and one for each source, with that source's figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ulmfit_core.config import Recipe, set_value
from ulmfit_core.errors import UserError

LANGUAGE = ("pretrain", "finetune")
ALL = (*LANGUAGE, "classify")


def _drops(stage: str, embedding: float, inputs: float, hidden: float, weight: float, output: float) -> dict[str, Any]:
    """The five dropouts of a stage as preset values."""
    values = {"embedding": embedding, "input": inputs, "hidden": hidden, "weight": weight, "output": output}
    return {f"{stage}.{name}_drop": value for name, value in values.items()}


def _each(values: dict[str, Any], stages: tuple[str, ...] = ("pretrain", "finetune", "classify")) -> dict[str, Any]:
    return {f"{stage}.{name}": value for stage in stages for name, value in values.items()}


@dataclass(frozen=True)
class Preset:
    """Values by the key of their knob, with the title and the sentence that window and command line show."""

    title: str
    meaning: str
    values: dict[str, Any]

    @property
    def vocabulary(self) -> str:
        """A sentence on what it cuts texts into, which a pretrained model to begin with has to share."""
        unit = "whole words" if self.values.get("vocab.kind") == "word" else "pieces of words"
        return f"Texts are cut into up to {self.values['vocab.size']:,} {unit}."


# quick and balanced are this program's own; the others are named after their source and keep its figures.
PRESETS: dict[str, Preset] = {
    "quick": Preset("Quick", "A small model that trains in minutes on any computer. Good for a first look.", {
        "vocab.size": 4000, "model.embedding": 96, "model.hidden": 192,
        "finetune.epochs": 2, "finetune.layer_factor": 1.0, "classify.epochs": 0, "classify.lr_max": 0.02,
    }),
    "balanced": Preset("Balanced", "A medium model, for some thousand texts and an hour or so of computing.", {
        "vocab.size": 8000, "model.embedding": 200, "model.hidden": 400, "pretrain.epochs": 2,
        "finetune.epochs": 6, "finetune.layer_factor": 1.0, "classify.epochs": 0, "classify.lr_max": 0.02,
    }),
    # Howard & Ruder 2018. What it does not print (pretraining, clipping) is that of its code.
    "paper": Preset("Paper", "The sizes that were published. Needs a graphics card, or a day or more without.", {
        "vocab.size": 30_000, "model.embedding": 400, "model.hidden": 1150,
        **_each({"batch_size": 64, "bptt": 70, "optimizer": "adam", "momentum": 0.7, "momentum_low": 0.7,
                       "weight_decay": 0.0, "drop_mult": 1.0, "schedule": "slanted", "layer_factor": 2.6}),
        **_drops("pretrain", 0.05, 0.4, 0.3, 0.5, 0.4), **_drops("finetune", 0.05, 0.4, 0.3, 0.5, 0.4),
        **_drops("classify", 0.05, 0.4, 0.3, 0.5, 0.4),
        "pretrain.epochs": 12, "pretrain.lr_max": 1e-3, "pretrain.layer_factor": 1.0, "pretrain.clip": 0.3,
        "finetune.epochs": 15, "finetune.lr_max": 4e-3, "finetune.clip": 0.3,
        "classify.epochs": 15, "classify.lr_max": 0.01, "classify.clip": 25.0, "classify.unfreezing": "gradual",
        "classify.blend": "off",
    }),
    # The authors' code (fastai 0.7, imdb_scripts): L2 decay, own shares of the rates, three phases for the classifier.
    "imdb_scripts": Preset(
        "imdb_scripts (the authors' code)",
        "As large as the paper's: other dropouts, L2 weight decay, three phases for the classifier.", {
        "vocab.kind": "word", "vocab.rules": "fastai", "vocab.size": 60_000, "vocab.sample_mb": 1000.0,
        "model.embedding": 400, "model.hidden": 1150,
        **_each({"optimizer": "adam", "momentum": 0.8, "momentum_low": 0.8, "schedule": "slanted",
                       "drop_mult": 1.0, "bptt": 70}),
        **_each({"batch_size": 64, "weight_decay": 1e-7, "clip": 0.3}, LANGUAGE),
        **_drops("pretrain", 0.02, 0.25, 0.15, 0.2, 0.1), **_drops("finetune", 0.02, 0.25, 0.15, 0.2, 0.1),
        "pretrain.epochs": 12, "pretrain.lr_max": 1e-3, "pretrain.drop_mult": 0.5,
        "pretrain.layer_shares": [1 / 6, 1 / 3, 1.0, 1.0],
        "finetune.epochs": 25, "finetune.lr_max": 4e-3, "finetune.layer_shares": [1 / 6, 1 / 3, 1.0, 0.5],
        **_drops("classify", 0.05, 0.4, 0.3, 0.5, 0.4),
        "classify.batch_size": 32, "classify.lr_max": 0.01, "classify.layer_factor": 2.6, "classify.clip": 25.0,
        "classify.weight_decay": 1e-6, "classify.blend": "off",
        "classify.phases": [
            {"epochs": 1, "groups": 1, "lr_max": 0.01}, {"epochs": 1, "groups": 2, "lr_max": 0.01},
            {"epochs": 50, "groups": 0, "lr_max": 0.01},
        ],
    }),
    # fastai 2's IMDb notebook.
    "fastai": Preset(
        "fastai 2 (IMDb notebook)",
        "As large as the paper's: one-cycle schedules, decoupled weight decay, large batches.", {
        "vocab.kind": "word", "vocab.rules": "fastai", "vocab.size": 60_000, "vocab.sample_mb": 1000.0,
        "model.embedding": 400, "model.hidden": 1152,
        **_each({"optimizer": "adamw", "schedule": "one_cycle", "momentum": 0.8, "momentum_low": 0.7,
                       "weight_decay": 0.1, "bptt": 72, "eps": 1e-5}),
        **_each({"batch_size": 256, "layer_factor": 1.0, "bptt": 80, "clip": 0.1}, LANGUAGE),
        "pretrain.epochs": 10, "pretrain.lr_max": 2e-3, "pretrain.drop_mult": 0.3,
        "finetune.drop_mult": 0.3, "finetune.lr_max": 2e-3,
        "finetune.phases": [
            {"epochs": 1, "groups": 1, "lr_max": 2e-2, "schedule": "one_cycle"},
            {"epochs": 10, "groups": 0, "lr_max": 2e-3, "schedule": "one_cycle"},
        ],
        "classify.batch_size": 128, "classify.drop_mult": 0.5, "classify.layer_factor": 2.6, "classify.clip": 0.0,
        "classify.lr_max": 0.1, "classify.blend": "off",
        "classify.phases": [
            {"epochs": 1, "groups": 1, "lr_max": 0.1, "schedule": "one_cycle"},
            {"epochs": 1, "groups": 2, "lr_max": 0.05, "schedule": "one_cycle"},
            {"epochs": 1, "groups": 3, "lr_max": 0.025, "schedule": "one_cycle"},
            {"epochs": 2, "groups": 0, "lr_max": 0.005, "schedule": "one_cycle"},
        ],
    }),
    # Eisenschlos et al. 2019.
    "multifit": Preset(
        "MultiFiT",
        "Larger than the paper's: four QRNN layers, one-cycle schedules, label smoothing.", {
        "vocab.size": 15_000, "model.embedding": 400, "model.hidden": 1550, "model.layers": 4, "model.cell": "qrnn",
        **_each({"optimizer": "adamw", "schedule": "one_cycle", "momentum": 0.8, "momentum_low": 0.7,
                       "bptt": 70, "clip": 0.12}),
        **_each({"layer_factor": 1.0, "weight_decay": 1e-7}, LANGUAGE),
        **_drops("pretrain", 0.02, 0.2, 0.1, 0.15, 0.25), **_drops("finetune", 0.02, 0.2, 0.1, 0.15, 0.25),
        **_drops("classify", 0.02, 0.2, 0.1, 0.15, 0.25),
        "pretrain.epochs": 10, "pretrain.lr_max": 5e-3, "pretrain.batch_size": 50, "pretrain.drop_mult": 0.0,
        "finetune.batch_size": 20, "finetune.drop_mult": 0.3, "finetune.lr_max": 1e-3,
        "finetune.phases": [
            {"epochs": 1, "groups": 1, "lr_max": 1e-2, "schedule": "one_cycle"},
            {"epochs": 20, "groups": 0, "lr_max": 1e-3, "schedule": "one_cycle"},
        ],
        "classify.batch_size": 18, "classify.drop_mult": 0.5, "classify.epochs": 8, "classify.unfreezing": "all",
        "classify.lr_max": 2e-2, "classify.lr_min": 1e-2 / 2.6**4, "classify.label_smoothing": 0.1,
        "classify.weight_decay": 0.01, "classify.blend": "off",
    }),
}  # fmt: skip


def apply_preset(recipe: Recipe, preset: str) -> Recipe:
    """A copy of `recipe` with the preset's values. Raises UserError for an unknown preset."""
    if preset not in PRESETS:
        raise UserError(f"There is no preset “{preset}”. Choose one of: {', '.join(PRESETS)}.")
    changed = recipe.model_copy(deep=True)
    changed.preset = preset
    for key, value in PRESETS[preset].values.items():
        set_value(changed, key, value)
    return changed
