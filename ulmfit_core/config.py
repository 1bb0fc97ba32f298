"""Every knob, declared once: default, bounds, unit, one sentence of help and its source.

The window's forms, the command line's `--set`, validation and the docs all read these declarations.
"""

from __future__ import annotations

import tomllib
from typing import Any, Literal

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ulmfit_core.errors import UserError


def knob(default: Any, help: str, *, unit: str = "", advanced: bool = False, source: str = "", **bounds: Any) -> Any:
    """A field with the extra facts a form needs. `advanced` hides it at first."""
    extra: dict[str, Any] = {"unit": unit, "advanced": advanced, "source": source}
    return Field(default, description=help, json_schema_extra=extra, **bounds)


class Settings(BaseModel):
    """Base of all settings: unknown names are refused, assignments are checked."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class DataSettings(Settings):
    """Where the text comes from and which column means what."""

    data: str = knob("", "File (CSV, TSV, JSON lines, Parquet, text) or folder of text files, one folder a label.")
    text: list[str] = knob([], "Columns that hold the text, by name or by number from 1; joined in this order.")
    label: str = knob("", "Column that holds the label; empty where no row is labelled.")
    split_column: str = knob("", "Column that says train, valid or test; empty for a random split.", advanced=True)
    test: str = knob("", "A separate file of test rows with the same columns; empty to set rows aside.")
    unlabelled: str = knob("", "A file of texts without labels; they teach the language model.")
    corpus: str = knob("", "A file of general text for pretraining, such as an extract of Wikipedia.")
    delimiter: Literal["auto", ",", ";", "\t", "|", "@", " "] = knob("auto", "Column separator.", advanced=True)
    encoding: str = knob("auto", "Character encoding of the files, for example utf-8 or latin-1.", advanced=True)
    header: Literal["auto", "yes", "no"] = knob("auto", "Whether the first line names the columns.", advanced=True)
    valid_fraction: float = knob(0.1, "Share of the training rows kept aside for validation.", ge=0.01, le=0.5)
    test_fraction: float = knob(0.1, "Share kept aside for the test where no test rows are given.", ge=0.0, le=0.5)
    labelled_rows: int = knob(
        0, "Use only this many labelled training rows, the rest teach the language model; 0 uses all.",
        unit="rows", ge=0, advanced=True,
    )  # fmt: skip
    corpus_words: int = knob(
        0, "Use only so many words of the general text; 0 uses all.", unit="words", ge=0, advanced=True
    )
    seed: int = knob(42, "Number from which the random split follows.", ge=0, advanced=True)


class VocabSettings(Settings):
    """How text becomes tokens. One vocabulary serves all three stages."""

    size: int = knob(8000, "Number of pieces; fewer where the text has not enough.", unit="pieces", ge=100, le=100_000)
    rules: Literal["ulmfit", "fastai", "plain"] = knob(
        "ulmfit", "Text rules: ulmfit marks capitals and repeats; fastai is its rule set; plain changes nothing.",
    )  # fmt: skip
    sample_mb: float = knob(
        8.0, "Amount of text the vocabulary is learned from.", unit="MB", gt=0, le=1000, advanced=True
    )
    coverage: float = knob(0.9995, "Share of characters that must be representable.", ge=0.9, le=1.0, advanced=True)
    max_tokens: int = knob(
        0, "Cut each text of the data after this many tokens; 0 keeps all.", unit="tokens", ge=0, advanced=True
    )


class ModelSettings(Settings):
    """The AWD-LSTM. The last layer has the embedding's size so that decoder and embedding share weights."""

    embedding: int = knob(200, "Length of a token's vector.", ge=4, le=2000, source="400 in the paper")
    hidden: int = knob(400, "Size of the inner recurrent layers.", ge=4, le=5000, source="1150 in the paper")
    layers: int = knob(3, "Recurrent layers.", ge=1, le=8, source="3 in the paper")


