"""Text rules: what is done to a text before SentencePiece sees it. Pure functions, named in the catalog.

A vocabulary records which rules it was made with. `undo` turns markers back into capitals and repeats.
"""

from __future__ import annotations

import html
import itertools
import re

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
# else, as in "(Yes", reads "(xxmajyes": so nothing is lost. While the rules work, a marker is one character
# of the private use area, which no pattern takes for a letter.

MAJ, UP, REP, WREP = "\ue001", "\ue002", "\ue003", "\ue004"
NAMES = {MAJ: "xxmaj", UP: "xxup", REP: "xxrep", WREP: "xxwrep"}


def _upper_ranges() -> str:
    """All capitals of the basic plane as the inside of a character class; Python's re has no name for them."""
    capitals = [code for code in range(0x10000) if chr(code).isupper()]
    return "".join(map(chr, capitals))


CAPITAL = f"[{_upper_ranges()}]"
LETTER = r"[^\W\d_]"
BREAKS = re.compile(r"<br ?/?>", re.IGNORECASE)
WIKITEXT = re.compile(r" @([-.,])@ ")
REPEAT = re.compile(r"([^\s\d])\1{2,}")
WORDS = re.compile(rf"(?<!\w)({LETTER}+)((?: \1){{2,}})(?!\w)")
# Letters, also behind an inner ' or &, and single capitals behind a dot: DON'T, AT&T, U.S. What stands before the
# capital is looked at after it: a pattern that begins with a set of characters is searched for quickly.
CASED = re.compile(rf"{CAPITAL}(?<!{LETTER}{CAPITAL})(?:['’&]?{LETTER}|\.{CAPITAL}(?!{LETTER}))*")
MARKED_UP = re.compile(rf"( ?){UP}( ?)({LETTER}(?:['’&]?{LETTER}|\.{LETTER}(?!{LETTER}))*)")
MARKED_MAJ = re.compile(rf"( ?){MAJ}( ?)(\S)")
MARKED_REP = re.compile(rf"( ?){REP}( ?)(\d{{1,3}}) (\S)")
MARKED_WREP = re.compile(rf"( ?){WREP}( ?)(\d{{1,3}}) (\w+|\S+)")


def ulmfit(text: str) -> str:
    """Capitals (of any alphabet) and repeats become markers, digits stay, white space becomes one space.

    All but repeated words stays inside a word, and a language has few words that come often: each is worked out once.
    """
    words = _mend(text).split()
    if _may_repeat(words):
        return _mark(" " + " ".join(words)).strip()
    return " ".join(map(KNOWN.__getitem__, words)).strip()


class Known(dict[str, str]):
    """Marked words by word; forgets all of them once it holds `most`, so that its size has a bound."""

    most, longest = 2**17, 40

    def __missing__(self, word: str) -> str:
        marked = _mark(f" {word}")[1:]
        if len(word) <= self.longest:
            if len(self) >= self.most:
                self.clear()
            self[word] = marked
        return marked


KNOWN = Known()


def _may_repeat(words: list[str]) -> bool:
    """Whether WORDS could match: some word follows itself, and once more, but for signs before and behind the three."""
    begins = map(str.startswith, itertools.islice(words, 2, None), itertools.islice(words, 1, None))
    return any(
        words[at].endswith(words[at + 1]) and words[at + 1].isalnum()
        for at in itertools.compress(itertools.count(), begins)
    )


def _mark(text: str) -> str:
    """A text that begins with a space, with its markers in place and in lower case."""
    text = REPEAT.sub(lambda found: f"{REP}{len(found[0])} {found[1]}", text)
    if text.count(" ") > 2:  # one before each of three words
        text = WORDS.sub(lambda found: f"{WREP}{found[2].count(' ') + 1} {found[1]}", text)
    text = CASED.sub(_case, text).lower()
    for mark, name in NAMES.items():
        if mark in text:
            text = text.replace(f" {mark}", f" {name} ").replace(mark, name)
    return text


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


def _case(found: re.Match[str]) -> str:
    word = found[0]
    loud = len(word) > 1 and word.isupper() and word.lower().upper() == word
    return f"{UP if loud else MAJ}{word}"


def _gap(found: re.Match[str]) -> str:
    # A model may write a space on either side of a marker, or on both; one is meant.
    return found[1] or found[2]
