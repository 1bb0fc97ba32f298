"""Each knob is declared once, has help and bounds; a recipe survives project.toml."""

import pytest
from pydantic import BaseModel, ValidationError

from ulmfit_core import config, presets
from ulmfit_core.config import ClassifySettings, PhaseSettings, Recipe
from ulmfit_core.errors import UserError

MODELS = [value for value in vars(config).values() if isinstance(value, type) and issubclass(value, BaseModel)]
FIELDS = [(m, n) for m in MODELS for n, f in m.model_fields.items() if not isinstance(f.annotation, type) or
          not issubclass(f.annotation, config.Settings)]  # fmt: skip


@pytest.mark.parametrize(("model", "name"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_every_knob_has_a_sentence_of_help_and_a_default(model, name):
    field = model.model_fields[name]
    assert field.description and field.description.endswith(".")
    assert not field.is_required()


def test_a_recipe_survives_toml():
    recipe = presets.apply_preset(Recipe(name="ä"), "paper")
    recipe.data.text = ["2"]
    recipe.data.delimiter = "\t"
    recipe.classify.phases = [PhaseSettings(epochs=2, groups=1)]
    assert config.from_toml(config.to_toml(recipe)) == recipe


@pytest.mark.parametrize("preset", presets.PRESETS)
def test_presets_name_real_knobs(preset):
    changed = presets.apply_preset(Recipe(), preset)
    assert changed.preset == preset
    for key, value in presets.PRESETS[preset].values.items():
        section, name = key.split(".")
        wanted = [PhaseSettings(**row) for row in value] if name == "phases" else value
        assert getattr(getattr(changed, section), name) == wanted


@pytest.mark.parametrize("preset", presets.PRESETS)
def test_presets_say_what_they_are_and_what_they_cut_texts_into(preset):
    chosen, settings = presets.PRESETS[preset], presets.apply_preset(Recipe(), preset).vocab
    assert chosen.title and chosen.meaning.endswith(".")
    unit = {"word": "whole words", "unigram": "pieces of words"}[settings.kind]
    assert chosen.vocabulary == f"Texts are cut into up to {settings.size:,} {unit}."


def test_an_unknown_preset_is_refused():
    with pytest.raises(UserError, match="Choose one of: quick, balanced, paper"):
        presets.apply_preset(Recipe(), "huge")


@pytest.mark.parametrize("key", ["nonsense", "classify.nonsense", "classify.epochs.more", "vocab"])
def test_unknown_settings_are_refused(key):
    recipe = Recipe()
    with pytest.raises(UserError):
        config.set_value(recipe, key, 3)
    assert recipe == Recipe()


def test_values_out_of_range_are_refused_with_the_bound():
    with pytest.raises(UserError, match="finetune.epochs cannot be 0: .*greater than or equal to 1"):
        config.set_value(Recipe(), "finetune.epochs", 0)


def test_unknown_names_in_a_file_are_refused():
    with pytest.raises(ValidationError):
        Recipe.model_validate({"nonsense": 1})
    with pytest.raises(UserError, match="project.toml: vocab.siez"):
        config.from_toml("[vocab]\nsiez = 3\n")


def test_broken_toml_is_refused():
    with pytest.raises(UserError, match="project.toml is not valid TOML"):
        config.from_toml("[vocab\n")


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("0.5", 0.5), ("true", True), ("all", "all"), ("[1]", [1])])
def test_values_are_read_as_toml_where_they_are(text, value):
    assert config.parse_value(text) == value


def test_gradual_unfreezing_adds_one_group_a_phase():
    phases = config.planned_phases(ClassifySettings(epochs=3, unfreezing="gradual"), 5)
    assert [(row.epochs, row.groups) for row in phases] == [(1, 1), (1, 2), (1, 3), (1, 4), (3, 5)]


def test_a_table_of_phases_replaces_the_rest():
    settings = ClassifySettings(phases=[PhaseSettings(epochs=2, groups=1), PhaseSettings(epochs=1, groups=0)])
    assert [(row.epochs, row.groups) for row in config.planned_phases(settings, 4)] == [(2, 1), (1, 4)]


def test_epochs_of_a_classifier_follow_the_number_of_texts_where_they_are_left_to_it():
    chosen = [config.with_epochs(ClassifySettings(epochs=0), texts).epochs for texts in (2, 200, 201, 3_000, 3_001)]
    assert chosen[0] == chosen[1] > chosen[2] > chosen[3] > chosen[4] > 0
    assert config.with_epochs(ClassifySettings(epochs=3), 2).epochs == 3
    assert config.planned_phases(ClassifySettings(epochs=0), 5)[-1].epochs == chosen[4]  # before there are texts