class PhaseSettings(Settings):
    """One row of the table of phases: some epochs with some layer groups trained under one schedule."""

    epochs: int = knob(1, "Passes over the data.", unit="epochs", ge=1, le=1000)
    groups: int = knob(0, "How many layer groups are trained, counted from the output; 0 trains all.", ge=0, le=32)
    lr_max: float = knob(0.01, "Highest learning rate of the last layer group.", gt=0, le=100)
    schedule: Literal["slanted", "one_cycle", "constant"] = knob(
        "slanted", "Shape of the learning rate over the phase."
    )


class StageSettings(Settings):
    """What the three training stages have in common."""

    enabled: bool = knob(True, "Whether the stage is part of the recipe.")
    epochs: int = knob(1, "Passes over the data with all layers trained.", unit="epochs", ge=1, le=1000)
    lr_max: float = knob(
        0.004, "Highest learning rate, reached by the last layer group.", gt=0, le=100, source="paper 4.1"
    )
    drop_mult: float = knob(
        1.0, "Multiplies all five dropouts; less for little training, more against overfitting.", ge=0, le=2
    )
    batch_size: int = knob(0, "Sequences side by side in a step; 0 chooses by corpus size and device.", ge=0, le=4096)
    bptt: int = knob(
        0, "Tokens of each sequence in a window; 0 chooses by corpus size and device.", unit="tokens", ge=0, le=2000
    )
    schedule: Literal["slanted", "one_cycle", "constant"] = knob(
        "slanted", "Shape of the learning rate.", source="paper 3.2"
    )
    cut_frac: float = knob(
        0.1, "Share of the steps in which a slanted triangle rises.", gt=0, lt=1, advanced=True, source="paper 3.2"
    )
    ratio: float = knob(
        32.0,
        "How much lower a slanted triangle starts and ends than its peak.",
        ge=1,
        advanced=True,
        source="paper 3.2",
    )
    pct_start: float = knob(0.25, "Share of the steps in which a one-cycle rises.", gt=0, lt=1, advanced=True)
    momentum: float = knob(
        0.8, "Adam's first beta: the highest of a one-cycle, constant otherwise.", ge=0, lt=1, advanced=True
    )
    momentum_low: float = knob(0.7, "Momentum at the peak of a one-cycle.", ge=0, lt=1, advanced=True)
    beta2: float = knob(0.99, "Adam's second beta.", ge=0, lt=1, advanced=True)
    layer_factor: float = knob(
        2.6, "Each layer group learns this much slower than the next one above it.", ge=1, le=100, source="paper 3.2"
    )
    unfreezing: Literal["all", "gradual", "last"] = knob(
        "all", "Train all layer groups at once, one more each phase, or only the last."
    )
    frozen_epochs: int = knob(
        1, "Epochs of each phase before all groups are trained.", unit="epochs", ge=1, le=100, advanced=True
    )
    phases: list[PhaseSettings] = knob(
        [], "Table of phases; where it has rows it replaces epochs and unfreezing.", advanced=True
    )
    weight_decay: float = knob(0.01, "Decoupled weight decay (AdamW).", ge=0, le=10, advanced=True)
    clip: float = knob(0.25, "Largest norm of the gradient; 0 does not clip.", ge=0, advanced=True)
    input_drop: float = knob(0.25, "Dropout of the embedded input.", ge=0, lt=1, advanced=True)
    hidden_drop: float = knob(0.15, "Dropout between recurrent layers.", ge=0, lt=1, advanced=True)
    weight_drop: float = knob(0.2, "Dropout of the hidden-to-hidden weights.", ge=0, lt=1, advanced=True)
    embedding_drop: float = knob(0.02, "Dropout of whole words of the embedding.", ge=0, lt=1, advanced=True)
    output_drop: float = knob(0.1, "Dropout of the last layer's output.", ge=0, lt=1, advanced=True)
    tokens_per_pass: int = knob(
        0,
        "Largest pass through the network; 0 means 5,120 on a CPU and 65,536 on a GPU.",
        unit="tokens",
        ge=0,
        advanced=True,
    )
    checkpoint_seconds: float = knob(30.0, "Time between checkpoints.", unit="s", gt=0, advanced=True)
    seed: int = knob(1, "Number from which all randomness of the training follows.", ge=0, advanced=True)


