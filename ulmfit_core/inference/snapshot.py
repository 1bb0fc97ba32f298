"""A copy of a model in training, to be tried while the training goes on: nothing that is asked of it reaches the model.

Only memory is copied: no random number is drawn and no thread count is set, so that the training's bits stay the same.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ulmfit_core.errors import UserError
from ulmfit_core.inference.generate import Generator
from ulmfit_core.inference.predictor import Predictor
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.models.classifier import Classifier
from ulmfit_core.models.language_model import LanguageModel


@dataclass(frozen=True)
class Snapshot:
    """The model of `stage` as it was after `step` steps, in a bundle of its own on the training's device."""

    stage: str
    step: int
    bundle: Bundle

    def predictor(self) -> Predictor:
        """Answers of the network alone. Raises UserError where a language model is in training."""
        if not isinstance(self.bundle.model, Classifier):
            raise UserError("A language model is in training: it can continue a text, but not classify one.")
        return Predictor(self.bundle.model, self.bundle.vocab, self.bundle.labels, self.bundle.max_tokens)

    def generator(self) -> Generator:
        """Raises UserError where a classifier is in training."""
        if not isinstance(self.bundle.model, LanguageModel):
            raise UserError("A classifier is in training: it can classify a text, but not continue one.")
        return Generator(self.bundle.model, self.bundle.vocab)


def take(stage: str, step: int, bundle: Bundle) -> Snapshot:
    """Copy the bundle's model. For the thread that trains it, which alone knows that no step is half done."""
    return Snapshot(stage, step, replace(bundle, model=copied(bundle.model)))


def copied(model: nn.Module) -> nn.Module:
    """The same network with weights of its own, ready to predict. Gradients are not copied, which a deep copy would."""
    with torch.inference_mode(False), torch.no_grad():
        known: dict[int, Tensor] = {}
        for parameter in model.parameters():
            known[id(parameter)] = nn.Parameter(parameter.detach().clone(), requires_grad=False)
        for buffer in model.buffers():
            known[id(buffer)] = buffer.detach().clone()
        return copy.deepcopy(model, known).eval()
