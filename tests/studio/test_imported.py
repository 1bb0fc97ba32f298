"""What the Data screen shows after an import: what came in stays in sight, and no row is left out in silence."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from studio.screens.imported import MOST_CLASSES, Imported, LeftOut
from studio.screens.summary import Summary, kind_of, summary_of
from studio.session import Session
from studio.widgets.long_table import LongTable
from ulmfit_core.config import DataSettings, Recipe

HEAD = ["text", "label", "author", "side"]
MANY = 12_000  # rows left out: more than dataset.json holds


@pytest.fixture
def pages(qtbot) -> tuple[Imported, LeftOut]:
    made = Imported(), LeftOut()
    for page in made:
        page.resize(560, 520)
        qtbot.addWidget(page)
        page.show()
        qtbot.waitExposed(page)
    return made


@pytest.fixture
def import_rows(session: Session, run_job, tmp_path: Path):
    """Import these rows in a project of their own; what then lies there."""

    def run(rows: list[list[str]], **settings: object) -> Summary:
        path = tmp_path / "rows.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([HEAD, *rows])
        data = DataSettings(**{"data": str(path), "text": ["text"], "label": "label", **settings})
        session.create(tmp_path / "project", Recipe(data=data))
        ended = run_job(session, "import")
        assert ended.status == "done", ended.reason
        return summary_of(session.project.dataset_folder)

    return run


def good(count: int) -> list[list[str]]:
    return [[f"text number {n}", "ab"[n % 2], f"author {n % 10}", ""] for n in range(count)]


def show(pages: tuple[Imported, LeftOut], summary: Summary | None) -> None:
    for page in pages:
        page.show_summary(summary)


def test_before_an_import_each_page_says_what_will_be_there(pages):
    show(pages, None)
    imported, left_out = pages
    assert "will appear here" in imported.label.text() and "There are none." in left_out.label.text()
    hidden = (imported.strip, imported.facts, imported.heading, imported.table, left_out.table, left_out.save,
              left_out.reasons, left_out.note)  # fmt: skip
    assert not any(part.isVisible() for part in hidden)


def test_rows_by_split_and_classes_with_their_shares(pages, import_rows):
    rows = [*good(60), *([f"more of a {n}", "a", "", ""] for n in range(60))]
    show(pages, import_rows(rows))
    assert pages[0].label.text() == "120 rows: training 97, validation 11, test 12."
    assert pages[0].heading.text() == "2 classes"
    table = [dict(zip(["class", "train", "valid", "test", "share"], row)) for row in pages[0].table.texts()]
    assert [(row["class"], row["share"]) for row in table] == [("a", "75.0%"), ("b", "25.0%")]
    assert [sum(int(row[split]) for row in table) for split in ("train", "valid", "test")] == [97, 11, 12]


def test_folds_groups_repeats_and_transductive_are_told(pages, import_rows):
    rows = [*good(100), ["text number 0", "b", "author 0", ""], ["text number 2", "a", "author 2", ""]]
    show(pages, import_rows(rows, split="folds", folds=4, fold=2, group_column="author", transductive=True))
    facts = [fact.removeprefix("•  ") for fact in pages[0].facts.text().split("\n")]
    assert "10 groups of “author”." in facts and "Fold 2 of 4 is kept aside." in facts
    assert "2 rows repeat the text of an earlier row." in facts and "1 text carries more than one label." in facts
    assert sum("transductive is switched on" in fact for fact in facts) == 1


def test_general_text_is_counted(pages, import_rows, tmp_path):
    (tmp_path / "wiki.txt").write_text("one two three\nfour five\n", encoding="utf-8")
    show(pages, import_rows(good(40), corpus=str(tmp_path / "wiki.txt")))
    assert "General text: 2 documents, 5 words." in pages[0].facts.text()


def test_without_labels_there_is_no_empty_table(pages, import_rows):
    show(pages, import_rows(good(40), label=""))
    assert pages[0].label.text() == "40 rows: unlabelled 40. No row has a label, so there is nothing to classify."
    assert not pages[0].table.isVisible() and not pages[0].heading.isVisible()


def test_a_warning_of_the_import_stays_when_the_project_is_opened_again(pages, import_rows, session):
    rows = [*good(60), ["the only one", "rare", "", ""], ["", "a", "", ""]]
    show(pages, import_rows(rows))
    warning = pages[0].warning.text()
    assert "“rare” (1)" in warning and "Rows left out: 1 (" in warning and pages[0].strip.isVisible()
    folder = session.project.folder
    session.close_project()
    session.open(folder)
    again = Imported()
    again.show_summary(summary_of(session.project.dataset_folder))
    assert again.warning.text() == warning


def test_the_warnings_of_an_earlier_import_go_with_it(pages, import_rows, session, run_job):
    show(pages, import_rows([*good(60), ["the only one", "rare", "", ""]]))
    assert pages[0].strip.isVisible()
    path = Path(session.project.recipe.data.data)
    path.write_text(path.read_text(encoding="utf-8").replace("the only one,rare,,\n", ""), encoding="utf-8")
    session.change("data.seed", 7)
    assert run_job(session, "import").status == "done"
    show(pages, summary_of(session.project.dataset_folder))
    assert not pages[0].strip.isVisible() and pages[0].label.text().startswith("60 rows")


def test_a_dataset_whose_run_was_deleted_is_still_counted(pages, import_rows, session):
    import_rows([*good(60), ["the only one", "rare", "", ""]], transductive=True)
    session.project.delete_run(session.project.runs()[-1])
    show(pages, summary_of(session.project.dataset_folder))
    assert pages[0].label.text().startswith("61 rows") and not pages[0].strip.isVisible()
    assert "transductive is switched on" in pages[0].facts.text(), "the dataset itself remembers it"


def test_of_very_many_classes_the_largest_are_listed(pages, import_rows):
    rows = [[f"text {n} {copy}", f"class {n}", "", ""] for n in range(MOST_CLASSES + 200) for copy in range(3)]
    rows += [[f"more {n}", "class 1150", "", ""] for n in range(9)]
    show(pages, import_rows(rows))
    assert pages[0].heading.text() == "1,200 classes, the 1,000 largest"
    table = pages[0].table.texts()
    assert len(table) == MOST_CLASSES and table[0][0] == "class 1150" and table[0][-1] == "0.33%"


# Rows left out


@pytest.fixture
def broken(import_rows) -> Summary:
    """Every third row has no text; every third has a split that is none."""
    rows = good(MANY // 2 * 3)
    for n, row in enumerate(rows):
        if n % 3 == 1:
            row[0] = ""
        elif n % 3 == 2:
            row[3] = f"side {n}"
    return import_rows(rows, split_column="side")


def test_every_row_left_out_is_listed_with_its_row_in_the_file(pages, broken):
    show(pages, broken)
    assert pages[1].label.text().startswith("12,000 rows could not be used.")
    listed = pages[1].table.texts()
    assert pages[1].table.model().rowCount() == len(listed) == MANY
    # The head is row 1 of a spreadsheet, so that text number n stands in row n + 2.
    assert listed[:2] == [
        ["rows.csv", "3", "no text"], ["rows.csv", "4", "the split “side 2” is not train, valid or test"],
    ]  # fmt: skip
    assert [int(row) for _, row, _ in listed] == [n + 2 for n in range(MANY // 2 * 3) if n % 3]


def test_reasons_are_counted_over_all_rows_whatever_cell_they_quote(pages, broken):
    show(pages, broken)
    assert sorted(pages[1].reasons.texts()) == [
        ["6,000", "no text"], ["6,000", "the split “…” is not train, valid or test"],
    ]  # fmt: skip
    assert kind_of("the class “x” has no training row (id 7)") == "the class “…” has no training row"
    assert kind_of("3 columns instead of 2") == "3 columns instead of 2"


def test_the_warning_counts_all_rows_too(pages, broken):
    show(pages, broken)
    assert "Rows left out: 12,000 (6,000 × no text" in pages[0].warning.text()


def test_a_long_cell_is_quoted_by_its_beginning(pages, import_rows):
    show(pages, import_rows([*good(40), ["a text", "a", "", "side " * 5000]], split_column="side"))
    reason = pages[1].table.texts()[0][2]
    assert reason.startswith("the split “side side") and reason.endswith("…” is not train, valid or test")
    assert len(reason) < 200


def test_one_reason_needs_no_table_of_reasons(pages, import_rows):
    show(pages, import_rows([*good(40), ["", "a", "", ""]]))
    assert pages[1].label.text() == "1 row could not be used. Mend it in the file and import again."
    assert not pages[1].reasons.isVisible() and pages[1].table.texts() == [["rows.csv", "42", "no text"]]


def test_the_whole_list_is_saved_as_csv(pages, broken, tmp_path, qtbot):
    show(pages, broken)
    pages[1].save_to(tmp_path / "list")
    qtbot.waitUntil(lambda: pages[1].note.isVisible())
    assert pages[1].note.text() == f"Saved 12,000 rows to {tmp_path / 'list.csv'}."
    assert (tmp_path / "list.csv").read_bytes() == (broken.folder / "bad_rows.csv").read_bytes()
    with (tmp_path / "list.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["file", "row", "reason"], *pages[1].table.texts()]


def test_a_place_that_takes_no_file_is_told(pages, broken, tmp_path, qtbot):
    show(pages, broken)
    (tmp_path / "file").write_text("")
    pages[1].save_to(tmp_path / "file" / "list.csv")
    qtbot.waitUntil(lambda: pages[1].note.isVisible())
    assert "cannot be written" in pages[1].note.text() and pages[1].note.property("role") == "problem"


def test_the_same_summary_leaves_the_marked_row_in_place(pages, broken):
    show(pages, broken)
    pages[1].table.selectRow(700)
    show(pages, summary_of(broken.folder))
    assert [index.row() for index in pages[1].table.selectionModel().selectedRows()] == [700]


def test_the_same_dataset_is_counted_once(broken):
    assert summary_of(broken.folder).found is summary_of(broken.folder).found


# The table of any length


@pytest.fixture
def table(qtbot) -> LongTable:
    made = LongTable("Numbers")
    made.resize(400, 300)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def rows_of(count: int) -> list[tuple[str, int]]:
    return [(f"name {n}", n) for n in range(count)]


def seconds_to_show_and_scroll(table: LongTable, rows: list[tuple[str, int]]) -> float:
    began = time.process_time()
    table.set_rows(["Name", "Number"], rows)
    for share in range(10):
        table.verticalScrollBar().setValue(table.verticalScrollBar().maximum() * share // 9)
        QApplication.processEvents()
    return time.process_time() - began


def test_a_hundred_times_the_rows_scroll_as_fast(table):
    few, many = rows_of(1000), rows_of(100_000)
    seconds_to_show_and_scroll(table, few)
    times = [(seconds_to_show_and_scroll(table, few), seconds_to_show_and_scroll(table, many)) for _ in range(3)]
    assert min(long for _, long in times) < 3 * min(short for short, _ in times) + 0.01
    assert table.rowAt(table.viewport().height() - 20) == 99_999, "the last row is in sight"


def test_numbers_are_flush_right_and_cells_tell_their_whole_text(table):
    table.set_rows(["Name", "Number"], rows_of(3))
    sides = [table.model().index(0, place).data(Qt.ItemDataRole.TextAlignmentRole) for place in (0, 1)]
    assert sides[0] & Qt.AlignmentFlag.AlignLeft and sides[1] & Qt.AlignmentFlag.AlignRight
    assert table.model().index(2, 0).data(Qt.ItemDataRole.ToolTipRole) == "name 2"


def test_copy_takes_the_marked_rows_or_all(qtbot, table):
    table.set_rows(["Name", "Number"], rows_of(3))
    table.selectRow(1)
    qtbot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QApplication.clipboard().text() == "Name\tNumber\nname 1\t1"
    table.clearSelection()
    table.copy()
    assert QApplication.clipboard().text() == "Name\tNumber\nname 0\t0\nname 1\t1\nname 2\t2"
