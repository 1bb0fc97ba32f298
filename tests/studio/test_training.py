"""The training screens: settings, curves, epochs, and what they say when there is nothing to show."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton

from studio import theme
from studio.screens.training import STALE, ClassifyScreen, FinetuneScreen, PretrainScreen


@pytest.fixture
def show(qtbot, project_session):
    def make(kind):
        screen = kind(project_session)
        qtbot.addWidget(screen)
        screen.resize(1100, 800)
        screen.show()
        qtbot.waitExposed(screen)
        return screen

    return make


def test_before_the_first_run_the_coming_schedule_is_shown(show):
    screen = show(ClassifyScreen)
    assert screen.plot.plan.groups == ["embedding", "rnn1", "rnn2", "rnn3", "head"]
    assert "schedule" in screen.plot._hint.text()
    assert screen.bar.status.text() == "Waits for “Data”."
    assert screen.insight.writes is None


def test_a_step_left_out_says_why(project_session, show):
    screen = show(PretrainScreen)
    assert "No general text was given" in screen.plot._sentence.text()
    assert screen.plot._sentence.isVisible()
    project_session.change("finetune.enabled", False)
    screen = show(FinetuneScreen)
    assert "Switched off" in screen.plot._sentence.text()


def test_a_changed_knob_is_saved_and_moves_the_schedule(qtbot, project_session, show):
    screen = show(ClassifyScreen)
    before = max(screen.plot.plan.rates[-1])
    box = screen.form.control("lr_max")
    box.selectAll()
    qtbot.keyClicks(box, "0.0002")
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert project_session.project.recipe.classify.lr_max == 0.0002
    assert "0.0002" in (project_session.project.folder / "project.toml").read_text()
    assert max(screen.plot.plan.rates[-1]) == pytest.approx(before / 50)


def test_the_size_of_the_model_is_asked_where_the_model_is_made(project_session, show):
    assert show(FinetuneScreen).model_part.isVisible(), "pretraining is left out: fine-tuning makes the model"
    assert not show(ClassifyScreen).model_part.isVisible()
    project_session.change("data.corpus", "general.txt")
    assert show(PretrainScreen).model_part.isVisible()
    assert not show(FinetuneScreen).model_part.isVisible()
    project_session.change("base", "starter")
    assert not show(FinetuneScreen).model_part.isVisible()


def test_an_earlier_run_is_shown_with_its_epochs_and_texts(project_session, show, write_run):
    folder = write_run(project_session.project, "finetune")
    screen = show(FinetuneScreen)
    assert screen.plot.curves.folder == folder
    rows = screen.epochs.texts()
    assert len(rows) == 4 and rows[0][0] == "1"
    assert ["★" in row[0] for row in rows] == [False, True, False, False]
    assert "12.2" in rows[0]
    text = screen.insight.writes.texts.toPlainText()
    assert text.index("wrote 4 < 9 words") < text.index("wrote 1 < 9 words"), "the newest comes first"


def test_turning_a_knob_shows_the_coming_schedule_and_a_button_leads_back(qtbot, project_session, show, write_run):
    folder = write_run(project_session.project, "finetune")
    screen = show(FinetuneScreen)
    assert not screen.last_run.isVisible()
    qtbot.keyClick(screen.form.control("schedule"), Qt.Key.Key_Down)
    assert screen.plot.curves is None and screen.plot.plan is not None
    qtbot.mouseClick(screen.last_run, Qt.MouseButton.LeftButton)
    assert screen.plot.curves.folder == folder
    assert len(screen.epochs.texts()) == 4


def test_results_of_earlier_settings_are_grey_and_said_to_be_so(qtbot, project_session, show, write_run):
    write_run(project_session.project, "finetune")
    screen = show(FinetuneScreen)
    assert screen.sentence.text() == screen.explanation
    screen.show_message("The training finished.")
    height = screen.head.height()
    box = screen.form.control("drop_mult")
    box.selectAll()
    qtbot.keyClicks(box, "0.9")
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert screen.notice.text == "", "what was said of the last run does not hold for the next one"
    assert screen.sentence.isVisible() and screen.head.height() == height, "nothing below has moved"
    qtbot.mouseClick(screen.last_run, Qt.MouseButton.LeftButton)
    assert screen.sentence.text() == STALE
    assert screen.plot.loss.plot.getPlotItem().opacity() < 0.5
    assert screen.epochs.item(0, 1).foreground().color().name() == theme.colours().muted
    project_session.change("finetune.drop_mult", 0.5)
    assert screen.sentence.text() == screen.explanation
    assert screen.plot.loss.plot.getPlotItem().opacity() == 1


def test_a_changed_setting_moves_no_screen_down_with_a_strip(window, project_session, write_run):
    for job in ("import", "vocab"):
        folder = project_session.project.new_run_folder(job)
        (folder / "events.jsonl").write_bytes(b'{"event": "Ended", "at": 0, "status": "done"}\n')
    write_run(project_session.project, "finetune")
    window.go("finetune")
    project_session.change("finetune.drop_mult", 0.9)
    assert project_session.project.state("finetune").mark == "stale"
    assert window.hint.text == "", "the step's own bar says it"
    assert window.screens["finetune"].bar.status.text() == "Settings or inputs changed since the last run."
    project_session.change("vocab.size", 140)
    assert "out of date" in window.hint.text and "Vocabulary" in window.hint.action.text()


def test_epochs_left_to_the_program_are_shown_with_their_number(project_session, show, run_job):
    project_session.change("classify.epochs", 0)
    screen = show(ClassifyScreen)
    assert screen.form.control("epochs").text() == "automatic", "the texts are not counted yet"
    assert run_job(project_session, "import").status == "done"
    screen.refresh()
    assert screen.form.control("epochs").text() == "automatic (25)"
    assert screen.form.control("epochs").read() == 0


def test_a_stopped_run_can_be_resumed(project_session, show, write_run):
    for job in ("import", "vocab"):
        run_folder = project_session.project.new_run_folder(job)
        (run_folder / "events.jsonl").write_bytes(b'{"event": "Ended", "at": 0, "status": "done"}\n')
    write_run(project_session.project, "finetune", steps=30, ended="stopped")
    screen = show(FinetuneScreen)
    assert screen.bar.resume_button.isVisible() and screen.bar.resume_button.isEnabled()
    assert screen.bar.status.text().startswith("Stopped at step 30 of 80.")


def test_a_real_training_is_followed_live(qtbot, project_session, show, run_job):
    project_session.change("finetune.epochs", 2)
    for job in ("import", "vocab"):
        assert run_job(project_session, job).status == "done"
    screen = show(FinetuneScreen)
    with qtbot.waitSignal(project_session.run_ended, timeout=120_000) as ended:
        qtbot.mouseClick(screen.bar.start_button, Qt.MouseButton.LeftButton)
        assert not screen.settings.isEnabled(), "settings rest while the step runs"
        assert screen.plot.curves.folder == project_session.run_folder
    assert ended.args[1].status == "done", ended.args[1].reason
    assert screen.settings.isEnabled()
    assert screen.plot.curves.count == screen.plot.plan.total_steps
    assert len(screen.epochs.texts()) == 2
    assert "Epoch 2" in screen.insight.writes.texts.toPlainText()
    assert "Classify" in screen.notice.text


def test_a_failure_is_said_in_words(qtbot, project_session, show, run_job):
    for job in ("import", "vocab"):
        run_job(project_session, job)
    screen = show(ClassifyScreen)
    project_session.start("classify")  # fine-tuning is missing
    with qtbot.waitSignal(project_session.run_ended, timeout=60_000) as ended:
        pass
    assert ended.args[1].status == "failed"
    assert screen.notice.text == ended.args[1].reason


def test_the_table_of_phases_replaces_the_way_of_unfreezing(qtbot, project_session, show):
    screen = show(ClassifyScreen)
    assert "way of unfreezing above decides: 5 phases" in screen.column.summary.text()
    assert not screen.phases.isVisible()
    qtbot.mouseClick(screen.column.edit_phases, Qt.MouseButton.LeftButton)
    assert screen.phases.isVisible() and not screen.epochs.isVisible()
    screen.phases.fill("last")
    assert screen.column.summary.text().startswith("The table decides: 1 phase,")
    assert not screen.form.control("epochs").isEnabled() and screen.form.control("drop_mult").isEnabled()
    assert len(screen.plot.plan.phases) == 1
    qtbot.mouseClick(screen.phases.add_button, Qt.MouseButton.LeftButton)
    assert len(screen.plot.plan.phases) == 2, "the coming schedule follows at once"
    assert (project_session.project.folder / "project.toml").read_text().count("[[classify.phases]]") == 2
    screen.phases.clear()
    assert screen.form.control("epochs").isEnabled()
    qtbot.mouseClick(screen.phases.close_button, Qt.MouseButton.LeftButton)
    assert screen.epochs.isVisible() and not screen.column.edit_phases.isChecked()


def test_settings_that_do_not_fit_each_other_are_said_in_the_plots_place(project_session, show):
    screen = show(ClassifyScreen)
    project_session.change("classify.layer_shares", [0.5, 1.0])
    assert "5 layer groups" in screen.plot._sentence.text() and screen.plot._sentence.isVisible()
    project_session.change("classify.layer_shares", [])
    assert screen.plot.plan is not None


@pytest.mark.parametrize("page", ["training", "phases", "finder"])
def test_no_two_buttons_share_a_key(qtbot, window, project_session, page):
    project_session.change("data.corpus", "general.txt")
    window.go("classify")
    screen = window.screens["classify"]
    press = {"phases": screen.column.edit_phases, "finder": screen.column.find_rate}.get(page)
    if press:
        qtbot.mouseClick(press, Qt.MouseButton.LeftButton)
    keys = [button.shortcut().toString() for button in window.findChildren(QAbstractButton) if button.isVisible()]
    keys += [f"Alt+{action.text()[action.text().index('&') + 1].upper()}" for action in window.menuBar().actions()]
    keys = [key for key in keys if key]
    assert len(keys) > 8 and sorted(set(keys)) == sorted(keys)
