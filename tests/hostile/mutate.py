"""Damages one file of a folder, knowing its kind: a pure function of the file, a seeded generator and the canary.

Damage is of three sorts: what the format means (a size, a shape, a type, a name), raw bytes, and what lies in the
file's place (a link, a device, a pipe, a folder). Hashes that tie files together are renewed mostly, so that a
reader is met behind them.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import pickle  # noqa: TID251
import random
import re
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

DEEP, MANY = "@deep@", "@many@"
NUMBERS = [0, -1, 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64, -(2**63), 10**30, 10**400, 0.5, -0.0, 1e308, float("nan"),
           float("inf"), -float("inf")]  # fmt: skip
TEXTS = ["", " ", "\0", "\ud800", "é" * 40_000, "/dev/zero", "..", "nan", "1", "<b>x</b>", "%s%n", "a\nb", "🙂", "None",
         DEEP, MANY]  # fmt: skip
OTHERS = [None, True, False, [], {}, [[]], {"a": None}, [None], [1, "a", None, {}]]
WORDS = [b"\0" * 4, b"\xff" * 4, b"\xff\xff\xff\x7f", b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\0" * 8, b"\x80" * 10]
TOML = ["nan", "-inf", "-1", "0", "9223372036854775807", "1" + "0" * 400, "1e400", '""', '"\\u0000"', "[]", "[[1]]",
        "{}", "true", "1979-05-27", "'''", "", '"auto"', "[" * 5000, "{a=" * 2000, '"' + "x" * 100_000 + '"', "= =",
        '"<img src=x>"', "[{}]", '["a"]', "1.5", "18446744073709551616"]  # fmt: skip


class Canary:
    """Making it shows that a pickle was executed: Python's own unpickler would call os.mkdir."""

    def __init__(self, place: Path):
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place / "ran"),)


