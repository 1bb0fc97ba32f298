"""The Runs screen: what ran, how it went, its settings, epochs and texts; deleting one."""

from __future__ import annotations

import pytest

from studio.main_window import MainWindow
from studio.screens.runs import RunsScreen, best_result, epoch_table, measured
from studio.session import Session
from tests.studio.test_main_window import press_in_dialog
from ulmfit_core.events import EpochEnded, SampleText
from ulmfit_core.run import Run


@pytest.fixture
def screen(window: MainWindow, project_session: Session, run_job) -> RunsScreen:
    run_job(project_session, "import")
    window.go("runs")
    screen = window.screens["runs"]
    assert isinstance(screen, RunsScreen)
    return screen


def epoch(number: int, best: bool = False, **metrics: float) -> EpochEnded:
    return EpochEnded(epoch=number, phase=0, step=number * 10, metrics=metrics, best=best)


def add_training(session: Session) -> None:
    """A run's folder as a training leaves it."""
    run = Run(session.project.new_run_folder("finetune"))
    run.open_steps(["loss", "lr:rnn1"])
    for step in range(20):
        run.emit_step([5.0 - step / 10, 0.001])
    run.emit(epoch(0, valid_loss=4.0, perplexity=54.6))
    run.emit(epoch(1, best=True, valid_loss=3.5, perplexity=33.1))
    run.emit(SampleText(1, "The sun", " came out"))
    run.close()


def test_a_row_for_each_run(screen: RunsScreen) -> None:
    rows = screen.table.texts()
    assert [row[0] for row in rows] == ["Import the data"] and rows[0][2] == "done"
    assert "[data]" in screen.settings.toPlainText()
    assert not screen.tabs.isTabVisible(screen.tabs.indexOf(screen.curves))


def test_a_training_shows_its_epochs_texts_and_curves(screen: RunsScreen) -> None:
    add_training(screen.session)
    screen.refresh()
    screen.table.selectRow(0)
    assert screen.table.texts()[0][4] == "perplexity 33.10"
    assert screen.epochs.texts()[1] == ["2", "3.5", "33.1", "★"]
    assert screen.texts.texts() == [["2", "The sun came out"]]
    assert screen.tabs.isTabVisible(screen.tabs.indexOf(screen.curves))
    assert "[finetune]" in screen.settings.toPlainText() and "[model]" in screen.settings.toPlainText()


def test_deleting_asks_and_removes_the_folder(screen: RunsScreen, qtbot) -> None:
    add_training(screen.session)
    screen.refresh()
    screen.table.selectRow(0)
    folder = screen.stories[0].info.folder
    press_in_dialog("Keep it")
    screen.delete.click()
    assert folder.exists()
    press_in_dialog("Delete")
    screen.delete.click()
    assert not folder.exists() and len(screen.stories) == 1


def test_without_runs_it_says_what_will_be_here(window: MainWindow, project_session: Session) -> None:
    window.go("runs")
    screen = window.screens["runs"]
    assert isinstance(screen, RunsScreen)
    assert screen.nothing.isVisible() and not screen.split.isVisible()


def test_the_best_result_knows_which_way_is_up() -> None:
    told = [epoch(0, accuracy=0.7, valid_loss=1.0), epoch(1, accuracy=0.9, valid_loss=2.0)]
    assert best_result(told) == "accuracy 90.0%"
    assert best_result([epoch(0, valid_loss=2.0), epoch(1, valid_loss=1.5)]) == "valid loss 1.50"
    assert best_result([]) == ""


def test_an_evaluation_says_what_it_found() -> None:
    assert measured({"accuracy": 0.623, "rows": 1000}) == "accuracy 62.3% on 1,000 rows"
    assert measured({"size": 1500}) == ""


def test_metrics_that_not_every_epoch_has() -> None:
    headers, rows = epoch_table([epoch(0, a=1.0), epoch(1, a=2.0, b=0.5)])
    assert headers == ["Epoch", "a", "b", "Best"]
    assert rows == [[1, "1", "", ""], [2, "2", "0.5", ""]]
