"""Welcome: the samples, a new project by keyboard alone, recent projects."""

from __future__ import annotations

import errno
import sys

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QMenu

from studio.base_model import read_base
from studio.main_window import MainWindow
from studio.screens.welcome import WelcomeScreen
from studio.training_queue import open_steps
from tests.faults.failing_disk import FailingDisk
from ulmfit_core import catalog, presets, sample


@pytest.fixture
def welcome(window: MainWindow) -> WelcomeScreen:
    screen = window.screens["welcome"]
    assert isinstance(screen, WelcomeScreen)
    return screen


@pytest.mark.parametrize("name", sample.SAMPLES)
def test_each_sample_is_one_press_away(window, welcome: WelcomeScreen, qtbot, name) -> None:
    qtbot.mouseClick(welcome.start.samples[name], Qt.MouseButton.LeftButton)
    assert window.windowTitle().startswith(sample.SAMPLES[name].title)
    assert window.session.project.folder == sample.default_folder(name)
    assert window.current == "dataset"


@pytest.mark.parametrize("name", sample.SAMPLES)
def test_each_sample_has_a_key(window, welcome: WelcomeScreen, qtbot, name) -> None:
    title = sample.SAMPLES[name].title
    label = next(label for label in welcome.findChildren(QLabel) if label.text().replace("&", "").endswith(title))
    window.activateWindow()
    key = getattr(Qt.Key, f"Key_{label.text()[label.text().index('&') + 1].upper()}")
    qtbot.keyClick(window, key, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: window.session.project is not None)
    assert window.session.project.folder == sample.default_folder(name)


def test_each_sample_has_a_name_and_a_sentence(welcome: WelcomeScreen) -> None:
    buttons = welcome.start.samples
    titles = [each.title for each in sample.SAMPLES.values()]
    assert [button.accessibleName() for button in buttons.values()] == [f"Open the sample: {name}" for name in titles]
    assert all(sample.SAMPLES[name].meaning in button.toolTip() for name, button in buttons.items())
    primary = [name for name, button in buttons.items() if button.property("primary")]
    assert primary == [sample.DEFAULT]


def test_a_sample_is_opened_and_trained(window, welcome: WelcomeScreen, qtbot, monkeypatch) -> None:
    monkeypatch.setitem(catalog.JOBS, "import", catalog.Entry("tests.studio.jobs:wait", "Import the data"))
    queue = window.session.queue
    with qtbot.waitSignal(queue.ended, timeout=60_000):
        qtbot.mouseClick(welcome.start.trainings["verses"], Qt.MouseButton.LeftButton)
        assert window.session.project.folder == sample.default_folder("verses")
        assert queue.running == "import" and queue.coming == ["vocab", "finetune", "classify", "evaluate"]
        queue.stop()


@pytest.mark.parametrize("picked", ["balanced", "paper"])
def test_tab_leads_to_the_size_that_is_picked(window, welcome: WelcomeScreen, qtbot, picked) -> None:
    window.new_project()
    form = welcome.form
    form.browse.setFocus()
    form.sizes[picked].click()  # as its underlined letter does, which moves no focus
    qtbot.keyClick(form.browse, Qt.Key.Key_Tab)
    assert form.focusWidget() is form.templates["starter"]
    qtbot.keyClick(form.focusWidget(), Qt.Key.Key_Tab)
    assert form.focusWidget() is form.sizes[picked]



def test_the_menu_opens_a_sample(window) -> None:
    menu = next(menu for menu in window.findChildren(QMenu) if menu.title() == "Open a &sample")
    titles = [each.title for each in sample.SAMPLES.values()]
    assert [action.text() for action in menu.actions()] == titles
    menu.actions()[-1].trigger()
    assert window.windowTitle().startswith(titles[-1])


def test_a_new_project_by_keyboard(window, welcome: WelcomeScreen, qtbot, tmp_path) -> None:
    qtbot.mouseClick(welcome.start.new, Qt.MouseButton.LeftButton)
    form = welcome.form
    form.name.clear()
    qtbot.keyClicks(form.name, "Film reviews")
    form.place.clear()
    assert not form.make.isEnabled()
    qtbot.keyClicks(form.place, str(tmp_path))
    assert form.outcome.text() == f"It will be made in {tmp_path / 'Film reviews'}"
    form.sizes["quick"].click()
    qtbot.keyClick(form.place, Qt.Key.Key_Return)
    recipe = window.session.project.recipe
    assert (recipe.name, recipe.preset, recipe.finetune.epochs) == ("Film reviews", "quick", 2)
    assert recipe.base == "starter" and recipe.classify.enabled, "which is the default"
    assert window.current == "dataset"
    window.new_project()
    window.close_project()


def test_the_kinds_of_project(welcome: WelcomeScreen) -> None:
    welcome.show_new_project()
    form = welcome.form
    for name, base, classifies in (("scratch", "none", True), ("language_model", "starter", False)):
        form.templates[name].click()
        assert (form.recipe().base, form.recipe().classify.enabled) == (base, classifies)
        assert form.about_base.isVisible() == (base == "starter")
    form.templates["starter"].click()
    network = read_base("starter")["network"]
    assert f"{network['layers']} recurrent layers of {network['hidden']}" in form.about_base.text()
    assert form.recipe().base == "starter" and "size and vocabulary stay the starter's" in form.about_source.text()


