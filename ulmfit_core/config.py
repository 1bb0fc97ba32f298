"""Every knob, declared once: default, bounds, unit, one sentence of help and its source.

The window's forms with their help, the command line's `--set` and validation all read these declarations.
"""

from __future__ import annotations

import tomllib
from decimal import Decimal
from typing import Any, Literal, TypeVar

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ulmfit_core.errors import UserError
from ulmfit_core.reading import first_of, shortened

# A whole number without a bound of its own is one of 32 bits, which is what the fields of a window hold.
MOST = 2**31 - 1


def knob(default: Any, help: str, *, unit: str = "", advanced: bool = False, source: str = "", **bounds: Any) -> Any:
    """A field with the extra facts a form needs. `advanced` hides it at first."""
    extra: dict[str, Any] = {"unit": unit, "advanced": advanced, "source": source}
    if type(default) is int:
        bounds.setdefault("le", MOST)
    return Field(default, description=help, json_schema_extra=extra, **bounds)


class Settings(BaseModel):
    """Base of all settings: unknown names are refused, assignments are checked."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)


ScheduleName = Literal["slanted", "one_cycle", "cosine", "flat_anneal", "constant"]
PrecisionName = Literal["auto", "float32", "bf16", "fp16"]


class DataSettings(Settings):
    """Where the text comes from and which column means what."""

    data: str = knob("", "File (table, spreadsheet, JSON, text, archive) or folder of text files, one folder a label.")
    more: list[str] = knob([], "Further files with the same columns, read after the first as its parts.", advanced=True)
    text: list[str] = knob([], "Columns that hold the text, by name or by number from 1; joined in this order.")
    label: str = knob("", "Column that holds the label; empty where no row is labelled.")
    id_column: str = knob("", "Column that names each row; shown where a row is listed.", advanced=True)
    group_column: str = knob(
        "", "Column of what must not be torn, such as the author: no group is on two sides of a split.", advanced=True
    )
    keep: list[str] = knob(
        [], "Columns kept beside each text, such as the rating or the source, to compare results by.", advanced=True
    )
    split_column: str = knob("", "Column that says train, valid or test; empty for a random split.", advanced=True)
    split: Literal["stratified", "tail", "group", "column", "file", "folds"] = knob(
        "stratified",
        "How rows are set aside that no column or file assigns: at random by class, the last ones (tail), whole "
        "groups, one of several folds; column and file insist that a column or files say it.",
        advanced=True,
    )  # fmt: skip
    folds: int = knob(5, "Number of folds; each row is tested in one of them.", ge=2, le=100, advanced=True)
    fold: int = knob(1, "The fold that is set aside, counted from 1.", ge=1, le=100, advanced=True)
    valid: str = knob("", "A separate file of validation rows with the same columns; empty to set rows aside.")
    test: str = knob("", "A separate file of test rows with the same columns; empty to set rows aside.")
    unlabelled: str = knob("", "A file of texts without labels; they teach the language model.")
    corpus: str = knob("", "A file of general text for pretraining, such as an extract of Wikipedia.")
    delimiter: Literal["auto", ",", ";", "\t", "|", "@", " "] = knob("auto", "Column separator.", advanced=True)
    encoding: str = knob("auto", "Character encoding of the files, for example utf-8 or latin-1.", advanced=True)
    header: Literal["auto", "yes", "no"] = knob("auto", "Whether the first line names the columns.", advanced=True)
    member: str = knob("", "File in an archive that is read; empty where it is clear which one.", advanced=True)
    sheet: str = knob(
        "", "Sheet of a workbook, table of a database or list of a JSON file; empty for the first, or all lists.",
        advanced=True,
    )  # fmt: skip
    text_unit: Literal["auto", "line", "paragraph"] = knob(
        "auto", "What a document is in plain text; auto is a line, or an article under ` = Title = `.", advanced=True
    )
    line_pattern: str = knob(
        "auto", "How each line holds text and label, for example {label}:{fine} {text}; auto knows common forms.",
        advanced=True,
    )  # fmt: skip
    labels_file: str = knob(
        "", "A file with one label a line, beside a file of data with one text a line.", advanced=True
    )
    valid_fraction: float = knob(0.1, "Share of the training rows kept aside for validation.", ge=0.01, le=0.5)
    test_fraction: float = knob(0.1, "Share kept aside for the test where no test rows are given.", ge=0.0, le=0.5)
    labelled_rows: int = knob(
        0, "Use only this many labelled training rows, the rest teach the language model; 0 uses all.",
        unit="rows", ge=0, advanced=True,
    )  # fmt: skip
    corpus_words: int = knob(
        0, "Use only so many words of the general text; 0 uses all.", unit="words", ge=0, advanced=True
    )
    transductive: bool = knob(
        False, "Let the language model read the texts of the test rows, without their labels.", advanced=True
    )
    seed: int = knob(42, "Number from which the random split follows.", ge=0, advanced=True)


# The usual size of a vocabulary of each kind; characters are as many as the texts have, at most that many.
VOCAB_SIZES = {"unigram": 8000, "bpe": 8000, "char": 5000, "word": 60_000}


class VocabSettings(Settings):
    """How text becomes tokens. One vocabulary serves all three stages."""

    kind: Literal["unigram", "bpe", "char", "word"] = knob(
        "unigram",
        "Pieces of words (SentencePiece: unigram or byte pairs), characters, or whole words as in the paper.",
    )
    size: int = knob(
        8000, "Number of pieces or words; fewer where the text has not enough.", unit="pieces", ge=100, le=100_000,
        source="60,000 words in fastai",
    )  # fmt: skip
    min_frequency: int = knob(
        3, "Leave out words that occur less often; only for whole words.", unit="times", ge=1, advanced=True,
        source="fastai",
    )  # fmt: skip
    reuse: bool = knob(
        True, "Take the vocabulary of the pretrained model; otherwise its rows are mapped onto a new one.",
        advanced=True,
    )  # fmt: skip
    extend: int = knob(
        0, "Add so many pieces learned from your texts to the pretrained model's vocabulary; 0 takes it as it is.",
        unit="pieces", ge=0, le=100_000, advanced=True,
    )  # fmt: skip
    rules: Literal["ulmfit", "fastai", "plain"] = knob(
        "ulmfit", "What is marked in texts: ulmfit marks capitals and repeats; fastai as that library; plain nothing.",
    )  # fmt: skip
    sample_mb: float = knob(
        8.0, "Amount of text the vocabulary is learned from.", unit="MB", gt=0, le=1000, advanced=True
    )
    coverage: float = knob(0.9995, "Share of characters that must be representable.", ge=0.98, le=1.0, advanced=True)
    byte_fallback: bool = knob(
        False, "Write rare characters as their bytes, 256 pieces more, so that none is unknown; not for whole words.",
        advanced=True,
    )  # fmt: skip
    max_tokens: int = knob(
        0, "Cut each text of the data after this many tokens; 0 keeps all.", unit="tokens", ge=0, advanced=True
    )


class ModelSettings(Settings):
    """The AWD-LSTM. The last layer has the embedding's size so that decoder and embedding share weights."""

    embedding: int = knob(200, "Length of a token's vector.", ge=4, le=2000, source="400 in the paper")
    hidden: int = knob(400, "Size of the inner recurrent layers.", ge=4, le=5000, source="1150 in the paper")
    layers: int = knob(3, "Recurrent layers.", ge=1, le=8, source="3 in the paper")
    cell: Literal["lstm", "qrnn"] = knob(
        "lstm", "Recurrent layer: LSTM as in the paper, or the faster QRNN of MultiFiT.", advanced=True,
        source="Bradbury et al. 2017",
    )  # fmt: skip
    softmax: Literal["full", "adaptive"] = knob(
        "full", "Scores of all tokens, or rare ones in clusters: faster from about 60,000 words on.", advanced=True,
        source="Grave et al. 2017",
    )  # fmt: skip


