"""Files that come together are told apart by name and columns; several of rows are read as one, each under its name."""

import json
import re

import pytest

from tests.core.samples import TABLE, TEXTS, sqlite, tarred, workbook, zipped
from ulmfit_core.config import DataSettings
from ulmfit_core.data.formats import BadRow
from ulmfit_core.data.readers import Choices, Row, choices, inspect, preview, read_rows
from ulmfit_core.data.roles import roles_of
from ulmfit_core.errors import UserError

ARTICLES = b" = One = \n Words of it .\n = Two = \n Others .\n"
LINES = b"".join(b"a line of text that nobody has labelled number %d\n" % n for n in range(30))


@pytest.fixture
def drop(tmp_path):
    """Write files and return their roles with the names of the files in place of their paths."""

    def written(files):
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
        found = roles_of([tmp_path / name.split("/")[0] for name in files])
        return {
            role: [value.removeprefix(f"{tmp_path}/") for value in names] if role == "more"
            else names.removeprefix(f"{tmp_path}/")
            for role, names in found.items()
        }  # fmt: skip

    return written


# Roles


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["test.csv"], {"data": "test.csv"}),
        (["dev.csv", "test.csv", "train.csv"], {"data": "train.csv", "valid": "dev.csv", "test": "test.csv"}),
        (["b_valid.csv", "b.csv"], {"data": "b.csv", "valid": "b_valid.csv"}),
        (["imdb_unsup.csv", "imdb_train.csv"], {"data": "imdb_train.csv", "unlabelled": "imdb_unsup.csv"}),
        (["part10.csv", "part9.csv", "part1.csv"], {"data": "part1.csv", "more": ["part9.csv", "part10.csv"]}),
        (["latest.csv", "contest.csv"], {"data": "contest.csv", "more": ["latest.csv"]}),
        (["test.csv", "unsup.csv"], {"test": "test.csv", "unlabelled": "unsup.csv"}),
    ],
)
def test_names_say_what_a_file_is_for(drop, names, roles):
    assert drop(dict.fromkeys(names, TABLE)) == roles


def test_looks_say_what_a_file_is_for(drop):
    files = {
        "a.csv": TABLE, "articles.txt": ARTICLES, "others.txt": LINES, "wiki.train.txt": LINES, "c.tsv": TABLE,
    }  # fmt: skip
    with pytest.raises(UserError, match=r"articles.txt and wiki.train.txt both seem to be general text"):
        drop(files)
    del files["wiki.train.txt"]
    assert drop(files) == {"data": "a.csv", "more": ["c.tsv"], "corpus": "articles.txt", "unlabelled": "others.txt"}


def test_a_file_that_lacks_the_label_is_unlabelled(drop):
    rows = b"id,text,label\n" + b"".join(b"%d,some words of text,%d\n" % (n, n % 2) for n in range(20))
    bare = b"id,text\n" + b"".join(b"%d,some other words\n" % n for n in range(20))
    assert drop({"one.csv": bare, "two.csv": rows}) == {"data": "two.csv", "unlabelled": "one.csv"}


@pytest.mark.parametrize("name", ["labels.txt", "answers.txt"])
def test_labels_beside_texts(drop, name):
    assert drop({name: b"pos\nneg\n" * 15, "words.txt": LINES}) == {"data": "words.txt", "labels_file": name}


