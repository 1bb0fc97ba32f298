"""A folder as numbered parts, small enough to be carried to another machine, and the folder again from these parts."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

PART_BYTES = 15_000_000
CONTENTS = "parcel.json"
# Token ids and weights are numbers of two bytes: what repeats is found at even places.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9, "lc": 3, "lp": 1, "pb": 1}]


def wrap(folder: Path, files: Iterable[Path], parcel: Path, part_bytes: int = PART_BYTES) -> dict[str, Any]:
    """Write `files`, which lie in `folder`, to a parcel. Returns its contents: size, hashes of the parts.

    The contents are written last: a parcel that has them is whole.
    """
    parcel.mkdir(parents=True, exist_ok=True)
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


def is_whole(parcel: Path) -> bool:
    return (parcel / CONTENTS).exists() and not list(_faults(parcel))


def unwrap(parcel: Path, folder: Path) -> None:
    """Write the files of a parcel into `folder`. Ends the program, with all their names, where parts are missing or
    damaged."""
    if not (parcel / CONTENTS).exists():
        raise SystemExit(f"{parcel / CONTENTS} is missing. Bring it with the parts that it names, then start anew.")
    faults = list(_faults(parcel))
    if faults:
        raise SystemExit(f"{parcel}: {', '.join(faults)}. Bring what is named again, then start anew.")
    content = io.BytesIO(b"".join((parcel / entry["name"]).read_bytes() for entry in _parts(parcel)))
    with lzma.open(content) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
        tar.extractall(folder, filter="data")


def _faults(parcel: Path) -> Iterator[str]:
    for entry in _parts(parcel):
        path = parcel / entry["name"]
        if not path.exists():
            yield f"{entry['name']} is missing"
        elif _entry(entry["name"], path.read_bytes()) != entry:
            yield f"{entry['name']} is damaged"


def _parts(parcel: Path) -> list[dict[str, Any]]:
    return json.loads((parcel / CONTENTS).read_text())["parts"]


def _entry(name: str, part: bytes | memoryview) -> dict[str, Any]:
    return {"name": name, "bytes": len(part), "sha256": hashlib.sha256(part).hexdigest()}
