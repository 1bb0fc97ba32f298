"""The Vocabulary screen: build, look at the pieces, cut a typed text."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt

from studio.main_window import MainWindow
from studio.screens.vocab import VocabScreen, visible
from studio.session import Session


@pytest.fixture
def screen(window: MainWindow, project_session: Session, run_job) -> VocabScreen:
    """Of a project whose data is imported."""
    run_job(project_session, "import")
    window.go("vocab")
    screen = window.screens["vocab"]
    assert isinstance(screen, VocabScreen)
    return screen


def build(screen: VocabScreen, qtbot) -> None:
    with qtbot.waitSignal(screen.session.run_ended, timeout=60_000):
        qtbot.mouseClick(screen.bar.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: screen.pieces.rowCount() > 0)


def test_before_the_build_it_says_what_will_appear(screen: VocabScreen) -> None:
    assert screen.nothing.isVisible() and not screen.trial.isVisible()
    assert screen.bar.start.isEnabled()


def test_after_the_build_it_shows_figures_and_pieces(screen: VocabScreen, qtbot) -> None:
    build(screen, qtbot)
    assert "tokens a word" in screen.figures.text() and "pieces" in screen.figures.text()
    assert not any(row[1].startswith("“xx") for row in screen.pieces.texts())
    assert screen.bar.label.text() == "Built with these settings."


def test_whole_words_are_called_words(screen: VocabScreen, qtbot) -> None:
    screen.form.changed.emit("kind", "word")
    screen.form.changed.emit("min_frequency", 1)
    build(screen, qtbot)
    qtbot.waitUntil(lambda: "words" in screen.figures.text())
    assert "pieces" not in screen.figures.text()
    assert screen.pieces.horizontalHeaderItem(1).text() == "Word"
    assert screen.heading_of_list.text() == "Most frequent words"
    assert "within a word" in screen.hint.text()


def test_a_typed_text_is_cut_as_one_types(screen: VocabScreen, qtbot) -> None:
    build(screen, qtbot)
    screen.text.clear()
    qtbot.keyClicks(screen.text, "The sun")
    qtbot.waitUntil(lambda: "for 2 words" in screen.count.text())
    assert "xxmaj" in screen.tokens.toPlainText()


def test_a_changed_setting_is_saved_and_makes_it_stale(screen: VocabScreen, qtbot) -> None:
    build(screen, qtbot)
    screen.form.changed.emit("size", 140)
    assert screen.session.project.recipe.vocab.size == 140
    assert screen.session.project.state("vocab").mark == "stale"
    assert screen.bar.label.text().startswith("Built with other settings")


def test_a_build_can_be_stopped(screen: VocabScreen, qtbot) -> None:
    with qtbot.waitSignal(screen.session.run_ended, timeout=60_000):
        screen.bar.start.click()
        assert screen.bar.stop.isVisible()
        screen.bar.stop.click()
    assert screen.bar.start.isVisible() and screen.session.job is None


def test_without_data_it_waits(window: MainWindow, project_session: Session) -> None:
    window.go("vocab")
    bar = window.screens["vocab"].bar  # type: ignore[attr-defined]
    assert not bar.start.isEnabled() and bar.label.text() == "Waits for “Data”."


def test_a_line_break_among_the_words_can_be_seen() -> None:
    assert visible("\n\n") == "↵↵"
    assert visible("▁the") == "▁the"
