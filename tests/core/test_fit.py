"""Whether texts are in the starter's language: said by how its vocabulary cuts them."""

import csv

import pytest

from resources import resource_path
from ulmfit_core.config import STARTER, DataSettings, Recipe
from ulmfit_core.jobs.base import BASE_OF_NEW, base_folder, starter_misfit
from ulmfit_core.project import Project
from ulmfit_core.run import launch
from ulmfit_core.text.fit import fit
from ulmfit_core.text.vocab import Vocabulary

ENGLISH = ["NO HEAT SINCE LAST NIGHT", "Where do I find the slip?", "hes not in hospital lol :)", "A lovely day."]
OTHERS = {
    "German": ["Die Geschichte schleppt sich von Anfang bis Ende dahin.", "Wir haben herzlich gelacht."],
    "French": ["Nous avons beaucoup aimé cette histoire touchante.", "Le vendeur n'a jamais répondu à mes messages."],
    "Spanish": ["La película es demasiado larga y muy aburrida.", "Llegó tarde y el paquete estaba roto."],
    "Russian": ["Мы долго ждали, но никто не пришёл.", "Очень красивый фильм о дружбе."],
    "Chinese": ["这部电影太长了，我们提前离开了。", "服务很好，下次还会再来。"],
}


@pytest.fixture(scope="module")
def starter():
    return Vocabulary.load(base_folder(STARTER))


def test_english_fits(starter):
    assert fit(starter, ENGLISH).is_good


@pytest.mark.parametrize("language", OTHERS)
def test_another_language_does_not(starter, language):
    assert not fit(starter, OTHERS[language]).is_good


def test_capitals_and_repeats_do_not_count_against_a_text(starter):
    assert fit(starter, ["THIS IS URGENT"]).pieces_per_word == fit(starter, ["this is urgent"]).pieces_per_word


def test_nothing_to_look_at_is_no_misfit(starter):
    assert fit(starter, []).is_good and fit(starter, [""]).is_good


@pytest.mark.parametrize("name", ["sample/verses.csv", "support/messages.csv"])
def test_the_samples_fit(starter, name):
    with resource_path(name).open(encoding="utf-8", newline="") as file:
        assert fit(starter, [row["text"] for row in csv.DictReader(file)]).is_good


def test_only_a_project_that_begins_with_the_starter_is_looked_at(tmp_path, german):
    data = DataSettings(data=str(german), text=["text"], label="label")
    project = Project.create(tmp_path / "p", Recipe(base=BASE_OF_NEW, data=data))
    assert starter_misfit(project) == "", "nothing was imported"
    launch(project, "import")
    assert "do not look like English" in starter_misfit(project)
    project.recipe.base = "none"
    assert starter_misfit(project) == ""
