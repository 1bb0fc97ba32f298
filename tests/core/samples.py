"""One small table as every kind of file, and what packs files: gz, xz, bz2, zst, zip and tar. For tests of readers."""

import base64
import bz2
import gzip
import io
import json
import lzma
import sqlite3
import struct
import tarfile
import zipfile
import zlib

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import zstandard

TABLE = b"text,label\nsome nice words,pos\nsome bad words,neg\n"
TEXTS, LABELS = ["some nice words", "some bad words"], ["pos", "neg"]
PACK = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress, "zst": zstandard.ZstdCompressor().compress}


def zipped(files, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


WRAP = {
    **PACK,
    "zip": lambda data, name="a.csv": zipped({name: data}),
    "tar": lambda data, name="a.csv": tarred({name: data}),
    **{f"tar.{kind}": lambda data, name="a.csv", pack=pack: pack(tarred({name: data})) for kind, pack in PACK.items()},
}


def parquet():
    out = io.BytesIO()
    pq.write_table(pa.table({"text": TEXTS, "label": LABELS}), out)
    return out.getvalue()


def arrow(compression="uncompressed"):
    out = io.BytesIO()
    feather.write_feather(pa.table({"text": TEXTS, "label": LABELS}), out, compression=compression)
    return out.getvalue()


def sqlite(tables=("rows",), rows=2):
    database = sqlite3.connect(":memory:")
    database.execute("PRAGMA user_version = 1")  # so that one without tables has bytes too
    for table in tables:
        database.execute(f'CREATE TABLE "{table}" (text TEXT, label TEXT)')
        database.executemany(f'INSERT INTO "{table}" VALUES (?, ?)', list(zip(TEXTS, LABELS))[:rows])
    database.commit()
    return database.serialize()


def cell(value):
    if isinstance(value, (int, float)):
        return f"<c><v>{value}</v></c>"
    return f'<c t="inlineStr"><is><t>{value}</t></is></c>'


def workbook(rows=None, sheet="Sheet1", skip=0, far=False, padding=b""):
    """A small Excel file; rows begin below `skip` empty ones, `far` puts a cell into the last place of the sheet."""
    rows = rows or [("text", "label"), *zip(TEXTS, LABELS)]
    lines = "".join(f'<row r="{n}">{"".join(map(cell, row))}</row>' for n, row in enumerate(rows, start=1 + skip))
    lines += '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>' * far
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    return zipped({
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{relations}"><Relationship Id="r1" Type="{office}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        f'<sheet name="First" sheetId="1" r:id="r1"/><sheet name="{sheet}" sheetId="2" r:id="r2"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{relations}">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{office}/worksheet" Target="worksheets/sheet2.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>',
        "xl/media/padding": padding,
        "xl/worksheets/sheet2.xml": f'<worksheet xmlns="{main}"><sheetData>{lines}{lines}</sheetData></worksheet>',
    })  # fmt: skip


def opendocument():
    names = "urn:oasis:names:tc:opendocument:xmlns"
    cells = [("text", "label"), *zip(TEXTS, LABELS)]
    lines = "".join(
        "<table:table-row>"
        + "".join(f'<table:table-cell office:value-type="string"><text:p>{c}</text:p></table:table-cell>' for c in row)
        + "</table:table-row>"
        for row in cells
    )
    # The first member says the kind, which is why none of them is compressed.
    return zipped({
        "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
        "META-INF/manifest.xml": f'<manifest:manifest xmlns:manifest="{names}:manifest:1.0"/>',
        "content.xml": f'<office:document-content xmlns:office="{names}:office:1.0" xmlns:table="{names}:table:1.0" '
        f'xmlns:text="{names}:text:1.0"><office:body><office:spreadsheet><table:table table:name="One">{lines}'
        "</table:table></office:spreadsheet></office:body></office:document-content>",
    }, zipfile.ZIP_STORED)  # fmt: skip


def record(kind, data=b""):
    """A record of a binary workbook: kind and size in seven bits a byte."""
    numbers = (bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7]) for n in (kind, len(data)))
    return b"".join(numbers) + data


