"""The study of the rate finder: its table, and that the page has the figures of its rows."""

import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def finder():
    return import_module("finder")


@pytest.fixture
def rows(finder):
    return sys.modules["study"].rows_of(ROOT / finder.RESULTS)


def test_each_row_is_one_training_at_a_rate_and_the_default_is_among_them(finder, rows):
    places = [(row["set"], row["rate"]) for row in rows]
    assert len(set(places)) == len(places) > 5
    assert all((name, finder.DEFAULT) in places for name in {row["set"] for row in rows})


def test_the_table_has_a_line_for_each_row_by_set_and_rate(finder, rows):
    lines = finder.table(list(reversed(rows))).splitlines()[2:]
    assert len(lines) == len(rows) and lines[0].startswith("| TREC-6 | 0.01 | valley | 0.751 |")


def test_the_page_has_the_figures_of_the_rows(finder, rows):
    page = (ROOT / "docs/results.md").read_text(encoding="utf-8").split("## The rate finder")[1].split("\n## ")[0]
    for row in rows:
        shown = [f"{row[name]:.3g}".lstrip("0") for name in ("rate", "accuracy", "macro_f1")]
        assert all(figure.ljust(4, "0") in page or figure in page for figure in shown), row
