"""Training everything: steps follow one another, can be taken out, and end with the first that is stopped or fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication, QLineEdit

from studio import notify
from studio.main_window import MainWindow
from studio.session import Session
from studio.standing import standing_of_evaluation, standing_of_training
from studio.training_queue import NOTHING_OPEN, open_steps
from ulmfit_core import catalog, events, faults

STEPS = ("import", "vocab", "finetune", "classify", "evaluate")


@pytest.fixture
def quick_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every job does nothing, and is done."""
    for job in STEPS:
        monkeypatch.setitem(catalog.JOBS, job, catalog.Entry("tests.studio.jobs:nothing", catalog.JOBS[job].title))


def run_queue(session: Session, qtbot) -> tuple[str, str]:
    """Run it to its end; what it says then."""
    with qtbot.waitSignal(session.queue.ended, timeout=120_000) as ended:
        assert session.queue.start()
    return ended.args[0], ended.args[1]


def jobs_of(session: Session) -> list[str]:
    return [run.job for run in session.project.runs()]


def test_all_open_steps_run_in_their_order(project_session: Session, qtbot, quick_jobs) -> None:
    started = []
    project_session.run_started.connect(lambda job, folder: started.append((job, project_session.queue.coming)))
    status, sentence = run_queue(project_session, qtbot)
    assert status == "done" and sentence == "Done: Data, Vocabulary, Fine-tune, Classify, Evaluate."
    assert [job for job, _ in started] == list(STEPS), "pretraining is not part of this recipe"
    assert started[1][1] == ["finetune", "classify", "evaluate"]
    assert not project_session.queue.active and open_steps(project_session.project) == []


def test_what_is_done_is_not_done_again(project_session: Session, qtbot, quick_jobs, run_job) -> None:
    run_job(project_session, "import")
    run_queue(project_session, qtbot)
    assert jobs_of(project_session) == list(STEPS)
    with qtbot.waitSignal(project_session.refused) as refused:
        assert not project_session.queue.start()
    assert refused.args == [NOTHING_OPEN]


def test_a_real_project_is_trained_and_its_figure_told(project_session: Session, qtbot) -> None:
    for stage in ("finetune", "classify"):
        project_session.change(f"{stage}.epochs", 1)
    project_session.change("classify.unfreezing", "all")
    status, sentence = run_queue(project_session, qtbot)
    assert status == "done" and sentence.startswith("Everything is trained. Of the test texts ")
    assert all(project_session.project.state(step).mark == "done" for step in STEPS)


def test_a_step_is_taken_out_with_what_needs_it(project_session: Session, qtbot, quick_jobs, endless_import) -> None:
    queue = project_session.queue
    with qtbot.waitSignal(queue.ended, timeout=30_000) as ended:
        queue.start()
        assert queue.running == "import" and queue.coming == list(STEPS[1:])
        queue.take_out("classify")
        assert queue.coming == ["vocab", "finetune"]
        project_session.finish()
    assert ended.args[0] == "done" and jobs_of(project_session) == ["import", "vocab", "finetune"]


def test_all_that_comes_can_be_taken_out(project_session: Session, qtbot, quick_jobs, endless_import) -> None:
    queue = project_session.queue
    with qtbot.waitSignal(queue.ended, timeout=30_000):
        queue.start()
        queue.take_out("vocab")
        assert queue.active and queue.coming == []
        project_session.finish()
    assert jobs_of(project_session) == ["import"]


def test_a_stopped_step_ends_the_queue(project_session: Session, qtbot, quick_jobs, endless_import) -> None:
    with qtbot.waitSignal(project_session.queue.ended, timeout=30_000) as ended:
        project_session.queue.start()
        project_session.queue.stop()
    assert ended.args[0] == "stopped" and "goes on from here" in ended.args[1]
    assert jobs_of(project_session) == ["import"] and project_session.job is None


def test_a_step_that_fails_ends_the_queue_with_its_reason(project_session: Session, qtbot, tmp_path) -> None:
    project_session.change("data.data", str(tmp_path / "gone.csv"))
    status, sentence = run_queue(project_session, qtbot)
    assert status == "failed" and sentence.startswith("Training everything ended early. There is no file")
    assert project_session.job is None and not project_session.queue.active


def test_what_runs_already_is_waited_for(project_session: Session, qtbot, quick_jobs, endless_import) -> None:
    project_session.start("import")
    with qtbot.waitSignal(project_session.queue.ended, timeout=30_000) as ended:
        assert project_session.queue.start()
        project_session.finish()
    assert ended.args[0] == "done" and jobs_of(project_session) == list(STEPS)