def test_folders_are_told_by_their_names(drop):
    files = {
        f"{part}/{label}/{n}.txt": b"words" for part in ("train", "test") for label in ("neg", "pos") for n in (1, 2)
    }
    assert drop(files) == {"data": "train", "test": "test"}


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a.csv": TABLE, "labels.txt": b"joy\nanger\n"}, "labels.txt seems to hold labels, which go beside a file"),
        ({"a.csv": TABLE, "b.csv": b"body,kind\na b,1\nc d,2\n"},
         "b.csv fits nowhere beside a.csv: its columns are “body”, “kind”, not “text”, “label”."),
        ({"train.csv": TABLE, "test1.csv": TABLE, "test2.csv": TABLE},
         "test1.csv and test2.csv both seem to be test rows, for which there is one place."),
        ({"a.csv": TABLE, "b.csv": b""}, "b.csv is empty."),
    ],
)  # fmt: skip
def test_a_file_that_fits_nowhere_is_named(drop, files, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        drop(files)


# Several files as one


def several(tmp_path, **files):
    for name, content in files.items():
        (tmp_path / f"{name}.csv").write_bytes(content)
    first, *others = (tmp_path / f"{name}.csv" for name in files)
    return first, DataSettings(text=["text"], label="label", more=[str(other) for other in others])


def test_several_files_are_read_as_one_under_their_names(tmp_path):
    first, settings = several(tmp_path, b=TABLE, test=TABLE + b"a,b,c\n", a=TABLE.replace(b",", b";"))
    rows = list(read_rows(first, settings))
    good = [row for row in rows if isinstance(row, Row)]
    assert [(row.file, row.number, row.text) for row in good] == [
        (f"{name}.csv", number, text) for name in ("b", "test", "a") for number, text in zip((2, 3), TEXTS)
    ]
    # Whoever gives a file as one more of the data means its rows to be parted with the others.
    assert {row.split for row in good} == {""}
    assert [row for row in rows if isinstance(row, BadRow)] == [BadRow("test.csv", 4, "3 columns instead of 2")]
    seen = preview(first, settings)
    assert len(seen.rows) == 6 and seen.bad == [BadRow("test.csv", 4, "3 columns instead of 2")]


def test_progress_of_several_files_goes_from_nothing_to_all(tmp_path):
    first, settings = several(tmp_path, **dict.fromkeys("abc", b"text,label\n" + b"some words,x\n" * 30_000))
    source = inspect(first, settings)
    shares = [source.position.share for _ in read_rows(first, settings, source)]
    assert shares == sorted(shares) and shares[0] < 0.1 and shares[45_000] == pytest.approx(0.5, abs=0.2)
    assert shares[-1] == 1


def test_archives_among_several_files_keep_the_names_and_splits_of_their_members(tmp_path):
    first, settings = several(tmp_path, a=TABLE)
    (tmp_path / "b.zip").write_bytes(zipped({"train.csv": TABLE, "test.csv": TABLE}))
    rows = list(read_rows(first, settings.model_copy(update={"more": ["b.zip"]})))
    assert [(row.file, row.split) for row in rows[::2]] == [
        ("a.csv", ""), ("b.zip/train.csv", "train"), ("b.zip/test.csv", "test"),
    ]  # fmt: skip


def test_several_workbooks(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.xlsx").write_bytes(workbook())
    rows = list(read_rows(tmp_path / "a.xlsx", DataSettings(text=["text"], more=["b.xlsx"])))
    assert [(row.file, row.text) for row in rows] == [(f"{n}.xlsx", text) for n in ("a", "b") for text in TEXTS]


@pytest.mark.parametrize("other", [b"text,kind\na b,x\nc d,y\n", b"text,label,more\na b,x,1\nc d,y,2\n"])
def test_files_that_differ_in_columns_are_refused_with_both_names(tmp_path, other):
    first, settings = several(tmp_path, a=TABLE, b=other)
    with pytest.raises(UserError, match=r"^b.csv has other columns \(text, .*\) than a.csv \(text, label\)"):
        inspect(first, settings)


def test_further_files_beside_a_file_of_labels_are_refused(tmp_path):
    first, settings = several(tmp_path, a=TABLE, b=TABLE)
    with pytest.raises(UserError, match="A file of labels belongs to one file of texts."):
        inspect(first, settings.model_copy(update={"labels_file": "b.csv"}))


# What is guessed of columns


def test_split_id_and_group_are_guessed(tmp_path):
    rows = [f"{n},the words of text {n},{'xy'[n % 2]},{n // 3},{('train', 'dev')[n % 2]}" for n in range(60)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["tweet_id,body,kind,author_id,set", *rows]))
    seen = preview(path, DataSettings())
    assert (seen.text, seen.label, seen.id, seen.group, seen.split) == (
        ["body"], "kind", "tweet_id", "author_id", "set",
    )  # fmt: skip


def test_no_split_id_or_group_where_the_cells_do_not_bear_the_name_out(tmp_path):
    rows = [f"{n % 7},the words of text {n},{'xy'[n % 2]},name{n},{n % 3}" for n in range(60)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["tweet_id,body,kind,author,set", *rows]))
    seen = preview(path, DataSettings())
    assert (seen.id, seen.group, seen.split) == ("", "", "")


