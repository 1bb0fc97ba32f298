"""Each kind of malformed file gets the sentence that says where it is wrong, in bounded memory and time, with nothing
written; and whatever bytes come in, what comes out are rows or such a sentence, never another exception.
"""

import bz2
import functools
import gc
import gzip
import io
import json
import lzma
import random
import re
import resource
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import python_calamine as calamine
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core import samples as make
from ulmfit_core import trial
from ulmfit_core.config import DataSettings, Recipe
from ulmfit_core.data import workbooks
from ulmfit_core.data.formats import BadRow
from ulmfit_core.data.readers import Row, inspect, preview, read_rows
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project
from ulmfit_core.run import launch

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
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + NOISE
STRAY = "bytes that are no UTF-8"
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


def nameless_zip():
    """The bytes of the name count as an extra field in both headers."""
    content = bytearray(make.zipped({"name": TABLE}).replace(b"name", b"\x99\x99\0\0"))
    for signature, place in ((b"PK\3\4", 26), (b"PK\1\2", 28)):
        struct.pack_into("<HH", content, content.find(signature) + place, 0, 4)
    return bytes(content)


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


def round_xls():
    """The chain of sectors that holds the directory leads back to its first one."""
    data = bytearray(make.KINDS["xls"])
    (table,), (directory,) = struct.unpack_from("<I", data, 76), struct.unpack_from("<I", data, 48)
    struct.pack_into("<I", data, (table + 1) * 512 + 4 * directory, directory)
    return bytes(data)


def panic_xls():
    """A record that says that it is empty and must not be: calamine's Rust code panics."""
    return make.KINDS["xls"].replace(b"\x42\0\2\0\xb0\x04", b"\x42\0\0\0\xb0\x04")


def without_rows(kind):
    out = io.BytesIO()
    table = pa.table({"text": pa.array([], pa.string()), "label": pa.array([], pa.string())})
    pq.write_table(table, out) if kind == "parquet" else feather.write_feather(table, out)
    return out.getvalue()


def repacked(data, name, change):
    """A workbook with one of its parts changed."""
    parts = parts_of(data)
    return make.zipped(parts | {name: change(parts[name])})


def parts_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def repeated(rows, columns=1, text="word"):
    """An OpenDocument file whose one cell stands in so many rows and columns."""
    cell = f'<table:table-cell office:value-type="string" table:number-columns-repeated="{columns}"><text:p>{text}'
    cells = f'<table:table-row table:number-rows-repeated="{rows}">{cell}</text:p></table:table-cell></table:table-row>'
    place = b"</table:table>"
    return repacked(make.opendocument(), "content.xml", lambda part: part.replace(place, cells.encode() + place))


