"""The Runs screen: what ran, how it went, notes and tags, comparing, running again, deleting, following others."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QFile, Qt, QTimer
from PySide6.QtGui import QTextDocumentFragment
from PySide6.QtWidgets import QApplication

from studio.main_window import MainWindow
from studio.screens import run_again, run_compare, run_trash
from studio.screens.run_story import Seen, best_result, epoch_table, look, measured, read_story, suggested
from studio.screens.runs import RunsScreen
from studio.session import Session
from tests.studio.test_main_window import give_focus, press_in_dialog
from ulmfit_core import files
from ulmfit_core.errors import UserError
from ulmfit_core.events import Artefact, Ended, EpochEnded, SampleText, Started
from ulmfit_core.project import Project
from ulmfit_core.run import Run


@pytest.fixture
def screen(window: MainWindow, project_session: Session, run_job) -> RunsScreen:
    run_job(project_session, "import")
    window.go("runs")
    screen = window.screens["runs"]
    assert isinstance(screen, RunsScreen)
    return screen


@pytest.fixture
def trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trash of the test's own: on the file system of its project."""
    home = tmp_path / "home" / "share"
    home.mkdir(parents=True)  # else there is no trash
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return home / "Trash" / "files"


def epoch(number: int, best: bool = False, **metrics: float) -> EpochEnded:
    return EpochEnded(epoch=number, phase=0, step=number * 10, metrics=metrics, best=best)


def add_training(session: Session, status: str = "") -> Run:
    """A run's folder as a training leaves it."""
    run = Run(session.project.new_run_folder("finetune"))
    run.open_steps(["step", "loss", "lr:rnn1"])
    for step in range(20):
        run.emit_step([step, 5.0 - step / 10, 0.001])
    run.emit(epoch(0, valid_loss=4.0, perplexity=54.6))
    run.emit(epoch(1, best=True, valid_loss=3.5, perplexity=33.1))
    run.emit(SampleText(1, "The sun", " came out"))
    if status:
        run.emit(Ended(status))
    run.close()
    return run


def choose(screen: RunsScreen, *rows: int) -> None:
    screen.table.choose([screen.stories[row].info.id for row in rows])


def visible_tabs(screen: RunsScreen) -> list[str]:
    tabs = screen.details
    return [tabs.tabText(place) for place in range(tabs.count()) if tabs.isTabVisible(place)]


def test_a_row_for_each_run(screen: RunsScreen) -> None:
    rows = screen.table.texts()
    assert [row[0] for row in rows] == ["Import the data"] and rows[0][2] == "done"
    assert "[data]" in screen.details.settings.toPlainText()
    assert visible_tabs(screen) == ["Card", "Settings", "Notes"]


def test_a_training_shows_its_epochs_texts_and_curves(screen: RunsScreen) -> None:
    add_training(screen.session)
    screen.refresh()
    choose(screen, 0)
    assert screen.table.texts()[0][4] == "validation perplexity 33.10"
    assert screen.details.epochs.texts()[1] == ["2", "3.5", "33.1", "★"]
    assert screen.details.texts.texts() == [["2", "The sun came out"]]
    assert "Curves" in visible_tabs(screen) and "Curve" not in visible_tabs(screen)
    settings = screen.details.settings.toPlainText()
    assert "[finetune]" in settings and "[model]" in settings


def test_without_runs_it_says_what_will_be_here(window: MainWindow, project_session: Session) -> None:
    window.go("runs")
    screen = window.screens["runs"]
    assert isinstance(screen, RunsScreen)
    assert screen.nothing.isVisible() and "begin with “Data”" in screen.nothing.text()
    assert not screen.split.isVisible() and not screen.buttons.isVisible()


# Notes and tags


