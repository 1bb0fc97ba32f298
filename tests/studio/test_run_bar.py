"""The run bar: the right buttons at the right time, and figures that follow from the plan and the log of steps."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt

from studio.session import Session
from studio.widgets import pace
from studio.widgets.run_bar import RunBar, figures
from studio.widgets.schedule_preview import coming_plan
from ulmfit_core import events
from ulmfit_core.config import Recipe
from ulmfit_core.run import Steps


@pytest.fixture
def make_bar(qtbot, project_session):
    def make(step: str) -> RunBar:
        bar = RunBar(project_session, step)
        qtbot.addWidget(bar)
        bar.show()
        qtbot.waitExposed(bar)
        return bar

    return make


@pytest.fixture
def prepared(project_session: Session, run_job) -> Session:
    """Imported, with a vocabulary; fine-tuning would take long enough to be watched."""
    project_session.change("finetune.epochs", 300)
    for job in ("import", "vocab"):
        assert run_job(project_session, job).status == "done"
    return project_session


def enabled(bar: RunBar) -> set[str]:
    names = ("start", "resume", "pause", "finish", "stop")
    buttons = {name: getattr(bar, f"{name}_button") for name in names}
    return {name for name, button in buttons.items() if button.isVisible() and button.isEnabled()}


def places_of(qtbot, bar: RunBar) -> list[tuple[int, int]]:
    """Where the buttons stand that are always there."""
    qtbot.wait(20)  # the layout follows
    buttons = (bar.start_button, bar.pause_button, bar.finish_button, bar.stop_button)
    corners = [button.mapTo(bar, button.rect().topLeft()) for button in buttons]
    return [(corner.x(), corner.y()) for corner in corners]


def press(qtbot, button) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_step_that_waits_cannot_start_and_says_for_what(make_bar):
    bar = make_bar("finetune")
    assert enabled(bar) == set()
    assert bar.status.text() == "Waits for “Data”."


def test_a_job_without_steps_shows_its_progress_and_ends_as_done(qtbot, project_session, make_bar):
    bar = make_bar("import")
    assert enabled(bar) == {"start"}
    assert not bar.pause_button.isVisible(), "only trainings pause"
    with qtbot.waitSignal(project_session.run_ended, timeout=60_000):
        press(qtbot, bar.start_button)
        bar._hear(events.Progress("Reading", 30, 120))
        bar.tick()
        assert bar.overall.caption.text() == "Reading: 30 of 120 (25%)"
        assert bar.overall.bar.value() == 250
        assert enabled(bar) == {"stop"}
    assert bar.status.text().startswith("Done.")
    assert not bar.overall.isVisible()


def test_pause_continue_stop_resume_finish(qtbot, prepared, make_bar):
    """The whole life of a real training by its buttons."""
    bar = make_bar("finetune")
    bar.resize(900, 120)
    places = places_of(qtbot, bar)
    press(qtbot, bar.start_button)
    assert places_of(qtbot, bar) == places
    qtbot.waitUntil(lambda: "Step " in bar.overall.caption.text() and bar._step > 3, timeout=60_000)
    assert enabled(bar) == {"pause", "finish", "stop"}
    assert " of 300 " in bar.epoch.caption.text()

    press(qtbot, bar.pause_button)
    assert bar.pause_button.text() == "&Continue" and places_of(qtbot, bar) == places
    assert "Paused" in bar.status.text()
    press(qtbot, bar.pause_button)
    assert not prepared.paused

    with qtbot.waitSignal(prepared.run_ended, timeout=60_000) as stopped:
        press(qtbot, bar.stop_button)
        assert enabled(bar) == set()
        assert "Stopping" in bar.status.text()
    assert stopped.args[1].status == "stopped"
    assert enabled(bar) == {"resume", "start"}
    assert bar.start_button.text() == "Start &anew" and places_of(qtbot, bar) == places
    assert "Stopped at step" in bar.status.text()

    before = prepared.run_folder
    press(qtbot, bar.resume_button)
    qtbot.waitUntil(lambda: bar._step > 3, timeout=60_000)
    assert prepared.run_folder == before
    with qtbot.waitSignal(prepared.run_ended, timeout=60_000) as ended:
        press(qtbot, bar.finish_button)
        assert "Finishing" in bar.status.text()
    assert ended.args[1].status == "done" and ended.args[1].finished_early


def test_while_another_job_runs_the_bar_says_which(qtbot, prepared, make_bar):
    other, bar = make_bar("finetune"), make_bar("vocab")
    assert enabled(bar) == {"start"}
    press(qtbot, other.start_button)
    assert enabled(bar) == set()
    assert "Fine-tune the language model" in bar.status.text()


def test_a_hidden_bar_rests(qtbot, prepared, make_bar):
    bar = make_bar("finetune")
    press(qtbot, bar.start_button)
    assert bar._timer.isActive()
    bar.hide()
    assert not bar._timer.isActive()


# Reckoning


def steps_of(seconds: list[float], tokens: float = 100.0) -> Steps:
    rows = [[number + 1, tokens, second] for number, second in enumerate(seconds)]
    return Steps(("step", "tokens", "seconds"), np.array(rows, np.float32).reshape(-1, 3))


def test_speed_is_that_of_the_last_half_minute():
    slow_then_fast = [10.0 * number for number in range(1, 11)] + [100 + 0.5 * number for number in range(1, 121)]
    assert pace.speed(steps_of(slow_then_fast)) == pytest.approx((2.0, 200.0))
    assert pace.speed(steps_of([])) == pace.speed(steps_of([1.0])) == (0.0, 0.0)


def test_time_left_is_exact_from_steps_left_and_speed():
    assert figures(400, 2.0, 200.0).startswith("Time left 3 min 20 s   ·   200 tokens/s")
    assert figures(400, 0.0, 0.0).startswith("The time left is known after a few steps.")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3600, "1 h 0 min"), (9000, "2 h 30 min")],
)
def test_durations_read_well(seconds, text):
    assert pace.duration(seconds) == text


def test_standing_in_the_plan():
    plan = coming_plan(Recipe(), "classify", 10)  # head, then one group more each epoch, then 4 epochs with all
    assert pace.standing(plan, 0) == pace.Standing(0, 0, 0.0, 0, 0.0)
    assert pace.standing(plan, 15) == pace.Standing(15, 1, 0.5, 1, 0.5)
    assert pace.standing(plan, 60) == pace.Standing(60, 6, 0.0, 4, 0.5)
    assert pace.standing(plan, plan.total_steps).phase_share == 1.0
    assert pace.standing(plan, plan.total_steps).epoch_share == 1.0
