"""An evaluation's answers are kept row by row, and its report is put into words that its counts bear out."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from ulmfit_core.errors import UserError
from ulmfit_core.inference import answers, findings
from ulmfit_core.inference.findings import Which, WrongAnswer, class_sentence, interval, sure_sentence, weakest

REPORT = {
    "rows": 29, "labels": ["billing", "refund", "other"], "confusion": [[10, 0, 0], [7, 3, 2], [0, 0, 7]],
    "per_class": {
        "billing": {"f1": 0.74, "support": 10}, "refund": {"f1": 0.4, "support": 12},
        "other": {"f1": 0.9, "support": 7},
    },
    "training_rows": {"billing": 300, "refund": 40, "other": 120},
}  # fmt: skip


def made() -> answers.Answers:
    shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]], np.float32)
    truth = np.array([0, 0, 1, 0])
    texts = ["gut", "schlecht 🙂", "", "na ja"]
    return answers.Answers(["good", "böse"], texts, ["a", "", "c", ""], np.array([7, 1, 2, 30]), truth, shares)


def test_answers_come_back_as_they_were_saved(tmp_path):
    answers.save(tmp_path, made())
    back = answers.load(tmp_path)
    assert (back.labels, back.texts, back.ids) == (made().labels, made().texts, made().ids)
    for one, other in ((back.rows, made().rows), (back.truth, made().truth)):
        assert one.tolist() == other.tolist()
    assert np.array_equal(back.probabilities, made().probabilities) and back.given.tolist() == [0, 1, 0, 1]


def test_the_networks_probabilities_and_kept_columns_come_back(tmp_path):
    network = np.array([[0.5, 0.5], [0.1, 0.9], [0.7, 0.3], [0.4, 0.6]], np.float32)
    kept = {"stars": ["5", "", "1", "2"], "=shop": ["a", "b", "a", "ü\n"]}
    answers.save(tmp_path, replace(made(), network=network, kept=kept))
    back = answers.load(tmp_path)
    assert np.array_equal(back.network, network) and back.kept == kept


def test_a_network_that_answers_alone_is_written_once(tmp_path):
    both = made()
    path = answers.save(tmp_path, replace(both, network=both.probabilities))
    assert "network" not in pa.ipc.open_file(str(path)).schema.names
    assert np.array_equal(answers.load(tmp_path).network, both.probabilities)


def test_more_rows_than_one_part_come_back_in_their_order(tmp_path):
    rows = 2 * answers.PART + 3
    shares = np.random.default_rng(0).random((rows, 3)).astype(np.float32)
    texts = [f"text {number}" for number in range(rows)]
    many = answers.Answers(["a", "b", "c"], texts, [""] * rows, np.arange(rows), np.arange(rows) % 3, shares)
    answers.save(tmp_path, many)
    back = answers.load(tmp_path)
    assert back.texts == texts and np.array_equal(back.probabilities, shares)
    assert back.truth.tolist() == many.truth.tolist() and back.kept == {}


def test_answers_of_the_first_format_still_open(tmp_path):
    old = made()
    shares = pa.FixedSizeListArray.from_arrays(pa.array(old.probabilities.ravel()), 2)
    columns = {"text": old.texts, "id": old.ids, "row": old.rows, "truth": pa.array(old.truth, pa.int32())}
    table = pa.table({**columns, "probabilities": shares})
    table = table.replace_schema_metadata({"labels": json.dumps(old.labels), "format": "1"})
    with pa.OSFile(str(tmp_path / answers.NAME), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    back = answers.load(tmp_path)
    assert back.texts == old.texts and np.array_equal(back.probabilities, old.probabilities)
    assert back.network is None and back.kept == {}


def test_the_most_wrong_answers_are_the_first(tmp_path):
    wrong = answers.wrong(made())
    assert [one.text for one in wrong] == ["schlecht 🙂", "na ja", ""]
    assert wrong[0] == WrongAnswer("schlecht 🙂", "good", "böse", pytest.approx(0.8), pytest.approx(0.2))
    assert len(answers.wrong(made(), 1)) == 1


def test_without_a_file_nothing_is_known_and_a_damaged_one_is_named(tmp_path):
    assert answers.load(tmp_path) is None
    path = answers.save(tmp_path, made())
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"answers.arrow is damaged .* Evaluate again"):
        answers.load(tmp_path)


def test_which_wrong_answers_are_meant():
    one = WrongAnswer("text", "a", "b", 0.9, 0.1)
    assert not Which() and Which().has(one)
    assert Which("a").has(one) and Which("a", "b").has(one) and not Which("a", "c").has(one)
    assert Which(either="b").has(one) and Which(either="a").has(one) and not Which(either="c").has(one)


@pytest.mark.parametrize(("right", "rows"), [(11, 12), (0, 10), (10, 10), (1, 1), (291, 500)])
def test_the_interval_is_wilsons(right, rows):
    from scipy.stats import binomtest

    known = binomtest(right, rows).proportion_ci(0.95, method="wilson")
    assert interval(right, rows) == (pytest.approx(known.low, abs=1e-6), pytest.approx(known.high, abs=1e-6))


def test_no_rows_have_no_share():
    with pytest.raises(ValueError, match="no rows"):
        interval(0, 0)


def test_few_rows_say_how_little_they_tell():
    few = {"rows": 12, "confusion": [[6, 1], [0, 5]]}
    assert findings.chance_sentence(few) == (
        "11 of 12 right: between 65% and 99% would be no surprise with so few rows."
    )
    assert findings.chance_sentence({"rows": 5000, "confusion": [[4000, 1000]]}) == ""


def test_a_bad_class_is_explained_by_its_counts():
    assert weakest(REPORT) == "refund"
    assert class_sentence(REPORT, "refund") == (
        "“refund” is right in 3 of 12; 7 were taken for “billing”; it has only 40 training rows, the least of all."
    )
    assert class_sentence(REPORT, "billing") == "“billing” is right in 10 of 10; of “refund” 7 were taken for it."


def test_very_sure_wrong_answers_make_their_labels_suspect():
    found = [WrongAnswer("a", "refund", "billing", sure, 0.01) for sure in (0.9, 0.91, 0.99)]
    two, one = sure_sentence(found, "refund"), sure_sentence(found[1:2], "refund")
    assert two == "2 of its wrong answers are very sure: check whether their labels are right."
    assert one == "1 of its wrong answers is very sure: check whether its label is right."
    assert sure_sentence(found[:1], "refund") == sure_sentence(found, "billing") == ""


def test_what_is_not_known_is_not_said():
    earlier = {name: value for name, value in REPORT.items() if name != "training_rows"}
    assert class_sentence(earlier, "refund") == "“refund” is right in 3 of 12; 7 were taken for “billing”."
    empty = {**REPORT, "confusion": [[0, 0, 0], [7, 3, 2], [0, 0, 7]]}
    assert "no rows here" in class_sentence(empty, "billing")
    with pytest.raises(ValueError, match="none"):
        class_sentence(REPORT, "none")


def test_where_all_is_right_no_class_is_the_weakest():
    perfect = {label: {"f1": 1.0, "support": 3} for label in REPORT["labels"]}
    assert weakest({"per_class": perfect}) == ""
