"""Every kind of file is read inside gz, xz, bz2, zst, zip and tar, by its content; archives give what they hold."""

import datetime
import decimal
import gzip
import io
import json
import sqlite3
import tarfile

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from tests.core.samples import KINDS, LABELS, PACK, TABLE, TEXTS, WRAP, arrow, sqlite, tarred, workbook, zipped
from ulmfit_core.config import DataSettings
from ulmfit_core.data import containers, patterns
from ulmfit_core.data.formats import BadRow
from ulmfit_core.data.readers import Row, inspect, preview, read_rows, read_texts
from ulmfit_core.errors import UserError


def write(path, content):
    path.write_bytes(content)
    return path


def rows_of(path, **settings):
    return list(read_rows(path, DataSettings(**settings)))


def read(path, **settings):
    """(texts, labels, bad rows)"""
    rows = rows_of(path, **{"text": ["text"], "label": "label", **settings})
    good = [row for row in rows if isinstance(row, Row)]
    return [row.text for row in good], [row.label for row in good], [row for row in rows if isinstance(row, BadRow)]


@pytest.mark.parametrize("wrap", WRAP)
def test_a_table_in_every_container(tmp_path, wrap):
    assert read(write(tmp_path / f"a.csv.{wrap}", WRAP[wrap](TABLE))) == (TEXTS, LABELS, [])


