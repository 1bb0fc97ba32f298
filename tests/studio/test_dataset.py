"""The Data screen: preview, mapping, import; errors leave the project as it was."""

from __future__ import annotations

import re
import sqlite3
import zipfile
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QComboBox

from studio.main_window import MainWindow
from studio.screens import places
from studio.screens.dataset import AGAIN, ALONE, DatasetScreen
from studio.screens.reading import applying
from studio.widgets.path_field import FILTER
from ulmfit_core.config import DataSettings, Recipe
from ulmfit_core.data.containers import PACKED_ENDINGS
from ulmfit_core.data.folders import ROWS_ENDINGS
from ulmfit_core.events import Started
from ulmfit_core.project import Project
from ulmfit_core.run import Run


@pytest.fixture
def screen(window: MainWindow, tmp_path: Path) -> DatasetScreen:
    """Of a project that has no data yet."""
    window.session.create(tmp_path / "project", Recipe())
    screen = window.screens["dataset"]
    assert isinstance(screen, DatasetScreen)
    return screen


def settle(screen: DatasetScreen, qtbot) -> None:
    """Wait until the files are sorted and looked at."""
    busy = (screen._sorting, screen._looking)
    qtbot.waitUntil(lambda: not any(each.busy for each in busy), timeout=20_000)
    qtbot.waitUntil(lambda: not screen.preview.label.text().startswith("Reading"), timeout=20_000)


def choose(screen: DatasetScreen, path: Path, qtbot) -> None:
    """Type the path and press Enter; wait until the file was looked at."""
    field = screen.mapping.fields["data"].edit
    field.clear()
    qtbot.keyClicks(field, str(path))
    qtbot.keyClick(field, Qt.Key.Key_Return)
    settle(screen, qtbot)


