"""On the Try it screen: which model answers, and models that are loaded when they are first asked, in that thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtWidgets import QComboBox

from studio import in_training
from studio.screens.try_it_words import answered_unlearned
from ulmfit_core import edit_log
from ulmfit_core.errors import UserError
from ulmfit_core.models import description
from ulmfit_core.project import Project
from ulmfit_core.run import Control

if TYPE_CHECKING:  # these import torch, which takes seconds: only the thread does that
    from ulmfit_core.inference.generate import Generator
    from ulmfit_core.inference.predictor import Prediction, Predictor


@dataclass(frozen=True)
class Answered:
    """What was answered, and what answered it; `since`: how old the model in training was, "" for a saved one."""

    prediction: Prediction
    predictor: Predictor
    since: str = ""

    @property
    def text(self) -> str:
        return self.prediction.text

    @property
    def untrained(self) -> list[str]:
        """Labels of the person's own that are answered from their examples."""
        return self.predictor.new_labels.labels if self.predictor.new_labels else []


class Superseded(Exception):
    """Another text stands there meanwhile: the answer to this one is of no use any more. No one is told."""


class Source(QComboBox):
    """Whether the saved model answers or a copy of the one in training; seen only while there is the latter."""

    def __init__(self, saved: str):
        super().__init__()
        self.addItems([saved, "The model in training"])
        self.setAccessibleName("Which model answers")
        self.setToolTip(
            "The saved model is what the last finished training left. Of the model in training a copy answers, made "
            "when you ask; the training goes on untouched."
        )
        self._control: Control | None = None
        self.hide()

    def offer(self, control: Control | None, saved: bool) -> bool:
        """Show what there is. Returns whether another training is on than before, or none any more."""
        changed = control is not self._control
        self._control = control
        self.setVisible(control is not None)
        self.setEnabled(saved)
        if changed or not saved:
            self.setCurrentIndex(1 if control and not saved else 0)
        return changed

    @property
    def control(self) -> Control | None:
        """Of the training whose model is to answer; None: the saved one."""
        return self._control if self.currentIndex() == 1 else None


class Lent:
    """A model loaded when it is first asked for, in the thread that asks, and again when its version changed."""

    def __init__(self) -> None:
        self._version: object = None
        self._model: Any = None

    def has(self, version: object) -> bool:
        return self._model is not None and version == self._version

    def get(self, version: object, load: Callable[[], Any]) -> Any:
        if not self.has(version):
            self._model = load()
            self._version = version
        return self._model


def ask_classifier(
    lent: Lent, project: Project, control: Control | None, text: str, between: Callable[[], object] = bool
) -> Answered:
    """Of the model in training a fresh copy answers, else the project's classifier. Not for the main thread."""
    from ulmfit_core.inference.predictor import Predictor

    if control:
        copy = in_training.snapshot(control)
        predictor, since = copy.predictor(), in_training.since(copy)
    else:
        predictor, since = lent.get(classifier_version(project), lambda: Predictor.of(project, between=between)), ""
    return Answered(predictor.predict([text], between)[0], predictor, since)


def load_generator(folder: Path) -> Generator:
    from ulmfit_core.inference.generate import Generator

    return Generator.load(folder)


def classifier_version(project: Project) -> object:
    """Changes with the classifier, with what it withholds and with new labels of a person's own that it answers.

    None where there is no classifier.
    """
    model = version_of(project.bundle_folder("classify"))
    settings = tuple(project.recipe.answers.model_dump().items())
    return model and (model, settings, answered_unlearned(edit_log.read(project.folder).active, labels_known(project)))


def labels_known(project: Project) -> list[str]:
    """The labels that the project's classifier was trained with; none where there is no classifier."""
    return list(classifier_record(project).get("labels", []))


def classifier_record(project: Project) -> dict[str, Any]:
    """What the project's classifier says of itself; nothing where there is none that can be read."""
    try:
        return description.known(project.bundle_folder("classify"))
    except UserError:
        return {}  # whoever asks it for an answer is told what is wrong


def version_of(folder: Path) -> object:
    """Changes when the bundle is replaced; None where there is none."""
    path = folder / "model.json"
    return (folder, path.stat().st_mtime_ns) if path.exists() else None