def test_notes_and_tags_are_kept_in_the_runs_folder_and_found_again(screen: RunsScreen, qtbot) -> None:
    add_training(screen.session)
    screen.refresh()
    choose(screen, 0)
    run = screen.stories[0].info
    before = screen.session.project.fingerprint("finetune")
    screen.note.trigger()
    assert screen.details.currentWidget() is screen.details.notes
    qtbot.keyClicks(screen.details.notes.notes, "a higher rate")
    qtbot.keyClicks(screen.details.notes.tags, "baseline, small  words,baseline")
    choose(screen, 1)  # what was typed is kept when another run is chosen
    assert (run.folder / "notes.txt").read_text() == "a higher rate"
    assert (run.folder / "tags.txt").read_text() == "baseline\nsmall words"
    assert screen.details.notes.notes.toPlainText() == "" and screen.details.notes.tags.text() == ""
    screen.refresh()
    assert screen.table.texts()[0][-1] == "#baseline #small words  a higher rate"
    assert screen.session.project.fingerprint("finetune") == before
    assert Project.open(screen.session.project.folder).runs()[-1].tags == ("baseline", "small words")


def test_a_look_at_the_folder_leaves_what_is_being_typed(screen: RunsScreen, qtbot) -> None:
    choose(screen, 0)
    screen.note.trigger()
    qtbot.keyClicks(screen.details.notes.notes, "half a sent")
    screen.stories[0].info.annotate("of another window", ["theirs"])
    with qtbot.waitSignal(screen._reader.answered, timeout=10_000):
        pass
    screen.refresh()
    assert screen.details.notes.notes.toPlainText() == "half a sent"


def test_what_was_looked_up_before_a_note_was_saved_does_not_undo_it(screen: RunsScreen, qtbot) -> None:
    choose(screen, 0)
    notes, before = screen.details.notes, screen.stories[0].info
    screen.note.trigger()
    qtbot.keyClicks(notes.notes, "new")
    notes.save()
    notes.show_run(before)
    assert notes.notes.toPlainText() == "new" and notes.state.text() == "Saved."


def test_the_list_is_filtered_by_words_job_and_tag(screen: RunsScreen) -> None:
    training = add_training(screen.session)
    screen.refresh()
    screen.stories[0].info.annotate("learned little", ["slow"])
    screen.refresh()
    assert screen.filter.count.text() == "2 runs"
    screen.filter.text.setText("LITTLE perplex")
    assert [line.info.folder for line in screen.stories] == [training.folder]
    assert screen.filter.count.text() == "1 of 2 runs"
    screen.filter.text.setText("nothing has this")
    assert screen.stories == [] and screen.none_found.isVisible() and not screen.pages.isVisible()
    screen.filter.clear()
    screen.filter.job.setCurrentText("Import the data")
    assert [line.info.job for line in screen.stories] == ["import"]
    screen.filter.clear()
    screen.filter.tag.setCurrentText("slow")
    assert [line.info.job for line in screen.stories] == ["finetune"]


# Comparing


def test_two_trainings_beside_each_other(screen: RunsScreen, write_run) -> None:
    project = screen.session.project
    write_run(project, "finetune")
    screen.session.change("finetune.lr_max", 0.02)
    screen.session.change("classify.lr_max", 0.5)  # of another step: no difference between these runs
    write_run(project, "finetune")
    screen.refresh()
    choose(screen, 0, 1)
    comparison = screen.comparison
    assert screen.pages.currentWidget() is comparison
    assert len(comparison.overlay.runs) == 2
    assert [row[0] for row in comparison.settings.texts()] == ["Fine-tune: highest learning rate"]
    assert comparison.settings.texts()[0][1:] == ["0.02", "0.004"]
    assert "reached by the last layer group" in comparison.settings.item(0, 0).toolTip()
    results = {row[0]: row[1:] for row in comparison.results.texts()}
    assert results["Perplexity"] == ["12.2", "12.2"]  # alike: none is the better one


def test_a_tag_stands_in_the_legend_as_it_was_typed(screen: RunsScreen) -> None:
    add_training(screen.session)
    second = add_training(screen.session)
    (second.folder / "tags.txt").write_text("R&D <b>")
    screen.refresh()
    choose(screen, 0, 1)
    legend = QTextDocumentFragment.fromHtml(screen.comparison.overlay.names.text()).toPlainText()
    assert "R&D <b>" in legend


