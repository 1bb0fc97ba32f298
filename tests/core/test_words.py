"""Words as a vocabulary: fastai's tokens and choice, special tokens whole, text that comes back readable."""

import itertools
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ulmfit_core import catalog
from ulmfit_core.config import DataSettings, Recipe, VocabSettings
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.data.tokens import open_tokens
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project
from ulmfit_core.run import Run, launch
from ulmfit_core.text import words
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import Vocabulary, new_vocabulary
from ulmfit_core.text.words import FAKE, Words, choose, learn, readable, split, to_json

FIXTURE = Path(__file__).parents[1] / "fixtures" / "fastai" / "expected.json"
TEXT = 'The FILM wasn\'t good, said "Tom" (twice): a well-known, very very very long one!!! It cost $5.00.'


def make(listed, rules="fastai"):
    return new_vocabulary("word", to_json([*SPECIALS, *listed]), rules, {})


@pytest.fixture
def vocabulary():
    return make(["the", "a", "film", "n't", "was", "\n", "the", FAKE, FAKE])


def test_tokens_are_those_of_fastai():
    recorded = json.loads(FIXTURE.read_text(encoding="utf-8"))
    ours = list(split(recorded["texts"], catalog.resolve("rules", "fastai")))
    assert len(ours) > 5 and [["xxbos", *tokens] for tokens in ours] == recorded["tokens"]


@pytest.mark.parametrize("rules", catalog.RULES)
def test_text_comes_back(rules):
    tokens = list(split([TEXT], catalog.resolve("rules", rules)))[0]
    wanted = TEXT.replace('"Tom"', '"tom"') if rules == "fastai" else TEXT  # fastai sees no capital behind a quote
    assert readable(tokens) == wanted


@pytest.mark.parametrize("rules", ["ulmfit", "fastai"])
def test_markers_are_tokens_of_their_own(rules):
    rule = catalog.resolve("rules", rules)
    tokens = set(itertools.chain.from_iterable(split([TEXT, "(Yes) 'WOW' iPhone Mc-Donald ---- no no no"], rule)))
    assert {"xxmaj", "xxup", "xxrep", "xxwrep"} <= tokens
    assert not {token for token in tokens if "xx" in token and token not in SPECIALS}


def test_specials_are_first_and_the_last_of_two_equal_words_counts(vocabulary):
    assert vocabulary.size == 18 and vocabulary.pieces[: len(SPECIALS)] == list(SPECIALS)
    assert [vocabulary.id_of(name) for name in SPECIALS] == list(range(len(SPECIALS)))
    assert vocabulary.id_of("the") == 15 and vocabulary.id_of("film") == 11


def test_encoding(vocabulary):
    ids = vocabulary.encode(["the film wasn't xxunk", "", "A  xxfake"])
    assert [part.tolist() for part in ids] == [[2, 15, 11, 13, 12, 0], [2], [2, 10, 0]]
    assert ids[0].dtype == np.uint16 and vocabulary.tokens("THE cat") == ["xxbos", "xxup", "the", "xxunk"]
    assert vocabulary.encode([]) == []


def test_a_text_is_encoded_the_same_alone_and_among_many(vocabulary):
    texts = [f"the film {'a ' * (number % 7)}" for number in range(1200)]
    together = vocabulary.encode(texts)
    assert all((ids == vocabulary.encode([text])[0]).all() for text, ids in zip(texts[::100], together[::100]))


def test_decoding_shows_what_is_unknown_and_leaves_out_what_is_no_text(vocabulary):
    assert vocabulary.decode([2, 8, 15, 11, 13, 12, 0, 1, 16, 3]) == "The film wasn't xxunk"


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["xxfld", "1", "xxmaj", "yes", ",", "xxfld", "2", "no"], "Yes, no"),
        (["he", "said", '"', "no", '"', "twice", "xxrep", "3", "."], 'he said "no" twice...'),
        (["xxup", "do", "n't", "(", "xxmaj", "ever", ")"], "DON'T (Ever)"),
        (["xxwrep", "3", "very", "good", "/", "bad"], "very very very good/bad"),
        (["xxrep", "the", "xxmaj"], "the"),
        ([], ""),
    ],
)
def test_words_are_joined_as_people_write(tokens, text):
    assert readable(tokens) == text


# Choosing the words


def test_the_most_common_words_are_chosen_with_ties_by_alphabet():
    counts = Counter({"b": 3, "a": 3, "c": 9, "rare": 2, "xxmaj": 50, FAKE: 50})
    assert choose(counts, 100, 3) == [*SPECIALS, "c", "a", "b", *[FAKE] * 4]
    assert choose(counts, 11, 3)[9:11] == ["c", "a"]


@pytest.mark.parametrize(("size", "wanted"), [(60_000, 60_008), (60_001, 60_008), (60_007, 60_008), (60_008, 60_016)])
def test_the_length_is_fastais(size, wanted):
    chosen = choose(Counter({f"w{number}": 3 for number in range(70_000)}), size, 3)
    assert len(chosen) == wanted and chosen.count(FAKE) == wanted - size


def test_without_frequent_words_the_person_is_told():
    with pytest.raises(UserError, match="No word occurs 3 times"):
        learn(["one two three"], VocabSettings(kind="word"), Run(), 100)


def test_learning_counts_the_words_after_the_rules():
    settings = VocabSettings(kind="word", rules="fastai", min_frequency=2)
    found = learn(["The film", "the Film!", "THE cat"], settings, Run(), 100)
    assert found[9:11] == ["the", "film"] and found[11] == FAKE


# On disk


def test_a_copy_is_the_same_vocabulary(vocabulary, tmp_path):
    vocabulary.copy_to(tmp_path)
    copy = Vocabulary.load(tmp_path)
    assert isinstance(copy, Words) and copy.hash == vocabulary.hash and copy.pieces == vocabulary.pieces
    assert json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))["kind"] == "word"


def test_changed_words_are_refused(vocabulary, tmp_path):
    vocabulary.copy_to(tmp_path)
    (tmp_path / "words.json").write_bytes(to_json([*SPECIALS, "other"]))
    with pytest.raises(UserError, match="words.json does not fit its vocab.json"):
        Vocabulary.load(tmp_path)


def test_a_list_without_specials_is_refused():
    with pytest.raises(UserError, match="does not begin with the special tokens"):
        new_vocabulary("word", b'["the"]', "fastai", {})


def test_spacy_is_loaded_only_where_words_are_cut():
    code = f"import sys, {words.__name__}; print('spacy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_project_of_words(reviews, tmp_path):
    data = DataSettings(data=str(reviews), text=["text"], label="label")
    settings = VocabSettings(kind="word", size=100, min_frequency=2, rules="ulmfit")
    project = Project.create(tmp_path / "project", Recipe(data=data, vocab=settings))
    assert launch(project, "import").status == "done"
    ended = launch(project, "vocab")
    assert ended.status == "done", ended.reason
    vocabulary = Vocabulary.load(project.vocab_folder)
    dataset = Dataset.open(project.dataset_folder)
    tokens = open_tokens(project.tokens_folder, vocabulary, "dataset")
    assert isinstance(vocabulary, Words) and ended.report["size"] == vocabulary.size and vocabulary.size % 8 == 0
    assert (tokens[5] == vocabulary.encode(dataset.texts([5]))[0]).all() and "film" in vocabulary.pieces
