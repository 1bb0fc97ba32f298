"""Imports: splits are right and repeatable, leaks are removed, refusals leave the project as it was."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulmfit_core import events
from ulmfit_core.__main__ import main
from ulmfit_core.config import DataSettings, Recipe
from ulmfit_core.data import dataset as store
from ulmfit_core.data import gather, repeats, splits
from ulmfit_core.data.dataset import Dataset
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project
from ulmfit_core.run import launch

ROOT = Path(__file__).resolve().parents[2]


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


def test_several_files_are_imported_as_one(tmp_path):
    head = "text,label"
    first = write(tmp_path / "a.csv", head, *(f"words {n} of a text,{'xy'[n % 2]}" for n in range(30)))
    write(tmp_path / "b.csv", head, *(f"other words {n} of a text,{'xy'[n % 2]}" for n in range(20)), "a,b,c")
    # A relative name is looked for in the project's folder, then beside the first file.
    dataset, messages = imported(tmp_path, data=first, more=["b.csv"], split="tail", test_fraction=0.2)
    assert len(dataset) == 50 and dataset.texts(dataset.rows_of("test"))[-1] == "other words 19 of a text"
    assert [tuple(row) for row in dataset.bad_rows] == [("b.csv", 22, "3 columns instead of 2")]
    assert [Path(source["file"]).name for source in dataset.facts["sources"]] == ["a.csv", "b.csv"]
    ended, _, project = run_import(tmp_path / "again", data=first, more=[str(tmp_path / "none.csv")])
    assert ended.status == "failed" and "There is no file" in ended.reason and not project.dataset_folder.exists()


def test_stray_bytes_are_told_with_their_line(tmp_path):
    lines = [f"schöne Wörter {n},{'xy'[n % 2]}".encode() for n in range(30)]
    lines[6] = lines[6].replace("ö".encode(), b"\xf6")
    (tmp_path / "a.csv").write_bytes(b"\n".join([b"text,label", *lines]))
    dataset, messages = imported(tmp_path, data=tmp_path / "a.csv")
    assert "Lines of a.csv hold bytes that are no UTF-8: 1 in all, the first of them line 8." in messages[0]
    assert "schöne Wörter 6" in dataset.texts(range(30))


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
    assert "Rows left out: 2 (" in messages[-1]


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


# Names, groups, folds and files


def authors(folder, *, header="id,author,text,label"):
    """80 rows of 20 authors of 4 rows each; every tenth row has no label."""
    rows = [f"r{n},author {n // 4},words of row {n},{'' if n % 10 == 9 else 'xy'[n % 2]}" for n in range(80)]
    return write(folder / "a.csv", header, *rows)


def test_rows_keep_their_ids_and_groups(tmp_path):
    dataset, _ = imported(tmp_path, data=authors(tmp_path), id_column="id", group_column="author")
    assert dataset.ids([41, 3]) == ["r41", "r3"] and dataset.groups([41, 3]) == ["author 10", "author 0"]
    sides = [dataset.groups(dataset.labelled_rows(split)) for split in ("train", "valid", "test")]
    assert all(sides) and len(set().union(*sides)) == sum(len(set(side)) for side in sides)


def test_no_text_of_a_tested_author_teaches_the_language_model(tmp_path):
    dataset, _ = imported(tmp_path, data=authors(tmp_path), group_column="author")
    tested = set(dataset.groups(dataset.rows_of("test")))
    assert tested & set(dataset.groups(dataset.rows_of("unlabelled")))
    assert not tested & set(dataset.groups(dataset.lm_rows()))


def test_rows_without_a_group_are_told(tmp_path):
    rows = [f"words {n},{'xy'[n % 2]},{'' if n < 3 else n // 2}" for n in range(40)]
    dataset, messages = imported(tmp_path, data=write(tmp_path / "a.csv", "text,label,by", *rows), group_column="by")
    assert messages[0] == "3 rows have no “by”. Each of them is taken for a group of its own."
    assert dataset.groups([0, 3]) == ["", "1"]


def test_groups_that_the_data_itself_tears_are_told(tmp_path):
    rows = [f"words {n},{'xy'[n % 2]},{n % 3},{'test' if n > 29 else ''}" for n in range(40)]
    path = write(tmp_path / "a.csv", "text,label,by,part", *rows)
    _, messages = imported(tmp_path, data=path, group_column="by", split_column="part")
    assert messages[0].startswith("3 groups of “by” stand on more than one side")


def test_the_rows_of_a_bad_id_are_named(tmp_path):
    path = write(tmp_path / "a.csv", "id,text,label,part", *[f"r{n},w {n},{'xy'[n % 2]},train" for n in range(9)],
                 "r9,odd,x,never", "r10,odd,y,never")  # fmt: skip
    dataset, messages = imported(tmp_path, data=path, id_column="id", split_column="part")
    assert dataset.bad_rows[0] == ("a.csv", 11, "the split “never” is not train, valid or test (id r9)")
    assert "(2 × the split “never” is not train, valid or test)" in messages[-1]


def test_every_row_is_tested_in_one_of_the_folds(tmp_path, reviews):
    tested = []
    for fold in (1, 2, 3):
        dataset, _ = imported(tmp_path / str(fold), data=reviews, split="folds", folds=3, fold=fold)
        tested += dataset.rows_of("test").tolist()
        assert dataset.counts["valid"] == 5
    assert sorted(tested) == list(range(80))


def test_a_fold_is_for_validation_where_a_test_is_given(tmp_path, reviews):
    test = write(tmp_path / "t.csv", "text,label", "new words,pos", "more words,neg")
    dataset, _ = imported(tmp_path, data=reviews, test=test, split="folds", folds=4)
    assert dataset.counts == {"train": 60, "valid": 20, "test": 2, "unlabelled": 0}


def test_files_say_what_validates_and_tests(tmp_path, reviews):
    valid = write(tmp_path / "v.csv", "text,label", "new words,pos", "no label,", "more words,neg")
    test = write(tmp_path / "t.csv", "text,label", "other words,pos")
    dataset, _ = imported(tmp_path, data=reviews, valid=valid, test=test, split="file")
    assert dataset.counts == {"train": 80, "valid": 2, "test": 1, "unlabelled": 1}
    assert dataset.texts(dataset.rows_of("valid")) == ["new words", "more words"]


def test_a_class_that_no_training_row_shows_is_named(tmp_path):
    rows = [f"words {n},{'xy'[n % 2] if n < 36 else 'late'}" for n in range(40)]
    path = write(tmp_path / "a.csv", "text,label", *rows)
    dataset, messages = imported(tmp_path, data=path, split="tail")
    assert dataset.rows_of("test").tolist() == [36, 37, 38, 39]
    assert messages[0].startswith("No training row has “late”: what no row shows is never learned.")


# Repeated texts


def test_repeated_texts_are_counted_and_kept(tmp_path):
    rows = [f"words {n},{'xy'[n % 2]}" for n in range(20)]
    path = write(tmp_path / "a.csv", "text,label", *rows, "words 0,x", "words  1,x", "words 1,", "words 2,y")
    dataset, _ = imported(tmp_path, data=path)
    assert dataset.facts["repeats"] == {"repeated_rows": 4, "contradicting_texts": 2} and len(dataset) == 24


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 2)), max_size=40))
def test_repeats_are_counted_as_by_hand(rows):
    answers = {}
    for text, label in rows:
        answers.setdefault(text, set()).update({label} - {-1})
    numbers, labels = np.array(rows, np.int64).reshape(-1, 2).T
    assert repeats.count_repeats(numbers, labels) == {
        "repeated_rows": len(rows) - len(answers),
        "contradicting_texts": sum(len(labels) > 1 for labels in answers.values()),
    }


# Rows that were left out


def test_all_bad_rows_can_be_exported(tmp_path, monkeypatch):
    monkeypatch.setattr(gather, "BAD_ROWS_KEPT", 3)
    rows = [f"words {n},{'xy'[n % 2]},{'train' if n < 30 else 'never'}" for n in range(40)]
    _, _, project = run_import(tmp_path, data=write(tmp_path / "=a.csv", "text,label,part", *rows), split_column="part")
    dataset = Dataset.open(project.dataset_folder)
    assert len(dataset.bad_rows) == 3 and dataset.facts["bad_row_count"] == 10
    out = tmp_path / "bad.csv"
    monkeypatch.setattr(sys, "argv", ["ulmfit", "data", str(project.folder), "--bad-rows", str(out)])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    with out.open(encoding="utf-8", newline="") as file:
        table = list(csv.reader(file))
    reason = "the split “never” is not train, valid or test"
    assert table == [["file", "row", "reason"], *(["'=a.csv", str(n + 2), reason] for n in range(30, 40))]


def test_bad_rows_go_nowhere_but_to_a_file(tmp_path, reviews):
    dataset, _ = imported(tmp_path, data=reviews)
    with pytest.raises(UserError, match="cannot be written: .*Choose another place"):
        dataset.export_bad_rows(tmp_path)


# Older and broken datasets


def test_a_dataset_of_format_1_still_opens(tmp_path):
    schema = pa.schema([store.ROWS.field(name) for name in ("text", "label", "split", "lm")])
    columns = {"text": ["a b", "c d"], "label": [0, 1], "split": [0, 2], "lm": [True, False]}
    store.write_table(tmp_path / "rows.arrow", schema, [columns])
    facts = {"format": 1, "labels": ["x", "y"], "bad_row_count": 1, "bad_rows": [["a.csv", 3, "no text"]]}
    write(tmp_path / "dataset.json", json.dumps(facts))
    dataset = Dataset.open(tmp_path)
    assert dataset.texts([1, 0]) == ["c d", "a b"] and dataset.lm_rows().tolist() == [0]
    assert dataset.ids([0, 1]) == dataset.groups([0, 1]) == ["", ""] and not dataset.transductive
    assert dataset.export_bad_rows(tmp_path / "bad.csv") == 1
    assert (tmp_path / "bad.csv").read_text() == "file,row,reason\na.csv,3,no text\n"


# Imports the project in copies of its folder; each import is killed at a moment of its work, the last one is not.
KILLED = """
import os, shutil, signal, sys
from pathlib import Path
import ulmfit_core.jobs.import_data
from ulmfit_core.project import Project
from ulmfit_core.run import Control, launch

