"""Trying the models: answers as one types, from real models in their own thread."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from studio import kept_tries
from studio.kept_tries import Try
from studio.screens import SCREENS
from studio.screens.try_it import TryItScreen, answer_sentence, shown
from tests.studio.test_main_window import give_focus


def show(qtbot, session) -> TryItScreen:
    screen = TryItScreen(session)
    qtbot.addWidget(screen)
    screen.resize(1100, 800)
    screen.show()
    qtbot.waitExposed(screen)
    return screen


@pytest.fixture
def screen(qtbot, trained_session) -> TryItScreen:
    return show(qtbot, trained_session)


def test_without_models_it_says_what_to_do(qtbot, project_session):
    screen = show(qtbot, project_session)
    assert "Train one under “Classify”" in screen.classifier.hint.text()
    assert not screen.classifier.text.isEnabled()
    assert "Train one under “Fine-tune”" in screen.writer.written.placeholderText()
    assert not screen.writer.write.isEnabled()


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
    window.go("runs")
    for come in (lambda: click_on_rail(qtbot, window, "try_it"), lambda: window.go("try_it"), window.go_back):
        window.rail.clearFocus()
        come()
        assert window.current == "try_it"
        assert window.focusWidget() is window.screens["try_it"].classifier.text
        window.go("runs")
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
    part.tries.selectRow(0)
    assert not part.keep.isEnabled() and not part.remove.isEnabled()
    part._keep()
    part._remove()
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


def test_the_likeliest_label_is_the_first_bar():
    assert list(shown({"b": 0.1, "a": 0.9})) == ["a", "b"]
    many = {f"class {number}": number / 1000 for number in range(30)}
    assert list(shown(many))[:2] == ["class 29", "class 28"] and len(shown(many)) == 12


def test_a_blended_answer_says_so():
    from ulmfit_core.inference.predictor import Prediction

    network = Prediction("text", "sad", {"sad": 0.7, "happy": 0.3})
    assert answer_sentence(network) == "The classifier gives “sad” 70.0%."
    blended = Prediction("text", "sad", {"sad": 0.7, "happy": 0.3}, 0.35)
    assert answer_sentence(blended) == "The classifier gives “sad” 70.0%, blended with word counts, which weigh 35%."
    alone = Prediction("text", "sad", {"sad": 0.7, "happy": 0.3}, 1.0)
    assert answer_sentence(alone) == (
        "The classifier gives “sad” 70.0%, from word counts alone, since the network adds nothing yet."
    )