class LanguageModelSettings(StageSettings):
    """Pretraining and fine-tuning: predict the next token."""

    alpha: float = knob(2.0, "Weight of activation regularisation (AR).", ge=0, advanced=True, source="AWD-LSTM 4.3")
    beta: float = knob(
        1.0, "Weight of temporal activation regularisation (TAR).", ge=0, advanced=True, source="AWD-LSTM 4.3"
    )
    variable_bptt: bool = knob(True, "Draw the length of each window at random.", advanced=True, source="AWD-LSTM 3.1")


class PretrainSettings(LanguageModelSettings):
    """A language model from general text."""

    lr_max: float = knob(0.005, "Highest learning rate, reached by the last layer group.", gt=0, le=100)
    schedule: Literal["slanted", "one_cycle", "constant"] = knob("one_cycle", "Shape of the learning rate.")
    layer_factor: float = knob(
        1.0, "Each layer group learns this much slower than the next one above it.", ge=1, le=100
    )
    drop_mult: float = knob(
        0.2, "Multiplies all five dropouts; less for little training, more against overfitting.", ge=0, le=2
    )


class FinetuneSettings(LanguageModelSettings):
    """The language model learns how the target texts are written."""

    epochs: int = knob(4, "Passes over the data with all layers trained.", unit="epochs", ge=1, le=1000)
    drop_mult: float = knob(
        0.5, "Multiplies all five dropouts; less for little training, more against overfitting.", ge=0, le=2
    )


class ClassifySettings(StageSettings):
    """The classifier on top of the fine-tuned encoder."""

    epochs: int = knob(4, "Passes over the data with all layers trained.", unit="epochs", ge=1, le=1000)
    lr_max: float = knob(
        0.01, "Highest learning rate, reached by the last layer group.", gt=0, le=100, source="paper 4.1"
    )
    unfreezing: Literal["all", "gradual", "last"] = knob(
        "gradual", "Train all layer groups at once, one more each phase, or only the last.", source="paper 3.3"
    )
    batch_size: int = knob(0, "Documents in a step; 0 chooses by number of rows and device.", ge=0, le=4096)
    bptt: int = knob(70, "Tokens of each document read in one go (BPT3C).", unit="tokens", ge=5, le=2000, advanced=True)
    max_length: int = knob(1400, "Last tokens of a long document that are pooled.", unit="tokens", ge=10, advanced=True)
    head: int = knob(50, "Size of the hidden layer of the head.", ge=1, advanced=True, source="paper 4.1")
    head_drop: float = knob(0.1, "Dropout inside the head.", ge=0, lt=1, advanced=True)
    clip: float = knob(25.0, "Largest norm of the gradient; 0 does not clip.", ge=0, advanced=True)
    input_drop: float = knob(0.4, "Dropout of the embedded input.", ge=0, lt=1, advanced=True)
    hidden_drop: float = knob(0.3, "Dropout between recurrent layers.", ge=0, lt=1, advanced=True)
    weight_drop: float = knob(0.5, "Dropout of the hidden-to-hidden weights.", ge=0, lt=1, advanced=True)
    embedding_drop: float = knob(0.05, "Dropout of whole words of the embedding.", ge=0, lt=1, advanced=True)
    output_drop: float = knob(0.4, "Dropout of the pooled features.", ge=0, lt=1, advanced=True)
    drop_mult: float = knob(
        0.5, "Multiplies all five dropouts; less for little training, more against overfitting.", ge=0, le=2
    )
    keep_best_by: Literal["accuracy", "macro_f1", "valid_loss"] = knob(
        "accuracy", "Measure by which the best epoch is kept.", advanced=True
    )


