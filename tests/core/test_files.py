"""Artefacts are whole or absent; logs only grow."""

import csv
import errno
import io
import json
import os
import stat
from pathlib import Path

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


@pytest.fixture
def kept_by_others(monkeypatch):
    """What is called so cannot be removed, as on NFS while somebody reads it."""
    unlink = os.unlink

    def refuse(path, **options):
        if os.path.basename(path) == "kept by others":
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), path)
        unlink(path, **options)

    monkeypatch.setattr(os, "unlink", refuse)
    return monkeypatch


def test_an_old_folder_that_cannot_be_removed_does_no_harm_and_goes_later(tmp_path, kept_by_others):
    target = tmp_path / "dataset"
    for text in ("old", "new", "newer"):
        with files.replacing_folder(target) as fresh:
            (fresh / "kept by others").write_text(text)
        assert (target / "kept by others").read_text() == text
    assert len(os.listdir(tmp_path)) > 1
    target.rename(tmp_path / "moved away")
    files.recover(tmp_path)
    assert not target.exists(), "what is left of an older one is no dataset"
    kept_by_others.undo()
    files.clear_abandoned(tmp_path, "dataset")
    assert os.listdir(tmp_path) == ["moved away"]


def test_a_folder_with_what_cannot_be_removed_leaves_its_name(tmp_path, kept_by_others):
    for _ in range(2):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "kept by others").write_text("")
        files.remove_folder(tmp_path / "run")
        assert not (tmp_path / "run").exists()
    kept_by_others.undo()
    files.clear_abandoned(tmp_path, "run")
    assert os.listdir(tmp_path) == []


def test_what_a_crash_moved_aside_is_never_brought_back_in_part(tmp_path, kept_by_others):
    for name in (".models.old-123", "models"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kept by others").write_text(name)
    files.recover(tmp_path)
    (tmp_path / "models").rename(tmp_path / "moved away")
    files.recover(tmp_path)
    assert not (tmp_path / "models").exists()


def test_a_folder_that_is_not_to_be_replaced_stays(tmp_path):
    target = tmp_path / "run"
    with files.replacing_folder(target, replace=False) as fresh:
        (fresh / "config").write_text("first")
    with pytest.raises(OSError) as told, files.replacing_folder(target, replace=False) as fresh:
        (fresh / "config").write_text("second")
    assert told.value.errno in files.TAKEN
    assert (target / "config").read_text() == "first" and os.listdir(tmp_path) == ["run"]


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


# Who may read and write


@pytest.fixture
def umask():
    """That of a group whose members work on each other's files."""
    if os.name == "nt":
        pytest.skip("Windows knows no modes")
    before = os.umask(0o002)
    yield
    os.umask(before)


def mode_of(path):
    return oct(stat.S_IMODE(path.stat().st_mode))


def test_new_files_and_folders_are_open_to_others_as_the_person_wishes(tmp_path, umask):
    files.write_text(tmp_path / "a.txt", "a")
    with files.replacing_folder(tmp_path / "folder"):
        pass
    assert (mode_of(tmp_path / "a.txt"), mode_of(tmp_path / "folder")) == ("0o664", "0o775")
    os.umask(0o077)
    files.write_text(tmp_path / "b.txt", "b")
    with files.replacing_folder(tmp_path / "other"):
        pass
    assert (mode_of(tmp_path / "b.txt"), mode_of(tmp_path / "other")) == ("0o600", "0o700")


@pytest.mark.parametrize(("mode", "kept"), [(0o600, "0o600"), (0o666, "0o666"), (0o644, "0o644"), (0, "0o600")])
def test_a_replaced_file_stays_open_to_those_it_was_open_to(tmp_path, umask, mode, kept):
    path = tmp_path / "project.toml"
    path.write_text("old")
    path.chmod(mode)
    files.write_text(path, "new")
    assert mode_of(path) == kept and path.read_text() == "new"
    path.chmod(mode)
    with files.replacing_file(path) as log:
        log.write(b"newer")
    assert mode_of(path) == kept and path.read_text() == "newer"


def test_a_link_that_is_replaced_says_nothing_of_who_may_write(tmp_path, umask):
    (tmp_path / "private").write_text("theirs")
    (tmp_path / "private").chmod(0o600)
    (tmp_path / "project.toml").symlink_to(tmp_path / "private")
    files.write_text(tmp_path / "project.toml", "new")
    assert mode_of(tmp_path / "project.toml") == "0o664" and (tmp_path / "private").read_text() == "theirs"


# What a person is told


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE], ids=errno.errorcode.get)
def test_want_of_memory_processes_or_open_files_is_not_told_as_a_broken_disk(number):
    told = files.told(OSError(number, os.strerror(number)))
    assert "disk" not in told and f"no room for more work ({os.strerror(number)}). Close other programs" in told


def test_the_home_of_nobody_is_no_home(monkeypatch) -> None:
    monkeypatch.setenv("HOME", "/place/of/ann")
    assert files.at_home("~/verses") == Path("/place/of/ann/verses")
    assert files.at_home("~nobody-of-that-name/verses") == Path("~nobody-of-that-name/verses")
