"""The table: what is copied, what is flush right, what stands there without rows."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from studio.widgets.table import Table


@pytest.fixture
def table(qtbot) -> Table:
    made = Table("Cities")
    qtbot.addWidget(made)
    made.set_rows(["City", "People"], [["Ulm", 126_000], ["Bonn", 330_000]])
    return made


def test_copy_takes_headers_and_marked_rows_as_a_spreadsheet_reads_them(qtbot, table):
    table.selectRow(1)
    qtbot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QApplication.clipboard().text() == "City\tPeople\nBonn\t330000"
    table.clearSelection()
    table.copy()
    assert QApplication.clipboard().text().count("\n") == 2, "without a mark everything is copied"


def test_numbers_and_their_headings_are_flush_right(table):
    sides = [Qt.AlignmentFlag(table.item(0, column).textAlignment()) for column in (0, 1)]
    assert sides[0] & Qt.AlignmentFlag.AlignLeft and sides[1] & Qt.AlignmentFlag.AlignRight
    assert Qt.AlignmentFlag(table.horizontalHeaderItem(1).textAlignment()) & Qt.AlignmentFlag.AlignRight


def test_long_text_is_cut_in_the_cell_and_whole_in_the_tooltip(table):
    table.set_rows(["Text", "Label"], [["word " * 200, "x"]])
    assert table.columnWidth(0) <= 420
    assert table.item(0, 0).toolTip() == "word " * 200


def test_fewer_rows_leave_nothing_of_the_old_ones(table):
    table.set_rows(["City"], [["Ulm"]])
    assert table.texts() == [["Ulm"]]


def test_the_widest_column_gives_way_so_that_all_are_seen(qtbot, table):
    table.resize(460, 200)
    table.show()
    qtbot.waitExposed(table)
    table.set_rows(["Text", "Label", "Rows"], [["word " * 200, "happy", "12"]])
    assert sum(table.columnWidth(column) for column in range(3)) <= table.viewport().width()
    assert table.columnWidth(0) >= 140


def test_where_not_all_columns_fit_the_text_keeps_its_share(qtbot, table):
    table.resize(460, 200)
    table.show()
    qtbot.waitExposed(table)
    many = [f"Column {number}" for number in range(9)]
    rows = [["word " * 200, *["a few words"] * 9]]
    table.set_rows(["Text", *many], rows)
    assert table.columnWidth(0) == 140
    table.kept_share = 0.5
    table.set_rows(["Text", *many], rows)
    assert table.columnWidth(0) == round(table.viewport().width() / 2)