class Damage:
    """One damaged file. `canary` is a folder that nothing may touch; what was done is told in `told`."""

    def __init__(self, folder: Path, name: str, chance: random.Random, canary: Path):
        self.folder, self.path, self.chance, self.canary = folder, folder / name, chance, canary
        self.told = ""

    def apply(self) -> str:
        sort = self.chance.random()
        if sort < 0.07:
            self._in_its_place()
        elif sort < 0.27:
            self._write(self._bytes(self.path.read_bytes()), "bytes")
        else:
            self._write(self._structure(self.path.read_bytes()), "structure")
        if self.chance.random() < 0.8:
            sign(self.path.parent)
        return self.told

    def _write(self, content: bytes, sort: str) -> None:
        self.told = self.told or sort
        self.path.write_bytes(content)

    def _structure(self, content: bytes) -> bytes:
        kinds = {
            ".json": self._json, ".jsonl": self._lines, ".toml": self._toml, ".safetensors": self._safetensors,
            ".arrow": self._arrow, ".npy": self._npy, ".bin": self._numbers, ".f32": self._steps,
            ".model": self._sentencepiece, ".pkl": self._pickle, ".pth": self._torch_file, ".h5": self._torch_file,
            ".tgz": self._archive,
        }  # fmt: skip
        return kinds.get(self.path.suffix, self._bytes)(content)

    # What lies in the file's place

    def _in_its_place(self) -> None:
        self.path.unlink()
        ways: dict[str, Callable[[], object]] = {
            "absent": lambda: None,
            "link out": lambda: self.path.symlink_to(self.canary / "letter.txt"),
            "link to folder": lambda: self.path.symlink_to(self.canary),
            "dangling link": lambda: self.path.symlink_to(self.canary / "made"),
            "loop": lambda: self.path.symlink_to(self.path.name),
            "endless device": lambda: self.path.symlink_to("/dev/zero"),
            "empty device": lambda: self.path.symlink_to("/dev/null"),
            "pipe": lambda: os.mkfifo(self.path),
            "folder": self.path.mkdir,
            "locked": lambda: (self.path.write_bytes(b"{}"), self.path.chmod(0)),
            "parent is a link": self._linked_parent,
            "parent is a file": lambda: (shutil.rmtree(self.path.parent), self.path.parent.write_bytes(b"x")),
        }  # fmt: skip
        self.told = self.chance.choice(list(ways))
        ways[self.told]()

    def _linked_parent(self) -> None:
        if self.path.parent != self.folder:
            shutil.rmtree(self.path.parent)
            self.path.parent.symlink_to(self.canary)

    # Raw bytes

    def _bytes(self, content: bytes) -> bytes:
        data, chance = bytearray(content), self.chance
        at, end = sorted(chance.randrange(len(data) + 1) for _ in range(2)) if data else (0, 0)
        way = chance.randrange(8)
        if way == 0:
            for _ in range(chance.randint(1, 8)):
                if data:
                    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        elif way == 1:
            del data[at:]
        elif way == 2:
            del data[at : min(end, at + 64)]
        elif way == 3:
            word = chance.choice(WORDS)
            data[at : at + len(word)] = word
        elif way == 4:
            data[at:at] = chance.randbytes(chance.randint(1, 64))
        elif way == 5:
            data += chance.choice([b"\0" * 100, content[at:end], chance.randbytes(50)])
        elif way == 6:
            data[at:at] = content[at:end]
        else:
            data = bytearray(
                chance.choice([b"", b"\0", b"\xff\xfe", b"[" * 200_000, b"null", b"{}", b"[]", b"\n" * 999])
            )
        self.told = f"bytes {way}"
        return bytes(data)

    # Values

    def _value(self) -> Any:
        paths = ["../" * 9 + str(self.canary), str(self.canary / "letter.txt"), "../letter.txt", "file:///etc/passwd"]
        kinds = [NUMBERS, TEXTS, OTHERS, paths, [f"<img src='file://{self.canary}/letter.txt'>"]]
        return self.chance.choice(self.chance.choice(kinds))

    def _damaged(self, value: Any) -> Any:
        """The value with one of its parts changed, swapped, left out, or said twice."""
        places = list(parts(value))
        holder, key = self.chance.choice(places) if places else (None, None)
        if holder is None:
            return self._value()
        way = self.chance.randrange(6)
        if way == 0:
            del holder[key]
        elif way == 1 and isinstance(holder, dict):
            holder[self.chance.choice(["", "x", "format", "labels", "__proto__", "é" * 300])] = self._value()
        elif way == 2:
            other, its = self.chance.choice(places)
            # Copies: one may hold the other.
            holder[key], other[its] = copy.deepcopy(other[its]), copy.deepcopy(holder[key])
        elif way == 3 and isinstance(holder, list):
            holder.insert(key, holder[key])
        else:
            holder[key] = self._value()
        return value

    def _json_text(self, value: Any) -> bytes:
        text = json.dumps(value, ensure_ascii=self.chance.random() < 0.9)
        if self.chance.random() < 0.05 and '":' in text:  # a key that stands there twice
            key = self.chance.choice(re.findall(r'"[^"]*":', text))
            text = text.replace(key, f"{key} {json.dumps(self._value())}, {key}", 1)
        text = text.replace(f'"{DEEP}"', "[" * 100_000 + "]" * 100_000)
        text = text.replace(f'"{MANY}"', "[" + "0," * 200_000 + "0]")
        return text.encode("utf-8", "surrogatepass")

    def _json(self, content: bytes) -> bytes:
        value = json.loads(content)
        for _ in range(self.chance.choice([1, 1, 1, 2, 5])):
            value = self._damaged(value)
        return self._json_text(value)

    def _lines(self, content: bytes) -> bytes:
        lines = content.split(b"\n")
        number = self.chance.randrange(max(1, len(lines) - 1))
        way = self.chance.randrange(8)
        if way == 0:
            lines.insert(
                number, self.chance.choice([b"{}", b"[]", b"null", b"1", b"\xff", b"[" * 100_000, b"{", b"\0"])
            )
        elif way == 1:
            lines[number] = lines[number][: len(lines[number]) // 2]
        elif way == 2:
            lines.insert(number, lines[self.chance.randrange(len(lines))])
        elif lines[number]:
            lines[number] = self._json_text(self._damaged(json.loads(lines[number])))
        return b"\n".join(lines)

    def _toml(self, content: bytes) -> bytes:
        lines = content.decode().split("\n")
        number = self.chance.choice([place for place, line in enumerate(lines) if line.strip()])
        way, line = self.chance.randrange(6), lines[number]
        if way == 0:
            del lines[number]
        elif way == 1:
            lines.insert(self.chance.randrange(len(lines)), line)
        elif way == 2:
            lines[number] = self.chance.choice(["x = 1", "[data]", "[[classify]]", "[a.b.c]", "\ufeff", "name.x = 1"])
        elif " = " in line:
            lines[number] = f"{line.partition(' = ')[0]} = {self.chance.choice(TOML)}"
        else:
            lines[number] = self.chance.choice(["[classify.x]", "[", "[x]", "[[data]]", "[data.data]"])
        return "\n".join(lines).encode("utf-8", "surrogatepass")

    # Numbers

    def _safetensors(self, content: bytes) -> bytes:
        size = int.from_bytes(content[:8], "little")
        head, body = json.loads(content[8 : 8 + size]), bytearray(content[8 + size :])
        way = self.chance.randrange(8)
        if way == 0 and len(body) >= 4:
            for _ in range(self.chance.randint(1, 20)):
                at = 4 * self.chance.randrange(len(body) // 4)
                body[at : at + 4] = struct.pack("<f", self.chance.choice([float("nan"), float("inf"), 3e38, -1e30]))
        elif way == 1:
            names = [name for name in head if name != "__metadata__"]
            one, two = self.chance.choice(names), self.chance.choice(names)
            head[one], head[two] = head[two], head[one]
        elif way == 2:
            self._reshape(head)
        elif way == 3:
            return (
                self.chance.choice([2**63 - 1, 2**40, size - 1, size + 8, 0, 99_999_999]).to_bytes(8, "little")
                + content[8:]
            )
        elif way == 4:
            one = self.chance.choice([name for name in head if name != "__metadata__"])
            head[self.chance.choice(["", "x", "encoder.layers.9.weight_hh", "a" * 5000, "../x"])] = head.pop(one)
        else:
            head = self._damaged(head)
        written = self._json_text(head)
        return len(written).to_bytes(8, "little") + written + bytes(body)

    def _reshape(self, head: dict[str, Any]) -> None:
        """The same bytes under other sizes or another type."""
        entry = head[self.chance.choice([name for name in head if name != "__metadata__"])]
        bits = {"F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I64": 8, "F64": 8, "U8": 1, "I8": 1, "BOOL": 1}
        count = entry["data_offsets"][1] - entry["data_offsets"][0]
        entry["dtype"] = self.chance.choice(list(bits))
        entry["shape"] = self.chance.choice([
            [count // bits[entry["dtype"]]], [1, count // bits[entry["dtype"]]], [], [0], [0, 2**62],
            [2**32, 2**32], [-1], list(reversed(entry["shape"])), [2**62, 4],
        ])  # fmt: skip

    def _numbers(self, content: bytes) -> bytes:
        """Token ids: some that no vocabulary has."""
        ids = np.frombuffer(content, np.uint16).copy()
        for _ in range(self.chance.randint(1, 5)):
            ids[self.chance.randrange(len(ids))] = self.chance.choice([65_535, 5000, 256])
        return ids.tobytes()

    def _npy(self, content: bytes) -> bytes:
        head, numbers = content[:128], np.frombuffer(content[128:], np.int64).copy()
        way = self.chance.randrange(4)
        if way == 0:
            return self._bytes(head) + content[128:]
        if way == 1:
            shape, kind = re.compile(rb"\((\d+),\)"), re.compile(rb"<i8")
            with_shape = shape.sub(self.chance.choice([b"(-1,)", b"()", b"(9,9)", b"(" + b"9" * 18 + b",)"]), head)
            with_kind = kind.sub(self.chance.choice([b"|O", b"<f8", b"|V8", b"<M8", b"<U2"]), head)
            return self.chance.choice([with_shape, with_kind])[:128].ljust(128, b"\n") + content[128:]
        for _ in range(self.chance.randint(1, 4)):
            numbers[self.chance.randrange(len(numbers))] = self.chance.choice([-1, 2**62, -(2**63), 0, 10**6])
        return head + numbers.tobytes()

    def _steps(self, content: bytes) -> bytes:
        size = struct.unpack("<I", content[8:12])[0]
        head, body = json.loads(content[12 : 12 + size]), bytearray(content[12 + size :])
        way = self.chance.randrange(4)
        if way == 0:
            for _ in range(self.chance.randint(1, 30)):
                at = 4 * self.chance.randrange(len(body) // 4)
                odd = [float("nan"), float("inf"), -float("inf"), -1.0, 3e38, 1e-38, 0.0]
                body[at : at + 4] = struct.pack("<f", self.chance.choice(odd))
        elif way == 1:
            names = head["columns"]
            fewer = [[], names[1:], names[:1], ["step"] * 3, "step", [1, 2], {"a": 1}, None]
            head["columns"] = self.chance.choice([*fewer, names * 2, [""] * 5000, [*names, "lr:<b>x"], names[::-1]])
        elif way == 2:
            return (
                content[:8] + struct.pack("<I", self.chance.choice([0, 2**32 - 1, size + 1, size - 1])) + content[12:]
            )
        else:
            head = self._damaged(head)
        written = self._json_text(head)
        return content[:8] + struct.pack("<I", len(written)) + written + bytes(body)

    # SentencePiece: records of a protocol buffer

    def _sentencepiece(self, content: bytes) -> bytes:
        records, chance = list(fields(content)), self.chance
        number = chance.randrange(len(records))
        tag, record = records[number]
        way = chance.randrange(7)
        odd = [float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 1e30]
        if way == 0:  # a score
            at = record.find(b"\x15")
            score = struct.pack("<f", chance.choice(odd))
            record = record[: at + 1] + score + record[at + 5 :] if at >= 0 else record + b"\x15" + score
            records[number] = (tag, record)
        elif way == 1:  # a type: unknown, control, user defined, byte, unused, none of these
            records[number] = (tag, record + bytes([0x18, chance.choice([1, 2, 3, 4, 5, 6, 0, 99])]))
        elif way == 2:
            del records[number : number + chance.choice([1, 1, 5, 50])]
        elif way == 3:
            records[number:number] = [records[chance.randrange(len(records))]] * chance.choice([1, 2, 300])
        elif way == 4:
            text = chance.choice([b"", b"\xff\xfe", b"\0", b"<unk>", "▁".encode() * 9, b"a" * 70_000, b"<0x41>"])
            records[number] = (0x0A, b"\x0a" + varint(len(text)) + text + b"\x15\0\0\x80\xbf")
        elif way == 5:  # a table of characters to be replaced, which SentencePiece walks through unchecked
            table = struct.pack("<I", chance.choice([4, 8, 1024, 2**31])) + chance.randbytes(
                chance.choice([4, 1024, 4096])
            )
            records.append((0x1A, b"\x0a\x01x\x12" + varint(len(table)) + table))
        else:
            records[number] = (tag, self._bytes(record))
        return b"".join(bytes([tag]) + varint(len(record)) + record for tag, record in records)

    # Arrow

    def _arrow(self, content: bytes) -> bytes:
        if self.chance.random() < 0.5:
            return self._bytes(content)
        table = pa.ipc.open_file(content).read_all()
        number = self.chance.randrange(table.num_columns)
        name, column = table.column_names[number], table.column(number)
        odd: list[Callable[[], pa.Table]] = [
            lambda: table.drop_columns([name]),
            lambda: table.rename_columns([f"{each}x" * (each == name) or each for each in table.column_names]),
            lambda: table.set_column(number, name, pa.nulls(len(table), column.type)),
            lambda: table.set_column(number, name, pa.array(["x"] * len(table))),
            lambda: table.set_column(number, name, pa.array([self.chance.choice([2**31 - 1, -5, 99])] * len(table))),
            lambda: table.set_column(number, name, pa.array([float("nan")] * len(table))),
            lambda: table.set_column(number, name, pa.array([[1.0]] * len(table))),
            lambda: table.slice(0, self.chance.choice([0, 1])),
            lambda: pa.concat_tables([table, table]),
            lambda: table.append_column(name, column),
            lambda: table.replace_schema_metadata(self._metadata(table.schema.metadata)),
            lambda: self._cast(table, number, name),
        ]  # fmt: skip
        try:
            return arrow(self.chance.choice(odd)(), self.chance.choice([None, "zstd", "lz4"]))
        except (pa.ArrowException, NotImplementedError):
            return self._bytes(content)

    def _cast(self, table: pa.Table, number: int, name: str) -> pa.Table:
        kind = self.chance.choice([pa.string(), pa.large_binary(), pa.int64(), pa.int8(), pa.float64(), pa.bool_()])
        return table.set_column(number, name, table.column(number).cast(kind, safe=False))

    def _metadata(self, told: dict[bytes, bytes] | None) -> dict[bytes, bytes]:
        changed = dict(told or {})
        name = self.chance.choice(list(changed) or [b"labels"])
        changed[name] = self._json_text(self._value()).replace(b"\0", b"") or b"x"
        return changed

    # Files of fastai

    def _pickle(self, content: bytes) -> bytes:
        words = ["xxunk", "xxpad", "the"]
        odd: list[Callable[[], bytes]] = [
            lambda: pickle.dumps(Canary(self.canary)),
            lambda: pickle.dumps([*words, Canary(self.canary)]),
            lambda: b"cos\nsystem\n(S'touch " + str(self.canary / "ran").encode() + b"'\ntR.",
            lambda: b"(S'touch " + str(self.canary / "ran").encode() + b"'\nios\nsystem\n.",
            lambda: b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
            lambda: b"\x80\x04" + b"]" * 100_000 + b".",
            lambda: b"\x80\x02]q\0" + b"h\0a" * 1000 + b".",
            lambda: b"\x80\x02]q\0" + b"(" * 50_000 + b"l" * 50_000 + b".",
            lambda: b"\x80\x02\x8b" + self.chance.choice(WORDS)[:4] + b"\x7f" * 10_000 + b".",
            lambda: b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.",
            lambda: b"\x80\x04X" + struct.pack("<I", 2**32 - 1) + b"x.",
            lambda: b"I" + b"9" * 100_000 + b"\n.",
            lambda: pickle.dumps([self._value() for _ in range(64)]),
            lambda: pickle.dumps({word: number for number, word in enumerate(words)}),
            lambda: pickle.dumps([*words, "\ud800", "", "x" * 100_000] * 8),
            lambda: b"\x80\x04]" + b"2" * 100_000 + b".",
        ]  # fmt: skip
        return self.chance.choice(odd)() if self.chance.random() < 0.6 else self._bytes(content)

    def _torch_file(self, content: bytes) -> bytes:
        if not zipfile.is_zipfile(io.BytesIO(content)):
            return self._bytes(content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
        number = self.chance.randrange(len(entries))
        name, part = next(each for each in entries if each[0].endswith("data.pkl"))
        way, packing = self.chance.randrange(8), zipfile.ZIP_STORED
        if way == 0:
            entries = [(each, self._pickle(part) if each == name else inner) for each, inner in entries]
        elif way == 1:
            entries = [(each, self._opcodes(inner) if each == name else inner) for each, inner in entries]
        elif way == 2:
            del entries[number]
        elif way == 3:
            entries[number] = (
                self.chance.choice(["../x", "/etc/x", "x/data.pkl", "", "x" * 60_000]),
                entries[number][1],
            )
        elif way == 4:
            entries[number] = (entries[number][0], entries[number][1][: len(entries[number][1]) // 2])
        elif way == 5:
            packing, entries[number] = zipfile.ZIP_DEFLATED, (entries[number][0], bytes(20_000_000))
        elif way == 6:
            at, inner = 4 * (len(entries[number][1]) // 8), entries[number][1]
            entries[number] = (entries[number][0], inner[:at] + b"\0\0\xc0\x7f" + inner[at + 4 :])
        else:
            return self._bytes(content)
        return zipped(entries, packing)

    def _opcodes(self, content: bytes) -> bytes:
        """Sizes, offsets and keys of tensors are small numbers of a pickle: one of them is another one now."""
        data = bytearray(content)
        places = [place for place, byte in enumerate(data[:-2]) if byte in b"KM(tq\x85\x86\x87RQ"]
        for _ in range(self.chance.randint(1, 3)):
            at = self.chance.choice(places)
            data[at + 1] = self.chance.choice([0, 1, 255, 128, data[at + 1] ^ 1])
        return bytes(data)

    def _archive(self, content: bytes) -> bytes:
        out = io.BytesIO()
        inner = {"weights.pth": self.folder / "weights.pth", "vocab.pkl": self.folder / "vocab.pkl"}
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
            for name, path in inner.items():
                prefix = self.chance.choice(["", "x/", "../" * 9 + str(self.canary)[1:] + "/", f"{self.canary}/", "./"])
                archive.addfile(*member(f"{prefix}{name}", path.read_bytes()))
            for _ in range(self.chance.randint(0, 3)):
                self._odd_member(archive)
        return out.getvalue() if self.chance.random() < 0.7 else self._bytes(out.getvalue())

    def _odd_member(self, archive: tarfile.TarFile) -> None:
        name = self.chance.choice(
            ["a.pth", "vocab.pkl", "../b.pkl", str(self.canary / "c.pth"), "..", "/", "é" * 90, "d.h5"]
        )
        kinds = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.CONTTYPE]
        facts, content = member(name, b"x" * 100)
        if self.chance.random() < 0.7:
            facts.type, facts.linkname = self.chance.choice(kinds), str(self.canary / "letter.txt")
            facts.size = 0
        archive.addfile(facts, content if facts.size else None)


# Formats


def parts(value: Any) -> Any:
    """(holder, key) of everything inside lists and dicts."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from parts(value[key])


def varint(number: int) -> bytes:
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(high) if high else bytes([low])


def fields(content: bytes) -> Any:
    """The records of a protocol buffer's outermost level, all of which have a length."""
    at = 0
    while at < len(content):
        tag, at, length, shift = content[at], at + 1, 0, 0
        while True:
            length |= (content[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if content[at - 1] < 0x80:
                break
        yield tag, content[at : at + length]
        at += length


def arrow(table: pa.Table, compression: str | None) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_file(out, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    return out.getvalue()


def zipped(entries: list[tuple[str, bytes]], packing: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name or "x"), content, packing)
    return out.getvalue()


def member(name: str, content: bytes) -> tuple[tarfile.TarInfo, io.BytesIO]:
    facts = tarfile.TarInfo(name)
    facts.size = len(content)
    return facts, io.BytesIO(content)


# The hashes that tie the files of a folder together


def sign(folder: Path) -> None:
    """Renew them where the files can be read at all, as whoever means harm would."""
    try:
        _sign(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return


def _sign(folder: Path) -> None:
    if not (folder / "vocab.json").is_file() or not all(
        path.is_file() and not path.is_symlink() for path in folder.iterdir()
    ):
        return
    facts = json.loads((folder / "vocab.json").read_bytes())
    words = folder / ("spm.model" if (folder / "spm.model").exists() else "words.json")
    facts["hash"] = short(words.read_bytes() + facts["rules"].encode())
    (folder / "vocab.json").write_text(json.dumps(facts))
    if (folder / "model.json").exists():
        _sign_model(folder, facts["hash"])


def _sign_model(folder: Path, vocabulary: str) -> None:
    record = json.loads((folder / "model.json").read_bytes())
    record["vocabulary"]["hash"] = vocabulary
    counts, scope = [folder / "word_counts.json", folder / "word_counts.safetensors"], folder / "scope.safetensors"
    if "hash" in record.get("blend", {}):
        record["blend"]["hash"] = short(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in counts))
    if "scope" in record:
        record["scope"] = short(scope.read_bytes())
    (folder / "model.json").write_text(json.dumps(record))


def short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
