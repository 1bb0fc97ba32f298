"""The one table of screens, in the order of the rail. A screen is imported when it is first shown."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """`address` is `module:Class`. `step` is the project's name of the step, empty for a screen that is none.

    `needs` is the step that must be done before a screen without a step of its own is of use.
    """

    address: str
    title: str
    step: str = ""
    needs: str = ""

    def resolve(self) -> Any:
        module, _, name = self.address.partition(":")
        return getattr(importlib.import_module(module), name)


WELCOME = Row("studio.screens.welcome:WelcomeScreen", "Welcome")

SCREENS: dict[str, Row] = {
    "dataset": Row("studio.screens.dataset:DatasetScreen", "Data", "import"),
    "vocab": Row("studio.screens.vocab:VocabScreen", "Vocabulary", "vocab"),
    "pretrain": Row("studio.screens.training:PretrainScreen", "Pretrain", "pretrain"),
    "finetune": Row("studio.screens.training:FinetuneScreen", "Fine-tune", "finetune"),
    "classify": Row("studio.screens.training:ClassifyScreen", "Classify", "classify"),
    "evaluate": Row("studio.screens.evaluation:EvaluationScreen", "Evaluate", "evaluate"),
    "try_it": Row("studio.screens.try_it:TryItScreen", "Try it", needs="classify"),
    "runs": Row("studio.screens.runs:RunsScreen", "Runs"),
}
