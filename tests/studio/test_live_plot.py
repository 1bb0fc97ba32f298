"""The live plot: follows the two files of a run, draws the coming schedule, rests while hidden."""

from __future__ import annotations

import numpy as np
import pytest

from studio import theme
from studio.widgets.curves import BUCKETS, Curves, smooth
from studio.widgets.live_plot import LivePlot, phase_names
from studio.widgets.schedule_preview import coming_plan
from ulmfit_core import events
from ulmfit_core.project import Project
from ulmfit_core.run import Run


@pytest.fixture
def project(tmp_path, recipe) -> Project:
    return Project.create(tmp_path / "project", recipe)


@pytest.fixture
def plot(qtbot) -> LivePlot:
    made = LivePlot()
    qtbot.addWidget(made)
    made.resize(900, 500)
    made.show()
    qtbot.waitExposed(made)
    return made


def drawn(item) -> tuple[np.ndarray, np.ndarray]:
    return item.getData()


def test_a_finished_run_is_drawn_whole(plot, project, write_run):
    project.recipe.classify.unfreezing = "gradual"
    folder = write_run(project, "classify", per_epoch=20)
    plot.show_run(folder)
    total = plot.plan.total_steps
    assert len(drawn(plot.loss.smoothed)[0]) == total
    assert drawn(plot.loss.raw)[1].max() == pytest.approx(5)
    assert len(drawn(plot.loss.validation)[0]) == len(plot.plan.epoch_ends)
    assert list(drawn(plot.loss.best)[0]) == [40], "the second epoch was the best"


def test_each_group_joins_in_its_phase_at_a_rate_lower_by_the_factor(plot, project, write_run):
    plot.show_run(write_run(project, "classify", per_epoch=20))
    rates = [10 ** drawn(line)[1] for line in plot.rate.live]
    first_steps = [phase["first_step"] for phase in plot.plan.phases]
    begins = [int(np.flatnonzero(np.isfinite(rate))[0]) for rate in rates]
    assert begins == first_steps[::-1], "the head first, the embedding last"
    last = first_steps[-1] + 5
    assert np.allclose([high[last] / low[last] for low, high in zip(rates, rates[1:])], 2.6)


def test_frozen_groups_leave_a_gap_and_no_warning(plot, project, write_run):
    with np.errstate(all="raise"):
        plot.show_run(write_run(project, "classify", per_epoch=20))
    embedding = drawn(plot.rate.coming[0])[1]
    assert np.isnan(embedding[0]) and np.isfinite(embedding[-1])


def test_the_schedule_stands_before_the_first_step(plot, project):
    run = Run(project.new_run_folder("finetune"))
    plan = coming_plan(project.recipe, "finetune", 50)
    run.emit(plan)
    plot.show_run(run.folder)
    assert len(drawn(plot.rate.coming[0])[0]) == len(plan.rate_steps)
    assert len(drawn(plot.loss.smoothed)[0]) == 0
    assert "first step" in plot._hint.text()
    run.close()


def test_a_growing_run_is_followed(qtbot, plot, project):
    run = Run(project.new_run_folder("finetune"))
    plan = coming_plan(project.recipe, "finetune", 50)
    run.emit(plan)
    run.open_steps(["step", "loss", *(f"lr:{name}" for name in plan.groups)])
    plot.show_run(run.folder)
    for step in range(30):
        run.emit_step([step + 1, 4.0, *(0.001 for _ in plan.groups)])
    run.close()
    qtbot.waitUntil(lambda: len(drawn(plot.loss.smoothed)[0]) == 30, timeout=2000)
    run.close()


def test_axes_stay_while_the_loss_stays_within(plot, project):
    run = Run(project.new_run_folder("finetune"))
    plan = coming_plan(project.recipe, "finetune", 50)
    run.emit(plan)
    run.open_steps(["step", "loss", *(f"lr:{name}" for name in plan.groups)])

    def log(step: int, loss: float) -> tuple[float, float]:
        run.emit_step([step, loss, *(0.001 for _ in plan.groups)])
        run._flush_all()
        plot.reread()
        return tuple(plot.loss.plot.viewRange()[1])

    plot.show_run(run.folder)
    log(1, 6.0)
    wide = log(2, 4.0)
    assert wide[0] < 4 < 6 < wide[1]
    assert log(3, 5.0) == wide
    assert log(4, 9.0)[1] > 9
    assert plot.loss.plot.viewRange()[0][1] >= plan.total_steps
    run.close()