def test_the_better_result_is_marked_only_where_figures_can_be_compared(screen: RunsScreen) -> None:
    first, second = add_training(screen.session), add_training(screen.session)
    better = Run(second.folder)
    better.emit(epoch(2, best=True, valid_loss=3.0, perplexity=20.0))
    better.close()
    screen.refresh()
    choose(screen, 0, 1)
    results = {row[0]: row[1:] for row in screen.comparison.results.texts()}
    assert results["Perplexity"] == ["★ 20", "33.1"] and results["Validation loss"][0].startswith("★")
    assert "same data and vocabulary" in screen.comparison.sentence.text()
    for run, mark in ((first, "a"), (second, "b")):
        files.write_json(run.folder / "provenance.json", {"hashes": {"data": "x", "vocabulary": mark}})
    stories = screen.comparison.stories
    assert run_compare.result_rows(stories)[2] == ["Perplexity", "20", "33.1"]
    assert run_compare.remarks(stories) == ["Their vocabularies differ, so losses cannot be compared."]


def add_classifier(session: Session, at: float, rows: int, answers: str = "calibrated") -> Run:
    """A training that left its classifier at that second, judged by so many validation rows."""
    run = Run(session.project.new_run_folder("classify"))
    run.emit(epoch(0, best=True, valid_loss=1 / at, accuracy=at / 1000, valid_rows=rows))
    run.emit(Artefact("bundle", "models/classifier", at=at))
    run.emit(Ended("done", report={"blend": {"answers": answers}}, at=at))
    run.close()
    return run


def add_evaluation(session: Session, at: float, accuracy: float, split: str = "test") -> Run:
    run = Run(session.project.new_run_folder("evaluate"))
    run.emit(Started("evaluate", "Evaluate", at=at))
    run.emit(Ended("done", report={"split": split, "accuracy": accuracy, "rows": 40}))
    run.close()
    return run


def test_each_classifier_has_the_newest_accuracy_of_its_own_test(screen: RunsScreen) -> None:
    first = add_classifier(screen.session, 100, rows=500)
    add_evaluation(screen.session, 120, 0.5)
    add_evaluation(screen.session, 130, 0.6)
    add_evaluation(screen.session, 140, 0.7, split="valid")
    second = add_classifier(screen.session, 200, rows=500, answers="blend")
    other = add_evaluation(screen.session, 210, 0.8)
    files.write_json(other.folder / "provenance.json", {"hashes": {"data": "other data"}})
    stories = [read_story(run.folder) for run in (first, second)]
    rows = {name: values for name, *values in run_compare.result_rows(stories)}
    assert rows["Test accuracy, newest"] == ["60.0% of 40", "—"]
    assert rows["Validation accuracy"] == ["10.0%", "★ 20.0%"]
    assert rows["Who answers"] == ["the network", "both"]
    assert "Who answers" not in dict.fromkeys(row[0] for row in run_compare.result_rows([stories[0]] * 2))
    add_evaluation(screen.session, 220, 0.9)
    assert ["Test accuracy, newest", "60.0% of 40", "90.0% of 40"] in run_compare.result_rows(stories)


def test_so_few_validation_rows_mark_nothing_better(screen: RunsScreen) -> None:
    stories = [read_story(add_classifier(screen.session, at, rows=22).folder) for at in (100, 200)]
    assert not any("★" in cell for row in run_compare.result_rows(stories) for cell in row)
    few = "So few validation texts (22) cannot tell these apart: no figure is marked better."
    assert run_compare.remarks(stories) == [few]


def test_runs_of_different_kinds_and_too_many_of_them(screen: RunsScreen) -> None:
    for _ in range(6):
        add_training(screen.session)
    screen.refresh()
    choose(screen, 5, 6)
    assert screen.comparison.sentence.text().startswith("These runs do different things")
    choose(screen, *range(7))
    assert screen.pages.currentWidget() is screen.too_many and not screen.again.isEnabled()


