"""A folder as numbered parts, small enough to be carried to another machine, and the folder again from these parts."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

PART_BYTES = 15_000_000
CONTENTS = "parcel.json"
# Token ids and weights are numbers of two bytes: what repeats is found at even places.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9, "lc": 3, "lp": 1, "pb": 1}]


def wrap(folder: Path, files: Iterable[Path], parcel: Path, part_bytes: int = PART_BYTES) -> dict[str, Any]:
    """Write `files`, which lie in `folder`, to a new parcel. Returns its contents: size, hashes of the parts."""
    parcel.mkdir(parents=True)
    whole = io.BytesIO()
    with lzma.open(whole, "wb", filters=FILTERS) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        for path in sorted(files):
            tar.add(path, path.relative_to(folder), recursive=False)
    content = whole.getbuffer()
    parts = [content[start : start + part_bytes] for start in range(0, len(content), part_bytes)]
    names = [f"part-{number:02}" for number in range(len(parts))]
    for name, part in zip(names, parts, strict=True):
        (parcel / name).write_bytes(part)
    listed = [_entry(name, part) for name, part in zip(names, parts, strict=True)]
    contents = {"bytes": len(content), "parts": listed}
    (parcel / CONTENTS).write_text(json.dumps(contents, indent=1) + "\n")
    return contents


def unwrap(parcel: Path, folder: Path) -> None:
    """Write the files of a parcel into `folder`. Ends the program where a part is missing or damaged."""
    content = io.BytesIO()
    for entry in json.loads((parcel / CONTENTS).read_text())["parts"]:
        path = parcel / entry["name"]
        part = path.read_bytes() if path.exists() else b""
        if _entry(entry["name"], part) != entry:
            raise SystemExit(f"{path} is {'damaged' if part else 'missing'}. Bring it again, then start anew.")
        content.write(part)
    content.seek(0)
    with lzma.open(content) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
        tar.extractall(folder, filter="data")


def _entry(name: str, part: bytes | memoryview) -> dict[str, Any]:
    return {"name": name, "bytes": len(part), "sha256": hashlib.sha256(part).hexdigest()}
