"""On the Try it screen: models that can be compared, each loaded when it is first asked, in the thread that asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio import in_training
from studio.screens.try_it_models import Answered, Lent
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project
from ulmfit_core.run import Control


@dataclass(frozen=True)
class Model:
    """A model that can be compared; `answer(text)` is not for the main thread and raises UserError."""

    title: str
    answer: Callable[[str], Answered]


def in_training_model(control: Control) -> Callable[[str], Answered]:
    """The model in training as it is when it is asked."""

    def answer(text: str) -> Answered:
        copy = in_training.snapshot(control)
        predictor = copy.predictor()
        return Answered(predictor.predict([text])[0], predictor, in_training.since(copy))

    return answer


def of_version(project: Project, version: Any) -> Callable[[str], Answered]:
    """A classifier that an earlier training of the project left."""

    def load() -> Any:
        from ulmfit_core.inference import versions

        return versions.open_version(project, version)

    return answering(load)


def from_folder(folder: Path) -> Callable[[str], Answered]:
    """The classifier of another project, or the bundle that lies there."""

    def load() -> Any:
        from ulmfit_core.inference.predictor import Predictor

        if (folder / "project.toml").exists():
            return Predictor.of(Project.open(folder))
        if (folder / "model.json").exists():
            return Predictor.load(folder)
        raise UserError(f"{folder} holds neither a project nor a model. Choose a folder with one of them.")

    return answering(load)


def answering(load: Callable[[], Any]) -> Callable[[str], Answered]:
    """Answers with a model that is loaded once, when it is first asked."""
    lent = Lent()

    def answer(text: str) -> Answered:
        predictor = lent.get("loaded", load)
        return Answered(predictor.predict([text])[0], predictor)

    return answer


def versions_of(project: Project) -> list[Any]:
    """The saved classifier and what other trainings left. Not for the main thread: it reads their folders."""
    from ulmfit_core.inference import versions

    return list(versions.versions(project))


def title_of(version: Any) -> str:
    title = str(version.title)
    return title[:1].upper() + title[1:]
