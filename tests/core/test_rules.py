"""The text rules: ours lose nothing that matters, fastai's are fastai's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulmfit_core.text import rules

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
