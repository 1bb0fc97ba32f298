"""Our side of a comparison: a language model under this program's own trainer, in slices (`peers.py` says how).

The task: `values` (knobs of the recipe by name), `vocabulary` (a folder, or a size for a made-up one), `train` and
`valid` (folders of token ids), `folder` for what the trainer writes. With `budget` the schedule follows the seconds of
work and ends with them, instead of with the steps.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers import Answer, Slices
from study import recipe

from ulmfit_core import device as devices
from ulmfit_core.data.batches import Documents
from ulmfit_core.data.tokens import Tokens
from ulmfit_core.jobs.language_model_stage import LanguageModelStage
from ulmfit_core.models import bundle as bundles
from ulmfit_core.run import Run
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import Vocabulary, new_vocabulary
from ulmfit_core.training.plan import TrainingPlan
from ulmfit_core.training.trainer import Trainer


class SlicedRun(Run):
    """A run that keeps no log and waits for its turn between two steps, not between the passes of one."""

    def __init__(self, slices: Slices):
        super().__init__()
        self._slices = slices
        self._between = True

    def open_steps(self, columns: Sequence[str]) -> None:
        self._tokens, self._loss = columns.index("tokens"), columns.index("loss")

    def emit_step(self, numbers: Sequence[float]) -> None:
        self._slices.count(int(numbers[self._tokens]), numbers[self._loss])
        self._between = True

    def poll(self) -> bool:
        if self._between:
            self._between = False
            self._slices.wait()
        return True


class TimedPlan:
    """A plan in which the share of the time that has gone says where the training stands, not the step."""

    def __init__(self, plan: TrainingPlan, slices: Slices, budget: float):
        self._plan, self._slices, self._budget = plan, slices, budget

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plan, name)

    def _place(self) -> int:
        return min(self._plan.total - 1, int(self._plan.total * self._slices.seconds() / self._budget))

    def rates(self, step: int) -> list[float]:
        return self._plan.rates(self._place())

    def momentum(self, step: int) -> float:
        return self._plan.momentum(self._place())

    def progress(self, step: int) -> float:
        return self._plan.progress(self._place())

    def weight_decay(self, step: int) -> float:
        return self._plan.weight_decay(self._place())


def documents(folder: str) -> Documents:
    tokens = Tokens.open(Path(folder))
    return Documents([(tokens, np.arange(len(tokens)), np.asarray(tokens.lengths))])


def vocabulary(chosen: str | int) -> Vocabulary:
    """The one in a folder, or whole words of which nothing but their number matters."""
    if isinstance(chosen, str):
        return Vocabulary.load(Path(chosen))
    words = [*SPECIALS, *(f"word{number}" for number in range(chosen - len(SPECIALS)))]
    return new_vocabulary("word", json.dumps(words).encode(), "plain", {})


def validate(trainer: Trainer) -> Answer:
    """Loss per token over the validation text, in the middle of an epoch, which then goes on as it was."""
    model = trainer.stage.model.eval()
    with trainer.average.in_place(), torch.inference_mode():
        metrics = trainer.stage.validate(Run())
    model.train()
    return {"loss": metrics["valid_loss"]}


def main() -> None:
    device = devices.best_device()
    slices = Slices()
    task = slices.task()
    made = recipe(task["values"])
    words = vocabulary(task["vocabulary"])
    model = bundles.new_language_model(made.model, words.size, made.pretrain).to(device)
    train, valid = documents(task["train"]), documents(task["valid"])
    stage = LanguageModelStage("pretrain", made.pretrain, model, words, train, valid)
    trainer = Trainer(stage, SlicedRun(slices), Path(task["folder"]), device)
    if task.get("budget"):
        trainer.plan = TimedPlan(trainer.plan, slices, task["budget"])
    slices.ready(
        {"validate": lambda: validate(trainer)},
        torch=torch.__version__, device=device.type, parameters=sum(p.numel() for p in trainer.parameters),
        precision=str(devices.number_format(device, made.pretrain.precision)).removeprefix("torch."),
    )  # fmt: skip
    trainer.fit()
    slices.answer(ended="The text was read to its end before the time was over.")


if __name__ == "__main__":
    main()