def test_no_queue_begins_beside_another_kind_of_work(project_session: Session, qtbot, monkeypatch) -> None:
    monkeypatch.setitem(catalog.JOBS, "find_lr", catalog.Entry("tests.studio.jobs:wait", "Find a learning rate"))
    project_session.start("find_lr")
    with qtbot.waitSignal(project_session.refused) as refused:
        assert not project_session.queue.start()
    assert "still running" in refused.args[0] and not project_session.queue.active


def test_a_setting_that_is_changed_meanwhile_counts(project_session: Session, qtbot, quick_jobs, monkeypatch) -> None:
    nothing = catalog.JOBS["vocab"]
    monkeypatch.setitem(catalog.JOBS, "vocab", catalog.Entry("tests.studio.jobs:wait", "Build the vocabulary"))
    with qtbot.waitSignal(project_session.queue.ended, timeout=30_000) as ended:
        project_session.queue.start()
        qtbot.waitUntil(lambda: project_session.job == "vocab")
        project_session.change("vocab.size", 200)
        monkeypatch.setitem(catalog.JOBS, "vocab", nothing)
        project_session.finish()
    assert ended.args[0] == "done"
    assert jobs_of(project_session) == ["import", "vocab", "vocab", "finetune", "classify", "evaluate"]


def test_a_training_that_was_stopped_goes_on(project_session: Session, qtbot, run_job) -> None:
    project_session.change("finetune.epochs", 200)
    for job in ("import", "vocab"):
        run_job(project_session, job)
    queue = project_session.queue
    with qtbot.waitSignal(queue.ended, timeout=120_000):
        queue.start()
        folder = project_session.run_folder
        qtbot.waitUntil(lambda: (folder / "steps.f32").exists(), timeout=60_000)
        QTimer.singleShot(500, queue.stop)
    assert project_session.project.resumable_run("finetune")
    with qtbot.waitSignal(queue.ended, timeout=120_000):
        queue.start()
        assert project_session.run_folder == folder
        queue.stop()


def test_a_training_that_a_card_failed_goes_on_and_one_that_diverged_begins_anew(
    project_session: Session, qtbot, run_job, write_run
) -> None:
    for job in ("import", "vocab"):
        run_job(project_session, job)
    queue, project = project_session.queue, project_session.project
    for reason, goes_on in ((faults.GOES_ON, True), ("training diverged", False)):
        folder = write_run(project, "finetune", steps=3, ended="stopped")
        with (folder / "events.jsonl").open("ab") as log:
            log.write(events.to_line(events.Ended("failed", f"At step 3 something happened: {reason}.")))
        with qtbot.waitSignal(queue.ended, timeout=120_000):
            queue.start()
            assert (project_session.run_folder == folder) is goes_on
            queue.stop()


# In the window


def opened(window: MainWindow, recipe, tmp_path: Path) -> Session:
    window.session.create(tmp_path / "project", recipe)
    return window.session


def test_the_button_trains_and_the_screens_follow(window: MainWindow, recipe, tmp_path, qtbot, quick_jobs) -> None:
    session = opened(window, recipe, tmp_path)
    seen = []
    session.run_started.connect(lambda job, folder: seen.append(window.current))
    assert "Data, Vocabulary, Fine-tune, Classify, Evaluate" in window.train.toolTip()
    with qtbot.waitSignal(session.queue.ended, timeout=60_000):
        qtbot.mouseClick(window.train, Qt.MouseButton.LeftButton)
        assert window.queue.isVisible() and not window.train.isEnabled()
    assert seen == ["dataset", "vocab", "finetune", "classify", "evaluate"]
    assert window.alert.text == "Done: Data, Vocabulary, Fine-tune, Classify, Evaluate."
    assert not window.queue.isVisible() and not window.train.isEnabled(), "nothing is left to train"


def test_who_looks_elsewhere_is_left_there(window: MainWindow, recipe, tmp_path, qtbot, endless_import, quick_jobs):
    session = opened(window, recipe, tmp_path)
    with qtbot.waitSignal(session.queue.ended, timeout=60_000):
        window.train_everything()
        window.go("runs")
        session.finish()
    assert window.current == "runs"


def test_from_a_screen_that_is_no_step_the_queue_leads_nowhere(window, recipe, tmp_path, qtbot, quick_jobs):
    session = opened(window, recipe, tmp_path)
    window.go("runs")
    with qtbot.waitSignal(session.queue.ended, timeout=60_000):
        window.train_everything()
    assert window.current == "runs"