class PhaseSettings(Settings):
    """One row of the table of phases: some epochs with some layer groups trained under one schedule."""

    epochs: int = knob(1, "Passes over the data.", unit="epochs", ge=1, le=1000)
    groups: int = knob(0, "How many layer groups are trained, counted from the output; 0 trains all.", ge=0, le=32)
    alone: bool = knob(False, "Train only the lowest of these groups (chain-thaw).", source="Felbo et al. 2017")
    lr_max: float = knob(0.01, "Highest learning rate of the last layer group.", gt=0, le=100)
    schedule: ScheduleName = knob("slanted", "Shape of the learning rate over the phase.")
    bptt: int = knob(0, "Window length in this phase; 0 takes the stage's.", unit="tokens", ge=0, le=2000)


# Settings that no fingerprint has: a training that is begun with one may go on with another.
OUTSIDE_FINGERPRINT = {"device"}


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
    accumulate: int = knob(
        1, "Passes of batch_size that make one step: the effect of a larger batch in less memory.",
        ge=1, le=1000, advanced=True,
    )  # fmt: skip
    optimizer: Literal["adamw", "adam", "sgd", "nt_asgd"] = knob(
        "adamw", "AdamW decouples weight decay (fastai 1 and later); Adam has it in the gradient (paper, fastai 0.7).",
        advanced=True,
    )  # fmt: skip
    schedule: ScheduleName = knob("slanted", "Shape of the learning rate.", source="paper 3.2")
    span: Literal["phase", "stage"] = knob(
        "phase", "Whether a schedule spans each phase anew (the authors' code) or the whole stage (the paper's words).",
        advanced=True, source="paper 3.2",
    )  # fmt: skip
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
    pct_start: float = knob(
        0.25, "Share of the steps in which a one-cycle rises.", gt=0, lt=1, advanced=True, source="fastai"
    )
    flat_share: float = knob(
        0.75, "Share of the steps before a flat schedule anneals.", gt=0, lt=1, advanced=True, source="fastai 2"
    )
    momentum: float = knob(
        0.8, "Adam's first beta, or SGD's momentum: the highest of a one-cycle, constant otherwise.",
        ge=0, lt=1, advanced=True, source="0.7 in the paper, 0.8 in fastai",
    )  # fmt: skip
    momentum_low: float = knob(0.7, "Momentum at the peak of a one-cycle.", ge=0, lt=1, advanced=True)
    beta2: float = knob(0.99, "Adam's second beta.", ge=0, lt=1, advanced=True)
    eps: float = knob(
        1e-7, "Added to Adam's divisor; one as large as the clipped gradients makes the steps smaller.",
        gt=0, le=1, advanced=True, source="1e-5 in fastai 2",
    )  # fmt: skip
    layer_factor: float = knob(
        2.6, "Each layer group learns this much slower than the next one above it.", ge=1, le=100, source="paper 3.2"
    )
    lr_min: float = knob(
        0.0, "Rate of the lowest layer group, those between in equal ratios; 0 uses the layer-rate factor.",
        ge=0, le=100, advanced=True, source="fastai's slice",
    )  # fmt: skip
    layer_shares: list[float] = knob(
        [], "Rate of each layer group as a share of the highest, lowest group first; replaces factor and range.",
        advanced=True, source="imdb_scripts",
    )  # fmt: skip
    unfreezing: Literal["all", "gradual", "last", "chain"] = knob(
        "all", "Train all layer groups at once, one more each phase, only the last, or one after another (chain-thaw)."
    )
    frozen_epochs: int = knob(
        1, "Epochs of each phase before all groups are trained.", unit="epochs", ge=1, le=100, advanced=True
    )
    phases: list[PhaseSettings] = knob(
        [], "Table of phases; where it has rows it replaces epochs and unfreezing.", advanced=True
    )
    weight_decay: float = knob(
        0.01, "Weight decay: decoupled with AdamW, L2 in the gradient with the others.", ge=0, le=10, advanced=True,
        source="fastai .1 decoupled; imdb_scripts 1e-7 L2",
    )  # fmt: skip
    weight_decay_end: float = knob(
        1.0, "Share of the weight decay that is left at the last step; it changes evenly.", ge=0, le=1, advanced=True,
        source="Smith 2018",
    )  # fmt: skip
    nonmono: int = knob(
        5, "NT-ASGD begins to average when a validation is worse than the best of all but this many before.",
        unit="epochs", ge=1, le=100, advanced=True, source="AWD-LSTM 3",
    )  # fmt: skip
    patience: int = knob(
        0, "Stop after so many epochs without improvement, once the last phase is reached; 0 never stops early.",
        unit="epochs", ge=0, le=1000, advanced=True,
    )  # fmt: skip
    clip: float = knob(0.25, "Largest norm of the gradient; 0 does not clip.", ge=0, advanced=True)
    input_drop: float = knob(0.25, "Dropout of the embedded input.", ge=0, lt=1, advanced=True)
    hidden_drop: float = knob(0.15, "Dropout between recurrent layers.", ge=0, lt=1, advanced=True)
    weight_drop: float = knob(0.2, "Dropout of the hidden-to-hidden weights (QRNN: all).", ge=0, lt=1, advanced=True)
    embedding_drop: float = knob(0.02, "Dropout of whole words of the embedding.", ge=0, lt=1, advanced=True)
    output_drop: float = knob(0.1, "Dropout of the last layer's output.", ge=0, lt=1, advanced=True)
    drop_start: float = knob(
        1.0, "Share of the dropouts at the first step; it changes evenly to the share at the last.", ge=0, le=2,
        advanced=True,
    )  # fmt: skip
    drop_end: float = knob(1.0, "Share of the dropouts at the last step.", ge=0, le=2, advanced=True)
    noise_start: float = knob(
        0.0, "Share of the tokens read as unknown at the first step; it changes evenly to the share at the last.",
        ge=0, le=0.9, advanced=True,
    )  # fmt: skip
    noise_end: float = knob(0.0, "Share of the tokens read as unknown at the last step.", ge=0, le=0.9, advanced=True)
    precision: PrecisionName = knob(
        "auto", "Number format of the arithmetic; auto is bf16 or fp16 where the hardware has it, float32 elsewhere.",
        advanced=True,
    )  # fmt: skip
    device: Literal["auto", "cpu"] = knob(
        "auto", "Where it is trained: auto is the graphics card where there is one; cpu does without it.",
        advanced=True,
    )  # fmt: skip
    threads: int = knob(
        0, "Processor threads; 0 means the fastest number in a short measurement at the start.",
        ge=0, le=512, advanced=True,
    )  # fmt: skip
    tokens_per_pass: int = knob(
        0, "Largest pass through the network; 0 means 5,120 on a CPU, 65,536 on a GPU, fewer where memory is short.",
        unit="tokens", ge=0, advanced=True,
    )  # fmt: skip
    checkpoint_seconds: float = knob(30.0, "Time between checkpoints.", unit="s", gt=0, advanced=True)
    seed: int = knob(1, "Number from which all randomness of the training follows.", ge=0, advanced=True)


