"""The text rules: ours lose nothing that matters, fastai's are fastai's."""

import csv
import itertools
import lzma
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ulmfit_core.text import rules, vocab

OURS = [
    ("The cat", "xxmaj the cat"),
    ("I DON'T like AT&T in the U.S.", "xxmaj i xxup don't like xxup at&t in the xxup u.s."),
    ("Ärger ÜBER Öl", "xxmaj ärger xxup über xxmaj öl"),
    ("(Yes)", "(xxmajyes)"),
    ("100,000 and 1000", "100,000 and 1000"),
    ("sooo good!!!", "sxxrep3 o goodxxrep3 !"),
    ("very very very bad", "xxwrep 3 very bad"),
    ("two\n lines<br />here &amp; there", "two lines here & there"),
    ("6 @.@ 5 and <unk>", "6.5 and xxunk"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "expected"), OURS)
def test_our_rules(text, expected):
    assert rules.ulmfit(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The cat sat. She said “No!!!” to HIM, and (Yes) very very very loudly.",
        "NOOOO Way, AAAA, ooops, U.S. and AT&T, DON'T",
        "Café ÉCOLE Straße 100,000 3-D B2B",
        "Very Very Very big",
    ],
)
def test_undo_brings_the_text_back(text):
    assert rules.undo(rules.ulmfit(text)) == text


@given(st.text(alphabet="abcABC .,!(") | st.text(alphabet="äöÉß aB1'&-"))
def test_undo_brings_back_all_but_case_inside_words(text):
    back = rules.undo(rules.ulmfit(text))
    assert back.lower() == " ".join(text.split()).lower()


@given(st.text())
def test_rules_take_any_text(text):
    for rule in (rules.ulmfit, rules.fastai, rules.plain):
        assert isinstance(rule(text), str)


FASTAI = [
    ("#39;bli#146;", "'bli'"),
    ("Sarah amp; Duck...", "xxmaj sarah & xxmaj duck …"),
    ("a<br />b\\nc", "a\nb\nc"),
    ("cccc", "xxrep 4 c"),
    ("100,000", "100, xxrep 3 0"),
    ("ah ah ah ah", "xxwrep 4 ah"),
    ("a/b #x", "a / b # x"),
    ("I'M SHOUTING", "xxup i'm xxup shouting"),
    ("I am", "i am"),
    ("Hello there", "xxmaj hello there"),
    ("ÄRGER", "ärger"),
    ("<unk> 6 @.@ 5 @-@ a", "xxunk 6.5-a"),
]


@pytest.mark.parametrize(("text", "expected"), FASTAI)
def test_fastai_rules(text, expected):
    assert rules.fastai(text) == expected


def test_plain_changes_nothing():
    assert rules.plain(" A  &amp; B ") == " A  &amp; B "


def test_specials_have_fastais_ids():
    assert rules.SPECIALS.index("xxunk") == 0
    assert rules.SPECIALS.index("xxpad") == 1
    assert rules.SPECIALS.index("xxbos") == 2
    assert rules.SPECIALS[-1] == "xxmaj"


def test_rules_are_fast_on_long_lines():
    import time

    began = time.monotonic()
    rules.ulmfit("aB1. " * 200_000 + "a" * 100_000)
    assert time.monotonic() - began < 10


# Our rules as they were first written, a pass over the whole text for each: slow, and the measure of the fast ones.

MARKS = {"\ue001": "xxmaj", "\ue002": "xxup", "\ue003": "xxrep", "\ue004": "xxwrep"}
LETTER = r"[^\W\d_]"
CAPITAL = f"[{''.join(filter(str.isupper, map(chr, range(0x10000))))}]"
REPEAT = re.compile(r"([^\s\d])\1{2,}")
WORDS = re.compile(rf"(?<!\w)({LETTER}+)((?: \1){{2,}})(?!\w)")
CASED = re.compile(rf"(?<!{LETTER}){CAPITAL}(?:['’&]?{LETTER}|\.{CAPITAL}(?!{LETTER}))*")


