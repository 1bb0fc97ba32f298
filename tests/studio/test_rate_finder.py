"""Finding a rate in the window: a real search on a tiny model, its curve, its suggestions written into the settings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt

from studio.screens.runs import RunsScreen
from studio.screens.training import ClassifyScreen, FinetuneScreen
from studio.widgets.rate_curve import SUGGESTIONS, loss_range
from studio.widgets.rate_finder import JOB, STOPPED, TRAINED, changed_since
from ulmfit_core import events
from ulmfit_core.config import PhaseSettings
from ulmfit_core.run import Run

FOUND = {"valley": 0.0021, "steepest": 0.0013, "minimum": 0.0102, "slide": None}


@pytest.fixture
def show(qtbot, project_session):
    def make(kind):
        screen = kind(project_session)
        qtbot.addWidget(screen)
        screen.resize(1100, 800)
        screen.show()
        qtbot.waitExposed(screen)
        qtbot.mouseClick(screen.column.find_rate, Qt.MouseButton.LeftButton)
        return screen

    return make


@pytest.fixture
def recorded(project_session):
    """A finished search of the classifier's rate, as the job leaves it."""
    run = Run(project_session.project.new_run_folder(JOB))
    run.emit(events.Started(JOB, "Find a learning rate"))
    run.open_steps(["step", "loss", "smoothed", "lr"])
    rates = np.geomspace(1e-7, 10, 60)
    losses = 2 - 1.2 * np.exp(-((np.log10(rates) + 1.5) ** 2)) + 5 * np.clip(np.log10(rates) - 0.3, 0, None) ** 2
    for step, (rate, loss) in enumerate(zip(rates, losses, strict=True)):
        run.emit_step([step, loss + 0.05 * (-1) ** step, loss, rate])
    report = {
        "stage": "classify", "groups": 1, "advised": "minimum", "batches": 40,
        "rates": list(rates), "losses": list(losses), "smoothed": list(losses),
        "suggestions": FOUND, "advice": "The loss falls from 0.0001 to 0.03.",
    }  # fmt: skip
    run.emit(events.Ended("done", report=report))
    run.close()
    return run.folder


def test_without_its_inputs_a_search_says_what_it_waits_for(show):
    screen = show(ClassifyScreen)
    finder = screen.finder
    assert finder.isVisible() and not finder.start.isEnabled()
    assert finder.status.text() == "Waits for “Data”."
    assert not finder.choices.isVisible() and finder.curve.nothing.isVisible()


def test_an_earlier_search_is_shown_with_its_suggestions(show, recorded):
    screen = show(ClassifyScreen)
    finder = screen.finder
    assert finder.folder == recorded and not finder.curve.nothing.isVisible()
    assert {name: take.text() for name, take in finder.takes.items()} == {
        "valley": "Take 0.0021", "steepest": "Take 0.0013", "minimum": "Take 0.01", "slide": "None found",
    }  # fmt: skip
    assert not finder.takes["slide"].isEnabled()
    assert finder.advice.text() == "The loss falls from 0.0001 to 0.03."
    x, _ = finder.curve.smoothed.getData()
    assert x[0] == pytest.approx(-7) and x[-1] == pytest.approx(1)


def test_the_advised_suggestion_has_the_accent_and_what_learned_is_said(qtbot, show, recorded):
    screen = show(ClassifyScreen)
    finder = screen.finder
    assert [name for name, take in finder.takes.items() if take.property("primary")] == ["minimum"]
    assert not finder.start.property("primary") and finder.trained.text() == TRAINED[1]
    finder.groups.setFocus()
    qtbot.keyClick(finder.groups, Qt.Key.Key_Down)
    assert finder.trained.text() == TRAINED[0]


def test_the_names_of_the_marks_stand_in_rows_inside_the_plot(qtbot, show, recorded):
    screen = show(ClassifyScreen)
    curve = screen.finder.curve
    qtbot.wait(50)  # the plot takes its place
    box = curve.plot.getPlotItem().getViewBox()
    labels = [curve._marks[name].label for name in curve.found]
    middles = sorted(label.mapRectToScene(label.boundingRect()).center().y() for label in labels)
    assert all(lower - upper >= curve.fontMetrics().height() for upper, lower in zip(middles, middles[1:]))
    inside = box.sceneBoundingRect()
    assert inside.top() < middles[0] - 6 and middles[-1] + 6 < inside.bottom()


def test_before_a_search_no_empty_axes_are_drawn(show):
    screen = show(ClassifyScreen)
    curve = screen.finder.curve
    assert not curve.plot.getPlotItem().isVisible() and "Press “Search”" in curve.nothing.text()


def test_a_search_says_that_settings_or_texts_were_changed_after_it(project_session, show, recorded, write_run):
    project = project_session.project
    screen = show(ClassifyScreen)
    finder = screen.finder
    finder.takes["minimum"].click()
    assert not finder.age.isVisible() and finder.advice.isVisible(), "taking its rate makes no search old"
    project_session.change("classify.drop_mult", 0.7)
    assert finder.age.text() == "Made before the settings were changed: search again."
    assert finder.age.isVisible() and not finder.advice.isVisible()
    assert not any(take.property("primary") for take in finder.takes.values()) and finder.start.property("primary")
    project_session.change("classify.drop_mult", 0.5)
    assert not finder.age.isVisible()
    write_run(project, "finetune")
    assert changed_since(project, "classify", recorded) == "“Fine-tune” was run again"
    project_session.change("data.valid_fraction", 0.3)
    assert changed_since(project, "classify", recorded) == "the texts were changed"


def test_a_search_of_another_step_is_not_shown(show, recorded):
    assert show(FinetuneScreen).finder.folder is None


