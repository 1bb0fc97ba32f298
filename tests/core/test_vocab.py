"""The vocabulary: ULMFiT's special tokens, encoding and back, the job that builds it, and its refusals."""

import threading

import numpy as np
import pytest

from ulmfit_core import events, files
from ulmfit_core.config import DataSettings, Recipe, VocabSettings
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.data.tokens import open_tokens
from ulmfit_core.errors import UserError
from ulmfit_core.jobs.build_vocab import sample_texts
from ulmfit_core.project import Project
from ulmfit_core.run import Control, Run, Stopped, launch
from ulmfit_core.text import train_vocab, vocab
from ulmfit_core.text.rules import SPECIALS
from ulmfit_core.text.vocab import Vocabulary


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """An imported project with 60 labelled rows, unlabelled and general text, and its vocabulary."""
    folder = tmp_path_factory.mktemp("vocab")
    rows = [f"The quick brown Fox number {n} jumps (over) the LAZY dog!!!,{'xy'[n % 2]}" for n in range(60)]
    (folder / "a.csv").write_text("text,label\n" + "\n".join(rows), encoding="utf-8")
    (folder / "c.txt").write_text("A general text of many plain words.\n" * 30, encoding="utf-8")
    data = DataSettings(data=str(folder / "a.csv"), text=["text"], label="label", corpus=str(folder / "c.txt"))
    project = Project.create(folder / "project", Recipe(data=data, vocab=VocabSettings(size=150, coverage=1.0)))
    assert launch(project, "import").status == "done"
    seen = []
    ended = launch(project, "vocab", sink=seen.append)
    assert ended.status == "done", ended.reason
    project.seen, project.report = seen, ended.report
    return project


@pytest.fixture(scope="module")
def vocabulary(project):
    return Vocabulary.load(project.vocab_folder)


def test_specials_have_their_ids_and_are_never_split(vocabulary):
    assert tuple(vocabulary.pieces[: len(SPECIALS)]) == SPECIALS
    assert [vocabulary.id_of(name) for name in SPECIALS] == list(range(len(SPECIALS)))
    assert (vocabulary.unk, vocabulary.pad, vocabulary.bos) == (0, 1, 2)


def test_tokens_of_a_text(vocabulary):
    tokens = vocabulary.tokens("The LAZY dog")
    assert tokens[:2] == ["xxbos", "xxmaj"] and tokens[2].startswith("▁t")
    # A marker takes the place of the space before it.
    assert tokens.count("xxup") == 1 and tokens[tokens.index("xxup") - 1] != "▁"


@pytest.mark.parametrize("text", ["The quick (brown) Fox!!!", "the LAZY dog over the dog", ""])
def test_decoding_brings_the_text_back(vocabulary, text):
    assert vocabulary.decode(vocabulary.encode([text])[0]) == text


def test_encoding_is_the_same_alone_and_among_many(vocabulary):
    texts = [f"the Fox number {n}" for n in range(100)] + [""]
    together = vocabulary.encode(texts)
    assert all((ids == vocabulary.encode([text])[0]).all() for text, ids in zip(texts, together))
    assert together[0].dtype == np.uint16 and together[-1].tolist() == [vocabulary.bos]
    assert vocabulary.encode([]) == []


def test_unknown_characters_are_unknown_pieces(vocabulary):
    assert vocabulary.unk in vocabulary.encode(["the 漢 dog"])[0]
    assert vocabulary.unk in vocabulary.encode(["the xxunk dog"])[0]
    assert "xxunk" in vocabulary.decode([vocabulary.unk])


def test_the_report(project, vocabulary):
    tokens = open_tokens(project.tokens_folder, vocabulary, "dataset")
    assert project.report["size"] == vocabulary.size <= 150
    assert project.report["tokens"] == len(tokens.ids)
    assert 1 < project.report["tokens_per_word"] < 6 and project.report["unknown"] < 0.01
    labels = {event.label for event in project.seen if isinstance(event, events.Progress)}
    assert {"Learning the vocabulary", "Encoding the texts", "Encoding the general text"} <= labels


def test_all_texts_are_encoded(project, vocabulary):
    dataset = Dataset.open(project.dataset_folder)
    rows = open_tokens(project.tokens_folder, vocabulary, "dataset", project.fingerprint("import"))
    corpus = open_tokens(project.tokens_folder, vocabulary, "corpus", project.fingerprint("import"))
    assert len(rows) == len(dataset) == 60 and len(corpus) == dataset.corpus_size == 30
    assert (rows[7] == vocabulary.encode(dataset.texts([7]))[0]).all()