def test_a_menu_offers_what_to_compare_with(screen: RunsScreen) -> None:
    add_training(screen.session)
    add_training(screen.session)
    screen.refresh()
    choose(screen, 0)
    screen.others.aboutToShow.emit()
    offered = screen.others.actions()
    assert [action.text().split("   ")[0] for action in offered] == ["Fine-tune the language model"], "no import"
    offered[0].trigger()
    assert len(screen.chosen) == 2 and screen.pages.currentWidget() is screen.comparison


def test_what_cannot_be_compared_offers_nothing_and_says_why(screen: RunsScreen) -> None:
    assert not screen.compare.isEnabled() and "no figures" in screen.compare.toolTip(), "an import"
    add_training(screen.session)
    screen.refresh()
    choose(screen, 0)
    assert not screen.compare.isEnabled() and "no other run of this job" in screen.compare.toolTip()


def test_a_run_of_a_newer_version_is_shown_with_a_line_that_says_so(screen: RunsScreen) -> None:
    run = add_training(screen.session)
    with (run.folder / "events.jsonl").open("ab") as log:
        log.write(b'{"event": "Calibrated", "at": 1.0, "bins": 10}\n')
        log.write(b'{"event": "Ended", "at": 2.0, "status": "done", "mood": "good"}\n')
    screen.refresh()
    choose(screen, 0)
    assert screen.table.texts()[0][2] == "done" and screen.details.epochs.rowCount() == 2
    assert "2 lines of its log say more than this version understands" in screen.remark.text()
    choose(screen, 1)
    assert not screen.remark.isVisible()


# Running again


def answer_dialog(choice: str) -> list[run_again.AgainDialog]:
    """When the dialog is up, press its button of that text; returns where the dialog is put."""
    seen: list[run_again.AgainDialog] = []

    def press() -> None:
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, run_again.AgainDialog):
            QTimer.singleShot(20, press)
            return
        seen.append(dialog)
        buttons = (dialog.start, dialog.use, dialog.cancel)
        next(button for button in buttons if choice in button.text().replace("&", "")).click()

    QTimer.singleShot(20, press)
    return seen


def test_a_runs_settings_become_the_projects_after_a_question(screen: RunsScreen) -> None:
    add_training(screen.session, "done")
    session = screen.session
    session.change("finetune.lr_max", 0.5)
    session.change("classify.epochs", 7)
    screen.refresh()
    choose(screen, 0)
    answer_dialog("Cancel")
    screen.use.trigger()
    assert session.project.recipe.finetune.lr_max == 0.5
    seen = answer_dialog("Use these settings")
    screen.use.trigger()
    assert seen[0].table.texts() == [["Fine-tune: highest learning rate", "0.5", "0.004"]]
    assert session.project.recipe.finetune.lr_max == 0.004
    assert session.project.recipe.classify.epochs == 7  # no setting of a fine-tuning
    assert Project.open(session.project.folder).recipe.finetune.lr_max == 0.004


def test_a_run_is_started_again_with_its_settings(screen: RunsScreen, qtbot) -> None:
    session = screen.session
    before = session.project.runs()[-1]
    session.change("data.valid_fraction", 0.3)
    choose(screen, 0)
    answer_dialog("Use and start")
    with qtbot.waitSignal(session.run_ended, timeout=60_000):
        screen.again.trigger()
    assert session.project.recipe.data.valid_fraction == 0.1
    assert [run.fingerprint for run in session.project.runs()] == [before.fingerprint] * 2


def test_a_run_that_waits_for_another_step_cannot_be_started(screen: RunsScreen) -> None:
    add_training(screen.session, "done")
    screen.refresh()
    choose(screen, 0)
    seen = answer_dialog("Cancel")
    screen.again.trigger()
    assert not seen[0].start.isEnabled()
    assert any("Waits for “Vocabulary”" in label.text() for label in seen[0].sentences)


