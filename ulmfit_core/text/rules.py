"""Text rules: what is done to a text before SentencePiece sees it. Pure functions, named in the catalog.

A vocabulary records which rules it was made with. `undo` turns markers back into capitals and repeats.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence

import numpy as np

# The tokens with a meaning of their own, by id. fastai 1 has another order: map by string, never by id.
SPECIALS = ("xxunk", "xxpad", "xxbos", "xxeos", "xxfld", "xxrep", "xxwrep", "xxup", "xxmaj")
UNK, PAD, BOS = 0, 1, 2


# The rules of fastai 2, in its order. Its own last rule also puts xxbos in front; here the encoder does.

FASTAI_MENDS = (
    ("#39;", "'"), ("amp;", "&"), ("#146;", "'"), ("nbsp;", " "), ("#36;", "$"), ("\\n", "\n"), ("quot;", "'"),
    ("<br />", "\n"), ('\\"', '"'), ("<unk>", "xxunk"), (" @.@ ", "."), (" @-@ ", "-"), ("...", " …"),
)  # fmt: skip
FASTAI_REPEAT = re.compile(r"(\S)\1{2,}")
FASTAI_WORDS = re.compile(r"(?:^|\s)(\w+)(?:\s+\1){2,}(\W|$)")
FASTAI_SIGNS = re.compile(r"([/#\\])")
SPACES = re.compile(r" {2,}")
FASTAI_CAPS = re.compile(r"(\s|^)([A-Z]+[^a-z\s]*)(?=\s|$)")
FASTAI_CAPITAL = re.compile(r"(\s|^)([A-Z][^A-Z\s]*)(?=\s|$)")


def fastai(text: str) -> str:
    """The rule set of fastai 2, with its quirks: digits repeated thrice are counted, capitals beyond A-Z lost."""
    for old, new in FASTAI_MENDS:
        text = text.replace(old, new)
    text = html.unescape(text)
    text = FASTAI_REPEAT.sub(lambda found: f" xxrep {len(found[0])} {found[1]} ", text)
    text = FASTAI_WORDS.sub(lambda found: f" xxwrep {len(found[0].split())} {found[1]} {found[2]}", text)
    text = FASTAI_SIGNS.sub(r" \1 ", text)
    text = SPACES.sub(" ", text)
    text = FASTAI_CAPS.sub(lambda found: _fastai_mark(found, "xxup"), text)
    text = FASTAI_CAPITAL.sub(lambda found: _fastai_mark(found, "xxmaj"), text)
    return text.lower().strip()


def _fastai_mark(found: re.Match[str], marker: str) -> str:
    word = found[2].lower()
    return f"{found[1]}{marker} {word}" if len(word) > 1 else f"{found[1]}{word}"


# The rules of this program. A marked word that follows a space reads " xxmaj word"; one that follows anything
# else, as in "(Yes", reads "(xxmajyes": so nothing is lost. While the rules work, a marker is one character that no
# pattern takes for a letter: of those that keep ASCII text in one byte a character, or of the private use area where a
# text has one of either kind itself.

Marks = tuple[str, str, str, str]
MAJ, UP, REP, WREP = PRIVATE = ("\ue001", "\ue002", "\ue003", "\ue004")
CONTROL = ("\x01", "\x02", "\x03", "\x04")
NAMES = dict(zip(PRIVATE, ("xxmaj", "xxup", "xxrep", "xxwrep")))


def _upper_ranges() -> str:
    """All capitals of the basic plane as the inside of a character class; Python's re has no name for them."""
    capitals = [code for code in range(0x10000) if chr(code).isupper()]
    return "".join(map(chr, capitals))


CAPITAL = f"[{_upper_ranges()}]"
LETTER = r"[^\W\d_]"
BREAKS = re.compile(r"<br ?/?>", re.IGNORECASE)
WIKITEXT = re.compile(r" @([-.,])@ ")
REPEAT = re.compile(r"([^\s\d])\1{2,}")
WORDS = re.compile(rf"(?<!\w)({LETTER}++)((?: \1){{2,}})(?!\w)")
# Letters, also behind an inner ' or &, and single capitals behind a dot: DON'T, AT&T, U.S. What stands before the
# capital is looked at after it: a pattern that begins with a set of characters is searched for quickly.
CASED = re.compile(rf"({CAPITAL}(?<!{LETTER}{CAPITAL})[a-z]*+(?:['’&]?{LETTER}|\.{CAPITAL}(?!{LETTER}))*+)")
MARKED_UP = re.compile(rf"( ?){UP}( ?)({LETTER}(?:['’&]?{LETTER}|\.{LETTER}(?!{LETTER}))*)")
MARKED_MAJ = re.compile(rf"( ?){MAJ}( ?)(\S)")
MARKED_REP = re.compile(rf"( ?){REP}( ?)(\d{{1,3}}) (\S)")
MARKED_WREP = re.compile(rf"( ?){WREP}( ?)(\d{{1,3}}) (\w+|\S+)")


