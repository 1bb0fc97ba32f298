"""docs/parity.md tells what is there: every test it names exists, every trap has one, the version is that recorded."""

import ast
import re

import pytest

from tests.parity.measure import PAGE, claims
from tests.parity.mutate import MUTATIONS, ROOT
from tests.parity.test_recorded import FOLDER, RECORDED
from ulmfit_core.text import rules

TEXT = PAGE.read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)", TEXT)))


def test_every_trap_has_a_line_with_a_test():
    lines = re.findall(r"^\| (\d+) \| .* \| (`tests/.*::test_.*) \|$", TEXT.partition("## Broken on purpose")[0], re.M)
    assert [int(number) for number, _ in lines] == list(range(1, 26))


@pytest.mark.parametrize(("file", "test"), NAMED, ids=["::".join(pair) for pair in NAMED])
def test_every_test_that_is_named_exists(file, test):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_page_names_the_version_that_was_recorded():
    assert f"fastai {RECORDED.facts['versions']['fastai']}" in TEXT


def test_the_table_has_every_claim_that_was_recorded():
    for name, _ in claims(FOLDER, None):
        assert f"| {name} |" in TEXT


def test_the_examples_of_the_rules_are_true():
    examples = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| `([^`]+)` \|$", TEXT, re.M)
    assert len(examples) >= 5
    for text, fastais, ours in examples:
        assert (rules.fastai(text), rules.ulmfit(text)) == (fastais, ours)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[str(mutation.trap) for mutation in MUTATIONS])
def test_what_is_broken_on_purpose_is_still_there(mutation):
    assert mutation.old in (ROOT / "ulmfit_core" / mutation.file).read_text(encoding="utf-8")
    assert mutation.test in TEXT
