"""Imports: splits are right and repeatable, leaks are removed, refusals leave the project as it was."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulmfit_core import events
from ulmfit_core.config import DataSettings, Recipe
from ulmfit_core.data import gather, splits
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project
from ulmfit_core.run import launch


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run_import(folder, **settings):
    """(last word, messages, project) of an import into a new project."""
    settings = {"text": ["text"], "label": "label", **settings}
    settings = {key: str(value) if hasattr(value, "parts") else value for key, value in settings.items()}
    project = Project.create(folder / "project", Recipe(data=DataSettings(**settings)))
    seen = []
    ended = launch(project, "import", sink=seen.append)
    return ended, [event.text for event in seen if isinstance(event, events.Message)], project


def imported(folder, **settings):
    ended, messages, project = run_import(folder, **settings)
    assert ended.status == "done", ended.reason
    return Dataset.open(project.dataset_folder), messages


def test_a_random_split_is_stratified_and_repeatable(tmp_path, reviews):
    first, _ = imported(tmp_path / "a", data=reviews)
    again, _ = imported(tmp_path / "b", data=reviews)
    other, _ = imported(tmp_path / "c", data=reviews, seed=7)
    assert first.counts == {"train": 65, "valid": 7, "test": 8, "unlabelled": 0}
    assert first.class_counts("test") == {"neg": 4, "pos": 4}
    assert (first.split_ids == again.split_ids).all() and (first.split_ids != other.split_ids).any()
    assert first.labels == ["neg", "pos"] and first.label_ids.dtype == np.int32


def test_texts_come_in_the_order_asked_for(tmp_path, reviews):
    dataset, _ = imported(tmp_path, data=reviews)
    assert dataset.texts([3, 0]) == ["the worst day of the year number 1", "a warm and funny film number 0"]
    assert dataset.texts_between(0, 1) == dataset.texts([0])
    assert len(dataset.texts(dataset.rows_of("train"))) == 65 and len(dataset) == 80


def test_a_split_column_is_followed(tmp_path):
    path = write(
        tmp_path / "a.csv", "text,label,part", "aa bb,x,train", "cc dd,y,TRAIN", "ee ff,x,dev", "gg hh,y,test",
        "ii jj,x,nonsense", "kk ll,,train", "mm nn,,test",
    )  # fmt: skip
    dataset, messages = imported(tmp_path, data=path, split_column="part")
    assert dataset.split_ids.tolist() == [0, 0, 1, 2, 3]
    assert [(row.row, row.reason) for row in dataset.bad_rows] == [
        (6, "the split “nonsense” is not train, valid or test"), (8, "a test row without a label"),
    ]  # fmt: skip
    assert "2 rows were left out" in messages[-1]


def test_validation_rows_are_made_where_the_split_column_has_none(tmp_path):
    rows = [f"word{n} here,{'xy'[n % 2]},{'test' if n > 15 else 'train'}" for n in range(20)]
    dataset, _ = imported(tmp_path, data=write(tmp_path / "a.csv", "text,label,part", *rows), split_column="part")
    assert dataset.counts == {"train": 14, "valid": 2, "test": 4, "unlabelled": 0}


def test_a_separate_test_file(tmp_path, reviews):
    test = write(tmp_path / "t.csv", "text,label", "new words,pos", "other words,klingon", "more words,neg")
    dataset, _ = imported(tmp_path, data=reviews, test=test)
    assert dataset.counts["test"] == 2
    assert dataset.bad_rows[0][1:] == (3, "the class “klingon” has no training row")


def test_only_some_labelled_rows_keep_their_label(tmp_path, reviews):
    dataset, _ = imported(tmp_path, data=reviews, labelled_rows=10)
    assert dataset.counts == {"train": 10, "valid": 7, "test": 8, "unlabelled": 55}
    assert dataset.class_counts("train") == {"neg": 5, "pos": 5}
    assert (dataset.label_ids[dataset.rows_of("unlabelled")] == -1).all()


def test_texts_of_the_test_do_not_teach_the_language_model(tmp_path, reviews):
    test = write(tmp_path / "t.csv", "text,label", "a warm and funny film number 0,pos", "secret words,neg")
    unlabelled = write(tmp_path / "u.txt", "secret  words", "open words")
    corpus = write(tmp_path / "c.txt", "secret words", "general words of any kind")
    dataset, messages = imported(tmp_path, data=reviews, test=test, unlabelled=unlabelled, corpus=corpus)
    assert dataset.texts(dataset.rows_of("unlabelled")) == ["open words"]
    assert dataset.corpus_texts(0, 9) == ["general words of any kind"]
    taught = dataset.texts(dataset.lm_rows())
    assert not {"secret words", "a warm and funny film number 0"} & set(taught)
    assert len(taught) == 80 - 1 + 1
    assert sum("also stand" in message for message in messages) == 3


def test_only_so_many_words_of_the_corpus(tmp_path, reviews):
    corpus = write(tmp_path / "c.txt", "one two three", "four five six", "seven")
    dataset, _ = imported(tmp_path, data=reviews, corpus=corpus, corpus_words=5)
    assert dataset.corpus_texts(0, 9) == ["one two three", "four five"]
    assert dataset.has_corpus and dataset.corpus_size == 2 and dataset.facts["corpus_words"] == 5


@pytest.mark.parametrize("line", ["A plain line of text.", "one, two", "0 starts each line", "mail@home"])
def test_prose_is_not_taken_for_a_table(tmp_path, reviews, line):
    corpus = write(tmp_path / "c.txt", *[f"{line} {number}" for number in range(100)])
    dataset, _ = imported(tmp_path, data=reviews, corpus=corpus, unlabelled=corpus)
    assert dataset.corpus_texts(7, 8) == [f"{line} 7"]
    assert dataset.counts["unlabelled"] == 100


def test_text_without_labels(tmp_path):
    dataset, _ = imported(tmp_path, data=write(tmp_path / "a.txt", "one", "two"), text=[], label="")
    assert dataset.counts == {"train": 0, "valid": 0, "test": 0, "unlabelled": 2}
    assert dataset.labels == [] and not dataset.has_corpus and dataset.corpus_size == 0


def test_small_classes_are_kept_in_training_and_named(tmp_path):
    rows = [f"words {n},common" for n in range(30)] + ["rare words,rare"]
    dataset, messages = imported(tmp_path, data=write(tmp_path / "a.csv", "text,label", *rows))
    assert dataset.class_counts("train")["rare"] == 1
    assert messages == ["Classes with very few training rows are hardly learned: “rare” (1)."]


def test_a_second_import_replaces_the_first(tmp_path, reviews):
    _, _, project = run_import(tmp_path, data=reviews)
    recipe = project.recipe.model_copy(deep=True)
    recipe.data.labelled_rows = 20
    assert launch(project, "import", recipe=recipe).report["splits"]["train"] == 20
    assert project.recipe.data.labelled_rows == 20 and project.state("import").mark == "done"


REFUSED = {
    "broken": (b"text,label\na,x,y\nb\nc,x,y,z\nd,x\n", "broken.csv is broken or not separated by “,”"),
    "empty": (b"", "empty.csv is empty. Choose a file with at least a few rows of text."),
    "oneclass": (b"text,label\naa,x\nbb,x\n", "oneclass.csv has only one class (“x”). A classifier needs at least"),
    "column": (b"words,label\naa,x\nbb,y\n", "column.csv has no column “text”. Its columns are: “words”, “label”."),
    "binary": (bytes(range(256)) * 20, "binary.csv holds binary data, not text."),
    "nolabel": (b"text,label\naa,\nbb,\n", "the label column “label” is empty in every row."),
    "notext": (b"text,label\n,x\n,y\n", "notext.csv has no row with text."),
    "few": (b"text,label\naa,x\nbb,y\n", "There are too few labelled rows to set some aside for validation."),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_is_one_sentence_and_leaves_the_project_as_it_was(tmp_path, reviews, name):
    content, sentence = REFUSED[name]
    _, _, project = run_import(tmp_path, data=reviews)
    before = snapshot(project.folder)
    path = tmp_path / f"{name}.csv"
    path.write_bytes(content)
    recipe = project.recipe.model_copy(deep=True)
    recipe.data.data = str(path)
    ended = launch(project, "import", recipe=recipe)
    assert ended.status == "failed" and re.search(re.escape(sentence), ended.reason)
    assert "\n" not in ended.reason
    assert snapshot(project.folder) == before and project.recipe.data.data == str(reviews)


def snapshot(folder):
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_imported_yet(tmp_path):
    with pytest.raises(UserError, match="No data has been imported"):
        Dataset.open(tmp_path / "dataset")


def test_a_newer_dataset_is_refused(tmp_path):
    write(tmp_path / "dataset.json", '{"format": 99}')
    with pytest.raises(UserError, match="newer version"):
        Dataset.open(tmp_path)


# Pure functions


@given(
    st.lists(st.integers(0, 4), min_size=2, max_size=200), st.floats(0.01, 0.5), st.floats(0.0, 0.5), st.integers(0, 9)
)
def test_splits_keep_every_class_in_training(labels, valid, test, seed):
    labels = np.array(labels)
    parts = np.zeros(len(labels), np.int8)
    rng = np.random.default_rng(seed)
    splits.set_aside(parts, labels, test, splits.TEST, rng)
    splits.set_aside(parts, labels, valid, splits.VALID, rng)
    splits.keep_labelled(parts, labels, 3, rng)
    assert set(labels[parts == splits.TRAIN]) == set(labels)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=300), st.data())
def test_a_share_is_exact_distinct_and_proportional(labels, data):
    labels = np.array(labels)
    count = data.draw(st.integers(0, len(labels)))
    taken = splits.take_share(labels, count, np.random.default_rng(0))
    assert len(set(taken.tolist())) == count
    for label in set(labels.tolist()):
        wanted = count * (labels == label).sum() / len(labels)
        assert abs((labels[taken] == label).sum() - wanted) <= 1


def test_long_documents_are_parted_at_line_ends():
    text = "\n".join(["a b c"] * 5)
    assert list(gather.parts(text, 6)) == ["a b c\na b c", "a b c\na b c", "a b c"]


@given(st.lists(st.text(alphabet="ab \n").filter(str.strip)), st.integers(0, 20))
def test_a_limit_of_words_is_kept(texts, words):
    kept = list(gather.limited(texts, words))
    total = sum(len(text.split()) for text in texts)
    assert sum(len(text.split()) for text in kept) == (min(words, total) if words else total)
