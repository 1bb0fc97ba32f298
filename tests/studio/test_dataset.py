"""The Data screen: preview, mapping, import; errors leave the project as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent

from studio.main_window import MainWindow
from studio.screens.dataset import DatasetScreen
from ulmfit_core.config import Recipe
from ulmfit_core.project import Project


@pytest.fixture
def screen(window: MainWindow, tmp_path: Path) -> DatasetScreen:
    """Of a project that has no data yet."""
    window.session.create(tmp_path / "project", Recipe())
    screen = window.screens["dataset"]
    assert isinstance(screen, DatasetScreen)
    return screen


def choose(screen: DatasetScreen, path: Path, qtbot, role: str = "data") -> None:
    """Type the path and press Enter; wait until the file was looked at."""
    field = screen.mapping.fields[role].edit
    field.clear()
    qtbot.keyClicks(field, str(path))
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not screen._looking.busy and not screen.preview.label.text().startswith("Reading"))


def press_import(screen: DatasetScreen, qtbot) -> None:
    with qtbot.waitSignal(screen.session.run_ended, timeout=60_000):
        qtbot.mouseClick(screen.bar.start, Qt.MouseButton.LeftButton)


def heads(screen: DatasetScreen) -> list[str]:
    table = screen.preview.table
    return [table.horizontalHeaderItem(column).text() for column in range(table.columnCount())]


def test_before_a_file_it_says_what_to_do(screen: DatasetScreen) -> None:
    assert screen.bar.label.text() == "Choose a file with your texts first."
    assert not screen.bar.start.isEnabled()
    assert screen.preview.label.text() and not screen.preview.table.isVisible()


def test_a_chosen_file_is_shown_with_guesses(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    choose(screen, csv_file, qtbot)
    assert heads(screen) == ["text  ▸ text", "label  ▸ label"]
    assert screen.preview.table.texts()[0] == ["The sun came out and we danced 0.", "happy"]
    assert (screen.draft.text, screen.draft.label) == (["text"], "label")
    assert screen.mapping.label.currentData() == "label"
    assert screen.bar.start.isEnabled()
    assert screen.session.project.recipe.data.data == ""  # a draft until it is imported


def test_the_import_shows_what_came_in(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    choose(screen, csv_file, qtbot)
    press_import(screen, qtbot)
    qtbot.waitUntil(lambda: screen.imported.table.isVisible())
    assert screen.tabs.currentWidget() is screen.imported
    assert screen.imported.label.text().startswith("60 rows: training 49, validation 5, test 6.")
    assert [row[0] for row in screen.imported.table.texts()] == ["happy", "sad"]
    assert screen.tabs.tabText(2) == "Rows left out (1)"
    assert screen.left_out.table.texts() == [["verses.csv", "7", "3 columns instead of 2"]]
    assert Project.open(screen.session.project.folder).recipe.data.data == str(csv_file)
    assert screen.bar.label.text() == "This is what was imported."


def test_another_mapping_is_imported_as_chosen(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    choose(screen, csv_file, qtbot)
    screen.mapping.label.setCurrentIndex(0)
    assert heads(screen)[1] == "label"
    screen.mapping.text.item(1).setCheckState(Qt.CheckState.Checked)
    assert screen.draft.text == ["text", "label"] and screen.draft.label == ""
    press_import(screen, qtbot)
    assert screen.session.project.recipe.data.text == ["text", "label"]


def test_without_a_text_column_there_is_no_import(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    choose(screen, csv_file, qtbot)
    screen.mapping.text.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert not screen.bar.start.isEnabled()
    assert screen.bar.label.text() == "Tick the column that holds the text."


def test_a_missing_file_gets_one_sentence(screen: DatasetScreen, tmp_path: Path, qtbot) -> None:
    choose(screen, tmp_path / "gone.csv", qtbot)
    assert screen.notice.text == f"There is no file {tmp_path / 'gone.csv'}. Check the name and the folder."
    assert not screen.bar.start.isEnabled() and screen.session.project.recipe.data.data == ""


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_window_says_what_is_wrong_and_changes_nothing(
    screen: DatasetScreen, csv_file: Path, refused, qtbot
) -> None:
    choose(screen, csv_file, qtbot)
    press_import(screen, qtbot)
    folder = screen.session.project.folder
    before = tree(folder)
    # A chosen data file shows its own columns, so a column can only be missing from a further file.
    choose(screen, refused.path, qtbot, "test" if refused.path.name == "column.csv" else "data")
    if screen.bar.start.isEnabled():
        if refused.path.name == "oneclass.csv":
            screen.mapping.label.setCurrentIndex(screen.mapping.label.findData("label"))
        press_import(screen, qtbot)
    assert refused.sentence in screen.notice.text
    assert tree(folder) == before
    assert screen.session.project.state("import").mark == "done"


def test_a_file_can_be_dropped(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(csv_file))])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    screen.dropEvent(QDropEvent(QPointF(9, 9), copy, mime, left, none))
    qtbot.waitUntil(lambda: screen.preview.table.isVisible())
    assert screen.draft.data == str(csv_file)


def test_a_draft_survives_a_look_at_another_screen(screen: DatasetScreen, window, csv_file: Path, qtbot) -> None:
    choose(screen, csv_file, qtbot)
    window.go("vocab")
    window.go("dataset")
    assert screen.mapping.fields["data"].path() == str(csv_file)
    assert screen.draft.label == "label"