WORK = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "tempfile.mkdtemp", "tempfile.mkstemp"}
reached, last = 0, 0

def at_work(event, arguments):
    global reached
    if event in WORK:
        reached += 1
        if reached == last:
            os.kill(os.getpid(), signal.SIGKILL)

class Watched(Control):
    @property
    def paused(self):
        at_work("open", ())
        return False

origin, shares = Path(sys.argv[1]), [float(share) for share in sys.argv[2:]]
for number, share in enumerate([0.0, *shares]):
    folder = origin.with_name(f"killed {number}")
    shutil.copytree(origin, folder)
    project = Project.open(folder)
    if number:
        last = 1 + int(share * total)
    ends, begins = os.pipe()
    if not (child := os.fork()):
        sys.addaudithook(at_work)
        launch(project, "import", control=Watched())
        os.write(begins, str(reached).encode())
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WTERMSIG(status) == (signal.SIGKILL if number else 0), status
    if not number:
        total = int(os.read(ends, 20))
print(total)
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a signal of Unix")
def test_an_import_killed_at_any_moment_leaves_a_whole_dataset(tmp_path, reviews):
    _, _, project = run_import(tmp_path, data=reviews)
    before = files_of(project.dataset_folder)
    corpus = write(tmp_path / "c.txt", *[f"line {n} of the general text, some words long" for n in range(5000)])
    project.recipe.data.corpus, project.recipe.data.seed = str(corpus), 7
    project.save()
    shares = [str(share) for share in np.random.default_rng().random(5)]
    command = [sys.executable, "-c", KILLED, str(project.folder), *shares]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and int(done.stdout) > 30, done.stderr
    undisturbed = files_of(tmp_path / "killed 0" / "dataset")
    assert undisturbed != before and {"rows.arrow", "corpus.arrow", "dataset.json"} < set(undisturbed)
    for number in range(1, 6):
        killed = Project.open(tmp_path / f"killed {number}")
        assert files_of(killed.dataset_folder) in (before, undisturbed), shares
        assert launch(killed, "import").status == "done"
        assert files_of(killed.dataset_folder) == undisturbed, shares
        assert not list(killed.folder.glob(".dataset*")), shares


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


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


