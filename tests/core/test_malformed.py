"""Each kind of malformed file gets the sentence that says where it is wrong, in bounded memory and time, with nothing
written; and whatever bytes come in, what comes out are rows or such a sentence, never another exception.
"""

import bz2
import functools
import gzip
import io
import json
import lzma
import random
import re
import struct
import subprocess
import sys
import tarfile
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core import samples as make
from ulmfit_core.config import DataSettings
from ulmfit_core.data.formats import BadRow
from ulmfit_core.data.readers import Row, preview, read_rows
from ulmfit_core.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
MB = 2**20
TABLE = make.TABLE
BODY = b"text,label\n" + b"".join(b"words %d of some text,pos\n" % n for n in range(300))
NOISE = random.Random(1).randbytes(5000)
CUT = "is cut short: it ends before its content does. Fetch or pack the file again."
DAMAGED = "is damaged and cannot be unpacked. Fetch or pack the file again."
NO_LIST = "is cut short or damaged: its list of members cannot be read. Fetch it again."
EMPTY = "is empty. Choose a file with at least a few rows of text."
BINARY = "holds binary data, not text."
LOCKED = "is locked with a password."
OUTSIDE = "is a path that leads out of the archive."


class Case(NamedTuple):
    """A file as it is made, and the sentence it must be answered with, or the reason its bad row must give."""

    name: str
    content: bytes
    sentence: str
    settings: dict = {}


