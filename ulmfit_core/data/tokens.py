"""Token ids on disk: one long array of the narrowest integer width and the place where each document begins."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any, Literal

import numpy as np
from pydantic import Field

from ulmfit_core import files, reading
from ulmfit_core.errors import UserError
from ulmfit_core.text.vocab import Vocabulary

FORMAT = 1
# What bytes of ASCII are to `_words_in`: white space, or not.
SHAPE = bytes(ord(" ") if chr(byte).isspace() else ord("x") for byte in range(256))


class Meta(reading.Record):
    """What tokens.json must tell."""

    format: int
    dtype: Literal["uint16", "uint32"]
    tokens: int = Field(ge=0)
    fingerprint: str = ""


class Tokens:
    """Documents as token ids, memory-mapped.

    `ids`: uint16 or uint32, shape (tokens,). `offsets`: int64, shape (documents + 1,).
    """

    def __init__(self, ids: np.ndarray, offsets: np.ndarray, meta: dict[str, Any]):
        self.ids = ids
        self.offsets = offsets
        self.meta = meta

    @classmethod
    def open(cls, folder: Path) -> Tokens:
        """Raises UserError if the folder holds no tokens, or those of a newer version."""
        path = Path(folder) / "tokens.json"
        try:
            meta = reading.record(path, reading.Versioned)
        except FileNotFoundError:
            raise UserError(f"There are no encoded texts in {folder}. Build the vocabulary first.") from None
        if meta.get("format", 0) > FORMAT:
            raise UserError(f"{path} was written by a newer version of the program. Update it.")
        meta = reading.fitting(meta, Meta, path)
        try:
            ids, offsets = _mapped(path.parent, meta)
        except (OSError, ValueError, EOFError, SyntaxError, TokenError) as error:
            raise UserError(_damaged(folder, str(error))) from None
        return cls(ids, offsets, meta)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, document: int) -> np.ndarray:
        return self.ids[self.offsets[document] : self.offsets[document + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each document: int64, shape (documents,)."""
        return np.diff(self.offsets)