def ulmfit(text: str) -> str:
    """Capitals (of any alphabet) and repeats become markers, digits stay, white space becomes one space."""
    lines, marks = marked([text])
    return named(lines[0], marks, " {} ").strip()


def marked(texts: Sequence[str]) -> tuple[list[str], Marks]:
    """Each text in lower case with one of four marks right before each word or character that it tells of; the marks.

    A text begins with a space and has one before each word, no other white space. So all texts are gone over at once,
    as lines, and patterns that are slow are tried only where they can match.
    """
    lines = "\n".join([" " + single_spaced(_mend(text)) for text in texts])
    maj, up, rep, wrep = marks = PRIVATE if any(mark in lines for mark in CONTROL + PRIVATE) else CONTROL
    lines = _replace(REPEAT, _tripled(lines), lambda found: f"{rep}{len(found[0])} {found[1]}", lines)
    lines = _replace(WORDS, _doubled(lines), lambda found: f"{wrep}{found[2].count(' ') + 1} {found[1]}", lines)
    return [_cased(line, maj, up) for line in lines.split("\n")][: len(texts)], marks


def single_spaced(text: str) -> str:
    """As " ".join(text.split())."""
    # A space is the only white space that counts as printable.
    return text.strip() if "  " not in text and text.isprintable() else " ".join(text.split())


def named(text: str, marks: Marks, behind_space: str) -> str:
    """Markers by their names; `behind_space`, such as " {} ", takes the place of a space and the mark behind it."""
    for mark, name in zip(marks, NAMES.values()):
        if mark in text:
            text = text.replace(f" {mark}", behind_space.format(name))
            text = text.replace(mark, name) if mark in text else text
    return text


def _replace(pattern: re.Pattern[str], places: np.ndarray, new: Callable[[re.Match[str]], str], text: str) -> str:
    """`pattern.sub`, told all places where the pattern could match, in order."""
    parts, end = [], 0
    for place in places.tolist():
        if place >= end and (found := pattern.match(text, place)):
            parts += [text[end:place], new(found)]
            end = found.end()
    return "".join([*parts, text[end:]])


def _tripled(text: str) -> np.ndarray:
    """Where three equal characters begin."""
    codes = _codes(text)
    same = codes[1:] == codes[:-1]
    return np.flatnonzero(same[1:] & same[:-1])


def _doubled(text: str) -> np.ndarray:
    """Where the first of three words may begin that are the same but for signs before and behind the three.

    The second is a whole word, so the first begins as many characters before it. Compared are the last characters of
    these two and the first characters of the second and the third.
    """
    codes = _codes(text)
    spaces = np.flatnonzero(codes == ord(" "))[: -1 if text.endswith(" ") else None]
    begins, ends = codes[spaces + 1], codes[spaces[1:] - 1]
    second = 1 + np.flatnonzero((begins[2:] == begins[1:-1]) & (ends[1:] == ends[:-1]))
    return np.sort(2 * spaces[second] - spaces[second + 1] + 1).clip(0)


def _codes(text: str) -> np.ndarray:
    """Code points: uint32, shape (characters,)."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _cased(line: str, maj: str, up: str) -> str:
    parts = CASED.split(line)  # every second one is a match
    parts[1::2] = [(up if _is_loud(word) else maj) + word for word in parts[1::2]]
    return "".join(parts).lower()


def _is_loud(word: str) -> bool:
    return word.isupper() and len(word) > 1 and word.lower().upper() == word


def plain(text: str) -> str:
    """The text as it is."""
    return text


def undo(text: str) -> str:
    """Capitals and repeats in place of their markers, for showing text that a model wrote."""
    for mark, name in NAMES.items():
        text = text.replace(name, mark)
    text = MARKED_UP.sub(lambda found: _gap(found) + found[3].upper(), text)
    text = MARKED_MAJ.sub(lambda found: _gap(found) + found[3].upper(), text)
    text = MARKED_WREP.sub(lambda found: _gap(found) + " ".join([found[4]] * int(found[3])), text)
    text = MARKED_REP.sub(lambda found: _gap(found) + found[4] * int(found[3]), text)
    return "".join(character for character in text if character not in NAMES).strip()


def _mend(text: str) -> str:
    if "<" in text:
        text = BREAKS.sub(" ", text).replace("<unk>", "xxunk")
    if "@" in text:
        text = WIKITEXT.sub(r"\1", text)
    return html.unescape(text) if "&" in text else text


def _gap(found: re.Match[str]) -> str:
    # A model may write a space on either side of a marker, or on both; one is meant.
    return found[1] or found[2]
