"""The vocabulary with the text rules it was made for, and the hash that ties models to it.

There are two classes: pieces of words or characters (SentencePiece, here) and whole words (`words.py`).
"""

from __future__ import annotations

import hashlib
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import sentencepiece as spm

from ulmfit_core import catalog, files, reading
from ulmfit_core.errors import UserError
from ulmfit_core.text import model_file, trial
from ulmfit_core.text.model_file import with_only
from ulmfit_core.text.portions import portions
from ulmfit_core.text.rules import BOS, CONTROL, PAD, SPECIALS, UNK, Marks, marked, named, single_spaced, ulmfit, undo

FORMAT = 1
MODEL, FACTS = "spm.model", "vocab.json"
SPACE = "\u2581"
# Texts that the rules go over at once, at most, and the characters after which they are enough.
BATCH, BATCH_CHARACTERS = 1024, 2**20
# A marker takes the place of the space before it: the piece behind it carries one already.
MARKER = re.compile(r"xx(?:fld|rep|wrep|up|maj)")
GLUE = re.compile(rf" ({MARKER.pattern})(?= )")
# A character that no vocabulary holds, so that xxunk in a text becomes the unknown piece.
UNKNOWN = "\uf8ff"
FIELD = re.compile(r" ?xxfld ?\d*")
SHOWN_AS_NOTHING = re.compile("|".join(name for name in SPECIALS if name in ("xxpad", "xxbos", "xxeos", "xxfld")))


class Vocabulary(ABC):
    """Text to token ids and back. `hash` has 16 hexadecimal digits and names the folder of the encoded texts.

    `file` is the name of the file with its `content`, which lies beside vocab.json; `unit` says what it holds.
    """

    unk, pad, bos = UNK, PAD, BOS
    # Threads that `encode` may use; 0 takes all cores where there is much to do.
    threads = 0
    file: ClassVar[str]
    unit: ClassVar[str]

    def __init__(self, content: bytes, facts: dict[str, Any], size: int):
        self.content = content
        self.facts = facts
        self.rules: str = facts["rules"]
        self.hash = vocabulary_hash(content, self.rules)
        self._rule: Callable[[str], str] = catalog.resolve("rules", self.rules)
        self.size = size
        self.dtype = np.dtype(np.uint16 if size <= 2**16 else np.uint32)

    @staticmethod
    def load(folder: Path) -> Vocabulary:
        """Either kind. Raises UserError if the folder has no vocabulary, a damaged one or one of a newer version."""
        folder = Path(folder)
        facts = _facts(folder)
        kind = catalog.resolve("vocabulary", facts.get("kind", "unigram"))
        path = folder / kind.file
        try:
            content = reading.content(path)
        except FileNotFoundError:
            raise UserError(f"There is no vocabulary in {folder}. Build the vocabulary first.") from None
        if vocabulary_hash(content, facts["rules"]) != facts["hash"]:
            raise UserError(f"{path} does not fit its vocab.json. Build the vocabulary again.")
        try:
            kind.check(content)
            vocabulary: Vocabulary = kind(content, facts)
        except ValueError as error:
            raise UserError(reading.damaged(path, str(error))) from None
        return vocabulary

    @staticmethod
    @abstractmethod
    def check(content: bytes) -> None:
        """Raise ValueError where the content of the vocabulary's file cannot be trusted."""

    @property
    @abstractmethod
    def pieces(self) -> list[str]:
        """All pieces or words by id."""

    @abstractmethod
    def id_of(self, piece: str) -> int:
        """The id of a piece, `unk` for one that the vocabulary does not have."""

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Token ids of each text, the first of them `bos`; arrays of `dtype`, shape (tokens,). Nothing is cut."""

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """Readable text: markers undone, xxbos and its like left out, unknown pieces shown as xxunk."""

    @abstractmethod
    def tokens(self, text: str) -> list[str]:
        """The pieces of a text as the models see it, `xxbos` first."""

    @abstractmethod
    def unknown_in(self, texts: Sequence[str]) -> Iterator[str]:
        """Whatever becomes `unk` in these texts, one after the other."""

    @abstractmethod
    def cut_down(self, size: int) -> Vocabulary:
        """About `size` of the most frequent pieces or words.

        Of pieces of words those of one character stay, so that little becomes unknown.
        """

    def copy_to(self, folder: Path) -> None:
        """Write the vocabulary's file and vocab.json into a folder, such as a bundle's."""
        files.write_bytes(Path(folder) / self.file, self.content)
        files.write_json(Path(folder) / FACTS, self.facts)


class Pieces(Vocabulary):
    """Pieces of words, cut by SentencePiece; in `pieces`, `▁` stands for the space before a word."""

    file, unit = MODEL, "pieces"

    def __init__(self, content: bytes, facts: dict[str, Any]):
        self._processor = spm.SentencePieceProcessor(model_proto=content)
        # Bytes would stand in for UNKNOWN, too, so that it has a piece of its own there.
        falls_back = facts.get("settings", {}).get("byte_fallback", False)
        self._unknown = self.id_of(UNKNOWN) if falls_back else UNK
        super().__init__(content, facts, self._processor.get_piece_size())

    @staticmethod
    def check(content: bytes) -> None:
        """What is left to check once the file's own parts fit is tried in another process."""
        model_file.check(content)
        if not trial.bears(content):
            raise ValueError("SentencePiece cannot use it")
        processor = spm.SentencePieceProcessor(model_proto=content)
        first = range(min(len(SPECIALS), processor.get_piece_size()))
        if tuple(map(processor.id_to_piece, first)) != SPECIALS:
            raise ValueError("it does not begin with the special tokens")

    @property
    def pieces(self) -> list[str]:
        return [self._processor.id_to_piece(number) for number in range(self.size)]

    def id_of(self, piece: str) -> int:
        return int(self._processor.piece_to_id(piece))

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        prepared = list(prepare_all(texts, self._rule))
        threads = self.threads or _threads(len(texts))
        return self._begun(self._processor.encode(prepared, num_threads=threads, out_type="numpy"))

    def _begun(self, encoded: list[np.ndarray]) -> list[np.ndarray]:
        """`bos` before each. All are slices of one array, which is made faster than many small ones."""
        bos = np.array([BOS], np.int32)
        ids = np.concatenate([bos, *chain.from_iterable((one, bos) for one in encoded)]).astype(self.dtype)
        if self._unknown != UNK:
            ids[ids == self._unknown] = UNK
        ends = list(accumulate((len(one) + 1 for one in encoded), initial=0))
        return [ids[begin:end] for begin, end in pairwise(ends)]

    def unknown_in(self, texts: Sequence[str]) -> Iterator[str]:
        prepared = list(prepare_all(texts, self._rule))
        ids, written = (self._processor.encode(prepared, out_type=kind) for kind in (int, str))
        for number, surface in zip(chain.from_iterable(ids), chain.from_iterable(written)):
            if number in (UNK, self._unknown):
                yield surface.replace(UNKNOWN, SPECIALS[UNK])

    def cut_down(self, size: int) -> Pieces:
        longest = 0 if self.facts.get("kind") == "char" else 1
        kept = {
            number for number, piece in enumerate(self.pieces)
            if number < size or len(piece) <= longest or piece == UNKNOWN or self._processor.is_byte(number)
        }  # fmt: skip
        return Pieces(with_only(self.content, kept), self.facts)

    def scores(self) -> list[tuple[str, float]]:
        """All pieces by id with the logarithms of their shares of the text that they were learned from."""
        return [(self._processor.id_to_piece(number), self._processor.get_score(number)) for number in range(self.size)]

    def cut(self, piece: str) -> list[int]:
        """The ids into which a piece of another vocabulary falls; no rules, no `bos`."""
        return [int(number) for number in self._processor.encode(piece.replace(SPACE, " "))]

    def tokens(self, text: str) -> list[str]:
        return [self._processor.id_to_piece(int(number)) for number in self.encode([text])[0]]

    def decode(self, ids: Iterable[int]) -> str:
        text = b"".join(map(self._bytes_of, ids)).decode("utf-8", "replace").replace(SPACE, " ")
        text = SHOWN_AS_NOTHING.sub("", FIELD.sub("", text))
        return " ".join(undo(text).split())

    def _bytes_of(self, number: int) -> bytes:
        """Of a piece such as <0xE6> the byte it stands for."""
        piece: str = self._processor.id_to_piece(int(number))
        return bytes.fromhex(piece[3:5]) if self._processor.is_byte(int(number)) else piece.encode()


