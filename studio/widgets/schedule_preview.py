"""The schedule that settings would lead to, before any run: phases and rates without models or data."""

from __future__ import annotations

from ulmfit_core.config import Recipe
from ulmfit_core.events import Plan
from ulmfit_core.training.plan import make_plan

# The true number follows from the data; the shape over epochs does not depend on it.
STEPS_PER_EPOCH = 200


def layer_groups(step: str, layers: int) -> list[str]:
    """The names of a stage's layer groups, the bottom group first."""
    inner = [f"rnn{number + 1}" for number in range(layers)]
    return ["embedding", *inner, "head"] if step == "classify" else [*inner, "embedding+decoder"]


def coming_plan(recipe: Recipe, step: str) -> Plan:
    """The plan of a training step, with `STEPS_PER_EPOCH` steps in each epoch."""
    groups = layer_groups(step, recipe.model.layers)
    plan = make_plan(getattr(recipe, step), groups, lambda epoch: STEPS_PER_EPOCH)
    steps, rates = plan.sample()
    phases = [
        {"title": phase.title, "first_step": phase.first, "last_step": phase.last} for phase in plan.phases
    ]
    return Plan(
        groups=groups, total_steps=plan.total, total_tokens=0, epoch_ends=list(plan.epoch_ends), phases=phases,
        rate_steps=steps, rates=rates, parameters=0, device="", threads=0,
    )  # fmt: skip
