"""The study of few labels and the recipe of the starter, from files to rows and bundle, at a size of seconds."""

import contextlib
import io
import json
import lzma
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from resources import resource_path
from ulmfit_core.events import CheckpointSaved
from ulmfit_core.models import bundle as bundles
from ulmfit_core.project import Project
from ulmfit_core.run import Control, launch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SMALL = [
    "model.embedding=12", "model.hidden=16", "model.layers=2", "vocab.size=300", "pretrain.checkpoint_seconds=0.001",
    "pretrain.batch_size=4", "pretrain.bptt=20",
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Of Wikipedia the sample's corpus, and questions of two kinds, some of which are in the test too."""
    folder = tmp_path_factory.mktemp("data")
    lines = resource_path("sample").joinpath("corpus.txt").read_text(encoding="utf-8")
    (folder / "wiki.train.txt.xz").write_bytes(lzma.compress((lines * 4).encode(), preset=0))
    (folder / "wiki.valid.txt.xz").write_bytes(lzma.compress(lines[:4000].encode(), preset=0))
    (folder / "wikitext2.valid.txt").write_text(lines[4000:7000], encoding="utf-8")
    (folder / "trec").mkdir()
    kinds = {"HUM:ind Who wrote the book": 60, "LOC:city Where is the town": 30}
    rows = [f"{kind} of number {number} ?" for kind, count in kinds.items() for number in range(count)]
    (folder / "trec" / "train_5500.label").write_text("\n".join(rows))
    (folder / "trec" / "TREC_10.label").write_text("\n".join(rows[:5] + rows[-5:] + [f"{rows[0]} Indeed"]))
    return folder


def run(name, *arguments, data, **constants):
    """What a script prints, at work in this process with its data in another folder and other constants."""
    script, study = import_module(name), import_module("study")
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(sys, "argv", [name, *map(str, arguments)])
        patch.setattr(study, "DATA", data)
        for constant, value in constants.items():
            patch.setattr(script, constant, value)
        script.main()
    return printed.getvalue()


@pytest.fixture(scope="module")
def starter(data, tmp_path_factory):
    """(bundle, what was said of it, runs of its training): that was stopped once, and the same command went on."""
    work, to = tmp_path_factory.mktemp("starter"), tmp_path_factory.mktemp("shipped") / "starter"
    options = ["--work", work, "--to", to, "--words", 3000, "--set", *SMALL]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit, match="Stopped"):
        patch.setattr(import_module("study"), "launch", stopped_at_the_first_checkpoint)
        run("starter", *options, data=data, DATA=data)
    said = json.loads(run("starter", *options, data=data, DATA=data))
    return to, said, [info for info in Project.open(work / "project").runs() if info.job == "pretrain"]


def stopped_at_the_first_checkpoint(*arguments, **options):
    control = Control()

    def stop(event):
        if isinstance(event, CheckpointSaved):
            control.stop()

    return launch(*arguments, **options, control=control, sink=stop)


def test_the_starter_goes_on_where_it_was_stopped_and_says_what_it_is(starter):
    bundle, said, runs = starter
    assert len(runs) == 1 and said["steps"] > 2 and said["epochs"] == 1
    network = bundles.load(bundle).network
    assert (network.embedding, network.hidden) == (12, 16)
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "CC BY-SA" in card and f"{said['corpus_tokens']:,} tokens" in card and "model.hidden: 16" in card


def test_the_smallest_precision_ships_that_changes_no_loss(starter):
    bundle, said, _ = starter
    exact = said["float32"]
    lossless = [
        precision for precision in ("float32", "float16", "int8")
        if all(round(exact[name]["loss"], 3) == round(said[precision][name]["loss"], 3) for name in exact)
    ]  # fmt: skip
    assert said["precision"] == lossless[-1]
    weights = sum(value.numel() for value in bundles.load(bundle).model.parameters())
    bytes_each = {"float32": 4, "float16": 2, "int8": 1}[lossless[-1]]
    written = (bundle / "weights.safetensors").stat().st_size
    assert bytes_each * weights < written < 1.6 * bytes_each * weights + 4_000