def test_what_a_preview_tells_of_plain_text_and_patterns(tmp_path):
    (tmp_path / "a.txt").write_bytes(LINES)
    (tmp_path / "b.txt").write_bytes(ARTICLES)
    (tmp_path / "c.txt").write_bytes(b"NUM:dist How far ?\nHUM:desc Who ?\nNUM:date When ?\n")
    seen = {name: preview(tmp_path / f"{name}.txt", DataSettings()) for name in "abc"}
    assert [(look.unit, look.pattern) for look in seen.values()] == [
        ("line", ""), ("article", ""), ("", "LABEL:fine text"),
    ]  # fmt: skip
    assert preview(tmp_path / "a.txt", DataSettings(text_unit="paragraph")).unit == "paragraph"


# Choices

LISTS = {"names": ["a", "b"], "train": [{"text": "a b", "label": 1}], "test": [{"text": "c d", "label": 2}] * 2}
OTHER = b"body\tkind\nsome other words\tx\nand more of them\ty\n"


@pytest.mark.parametrize(
    ("name", "content", "settings", "expected"),
    [
        ("a.csv", TABLE, {}, Choices([], [])),
        ("a.xlsx", workbook(), {"sheet": "none"}, Choices([], ["First", "Sheet1"])),
        ("a.db", sqlite(("one", "two")), {}, Choices([], ["one", "two"])),
        ("b.db", sqlite(("one",)), {}, Choices([], [])),
        ("a.json", json.dumps(LISTS).encode(), {}, Choices([], ["names", "train", "test"])),
        ("a.jsonl", b'{"text": "a", "tags": ["x"]}\n' * 3, {}, Choices([], [])),
        ("a.zip", zipped({"a.csv": TABLE, "b.tsv": OTHER}), {}, Choices(["a.csv", "b.tsv"], [])),
        ("b.zip", zipped({"a.csv": TABLE}), {}, Choices([], [])),
        ("c.zip", zipped({"a.xlsx": workbook(), "b.csv": TABLE}), {"member": "a.xlsx"},
         Choices(["a.xlsx", "b.csv"], ["First", "Sheet1"])),
        ("d.zip", zipped({"a.db": sqlite(("one", "two"))}), {}, Choices([], ["one", "two"])),
        ("e.tar", tarred({f"{label}/{n}.txt": b"words" for label in "xy" for n in range(3)}), {}, Choices([], [])),
    ],
)  # fmt: skip
def test_what_can_be_chosen(tmp_path, name, content, settings, expected):
    path = tmp_path / name
    path.write_bytes(content)
    assert choices(path, DataSettings(**settings)) == expected


def test_a_list_of_a_json_file_is_picked(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(LISTS))
    with pytest.raises(UserError, match="a.json is JSON of another shape"):
        inspect(path, DataSettings())
    source = inspect(path, DataSettings(sheet="test"))
    assert source.columns == ["text", "label"] and source.sheet == "test"
    rows = list(read_rows(path, DataSettings(text=["text"], label="label", sheet="test")))
    assert [(row.number, row.text, row.split) for row in rows] == [(1, "c d", ""), (2, "c d", "")]
    with pytest.raises(UserError, match="a.json has no list “none” with anything in it."):
        inspect(path, DataSettings(sheet="none"))