def copied(cells, size):
    """An Excel file of so many cells that all name one shared string."""
    sheet = b"<row>" + b'<c t="s"><v>0</v></c>' * 20 + b"</row>"
    data = repacked(make.workbook(), "xl/worksheets/sheet1.xml",
                    lambda part: part.replace(b"</sheetData>", sheet * (cells // 20) + b"</sheetData>"))  # fmt: skip
    strings = b"<sst><si><t>" + b"a" * size + b"</t></si></sst>"
    return make.zipped({**parts_of(data), "xl/sharedStrings.xml": strings})


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
    Case("nameless.zip", nameless_zip(), "nameless.zip cannot be read: nameless.zip/ is without a name."),
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
    Case("photo.csv", PNG, f"photo.csv {BINARY}"),
    Case("photo.xlsx", PNG, f"photo.xlsx {BINARY}"),
    Case("sound.txt", b"ID3\3\0\0\0" + NOISE, f"sound.txt {BINARY}"),
    Case("program.tsv", b"\x7fELF\2\1\1" + NOISE, f"program.tsv {BINARY}"),
    Case("stray.csv", TABLE + "größer,pos\n".encode() * 30 + b"sch\xf6n,neg\n", f"stray.csv 34: {STRAY}"),
    Case("early.csv", TABLE + b"sch\xf6n,neg\n" + "größer,pos\n".encode() * 30, f"early.csv 4: {STRAY}"),
    Case("short.csv", TABLE + b"only\n", "short.csv 4: 1 columns instead of 2"),
    Case("long.csv", TABLE + b"a," * 100_000 + b"\n", "long.csv 4: 100001 columns instead of 2"),
    Case("end.csv", TABLE + b'a,"x', "end.csv is broken: a quote that opens in row 4 is never closed."),
    Case("twice.csv.gz", gzip.compress(gzip.compress(TABLE)), f"twice.csv.gz {BINARY}"),
    Case("codec.csv", TABLE, "There is no encoding “klingon”.", {"encoding": "klingon"}),
]  # fmt: skip
STORED = [
    Case("cut.parquet", half(make.parquet()), "cut.parquet is not a whole Parquet file."),
    Case("bad.parquet", spoiled_parquet(), "bad.parquet is not a whole Parquet file."),
    Case("cut.feather", half(make.arrow()), "cut.feather is not a whole Arrow file."),
    Case("cut.parquet.gz", gzip.compress(half(make.parquet())), "cut.parquet.gz is not a whole Parquet file."),
    Case("rows.parquet", without_rows("parquet"), f"rows.parquet {EMPTY}"),
    Case("rows.feather", without_rows("feather"), f"rows.feather {EMPTY}"),
    Case("rows.db", make.sqlite(rows=0), f"rows.db {EMPTY}"),
    Case("rows.xlsx", make.workbook([()]), f"rows.xlsx {EMPTY}"),
    Case("cut.ods", repacked(make.opendocument(), "content.xml", half), "cut.ods is not a whole spreadsheet file."),
    Case("none.ods", repacked(make.opendocument(), "content.xml", lambda part: b"<a/>"), "none.ods has no sheet."),
    Case("none.xlsb", make.zipped({"xl/workbook.bin": NOISE}), "none.xlsb is not a whole spreadsheet file."),
    Case("cut.db", make.sqlite()[:5000], "cut.db is not a whole SQLite file."),
    Case("bad.db", b"SQLite format 3\0" + NOISE, "bad.db is not a whole SQLite file."),
    Case("bare.db", make.sqlite(()), "bare.db has no table. Choose another file."),
    Case("cut.xlsx", half(make.workbook()), f"cut.xlsx {NO_LIST}"),
    Case("bad.xlsx", spoiled(make.workbook(), 0.52), f"bad.xlsx {DAMAGED}"),
    Case("xml.xlsx", make.workbook([("text", "label"), ("a </b> c", "x")]), "xml.xlsx is not a whole spreadsheet"),
    Case("locked.xlsx", ole("EncryptionInfo", "EncryptedPackage"), f"locked.xlsx {LOCKED}"),
    Case("locked.ods", locked(make.opendocument()), f"locked.ods {LOCKED}"),
    Case("round.xls", round_xls(), "round.xls is not a whole spreadsheet file."),
    Case("panic.xls", panic_xls(), "panic.xls is not a whole spreadsheet file."),
    Case("word.xls", ole("WordDocument"), "word.xls is not a whole spreadsheet file."),
    Case("head.xlsx", make.workbook([("text", "label")]), "head.xlsx has a header in row 1 but no rows",
         {"header": "yes"}),
    Case("sheet.xlsx", make.workbook(), "sheet.xlsx has no sheet “x”. It has: “First”, “Sheet1”.", {"sheet": "x"}),
    Case("far.xlsx", make.workbook(far=True), "far.xlsx has 1,048,576 rows and 16,384 columns, too large a sheet"),
    Case("row.xlsx", repacked(make.workbook(far=True), "xl/worksheets/sheet1.xml", lambda part: part.replace(
        b'<row r="1048576">', b"<row>")), "row.xlsx has 1,048,576 rows and 16,384 columns, too large a sheet"),
    Case("far.ods", repeated(10**6, 16_384, ""), "far.ods has 1,000,003 rows and 16,384 columns, too large a sheet"),
    Case("text.ods", repeated(10**6, 1, "word" * 1000), "text.ods has more than 512 MB of repeated text, too large"),
    Case("text.xlsx", copied(20_000, 50_000), "text.xlsx has more than 512 MB of repeated text, too large a sheet"),
]  # fmt: skip
JSON = [
    Case("shape.json", b'{\n"a": 1, "b": {"c": [1, 2]}}', "shape.json is JSON of another shape: it needs an array of"),
    Case("numbers.json", b"[1, 2, 3]", "numbers.json is JSON of another shape"),
    Case("word.json", b"hello", "word.json is not JSON: "),
    Case("cut.json", json.dumps([{"text": "a b", "label": n} for n in range(1200)]).encode()[:-9],
         "cut.json is broken after row 1,199: "),
    Case("deep.json", b"[" * 20_000, "deep.json is"),
    Case("array.json", b"[]", "array.json is JSON of another shape"),
    Case("object.json", b"{}", "object.json is not JSON lines: it needs one object"),
    Case("blank.jsonl", b"\n\n\n", f"blank.jsonl {EMPTY}"),
    Case("null.jsonl", b"null\nnull\n", "null.jsonl is not JSON lines: it needs one object"),
    Case("cut.jsonl", b'{"text": "a b", "label": 1}\n{"text": "c d", "la', "cut.jsonl 2: not a JSON object"),
    Case("text.jsonl", b'{"text": "a b", "label": 1}\n{"text": null, "label": 1}\n', "text.jsonl 2: no text"),
    Case("list.json", b'{"train": [{"text": "a", "label": 1}]}', "list.json has no list “x” with anything in it.",
         {"sheet": "x"}),
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


# A child process, which has a limit of its own, tries first whether these can be laid out.
IN_A_CHILD = ("word.xls", "panic.xls", "round.xls", "none.xlsb")


def answer(path, **changed):
    """What a person is told of a file: the refusal, its first bad row, or its first line that had to be mended."""
    settings = DataSettings(**{"text": ["text"], "label": "label", **changed})
    try:
        source = inspect(path, settings, thorough=True)
        bad = [row for row in read_rows(path, settings, source) if isinstance(row, BadRow)]
    except UserError as error:
        return str(error)
    if source.position.odd_rows:
        return f"{source.name} {source.position.first_odd}: {STRAY}"
    return f"{bad[0].file} {bad[0].row}: {bad[0].reason}" if bad else "nothing"


def resident(name):
    """Bytes of this process in memory: VmRSS now, VmHWM at most since the mark was set back."""
    return int(re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024


def measured(read, alone=True):
    """(result, peak of memory in bytes above what was in use, processor seconds) of a call; `alone`: with no child."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before, began = resident("VmRSS"), time.process_time()
    others = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = read()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert not alone or children == others
    assert children.ru_maxrss <= max(trial.MOST_MEMORY // 1024, others.ru_maxrss)
    assert not "".join(task.read_text() for task in Path("/proc/self/task").glob("*/children"))
    return result, resident("VmHWM") - before, time.process_time() - began


def test_there_are_many_cases_and_each_has_its_own_name():
    assert len(CASES) >= 60 and len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_malformed_files_are_answered_with_a_sentence(tmp_path, case):
    path = tmp_path / case.name
    path.write_bytes(case.content)
    told, peak, seconds = measured(lambda: answer(path, **case.settings), alone=case.name not in IN_A_CHILD)
    assert case.sentence in told and (case.settings or case.name in told)
    assert peak < 80 * MB and seconds < 5
    assert [child.name for child in tmp_path.iterdir()] == [case.name] and path.read_bytes() == case.content


@pytest.mark.parametrize("name", ["ragged.csv", "crc.zip", "bad.xlsx", "up.tar", "cut.csv.zst"])
def test_an_import_of_a_malformed_file_leaves_the_project_as_it_was(tmp_path, name):
    case = next(case for case in CASES if case.name == name)
    path = tmp_path / name
    path.write_bytes(case.content)
    project = Project.create(tmp_path / "project", Recipe(data=DataSettings(data=str(path), text=["text"])))
    ended = launch(project, "import")
    assert ended.status == "failed" and case.sentence in ended.reason and not project.dataset_folder.exists()
    assert {entry.name for entry in project.folder.iterdir()} <= {"project.toml", "runs"}


def test_a_panic_of_the_reader_of_workbooks_is_a_refusal():
    """In this process, where the trial in another one comes too late or is not made."""
    with pytest.raises(UserError, match="a.xls is not a whole spreadsheet file."), workbooks.refusing("a.xls"):
        calamine.CalamineWorkbook.from_filelike(io.BytesIO(panic_xls()))


def test_unequal_files_of_texts_and_labels_are_refused_with_both_counts(tmp_path):
    (tmp_path / "texts.txt").write_bytes(b"a\nb\nc\n")
    (tmp_path / "labels.txt").write_bytes(b"x\ny\n")
    assert "texts.txt has 3 lines and labels.txt has 2." in answer(tmp_path / "texts.txt", labels_file="labels.txt")


# What is heavy runs in a process of its own, whose whole memory counts.

CHILD = """
import re, resource, sys, time
from pathlib import Path
from ulmfit_core.config import DataSettings
from ulmfit_core.data.readers import read_rows
from ulmfit_core.errors import UserError
def peak():
    return int(re.search("VmHWM:\\\\s+(\\\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
began = time.process_time()
try:
    for row in read_rows(Path(sys.argv[1]), DataSettings(text=["1"])):
        pass
    print("nothing")
except UserError as error:
    print(error)
assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss == 0
print(peak() - before, time.process_time() - began)
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


def mutated(data, content):
    """The bytes with one to four changes."""
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        if not content:
            break
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
    return bytes(content)


@given(st.data())
@settings(max_examples=120)
def test_mutated_files_give_rows_or_a_sentence(tmp_path_factory, data):
    kind = data.draw(st.sampled_from(sorted(good_files())))
    path = tmp_path_factory.getbasetemp() / "mutated.dat"
    path.write_bytes(mutated(data, good_files()[kind]))
    rows_or_refusal(path)


@given(st.data())
@settings(max_examples=60)
def test_mutated_parts_of_workbooks_and_packed_files_give_rows_or_a_sentence(tmp_path_factory, data):
    """What is packed is changed before it is packed, so that it is not found out by a checksum."""
    kind = data.draw(st.sampled_from(["xlsx", "xlsb", "ods", *make.WRAP]))
    if kind in make.WRAP:
        content = make.WRAP[kind](mutated(data, make.KINDS[data.draw(st.sampled_from(sorted(make.KINDS)))]))
    else:
        part = data.draw(st.sampled_from([name for name, part in parts_of(make.KINDS[kind]).items() if part]))
        content = repacked(make.KINDS[kind], part, lambda part: mutated(data, part))
    path = tmp_path_factory.getbasetemp() / "mutated.dat"
    path.write_bytes(content)
    rows_or_refusal(path)


def test_the_unharmed_files_of_the_fuzzing_give_rows(tmp_path):
    for kind, content in make.KINDS.items():
        path = tmp_path / kind
        path.write_bytes(content)
        assert [type(row) for row in read_rows(path, DataSettings())] == [Row, Row]
