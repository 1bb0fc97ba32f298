"""Trying the models: answers as one types, from real models in their own thread, and reasons to trust them or not."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QApplication

from studio import kept_tries
from studio.kept_tries import Try
from studio.screens import SCREENS, try_it_classifier, try_it_examples
from studio.screens.try_it import TryItScreen
from studio.screens.try_it_answer import READING
from studio.screens.try_it_models import Lent, version_of
from studio.screens.try_it_writer import Asked, bar_name, written
from studio.session import Session
from studio.widgets.room import Room
from tests.studio.conftest import HAPPY, SAD
from tests.studio.test_main_window import give_focus
from ulmfit_core.config import DataSettings, Recipe
from ulmfit_core.data import edits
from ulmfit_core.project import Project
from ulmfit_core.run import launch


def show(qtbot, session) -> TryItScreen:
    screen = TryItScreen(session)
    qtbot.addWidget(screen)
    screen.resize(1100, 800)
    screen.show()
    qtbot.waitExposed(screen)
    return screen


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A trained project, made once: each test has a copy."""
    folder = tmp_path_factory.mktemp("try-it")
    rows = [f'"{text} {number}.",{label}' for number in range(10)
            for label, texts in (("happy", HAPPY), ("sad", SAD)) for text in texts]  # fmt: skip
    (folder / "verses.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    recipe = Recipe(name="Verses", data=DataSettings(data=str(folder / "verses.csv"), text=["text"], label="label"))
    recipe.vocab.size = 150
    recipe.model.embedding = recipe.model.hidden = 8
    recipe.finetune.epochs = recipe.classify.epochs = 1
    recipe.classify.unfreezing = "all"
    project = Project.create(folder / "project", recipe)
    for step in ("import", "vocab", "finetune", "classify"):
        ended = launch(project, step)
        assert ended.status == "done", ended.reason
    return project.folder


@pytest.fixture
def trained_session(session, trained, tmp_path) -> Session:
    shutil.copytree(trained, tmp_path / "project")
    session.open(tmp_path / "project")
    return session


@pytest.fixture
def screen(qtbot, trained_session) -> TryItScreen:
    return show(qtbot, trained_session)


def test_without_models_it_says_what_to_do(qtbot, project_session):
    screen = show(qtbot, project_session)
    assert "Train one under “Classify”" in screen.classifier.hint.text()
    assert not screen.classifier.text.isEnabled()
    assert not screen.classifier.keep.isEnabled() and not screen.classifier.answer.should_be.button.isEnabled()
    screen.tabs.setCurrentWidget(screen.writer)
    part = screen.writer
    assert "Train one under “Fine-tune”" in part.written.placeholderText()
    assert not any(each.isEnabled() for each in (part.write, part.prompt, part.words, part.temperature, part.top_p))
    project_session.change("finetune.enabled", False)
    assert "is left out of this project. Switch it on" in part.written.placeholderText()
    with qtbot.waitSignal(screen.wants) as wanted:
        qtbot.mouseClick(part.to_train, Qt.MouseButton.LeftButton)
    assert wanted.args[0] == "finetune"


def test_the_answer_follows_the_typing(qtbot, screen):
    part = screen.classifier
    part.text.setFocus()
    qtbot.keyClicks(part.text, "The sun came out")
    qtbot.waitUntil(lambda: part._answer is not None and part._answer.text == "The sun came out", timeout=30_000)
    assert part.label.text() in ("happy", "sad")
    assert sum(part._answer.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert f"{part.label.text()} " in part.bars.accessibleDescription()
    qtbot.keyClicks(part.text, " and we wept")
    qtbot.waitUntil(lambda: part._answer.text == "The sun came out and we wept", timeout=30_000)


def click_on_rail(qtbot, window, name: str) -> None:
    row = list(SCREENS).index(name)
    place = window.rail.visualItemRect(window.rail.item(row)).center()
    qtbot.mouseClick(window.rail.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_whoever_comes_to_try_can_type_at_once(qtbot, trained_session, window):
    window.go("predict")
    for come in (lambda: click_on_rail(qtbot, window, "try_it"), lambda: window.go("try_it"), window.go_back):
        window.rail.clearFocus()
        come()
        assert window.current == "try_it"
        assert window.focusWidget() is window.screens["try_it"].classifier.text
        window.go("predict")
    give_focus(qtbot, window.rail)
    qtbot.keyClick(window.rail, Qt.Key.Key_Up)
    assert window.current == "try_it" and window.rail.hasFocus(), "whoever walks along the rail stays on it"
    qtbot.keyClick(window.rail, Qt.Key.Key_Return)
    assert window.focusWidget() is window.screens["try_it"].classifier.text


def test_only_the_latest_text_is_answered(qtbot, screen):
    part = screen.classifier
    answered = []
    part._background.answered.connect(lambda answer: answered.append(answer.text))
    for text in ("one", "two", "three"):
        part.text.setPlainText(text)
        part._ask()
    qtbot.waitUntil(lambda: "three" in answered, timeout=30_000)
    assert answered == ["three"]


def test_while_another_text_is_read_the_last_answer_is_muted(qtbot, screen, monkeypatch):
    part = screen.classifier
    answer(qtbot, screen, "The rain fell")
    assert part.label.isEnabled() and part.bars.isEnabled() and part.keep.isEnabled()
    held, ask = threading.Event(), try_it_classifier.ask_classifier
    monkeypatch.setattr(try_it_classifier, "ask_classifier", lambda *how: (held.wait(20), ask(*how))[1])
    part.text.setPlainText("We danced")
    assert part._answer.text == "The rain fell" and not part.label.isEnabled() and not part.bars.isEnabled()
    should_be = part.answer.should_be
    assert not any(each.isEnabled() for each in (part.keep, part.watch, should_be.label, should_be.button))
    assert part.hint.text() != READING, "a short wait says nothing"
    qtbot.waitUntil(lambda: part.hint.text() == READING, timeout=2000)
    part.text.setFocus()
    qtbot.keyClick(part.text, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert part.kept.table.rowCount() == 0, "that would be the answer to another text"
    held.set()
    qtbot.waitUntil(lambda: part._answer.text == "We danced", timeout=30_000)
    assert part.label.isEnabled() and part.bars.isEnabled() and part.keep.isEnabled() and part.hint.text() != READING
    assert [row[2] for row in part.kept.table.texts()] == ["We danced"], "it is kept once its answer is there"


def test_a_watched_text_says_where_it_is_seen(qtbot, screen):
    answer(qtbot, screen, "The rain fell")
    qtbot.mouseClick(screen.classifier.watch, Qt.MouseButton.LeftButton)
    assert "See “Watched” under “Classify”." in screen.notice.text and "nothing happens before" in screen.notice.text


def test_what_is_typed_on_is_not_kept_unasked(qtbot, screen):
    part = screen.classifier
    answer(qtbot, screen, "The rain fell")
    part.text.setPlainText("We")
    part._keep()
    answer(qtbot, screen, "We danced")
    assert part.kept.table.rowCount() == 0 and part.keep.isEnabled()


def test_an_emptied_text_has_no_answer(qtbot, screen):
    part = screen.classifier
    part.text.setPlainText("The rain fell")
    qtbot.waitUntil(lambda: part._answer is not None, timeout=30_000)
    part.text.clear()
    qtbot.waitUntil(lambda: part._answer is None, timeout=2000)
    assert not part.label.isVisible() and not part.keep.isEnabled()


def test_tries_are_kept_in_the_project_newest_first(qtbot, screen, trained_session):
    part = screen.classifier
    for text in ("The rain fell", "We danced"):
        part.text.setPlainText(text)
        qtbot.waitUntil(lambda wanted=text: part._answer is not None and part._answer.text == wanted, timeout=30_000)
        qtbot.mouseClick(part.keep, Qt.MouseButton.LeftButton)
    assert [row[2] for row in part.tries.texts()] == ["We danced", "The rain fell"]
    screen.close()
    later = show(qtbot, trained_session)
    part = later.classifier
    part.tabs.setCurrentWidget(part.kept)
    assert [row[2] for row in part.tries.texts()] == ["We danced", "The rain fell"], "it is there next time"
    part.tries.selectRow(0)
    give_focus(qtbot, part.tries)
    qtbot.keyClick(part.tries, Qt.Key.Key_Delete)
    assert [row[2] for row in part.tries.texts()] == ["The rain fell"]
    qtbot.mouseClick(part.remove, Qt.MouseButton.LeftButton)
    assert part.tries.texts() == [] == kept_tries.read(trained_session.project) and not part.remove.isEnabled()


def test_a_window_that_only_reads_shows_kept_tries_and_changes_none(qtbot, trained_session):
    kept_tries.add(trained_session.project, Try("sad", 0.7, "The rain fell"))
    trained_session.project.read_only = "Another window has it."
    screen = show(qtbot, trained_session)
    part = screen.classifier
    part.text.setPlainText("We danced")
    qtbot.waitUntil(lambda: part._answer is not None, timeout=30_000)
    part.tabs.setCurrentWidget(part.kept)
    part.tries.selectRow(0)
    assert not part.keep.isEnabled() and not part.remove.isEnabled()
    assert not part.answer.should_be.label.isEnabled() and not part.watch.isEnabled()
    part._keep()
    part.kept.remove_marked()
    assert [row[2] for row in part.tries.texts()] == ["The rain fell"]


def test_a_damaged_file_of_tries_is_told_and_not_written_over(qtbot, trained_session):
    path = trained_session.project.folder / kept_tries.NAME
    path.write_text("{", encoding="utf-8")
    screen = show(qtbot, trained_session)
    assert "tries.json is damaged" in screen.notice.text
    screen.classifier.text.setPlainText("We danced")
    qtbot.waitUntil(lambda: screen.classifier._answer is not None, timeout=30_000)
    screen.clear_message()
    qtbot.mouseClick(screen.classifier.keep, Qt.MouseButton.LeftButton)
    assert "tries.json is damaged" in screen.notice.text and path.read_text(encoding="utf-8") == "{"


def test_a_retrained_classifier_answers_the_text_that_stands_there(qtbot, screen, trained_session, run_job):
    part = screen.classifier
    part.text.setPlainText("The rain fell")
    qtbot.waitUntil(lambda: part._answer is not None, timeout=30_000)
    first = part._answer
    trained_session.change("classify.lr_max", 0.1)
    assert run_job(trained_session, "classify").status == "done"
    qtbot.waitUntil(lambda: part._answer not in (None, first), timeout=30_000)
    assert part._answer.probabilities != first.probabilities


def test_the_language_model_writes_on_and_differently_each_time(qtbot, screen):
    part = screen.writer
    screen.tabs.setCurrentWidget(part)
    texts = []
    part._background.answered.connect(texts.append)
    part.prompt.setText("The sun")
    for count in (1, 2):
        qtbot.mouseClick(part.write, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda wanted=count: len(texts) == wanted, timeout=30_000)
    assert part.written.toPlainText() == texts[1]
    assert texts[0] != texts[1]
    assert part.write.isEnabled()


def test_a_damaged_model_is_reported_in_words(qtbot, screen, trained_session):
    (trained_session.project.bundle_folder("classify") / "weights.safetensors").write_bytes(b"nonsense")
    screen.classifier.text.setPlainText("The rain fell")
    qtbot.waitUntil(lambda: bool(screen.notice.text), timeout=30_000)
    assert "weights.safetensors" in screen.notice.text


def test_a_damaged_record_of_the_model_lets_the_screen_be_seen_and_is_reported(qtbot, trained_session):
    record = trained_session.project.bundle_folder("classify") / "model.json"
    record.write_text("{")
    screen = show(qtbot, trained_session)
    screen.classifier.text.setPlainText("The rain fell")
    qtbot.waitUntil(lambda: "model.json is damaged" in screen.notice.text, timeout=30_000)


def answer(qtbot, screen, text: str) -> None:
    part = screen.classifier
    part.text.setPlainText(text)
    qtbot.waitUntil(lambda: part._answer is not None and part._answer.text == text, timeout=30_000)


# Its words


def test_words_are_shaded_for_the_answer_and_a_word_says_what_it_changes(qtbot, screen):
    part, words = screen.classifier, screen.classifier.words
    answer(qtbot, screen, "The rain fell")
    qtbot.waitUntil(lambda: bool(part.text.shading()), timeout=30_000)
    assert [word for word, _ in part.text.shading()] == ["The", "rain", "fell"]
    assert part._answer.label in words.legend.accessibleDescription()
    part.text.moveCursor(QTextCursor.MoveOperation.End)
    qtbot.waitUntil(lambda: words.word.text().startswith("Without “fell”"), timeout=30_000)
    label, predictor = part._answer.label, part._answered.predictor
    there = part._answer.probabilities[label]
    gone = predictor.predict(["The rain "])[0].probabilities[label]
    assert words.word.text() == f"Without “fell”: {label} {there:.0%} → {gone:.0%}"
    part.text.moveCursor(QTextCursor.MoveOperation.Start)
    qtbot.waitUntil(lambda: words.word.text().startswith("Without “The”"), timeout=30_000)


def test_a_click_on_another_bar_explains_that_label(qtbot, screen):
    part = screen.classifier
    answer(qtbot, screen, "The rain fell")
    qtbot.waitUntil(lambda: bool(part.text.shading()), timeout=30_000)
    first = dict(part.text.shading())
    other = next(label for label in part.bars.names if label != part._answer.label)
    qtbot.mouseClick(part.bars, Qt.MouseButton.LeftButton, pos=part.bars.row_place(other).toPoint())
    qtbot.waitUntil(lambda: other in part.words.legend.accessibleDescription(), timeout=30_000)
    assert part.answer.explained == other and dict(part.text.shading()) != first
    answer(qtbot, screen, "The rain fell again")
    assert part.answer.explained == part._answer.label, "another text is explained for its own answer"


def test_typing_goes_on_while_words_are_looked_at(qtbot, screen):
    part = screen.classifier
    answer(qtbot, screen, "The rain")
    qtbot.waitUntil(lambda: bool(part.text.shading()), timeout=30_000)
    part.text.moveCursor(QTextCursor.MoveOperation.End)
    qtbot.keyClicks(part.text, " fell")
    assert part.text.toPlainText() == "The rain fell"
    assert part.words.word.text() == "", "nothing is told of the older text"
    part.text.undo()
    assert part.text.toPlainText() == "The rain", "shading is nothing to be undone"


# Tries


def test_the_last_tries_are_listed_and_not_written(qtbot, screen, trained_session):
    part = screen.classifier
    for text in ("The rain fell", "We danced", "We danced all night"):
        answer(qtbot, screen, text)
    part.text.clear()
    qtbot.waitUntil(lambda: part._answer is None, timeout=2000)
    shown = [row[2] for row in part.recent.table.texts()]
    assert shown == ["We danced all night", "The rain fell"], "a text that is typed further is one try"
    assert not (trained_session.project.folder / kept_tries.NAME).exists()
    part.recent.table.selectRow(1)
    part.recent.table.activated.emit(part.recent.table.currentIndex())
    assert part.text.toPlainText() == "The rain fell"


def test_the_session_remembers_so_many_tries(screen, monkeypatch):
    monkeypatch.setattr("studio.screens.try_it_tries.MOST", 2)
    recent = screen.classifier.recent
    for number in range(4):
        recent.note(Try("sad", 0.5, f"{number} texts"))
        recent.settle()
    assert [one.text for one in recent.tries] == ["3 texts", "2 texts"]


# Other models


def test_another_model_answers_beside_it_and_goes_again(qtbot, screen, trained_session):
    part, rivals = screen.classifier, screen.classifier.answer.rivals
    answer(qtbot, screen, "The rain fell")
    rivals.add_folder(trained_session.project.folder)
    rivals.add_folder(trained_session.project.bundle_folder("classify"))
    qtbot.waitUntil(lambda: all(rival.answered for rival in rivals.rivals), timeout=30_000)
    first, *others = rivals.columns[0].values.items()
    assert part._answer.probabilities[first[0]] == pytest.approx(first[1], abs=1e-6) and others
    assert "project: " in part.bars.accessibleDescription() and "classifier: " in part.bars.accessibleDescription()
    assert not rivals.button.isEnabled(), "three are enough"
    answer(qtbot, screen, "We danced")
    qtbot.waitUntil(lambda: all(rival.answered.text == "We danced" for rival in rivals.rivals), timeout=30_000)
    for left in (1, 0):
        qtbot.mouseClick(rivals._rows[0].away, Qt.MouseButton.LeftButton)
        assert len(rivals.rivals) == left
    assert not rivals.isVisible() and "project: " not in part.bars.accessibleDescription()


def test_a_folder_without_a_model_is_told(qtbot, screen, tmp_path):
    rivals = screen.classifier.answer.rivals
    answer(qtbot, screen, "The rain fell")
    rivals.add_folder(tmp_path)
    qtbot.waitUntil(lambda: "neither a project nor a model" in rivals.rivals[0].sentence, timeout=30_000)
    assert rivals.rivals[0].column.values == {}


def test_an_earlier_training_can_be_compared(qtbot, screen, trained_session, run_job):
    trained_session.change("classify.lr_max", 0.1)
    assert run_job(trained_session, "classify").status == "done"
    rivals = screen.classifier.answer.rivals
    answer(qtbot, screen, "The rain fell")
    qtbot.waitUntil(lambda: len(rivals._versions) == 2, timeout=30_000)
    rivals._fill_menu()
    earlier, *_, folder = [action for action in rivals.menu.actions() if action.text()]
    title = earlier.text()
    assert "accuracy" in earlier.text() and "Another" in folder.text(), "the saved one answers anyway"
    earlier.trigger()
    qtbot.waitUntil(lambda: rivals.rivals[0].answered is not None, timeout=30_000)
    assert rivals.columns[0].values != screen.classifier._answer.probabilities
    rivals._fill_menu()
    assert not next(each for each in rivals.menu.actions() if each.text() == title).isEnabled()


# Similar examples


def test_similar_training_texts_are_listed(qtbot, screen):
    examples = screen.classifier.examples
    answer(qtbot, screen, "The rain fell on the empty house 3.")
    qtbot.waitUntil(lambda: examples.table.rowCount() == 5, timeout=60_000)
    rows = examples.table.texts()
    assert rows[0][1] == "100%" or int(rows[0][1][:-1]) > 90
    assert {row[0] for row in rows} <= {"happy", "sad"}
    assert all(row[2] for row in rows)
    screen.classifier.text.clear()
    qtbot.waitUntil(lambda: examples.table.rowCount() == 0, timeout=2000)


def test_many_training_texts_are_read_only_when_asked(qtbot, screen, monkeypatch):
    monkeypatch.setattr(try_it_examples, "UNASKED", 3)
    examples = screen.classifier.examples
    answer(qtbot, screen, "The rain fell")
    qtbot.waitUntil(examples.button.isVisible, timeout=30_000)
    assert examples.table.rowCount() == 0
    assert "training texts, which may take minutes" in examples.hint.text()
    qtbot.mouseClick(examples.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: examples.table.rowCount() == 5, timeout=60_000)
    answer(qtbot, screen, "We danced")
    qtbot.waitUntil(lambda: not examples._background.busy, timeout=30_000)
    assert not examples.button.isVisible() and examples.table.rowCount() == 5, "it is asked once"


# Corrections


def correct(qtbot, screen, text: str, label: str) -> None:
    part = screen.classifier
    answer(qtbot, screen, text)
    part.answer.should_be.label.setEditText(label)
    before = len(part.corrections.edits)
    qtbot.mouseClick(part.answer.should_be.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(part.corrections.edits) == before + 1, timeout=30_000)


def test_what_an_answer_should_be_joins_the_data_and_can_be_undone(qtbot, screen, trained_session):
    part, project = screen.classifier, trained_session.project
    correct(qtbot, screen, "The rain fell", "sad")
    assert [(edit.kind, edit.text, edit.label) for edit in edits.active(project)] == [("add", "The rain fell", "sad")]
    assert part.corrections.table.texts() == [["sad", "–", "The rain fell"]]
    assert part.tabs.currentWidget() is part.corrections and part.tabs.tabText(2) == "Corrections (1)"
    assert screen.focusWidget() is part.text, "where the next text is typed"
    assert "train again" in part.corrections.told.text() and project.state("classify").mark == "stale"
    qtbot.mouseClick(part.answer.should_be.button, Qt.MouseButton.LeftButton)
    part.corrections.table.selectRow(0)
    qtbot.mouseClick(part.corrections.undo, Qt.MouseButton.LeftButton)
    assert screen.focusWidget() is part.corrections.table
    qtbot.waitUntil(lambda: part.corrections.edits == [], timeout=30_000)
    assert edits.active(project) == [] and project.state("classify").mark == "done"
    assert part.tabs.tabText(2) == "Corrections"


def test_what_was_said_of_one_text_does_not_hold_for_another(qtbot, screen):
    label = screen.classifier.answer.should_be.label
    answer(qtbot, screen, "The rain fell")
    label.setEditText("sad")
    answer(qtbot, screen, "The rain fell again")
    assert label.currentText() == "sad", "it is the same text, typed further"
    answer(qtbot, screen, "We danced")
    assert label.currentText() == "" and not screen.classifier.answer.should_be.button.isEnabled()


def test_corrections_lead_to_the_training(qtbot, screen):
    correct(qtbot, screen, "The rain fell", "sad")
    with qtbot.waitSignal(screen.wants) as wanted:
        qtbot.mouseClick(screen.classifier.corrections.train, Qt.MouseButton.LeftButton)
    assert wanted.args[0] == "classify"


def test_a_new_label_says_how_many_examples_are_missing(qtbot, screen):
    part = screen.classifier
    for number in range(4):
        correct(qtbot, screen, f"Give me my money back {number}", "refund")
    assert "4 of 5. With 1 more example" in part.corrections.told.text()
    assert "refund" in [part.answer.should_be.label.itemText(at) for at in range(part.answer.should_be.label.count())]
    correct(qtbot, screen, "I want my money back", "refund")
    assert "enough to answer it now" in part.corrections.told.text()
    qtbot.waitUntil(lambda: part._answer is not None and "refund" in part._answer.probabilities, timeout=60_000)
    part.bars.chosen.emit("refund")
    qtbot.waitUntil(lambda: "“refund”" in part.words.legend.accessibleDescription(), timeout=30_000)


def test_a_long_sentence_covers_none_of_the_corrections(qtbot, screen, trained_session):
    for number in range(6):
        edits.add(trained_session.project, f"Give me my money back {number}", f"a wholly new kind {number % 3}")
    part, corrections = screen.classifier, screen.classifier.corrections
    trained_session.project_changed.emit()
    part.tabs.setCurrentWidget(corrections)
    screen.resize(760, 560)

    def none_overlaps() -> bool:
        whole = corrections.told.heightForWidth(corrections.told.width()) <= corrections.told.height()
        below = corrections.told.geometry().bottom() < corrections.table.geometry().top()
        return whole and below and corrections.table.geometry().bottom() < corrections.undo.geometry().top()

    assert len(corrections.told.text().splitlines()) == 4
    qtbot.waitUntil(none_overlaps, timeout=5000)
    tall = part.tabs.minimumSizeHint().height()
    part.tabs.setCurrentWidget(part.recent)
    assert part.tabs.minimumSizeHint().height() < tall, "only what is open needs its height"


def test_the_corrections_are_there_next_time(qtbot, screen, trained_session):
    correct(qtbot, screen, "The rain fell", "sad")
    screen.close()
    later = show(qtbot, trained_session)
    assert later.classifier.corrections.table.texts() == [["sad", "–", "The rain fell"]]
    assert later.classifier.tabs.tabText(2) == "Corrections (1)"


# Not sure


def test_an_answer_that_is_not_sure_enough_is_withheld_with_the_reason(qtbot, screen, trained_session):
    part = screen.classifier
    answer(qtbot, screen, "The rain fell")
    given = part._answer
    trained_session.change("answers.unknown", 0.0)
    trained_session.change("answers.least_sure", 1.0)
    qtbot.waitUntil(lambda: part.label.text() == "Not sure", timeout=30_000)
    assert part.hint.text() == (
        f"Only {given.probabilities[given.label]:.0%} sure; you ask for 100%. "
        f"The likeliest label would be “{given.label}”."
    )
    trained_session.change("answers.least_sure", 0.0)
    qtbot.waitUntil(lambda: part.label.text() == given.label, timeout=30_000)


# Writing


def writer(qtbot, screen, prompt: str):
    screen.tabs.setCurrentWidget(screen.writer)
    screen.writer.prompt.clear()
    qtbot.keyClicks(screen.writer.prompt, prompt)
    qtbot.waitUntil(lambda: screen.writer.bars.names != [], timeout=30_000)
    return screen.writer


def test_the_likely_next_words_follow_the_typing_and_a_click_adds_one(qtbot, screen):
    part = writer(qtbot, screen, "The sun")
    qtbot.waitUntil(lambda: len(part.bars.names) == 10, timeout=30_000)
    assert "Together they have" in part.note.text()
    name = part.bars.names[0]
    added = part._texts[name]
    qtbot.mouseClick(part.bars, Qt.MouseButton.LeftButton, pos=part.bars.row_place(name).toPoint())
    assert part.prompt.text() == "The sun" + added
    qtbot.waitUntil(lambda: part.bars.names and part._shown == part.prompt.text(), timeout=30_000)


def test_top_p_and_temperature_change_the_words_and_the_text(qtbot, screen):
    part = writer(qtbot, screen, "The sun")
    qtbot.waitUntil(lambda: len(part.bars.names) == 10, timeout=30_000)
    part.top_p.setValue(0.05)
    qtbot.waitUntil(lambda: len(part.bars.names) < 10, timeout=30_000)
    part.temperature.setValue(0)
    qtbot.waitUntil(lambda: len(part.bars.names) <= 1, timeout=30_000)
    texts = []
    part._background.answered.connect(texts.append)
    for count in (1, 2):
        qtbot.mouseClick(part.write, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda wanted=count: len(texts) == wanted, timeout=30_000)
    assert texts[0] == texts[1], "at temperature 0 there is one likeliest text"


def test_a_text_that_ends_early_says_so(qtbot, screen):
    class Brief:
        def generate(self, prompt, words, **more):
            return f"{prompt} " + " ".join(["word"] * min(words, 9))

    for words, ended in ((9, False), (10, True)):
        lent = Lent()
        lent.get(version_of(screen.writer._folder), Brief)
        told = written(lent, screen.writer._folder, None, Asked("The sun", words, 0.8, 0.95))
        assert told.endswith("(It ended the text here.)") is ended


def test_at_the_beginning_no_word_goes_on_with_another():
    assert [bar_name(text, begins=True) for text in ("what", "i", " The")] == ["what", "i", "The"]


def test_another_tab_is_seen_from_its_top(qtbot, screen):
    screen.resize(760, 300)
    bar = screen.findChild(Room).verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0, timeout=5000)
    bar.setValue(bar.maximum())
    screen.tabs.setCurrentWidget(screen.writer)
    assert bar.value() == 0


def test_bars_say_what_goes_on_with_the_last_word():
    assert [bar_name(text) for text in (" is", "ing", ",", "The")] == ["is", "…ing", "…,", "The"]


def test_the_tab_that_is_chosen_has_the_focus_where_one_types(qtbot, trained_session, window):
    window.go("try_it")
    screen = window.screens["try_it"]
    screen.tabs.setCurrentWidget(screen.writer)
    assert QApplication.focusWidget() is screen.writer.prompt
    screen.take("We danced")
    assert screen.tabs.currentWidget() is screen.classifier and screen.classifier.text.toPlainText() == "We danced"
