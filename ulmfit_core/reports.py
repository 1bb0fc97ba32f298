"""What the reports of jobs tell, by name: each says some of it, and what it says has this shape wherever it is read.

So have the other parts of events that are tables. A report lies in a run's last event, in the `report.json` of an
evaluation and among the facts of a bundle.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, TypeAdapter, model_validator

from ulmfit_core.reading import Record

# What every evaluation tells; of an earlier version nothing else may be there.
OF_EVALUATION = {
    "split", "rows", "accuracy", "macro_f1", "labels", "per_class", "confusion", "baseline_tfidf", "majority", "worst",
}  # fmt: skip
# What the page of an evaluation shows besides.
OF_PAGE = {"figures", "calibration", "slices"}


class Figure(Record):
    value: float | None
    low: float | None = None
    high: float | None = None


class OfClass(Record):
    precision: float
    recall: float
    f1: float
    support: float


class Quality(Record):
    accuracy: float
    macro_f1: float = 0.0


class Bin(Record):
    rows: int
    confidence: float
    accuracy: float


class Side(Record):
    ece: float
    loss: float
    bins: list[Bin]


class Calibration(Record):
    bins: int
    network: Side
    answers: Side
    exponents: dict[str, float] | None
    fitted_on: str


class Slice(Record):
    value: str
    rows: int
    accuracy: float
    low: float
    high: float


class Wrong(Record):
    text: str
    label: str
    predicted: str
    probability: float


class Exponents(Record):
    network: float = Field(ge=0)
    words: float = Field(ge=0)


class Blend(Record):
    """Where word counts are `used` their `weight` is told."""

    used: bool = False
    weight: float = 0.0
    answers: str = ""
    exponents: dict[str, Exponents] = {}
    network: dict[str, float] = {}
    calibrated: dict[str, float] = {}
    word_counts: dict[str, float] = {}
    blend: dict[str, float] = {}

    @model_validator(mode="after")
    def is_weighed(self) -> Self:
        if self.used and "weight" not in self.model_fields_set:
            raise ValueError("it lacks weight")
        return self


class BySize(Record):
    size: int
    tokens_per_word: float
    unknown: float


class Report(Record):
    """Nothing has to be told; of an evaluation all of OF_EVALUATION or nothing."""

    # An evaluation
    split: str = ""
    rows: int = Field(default=0, ge=0)
    accuracy: float = 0.0
    macro_f1: float = 0.0
    labels: list[str] | dict[str, int] = []  # of a file of answers: how many have each
    per_class: dict[str, OfClass] = {}
    confusion: list[list[int]] = []
    figures: dict[str, Figure] = {}
    calibration: Calibration | None = None
    slices: dict[str, list[Slice]] = {}
    blend: Blend = Blend()
    network: Quality | None = None
    baseline_tfidf: Quality | None = None
    majority: float = 0.0
    worst: list[Wrong] = []
    training_rows: dict[str, int] = {}
    # A training
    best: dict[str, float] = {}
    before: dict[str, float] = {}
    run: str = ""
    epochs: int = 0
    steps: int = 0
    seconds: float = 0.0
    # A search for a learning rate
    stage: str = ""
    groups: int = 0
    rates: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    suggestions: dict[str, float | None] = {}
    advised: str | None = None
    advice: str | None = None
    batches: int = 0
    # An import, a vocabulary, a file of answers
    splits: dict[str, int] = {}
    classes: dict[str, int] = {}
    size: int = 0
    tokens: int = 0
    tokens_per_word: float = 0.0
    unknown: float = 0.0
    hash: str = ""
    by_size: list[BySize] = []
    frequent: list[tuple[str, int]] = []
    not_known: list[tuple[str, int]] = []
    sample: int = 0
    out: str = ""
    reasons: dict[str, int] = {}

    @model_validator(mode="after")
    def is_whole(self) -> Self:
        """Raises ValueError where an evaluation lacks a part, or its matrix is not one of its labels."""
        told = self.model_fields_set
        parts = OF_EVALUATION - {"split", "rows", "accuracy", "macro_f1", "labels"}
        if told & parts and not told >= OF_EVALUATION:
            raise ValueError(f"it lacks {min(OF_EVALUATION - told)}")
        count = len(self.labels)
        if self.confusion and [len(row) for row in self.confusion] != [count] * count:
            raise ValueError("its matrix is not as large as there are labels")
        if self.blend.weight and "confusion" in told and self.network is None:
            raise ValueError("it lacks network")
        return self


class Phase(Record):
    """One of the plan of a training."""

    title: str
    first_step: int
    last_step: int
    epochs: int
    groups: list[str]


class Watched(Record):
    """What a model in training said of a sentence: a classifier its labels, a language model how well it knew it."""

    text: str
    label: str = ""
    probabilities: dict[str, float] = {}
    loss: float = 0.0

    @model_validator(mode="after")
    def is_answered(self) -> Self:
        if not self.model_fields_set & {"probabilities", "loss"}:
            raise ValueError("it lacks probabilities")
        return self


# The shapes of what events tell, by the names of their parts.
OF_EVENTS: dict[str, TypeAdapter[Any]] = {
    "report": TypeAdapter(Report),
    "phases": TypeAdapter(Annotated[list[Phase], Field(min_length=1)]),
    "rows": TypeAdapter(list[Watched]),
}


def check(told: dict[str, Any]) -> None:
    """Raises ValueError where a part of an event does not have its shape."""
    for name in told.keys() & OF_EVENTS.keys():
        OF_EVENTS[name].validate_python(told[name])


