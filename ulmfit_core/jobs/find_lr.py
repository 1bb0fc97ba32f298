"""The job of finding a learning rate for a stage. It leaves its run and nothing else."""

from __future__ import annotations

from typing import Any

import torch

from ulmfit_core import catalog
from ulmfit_core import device as devices
from ulmfit_core.config import StageSettings
from ulmfit_core.errors import UserError
from ulmfit_core.project import TITLES, Project
from ulmfit_core.run import Run
from ulmfit_core.training import threads
from ulmfit_core.training.lr_finder import Curve, range_test, suggestions


def find_lr(project: Project, run: Run, stage: str = "classify", groups: int = 1, steps: int = 100) -> dict[str, Any]:
    """Let the top `groups` layer groups (0: all) of a stage learn at a rate that grows, and say what that suggests.

    Raises UserError for an unknown stage, or one that cannot start yet.
    """
    make_stage = catalog.resolve("stage", stage)
    obstacle = project.skip_reason(stage) or project.waits_for(stage)
    if obstacle:
        raise UserError(f"No learning rate can be searched for “{TITLES[stage]}”. {obstacle}")
    made, _ = make_stage(project, run)
    with threads.kept():
        torch.set_num_threads(devices.default_threads(made.settings.threads))
        curve = range_test(made, run, groups, steps)
    found = suggestions(curve, steps)
    return {
        "stage": stage, "groups": groups, "rates": curve.rates, "losses": curve.losses, "smoothed": curve.smoothed,
        "suggestions": found, "advice": advice(stage, made.settings, curve, found),
    }  # fmt: skip


def advice(stage: str, settings: StageSettings, curve: Curve, found: dict[str, float | None]) -> str:
    """The suggestions in words, beside the rate that was set then: they are shown after a change of it too."""
    rate, minimum = found["valley"], found["minimum"]
    if rate is None or minimum is None:
        return (
            "The loss fell too little for a suggestion. Search with all layer groups or more steps, "
            "or look whether texts and labels belong together."
        )
    before = "the table of phases set it" if settings.phases else f"it was set to {settings.lr_max:.2g}"
    sentences = [
        f"{rate:.2g} is a good highest learning rate for “{TITLES[stage]}”: "
        f"it lies in the middle of the longest fall of the loss. Before the search {before}."
    ]
    if 10 * minimum > rate:
        sentences.append(f"The loss is lowest at {10 * minimum:.2g}; stay well below that.")
    else:
        sentences.append("The curve is noisy, so do not rely on it; a larger batch or more steps make it clearer.")
    if curve.smoothed[-1] == min(curve.smoothed):
        sentences.append("The loss never rose, so a higher rate may do as well.")
    return " ".join(sentences)