@pytest.mark.parametrize("wrap", ["plain", "gz", "zst", "zip", "tar.xz"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_by_its_content_whatever_its_ending(tmp_path, kind, wrap):
    content = KINDS[kind] if wrap == "plain" else WRAP[wrap](KINDS[kind])
    assert read(write(tmp_path / "misnamed.dat", content)) == (TEXTS, LABELS, [])


def test_a_packed_file_inside_an_archive(tmp_path):
    path = write(tmp_path / "a.zip", zipped({"a.csv.gz": gzip.compress(TABLE)}))
    assert read(path)[0] == TEXTS


def test_zst_of_several_frames(tmp_path):
    pack = PACK["zst"]
    assert read(write(tmp_path / "a.csv.zst", pack(TABLE[:20]) + pack(TABLE[20:])))[0] == TEXTS


def test_position_of_a_packed_file_goes_from_nothing_to_all(tmp_path):
    body = b"".join(b"words %d of a text,pos\n" % n for n in range(20_000))
    for wrap in ("zst", "tar.gz", "zip"):
        path = write(tmp_path / f"a.{wrap}", WRAP[wrap](b"text,label\n" + body))
        source = inspect(path, DataSettings())
        shares = [source.position.share for _ in read_rows(path, DataSettings(text=["text"]), source)]
        assert shares == sorted(shares) and shares[0] < 0.5 < shares[15_000] <= 1


# Archives of several members

REVIEWS = {
    f"aclImdb/{split}/{label}/{n}_9.txt": f"{split} {label} text {n}".encode()
    for split, labels in (("train", ("neg", "pos", "unsup")), ("test", ("neg", "pos")))
    for label in labels
    for n in range(3)
}
EXTRAS = {"aclImdb/README": b"about the data", "aclImdb/imdb.vocab": b"the\na\n", "aclImdb/train/urls_pos.txt": b"http"}


@pytest.mark.parametrize("wrap", ["folder", "zip", "tar", "tar.gz"])
def test_folders_by_label_with_splits(tmp_path, wrap):
    files = {**EXTRAS, **REVIEWS}
    path = tmp_path / f"reviews.{wrap}"
    if wrap == "folder":
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            write(path / name, content)
    else:
        write(path, zipped(files) if wrap == "zip" else PACK.get(wrap[4:], bytes)(tarred(files)))
    rows = rows_of(path, text=["text"], label="label")
    assert preview(path, DataSettings()).columns == ["text", "label", "split"]
    expected = {
        (content.decode(), "" if "unsup" in name else name.split("/")[2], name.split("/")[1])
        for name, content in REVIEWS.items()
    }
    assert {(row.text, row.label, row.split) for row in rows if isinstance(row, Row)} == expected
    bad = {row.file.removeprefix(f"{path.name}/") for row in rows if isinstance(row, BadRow)}
    assert bad == set(EXTRAS)


def test_a_folder_for_each_label_without_splits_and_names_without_endings(tmp_path):
    files = {f"news/sci.{topic}/{n}": b"words on %s" % topic.encode() for topic in ("space", "med") for n in range(4)}
    texts, labels, bad = read(write(tmp_path / "a.tar.gz", gzip.compress(tarred(files))))
    assert sorted(set(labels)) == ["sci.med", "sci.space"] and len(texts) == 8 and not bad


def test_one_table_beside_papers_is_read_and_the_papers_are_named(tmp_path):
    path = write(tmp_path / "a.zip", zipped({"d/readme.txt": "hello", "d/data.csv": TABLE, "__MACOSX/x": "junk"}))
    texts, labels, bad = read(path)
    assert (texts, labels, bad) == (TEXTS, LABELS, [BadRow("a.zip/d/readme.txt", 1, "not a table, not read")])


@pytest.mark.parametrize("wrap", [zipped, tarred])
def test_like_members_are_read_one_after_the_other_under_their_names(tmp_path, wrap):
    broken = TABLE + b"a,b,c\n"
    path = write(tmp_path / "a.pack", wrap({"x/train.csv": TABLE, "x/test.csv": broken}))
    rows = rows_of(path, text=["text"], label="label")
    assert [(row.file, row.split) for row in rows if isinstance(row, Row)] == (
        [("a.pack/x/train.csv", "train")] * 2 + [("a.pack/x/test.csv", "test")] * 2
    )
    assert rows[-1] == BadRow("a.pack/x/test.csv", 4, "3 columns instead of 2")
    assert len(list(read_texts(path, DataSettings(), inspect(path, DataSettings(), labelled=False)))) == 5


def test_a_member_can_be_picked(tmp_path):
    other = b"body,kind\nsome other words,x\nand more of them,y\n"
    path = write(tmp_path / "a.zip", zipped({"x/a.csv": TABLE, "x/b.tsv": other.replace(b",", b"\t")}))
    with pytest.raises(UserError, match="a.zip holds several files: “x/a.csv”, “x/b.tsv”. Say which one .*data.member"):
        rows_of(path)
    assert read(path, member="x/a.csv")[0] == read(path, member="a.csv")[0] == TEXTS
    assert read(path, member="b.tsv", text=["body"], label="kind")[1] == ["x", "y"]
    with pytest.raises(UserError, match="a.zip has no member “c.csv”. It holds “x/a.csv”, “x/b.tsv”."):
        rows_of(path, member="c.csv")


def test_many_texts_without_folders_are_a_document_each(tmp_path):
    path = write(tmp_path / "a.zip", zipped({f"docs/{n}.txt": f"one\n\ndocument {n}" for n in range(60)}))
    source = inspect(path, DataSettings(), labelled=False)
    assert [row.text for row in read_texts(path, DataSettings(), source)][7] == "one\n\ndocument 7"


def test_nothing_in_an_archive_is_written_or_followed(tmp_path):
    secret = write(tmp_path / "secret.csv", TABLE)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("a.csv")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        archive.addfile(link)
        entry = tarfile.TarInfo("b.csv")
        entry.size = len(TABLE)
        archive.addfile(entry, io.BytesIO(TABLE.replace(b"nice", b"kind")))
    path = write(tmp_path / "a.tar", out.getvalue())
    texts, _, bad = read(path)
    assert texts[0] == "some kind words" and bad == [BadRow("a.tar/a.csv", 1, "a link, which is never followed")]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tar", "secret.csv"]


# Spreadsheets


def test_sheets_numbers_and_rows_of_a_workbook(tmp_path):
    rows = [("text", "score"), ("one", 3.0), ("two", 0.1 + 0.2), ("", ""), ("three", 570306000000000000)]
    path = write(tmp_path / "a.xlsx", workbook(rows, sheet="Second", skip=3))
    found = rows_of(path, text=["text"], label="score")
    assert [(row.number, row.label) for row in found] == [(5, "3"), (6, "0.3"), (8, "570306000000000000")]
    with pytest.raises(UserError, match="a.xlsx has no sheet “Third”. It has: “First”, “Second”. .*data.sheet"):
        rows_of(path, sheet="Third")


def test_dates_as_a_person_would_type_them():
    from ulmfit_core.data.workbooks import _typed

    moment = datetime.datetime(2024, 1, 5)
    assert [_typed(value) for value in (moment, moment.replace(hour=9), moment.date(), True)] == [
        "2024-01-05", "2024-01-05 09:00:00", "2024-01-05", "TRUE",
    ]  # fmt: skip


# SQLite, Arrow


def test_a_table_of_a_database_is_picked_and_the_file_stays_as_it_is(tmp_path):
    path = write(tmp_path / "a.db", sqlite(("one", "two")))
    before = path.read_bytes()
    assert inspect(path, DataSettings()).sheet == "one"
    assert read(path, sheet="two")[0] == TEXTS
    with pytest.raises(UserError, match="a.db has no table “six”. It has: “one”, “two”."):
        rows_of(path, sheet="six")
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.db"]


def test_a_database_in_use_is_refused(tmp_path):
    path = write(tmp_path / "a.db", sqlite())
    write(tmp_path / "a.db-wal", b"unwritten rows")
    with pytest.raises(UserError, match="a.db is in use by another program. Close it there first."):
        rows_of(path)


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_dates_and_exact_numbers_of_parquet_and_arrow(tmp_path, kind):
    moment = pa.array([1704445800123456789, None], pa.timestamp("ns"))
    table = pa.table({
        "text": ["some nice words", "some bad words"],
        "ns": moment, "zone": moment.cast(pa.timestamp("ns", "Europe/Berlin")),
        "ms": pa.array([1704445800123] * 2, pa.timestamp("ms")), "day": [datetime.date(2024, 1, 5)] * 2,
        "time": pa.array([34200000000001] * 2, pa.time64("ns")), "span": pa.array([5] * 2, pa.duration("ns")),
        "id": [decimal.Decimal("12345678901234567890")] * 2, "price": [decimal.Decimal("1.50")] * 2,
    })  # fmt: skip
    write_table = pq.write_table if kind == "parquet" else feather.write_feather
    write_table(table, tmp_path / "a.dat")
    assert preview(tmp_path / "a.dat", DataSettings()).rows[0] == [
        "some nice words", "2024-01-05 09:10:00.123456789", "2024-01-05 10:10:00.123456789+0100",
        "2024-01-05 09:10:00.123000", "2024-01-05", "09:30:00.000000001", "5", "12345678901234567890", "1.5",
    ]  # fmt: skip
    assert rows_of(tmp_path / "a.dat", text=["text"], label="ns")[1].label == ""


def test_numbers_too_large_to_be_written_out_stay_short(tmp_path):
    path = write(tmp_path / "a.json", b'[{"text": "a b", "n": 1e400}, {"text": "c d", "n": 1e999999999}]')
    assert [row.label for row in rows_of(path, text=["text"], label="n")] == ["1E+400", "1E+999999999"]


def test_dates_of_sqlite_are_what_is_stored(tmp_path):
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("CREATE TABLE rows (text, at TIMESTAMP)")
        database.execute("INSERT INTO rows VALUES ('some words', '2024-01-05 09:30:00.123456789'), ('x', 1704445800)")
    database.close()
    assert [row.label for row in rows_of(tmp_path / "a.db", text=["text"], label="at")] == [
        "2024-01-05 09:30:00.123456789", "1704445800",
    ]  # fmt: skip


def test_compressed_feather(tmp_path):
    assert read(write(tmp_path / "a.feather", arrow("lz4")))[1] == LABELS


# JSON


def test_an_object_of_named_lists_says_the_split(tmp_path):
    lists = {"oos_val": [["a b", "oos"]], "train": [["c d", "x"], ["e f", "y"]], "oos_test": [["g h", "oos"], ["odd"]]}
    rows = rows_of(write(tmp_path / "a.json", json.dumps(lists, indent=4).encode()), text=["1"], label="2")
    assert [(row.text, row.split) for row in rows[:-1]] == [
        ("a b", "valid"), ("c d", "train"), ("e f", "train"), ("g h", "test"),
    ]  # fmt: skip
    assert rows[-1] == BadRow("a.json", 5, "not of the shape of the first one")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_json_in_other_encodings_with_halves_of_characters(tmp_path, encoding):
    rows = [{"text": f"caf\xe9 number {n}", "label": n % 2 + 0.0} for n in range(30)]
    content = json.dumps({"version": 2, "data": rows, "end": None}, ensure_ascii=False).encode(encoding)
    texts, labels, bad = read(write(tmp_path / "a.json", content))
    assert texts[7] == "caf\xe9 number 7" and labels[7] == "1" and len(texts) == 30 and not bad
    path = write(tmp_path / "b.jsonl", b'{"text": "half \\ud83d of one", "label": 12345678901234567890}\n')
    assert read(path)[:2] == (["half \ufffd of one"], ["12345678901234567890"])


# Text


def test_paragraphs(tmp_path):
    path = write(tmp_path / "a.txt", b"one, two\nthree\n\n \r\nfour\n\n\nfive\nsix")
    rows = rows_of(path, text_unit="paragraph")
    assert [(row.number, row.text) for row in rows] == [(1, "one, two\nthree"), (5, "four"), (8, "five\nsix")]
    assert len(rows_of(path, text_unit="line")) == 5


def test_titles_are_lines_where_lines_are_asked_for(tmp_path):
    path = write(tmp_path / "a.txt", b" = One = \nWords .\n = Two = \nOther .\n")
    assert len(rows_of(path)) == 2 and len(rows_of(path, text_unit="line")) == 4


def test_labels_of_trec_and_fasttext_are_recognised(tmp_path):
    trec = write(tmp_path / "a.label", b"NUM:dist How far is it ?\nHUM:desc Who was he ?\nNUM:date When : then ?\n")
    assert read(trec)[:2] == (["How far is it ?", "Who was he ?", "When : then ?"], ["NUM", "HUM", "NUM"])
    assert read(trec, text=["2"], label="1")[1] == ["NUM:dist", "HUM:desc", "NUM:date"]
    fast = write(tmp_path / "b.txt", b"__label__x some words\n__label__x __label__y more\n__label__y, z, end\n")
    assert read(fast)[:2] == (["some words", "more", "z, end"], ["x", "x,y", "y,"])
    assert preview(fast, DataSettings()).label == "label"


@pytest.mark.parametrize(
    ("pattern", "line", "cells"),
    [
        ("{label}:{fine} {text}", "A:b some: text", ["A", "b", "some: text"]),
        ("{label} {text}", "A:b some text", ["A:b", "some text"]),
        ("{text} @ {label}", "me @ home @ good", ["me @ home", "good"]),
        ("{id}|{text}|{group}|{label}", "7|a|b|c|d", ["7", "a|b", "c", "d"]),
        ("<{label}> {text} .", "<x> some words .", ["x", "some words"]),
        ("{text} ({label})", "some (odd) words (x)", ["some (odd) words", "x"]),
        ("{label}:{text}", "no mark", None),
        ("<{label}> {text}", "x> words", None),
        ("{text}!", "no end", None),
        ("{text}({a})({b})", "text(1)", None),
    ],
)
def test_line_patterns(pattern, line, cells):
    assert patterns.splitter(pattern)(line) == cells


def test_lines_that_do_not_follow_the_pattern_are_bad_rows(tmp_path):
    path = write(tmp_path / "a.txt", b"x: some words\n\nnone here\ny: others\n")
    texts, labels, bad = read(path, line_pattern="{label}: {text}")
    assert (texts, labels) == (["some words", "others"], ["x", "y"])
    assert bad == [BadRow("a.txt", 3, "does not follow the line pattern")]


def test_texts_and_labels_in_two_files(tmp_path):
    texts = write(tmp_path / "texts.txt", b"one, two\n\nthree\n")
    write(tmp_path / "labels.txt", b"x\ny\nz\n")
    assert read(texts, labels_file="labels.txt") == (
        ["one, two", "three"], ["x", "z"], [BadRow("texts.txt", 2, "no text")],
    )  # fmt: skip


# Bounds


def test_expansion_is_measured_against_what_was_packed():
    containers.check_expansion("a", containers.FREE_BYTES, 1)
    containers.check_expansion("a", 10 * containers.FREE_BYTES, containers.FREE_BYTES)
    for size, packed in ((containers.FREE_BYTES + 1, 1), (containers.LARGEST + 1, containers.LARGEST)):
        with pytest.raises(UserError, match="a unpacks to more than 200 times its size"):
            containers.check_expansion("a", size, packed)
