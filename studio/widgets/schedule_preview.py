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


def coming_plan(recipe: Recipe, step: str, steps_per_epoch: int = STEPS_PER_EPOCH) -> Plan:
    """The plan of a training step as if each epoch had that many steps."""
    groups = layer_groups(step, recipe.model.layers)
    plan = make_plan(getattr(recipe, step), groups, lambda epoch: steps_per_epoch)
    steps, rates = plan.sample()
    phases = [
        {
            "title": phase.title, "first_step": phase.first, "last_step": phase.last,
            "groups": groups[-phase.settings.groups :],
        }
        for phase in plan.phases
    ]  # fmt: skip
    return Plan(
        groups=groups, total_steps=plan.total, total_tokens=0, epoch_ends=list(plan.epoch_ends), phases=phases,
        rate_steps=steps, rates=rates, parameters=0, device="", threads=0,
    )  # fmt: skip
