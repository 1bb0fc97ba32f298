"""The one table of screens, in the order of the rail. A screen is imported when it is first shown."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """`address` is `module:Class`. `step` is the project's name of the step, empty for a screen that is none.

    `needs` is the step that must be done before a screen without a step of its own is of use, and `job` what it may
    have at work. `meaning` says what it is for, to who never saw it.
    """

    address: str
    title: str
    step: str = ""
    needs: str = ""
    job: str = ""
    meaning: str = ""

    def shows(self, job: str | None) -> bool:
        """Whether this is where one watches a job."""
        return bool(job) and job in (self.step, self.job)

    def resolve(self) -> Any:
        module, _, name = self.address.partition(":")
        return getattr(importlib.import_module(module), name)


WELCOME = Row("studio.screens.welcome:WelcomeScreen", "Welcome")

SCREENS: dict[str, Row] = {
    "dataset": Row(
        "studio.screens.dataset:DatasetScreen", "Data", "import",
        meaning="Choose a file and say which column is the text and which the label.",
    ),
    "vocab": Row(
        "studio.screens.vocab:VocabScreen", "Vocabulary", "vocab",
        meaning="The texts are cut into words and parts of words.",
    ),
    "pretrain": Row(
        "studio.screens.training:PretrainScreen", "Pretrain", "pretrain",
        meaning="A language model learns from general text to guess the next word. The English starter has done so.",
    ),
    "finetune": Row(
        "studio.screens.training:FinetuneScreen", "Fine-tune", "finetune",
        meaning="It goes on with your texts, labelled or not, and gets used to how they are written.",
    ),
    "classify": Row(
        "studio.screens.training:ClassifyScreen", "Classify", "classify",
        meaning="A classifier on top of it learns your labels, layer by layer.",
    ),
    "evaluate": Row(
        "studio.screens.evaluation:EvaluationScreen", "Evaluate", "evaluate",
        meaning="Texts that were kept aside show how good it is, and where it errs.",
    ),
    "try_it": Row(
        "studio.screens.try_it:TryItScreen", "Try it", needs="classify",
        meaning="Type a text and see the answer as you type.",
    ),
    "predict": Row(
        "studio.screens.predict:PredictScreen", "Predict", needs="classify", job="predict",
        meaning="Have every row of a file answered, and save the answers as a file.",
    ),
    "runs": Row("studio.screens.runs:RunsScreen", "Runs"),
}  # fmt: skip