def test_a_model_too_large_to_ship_as_it_is_ships_in_eight_bits_and_none_that_is_larger():
    starter = import_module("starter")
    figures = {"float32": {"a": {"loss": 4.1}}, "float16": {"a": {"loss": 4.1}}, "int8": {"a": {"loss": 4.12}}}
    assert starter.chosen(figures, {"float32": 12.0, "float16": 6.0, "int8": 3.0}) == "float16"
    assert starter.chosen(figures, {"float32": 107.0, "float16": 54.0, "int8": 27.5}) == "int8"
    with pytest.raises(SystemExit, match="more than the 28 that may ship"):
        starter.chosen(figures, {"float32": 200.0, "float16": 100.0, "int8": 50.0})


def test_a_model_that_is_trained_already_ships_as_it_is(starter, data, tmp_path):
    bundle, said, runs = starter
    options = ["--work", tmp_path / "work", "--trained", runs[0].folder.parents[1], "--to", tmp_path / "again"]
    again = json.loads(run("starter", *options, data=data, DATA=data))
    assert again["figures"] == said["figures"] and runs[0].fingerprint in (tmp_path / "again/MODEL_CARD.md").read_text()
    assert len(Project.open(runs[0].folder.parents[1]).runs()) == 3  # import, vocab, pretrain: nothing was done anew


def test_figures_of_the_starter_hang_together(starter, data):
    bundle, said, _ = starter
    found = import_module("starter").measured(bundles.load(bundle), data / "wikitext2.valid.txt")
    shipped = said["figures"]["wikitext2.valid.txt"]
    assert found == pytest.approx(shipped, rel=1e-4)
    assert found["perplexity"] == pytest.approx(np.exp(found["loss"]))
    assert found["word_perplexity"] > found["perplexity"] > 1
    assert 0 <= found["next_word_accuracy"] <= 1 and 0 < found["next_piece_accuracy"] < 1


class Spelled:
    """A vocabulary of a few pieces: what word_accuracy asks of one."""

    pieces = ["xxunk", "xxpad", "xxbos", "xxeos", "xxfld", "xxrep", "xxwrep", "xxup", "xxmaj", "▁a", "b", "▁c"]
    bos, unk = 2, 0


@pytest.mark.parametrize("guesses, right", [
    ([2, 8, 9, 10, 11, 9], 1),  # xxmaj ▁a b | ▁c: two words, the last of which has no end
    ([2, 8, 9, 11, 11, 9], 0),  # a piece is wrong
    ([2, 8, 9, 10, 10, 9], 0),  # the word would go on
])  # fmt: skip
def test_a_word_is_right_with_all_its_pieces_and_its_end(guesses, right):
    ids = np.array([2, 8, 9, 10, 11, 9])
    guesses = np.array(guesses)
    hits = np.concatenate([[False], guesses[1:] == ids[1:]])
    found = import_module("starter").word_accuracy(Spelled, ids, guesses, hits)
    assert found == pytest.approx((right + (guesses[4] == 11)) / 2)


def test_every_beginning_of_a_draw_has_the_labels_by_their_shares():
    pool = [(f"text {number}", "rare" if number < 20 else "often") for number in range(100)]
    drawn = import_module("low_shot").drawn
    order = drawn(pool, seed=1)
    assert sorted(order) == list(range(100)) and order != drawn(pool, seed=2) and order == drawn(pool, seed=1)
    for count in (10, 50, 95):
        found = Counter(pool[row][1] for row in order[:count])
        assert abs(found["rare"] - 0.2 * count) <= 1


