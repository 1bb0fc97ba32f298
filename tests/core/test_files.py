"""Artefacts are whole or absent; logs only grow."""

import csv
import io
import json
import os

import pytest

from ulmfit_core import files


def test_a_written_file_replaces_the_old_one_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "deep" / "facts.json"
    files.write_json(path, {"a": 1})
    files.write_json(path, {"a": "ü"})
    assert json.loads(path.read_text(encoding="utf-8")) == {"a": "ü"}
    assert os.listdir(path.parent) == ["facts.json"]


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "facts.txt"
    files.write_text(path, "old")
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        files.write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["facts.txt"]


def test_a_folder_appears_whole(tmp_path):
    target = tmp_path / "dataset"
    with files.replacing_folder(target) as fresh:
        (fresh / "rows").write_text("1")
        assert not target.exists()
    assert (target / "rows").read_text() == "1"


def test_a_failure_inside_keeps_the_old_folder(tmp_path):
    target = tmp_path / "dataset"
    with files.replacing_folder(target) as fresh:
        (fresh / "rows").write_text("old")
    with pytest.raises(RuntimeError), files.replacing_folder(target) as fresh:
        (fresh / "rows").write_text("new")
        raise RuntimeError
    assert (target / "rows").read_text() == "old"
    assert os.listdir(tmp_path) == ["dataset"]


def test_a_failure_while_swapping_brings_the_old_folder_back(tmp_path, monkeypatch):
    target = tmp_path / "dataset"
    with files.replacing_folder(target) as fresh:
        (fresh / "rows").write_text("old")
    rename = type(target).rename

    def failing(self, to):
        if self.name.startswith(".dataset.") and "old" not in self.name:
            raise OSError("no")
        return rename(self, to)

    monkeypatch.setattr(type(target), "rename", failing)
    with pytest.raises(OSError, match="no"), files.replacing_folder(target) as fresh:
        (fresh / "rows").write_text("new")
    assert (target / "rows").read_text() == "old"


def test_a_folder_left_aside_by_a_crash_comes_back(tmp_path):
    (tmp_path / ".dataset.old-1").mkdir()
    (tmp_path / ".vocab.old-1").mkdir()
    (tmp_path / "vocab").mkdir()
    files.recover(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["dataset", "vocab"]


def test_a_log_grows_and_can_be_cut_back(tmp_path):
    log = files.AppendLog(tmp_path / "log")
    log.write(b"one")
    offset = log.offset
    log.write(b"two")
    log.truncate(offset)
    log.write(b"three")
    log.sync()
    log.close()
    assert (tmp_path / "log").read_bytes() == b"onethree"
    assert files.AppendLog(tmp_path / "log").offset == 8


def test_a_crash_between_two_renames_is_mended(tmp_path):
    aside = tmp_path / ".models.old-123"
    aside.mkdir()
    (aside / "weights").write_text("old")
    files.recover(tmp_path)
    assert (tmp_path / "models" / "weights").read_text() == "old" and os.listdir(tmp_path) == ["models"]


def test_what_was_moved_aside_goes_when_the_new_folder_is_there(tmp_path):
    for name in (".models.old-123", "models"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights").write_text(name)
    files.recover(tmp_path)
    assert (tmp_path / "models" / "weights").read_text() == "models" and os.listdir(tmp_path) == ["models"]


def test_a_streamed_file_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "answers.csv"
    with pytest.raises(RuntimeError), files.replacing_file(target) as log:
        log.write(b"half")
        raise RuntimeError
    assert os.listdir(tmp_path) == []
    with files.replacing_file(target) as log:
        log.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole" and os.listdir(tmp_path) == ["answers.csv"]


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("=1+1", "'=1+1"), ("+1 (555) 123", "'+1 (555) 123"), ("-5+2", "'-5+2"), ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"), ("\rx", "'\rx"), ("-", "'-"), ("-5\n=1", "'-5\n=1"),
        ("-5", "-5"), ("+0.25", "+0.25"), ("-1,234.5", "-1,234.5"), ("-1e-05", "-1e-05"), ("-3%", "-3%"),
        ("-.5", "-.5"), ("a=1", "a=1"), ("", ""), ("'=1", "'=1"),
    ],
)  # fmt: skip
def test_a_cell_that_a_spreadsheet_would_carry_out_is_text(cell, safe):
    assert files.safe_cell(cell) == safe


@pytest.mark.parametrize("cell", ["two\nlines", "a\rb", 'a "word"', "a,b", "a\r\nb", " b "])
def test_a_line_of_csv_is_read_back_as_it_was(cell):
    line = files.csv_line([cell, "next"])
    assert line.endswith("\n") and list(csv.reader(io.StringIO(line, newline=""))) == [[cell, "next"]]