def _mapped(folder: Path, meta: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The ids and the places where documents begin. Raises OSError, ValueError, or what numpy does for a head of which
    it makes nothing, where they are not whole."""
    dtype = np.dtype(meta["dtype"])
    # An empty file cannot be mapped.
    ids = np.memmap(reading.plain(folder / "ids.bin"), dtype, "r") if meta["tokens"] else np.empty(0, dtype)
    offsets = np.load(reading.plain(folder / "offsets.npy"), mmap_mode="r", allow_pickle=False)
    if len(ids) != meta["tokens"]:
        raise ValueError(f"ids.bin has {len(ids):,} tokens instead of {meta['tokens']:,}")
    if offsets.ndim != 1 or offsets.dtype != np.int64 or not len(offsets):
        raise ValueError("offsets.npy is no list of places")
    if offsets[0] != 0 or offsets[-1] != len(ids) or bool((np.diff(offsets) < 0).any()):
        raise ValueError("a document lies outside of ids.bin")
    return ids, offsets


def write(folder: Path, documents: Iterable[np.ndarray], dtype: np.dtype, meta: dict[str, Any] | None = None) -> Tokens:
    """Stream documents into a folder, which appears only when it is whole. `meta` is kept beside them."""
    with files.replacing_folder(Path(folder)) as fresh:
        log = files.AppendLog(fresh / "ids.bin")
        lengths = [_append(log, document.astype(dtype)) for document in documents]
        log.close()
        _describe(fresh, np.array(lengths, np.int64), dtype, meta)
    return Tokens.open(folder)


def join(folder: Path, parts: Iterable[Path], dtype: np.dtype, meta: dict[str, Any] | None = None) -> Tokens:
    """As `write`, of documents that lie in the files of parts, in this order; each holds ids of `dtype`."""
    with files.replacing_folder(Path(folder)) as fresh:
        log = files.AppendLog(fresh / "ids.bin")
        lengths = [_append_part(log, part) for part in parts]
        log.close()
        _describe(fresh, np.concatenate([np.empty(0, np.int64), *lengths]), dtype, meta)
    return Tokens.open(folder)


def _append(log: files.AppendLog, document: np.ndarray) -> int:
    log.write(document.tobytes())
    return len(document)


def _append_part(log: files.AppendLog, part: Path) -> np.ndarray:
    content = part.read_bytes()
    _, lengths, begin = _head(content)
    log.write(content[begin:])
    return lengths


def _describe(fresh: Path, lengths: np.ndarray, dtype: np.dtype, meta: dict[str, Any] | None) -> None:
    """What stands beside ids.bin: where each document begins, and tokens.json."""
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)
    content = io.BytesIO()
    np.save(content, offsets, allow_pickle=False)
    files.write_bytes(fresh / "offsets.npy", content.getvalue())
    facts = {"format": FORMAT, "dtype": np.dtype(dtype).name, "tokens": int(offsets[-1]), **(meta or {})}
    files.write_json(fresh / "tokens.json", facts)


# Parts, from which `join` makes the whole


@dataclass(frozen=True)
class Counts:
    """Of texts before they were cut to a length: words between white space, tokens, and unknown ones among them."""

    words: int = 0
    tokens: int = 0
    unknown: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.words + other.words, self.tokens + other.tokens, self.unknown + other.unknown)


def count(texts: Sequence[str], encoded: Sequence[np.ndarray]) -> Counts:
    """Of some texts and their token ids."""
    ids = np.concatenate(encoded)
    return Counts(sum(map(_words_in, texts)), len(ids), int(np.count_nonzero(ids == Vocabulary.unk)))


def _words_in(text: str) -> int:
    """As len(text.split()), in half the time where it can be."""
    if text.isascii():
        return (b" " + text.encode()).translate(SHAPE).count(b" x")
    return len(text.split())


def pack(documents: Sequence[np.ndarray], counts: Counts) -> bytes:
    """The content of a part's file: int64 counts and number of documents, their int64 lengths, and all ids."""
    head = [counts.words, counts.tokens, counts.unknown, len(documents), *map(len, documents)]
    return b"".join([np.array(head, np.int64).tobytes(), *(document.tobytes() for document in documents)])


def counts_of(parts: Iterable[Path]) -> Counts:
    return sum((_head(part.read_bytes())[0] for part in parts), Counts())


def _head(content: bytes) -> tuple[Counts, np.ndarray, int]:
    """Counts, lengths of the documents: int64, shape (documents,), and where the ids begin."""
    words, counted, unknown, documents = map(int, np.frombuffer(content, np.int64, 4))
    lengths = np.frombuffer(content, np.int64, documents, 4 * 8)
    return Counts(words, counted, unknown), lengths, 8 * (4 + documents)


def open_tokens(tokens_folder: Path, vocabulary: Vocabulary, kind: str, fingerprint: str = "") -> Tokens:
    """The encoded `dataset` or `corpus` of a project, for its vocabulary.

    Raises UserError if they were not encoded with this vocabulary, or, where `fingerprint` is the import's,
    not from the data as it is now.
    """
    folder = Path(tokens_folder) / vocabulary.hash / kind
    tokens = Tokens.open(folder)
    if fingerprint and tokens.meta.get("fingerprint") != fingerprint:
        raise UserError("The data was imported anew since its texts were encoded. Build the vocabulary again.")
    if len(tokens.ids) and int(tokens.ids.max()) >= vocabulary.size:
        raise UserError(_damaged(folder, "they have ids that the vocabulary has not"))
    return tokens


def _damaged(folder: Path, reason: str) -> str:
    return f"The encoded texts in {folder} are damaged: {reading.shortened(reason)}. Build the vocabulary again."