def test_settings_of_another_version_are_refused_in_a_sentence(screen: RunsScreen) -> None:
    run = add_training(screen.session, "done")
    path = run.folder / "config.toml"
    path.write_text(path.read_text().replace("[recipe.finetune]", "[recipe.finetune]\nnewer_knob = 3"))
    screen.refresh()
    choose(screen, 0)
    screen.use.trigger()
    assert "another version of this program wrote the setting “finetune.newer_knob”" in screen.notice.text
    assert screen.details.card.card is None


# Deleting


def test_deleting_asks_and_moves_the_folder_to_the_trash(screen: RunsScreen, trash: Path) -> None:
    run = add_training(screen.session)
    screen.refresh()
    choose(screen, 0)
    press_in_dialog("Keep")
    screen.delete.click()
    assert run.folder.exists()
    press_in_dialog("Delete")
    screen.delete.click()
    assert not run.folder.exists() and len(screen.stories) == 1


def test_without_a_trash_one_is_asked_whether_to_delete_for_good(screen: RunsScreen, monkeypatch) -> None:
    monkeypatch.setattr(QFile, "moveToTrash", staticmethod(lambda name: (False, "")))
    run = add_training(screen.session)
    screen.refresh()
    choose(screen, 0)
    line = screen.chosen[0]
    press_in_dialog("Keep")
    run_trash.remove(screen, screen.session.project, [line])
    assert run.folder.exists()
    press_in_dialog("Delete for good")
    run_trash.remove(screen, screen.session.project, [line])
    assert not run.folder.exists()


def test_it_is_said_that_the_present_model_is_from_a_run(screen: RunsScreen) -> None:
    run = add_training(screen.session, "done")
    project = screen.session.project
    files.write_json(project.bundle_folder("finetune") / "model.json", {"facts": {"run": run.folder.name}})
    screen.refresh()
    told = run_trash.consequence(project, screen.stories[0])
    assert "present model of “Fine-tune” is from this run" in told and "may count as not done" in told
    assert "present model" not in run_trash.consequence(project, screen.stories[1])


def test_a_running_run_cannot_be_deleted(screen: RunsScreen, qtbot, endless_import) -> None:
    assert screen.session.start("import")
    screen.refresh()
    choose(screen, 0)
    assert screen.chosen[0].status == "running" and not screen.delete.isEnabled()
    with pytest.raises(UserError, match="is running. Stop it first"):
        run_trash.refuse_running(screen.chosen)


# A run that another process writes


def test_what_another_program_writes_is_followed(screen: RunsScreen, qtbot) -> None:
    run = Run(screen.session.project.new_run_folder("finetune"))
    run.emit(Started("finetune", "Fine-tune"))
    qtbot.waitUntil(lambda: len(screen.stories) == 2, timeout=5000)
    assert screen.table.texts()[0][2] == "unfinished"
    choose(screen, 0)
    run.emit(epoch(0, best=True, valid_loss=4.0, perplexity=54.6))
    qtbot.waitUntil(lambda: screen.details.epochs.rowCount() == 1, timeout=5000)
    run.emit(Ended("done"))
    run.close()
    qtbot.waitUntil(lambda: screen.table.texts()[0][2] == "done", timeout=5000)
    shutil.rmtree(run.folder)
    qtbot.waitUntil(lambda: len(screen.stories) == 1, timeout=5000)


def test_a_look_that_began_earlier_takes_no_run_away_again(screen: RunsScreen, qtbot) -> None:
    screen._reader.ask(lambda: (time.sleep(0.3), (screen.session.project, Seen([], True), {}))[1])
    run = add_training(screen.session)
    screen.refresh()
    choose(screen, 0)
    qtbot.waitUntil(lambda: not screen._reader.busy, timeout=5000)
    assert [line.info.folder for line in screen.chosen] == [run.folder] and len(screen.stories) == 2