def test_a_language_model_alone_ends_after_fine_tuning(window, welcome: WelcomeScreen, recipe, tmp_path) -> None:
    welcome.form.templates["language_model"].click()
    made = welcome.form.recipe()
    made.data = recipe.data.model_copy(update={"label": ""})
    window.session.create(tmp_path / "writer", made)
    assert open_steps(window.session.project) == ["import", "vocab", "finetune"]
    assert "switched off" in window.session.project.skip_reason("evaluate").lower()


def test_the_settings_of_another_source_by_keyboard(window, welcome: WelcomeScreen, qtbot, tmp_path) -> None:
    welcome.show_new_project()
    form = welcome.form
    form.place.setText(str(tmp_path))
    form.templates["scratch"].click()
    form.presets.checkedButton().setFocus()
    assert form.preset() == "balanced" and not form.source.isEnabled()
    for _ in range(2):
        qtbot.keyClick(window.focusWidget(), Qt.Key.Key_Down)
    assert form.other.isChecked() and form.other.hasFocus()
    qtbot.keyClick(form.other, Qt.Key.Key_Tab)
    assert form.source.hasFocus()
    said = {form.preset(): form.about_source.text()}
    for _ in range(2):
        qtbot.keyClick(form.source, Qt.Key.Key_Down)
        said[form.preset()] = form.about_source.text()
    assert list(said) == ["imdb_scripts", "fastai", "multifit"]
    assert said["fastai"].endswith("whole words.") and said["multifit"].endswith("pieces of words.")
    assert form.other.accessibleDescription() == said["multifit"]
    qtbot.keyClick(form.place, Qt.Key.Key_Return)
    recipe = window.session.project.recipe
    assert (recipe.preset, recipe.vocab.size, recipe.model.layers) == ("multifit", 15_000, 4)


def test_all_presets_are_offered_once(welcome: WelcomeScreen) -> None:
    source = welcome.form.source
    others = [source.itemData(row) for row in range(source.count())]
    assert [*welcome.form.sizes, *others] == list(presets.PRESETS)


def test_a_place_that_is_taken_is_refused(welcome: WelcomeScreen, qtbot, tmp_path) -> None:
    (tmp_path / "Taken").mkdir()
    (tmp_path / "Taken" / "file").touch()
    welcome.show_new_project()
    welcome.form.name.setText("Taken")
    welcome.form.place.setText(str(tmp_path))
    qtbot.mouseClick(welcome.form.make, Qt.MouseButton.LeftButton)
    assert "exists already and is not empty" in welcome.notice.text


def test_a_name_that_no_folder_can_have_is_refused(welcome: WelcomeScreen, qtbot, tmp_path) -> None:
    welcome.show_new_project()
    welcome.form.name.setText("long" * 100)
    welcome.form.place.setText(str(tmp_path))
    qtbot.mouseClick(welcome.form.make, Qt.MouseButton.LeftButton)
    assert "cannot be created" in welcome.notice.text and "Choose another place" in welcome.notice.text


@pytest.mark.skipif(sys.platform != "linux", reason="which file is written is looked up in /proc")
def test_a_sample_that_the_disk_has_no_room_for_is_told_and_made_by_the_next_press(
    welcome: WelcomeScreen, qtbot, own_home
) -> None:
    with FailingDisk(own_home, 9, errno.ENOSPC, for_good=True).at_work():
        qtbot.mouseClick(welcome.start.samples["verses"], Qt.MouseButton.LeftButton)
    assert "The disk is full" in welcome.notice.text and welcome.session.project is None
    qtbot.mouseClick(welcome.start.samples["verses"], Qt.MouseButton.LeftButton)
    project = welcome.session.project
    assert (project.folder / project.recipe.data.data).is_file() and not welcome.notice.text


def test_a_name_that_is_free_is_offered(welcome: WelcomeScreen, tmp_path) -> None:
    welcome.form.name.setText("Letters")
    welcome.form.place.setText(str(tmp_path))
    for free in ("Letters", "Letters 2", "Letters 3"):
        welcome.show_new_project()
        assert welcome.form.name.text() == free
        welcome.form.folder().mkdir()
    welcome.form.name.setText("x" * 5000)
    welcome.show_new_project()
    assert welcome.form.name.text() == "x" * 5000, "which is refused when it is made"


def test_a_name_may_hold_any_sign(welcome: WelcomeScreen, tmp_path) -> None:
    welcome.form.name.setText("a/b: c?")
    welcome.form.place.setText(str(tmp_path))
    assert welcome.form.folder() == tmp_path / "a-b- c-"


def test_recent_projects_are_listed_and_opened(window, welcome: WelcomeScreen, recipe, tmp_path) -> None:
    window.session.create(tmp_path / "one", recipe)
    window.close_project()
    assert welcome.start.recent.count() == 1 and welcome.start.recent.isVisible()
    welcome.start.recent.itemActivated.emit(welcome.start.recent.item(0))
    assert window.session.project.folder == tmp_path / "one"
