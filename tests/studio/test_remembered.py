"""What the window remembers lies beside the recent projects, and dialogs begin where files were found last."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray

from studio import recent, remembered, theme


def test_it_is_one_file_in_the_folder_of_the_recent_projects(own_home: Path) -> None:
    theme.remember("dark")
    kept = remembered.settings()
    kept.setValue("geometry", QByteArray(b"somewhere"))
    kept.sync()
    assert Path(kept.fileName()) == recent.path().with_name("window.ini")
    assert own_home in Path(kept.fileName()).parents and Path(kept.fileName()).is_file()
    assert theme.remembered() == "dark" and remembered.settings().value("geometry") == QByteArray(b"somewhere")


def test_a_dialog_begins_at_home_then_where_a_file_was_chosen(tmp_path: Path) -> None:
    assert remembered.folder() == str(Path.home())
    (tmp_path / "texts").mkdir()
    remembered.use_folder(str(tmp_path / "texts" / "rows.csv"))
    assert remembered.folder() == str(tmp_path / "texts")
    (tmp_path / "texts").rmdir()
    assert remembered.folder() == str(Path.home()), "a folder that is gone is no place to begin"


def test_what_is_chosen_already_is_shown_first(tmp_path: Path) -> None:
    chosen = tmp_path / "rows.csv"
    chosen.write_text("text")
    assert remembered.start_at(str(chosen)) == str(chosen)
    for nowhere in ("", "data/rows.csv", str(tmp_path / "gone.csv")):
        assert remembered.start_at(nowhere) == str(Path.home()), nowhere
