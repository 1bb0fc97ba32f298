"""What a classifier's training begins with that grows: the project's classifier, with a row for each new label.

The choice is made once and noted in the run's folder, so that a resumed run never looks at the saved classifier, which
may be another by then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ulmfit_core import device as devices
from ulmfit_core import files, reading
from ulmfit_core.config import ClassifySettings, ModelSettings
from ulmfit_core.errors import UserError
from ulmfit_core.inference.predictor import read
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.models.classifier import Classifier
from ulmfit_core.project import Project
from ulmfit_core.run import Run
from ulmfit_core.text.vocab import Vocabulary

NAME = "grown.json"
# A new label's row is made of so many of its training texts at most.
MOST_TEXTS = 200
# How many labels a sentence names.
MOST_NAMED = 5

# The training documents of a label, by its number and how many at most.
DocumentsOf = Callable[[int, int], list[np.ndarray]]


@dataclass(frozen=True)
class Grown:
    """The classifier that a training begins with, its network, and what the report tells of where it came from."""

    model: Classifier
    network: ModelSettings
    told: dict[str, Any]


def begin(
    project: Project, run: Run, vocab: Vocabulary, labels: Sequence[str], documents_of: DocumentsOf
) -> Grown | None:
    """The project's classifier, grown to `labels`; None where there was none as the run began.

    Of a run that is resumed only the sizes are right: its weights come from its checkpoint. Raises UserError where
    the classifier is of another vocabulary.
    """
    noted = _noted(run)
    if noted is None:
        return _first(project, run, vocab, labels, documents_of)
    if not noted:
        return None
    network = ModelSettings.model_validate(noted["network"])
    settings = _with_head(project.recipe.classify, noted["head"])
    return Grown(
        bundles.new_classifier(bundles.new_encoder(network, vocab.size), len(labels), settings), network, noted["told"]
    )


def _first(
    project: Project, run: Run, vocab: Vocabulary, labels: Sequence[str], documents_of: DocumentsOf
) -> Grown | None:
    old = _classifier_of(project, vocab)
    if old is None:
        _note(run, {})
        run.message("There is no classifier to grow yet, so the training begins with the language model.")
        return None
    told = _told(old, labels)
    model = grown(old, labels, project.recipe.classify, documents_of, run.poll)
    hidden = model.head.linear1.out_features
    _note(run, {"network": old.network.model_dump(), "head": hidden, "told": told})
    run.message(_sentence(told))
    return Grown(model, old.network, told)


def _classifier_of(project: Project, vocab: Vocabulary) -> Bundle | None:
    folder = project.bundle_folder("classify")
    if not folder.exists():
        return None
    bundle = bundles.load(folder)
    if bundle.vocab.hash != vocab.hash:
        raise UserError(
            f"The classifier in {folder} has another vocabulary than the project now, so it cannot grow. "
            "Switch off “Grow the present classifier” (classify.grow) to train anew. A vocabulary that is taken over "
            "from the base (vocab.reuse) stays the same when texts are added."
        )
    return bundle


# The head


def grown(
    old: Bundle, labels: Sequence[str], settings: ClassifySettings, documents_of: DocumentsOf,
    poll: Callable[[], object] = bool,
) -> Classifier:  # fmt: skip
    """The classifier of `old` with its head's rows in the order of `labels`; all else of it is taken over.

    The row of a label that it does not know points where the head sees the label's training texts, and is as long as
    the old rows are on average. Without such texts it is the mean of the old rows.
    """
    before = old.model.to(devices.best_device(settings.device))
    assert isinstance(before, Classifier)
    rows = before.head.linear2.weight.detach()
    number = {label: row for row, label in enumerate(old.labels)}
    taken = [
        rows[number[label]] if label in number else _new_row(before, documents_of(new, MOST_TEXTS), poll)
        for new, label in enumerate(labels)
    ]
    state = {**before.head.state_dict(), "linear2.weight": torch.stack(taken)}
    hidden = before.head.linear1.out_features
    model = bundles.new_classifier(before.encoder, len(labels), _with_head(settings, hidden)).to(rows.device)
    model.head.load_state_dict(state)
    return model


def _new_row(model: Classifier, documents: list[np.ndarray], poll: Callable[[], object]) -> Tensor:
    rows = model.head.linear2.weight.detach()
    if not documents:
        return rows.mean(0)
    features, _ = read(model, documents, MOST_TEXTS, poll)
    direction = _hidden(model, torch.from_numpy(features).to(rows.device)).mean(0)
    return direction * (rows.norm(dim=1).mean() / direction.norm().clamp(min=1e-12))


@torch.inference_mode()
def _hidden(model: Classifier, pooled: Tensor) -> Tensor:
    """(documents, hidden): what the head's last layer is given, in evaluation mode."""
    head = model.head
    hidden: Tensor = head.norm2(head.linear1(head.norm1(pooled)).relu())
    return hidden


def _with_head(settings: ClassifySettings, hidden: int) -> ClassifySettings:
    return settings.model_copy(update={"head": hidden})


# What is noted and told of it


class Noted(reading.Record):
    """What grown.json tells; nothing where there was no classifier."""

    run: str = ""
    kept: int = 0
    new: list[str] = []
    gone: list[str] = []


def _noted(run: Run) -> dict[str, Any] | None:
    """What a resumed run began with, empty where there was no classifier; None for a run that begins now."""
    path = run.folder / NAME if run.folder else None
    if path is None or not path.exists():
        return None
    return reading.record(path, Noted)


def _note(run: Run, facts: dict[str, Any]) -> None:
    if run.folder:
        files.write_json(run.folder / NAME, facts)


def _told(old: Bundle, labels: Sequence[str]) -> dict[str, Any]:
    return {
        "run": old.facts.get("run", ""),
        "kept": sum(label in old.labels for label in labels),
        "new": [label for label in labels if label not in old.labels],
        "gone": [label for label in old.labels if label not in labels],
    }


def _sentence(told: dict[str, Any]) -> str:
    source = f"the classifier of the run {told['run']}" if told["run"] else "the project's classifier"
    changes = [f"{len(told[name])} {name} ({_some(told[name])})" for name in ("new", "gone") if told[name]]
    labels = ", ".join([f"{told['kept']} kept", *changes])
    return f"The training begins with {source}. Labels: {labels}."


def _some(labels: list[str]) -> str:
    return ", ".join(labels[:MOST_NAMED]) + (" …" if len(labels) > MOST_NAMED else "")