def ulmfit_in_passes(text: str) -> str:
    text = " " + " ".join(rules._mend(text).split())
    text = REPEAT.sub(lambda found: f"\ue003{len(found[0])} {found[1]}", text)
    text = WORDS.sub(lambda found: f"\ue004{found[2].count(' ') + 1} {found[1]}", text)
    text = CASED.sub(lambda found: ("\ue002" if is_loud(found[0]) else "\ue001") + found[0], text).lower()
    for mark, name in MARKS.items():
        text = text.replace(f" {mark}", f" {name} ").replace(mark, name)
    return text.strip()


def is_loud(word: str) -> bool:
    return len(word) > 1 and word.isupper() and word.lower().upper() == word


def prepare_in_passes(text: str) -> str:
    text = " ".join(ulmfit_in_passes(text).split())
    glued = re.sub(r" (xx(?:fld|rep|wrep|up|maj))(?= )", r"\1", " " + text)
    return glued.replace("xxunk", vocab.UNKNOWN) if text else ""


# Few different words, so that they meet each other: repeated ones with signs around them, capitals, marks.
SIGNS = "aAoOsSé'’&.(“!9ΣσÉßİǅ\x01\x03\xa0\ue001\ue003\uf8ff"
WORD = st.text(alphabet=SIGNS, min_size=1, max_size=6) | st.sampled_from(
    ["very", "Very", "a", "o", "ooo", "sooo", "(very", "very)", "xxmaj", "xxrep", "xxunk", "xxfld", "&amp;", "<br />"]
)
SOME_WORDS = st.lists(WORD, max_size=4).flatmap(lambda few: st.lists(st.sampled_from(few or ["a"]), max_size=12))


SOME_TEXT = SOME_WORDS.map(" ".join) | st.text(alphabet="aA oO \n.!&;#") | st.text()


@given(st.lists(SOME_TEXT, max_size=6))
@example([])
@example(["", "a", " ", "\n"])
@example(["s s sooo"])
@example(["ooo o o"])
@example(["o", "o", "o o"])
@example(["“very very very”", "A A A"])
@example(["\ue001 a \ue001", "The"])
@example(["&#1;A &#xe001;", "\ud800 The"])
@example(["xxmaj xxmaj The", "The XXUP Xxfld 1", "Exxon <unk> XXX"])
@settings(max_examples=400)
def test_the_fast_rules_are_the_slow_ones(texts):
    assert list(map(rules.ulmfit, texts)) == list(map(ulmfit_in_passes, texts))
    assert list(vocab.prepare_all(texts, rules.ulmfit)) == list(map(prepare_in_passes, texts))


def test_the_fast_rules_are_the_slow_ones_on_real_text(data_folder):
    with lzma.open(data_folder / "wiki.valid.txt.xz", "rt", encoding="utf-8") as file:
        texts = list(itertools.islice(file, 1500))
    with lzma.open(data_folder / "imdb_test.csv.xz", "rt", encoding="utf-8", newline="") as file:
        texts += [row["text"] for row in itertools.islice(csv.DictReader(file), 500)]
    assert len(texts) > 1500 and [rules.ulmfit(text) for text in texts] == list(map(ulmfit_in_passes, texts))
    assert list(vocab.prepare_all(texts, rules.ulmfit)) == list(map(prepare_in_passes, texts))


@pytest.mark.parametrize("rule", [rules.fastai, rules.plain])
def test_other_rules_are_taken_a_text_at_a_time(rule):
    texts = ["The  <unk> A", "", "WOW\nxxmaj b"]
    assert list(vocab.prepare_all(texts, rule)) == [vocab.prepare(text, rule) for text in texts]
    assert list(vocab.prepare_all(["xxmaj a  b"], rules.plain)) == ["xxmaj a b"]
