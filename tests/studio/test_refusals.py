"""Files that cannot be imported: one clear sentence in the window, and the project as it was, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from studio.main_window import MainWindow
from studio.screens.dataset import DatasetScreen
from ulmfit_core.config import Recipe


@pytest.fixture
def screen(window: MainWindow, tmp_path: Path, csv_file: Path, qtbot) -> DatasetScreen:
    """Of a project with imported data."""
    window.session.create(tmp_path / "project", Recipe())
    screen = window.screens["dataset"]
    assert isinstance(screen, DatasetScreen)
    type_path(screen, "data", csv_file, qtbot)
    press_import(screen, qtbot)
    assert screen.session.project.state("import").mark == "done"
    return screen


def type_path(screen: DatasetScreen, role: str, path: Path, qtbot) -> None:
    field = screen.mapping.fields[role].edit
    field.clear()
    qtbot.keyClicks(field, str(path))
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not screen._looking.busy and not screen.preview.label.text().startswith("Reading"))


def press_import(screen: DatasetScreen, qtbot) -> None:
    with qtbot.waitSignal(screen.session.run_ended, timeout=60_000):
        qtbot.mouseClick(screen.bar.start, Qt.MouseButton.LeftButton)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_window_says_what_is_wrong_and_changes_nothing(screen: DatasetScreen, refused, qtbot) -> None:
    folder = screen.session.project.folder
    before = tree(folder)
    # A chosen data file shows its own columns, so a column can only be missing from a further file.
    type_path(screen, "test" if refused.path.name == "column.csv" else "data", refused.path, qtbot)
    if screen.bar.start.isEnabled():
        if refused.path.name == "oneclass.csv":
            screen.mapping.label.setCurrentIndex(screen.mapping.label.findData("label"))
        press_import(screen, qtbot)
    assert refused.sentence in screen.notice.text
    assert tree(folder) == before
    assert screen.session.project.state("import").mark == "done"