def test_a_hidden_screen_does_not_look(screen: RunsScreen, window: MainWindow) -> None:
    assert screen._timer.isActive()
    window.go("dataset")
    assert not screen._timer.isActive()


def test_a_thousand_runs_are_listed_at_once(screen: RunsScreen, tmp_path) -> None:
    run = add_training(screen.session, "done")
    for number in range(1000):
        copy = run.folder.with_name(f"20200101-000000-{number:03d}-finetune")
        copy.mkdir()
        for name in ("config.toml", "events.jsonl"):
            (copy / name).symlink_to(run.folder / name)
    began = time.process_time()
    screen.refresh()
    assert time.process_time() - began < 0.5  # on a busy machine too
    seen = look(screen.session.project, [], None)
    assert seen.whole and len(seen.lines) == 1002
    again = look(screen.session.project, seen.lines, None)
    assert all(line is before for line, before in zip(again.lines, seen.lines))


# By keyboard


def test_the_list_by_keyboard(screen: RunsScreen, qtbot, trash: Path) -> None:
    run = add_training(screen.session)
    screen.refresh()
    choose(screen, 0)
    give_focus(qtbot, screen.table)
    qtbot.keyClick(screen.table, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert len(screen.chosen) == 2
    qtbot.keyClick(screen.table, Qt.Key.Key_Up)
    assert [line.info.folder for line in screen.chosen] == [run.folder]
    press_in_dialog("Delete")
    qtbot.keyClick(screen.table, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: not run.folder.exists(), timeout=5000)


def test_the_card_is_copied_and_saved(screen: RunsScreen, tmp_path: Path) -> None:
    choose(screen, 0)
    screen.details.setCurrentWidget(screen.details.card)
    page = screen.details.card
    assert "ulmfit new again --base none --data" in page.text.toPlainText()
    page.copy_markdown.click()
    assert QApplication.clipboard().text().startswith("# Import the data: ")
    page.save_as(tmp_path / "card.md")
    assert "| Status | done |" in (tmp_path / "card.md").read_text()
    page.save_as(tmp_path / "card.txt")
    assert (tmp_path / "card.txt").read_text() == page.text.toPlainText()


# Figures in words


def test_the_best_result_knows_which_way_is_up() -> None:
    told = [epoch(0, accuracy=0.7, valid_loss=1.0), epoch(1, accuracy=0.9, valid_loss=2.0)]
    assert best_result(told) == "accuracy 90.0%"
    assert best_result([epoch(0, valid_loss=2.0), epoch(1, valid_loss=1.5)]) == "valid loss 1.50"
    assert best_result([]) == ""


def test_an_evaluation_says_what_it_found() -> None:
    assert measured({"accuracy": 0.623, "rows": 1000}) == "file accuracy 62.3%, 1,000 rows"
    assert measured({"accuracy": 0.5, "rows": 8, "split": "test"}) == "test accuracy 50.0%, 8 rows"
    assert measured({"accuracy": 0.5, "rows": 8, "split": "valid"}) == "validation accuracy 50.0%, 8 rows"
    assert measured({"size": 1500}) == ""


def test_a_search_names_the_advised_rate_first() -> None:
    found = {"minimum": 0.03, "steepest": None, "valley": 0.01, "slide": 0.02}
    report = {"stage": "classify", "suggestions": found, "advised": "slide"}
    assert suggested(report) == "Classify: Slide 0.02, Minimum / 10 0.03, Valley 0.01"
    assert suggested({"stage": "classify", "suggestions": dict.fromkeys(found), "advised": ""}) == (
        "Classify: no suggestion"
    )


def test_metrics_that_not_every_epoch_has() -> None:
    headers, rows = epoch_table([epoch(0, a=1.0), epoch(1, a=2.0, b=0.5)])
    assert headers == ["Epoch", "a", "b", "Best"]
    assert rows == [[1, "1", "", ""], [2, "2", "0.5", ""]]
