"""The schedule that settings would lead to, before any run: phases and rates without models or data."""

from __future__ import annotations

from studio.base_model import facts_of_base
from ulmfit_core.config import Recipe, StageSettings
from ulmfit_core.events import Plan
from ulmfit_core.training.plan import make_plan

# The true number follows from the data; the shape over epochs does not depend on it.
STEPS_PER_EPOCH = 200


def layer_groups(step: str, layers: int) -> list[str]:
    """The names of a stage's layer groups, the bottom group first."""
    inner = [f"rnn{number + 1}" for number in range(layers)]
    return ["embedding", *inner, "head"] if step == "classify" else [*inner, "embedding+decoder"]


def groups_of(recipe: Recipe, step: str) -> list[str]:
    """The layer groups of a step's model, whose layers are those of the base where there is one."""
    return layer_groups(step, layers(recipe))


def layers(recipe: Recipe) -> int:
    """Recurrent layers of the model that the recipe trains: its own, or those of the model it starts from."""
    network = facts_of_base(recipe.base).get("network", {})
    return int(network.get("layers", recipe.model.layers))


def coming_plan(
    recipe: Recipe, step: str, steps_per_epoch: int = STEPS_PER_EPOCH, settings: StageSettings | None = None
) -> Plan:
    """The plan of a training step as if each epoch had that many steps, of other `settings` than the recipe's if given.

    Raises UserError where the settings do not fit each other.
    """
    chosen = settings or getattr(recipe, step)
    return make_plan(chosen, groups_of(recipe, step), lambda epoch: steps_per_epoch).event()