def wide(text):
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def binary_workbook():
    """The table as an .xlsb file, by Microsoft's MS-XLSB: rows are records of kind 0, cells of kind 6."""
    cells = b""
    for number, row in enumerate([("text", "label"), *zip(TEXTS, LABELS)]):
        cells += record(0, struct.pack("<I", number) + bytes(13))
        cells += b"".join(record(6, struct.pack("<II", place, 0) + wide(cell)) for place, cell in enumerate(row))
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    sheet = record(156, struct.pack("<II", 0, 1) + wide("r1") + wide("Rows"))
    size = record(148, struct.pack("<IIII", 0, 2, 0, 1))
    return zipped({
        "xl/workbook.bin": record(131) + record(143) + sheet + record(144) + record(132),
        "xl/_rels/workbook.bin.rels": f'<Relationships xmlns="{relations}"><Relationship Id="r1" '
        f'Type="{office}/worksheet" Target="worksheets/sheet1.bin"/></Relationships>',
        "xl/worksheets/sheet1.bin": record(129) + size + record(145) + cells + record(146) + record(130),
    })  # fmt: skip


# The table as an .xls file, written with xlwt 1.3.0, compressed.
XLS = (
    "c-rk)O=uHA6#i!OAJY8PRA_|~3RZ1<5iefqs$hGv)Ls-3bki(S8nYz{RJ~ZOISPU&#Y>?VFI6x8pa;Eq5Gr~Q1R>FrcoGymv{~Q0%xY?LXi$"
    "sFe9OFfdGDK@mz{YtJNsfeRb9B-Q^QZ#2OsKg1i>bopc3(ZBtd@Hm8w^Vskj>d6e3|7$Y21EI-ZB*7|QXk!N48=Q<A_tDkm_5F{fZ>HW3Fo2"
    "202ohDi$CBugCK991XFNtRn!-e%@wmiyUqh2=1DtKvA8&9Q;KY8D?e`q&qTyzhN(^M)<E(S>Jn7GJn38r%R56sN5G-|6V}$FK+*w^6%b7p;6"
    "1X&S&qd~q|tXD?HqWVC&A?E+-~y4D_QVZUbhfjPLRc!F0D!v~-A_%Y$kmR2yr=@?`S%J$iE0LWWeJD&hb&KWyXn3}XRvraKrqINS*DX#2UEB"
    "D=8uun(j!p(`ET$AV>oB%PBIV4z5aT+9PDPOtu>E+?<xOtK-bG*1Wwt($2YPh&4TTtUTdpL0B4zL_#d5Q13jrAUuX_~xL_m6ieWn`W?m)YA-"
    "{p?}9GIuoTJ4vs6Jo2Eo^4{D<`qF6ae0u4%xqv>}l5*5uUh^0dL*mADiHD|F3$<LlW!b%M=?EK16}zkUxdc`bWi`dJ@k>4(q4=T&UohWLe8G"
    "I5;u|ga2J`)j-+1}~x%C>IxF?;oko`au8X6iJ8X6iJ8XCV0p<dd3jY9^%fXbsmNPX8?rBc_QN&Z_*z@e*52h&3+P+i2iw&u@P1cY}lvB5Up_"
    "d<!I)O!)r$Z{OhZO>mi+KJ}>v*Cux-<Lw|_Fr!&&OhA$H<|y?&j"
)

KINDS = {
    "csv": TABLE,
    "json": json.dumps([{"text": t, "label": m} for t, m in zip(TEXTS, LABELS)]).encode(),
    "jsonl": "\n".join(json.dumps({"text": t, "label": m}) for t, m in zip(TEXTS, LABELS)).encode(),
    "parquet": parquet(),
    "feather": arrow(),
    "sqlite": sqlite(),
    "xlsx": workbook(),
    "ods": opendocument(),
    "xlsb": binary_workbook(),
    "xls": zlib.decompress(base64.b85decode(XLS)),
}