class Recipe(Settings):
    """All of `project.toml`: enough to repeat the work."""

    name: str = knob("", "Name of the project.")
    preset: str = knob("balanced", "Where the settings started from: quick, balanced or paper.")
    base: str = knob("none", "Pretrained language model to start from: none, starter, or the folder of a bundle.")
    data: DataSettings = Field(default_factory=DataSettings)
    vocab: VocabSettings = Field(default_factory=VocabSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    pretrain: PretrainSettings = Field(default_factory=PretrainSettings)
    finetune: FinetuneSettings = Field(default_factory=FinetuneSettings)
    classify: ClassifySettings = Field(default_factory=ClassifySettings)


PRESETS: dict[str, dict[str, Any]] = {
    "quick": {
        "vocab.size": 4000, "model.embedding": 96, "model.hidden": 192,
        "finetune.epochs": 2, "classify.epochs": 3,
    },
    "balanced": {
        "vocab.size": 8000, "model.embedding": 200, "model.hidden": 400, "pretrain.epochs": 2,
        "finetune.epochs": 4, "classify.epochs": 8,
    },
    "paper": {
        "vocab.size": 30_000, "model.embedding": 400, "model.hidden": 1150, "pretrain.epochs": 12,
        "finetune.epochs": 15, "finetune.drop_mult": 1.0, "classify.epochs": 15, "classify.drop_mult": 1.0,
        "finetune.momentum": 0.7, "classify.momentum": 0.7, "classify.batch_size": 64,
    },
}  # fmt: skip


def apply_preset(recipe: Recipe, preset: str) -> Recipe:
    """A copy of `recipe` with the preset's values. Raises UserError for an unknown preset."""
    if preset not in PRESETS:
        raise UserError(f"There is no preset “{preset}”. Choose one of: {', '.join(PRESETS)}.")
    changed = recipe.model_copy(deep=True)
    changed.preset = preset
    for key, value in PRESETS[preset].items():
        set_value(changed, key, value)
    return changed


def set_value(recipe: Recipe, key: str, value: Any) -> None:
    """Set one knob by its dotted name, such as `classify.lr_max`. Raises UserError with the allowed range."""
    *path, name = key.split(".")
    target: BaseModel = recipe
    for part in path:
        target = getattr(target, part, None)  # type: ignore[assignment]
    if not isinstance(target, BaseModel) or name not in type(target).model_fields:
        raise UserError(f"There is no setting “{key}”. Settings are named section.name, for example classify.epochs.")
    try:
        setattr(target, name, value)
    except ValidationError as error:
        raise UserError(f"{key} cannot be {value!r}: {error.errors()[0]['msg']}.") from None


def parse_value(text: str) -> Any:
    """The value written after `--set KEY=`: TOML where it is TOML, plain text otherwise."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def planned_phases(settings: StageSettings, groups: int) -> list[PhaseSettings]:
    """The table of phases of a stage with `groups` layer groups (gradual unfreezing: paper 3.3)."""
    if settings.phases:
        return [row.model_copy(update={"groups": row.groups or groups}) for row in settings.phases]
    if settings.unfreezing == "gradual":
        trained = [(settings.frozen_epochs, count) for count in range(1, groups)] + [(settings.epochs, groups)]
    else:
        trained = [(settings.epochs, 1 if settings.unfreezing == "last" else groups)]
    return [
        PhaseSettings(epochs=epochs, groups=count, lr_max=settings.lr_max, schedule=settings.schedule)
        for epochs, count in trained
    ]


def to_toml(recipe: Recipe) -> str:
    """`project.toml`: one table a section, each knob with its help as a comment where it is not the default."""
    return tomlkit.dumps(recipe.model_dump(mode="json"))


def from_toml(text: str, name: str = "project.toml") -> Recipe:
    """Read a recipe. Raises UserError naming the file, the setting and the reason."""
    try:
        return Recipe.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{name} is not valid TOML: {error}. Mend that line or restore a copy.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{name}: {where}: {first['msg']}.") from None
