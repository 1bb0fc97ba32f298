"""The plots as a person uses them: zoom, crosshair, axes, a third plot, the strip, copying and saving."""

from __future__ import annotations

import csv
import tracemalloc

import numpy as np
import pytest
from PySide6.QtCore import QByteArray, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QImage
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.screens.epochs import EpochsTable
from studio.widgets.buckets import BUCKETS, Buckets, even_edges, growing_edges
from studio.widgets.curves import Curves
from studio.widgets.live_plot import LivePlot
from studio.widgets.overlay import Overlay
from studio.widgets.plot_export import figures, save_csv
from studio.widgets.plot_window import Window
from studio.widgets.rate_plot import sign_of
from studio.widgets.schedule_preview import STEPS_PER_EPOCH, coming_plan
from studio.widgets.third_plot import KINDS, NONE_LOGGED
from ulmfit_core import events
from ulmfit_core.events import EpochEnded, Plan
from ulmfit_core.project import Project
from ulmfit_core.run import Run, read_steps


@pytest.fixture
def project(tmp_path, recipe) -> Project:
    return Project.create(tmp_path / "project", recipe)


@pytest.fixture
def plot(qtbot) -> LivePlot:
    made = LivePlot()
    qtbot.addWidget(made)
    made.resize(900, 600)
    made.show()
    qtbot.waitExposed(made)
    return made


@pytest.fixture
def long_run(tmp_path):
    """3,000 steps of two groups, the lower one frozen for the first thousand; an odd loss at step 2,222."""
    run = Run(tmp_path / "long")
    phases = [
        {"title": "Only head", "first_step": 0, "last_step": 1000, "epochs": 1, "groups": ["head"]},
        {"title": "All layers", "first_step": 1000, "last_step": 3000, "epochs": 2, "groups": ["rnn1", "head"]},
    ]
    rates = [[0, 0, 1e-3, 1e-3], [1e-2] * 4]
    run.emit(Plan(["rnn1", "head"], 3000, 0, [1000, 2000, 3000], phases, [0, 999, 1000, 2999], rates, 0, "cpu", 1))
    run.open_steps([
        "step", "loss", "lr:rnn1", "lr:head", "momentum", "weight_decay", "grad_norm",
        "grad_norm:rnn1", "grad_norm:head", "update_ratio:rnn1", "update_ratio:head", "tokens", "seconds",
    ])  # fmt: skip
    for step in range(3000):
        low, seen = (1e-3 if step >= 1000 else 0.0), step % 10 == 0
        norms = [0.5 * seen * (low > 0), 2.0 * seen, 1e-4 * seen * (low > 0), 1e-3 * seen]
        loss = 9.0 if step == 2222 else 4 - step / 1000
        run.emit_step([step + 1, loss, low, 1e-2, 0.8, 0.01, 1.0 + step, *norms, 200, (step + 1) * 0.1])
        if step % 1000 == 999:
            valid = {999: 3.5, 1999: 2.5, 2999: 2.75}[step]
            metrics = {"train_loss": 3.0, "valid_loss": valid, "seconds": (step + 1) * 0.1}
            run.emit(EpochEnded(step // 1000, step >= 1000, step + 1, metrics, best=step < 2000))
    run.emit(events.Ended("done"))
    run.close()
    return run.folder


def choose(plot, kind):
    next(action for action in plot.tools.thirds.actions() if action.data() == kind).trigger()


def seen_steps(plot):
    return plot.loss.plot.viewRange()[0]


def wait_until_whole(qtbot, plot):
    qtbot.waitUntil(lambda: not plot.curves.behind, timeout=5000)


# The part that is looked at


def test_a_window_zooms_about_a_place_and_knows_its_ends():
    window = Window()
    window.reset(1000)
    window.zoom(0.5, 200.0)
    assert (window.first, window.last) == (100, 600)
    window.shift(1e9)
    assert (window.first, window.last) == (500, 1000)
    window.zoom(100, 500)
    assert not window.zoomed and (window.first, window.last) == (0, 1000)
    window.show(300, 300)
    assert window.last - window.first >= 4, "a few steps are always seen"


def test_a_window_of_logarithms_zooms_in_places():
    window = Window()
    window.log = True
    window.reset(9999)
    assert window.step(window.place(123)) == pytest.approx(123)
    window.zoom(0.5, window.place(0.0))
    assert window.last == pytest.approx(99), "half of four decades"


def test_a_view_of_the_newest_step_moves_on_and_any_other_stays():
    window = Window()
    window.reset(1000)
    window.show(100, 300)
    window.follows = True
    assert not window.follow(250) and window.last == 300
    assert window.follow(320) and window.sees(320) and window.last - window.first == pytest.approx(200)
    window.follows, before = False, (window.first, window.last)
    assert not window.follow(900) and (window.first, window.last) == before


def test_the_wheel_zooms_about_the_mouse_and_a_double_click_shows_all(qtbot, plot, long_run):
    plot.show_run(long_run)
    box = plot.loss.plot.getViewBox()
    box.wheeled.emit(0.5, 1000.0, False)
    low, high = seen_steps(plot)
    assert (low, high) == pytest.approx((500, 2000)) and seen_steps_of(plot.rate) == pytest.approx((low, high))
    assert plot.tools.show_all.isVisible()
    box.reset_wanted.emit()
    assert seen_steps(plot)[1] >= 3000 and not plot.tools.show_all.isVisible()


def seen_steps_of(panel):
    return tuple(panel.plot.viewRange()[0])


def test_a_box_drawn_with_the_mouse_is_what_is_seen(qtbot, plot, long_run):
    plot.show_run(long_run)
    QApplication.processEvents()
    view, box = plot.loss.plot, plot.loss.plot.getViewBox()
    corners = [view.mapFromScene(box.mapViewToScene(QPointF(*at))) for at in ((1000.0, 3.5), (2000.0, 1.5))]
    QTest.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=corners[0])
    for share in (0.3, 0.6, 1.0):
        step = (QPointF(corners[1] - corners[0]) * share).toPoint()
        QTest.mouseMove(view.viewport(), corners[0] + step)
        QApplication.processEvents()
    QTest.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=corners[1])
    low, high = seen_steps(plot)
    assert low == pytest.approx(1000, abs=15) and high == pytest.approx(2000, abs=15)
    assert plot.loss.plot.viewRange()[1] == pytest.approx([1.5, 3.5], abs=0.1)