class LanguageModelSettings(StageSettings):
    """Pretraining and fine-tuning: predict the next token."""

    alpha: float = knob(2.0, "Weight of activation regularisation (AR).", ge=0, advanced=True, source="AWD-LSTM 4.3")
    beta: float = knob(
        1.0, "Weight of temporal activation regularisation (TAR).", ge=0, advanced=True, source="AWD-LSTM 4.3"
    )
    variable_bptt: bool = knob(True, "Draw the length of each window at random.", advanced=True, source="AWD-LSTM 3.1")
    keep_best_by: Literal["valid_loss", "next_word_accuracy"] = knob(
        "valid_loss", "Measure by which the best epoch is kept.", advanced=True
    )


class PretrainSettings(LanguageModelSettings):
    """A language model from general text."""

    lr_max: float = knob(0.005, "Highest learning rate, reached by the last layer group.", gt=0, le=100)
    schedule: ScheduleName = knob("one_cycle", "Shape of the learning rate.")
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

    epochs: int = knob(
        4, "Passes over the data with all layers trained; 0 chooses by the number of labelled training texts.",
        unit="epochs", ge=0, le=1000,
    )  # fmt: skip
    lr_max: float = knob(
        0.01, "Highest learning rate, reached by the last layer group.", gt=0, le=100, source="paper 4.1"
    )
    unfreezing: Literal["all", "gradual", "last", "chain"] = knob(
        "gradual",
        "Train all layer groups at once, one more each phase, only the last, or one after another (chain-thaw).",
        source="paper 3.3",
    )  # fmt: skip
    grow: bool = knob(
        False, "Begin with the classifier that the project has, a row added for each new label, instead of the "
        "language model. It needs the same vocabulary; network and head keep their sizes.", advanced=True,
    )  # fmt: skip
    label_smoothing: float = knob(
        0.0, "Share of each label spread over all classes.", ge=0, lt=1, advanced=True, source="MultiFiT .1"
    )
    class_weights: Literal["none", "balanced"] = knob(
        "none", "Weigh rare classes up in the loss, so that each class counts alike.", advanced=True
    )
    batch_size: int = knob(0, "Documents in a step; 0 chooses by number of rows and device.", ge=0, le=4096)
    bptt: int = knob(70, "Tokens of each document read in one go (BPT3C).", unit="tokens", ge=5, le=2000, advanced=True)
    max_length: int = knob(1400, "Last tokens of a long document that are pooled.", unit="tokens", ge=10, advanced=True)
    head: int = knob(50, "Size of the hidden layer of the head.", ge=1, advanced=True, source="paper 4.1")
    head_drop: float = knob(0.1, "Dropout inside the head.", ge=0, lt=1, advanced=True)
    clip: float = knob(25.0, "Largest norm of the gradient; 0 does not clip.", ge=0, advanced=True)
    input_drop: float = knob(0.4, "Dropout of the embedded input.", ge=0, lt=1, advanced=True)
    hidden_drop: float = knob(0.3, "Dropout between recurrent layers.", ge=0, lt=1, advanced=True)
    weight_drop: float = knob(0.5, "Dropout of the hidden-to-hidden weights (QRNN: all).", ge=0, lt=1, advanced=True)
    embedding_drop: float = knob(0.05, "Dropout of whole words of the embedding.", ge=0, lt=1, advanced=True)
    output_drop: float = knob(0.4, "Dropout of the pooled features.", ge=0, lt=1, advanced=True)
    drop_mult: float = knob(
        0.5, "Multiplies all five dropouts; less for little training, more against overfitting.", ge=0, le=2
    )
    keep_best_by: Literal["accuracy", "macro_f1", "valid_loss"] = knob(
        "accuracy", "Measure by which the best epoch is kept.", advanced=True
    )
    blend: Literal["auto", "on", "off"] = knob(
        "auto", "Mix word counts (TF-IDF) into the answers; auto: only where validation rows are then answered better. "
        "Unless off, answers are also made as sure as these rows say.", advanced=True,
    )  # fmt: skip


