"""Whole words as a vocabulary: text rules, then spaCy's English tokenizer, as in fastai; and words back into text."""

from __future__ import annotations

import functools
import itertools
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ulmfit_core import catalog, reading
from ulmfit_core.config import VocabSettings
from ulmfit_core.errors import UserError
from ulmfit_core.events import Progress
from ulmfit_core.run import Run
from ulmfit_core.text.rules import BOS, SPECIALS, UNK, undo
from ulmfit_core.text.vocab import SPACE, Vocabulary

if TYPE_CHECKING:
    from spacy.tokenizer import Tokenizer

# fastai fills up a vocabulary with these to a multiple of 8; no text is ever encoded as one.
FAKE = "xxfake"
MULTIPLE = 8
BATCH = 500
LABEL = "Counting the words"
# spaCy remembers the words it has seen, and was not made for two threads at once.
SPACY = threading.Lock()
# A marker that the rules left without a space, as in "(xxmajyes".
GLUED = re.compile(r"(?<=\S)(?=xx(?:w?rep|up|maj))|(?:(?<=xxrep|xxmaj)|(?<=xxwrep)|(?<=xxup))(?=\S)")
CASES, REPEATS = ("xxup", "xxmaj"), ("xxrep", "xxwrep")
NOT_SHOWN = {"xxpad", "xxbos", "xxeos", "xxfld", FAKE}
# Between which tokens a text has no space.
CLOSING = re.compile(r"[.,!?;:%)\]}…’]+|n't|n’t|['’](?:s|m|d|re|ve|ll|t)")
OPENING = tuple("([{$#£€")
INNER = ("-", "/")


class Words(Vocabulary):
    """Whole words by frequency, the special tokens first."""

    file, unit = "words.json", "words"

    def __init__(self, content: bytes, facts: dict[str, Any]):
        words: list[str] = json.loads(content)
        if tuple(words[: len(SPECIALS)]) != SPECIALS:
            raise UserError("The list of words does not begin with the special tokens. Build the vocabulary again.")
        self._words = words
        # Of a word that stands there twice the last counts, as in fastai.
        self._ids = {word: number for number, word in enumerate(words) if word != FAKE}
        self._ids |= {name: number for number, name in enumerate(SPECIALS)}
        super().__init__(content, facts, len(words))

    @staticmethod
    def check(content: bytes) -> None:
        words = reading.parsed(content)
        if not isinstance(words, list) or not all(type(word) is str for word in words):
            raise ValueError("it is no list of words")
        "".join(words).encode()  # half of a character is none

    @property
    def pieces(self) -> list[str]:
        return list(self._words)

    def id_of(self, piece: str) -> int:
        return self._ids.get(piece, UNK)

    def encode(self, texts: Sequence[str]) -> list[np.ndarray]:
        ids, unknown = self._ids.get, UNK
        return [
            np.array([BOS, *(ids(word, unknown) for word in words)], self.dtype)
            for words in split(texts, self._rule)
        ]  # fmt: skip

    def unknown_in(self, texts: Sequence[str]) -> Iterator[str]:
        for words in split(texts, self._rule):
            yield from (word for word in words if self.id_of(word) == UNK)

    def cut_down(self, size: int) -> Words:
        return Words(to_json(self._words[: max(size, len(SPECIALS))]), self.facts)

    def tokens(self, text: str) -> list[str]:
        return [self._words[number] for number in self.encode([text])[0]]

    def decode(self, ids: Iterable[int]) -> str:
        return readable(self._words[int(number)] for number in ids)


@functools.cache
def english() -> Tokenizer:
    """spaCy's tokenizer, which takes a second to load. The special tokens are never cut."""
    import spacy
    from spacy.symbols import ORTH

    tokenizer = cast("Tokenizer", spacy.blank("en").tokenizer)
    for name in SPECIALS:
        tokenizer.add_special_case(name, [{ORTH: name}])
    return tokenizer


def split(texts: Iterable[str], rule: Callable[[str], str]) -> Iterator[list[str]]:
    """The words of each text after the rules, without xxbos. A space inside a word is written ▁, as in fastai."""
    tokenizer = english()
    for text in texts:
        prepared = GLUED.sub(" ", rule(text))
        with SPACY:
            document = tokenizer(prepared)
        yield [word.text.replace(" ", SPACE) for word in document]


# Learning


def learn(texts: Iterable[str], settings: VocabSettings, run: Run, characters: int) -> list[str]:
    """The most common words of about so many `characters` of text, as fastai chooses them; ties by alphabet.

    Raises UserError where no word is frequent enough, Stopped if the person stops.
    """
    rule = catalog.resolve("rules", settings.rules)
    counts: Counter[str] = Counter()
    read = 0
    source = iter(texts)
    while batch := list(itertools.islice(source, BATCH)):
        run.poll()
        run.emit(Progress(LABEL, float(min(read, characters)), float(characters)))
        for words in split(batch, rule):
            counts.update(words)
        read += sum(map(len, batch))
    run.emit(Progress(LABEL, float(characters), float(characters)))
    return choose(counts, settings.size, settings.min_frequency)


def choose(counts: Counter[str], size: int, min_frequency: int) -> list[str]:
    """Specials, then the most common words, `size` in all, then fill-words up to the next multiple of 8.

    Where `size` is a multiple already, fastai adds eight: its 60,000 words are 60,008.
    """
    words = [word for word, count in counts.items() if count >= min_frequency and word not in (*SPECIALS, FAKE)]
    if not words:
        raise UserError(
            f"No word occurs {min_frequency} times in these texts. Give more text, or lower the least frequency."
        )
    words.sort(key=lambda word: (-counts[word], word))
    chosen = [*SPECIALS, *words][:size]
    return chosen + [FAKE] * (MULTIPLE - len(chosen) % MULTIPLE)


def to_json(words: Sequence[str]) -> bytes:
    """The content of words.json: one word a line."""
    return json.dumps(list(words), ensure_ascii=False, indent=0).encode("utf-8")


# Back into text


def readable(words: Iterable[str]) -> str:
    """Text as a person writes it: capitals and repeats restored, no space before a full stop and its like."""
    text = held = ""
    field = False
    for word in words:
        if field and word.isdigit() or word in NOT_SHOWN:
            field = word == "xxfld"
        elif word in CASES or word in REPEATS:
            held += word
        elif held.endswith(REPEATS) and word.isdigit():
            held += f"{word} "
        else:
            text += ("" if _joined(text, word) else " ") + held + word.replace(SPACE, " ")
            held = ""
    return " ".join(undo(text).split())


def _joined(text: str, word: str) -> bool:
    """Whether `word` follows `text` without a space."""
    if word == '"':
        return text.count('"') % 2 == 1
    if text.endswith('"'):
        return text.count('"') % 2 == 1
    return bool(CLOSING.fullmatch(word)) or word in INNER or text.endswith((*OPENING, *INNER))