def drop(screen: DatasetScreen, qtbot, *paths: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    screen.dropEvent(QDropEvent(QPointF(9, 9), copy, mime, left, none))
    settle(screen, qtbot)


def pick(screen: DatasetScreen, qtbot, name: str, value: str) -> None:
    """Choose a value in one of the lists that say how the file is read."""
    screen.mapping.reading_card.open()
    box = screen.mapping.reading.controls[name]
    assert isinstance(box, QComboBox) and box.isVisible()
    box.setCurrentIndex(box.findData(value))
    box.activated.emit(box.currentIndex())
    settle(screen, qtbot)


def choose_column(box: QComboBox, column: str) -> None:
    box.setCurrentIndex(box.findData(column))
    box.activated.emit(box.currentIndex())


def offered(screen: DatasetScreen) -> set[str]:
    screen.mapping.reading_card.open()
    return {name for name, control in screen.mapping.reading.controls.items() if control.isVisible()}


def row_names(screen: DatasetScreen) -> list[str]:
    table = screen.preview.table
    return [table.verticalHeaderItem(row).text() for row in range(table.rowCount())]


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
    assert screen.mapping.columns.label.currentData() == "label"
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
    choose_column(screen.mapping.columns.label, "")
    assert heads(screen)[1] == "label"
    screen.mapping.columns.text.item(1).setCheckState(Qt.CheckState.Checked)
    assert screen.draft.text == ["text", "label"] and screen.draft.label == ""
    press_import(screen, qtbot)
    assert screen.session.project.recipe.data.text == ["text", "label"]


def test_columns_are_kept_to_compare_by(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    lines = csv_file.read_text(encoding="utf-8").splitlines()
    rated = [f"{line},{number % 3},{number}" for number, line in enumerate(lines[1:])]
    rated_file = csv_file.with_name("rated.csv")
    rated_file.write_text("\n".join([f"{lines[0]},stars,page", *rated]) + "\n", encoding="utf-8")
    choose(screen, csv_file, qtbot)
    kept = screen.mapping.kept
    assert not kept.isVisibleTo(screen), "nothing but text and label is there to keep"
    choose(screen, rated_file, qtbot)
    assert [action.text() for action in kept.menu.actions()] == ["stars", "page"]
    for number, told in ((1, "page"), (0, "2 columns")):
        kept.menu.actions()[number].trigger()
        assert kept.button.text() == told
    assert screen.draft.keep == ["stars", "page"], "in the order of the file"
    assert heads(screen)[2:] == ["stars  ▸ kept", "page  ▸ kept"]
    press_import(screen, qtbot)
    assert screen.session.project.recipe.data.keep == ["stars", "page"]
    choose(screen, csv_file, qtbot)
    assert screen.draft.keep == []


def test_without_a_text_column_there_is_no_import(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    choose(screen, csv_file, qtbot)
    screen.mapping.columns.text.item(0).setCheckState(Qt.CheckState.Unchecked)
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
    if refused.path.name == "column.csv":
        screen.mapping.splits.changed.emit("test", str(refused.path))
    else:
        choose(screen, refused.path, qtbot)
    if screen.bar.start.isEnabled():
        if refused.path.name == "oneclass.csv":
            choose_column(screen.mapping.columns.label, "label")
        press_import(screen, qtbot)
    assert refused.sentence in screen.notice.text
    assert tree(folder) == before
    assert screen.session.project.state("import").mark == "done"


def test_a_file_can_be_dropped(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    drop(screen, qtbot, csv_file)
    assert screen.preview.table.isVisible()
    assert screen.draft.data == str(csv_file)


def test_a_draft_survives_a_look_at_another_screen(screen: DatasetScreen, window, csv_file: Path, qtbot) -> None:
    choose(screen, csv_file, qtbot)
    window.go("vocab")
    window.go("dataset")
    assert screen.mapping.fields["data"].path() == str(csv_file)
    assert screen.draft.label == "label"


# Several files, and what each is for


@pytest.fixture
def parts(csv_file: Path) -> dict[str, Path]:
    """Files that belong together, one of each kind."""
    rows = csv_file.read_text(encoding="utf-8")
    made = {name: csv_file.with_name(f"{name}.csv") for name in ("train_a", "train_b", "test", "valid")}
    for path in made.values():
        path.write_text(rows, encoding="utf-8")
    made["unsup"] = csv_file.with_name("unsup.txt")
    made["unsup"].write_text("A line of text without any label.\n" * 5, encoding="utf-8")
    return made


def placed(screen: DatasetScreen) -> dict[str, str]:
    """Name of each file, and the place that its line shows."""
    return {Path(path).name: line.place.read() for path, line in screen.mapping.places.lines.items()}


def test_several_dropped_files_are_sorted_and_shown(screen: DatasetScreen, parts, qtbot) -> None:
    drop(screen, qtbot, *parts.values())
    assert placed(screen) == {
        "train_a.csv": "data", "train_b.csv": "more", "valid.csv": "valid", "test.csv": "test",
        "unsup.txt": "unlabelled",
    }  # fmt: skip
    assert screen.mapping.places.isVisible() and screen.bar.start.isEnabled()
    press_import(screen, qtbot)
    assert screen.session.project.state("import").mark == "done"
    assert screen.session.project.recipe.data.more == [str(parts["train_b"])]


def test_files_change_places(screen: DatasetScreen, parts, qtbot) -> None:
    drop(screen, qtbot, parts["train_a"], parts["test"])
    line = screen.mapping.places.lines[str(parts["train_a"])]
    line.place.setCurrentIndex(line.place.findData("test"))
    line.place.activated.emit(line.place.currentIndex())
    settle(screen, qtbot)
    assert (screen.draft.data, screen.draft.test) == (str(parts["test"]), str(parts["train_a"]))
    assert placed(screen) == {"train_a.csv": "test", "test.csv": "data"}


def test_a_file_can_be_left_out(screen: DatasetScreen, parts, qtbot) -> None:
    drop(screen, qtbot, parts["train_a"], parts["train_b"])
    qtbot.mouseClick(screen.mapping.places.lines[str(parts["train_a"])].remove, Qt.MouseButton.LeftButton)
    settle(screen, qtbot)
    assert (screen.draft.data, screen.draft.more) == (str(parts["train_b"]), [])
    assert not screen.mapping.places.isVisible()  # one file needs no list


@pytest.mark.parametrize("place", ["valid", "corpus", "more"])
def test_no_file_is_lost_when_one_moves(place: str) -> None:
    settings = DataSettings(data="a", more=["b", "c"], valid="d", corpus="e")
    for path in "abcde":
        knobs = places.moved(settings, path, place)
        assert set(places.places_of(DataSettings(**knobs))) == set("abcde")
        assert knobs["data"]


def test_a_further_file_is_added_and_can_be_used_alone(screen: DatasetScreen, parts, qtbot) -> None:
    drop(screen, qtbot, parts["train_a"])
    drop(screen, qtbot, parts["test"])
    assert (screen.draft.data, screen.draft.test) == (str(parts["train_a"]), str(parts["test"]))
    assert "test.csv" in screen.notice.text and screen.notice.action.text() == ALONE
    qtbot.mouseClick(screen.notice.action, Qt.MouseButton.LeftButton)
    settle(screen, qtbot)
    assert (screen.draft.data, screen.draft.test) == (str(parts["test"]), "")


def test_a_file_that_fits_nowhere_is_refused_and_can_be_used_alone(
    screen: DatasetScreen, csv_file: Path, tmp_path: Path, qtbot
) -> None:
    other = tmp_path / "other.csv"
    other.write_text("name;age;town\n" + "Ann;30;Rome\n" * 5, encoding="utf-8")
    drop(screen, qtbot, csv_file)
    drop(screen, qtbot, other)
    assert "fits nowhere beside" in screen.notice.text
    assert screen.draft.data == str(csv_file)
    qtbot.mouseClick(screen.notice.action, Qt.MouseButton.LeftButton)
    settle(screen, qtbot)
    assert screen.draft.data == str(other)


def test_a_file_that_cannot_be_read_gives_way_to_the_next(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    empty, photo = csv_file.with_name("empty.csv"), csv_file.with_name("photo.jpg")
    empty.touch()
    photo.write_bytes(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 9)
    for path in (empty, photo):
        drop(screen, qtbot, path)
        assert path.name in screen.notice.text and not screen.bar.start.isEnabled()
        assert not screen.mapping.splits_card.isVisible()  # there is nothing to split
    drop(screen, qtbot, csv_file)
    assert screen.draft.data == str(csv_file) and not screen.notice.text
    assert screen.bar.start.isEnabled()


# What is folded


def test_what_is_seldom_changed_is_folded_and_says_what_it_holds(screen: DatasetScreen, parts, qtbot) -> None:
    mapping = screen.mapping
    assert mapping.about.isVisible() and not mapping.splits_card.isVisible()
    drop(screen, qtbot, parts["train_a"], parts["test"], parts["unsup"])
    assert not mapping.about.isVisible()
    assert not any(card.is_open for card in (mapping.reading_card, mapping.splits_card, mapping.texts_card))
    assert "Test: the rows of test.csv." in mapping.splits_card.summary.text()
    assert mapping.texts_card.summary.text() == "unsup.txt"
    qtbot.mouseClick(mapping.splits_card.heading, Qt.MouseButton.LeftButton)
    assert mapping.splits.way.isVisible() and not mapping.splits_card.summary.isVisible()


def test_what_is_closed_stays_closed_until_another_file(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    """A file that is refused opens the card in which that may be mended."""
    broken = csv_file.with_name("empty.csv")
    broken.touch()
    choose(screen, broken, qtbot)
    card = screen.mapping.reading_card
    assert card.is_open
    qtbot.mouseClick(card.heading, Qt.MouseButton.LeftButton)
    screen._show_draft()
    assert not card.is_open
    choose(screen, csv_file.with_name("gone.csv"), qtbot)
    choose(screen, broken, qtbot)
    assert card.is_open


def test_after_a_change_it_says_that_the_import_is_older(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    choose(screen, csv_file, qtbot)
    assert screen.bar.label.text() == "Not imported yet: press Import."
    press_import(screen, qtbot)
    choose_column(screen.mapping.columns.label, "")
    assert screen.bar.label.text() == "Changed since the import: press Import to use it."


def test_the_dialog_names_every_kind_that_is_read() -> None:
    named = set(re.findall(r"\*(\.\w+)", FILTER.split(";;")[0]))
    assert named >= {*ROWS_ENDINGS, *PACKED_ENDINGS, ".txt", ".zip", ".tar"}


# How a file is read


def test_a_wrong_guess_is_overruled_where_it_is_seen(screen: DatasetScreen, tmp_path: Path, qtbot) -> None:
    path = tmp_path / "verses.csv"
    path.write_bytes("".join(f"caf\xe9 {n}, tea;good, {n}\n" for n in range(30)).encode("cp1252"))
    choose(screen, path, qtbot)
    pick(screen, qtbot, "delimiter", ";")
    assert screen.preview.table.texts()[0] == ["caf\xe9 0, tea", "good, 0"]
    pick(screen, qtbot, "encoding", "cp1251")
    assert screen.preview.table.texts()[0][0] == "caf\u0439 0, tea"
    pick(screen, qtbot, "header", "yes")
    assert heads(screen)[0].startswith("caf\u0439 0, tea")
    assert row_names(screen)[0] == "2"  # as a spreadsheet numbers it
    pick(screen, qtbot, "kind", "auto")
    assert screen.draft.delimiter == "auto"


def test_the_guess_stands_in_the_lists(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    choose(screen, csv_file, qtbot)
    shown = {name: screen.mapping.reading.controls[name].currentText() for name in offered(screen)}
    assert shown == {
        "kind": "Automatic: table", "delimiter": "Automatic: comma", "header": "Automatic: names the columns",
        "encoding": "Automatic: Unicode, UTF-8",
    }  # fmt: skip


def test_only_what_counts_for_the_file_is_offered(screen: DatasetScreen, tmp_path: Path, qtbot) -> None:
    lines, objects = tmp_path / "verses.txt", tmp_path / "verses.jsonl"
    lines.write_text("A verse about the sea and nothing else\n" * 30, encoding="utf-8")
    objects.write_text('{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n' * 9, encoding="utf-8")
    choose(screen, lines, qtbot)
    assert offered(screen) == {"kind", "text_unit", "encoding", "labels_file"}
    choose(screen, objects, qtbot)
    assert offered(screen) == {"encoding"}
    assert screen.mapping.reading.note.text() == "JSON, one object a line."


def test_a_missing_file_offers_nothing_to_choose(screen: DatasetScreen, tmp_path: Path, qtbot) -> None:
    choose(screen, tmp_path / "gone.csv", qtbot)
    assert offered(screen) == set() and not screen.mapping.reading_card.isVisible()


def test_what_was_set_can_be_set_back_when_the_file_is_refused(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    choose(screen, csv_file, qtbot)
    pick(screen, qtbot, "encoding", "utf-16")
    assert screen.notice.text and not screen.bar.start.isEnabled()
    assert "encoding" in offered(screen)
    pick(screen, qtbot, "encoding", "auto")
    assert screen.bar.start.isEnabled()
    assert applying(screen.draft, screen.look) == offered(screen)


def test_lines_are_taken_apart_by_a_pattern(screen: DatasetScreen, tmp_path: Path, qtbot) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("".join(f"The match number {n} was won #{'good' if n % 2 else 'bad'}\n" for n in range(30)))
    choose(screen, path, qtbot)
    pick(screen, qtbot, "kind", "pattern")
    pick(screen, qtbot, "line_pattern", "{text} #{label}")
    assert heads(screen) == ["text  ▸ text", "label  ▸ label"]
    assert screen.preview.table.texts()[1] == ["The match number 1 was won", "good"]
    box = screen.mapping.reading.controls["line_pattern"]
    box.setEditText("{text} number {rest}")
    qtbot.keyClick(box.lineEdit(), Qt.Key.Key_Return)
    settle(screen, qtbot)
    assert heads(screen) == ["text  ▸ text", "rest"]


def test_a_table_can_be_read_as_plain_text(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    choose(screen, csv_file, qtbot)
    pick(screen, qtbot, "kind", "text")
    assert heads(screen) == ["text  ▸ text"]
    assert screen.preview.table.texts()[0] == ["text,label"]
    pick(screen, qtbot, "text_unit", "paragraph")
    assert screen.preview.table.rowCount() == 1


def test_labels_may_stand_in_a_file_beside(screen: DatasetScreen, tmp_path: Path, qtbot) -> None:
    texts, labels = tmp_path / "texts.txt", tmp_path / "labels.txt"
    texts.write_text("".join(f"A verse about the sea and number {n}\n" for n in range(30)))
    labels.write_text("good\nbad\n" * 15)
    drop(screen, qtbot, texts, labels)
    assert placed(screen) == {"texts.txt": "data", "labels.txt": "labels_file"}
    assert heads(screen) == ["text  ▸ text", "label  ▸ label"]
    assert screen.preview.table.texts()[1] == ["A verse about the sea and number 1", "bad"]


def test_an_archive_of_unlike_tables_offers_the_choice(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    path = csv_file.with_name("two.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(csv_file, "verses.csv")
        archive.writestr("poets.csv", "name,born,town\n" + "Ann,1900,Rome\n" * 5)
    choose(screen, path, qtbot)
    assert screen.bar.label.text() == "Choose what is read in the file."
    assert offered(screen) == {"member"}
    pick(screen, qtbot, "member", "verses.csv")
    assert heads(screen) == ["text  ▸ text", "label  ▸ label"]
    assert screen.notice.text == "" and screen.bar.start.isEnabled()


def test_a_table_of_a_database_is_chosen(screen: DatasetScreen, tmp_path: Path, qtbot) -> None:
    path = tmp_path / "shop.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE towns (name TEXT)")
        database.execute("INSERT INTO towns VALUES ('Rome')")
        database.execute("CREATE TABLE reviews (body TEXT, stars INTEGER)")
        database.executemany("INSERT INTO reviews VALUES (?, ?)", [(f"a fine thing {n}", n % 2) for n in range(20)])
    choose(screen, path, qtbot)
    assert heads(screen) == ["name  ▸ text"]
    assert screen.mapping.reading.titles["sheet"].text() == "Table"
    pick(screen, qtbot, "sheet", "reviews")
    assert heads(screen) == ["body  ▸ text", "stars  ▸ label"]


# Columns and rows


def test_texts_are_joined_in_the_chosen_order(screen: DatasetScreen, tmp_path: Path, qtbot) -> None:
    path = tmp_path / "mails.csv"
    rows = [f"{n},Hello {n},This is the body of mail {n},{'ab'[n % 2]}" for n in range(30)]
    path.write_text("\n".join(["id,title,body,label", *rows]), encoding="utf-8")
    choose(screen, path, qtbot)
    columns = screen.mapping.columns
    assert (screen.draft.id_column, columns.id.currentData()) == ("id", "id")
    assert not columns.earlier.isVisible()
    columns.text.item(1).setCheckState(Qt.CheckState.Checked)
    columns.text.setCurrentRow(1)
    assert heads(screen)[:2] == ["body  ▸ text 1", "title  ▸ text 2"]
    qtbot.mouseClick(columns.earlier, Qt.MouseButton.LeftButton)
    assert heads(screen)[:2] == ["title  ▸ text 1", "body  ▸ text 2"]
    assert screen.draft.text == ["title", "body"]
    assert "xxfld 1 title + xxfld 2 body" in columns.joined.text()
    assert not columns.earlier.isEnabled() and columns.later.isEnabled()


def test_a_wrong_column_is_seen_at_once(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    choose(screen, csv_file, qtbot)
    columns = screen.mapping.columns
    choose_column(columns.id, "text")
    columns.text.item(0).setCheckState(Qt.CheckState.Unchecked)
    columns.text.item(1).setCheckState(Qt.CheckState.Checked)
    assert heads(screen) == ["label  ▸ text", "text  ▸ id"]


def test_rows_that_cannot_be_used_are_marked_with_the_reason(screen: DatasetScreen, csv_file: Path, qtbot) -> None:
    lines = csv_file.read_text(encoding="utf-8").splitlines()
    lines[2] = ",happy"
    csv_file.write_text("\n".join(lines), encoding="utf-8")
    choose(screen, csv_file, qtbot)
    rows = dict(zip(row_names(screen), screen.preview.table.texts()))
    assert rows["3"] == ["✕ no text", "happy"]
    assert rows["7"][0] == "✕ 3 columns instead of 2"
    assert row_names(screen) == [str(number) for number in range(2, 63)]
    assert screen.preview.label.text().endswith("Of the first 61 rows 2 cannot be used (✕).")


def test_a_file_that_is_left_out_of_a_folder_is_named(screen: DatasetScreen, tmp_path: Path, qtbot) -> None:
    for label in ("good", "bad"):
        (tmp_path / "films" / label).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "films" / label / f"{number}.txt").write_text(f"a {label} film, {number}", encoding="utf-8")
    (tmp_path / "films" / "notes.txt").write_text("what I thought of them", encoding="utf-8")
    drop(screen, qtbot, tmp_path / "films")
    assert heads(screen) == ["text  ▸ text", "label  ▸ label"]
    marked = [row[0] for row in screen.preview.table.texts() if "✕" in row[0]]
    assert marked == ["✕ notes.txt: not in a folder of a label"]
    assert screen.mapping.reading.note.text() == "A folder for each label."


def test_columns_of_one_name_are_told_apart(screen: DatasetScreen, tmp_path: Path, qtbot) -> None:
    path = tmp_path / "twice.csv"
    rows = [f"short {n},The long text of row number {n},{'ab'[n % 2]}" for n in range(30)]
    path.write_text("\n".join(["text,text,label", *rows]), encoding="utf-8")
    choose(screen, path, qtbot)
    pick(screen, qtbot, "header", "yes")
    assert screen.draft.text == ["2"] and heads(screen) == ["Column 2  ▸ text", "label  ▸ label", "Column 1"]
    press_import(screen, qtbot)
    assert screen.session.project.state("import").mark == "done"


def test_a_file_sorted_by_class_is_known_by_the_name_of_its_column(
    screen: DatasetScreen, tmp_path: Path, qtbot
) -> None:
    path = tmp_path / "sorted.csv"
    rows = [f"{n % 5},A review of some length with number {n},{'neg' if n < 1500 else 'pos'}" for n in range(3000)]
    path.write_text("\n".join(["rating,text,label", *rows]), encoding="utf-8")
    choose(screen, path, qtbot)
    assert screen.draft.label == "label"


def test_columns_given_by_number_stay_those_that_were_imported(
    window: MainWindow, project_session, run_job, qtbot
) -> None:
    project_session.change("data.text", ["1"])
    project_session.change("data.label", "2")
    assert run_job(project_session, "import").status == "done"
    reopen(window)
    window.go("dataset")
    screen = window.screens["dataset"]
    assert isinstance(screen, DatasetScreen)
    settle(screen, qtbot)
    assert heads(screen) == ["text  ▸ text", "label  ▸ label"]
    assert screen.bar.label.text() == "This is what was imported."


# An import that was cut off


def cut_off_import(project: Project, recipe: Recipe) -> None:
    """What is left of an import whose process was killed: a run without a last word."""
    run = Run(Project(project.folder, recipe).new_run_folder("import"))
    run.emit(Started("import", "Import the data"))
    run.close()


def reopen(window: MainWindow) -> None:
    folder = window.session.project.folder
    window.session.close_project()
    window.session.open(folder)


def test_after_a_cut_off_import_the_choice_is_back_and_can_be_imported(
    window: MainWindow, project_session, run_job, recipe: Recipe, qtbot
) -> None:
    assert run_job(project_session, "import").status == "done"
    folder = project_session.project.dataset_folder
    before = tree(folder)
    chosen = recipe.model_copy(deep=True)
    chosen.data.label, chosen.data.text = "", ["label"]
    cut_off_import(project_session.project, chosen)
    reopen(window)
    screen = window.screens["dataset"]
    assert window.current == "dataset" and isinstance(screen, DatasetScreen)
    settle(screen, qtbot)
    assert "verses.csv was cut off" in screen.notice.text and "imported before is untouched" in screen.notice.text
    assert (screen.draft.text, screen.draft.label) == (["label"], "")
    assert tree(folder) == before
    assert screen.notice.action.text() == AGAIN
    with qtbot.waitSignal(window.session.run_ended, timeout=60_000) as ended:
        qtbot.mouseClick(screen.notice.action, Qt.MouseButton.LeftButton)
    assert ended.args[1].status == "done"
    assert window.session.project.recipe.data.text == ["label"]


def test_a_finished_import_is_not_taken_for_cut_off(window: MainWindow, project_session, run_job, qtbot) -> None:
    assert run_job(project_session, "import").status == "done"
    reopen(window)
    assert window.current == "vocab"
    window.go("dataset")
    assert window.screens["dataset"].notice.text == ""
