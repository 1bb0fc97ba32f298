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

CASED = re.compile(rf"(?<!{rules.LETTER}){rules.CAPITAL}(?:['’&]?{rules.LETTER}|\.{rules.CAPITAL}(?!{rules.LETTER}))*")


def ulmfit_in_passes(text: str) -> str:
    text = " " + " ".join(rules._mend(text).split())
    text = rules.REPEAT.sub(lambda found: f"{rules.REP}{len(found[0])} {found[1]}", text)
    text = rules.WORDS.sub(lambda found: f"{rules.WREP}{found[2].count(' ') + 1} {found[1]}", text)
    text = CASED.sub(rules._case, text).lower()
    for mark, name in rules.NAMES.items():
        text = text.replace(f" {mark}", f" {name} ").replace(mark, name)
    return text.strip()


def prepare_in_passes(text: str) -> str:
    text = " ".join(ulmfit_in_passes(text).split())
    return vocab.GLUE.sub(r"\1", " " + text).replace("xxunk", vocab.UNKNOWN) if text else ""


# Few different words, so that they meet each other: repeated ones with signs around them, capitals, marks.
WORD = st.text(alphabet="aAoOsSé'’&.(“!9ΣσÉßİǅ\ue001\ue003\uf8ff", min_size=1, max_size=6) | st.sampled_from(
    ["very", "Very", "a", "o", "ooo", "sooo", "(very", "very)", "xxmaj", "xxrep", "xxunk", "xxfld", "&amp;", "<br />"]
)
SOME_WORDS = st.lists(WORD, max_size=4).flatmap(lambda few: st.lists(st.sampled_from(few or ["a"]), max_size=12))


@given(SOME_WORDS.map(" ".join) | st.text(alphabet="aA oO \n.!&;#") | st.text())
@example("s s sooo")
@example("ooo o o")
@example("“very very very”")
@example("\ue001 a \ue001")
@settings(max_examples=400)
def test_the_fast_rules_are_the_slow_ones(text):
    assert rules.ulmfit(text) == ulmfit_in_passes(text)
    assert vocab.prepare(text, rules.ulmfit) == prepare_in_passes(text)


def test_the_fast_rules_are_the_slow_ones_on_real_text(data_folder):
    with lzma.open(data_folder / "wiki.valid.txt.xz", "rt", encoding="utf-8") as file:
        texts = list(itertools.islice(file, 1500))
    with lzma.open(data_folder / "imdb_test.csv.xz", "rt", encoding="utf-8", newline="") as file:
        texts += [row["text"] for row in itertools.islice(csv.DictReader(file), 500)]
    assert len(texts) > 1500 and [rules.ulmfit(text) for text in texts] == list(map(ulmfit_in_passes, texts))
    assert [vocab.prepare(text, rules.ulmfit) for text in texts] == list(map(prepare_in_passes, texts))


def test_what_is_remembered_of_words_has_a_bound():
    known = rules.Known()
    known.most = 3
    assert [known[word] for word in ("A", "b", "CC", "D", "A")] == ["xxmaj a", "b", "xxup cc", "xxmaj d", "xxmaj a"]
    assert len(known) <= 3 and known["x" * 41 + "Y"] == "xxrep 41 xy" and len(known) <= 3