@pytest.mark.parametrize("name", [name for name, rate in FOUND.items() if rate])
def test_a_suggestion_goes_into_the_settings(qtbot, project_session, show, recorded, name):
    screen = show(ClassifyScreen)
    screen.finder.takes[name].setFocus()
    qtbot.keyClick(screen.finder.takes[name], Qt.Key.Key_Space)
    rate = float(f"{FOUND[name]:.2g}")
    assert project_session.project.recipe.classify.lr_max == rate
    assert screen.form.control("lr_max").read() == rate
    assert f"{rate:g}" in screen.finder.outcome.text()
    assert screen.finder.curve.now.value() == pytest.approx(math.log10(rate))


def test_a_click_on_the_curve_takes_the_rate_below_the_mouse(qtbot, project_session, show, recorded):
    screen = show(ClassifyScreen)
    finder = screen.finder
    plot = finder.curve.plot
    box = plot.getPlotItem().getViewBox()
    place = plot.mapFromScene(box.mapViewToScene(QPointF(-2.0, sum(box.viewRange()[1]) / 2)))
    qtbot.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert project_session.project.recipe.classify.lr_max == pytest.approx(0.01, rel=0.1)


def test_a_rate_is_found_and_taken_by_the_keyboard_alone(qtbot, project_session, show, recorded):
    screen = show(ClassifyScreen)
    curve = screen.finder.curve
    curve.setFocus()
    qtbot.keyClick(curve, Qt.Key.Key_Left)
    start = curve.pointer.value()
    for _ in range(5):
        qtbot.keyClick(curve, Qt.Key.Key_Left)
    rate = 10 ** curve.pointer.value()
    assert curve.pointer.isVisible() and rate == pytest.approx(float(curve.steps["lr"][25]))
    assert start > curve.pointer.value() and f"rate {rate:.2g}" in curve.legend.text()
    qtbot.keyClick(curve, Qt.Key.Key_Return)
    assert project_session.project.recipe.classify.lr_max == float(f"{rate:.2g}")


def test_with_a_table_of_phases_the_rate_goes_into_those_that_train_the_same(qtbot, project_session, show, recorded):
    rows = [PhaseSettings(groups=1, lr_max=0.5), PhaseSettings(groups=2, lr_max=0.4), PhaseSettings(lr_max=0.3)]
    project_session.change("classify.phases", rows)
    screen = show(ClassifyScreen)
    qtbot.mouseClick(screen.finder.takes["valley"], Qt.MouseButton.LeftButton)
    assert [row.lr_max for row in project_session.project.recipe.classify.phases] == [0.0021, 0.4, 0.3]
    project_session.change("classify.phases", rows[1:])
    qtbot.mouseClick(screen.finder.takes["valley"], Qt.MouseButton.LeftButton)
    assert [row.lr_max for row in project_session.project.recipe.classify.phases] == [0.4, 0.3]
    assert "No phase" in screen.finder.outcome.text()


def test_while_another_job_runs_the_reason_is_said(qtbot, project_session, show, endless_import):
    screen = show(ClassifyScreen)
    project_session.start("import")
    assert not screen.finder.start.isEnabled()
    assert screen.finder.status.text().startswith("“Import the data” is at work.")


def test_a_real_search_is_followed_and_leaves_the_project_as_it_was(qtbot, project_session, show, run_job):
    for job in ("import", "vocab"):
        assert run_job(project_session, job).status == "done"
    screen = show(FinetuneScreen)
    finder, before = screen.finder, (project_session.project.folder / "project.toml").read_text()
    with qtbot.waitSignal(project_session.run_ended, timeout=120_000) as ended:
        qtbot.mouseClick(finder.start, Qt.MouseButton.LeftButton)
        assert finder.running and finder.stop_button.isVisible() and not finder.start.isEnabled()
    assert ended.args[:1] == ["find_lr"] and ended.args[1].status == "done", ended.args[1].reason
    assert len(finder.curve.smoothed.getData()[0]) == len(ended.args[1].report["rates"]) > 10
    assert finder.choices.isVisible() and finder.start.isEnabled() and not finder.stop_button.isVisible()
    assert set(finder.report["suggestions"]) == set(SUGGESTIONS)
    assert (project_session.project.folder / "project.toml").read_text() == before
    assert project_session.project.state("finetune").mark == "ready"


def test_a_search_can_be_stopped(qtbot, project_session, show, run_job):
    for job in ("import", "vocab"):
        run_job(project_session, job)
    screen = show(FinetuneScreen)
    finder = screen.finder
    with qtbot.waitSignal(project_session.run_ended, timeout=120_000) as ended:
        finder.start.click()
        finder.stop_button.click()
    assert ended.args[1].status == "stopped"
    assert finder.status.text() == STOPPED and finder.start.isEnabled()


def test_the_axis_holds_the_fall_and_not_what_shoots_up():
    low, high = loss_range(np.array([2.0, 1.9, 1.0, 40.0, np.nan]))
    assert 0 < low < 1.0 and 2.0 < high < 3


def test_the_runs_show_a_search_with_its_curve_and_its_stages_settings(qtbot, project_session, recorded):
    screen = RunsScreen(project_session)
    qtbot.addWidget(screen)
    screen.show()
    assert screen.table.texts()[0][-2].startswith("Classify: Minimum / 10 0.01, Valley 0.0021, Steepest")
    details = screen.details
    visible = [details.tabText(place) for place in range(details.count()) if details.isTabVisible(place)]
    assert visible == ["Curve", "Card", "Settings", "Notes"] and details.currentWidget() is details.search
    assert len(details.search.smoothed.getData()[0]) == 60
    assert "[classify]" in details.settings.toPlainText()
