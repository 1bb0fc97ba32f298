"""The preview must be what the trainer will do, on another scale of steps."""

from __future__ import annotations

import pytest

from studio.widgets.live_plot import LivePlot
from studio.widgets.schedule_preview import STEPS_PER_EPOCH, coming_plan, layer_groups
from ulmfit_core.config import ModelSettings, Recipe, with_epochs
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.models.bundle import new_classifier, new_encoder, new_language_model


@pytest.mark.parametrize("layers", [1, 3])
def test_group_names_are_the_models_own(layers):
    recipe = Recipe(model=ModelSettings(embedding=8, hidden=8, layers=layers))
    language_model = new_language_model(recipe.model, 20, recipe.finetune)
    classifier = new_classifier(new_encoder(recipe.model, 20), 2, recipe.classify)
    assert layer_groups("finetune", layers) == [name for name, _ in language_model.groups()]
    assert layer_groups("classify", layers) == [name for name, _ in classifier.groups()]


def test_the_settings_shape_the_schedule():
    recipe = Recipe()
    recipe.finetune.epochs, recipe.finetune.lr_max, recipe.finetune.layer_factor = 3, 0.02, 2.0
    plan = coming_plan(recipe, "finetune")
    assert plan.total_steps == 3 * STEPS_PER_EPOCH
    assert max(plan.rates[-1]) == pytest.approx(0.02)
    assert max(plan.rates[-2]) == pytest.approx(0.01)


def test_the_axis_counts_epochs(qtbot):
    plot = LivePlot()
    qtbot.addWidget(plot)
    plot.show_plan(coming_plan(Recipe(), "finetune"), STEPS_PER_EPOCH)
    axis = plot.strip.plot.getAxis("bottom")
    assert plot.strip.unit.text() == "epoch"
    assert axis.scale * plot.plan.total_steps == pytest.approx(Recipe().finetune.epochs)


def test_epochs_left_to_the_number_of_texts_are_those_that_will_run(project_session, qtbot):
    project = project_session.project
    project.recipe.classify.epochs = 0
    assert project.settings_of("classify").epochs == 0, "nothing is imported yet"
    with qtbot.waitSignal(project_session.run_ended, timeout=60_000):
        project_session.start("import")
    expected = project.settings_of("classify").epochs
    texts = len(Dataset.open(project.dataset_folder).labelled_rows("train"))
    assert expected == with_epochs(project.recipe.classify, texts).epochs > 8
    plan = coming_plan(project.recipe, "classify", 10, project.settings_of("classify"))
    assert plan.phases[-1]["epochs"] == expected
