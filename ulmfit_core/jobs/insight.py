"""What a person wants to see of a training besides its figures, as project.toml says it now.

None of it touches the weights. It is read anew at each epoch, so that a sentence pinned while a training runs is
watched from the next epoch on.
"""

from __future__ import annotations

from collections.abc import Callable

from ulmfit_core import config
from ulmfit_core.config import InsightSettings
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project


def wishes_of(project: Project) -> Callable[[], InsightSettings]:
    """A function that reads the wishes; while project.toml cannot be read, those it could read last hold."""
    path, last = project.folder / "project.toml", project.recipe.insight

    def read() -> InsightSettings:
        nonlocal last
        try:
            last = config.from_toml(path.read_text(encoding="utf-8")).insight
        except (UserError, OSError):  # it is being edited by hand: whoever starts the next job is told
            return last
        return last

    return read