# What is answered where no label is: the network is less sure than wished, or the text is unlike all it learned from.
NOT_SURE, UNKNOWN = "not sure", "unknown"


class AnswerSettings(Settings):
    """Which answers the classifier withholds. Read at each use and part of no fingerprint: nothing is trained anew."""

    least_sure: float = knob(
        0.0, f"Probability below which the answer is “{NOT_SURE}”; 0 gives every answer.", ge=0, le=1
    )
    unknown: float = knob(
        0.02, f"Share of familiar texts that may be called “{UNKNOWN}”, so that those unlike anything the classifier "
        "learned from are; 0 calls none so.", ge=0, le=0.5,
    )  # fmt: skip


class WatchedSentence(Settings):
    """A sentence whose answer is followed from epoch to epoch."""

    text: str = knob("", "The sentence.")
    label: str = knob("", "The label that it should have; empty where none is expected.")


class InsightSettings(Settings):
    """What is shown of a training besides its figures. Nothing here changes a weight, so no fingerprint has it."""

    prompt: str = knob("", "Beginning of the text that the language model writes after each epoch.")
    temperature: float = knob(0.8, "How boldly it writes: 0 takes the likeliest word, 2 the oddest ones.", ge=0, le=2)
    watched: list[WatchedSentence] = knob(
        [], "Sentences that the model reads after each epoch, to see how its answers change."
    )
    forgetting: bool = knob(
        True, "Measure after each epoch of fine-tuning how well the model still knows general text.", advanced=True
    )


