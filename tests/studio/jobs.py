"""Jobs for tests: one that goes on until it is told to stop or to finish, and one that has nothing to do."""

from __future__ import annotations

import time
from typing import Any

from ulmfit_core.project import Project
from ulmfit_core.run import Run


def wait(project: Project, run: Run) -> dict[str, Any]:
    while run.poll():
        time.sleep(0.005)
    return {}


def nothing(project: Project, run: Run, **options: Any) -> dict[str, Any]:
    return {}
