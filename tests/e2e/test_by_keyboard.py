"""From the first screen to the answer to a typed sentence without a mouse: Tab, arrows, Space, Return, listed keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtWidgets import QAbstractSpinBox, QApplication, QListWidget, QPlainTextEdit

from studio.main_window import MainWindow
from studio.screens.try_it_words import headline
from tests.e2e.hand import Hand
from tests.e2e.keyboard import Keyboard, Mouse
from tests.e2e.test_the_whole_way import project_of, wait_until_done

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

GLAD = ("the food was warm and good", "a friendly waiter and a fine table", "we laughed and stayed all evening")
CROSS = ("the soup was cold and salty", "a rude waiter and a dirty table", "we waited an hour and left hungry")
SENTENCE = "A friendly evening, warm food and a fine waiter."


@pytest.fixture
def comments(tmp_path: Path) -> Path:
    """240 comments of two moods. Every column but one has few different values; none has a telling name."""
    path = tmp_path / "comments.csv"
    rows = [
        f"{number},{'web' if number % 3 else 'card'},{text} on day {number},{mood}"
        for number in range(40) for mood, texts in (("glad", GLAD), ("cross", CROSS)) for text in texts
    ]  # fmt: skip
    path.write_text("\n".join(["number,came_by,remark,mood", *rows]) + "\n", encoding="utf-8")
    return path


def test_everything_is_done_without_a_mouse(window: MainWindow, hand: Hand, comments: Path, tmp_path: Path) -> None:
    mouse, keys = Mouse(QApplication.instance()), Keyboard(hand)  # type: ignore[arg-type]
    keys.learn_the_keys()
    make_project(keys, window, tmp_path)
    import_the_comments(keys, window, comments)
    go_on(keys, window, "vocab", "Build the vocabulary")
    go_down_the_rail(keys, window, "finetune")
    shrink_the_model(keys, window)
    go_on(keys, window, "finetune", "Start")
    keys.press("Next: Classify")
    go_on(keys, window, "classify", "Start")
    keys.press("Next: Evaluate")
    go_on(keys, window, "evaluate", "Evaluate")
    keys.do("Go: Try it")
    type_a_sentence(keys, window)
    assert mouse.events == 0
    (hand.out / "tabs.json").write_text(json.dumps(keys.tabs, indent=1), encoding="utf-8")


def make_project(keys: Keyboard, window: MainWindow, place: Path) -> None:
    keys.do("Project: New project")
    keys.fill("Name of the project", "Guests")
    keys.fill("Folder in which the project is made", str(place))
    keys.hand.picture("new-project")
    keys.pick("Another language, or from scratch")
    keys.pick("Balanced")
    keys.pick("Quick")
    keys.press("Create project")
    keys.hand.wait(lambda: window.session.project, "the project")
    assert project_of(window).recipe.preset == "quick" and project_of(window).recipe.base == "none"


def import_the_comments(keys: Keyboard, window: MainWindow, comments: Path) -> None:
    screen = window.screens["dataset"]
    keys.fill("Labelled texts", str(comments), leave="Return")
    keys.hand.wait(lambda: screen.preview.table.rowCount(), "the first rows")
    keys.hand.picture("preview")
    keys.tick_only("Columns that hold the text", "remark")
    keys.choose("Column that holds the label", "mood")
    go_on(keys, window, "import", "Import")
    data = project_of(window).recipe.data
    assert (data.text, data.label) == (["remark"], "mood")
    keys.hand.wait(lambda: screen.imported.table.rowCount() == 2, "the count of both classes")
    keys.press("Next: Vocabulary")


def go_down_the_rail(keys: Keyboard, window: MainWindow, name: str) -> None:
    rail = keys.go_to("Steps", QListWidget)
    while window.current != name:
        keys.move(rail.currentRow, rail.count())


def shrink_the_model(keys: Keyboard, window: MainWindow) -> None:
    for name, value in {"Epochs": 1, "Embedding size": 16, "Hidden size": 16}.items():
        keys.fill(name, str(value), QAbstractSpinBox)
    recipe = project_of(window).recipe
    assert (recipe.finetune.epochs, recipe.model.embedding, recipe.model.hidden) == (1, 16, 16)


def go_on(keys: Keyboard, window: MainWindow, step: str, button: str) -> None:
    """Run a step of the screen that is shown."""
    keys.press(button)
    wait_until_done(keys.hand, window, step, 300)
    keys.hand.picture(step)


def type_a_sentence(keys: Keyboard, window: MainWindow) -> None:
    part = window.screens["try_it"].classifier
    keys.go_to("Text to classify", QPlainTextEdit)
    keys.hand.type(SENTENCE)
    keys.hand.wait(lambda: part._answer and part._answer.text == SENTENCE, "the answer to the whole sentence")
    keys.hand.picture("try-it")
    assert part._answer.label in ("glad", "cross")
    assert part.label.isVisible() and part.label.text() == headline(part._answer)
    keys.hand.key("ctrl+Return")
    keys.hand.wait(lambda: part.tries.rowCount() == 1, "the kept try")
