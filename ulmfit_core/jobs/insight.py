"""What a person wants to see of a training besides its figures, as project.toml says it now.

None of it touches the weights. It is read anew at each epoch, so that a sentence pinned while a training runs is
watched from the next epoch on.
"""

from __future__ import annotations

from collections.abc import Callable

from ulmfit_core.config import InsightSettings
from ulmfit_core.project import Project


def wishes_of(project: Project) -> Callable[[], InsightSettings]:
    """A function that reads the wishes; while project.toml cannot be read, those it could read last hold."""
    last = project.recipe.insight

    def read() -> InsightSettings:
        nonlocal last
        saved = project.saved_recipe()
        last = saved.insight if saved else last
        return last

    return read