def test_from_files_to_rows_that_are_never_measured_twice(starter, data, tmp_path):
    options = [
        "--work", tmp_path / "work", "--starter", starter[0], "--sets", "trec", "--labels", 20, "all", "--seeds", 1,
        "--arms", "scratch", "starter", "tuned", "blend", "tfidf", "--threads", 1, "--results", tmp_path / "rows.jsonl",
        "--set", "classify.epochs=1", "vocab.size=200", "--json",
    ]  # fmt: skip
    rows = json.loads(run("low_shot", *options, data=data))
    assert {(row["arm"], row["train_labels"]) for row in rows} == {
        (arm, count) for arm in ("scratch", "starter", "tuned", "blend", "tfidf") for count in (20, 80)
    }  # ten of the 90 questions are in the test
    assert len({row["recipe"] for row in rows}) >= 4 and all(row["rows"] == 11 for row in rows)
    tuned, blend = (next(row for row in rows if row["arm"] == arm) for arm in ("tuned", "blend"))
    assert blend.get("network", blend)["accuracy"] == tuned["accuracy"]
    written = (tmp_path / "rows.jsonl").read_text()
    assert json.loads(run("low_shot", *options, data=data)) == rows
    assert (tmp_path / "rows.jsonl").read_text() == written
    shares = Counter(line.rsplit(",", 1)[1] for line in (tmp_path / "work/trec-20-1.csv").read_text().splitlines()[1:])
    assert shares in ({"HUM": 14, "LOC": 6}, {"HUM": 13, "LOC": 7})
    assert len({text for text, _ in import_module("low_shot").read_rows(tmp_path / "work/trec-pool.csv")}) == 80


def test_a_pilot_measures_validation_rows_and_writes_no_row(data, tmp_path):
    low_shot = import_module("low_shot")
    few = tmp_path / "few"
    options = [
        "--work", few, "--sets", "trec", "--labels", 20, "--seeds", 1, "--arms", "scratch", "--pilot", "--threads", 1,
        "--results", tmp_path / "rows.jsonl", "--set", "classify.epochs=1", "vocab.size=200",
    ]  # fmt: skip
    found = json.loads(run("low_shot", *options, data=data, PILOT_ROWS=30))
    assert found["labels"] == 20 and 0 <= found["accuracy"] <= 1 and not (tmp_path / "rows.jsonl").exists()
    valid, labelled = (low_shot.read_rows(few / name) for name in ("trec-1-pilot.csv", "trec-20-1.csv"))
    assert len(valid) == 30 and not {text for text, _ in valid} & {text for text, _ in labelled}


def test_the_table_keeps_to_the_newest_recipe_and_the_figure_has_every_set():
    low_shot = import_module("low_shot")

    def row(name, arm, labels, seed, accuracy, recipe="new"):
        known = {"set": name, "arm": arm, "labels": labels, "seed": seed, "recipe": recipe}
        return {**known, "accuracy": accuracy, "train_labels": labels or 5000}

    rows = [row("trec", "tfidf", 100, 1, 0.9, "old")]
    rows += [row("trec", "tfidf", 100, seed, 0.4 + seed / 10) for seed in (1, 2)]
    rows += [row("trec", "tfidf", 0, 1, 0.875), row("imdb", "minilm", 100, 1, 0.7), row("imdb", "minilm", 500, 1, 0.8)]
    lines = low_shot.table(rows, "trec").splitlines()
    assert lines[2] == "| TF-IDF | 0.550 (0.500 to 0.600; 2) | - | - | - | - | 0.875 |"
    assert low_shot.curves(rows, "trec") == {"TF-IDF": [(100, 0.55), (5000, 0.875)], "MiniLM": []}
    drawn = low_shot.figure(rows)
    assert drawn.count("<polyline") == 4 and ">TREC-6</text>" in drawn and ">5000</text>" in drawn


def test_a_logarithmic_axis_has_even_steps_for_even_factors():
    page = import_module("page")
    drawn = page.drawing({"a": [(100, 0.5), (1000, 0.6), (10_000, 0.7)]}, "labels", "accuracy", [100, 1000, 10_000])
    line = next(line for line in drawn.splitlines() if line.startswith("<polyline"))
    across = [float(point.split(",")[0]) for point in line.split('"')[1].split()]
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.2)
    assert across[0] == page.LEFT and across[2] == page.WIDTH - page.RIGHT