def half(data):
    return data[: len(data) // 2]


def spoiled(data, place=0.5):
    middle = int(len(data) * place)
    return data[:middle] + bytes(byte ^ 0x5A for byte in data[middle : middle + 8]) + data[middle + 8 :]


def entry(name, kind=tarfile.REGTYPE, target="", content=TABLE):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, target
        member.size = len(content) if kind == tarfile.REGTYPE else 0
        archive.addfile(member, io.BytesIO(content) if kind == tarfile.REGTYPE else None)
    return out.getvalue()


def linked_zip():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("a.csv")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return out.getvalue()


def locked(data):
    """A zip whose members claim to be encrypted, in their own headers and in the list at the end."""
    content = bytearray(data)
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = content.find(signature)
        while place >= 0:
            content[place + offset] |= 1
            place = content.find(signature, place + 4)
    return bytes(content)


def ole(*names):
    """The first sectors of an OLE file with streams of these names."""
    return (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + b"".join(n.encode("utf-16-le") for n in names) + bytes(900)
    )


def spoiled_parquet():
    data = make.parquet()
    return data[:4] + b"\xff" * 40 + data[44:]


def wide_zip(count=11):
    return make.zipped({f"{n}.{'csv' if n % 2 else 'tsv'}": TABLE for n in range(count)})


PACKED = [
    Case(f"cut.csv.{kind}", half(pack(BODY + NOISE)), f"cut.csv.{kind} {CUT}") for kind, pack in make.PACK.items()
]
SPOILED = [
    Case("bad.csv.gz", spoiled(gzip.compress(BODY + NOISE), 0.9), f"bad.csv.gz {DAMAGED}"),
    Case("bad.csv.xz", spoiled(lzma.compress(BODY + NOISE)), f"bad.csv.xz {DAMAGED}"),
    Case("bad.csv.bz2", spoiled(bz2.compress(BODY + NOISE)), f"bad.csv.bz2 {DAMAGED}"),
    Case("bad.csv.zst", b"\x28\xb5\x2f\xfd" + NOISE, f"bad.csv.zst {DAMAGED}"),
    Case("junk.gz", b"\x1f\x8b" + NOISE, f"junk.gz {DAMAGED}"),
    Case("tail.csv.gz", gzip.compress(BODY) + b"and more", f"tail.csv.gz {DAMAGED}"),
]
CUT_ARCHIVES = [
    Case(f"cut.tar.{kind}", half(pack(make.tarred({"a.csv": BODY + NOISE}))), f"cut.tar.{kind} {CUT}")
    for kind, pack in make.PACK.items()
] + [
    Case("cut.tar", make.tarred({"a.csv": BODY})[:2000], f"cut.tar {CUT}"),
    Case("between.tar", make.tarred({"a.csv": TABLE, "b.csv": TABLE})[:1024], f"between.tar {CUT}"),
    Case("header.tar", make.tarred({"a.csv": TABLE, "b.csv": TABLE})[:1300], f"header.tar {CUT}"),
    Case("cut.zip", half(make.zipped({"a.csv": BODY + NOISE})), f"cut.zip {NO_LIST}"),
    Case("start.zip", b"PK\3\4", f"start.zip {NO_LIST}"),
    Case("crc.zip", spoiled(make.zipped({"a.csv": BODY}, zipfile.ZIP_STORED)), f"crc.zip/a.csv {DAMAGED}"),
]
ARCHIVES = [
    Case("locked.zip", locked(make.zipped({"a.csv": TABLE})), "locked.zip/a.csv is locked with a password."),
    Case("picked.zip", locked(make.zipped({"a.csv": TABLE})), "picked.zip/a.csv cannot be read: it is locked",
         {"member": "a.csv"}),
    Case("none.zip", make.zipped({}), "none.zip holds no file that has anything in it."),
    Case("none.tar", make.tarred({}), f"none.tar {BINARY}"),
    Case("hollow.zip", make.zipped({"a.csv": b""}), "hollow.zip holds no file that has anything in it."),
    Case("link.zip", linked_zip(), "link.zip/a.csv is a link, which is never followed."),
    Case("link.tar", entry("a.csv", tarfile.SYMTYPE, "/etc/passwd"), "link.tar/a.csv is a link, which is never"),
    Case("hard.tar", entry("a.csv", tarfile.LNKTYPE, "../b"), "hard.tar/a.csv is a link, which is never followed."),
    Case("fifo.tar", entry("a.csv", tarfile.FIFOTYPE), "fifo.tar/a.csv is a device, not a file."),
    Case("up.tar", entry("../a.csv"), f"up.tar/../a.csv {OUTSIDE}"),
    Case("root.tar", entry("/etc/a.csv"), f"root.tar//etc/a.csv {OUTSIDE}"),
    Case("up.zip", make.zipped({"x/../../a.csv": TABLE}), f"up.zip/x/../../a.csv {OUTSIDE}"),
    Case("drive.zip", make.zipped({"C:/a.csv": TABLE}), f"drive.zip/C:/a.csv {OUTSIDE}"),
    Case("several.zip", wide_zip(), "“9.csv” and 1 more. Say which one to read with the setting data.member."),
    Case("unlike.zip", make.zipped({"a.csv": TABLE, "b.csv": b"text,kind\nx y,1\nz w,2\n"}),
         "unlike.zip/b.csv has other columns (text, kind) than unlike.zip/a.csv (text, label)."),
    Case("nested.zip", make.zipped({"a.zip": make.zipped({"a.csv": TABLE})}), "nested.zip/a.zip is an archive inside"),
    Case("inner.zip", make.zipped({"a.csv.gz": half(gzip.compress(BODY + NOISE))}), f"inner.zip/a.csv.gz {CUT}"),
]  # fmt: skip
TABLES = [
    Case("zero.csv", BODY + b"some \0 words,pos\n", "zero.csv is damaged: row 302 holds a zero byte"),
    Case("late.csv", BODY * 10 + b"some \0 words,pos\n", "late.csv is damaged: row 3,011 holds a zero byte"),
    Case("zeros.csv", bytes(5000), f"zeros.csv {BINARY}"),
    Case("noise.txt", NOISE, f"noise.txt {BINARY}"),
    Case("ragged.csv", b"text,label\na b,x\nc,d,e\nf\n", "ragged.csv is broken or not separated by “,”: row 3 has 3"),
    Case("ragged2.csv", BODY + b"a,b,c\n", "ragged2.csv 302: 3 columns instead of 2"),
    Case("mark.csv", BODY, "mark.csv has no column “text”. Its columns are: “text,label”.",
         {"delimiter": ";", "header": "yes"}),
    Case("open.csv", TABLE + b'"open,x\nmore,y\n', "open.csv is broken: a quote that opens in row 4 is never closed."),
    Case("header.csv", b"text,label\n", "header.csv has a header in row 1 but no rows below it."),
    Case("twice.csv", b"text,text,label\na b,c d,x\ne f,g h,y\n",
         "twice.csv has the column “text” in row 1 more than once. Choose it by its number (1 or 2), or rename one."),
    Case("absent.csv", b"body,label\na b,x\n", "absent.csv has no column “text”. Its columns are: “body”, “label”."),
    Case("wide.csv", b",".join(b"c%d" % n for n in range(100_000)) + b"\n" + b"1," * 99_999 + b"1\n",
         "wide.csv has 100,000 columns in row 1; more than 20,000 cannot be shown."),
    Case("blank.csv", b"text,label\n  ,x\na b,y\n", "blank.csv 2: no text"),
    Case("none.csv", b"", f"none.csv {EMPTY}"),
    Case("space.txt", b" \n\t\r\n \n", f"space.txt {EMPTY}"),
    Case("mark.txt", b"\xef\xbb\xbf", f"mark.txt {EMPTY}"),
    Case("none.csv.gz", gzip.compress(b""), f"none.csv.gz {EMPTY}"),
    Case("page.xls", b"<html><table><tr><td>text</td></tr></table></html>", "page.xls is a web page: open it in"),
    Case("page.xlsx", b"\xef\xbb\xbf\r\n<!DOCTYPE html>\n<table>", "page.xlsx is a web page: open it in"),
    Case("paper.txt", b"%PDF-1.7\nwords\n", "paper.txt is a PDF document"),
    Case("seven.csv", b"7z\xbc\xaf\x27\x1c" + NOISE, "seven.csv is a 7z archive: unpack it first."),
    Case("doc.csv", make.zipped({"word/document.xml": "<w/>"}), "doc.csv is a document of a word processor"),
    Case("codec.csv", TABLE, "There is no encoding “klingon”.", {"encoding": "klingon"}),
]  # fmt: skip
STORED = [
    Case("cut.parquet", half(make.parquet()), "cut.parquet is not a whole Parquet file."),
    Case("bad.parquet", spoiled_parquet(), "bad.parquet is not a whole Parquet file."),
    Case("cut.feather", half(make.arrow()), "cut.feather is not a whole Arrow file."),
    Case("cut.parquet.gz", gzip.compress(half(make.parquet())), "cut.parquet.gz is not a whole Parquet file."),
    Case("cut.db", make.sqlite()[:5000], "cut.db is not a whole SQLite file."),
    Case("bad.db", b"SQLite format 3\0" + NOISE, "bad.db is not a whole SQLite file."),
    Case("bare.db", make.sqlite(()), "bare.db has no table. Choose another file."),
    Case("cut.xlsx", half(make.workbook()), f"cut.xlsx {NO_LIST}"),
    Case("bad.xlsx", spoiled(make.workbook(), 0.52), f"bad.xlsx {DAMAGED}"),
    Case("xml.xlsx", make.workbook([("text", "label"), ("a </b> c", "x")]), "xml.xlsx is not a whole spreadsheet"),
    Case("locked.xlsx", ole("EncryptionInfo", "EncryptedPackage"), f"locked.xlsx {LOCKED}"),
    Case("locked.ods", locked(make.opendocument()), f"locked.ods {LOCKED}"),
    Case("word.xls", ole("WordDocument"), "word.xls is not a whole spreadsheet file."),
    Case("head.xlsx", make.workbook([("text", "label")]), "head.xlsx has a header in row 1 but no rows",
         {"header": "yes"}),
    Case("sheet.xlsx", make.workbook(), "sheet.xlsx has no sheet “x”. It has: “First”, “Sheet1”.", {"sheet": "x"}),
    Case("far.xlsx", make.workbook(far=True), "far.xlsx has 1,048,576 rows and 16,384 columns, too large a sheet"),
]  # fmt: skip
JSON = [
    Case("shape.json", b'{\n"a": 1, "b": {"c": [1, 2]}}', "shape.json is JSON of another shape: it needs an array of"),
    Case("numbers.json", b"[1, 2, 3]", "numbers.json is JSON of another shape"),
    Case("word.json", b"hello", "word.json is not JSON: "),
    Case("cut.json", json.dumps([{"text": "a b", "label": n} for n in range(1200)]).encode()[:-9],
         "cut.json is broken after row 1,199: "),
    Case("deep.json", b"[" * 20_000, "deep.json is"),
    Case("comma.json", b'[{"text": "a b", "label": 1},, {"text": "c"}]', "comma.json is broken after row 1: "),
    Case("list.jsonl", b"[1, 2]\n3\n", "list.jsonl is not JSON lines: it needs one object"),
    Case("odd.jsonl", b'{"text": "a", "label": 1}\nx\ny\n', "odd.jsonl is not JSON lines: 2 of 3 lines are no JSON"),
    Case("deep.jsonl", b'{"text": "a b", "label": 1}\n' * 3 + b"[" * 90_000 + b"\n", "deep.jsonl 4: not a JSON object"),
]  # fmt: skip
PATTERNS = [
    Case("odd.txt", b"a b\nc d\ne: f\n", "odd.txt: 2 of 3 lines do not follow the pattern {label}: {text}.",
         {"line_pattern": "{label}: {text}"}),
    Case("nowhere.txt", b"a b\n", "The line pattern “{label}” must name {text}", {"line_pattern": "{label}"}),
    Case("near.txt", b"a b\n", "needs a sign or a space between its parts.", {"line_pattern": "{label}{text}"}),
]  # fmt: skip
CASES = [*PACKED, *SPOILED, *CUT_ARCHIVES, *ARCHIVES, *TABLES, *STORED, *JSON, *PATTERNS]


def answer(path, **changed):
    """What a person is told of a file: the refusal, or its first bad row."""
    try:
        rows = list(read_rows(path, DataSettings(**{"text": ["text"], "label": "label", **changed})))
    except UserError as error:
        return str(error)
    return next((f"{row.file} {row.row}: {row.reason}" for row in rows if isinstance(row, BadRow)), "nothing")


def test_there_are_many_cases_and_each_has_its_own_name():
    assert len(CASES) >= 60 and len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_malformed_files_are_answered_with_a_sentence(tmp_path, case):
    path = tmp_path / case.name
    path.write_bytes(case.content)
    began = time.process_time()
    tracemalloc.start()
    try:
        told = answer(path, **case.settings)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert case.sentence in told
    assert peak < 60 * MB and time.process_time() - began < 10
    assert [child.name for child in tmp_path.iterdir()] == [case.name] and path.read_bytes() == case.content


def test_unequal_files_of_texts_and_labels_are_refused_with_both_counts(tmp_path):
    (tmp_path / "texts.txt").write_bytes(b"a\nb\nc\n")
    (tmp_path / "labels.txt").write_bytes(b"x\ny\n")
    assert "texts.txt has 3 lines and labels.txt has 2." in answer(tmp_path / "texts.txt", labels_file="labels.txt")


# What is heavy runs in a process of its own, whose whole memory counts.

CHILD = """
import resource, sys, time
from pathlib import Path
from ulmfit_core.config import DataSettings
from ulmfit_core.data.readers import read_rows
from ulmfit_core.errors import UserError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.process_time()
try:
    for row in read_rows(Path(sys.argv[1]), DataSettings(text=["1"])):
        pass
    print("nothing")
except UserError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, time.process_time() - began)
"""


def lines_of_a_megabyte(count):
    return (b"some words of a long line " * 40_000 + b",x\n") * count


HEAVY = {
    "long.txt": (lambda: b"words\n" + b"a" * (50 * MB), "long.txt: row 2 is longer than 16 MB. Is it text?"),
    "quote.csv": (lambda: TABLE + b'"' + b"word\n" * (4 * MB), "a quote that opens in row 4 is never closed."),
    "bomb.csv.gz": (lambda: gzip.compress(lines_of_a_megabyte(40)), "bomb.csv.gz unpacks to more than 200 times"),
    "bomb.csv.zst": (
        lambda: zstandard.ZstdCompressor().compress(lines_of_a_megabyte(40)), "bomb.csv.zst unpacks to more than 200",
    ),
    "bomb.zip": (
        lambda: make.zipped({f"{n}.csv": lines_of_a_megabyte(12) for n in range(3)}), "bomb.zip unpacks to more than",
    ),
    "bomb.tar.gz": (
        lambda: gzip.compress(make.tarred({"a.csv": lines_of_a_megabyte(40)})), "bomb.tar.gz unpacks to more than 200",
    ),
    "bomb.xlsx": (
        lambda: make.workbook(padding=b" " * (40 * MB)), "bomb.xlsx unpacks to more than 200 times its size",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", HEAVY)
def test_what_is_heavy_stays_within_bounds(tmp_path, name):
    content, sentence = HEAVY[name]
    path = tmp_path / name
    path.write_bytes(content())
    command = [sys.executable, "-c", CHILD, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=250)
    *told, figures = done.stdout.splitlines()
    kilobytes, seconds = map(float, figures.split())
    assert sentence in " ".join(told)
    assert kilobytes < 300 * 1024 and seconds < 20
    assert [child.name for child in tmp_path.iterdir()] == [name]


# Any bytes at all


def rows_or_refusal(path):
    for read in (lambda: preview(path, DataSettings()), lambda: list(read_rows(path, DataSettings()))):
        try:
            read()
        except UserError as error:
            assert re.search(r"[.?!]$", str(error))


@functools.cache
def good_files():
    files = dict(make.KINDS)
    files |= {f"{kind}.{wrap}": make.WRAP[wrap](data) for kind, data in make.KINDS.items() for wrap in make.WRAP}
    files["label"] = b"NUM:dist How far ?\nHUM:desc Who ?\nNUM:date When ?\n"
    files["wiki"] = b" = One = \n\n Words .\n = Two = \n Other .\n"
    files["utf-16"] = TABLE.decode().encode("utf-16")
    return files


@given(st.binary(max_size=600))
@settings(max_examples=60)
def test_arbitrary_bytes_give_rows_or_a_sentence(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(data)
    rows_or_refusal(path)


STARTS = [b"PK\3\4", b"\x1f\x8b\x08", b"\xfd7zXZ\x00", b"BZh91AY&SY", b"\x28\xb5\x2f\xfd", b"PAR1", b"ARROW1\0\0",
          b"SQLite format 3\0", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"[", b'{"a": [', b"\xff\xfe", b"\xfe\xff",
          b"\xff\xfe\0\0", b"__label__"]  # fmt: skip


@given(st.sampled_from(STARTS), st.binary(max_size=600))
@settings(max_examples=60)
def test_what_only_begins_like_something_gives_rows_or_a_sentence(tmp_path_factory, start, data):
    path = tmp_path_factory.getbasetemp() / "begins.dat"
    path.write_bytes(start + data)
    rows_or_refusal(path)


@given(st.data())
@settings(max_examples=120)
def test_mutated_files_give_rows_or_a_sentence(tmp_path_factory, data):
    kind = data.draw(st.sampled_from(sorted(good_files())))
    content = bytearray(good_files()[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        change = data.draw(st.sampled_from(["flip", "cut", "insert", "repeat"]))
        if change == "flip":
            content[place] ^= data.draw(st.integers(1, 255))
        elif change == "cut":
            del content[place : place + data.draw(st.integers(1, 40))]
        elif change == "insert":
            content[place:place] = data.draw(st.binary(max_size=8)) or struct.pack("<I", 2**31)
        else:
            content[place:place] = content[place : place + 64]
        if not content:
            break
    path = tmp_path_factory.getbasetemp() / "mutated.dat"
    path.write_bytes(content)
    rows_or_refusal(path)


def test_the_unharmed_files_of_the_fuzzing_give_rows(tmp_path):
    for kind, content in make.KINDS.items():
        path = tmp_path / kind
        path.write_bytes(content)
        assert [type(row) for row in read_rows(path, DataSettings())] == [Row, Row]