def test_who_fills_something_in_is_not_led_away(window, recipe, tmp_path, qtbot, endless_import, quick_jobs):
    session = opened(window, recipe, tmp_path)
    with qtbot.waitSignal(session.queue.ended, timeout=60_000):
        window.train_everything()
        boxes = window.screens["dataset"].findChildren(QLineEdit)
        box = next(each for each in boxes if each.isVisible() and each.isEnabled())
        box.setFocus()
        qtbot.waitUntil(lambda: QApplication.focusWidget() is box)
        session.finish()
    assert window.current == "dataset"


def test_at_the_end_it_is_said_who_is_ahead(project_session: Session) -> None:
    report = {"split": "test", "accuracy": 0.84, "rows": 500, "baseline_tfidf": {"accuracy": 0.88}}
    assert standing_of_evaluation(report) == (
        "Of the test texts 84.0% are answered right; plain word counts (TF-IDF) reach 88.0%: word counts are ahead by "
        "4.0 points (20 of 500 texts)."
    )
    assert standing_of_evaluation({**report, "split": "valid", "accuracy": 0.9}).startswith("Of the validation texts")
    assert "the answers are ahead by 2.0 points (10 of" in standing_of_evaluation({**report, "accuracy": 0.9})
    assert "both are alike" in standing_of_evaluation({**report, "accuracy": 0.88})
    blend = {"valid_rows": 100, "answers": "blend", "network": {"accuracy": 0.7}, "word_counts": {"accuracy": 0.75}}
    said = standing_of_training({"blend": blend})
    assert "word counts are ahead by 5.0 points (5 of 100 texts). The answers are made of both." in said
    assert standing_of_training({}) == ""


def test_the_strip_shows_what_is_done_runs_and_comes(
    window: MainWindow, recipe, tmp_path, qtbot, quick_jobs, monkeypatch
) -> None:
    session = opened(window, recipe, tmp_path)
    monkeypatch.setitem(catalog.JOBS, "vocab", catalog.Entry("tests.studio.jobs:wait", "Build the vocabulary"))
    strip = window.queue
    with qtbot.waitSignal(session.queue.ended, timeout=60_000):
        window.train_everything()
        qtbot.waitUntil(lambda: session.job == "vocab")
        assert "✓ Data" in strip.words["import"].text() and "Vocabulary" in strip.words["vocab"].text()
        shown = [step for step, button in strip.buttons.items() if button.isVisible()]
        assert shown == ["finetune", "classify", "evaluate"]
        assert "Classify" in strip.buttons["classify"].accessibleName()
        qtbot.mouseClick(strip.buttons["classify"], Qt.MouseButton.LeftButton)
        assert not strip.buttons["evaluate"].isVisible() and strip.buttons["finetune"].isVisible()
        qtbot.mouseClick(strip.stop, Qt.MouseButton.LeftButton)
    assert "was stopped" in window.alert.text and not strip.isVisible()


def test_without_a_file_the_window_leads_to_the_data(window: MainWindow, recipe, tmp_path) -> None:
    recipe.data.data = ""
    opened(window, recipe, tmp_path)
    window.go("runs")
    window.train_everything()
    assert window.current == "dataset" and "Choose a file" in window.alert.text


def test_what_is_chosen_is_imported_first(window: MainWindow, recipe, tmp_path, qtbot, quick_jobs, csv_file) -> None:
    recipe.data.data, recipe.data.text, recipe.data.label = "", [], ""
    session = opened(window, recipe, tmp_path)
    screen = window.screens["dataset"]
    screen._choose_only([str(csv_file)])
    qtbot.waitUntil(screen.bar.start.isEnabled, timeout=30_000)
    with qtbot.waitSignal(session.queue.ended, timeout=60_000):
        window.train_everything()
    assert session.project.recipe.data.data == str(csv_file) and jobs_of(session) == list(STEPS)


def test_closing_the_window_ends_the_queue(window: MainWindow, recipe, tmp_path, qtbot, quick_jobs, endless_import):
    session = opened(window, recipe, tmp_path)
    window.train_everything()
    window._person_wants_to_stop = lambda: True  # type: ignore[method-assign]
    project = session.project
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=30_000)
    qtbot.wait(50)
    assert session.job is None and [run.job for run in project.runs()] == ["import"]


def test_the_desktop_is_told_only_of_a_window_in_the_background(window: MainWindow, qtbot, monkeypatch) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    assert not notify.tell(window, "Verses", "Done.")
    monkeypatch.setattr(window, "isActiveWindow", lambda: False)
    assert notify.tell(window, "Verses", "Done.")


def test_the_end_of_a_single_step_is_told_as_before(window: MainWindow, recipe, tmp_path, run_job, quick_jobs) -> None:
    session = opened(window, recipe, tmp_path)
    window.go("runs")
    ended = run_job(session, "import")
    assert isinstance(ended, events.Ended) and window.alert.text == "“Import the data” is done."
