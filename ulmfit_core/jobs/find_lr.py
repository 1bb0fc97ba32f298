"""The job of finding a learning rate for a stage. It leaves its run and nothing else."""

from __future__ import annotations

from typing import Any

import torch

from ulmfit_core import catalog
from ulmfit_core import device as devices
from ulmfit_core.config import StageSettings, rate_text
from ulmfit_core.errors import UserError
from ulmfit_core.project import TITLES, Project
from ulmfit_core.run import Run
from ulmfit_core.training import threads
from ulmfit_core.training.lr_finder import Curve, advised, plausible, range_test, suggestions

FEW_BATCHES = 10  # of all texts: the search then reads the same ones again and again
ALIKE = 2.5  # times higher or lower: a search with other batches may say so much else
WHERE = {
    "minimum": "it is a tenth of the rate with the lowest loss",
    "slide": "it lies where the loss still falls, before it turns up",
    "valley": "it lies in the middle of the longest fall of the loss",
    "steepest": "it lies where the loss falls fastest",
}


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
    found = plausible(curve, steps, suggestions(curve, steps))
    batches = made.steps_of_epoch(0)
    return {
        "stage": stage, "groups": groups, "rates": curve.rates, "losses": curve.losses, "smoothed": curve.smoothed,
        "suggestions": found, "advised": advised(found, stage), "batches": batches,
        "advice": advice(stage, made.settings, curve, found, batches),
    }  # fmt: skip


def advice(
    stage: str, settings: StageSettings, curve: Curve, found: dict[str, float | None], batches: int
) -> str:
    """The suggestions in words, beside the rate that was set then: they are shown after a change of it too.

    `batches` that all training texts make.
    """
    name = advised(found, stage)
    rate = found.get(name)
    if rate is None:
        sentences = [
            "The loss fell too little for a suggestion. Keep the rate that is set, search with all layer groups, "
            "or look whether texts and labels belong together."
        ]
    else:
        known = "" if settings.phases or rate_text(settings.lr_max) != rate_text(rate) else ", which was set already,"
        sentences = [
            f"{rate_text(rate)}{known} is a good highest learning rate for “{TITLES[stage]}”: {WHERE[name]}.",
            *([] if known else [_beside(rate, settings)]),
        ]
        if curve.smoothed[-1] == min(curve.smoothed):
            sentences.append("The loss never rose, so a higher rate may do as well.")
    if batches < FEW_BATCHES:
        sentences.append(
            f"All your texts make only {batches} batches, which the search read again and again: do not rely on it."
        )
    return " ".join(sentences)


def _beside(rate: float, settings: StageSettings) -> str:
    """The rate that was set, and whether it differs by more than such a search is exact."""
    if settings.phases:
        return "Before the search the table of phases set it."
    before = f"Before the search it was set to {rate_text(settings.lr_max)}"
    if 1 / ALIKE <= settings.lr_max / rate <= ALIKE:
        return f"{before}, which is as good: a search is no more exact than that."
    return f"{before}."