def test_tokens_of_an_older_import_are_refused(project, vocabulary):
    with pytest.raises(UserError, match="imported anew"):
        open_tokens(project.tokens_folder, vocabulary, "dataset", "another fingerprint")


def test_the_sample_has_no_test_text(project):
    dataset = Dataset.open(project.dataset_folder)
    sampled = set(sample_texts(dataset, 10**6))
    assert sampled and not sampled & set(dataset.texts(dataset.rows_of("test")))
    assert sum(map(len, sample_texts(dataset, 500))) == 500


def test_a_copy_is_the_same_vocabulary(vocabulary, tmp_path):
    vocabulary.copy_to(tmp_path)
    copy = Vocabulary.load(tmp_path)
    assert copy.hash == vocabulary.hash and copy.rules == "ulmfit" and len(copy.hash) == 16


def test_other_rules_are_another_vocabulary(vocabulary):
    assert vocab.vocabulary_hash(b"model", "ulmfit") != vocab.vocabulary_hash(b"model", "fastai")


def test_a_vocabulary_that_does_not_fit_is_refused(vocabulary, tmp_path):
    vocabulary.copy_to(tmp_path)
    files.write_json(tmp_path / "vocab.json", {**vocabulary.facts, "rules": "plain"})
    with pytest.raises(UserError, match="does not fit its vocab.json"):
        Vocabulary.load(tmp_path)


def test_a_missing_vocabulary_is_refused(tmp_path):
    with pytest.raises(UserError, match="Build the vocabulary first"):
        Vocabulary.load(tmp_path)


def test_a_base_brings_its_vocabulary(project, vocabulary, tmp_path):
    vocabulary.copy_to(tmp_path / "bundle")
    (tmp_path / "bundle" / "model.json").write_text("{}")
    recipe = project.recipe.model_copy(deep=True, update={"base": str(tmp_path / "bundle")})
    other = Project.create(tmp_path / "other", recipe)
    assert launch(other, "import").status == "done"
    assert launch(other, "vocab").status == "done"
    assert Vocabulary.load(other.vocab_folder).hash == vocabulary.hash


def test_a_missing_base_is_refused_and_the_vocabulary_kept(project, vocabulary, tmp_path):
    recipe = project.recipe.model_copy(deep=True, update={"base": str(tmp_path / "nowhere")})
    ended = launch(project, "vocab", recipe=recipe)
    assert ended.status == "failed" and "nowhere is not there" in ended.reason
    assert Vocabulary.load(project.vocab_folder).hash == vocabulary.hash


def test_texts_are_cut_after_max_tokens(project, tmp_path):
    recipe = project.recipe.model_copy(deep=True)
    recipe.vocab.max_tokens = 5
    other = Project.create(tmp_path / "other", recipe)
    assert launch(other, "import").status == launch(other, "vocab").status == "done"
    tokens = open_tokens(other.tokens_folder, Vocabulary.load(other.vocab_folder), "dataset")
    assert set(tokens.lengths.tolist()) == {5}


# Training in the child process


def test_too_small_a_size_is_refused_with_what_to_do(tmp_path):
    text = " ".join(chr(code) for code in range(0x4E00, 0x4E00 + 300))
    with pytest.raises(UserError, match="of 100 pieces is too small for this text, which has .* different characters"):
        train_vocab.train([text] * 3, VocabSettings(size=100, coverage=1.0), tmp_path, Run())


def test_no_text_is_refused(tmp_path):
    with pytest.raises(UserError, match="SentencePiece could not learn a vocabulary"):
        train_vocab.train([], VocabSettings(), tmp_path, Run())


def test_a_stop_ends_the_child(tmp_path):
    control = Control()
    threading.Timer(0.3, control.stop).start()
    words = (" ".join(f"w{n * 7919 % 100003}x{k}" for k in range(50)) for n in range(4000))
    with pytest.raises(Stopped):
        train_vocab.train(words, VocabSettings(size=30_000), tmp_path, Run(control=control))


def test_lines_are_short_and_lose_nothing():
    text = " ".join(["word"] * 2000) + " " + "x" * 5000
    lines = list(train_vocab.lines_of(text))
    assert "".join(lines) == text and max(map(len, lines)) <= 2000