def test_zooming_shows_every_step_where_the_whole_had_only_buckets(qtbot, plot, long_run):
    plot.show_run(long_run)
    wait_until_whole(qtbot, plot)
    assert len(plot.loss.smoothed.xData) == 1500
    plot.look.zoom_into(QRectF(2200, 0, 100, 1), False)
    wait_until_whole(qtbot, plot)
    assert len(plot.loss.smoothed.xData) == 100
    x, loss = plot.loss.raw.getData()
    assert x[loss.argmax()] == 2222 and loss.max() == 9


def test_a_zoomed_plot_of_a_growing_run_stays_where_the_person_put_it(plot, project):
    run = Run(project.new_run_folder("finetune"))
    plan = coming_plan(project.recipe, "finetune", 100)
    run.emit(plan)
    run.open_steps(["step", "loss"])

    def log(steps):
        for step in steps:
            run.emit_step([step + 1, 4.0])
        run._flush_all()
        plot.reread()

    plot.show_run(run.folder)
    log(range(60))
    plot.look.zoom_into(QRectF(10, 0, 20, 1), False)
    log(range(60, 120))
    assert seen_steps(plot) == pytest.approx([10, 30]) and not plot.tools.follow.isChecked()
    plot.look.follow(True)
    log(range(120, 200))
    assert seen_steps(plot)[1] > 200 and seen_steps(plot)[1] - seen_steps(plot)[0] == pytest.approx(20)
    run.close()


# The crosshair