class Facts(reading.Record):
    """What vocab.json must tell."""

    format: int
    kind: str = "unigram"
    rules: str
    hash: str
    settings: dict[str, Any] = {}


def _facts(folder: Path) -> dict[str, Any]:
    path = folder / FACTS
    try:
        facts = reading.record(path, reading.Versioned)
    except FileNotFoundError:
        raise UserError(f"There is no vocabulary in {folder}. Build the vocabulary first.") from None
    if facts.get("format", 0) > FORMAT:
        raise UserError(f"{path} was written by a newer version of the program. Update it.")
    return reading.fitting(facts, Facts, path)


def prepare(text: str, rule: Callable[[str], str]) -> str:
    """What SentencePiece sees of a text: rules applied, one space before each word, also before the first."""
    text = single_spaced(rule(text))
    if not text:
        return ""
    # GLUE.split gives what lies between the matches and, each in its place, what its group holds: the markers.
    return "".join(GLUE.split(" " + text)).replace(SPECIALS[UNK], UNKNOWN)


def prepare_all(texts: Iterable[str], rule: Callable[[str], str]) -> Iterator[str]:
    """As `prepare`, of many texts: faster, since the rules of this program go over many at once."""
    for batch in portions(texts, len, BATCH, BATCH_CHARACTERS):
        if rule is ulmfit:
            lines, marks = marked(batch)
            yield from (_glued(line, marks) or prepare(text, rule) for text, line in zip(batch, lines))
        else:
            yield from (prepare(text, rule) for text in batch)


def _glued(line: str, marks: Marks) -> str:
    """A line of `marked` as SentencePiece sees it; "" for one that needs a closer look.

    That is one without words, one that has the name of a marker itself, and one whose marks are not the usual ones.
    """
    if line == " " or marks != CONTROL:
        return ""
    if "xx" in line:
        if MARKER.search(line):
            return ""
        line = line.replace(SPECIALS[UNK], UNKNOWN)
    return named(line, marks, "{} ")


def vocabulary_hash(content: bytes, rules: str) -> str:
    return hashlib.sha256(content + rules.encode()).hexdigest()[:16]


def new_vocabulary(kind: str, content: bytes, rules: str, settings: dict[str, Any]) -> Vocabulary:
    """A vocabulary from its file's content; `settings` are kept with it. `copy_to` writes it."""
    facts = {
        "format": FORMAT, "kind": kind, "rules": rules, "hash": vocabulary_hash(content, rules), "settings": settings,
    }  # fmt: skip
    vocabulary: Vocabulary = catalog.resolve("vocabulary", kind)(content, facts)
    facts["size"] = vocabulary.size
    return vocabulary


def _threads(texts: int) -> int:
    # Starting threads costs more than a few texts.
    return 1 if texts < 32 else os.cpu_count() or 1
