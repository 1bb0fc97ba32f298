"""Reads files that anyone may have made: plain files alone, no more of one than it can need, and each damage told in a
sentence.

A project or a model may come from a stranger, or from a failing disk. Whoever reads one of its files asks here, and
says which shape its record must have (a `Record`, checked by pydantic) before any part of it is used.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ulmfit_core.errors import UserError

# Far more than any such file of this program has.
MOST_BYTES = 64 * 2**20
ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
AGAIN = "Restore it from a copy, or make it anew."


class Record(BaseModel):
    """Base of the shapes that records must have. What else a record tells is of another version, and is kept."""

    model_config = ConfigDict(extra="allow")


class Versioned(Record):
    """The shape of every version of a record: what tells the version is looked at before all else."""

    format: int = 0


def plain(path: Path) -> Path:
    """The path, if a plain file lies there, or a link to one: opening a pipe would wait and reading a device never end.

    Raises FileNotFoundError where there is nothing, UserError where there is something else.
    """
    try:
        mode = path.stat().st_mode
    except ValueError:  # a zero byte in its name
        raise FileNotFoundError(errno.ENOENT, "No such file", repr(path)) from None
    except OSError as error:
        raise _unreadable(path, error) from None
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a device or pipe"
        raise UserError(f"{path} is {what} and not a file. {AGAIN}")
    return path


def content(path: Path, most: int = MOST_BYTES) -> bytes:
    """All bytes of a file, of which there may be `most`. Raises as `plain` does, UserError where it cannot be read."""
    try:
        with plain(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(size) if size <= most else b""
    except OSError as error:
        raise _unreadable(path, error) from None
    if size > most:
        raise UserError(f"{path} is larger than {most >> 20} MB, which no file of its kind is. {AGAIN}")
    return data


def sha256(path: Path) -> str:
    """Of a file's content, which may be of any size, in hexadecimal digits. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text(path: Path) -> str:
    """A file of UTF-8. Raises as `content` does, UserError where it holds something else."""
    try:
        return content(path).decode("utf-8")
    except UnicodeDecodeError:
        raise UserError(damaged(path, "it is not UTF-8 text")) from None


def record(path: Path, shape: type[Record]) -> dict[str, Any]:
    """The JSON record of a file. Raises as `text` does, UserError where it is no JSON or does not have this shape."""
    try:
        written = text(path)
        value = parsed(written)
        if "\\u" in written:
            _refuse_halves(value)
    except ValueError as error:
        raise UserError(damaged(path, str(error))) from None
    return fitting(value, shape, path)


def _refuse_halves(value: Any) -> None:
    """Raises ValueError where a text in it has half of a character, which JSON can name but no file can hold."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError(_reason(error)) from None


def toml(written: str, path: Path) -> dict[str, Any]:
    """The tables of a TOML text, which is the file's or its beginning. Raises UserError where it is none."""
    try:
        return tomllib.loads(written)
    except (ValueError, RecursionError) as error:
        raise UserError(damaged(path, _reason(error))) from None


def fitting(value: Any, shape: type[Record], path: Path) -> dict[str, Any]:
    """A record that has this shape, as what it tells by name. Raises UserError with what is wrong first."""
    try:
        return shape.model_validate(value).model_dump(exclude_unset=True)
    except ValidationError as error:
        where, why = first_of(error)
        raise UserError(damaged(path, f"“{where}”: {why}" if where else why)) from None


def parsed(written: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError for whatever is wrong with it."""
    try:
        return json.loads(written)
    except (ValueError, RecursionError) as error:
        raise ValueError(_reason(error)) from None


def first_of(error: ValidationError) -> tuple[str, str]:
    """Where the first thing is that is wrong, by its dotted name, and what."""
    first = error.errors(include_input=False, include_url=False)[0]
    return shortened(".".join(str(part) for part in first["loc"])), shortened(first["msg"])


def damaged(path: Path, reason: str) -> str:
    return f"{path} is damaged: {shortened(reason)}. {AGAIN}"


def shortened(reason: str) -> str:
    """One line of what another program says of a file, which may quote the file itself."""
    line = " ".join(reason.split()).rstrip(".")
    return line if len(line) <= 300 else line[:300] + "…"


def _reason(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _unreadable(path: Path, error: OSError) -> Exception:
    if error.errno in ABSENT:
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return UserError(f"{path} cannot be read: {error.strerror}. {AGAIN}")