def test_columns_are_kept_beside_the_texts(tmp_path):
    lines = [f"text {n},{'ab'[n % 2]},{n % 5},s{n}" for n in range(40)]
    data = write(tmp_path / "a.csv", "text,label,stars,shop", *lines)
    test = write(tmp_path / "t.csv", "text,label,stars", *[f"other {n},{'ab'[n % 2]},{n}" for n in range(6)])
    dataset, _ = imported(tmp_path, data=data, test=test, keep=["shop", "3"])
    rows = dataset.rows_of("test")
    assert dataset.kept(rows) == {"shop": [""] * 6, "3": [str(n) for n in range(6)]}
    trained = dataset.rows_of("train")
    assert dataset.kept(trained)["shop"] == ["s" + text.split()[1] for text in dataset.texts(trained)]
    bare, _ = imported(tmp_path / "bare", data=data)
    assert bare.kept(bare.rows_of("train")) == {}
    assert store.KEPT not in store.read_table(bare.folder / "rows.arrow").column_names


def test_a_column_to_keep_that_no_file_has_is_refused(tmp_path, reviews):
    ended, _, project = run_import(tmp_path, data=reviews, keep=["stars"])
    assert ended.status == "failed" and "has the column “stars”" in ended.reason
    assert not project.dataset_folder.exists()


def test_keeping_no_column_changes_no_fingerprint(tmp_path, reviews):
    _, _, project = run_import(tmp_path, data=reviews)
    before = project.fingerprint("import")
    project.recipe.data.keep = ["label"]
    assert project.fingerprint("import") != before
    project.recipe.data.keep = []
    assert project.fingerprint("import") == before