class StorageSettings(Settings):
    """What the project may take of the disk. Nothing here changes a weight, so no fingerprint has it."""

    checkpoints: int = knob(
        5000, "Disk space for the checkpoints of all runs, of which the newest stays in any case; 0 sets no limit.",
        unit="MB", ge=0, le=10_000_000,
    )  # fmt: skip


# What a recipe may begin with besides a bundle's folder: nothing, or the model that ships with the program.
SCRATCH, STARTER = "none", "starter"


class Recipe(Settings):
    """All of `project.toml`: enough to repeat the work."""

    name: str = knob("", "Name of the project.")
    preset: str = knob("balanced", "Name of the preset that the settings started from.")
    base: str = knob(SCRATCH, "Pretrained language model to start from: none, starter, or the folder of a bundle.")
    data: DataSettings = Field(default_factory=DataSettings)
    vocab: VocabSettings = Field(default_factory=VocabSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    pretrain: PretrainSettings = Field(default_factory=PretrainSettings)
    finetune: FinetuneSettings = Field(default_factory=FinetuneSettings)
    classify: ClassifySettings = Field(default_factory=ClassifySettings)
    answers: AnswerSettings = Field(default_factory=AnswerSettings)
    insight: InsightSettings = Field(default_factory=InsightSettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)


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


Stage = TypeVar("Stage", bound=StageSettings)
# Of a classifier whose `epochs` is 0: up to so many labelled training texts, so many epochs; and with more texts.
EPOCHS_BY_TEXTS = ((200, 25), (1_000, 15), (3_000, 10))
EPOCHS_OF_MORE = 8


def with_epochs(settings: Stage, texts: int) -> Stage:
    """The settings with a number of epochs: their own, or the one that `texts` labelled training texts ask for."""
    if settings.epochs:
        return settings
    epochs = next((epochs for most, epochs in EPOCHS_BY_TEXTS if texts <= most), EPOCHS_OF_MORE)
    return settings.model_copy(update={"epochs": epochs})


def planned_phases(settings: StageSettings, groups: int) -> list[PhaseSettings]:
    """The table of phases of a stage with `groups` layer groups: its own, or that of its way of unfreezing.

    Gradual: paper 3.3. Chain-thaw (Felbo et al. 2017): the top group, then each alone from the lowest up, then all.
    """
    if settings.phases:
        return [row.model_copy(update={"groups": min(row.groups or groups, groups)}) for row in settings.phases]
    return [
        PhaseSettings(epochs=epochs, groups=top, alone=alone, lr_max=settings.lr_max, schedule=settings.schedule)
        for epochs, top, alone in _unfreezing(settings, groups)
    ]


def _unfreezing(settings: StageSettings, groups: int) -> list[tuple[int, int, bool]]:
    """(epochs, top groups, only the lowest of them) of each phase. What is not chosen yet counts as with many texts."""
    epochs = settings.epochs or EPOCHS_OF_MORE
    frozen, last = settings.frozen_epochs, (epochs, groups, False)
    if settings.unfreezing == "gradual":
        return [*((frozen, top, False) for top in range(1, groups)), last]
    if settings.unfreezing == "chain":
        return [(frozen, 1, False), *((frozen, top, True) for top in range(groups, 1, -1)), last]
    return [(epochs, 1, False)] if settings.unfreezing == "last" else [last]


def regularisation(settings: StageSettings, batch: int) -> float:
    """lr · wd / (batch · (1 - momentum)): what stays about constant when one of them is changed (Smith 2018)."""
    return settings.lr_max * settings.weight_decay / (batch * (1 - settings.momentum))


def rate_text(rate: float) -> str:
    """A learning rate as it is written wherever it is shown: two digits, no exponent."""
    return format(Decimal(f"{rate:.2g}"), "f")


def blend_note(weight: float) -> str:
    """How blended answers are said to be so wherever they are shown: it follows “the answers are”, or an answer.

    `weight` is the word counts', from 0 to 1.
    """
    if weight == 1:
        return "from word counts alone, since the network adds nothing yet"
    share = "less than 1%" if weight < 0.005 else "more than 99%" if weight >= 0.995 else f"{weight:.0%}"
    return f"blended with word counts, which weigh {share}"


def to_toml(recipe: Recipe) -> str:
    """`project.toml`: one table a section, every knob with its value."""
    return tomlkit.dumps(recipe.model_dump(mode="json"))


def from_toml(text: str, name: str = "project.toml") -> Recipe:
    """Read a recipe. Raises UserError naming the file, the setting and the reason."""
    try:
        return Recipe.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        reason = shortened(str(error))
        raise UserError(f"{name} is not valid TOML: {reason}. Mend that line or restore a copy.") from None
    except RecursionError:
        raise UserError(f"{name} is nested too deeply to be a recipe. Mend it or restore a copy.") from None
    except ValidationError as error:
        where, why = first_of(error)
        raise UserError(f"{name}: {where}: {why}.") from None