def test_the_arrow_keys_move_the_crosshair_and_its_figures_are_the_logs(qtbot, plot, long_run):
    plot.show_run(long_run)
    plot.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(plot, Qt.Key.Key_Home)
    assert plot.crosshair.step == 0
    qtbot.keyClick(plot, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert plot.crosshair.step == 150, "ten times a two hundredth"
    plot.cross(2222)
    assert plot.crosshair.bubble.isVisible()
    told = plot.crosshair.bubble.text().replace("&nbsp;", " ")
    for figure in ("Step 2,223, epoch 3", "All layers", "loss 9", "validation 2.5 (epoch 2)"):
        assert figure in told
    assert "0.001" in plot.rate.legend.text() and "0.01" in plot.rate.legend.text()
    plot.cross(500)
    assert "frozen" in plot.rate.legend.text()


def test_the_mouse_moves_the_crosshair_through_all_plots(qtbot, plot, long_run):
    plot.show_run(long_run)
    view = plot.rate.plot
    spot = view.mapFromScene(view.getViewBox().mapViewToScene(QPointF(1500.0, -2.5)))
    QTest.mouseMove(view.viewport(), spot + QPoint(3, 0))
    QTest.mouseMove(view.viewport(), spot)
    qtbot.waitUntil(lambda: plot.crosshair.shown, timeout=2000)
    assert plot.crosshair.step == pytest.approx(1500, abs=10)
    assert len({line.value() for line in plot.crosshair._lines}) == 1


def test_keys_zoom_and_show_all(qtbot, plot, long_run):
    plot.show_run(long_run)
    plot.setFocus()
    qtbot.keyClick(plot, Qt.Key.Key_Plus)
    assert plot.look.window.last - plot.look.window.first == pytest.approx(1800)
    qtbot.keyClick(plot, Qt.Key.Key_PageDown)
    assert plot.look.window.first == pytest.approx(600 + 360)
    qtbot.keyClick(plot, Qt.Key.Key_0)
    assert not plot.look.window.zoomed


# What is drawn, and how


def test_logarithmic_axes_show_the_same_losses(qtbot, plot, long_run):
    plot.show_run(long_run)
    plot.tools._log_loss.trigger()
    assert plot.loss.validation.getData()[1] == pytest.approx(np.log10([3.5, 2.5, 2.75]))
    plot.tools._log_steps.trigger()
    wait_until_whole(qtbot, plot)
    assert plot.loss.validation.getData()[0] == pytest.approx(np.log10([1001, 2001, 3001]))
    x = plot.loss.raw.xData
    assert x[0] == 0 and (x < 2).mean() > 0.1, "the first hundred steps have room"
    plot.tools._log_steps.trigger()
    plot.tools._log_loss.trigger()
    assert plot.loss.validation.getData()[1] == pytest.approx([3.5, 2.5, 2.75])


def test_smoothing_is_chosen(qtbot, plot, long_run):
    plot.show_run(long_run)
    rough = []
    for action in plot.tools.smoothings.actions():
        action.trigger()
        wait_until_whole(qtbot, plot)
        loss = plot.loss.smoothed.yData
        rough.append(np.abs(np.diff(loss)).max() if loss is not None and len(loss) else None)
    assert rough[0] is None and rough[2] < rough[1]
    assert "smoothed" in plot.loss.legend.text()


def test_the_rates_are_told_apart_by_shapes_too(plot, long_run):
    plot.show_run(long_run)
    plot.reread()
    shapes = [signs.opts["symbol"] for signs in plot.rate.signs]
    assert len(set(shapes)) == len(shapes) == len(plot.plan.groups) and all(len(s.points()) for s in plot.rate.signs)
    assert all(sign_of(number) in plot.rate.legend.text() for number in range(len(shapes)))


def test_the_strip_shows_what_is_planned_and_what_has_happened(plot, long_run):
    plot.show_run(long_run)
    planned = [bar[:3] for bar in plot.strip.bands.bars if bar[3].alpha() < 255]
    happened = [bar[:3] for bar in plot.strip.bands.bars if bar[3].alpha() == 255]
    assert planned == [(0, 1000, 3000), (1, 0, 3000)]
    assert happened == planned


def test_the_coming_schedule_is_whole_before_the_start(plot, project):
    plot.show_plan(coming_plan(project.recipe, "classify"), STEPS_PER_EPOCH)
    firsts = [bar[1] for bar in plot.strip.bands.bars]
    assert firsts == [4 * STEPS_PER_EPOCH, 3 * STEPS_PER_EPOCH, 2 * STEPS_PER_EPOCH, STEPS_PER_EPOCH, 0]
    assert plot.strip.unit.text() == "epoch" and not plot.tools.isVisible()
    plot.cross(2.5 * STEPS_PER_EPOCH)
    assert "Epoch 3" in plot.crosshair.bubble.text() and "frozen" in plot.rate.legend.text()


def test_the_rates_catch_up_when_nothing_more_is_logged(qtbot, plot, project):
    run = Run(project.new_run_folder("finetune"))
    plan = coming_plan(project.recipe, "finetune", 50)
    run.emit(plan)
    run.open_steps(["step", "loss", *(f"lr:{name}" for name in plan.groups)])
    plot.show_run(run.folder)
    for step in range(60):
        run.emit_step([step + 1, 4.0, *(0.001 for _ in plan.groups)])
        if step % 20 == 19:
            run._flush_all()
            plot.reread()
    assert len(plot.loss.smoothed.yData) == 60
    qtbot.waitUntil(lambda: np.isfinite(plot.rate.live[0].yData).sum() == 60, timeout=5000)
    run.close()


def test_a_third_plot_shows_what_was_chosen(qtbot, plot, long_run):
    plot.show_run(long_run)
    assert not plot.third.isVisible()
    expected = {
        "grad_norm": 1, "grad_norm:": 2, "update_ratio:": 2, "momentum": 1, "weight_decay": 1, "speed": 1,
    }  # fmt: skip
    assert set(expected) == set(KINDS) - {""}
    for kind, count in expected.items():
        choose(plot, kind)
        wait_until_whole(qtbot, plot)
        assert plot.third.isVisible() and len(plot.third._names) == count
        assert all(np.isfinite(line.yData).any() for line in plot.third.lines[:count])
    assert plot.third.lines[0].yData == pytest.approx(2000, rel=1e-4), "200 tokens in a tenth of a second"
    choose(plot, "update_ratio:")
    lower, upper = (line.getData() for line in plot.third.lines[:2])
    assert lower[0].min() >= 1000 and np.nanmax(lower[1]) == pytest.approx(-4) and upper[0].min() < 10
    choose(plot, "")
    assert not plot.third.isVisible()


def test_an_older_run_says_that_it_did_not_log_it(plot, project, write_run):
    plot.show_run(write_run(project, "classify"))
    choose(plot, "update_ratio:")
    assert plot.third.legend.text() == NONE_LOGGED


def test_a_run_can_be_seen_in_a_window_of_its_own(qtbot, plot, long_run):
    plot.show_run(long_run)
    plot.open_window()
    own = next(each for each in plot.findChildren(LivePlot))
    assert own.isWindow() and own.isVisible() and own.curves.folder == long_run
    qtbot.keyClick(own, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not plot.findChildren(LivePlot), timeout=2000)


# Taking it elsewhere


def test_every_step_goes_into_the_table(qtbot, plot, long_run, tmp_path):
    plot.show_run(long_run)
    plot.taking.save("csv", tmp_path / "steps.csv")
    qtbot.waitUntil(lambda: "3,000 steps" in plot.note.text(), timeout=10_000)
    rows = list(csv.DictReader((tmp_path / "steps.csv").open()))
    assert len(rows) == 3000 and [row["step"] for row in rows[:2]] == ["1", "2"]
    assert float(rows[2222]["loss"]) == 9 and rows[2222]["epoch"] == "3"
    assert [(n, row["valid_loss"]) for n, row in enumerate(rows) if row["valid_loss"]] == [
        (999, "3.5"), (1999, "2.5"), (2999, "2.75"),
    ]  # fmt: skip
    assert rows[5]["update_ratio:head"] == "" and float(rows[10]["update_ratio:head"]) == pytest.approx(1e-3)


def test_a_long_table_is_written_in_parts(tmp_path):
    run = Run(tmp_path / "run")
    run.open_steps([f"column {number}" for number in range(20)])
    for _ in range(120_000):
        run.emit_step([0.5] * 20)
    run.close()
    save_csv(run.folder, tmp_path / "first.csv")  # so that what is imported is not counted
    tracemalloc.start()
    assert save_csv(run.folder, tmp_path / "steps.csv") == 120_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * (tmp_path / "steps.csv").stat().st_size
    assert (tmp_path / "steps.csv").read_text().count("\n") == 120_001


def test_a_table_that_cannot_be_written_says_why(qtbot, plot, long_run, tmp_path):
    plot.show_run(long_run)
    (tmp_path / "file").write_text("")
    plot.taking.save("csv", tmp_path / "file" / "steps.csv")
    qtbot.waitUntil(lambda: "could not be saved" in plot.note.text(), timeout=10_000)


def test_the_pictures_show_the_curves_without_the_tools(plot, long_run, tmp_path):
    plot.show_run(long_run)
    for kind in ("png", "svg"):
        plot.taking.save(kind, tmp_path / f"curves.{kind}")
    image = QImage(str(tmp_path / "curves.png"))
    assert image.width() == 2 * plot.plots.width()
    drawing = QSvgRenderer(QByteArray((tmp_path / "curves.svg").read_bytes()))
    shape = drawing.defaultSize().width() / drawing.defaultSize().height()
    assert drawing.isValid() and shape == pytest.approx(plot.plots.width() / plot.plots.height(), rel=0.01)
    text = (tmp_path / "curves.svg").read_text()
    assert "Learning rate" in text and "View" not in text and text.count("<polyline") + text.count("<path") > 100
    assert plot.tools.isVisible()


def test_what_is_drawn_can_be_copied(plot, long_run):
    plot.show_run(long_run)
    plot.tools.asked.emit("figures")
    lines = QApplication.clipboard().text().split("\n")
    assert lines[0].startswith("step\tloss\tlr:rnn1") and len(lines) == 1501
    assert lines == figures(plot.curves).split("\n")
    plot.tools.asked.emit("picture")
    assert not QApplication.clipboard().image().isNull()


# The numbers below it


@pytest.mark.parametrize("edges", [even_edges, growing_edges])
@pytest.mark.parametrize("first, last", [(0, 3), (0, 1000), (0, 100_000), (4321, 98_765)])
def test_buckets_hold_each_step_once(edges, first, last):
    borders = edges(first, last)
    assert borders[0] == first and borders[-1] == last and len(borders) <= BUCKETS + 1 and (np.diff(borders) > 0).all()
    values = np.random.default_rng(0).normal(size=(last, 2))
    values[first::7, 1] = 0
    made = Buckets(borders, 2, gaps=[1])
    while made.take(values, 10_007):
        pass
    part = values[first:last]
    assert made.members[:, 0].sum() == last - first and made.sums[:, 0].sum() == pytest.approx(part[:, 0].sum())
    assert made.members[:, 1].sum() == np.count_nonzero(part[:, 1])
    assert (np.nanmin(made.low[:, 0]), np.nanmax(made.high[:, 0])) == (part[:, 0].min(), part[:, 0].max())


def test_a_part_goes_on_from_the_smoothed_loss_before_it(long_run):
    curves = Curves(long_run)
    curves.read()
    x, whole = curves.smoothed()
    curves.look_at(2800, 3000, False)
    curves.read()
    fine, part = curves.smoothed()
    assert len(fine) == 200 and part[-1] == pytest.approx(whole[-1], abs=0.02)
    assert part[0] == pytest.approx(whole[np.searchsorted(x, 2800)], abs=0.02)


# Runs over one another


def test_several_runs_are_laid_over_one_another(qtbot, project, write_run, long_run):
    overlay = Overlay()
    qtbot.addWidget(overlay)
    overlay.show()
    folder = write_run(project, "finetune")
    overlay.show_runs([("short <1>", folder), ("long", long_run)])
    qtbot.waitUntil(lambda: not any(curves.behind for _, curves in overlay.runs), timeout=5000)
    qtbot.waitUntil(lambda: len(overlay._lines[1]["loss"].xData) == 1500, timeout=5000)
    first, second = (lines["validation"].getData()[0].tolist() for lines in overlay._lines)
    assert first == [1, 2, 3, 4] and second == [1, 2, 3], "by epochs"
    overlay.across.write("step")
    overlay._draw()
    assert overlay._lines[1]["validation"].getData()[0].tolist() == [1000, 2000, 3000]
    assert "short&nbsp;&lt;1&gt;" in overlay.names.text()
    assert "lowest validation loss 2.500" in overlay.accessibleDescription()
    overlay.show_runs([("long", long_run)])
    assert len(overlay._lines[1]["loss"].xData) == 0, "what is no longer chosen is gone"


# The table of epochs


def test_the_table_of_epochs_tells_time_and_what_was_trained(qtbot, long_run):
    table = EpochsTable()
    qtbot.addWidget(table)
    table.show_events(events.read_events(long_run / "events.jsonl"))
    rows = table.texts()
    assert [row[0] for row in rows] == ["1", "★ 2", "3"]
    assert [row[-1] for row in rows] == ["Only head", "All layers", "All layers"]
    assert [row[-2] for row in rows] == 3 * ["1 min 40 s"]
    assert [table.item(row, 0).font().bold() for row in range(3)] == [False, True, False]
    table.actions()[0].trigger()
    assert QApplication.clipboard().text().split("\n")[0] == "Epoch\tTrain loss\tValid. loss\tTime\tTrained"


def test_the_log_of_a_real_step_holds_what_the_plots_need(long_run):
    steps = read_steps(long_run / "steps.f32")
    assert {"momentum", "grad_norm:head", "update_ratio:head"} <= set(steps.columns)