def test_a_hidden_plot_rests(qtbot, plot, project, write_run):
    plot.show_run(write_run(project, "finetune"))
    assert plot._timer.isActive()
    plot.hide()
    assert not plot._timer.isActive()


def test_items_are_reused_from_run_to_run(plot, project, write_run):
    plot.show_run(write_run(project, "classify"))
    count = len(plot.rate.plot.items())
    plot.show_run(write_run(project, "classify"))
    assert len(plot.rate.plot.items()) == count


def test_clear_empties_every_curve_and_shows_the_sentence(plot, project, write_run):
    plot.show_run(write_run(project, "classify"))
    plot.clear()
    plot.say("Waits for “Vocabulary”.")
    assert plot._sentence.isVisible() and plot._sentence.text() == "Waits for “Vocabulary”."
    lines = (plot.loss.raw, plot.loss.smoothed, *plot.rate.live, *plot.rate.coming)
    assert all(len(drawn(line)[0]) == 0 for line in lines)


def test_colours_follow_the_theme(qapp, plot, project, write_run):
    plot.show_run(write_run(project, "finetune"))
    try:
        theme.apply(qapp, "dark")
        assert plot.loss.smoothed.opts["pen"].color().name() == theme.LINES["dark"][0]
        assert plot.loss.plot.backgroundBrush().color().name() == theme.DARK.surface
        assert theme.LINES["dark"][0] in plot.loss.legend.text()
    finally:
        theme.apply(qapp, "light")


# The numbers


def one_phase(steps: int) -> events.Plan:
    phase = {"title": "all", "first_step": 0, "last_step": steps, "epochs": 1, "groups": ["all"]}
    return events.Plan(["all"], steps, 0, [steps], [phase], [0], [[1.0]], 0, "cpu", 1)


def test_many_steps_become_few_buckets_and_keep_their_peaks(tmp_path):
    total = 100_000
    run = Run(tmp_path / "run")
    run.emit(one_phase(total))
    run.open_steps(["step", "loss", "lr:all"])
    for step in range(total):
        run.emit_step([step + 1, 9.0 if step == 77_777 else 2.0, 0.1])
    run.close()
    curves = Curves(tmp_path / "run")
    assert curves.read()
    x, loss = curves.raw()
    assert len(x) <= 2 * BUCKETS
    assert loss.max() == 9.0 and abs(x[loss.argmax()] - 77_777) < total / BUCKETS
    assert not curves.read(), "nothing new"


def test_reading_in_parts_is_reading_at_once(tmp_path):
    run = Run(tmp_path / "run")
    run.emit(one_phase(4000))
    run.open_steps(["step", "loss", "lr:all"])
    live = Curves(tmp_path / "run")
    noise = np.random.default_rng(0).normal(4, 1, 3001)
    for step, loss in enumerate(noise):
        run.emit_step([step + 1, loss, 0.1])
        if step % 700 == 0:
            run._flush_all()
            live.read()
    run.close()
    late = Curves(tmp_path / "run")
    live.read(), late.read()
    np.testing.assert_allclose(live.raw(), late.raw())
    np.testing.assert_allclose(live.smoothed(), late.smoothed())


def test_a_log_cut_back_by_a_resume_is_read_anew(tmp_path):
    run = Run(tmp_path / "run")
    run.emit(one_phase(100))
    run.open_steps(["step", "loss", "lr:all"])
    for step in range(10):
        run.emit_step([step + 1, 1.0, 0.1])
    offsets = run.offsets()
    for step in range(10, 50):
        run.emit_step([step + 1, 99.0, 0.1])
    run._flush_all()
    curves = Curves(tmp_path / "run")
    curves.read()
    run.rewind(offsets)
    run.close()
    curves.read()
    assert len(curves.smoothed()[0]) == 10
    assert curves.loss_range() == (1.0, 1.0)


def test_smoothing_starts_at_the_first_value_and_follows_a_constant():
    smoothed = smooth(np.array([3.0, 3.0, 3.0, 9.0]), 8)
    assert list(smoothed[:3]) == pytest.approx([3.0] * 3)
    assert 3 < smoothed[3] < 9


def test_phases_are_named_after_what_they_begin_to_train(project):
    plan = coming_plan(project.recipe, "classify", 20)
    assert phase_names(plan) == [" head", " + rnn3", " + rnn2", " + rnn1", " + embedding"]
    project.recipe.classify.epochs = 100
    assert phase_names(coming_plan(project.recipe, "classify", 20)) == ["", "", "", "", " + embedding"]
