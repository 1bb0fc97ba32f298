"""The comparisons with fastai, at a size of seconds: processes in turn, their clocks, the figures made of them."""

import json
import lzma
import math
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from resources import resource_path
from ulmfit_core.config import ModelSettings, PretrainSettings
from ulmfit_core.data import tokens
from ulmfit_core.data.batches import IGNORED, Documents, LanguageBatches
from ulmfit_core.models import bundle as bundles

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
ORACLE = Path(os.environ.get("ORACLE") or ROOT / ".venv-oracle/bin/python")
needs_fastai = pytest.mark.skipif(not ORACLE.exists(), reason="no Python with fastai (.venv-oracle, or $ORACLE)")
TINY = {
    "model.embedding": 12, "model.hidden": 16, "model.layers": 2, "pretrain.batch_size": 4, "pretrain.bptt": 10,
    "pretrain.variable_bptt": False, "pretrain.schedule": "flat_anneal", "pretrain.lr_max": 0.01,
    "pretrain.checkpoint_seconds": 1e9, "pretrain.threads": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """100,000 tokens in documents of 100, of 60 kinds; and 203 to validate on."""
    folder = tmp_path_factory.mktemp("text")
    drawn = np.random.default_rng(3).integers(9, 60, (1000, 100))
    tokens.write(folder / "train", drawn, np.dtype(np.uint16))
    tokens.write(folder / "valid", [drawn[0], drawn[1], drawn[2, :3]], np.dtype(np.uint16))
    return {"train": str(folder / "train"), "valid": str(folder / "valid"), "folder": str(folder / "run")}


def run(script, *arguments, **environment):
    command = [sys.executable, str(BENCHMARKS / script), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_a_child_works_only_while_it_is_told_to_and_its_schedule_ends_with_its_time(text):
    peers = import_module("peers")
    task = {**text, "values": TINY, "vocabulary": 60, "budget": 1.0, "clock": "processor"}
    with peers.Peer("ours", sys.executable, "engine_lm.py", 1, task) as peer:
        assert peer.facts["parameters"] == 60 * 12 + 60 + 4 * 16 * (12 + 16 + 2) + 4 * 12 * (16 + 12 + 2)
        losses = [peer.ask(validate=True)["loss"] for _ in range(2)]
        done = [peer.train(seconds) for seconds in (0.3, 0.8, 0.3)]
        losses += [peer.ask(validate=True)["loss"], peer.train(0.2)["loss"], peer.ask(validate=True)["loss"]]
    assert losses[0] == losses[1] == pytest.approx(math.log(60), abs=0.1)
    assert all(part["amount"] == 40 * part["steps"] and part["seconds"] >= 0.2 for part in done)
    assert done[2]["total_seconds"] == pytest.approx(sum(part["seconds"] for part in done))
    assert done[2]["memory"] > 50e6
    # At first the weights move; once the time is over the rate is next to nothing.
    assert abs(losses[2] - losses[1]) > 1e-3 and abs(losses[4] - losses[2]) < 1e-4


def test_a_child_that_fails_ends_the_comparison_with_its_name(text):
    peers = import_module("peers")
    with pytest.raises(SystemExit, match="ours ended before its time"):
        task = {**text, "train": "nowhere", "values": {}, "vocabulary": 60}
        peers.Peer("ours", sys.executable, "engine_lm.py", 1, task)


def test_operations_are_counted_for_every_matrix_and_nothing_else():
    case = import_module("train_lm").Case(300, 12, 20, 3, 4, 10)
    network = ModelSettings(embedding=12, hidden=20, layers=3)
    model = bundles.new_language_model(network, 300, PretrainSettings())
    assert case.weights == sum(value.numel() for value in model.parameters() if value.dim() == 2)
    assert case.flops == 6 * case.weights and case.tokens == 40


def test_figures_are_medians_of_slices_and_ratios_within_rounds():
    train_lm = import_module("train_lm")
    case = train_lm.Case(300, 12, 20, 3, 4, 10)

    def done(amount, memory=100):
        return {"amount": amount, "seconds": 2.0, "memory": memory, "loss": 5.0}

    rounds = [
        {"fastai": done(10), "ours": done(20, 50), "matmul, float32": done(100)},
        {"fastai": done(1), "ours": done(3, 50), "matmul, float32": done(10)},
        {"fastai": done(40), "ours": done(20, 50), "matmul, float32": done(400)},
    ]
    found = train_lm.figures(case, "ours", rounds, {"precision": "float32"})
    assert found["rate"] == 10 and found["of_fastai"] == 2 and found["memory_of_fastai"] == 0.5
    assert found["of_matmul"] == pytest.approx(0.2 * case.flops)
    assert train_lm.figures(case, "matmul, float32", rounds, {})["rate"] == 50


def test_when_a_curve_comes_down_to_a_value():
    reached = import_module("learn_lm").reached
    curve = [(10.0, 4.0), (20.0, 3.0), (30.0, 3.5), (40.0, 2.0)]
    assert reached(curve, 3.25) == 17.5
    assert reached(curve, 4.5) == 10.0
    assert reached(curve, 1.9) is None


def test_a_drawing_holds_every_curve_inside_its_axes():
    page = import_module("page")
    assert page.round_steps(0, 1201) == [0, 200, 400, 600, 800, 1000, 1200, 1400]
    assert page.round_steps(2.03, 2.41) == pytest.approx([2.0, 2.1, 2.2, 2.3, 2.4, 2.5])
    drawn = page.drawing({"ours": [(60, 2.4), (1201, 2.03)], "fastai": [(1000, 2.41)]}, "seconds", "bits")
    lines = [line.split('"')[1].split() for line in drawn.splitlines() if line.startswith("<polyline")]
    points = [tuple(map(float, point.split(","))) for line in lines for point in line]
    assert [len(line) for line in lines] == [2, 1] and ">fastai</text>" in drawn
    assert all(page.LEFT <= x <= page.WIDTH - page.RIGHT for x, _ in points)
    assert all(page.TOP <= y <= page.HEIGHT - page.BOTTOM for _, y in points)


def test_a_table_takes_the_place_of_the_one_before(tmp_path):
    page = import_module("page")
    (tmp_path / "page.md").write_text("above\n<!-- a -->\n\nold\n\n<!-- end of a -->\nbelow\n")
    page.write_between(tmp_path / "page.md", "a", "new")
    assert (tmp_path / "page.md").read_text() == "above\n<!-- a -->\n\nnew\n\n<!-- end of a -->\nbelow\n"
    with pytest.raises(AssertionError):
        page.write_between(tmp_path / "page.md", "b", "new")


def test_learning_is_compared_from_the_text_to_the_rows_and_never_twice(tmp_path):
    lines = resource_path("sample").joinpath("corpus.txt").read_text(encoding="utf-8")
    for name, content in (("wiki.train.txt.xz", lines * 30), ("wiki.valid.txt.xz", lines[:3000])):
        (tmp_path / name).write_bytes(lzma.compress(content.encode(), preset=0))
    options = [
        "--work", tmp_path / "work", "--minutes", 0.02, "--marks", 2, "--valid-tokens", 200, "--threads", 1,
        "--clock", "processor", "--arms", "ours", "ours_quarter", "--results", tmp_path / "rows.jsonl", "--json",
    ]  # fmt: skip
    rows = json.loads(run("learn_lm.py", *options, ULMFIT_DATA=str(tmp_path)))
    assert set(rows) == {"ours", "ours_quarter"}
    assert len(rows["ours"]["curve"]) >= 2 and rows["ours"]["seconds"] >= 1.2 > rows["ours"]["curve"][0][0]
    assert all(0 < bits < 8 for row in rows.values() for _, bits in row["curve"])
    written = (tmp_path / "rows.jsonl").read_text()
    assert json.loads(run("learn_lm.py", *options, ULMFIT_DATA=str(tmp_path))) == rows
    assert (tmp_path / "rows.jsonl").read_text() == written


def test_all_sides_are_validated_on_the_same_windows(text):
    stored = tokens.Tokens.open(Path(text["valid"]))
    documents = Documents([(stored, np.arange(len(stored)), np.asarray(stored.lengths))])
    ours = LanguageBatches(documents, 4, 10, seed=1, train=False).epoch(0)
    theirs = list(import_module("columns").windows(np.asarray(stored.ids), 4, 10))
    known = sum(int((targets != IGNORED).sum()) for _, targets in theirs)
    assert known == 202 and len(theirs) == len(ours)
    for (inputs, targets), (our_inputs, our_targets) in zip(theirs, ours):
        assert (targets == our_targets).all()
        assert (inputs == our_inputs)[targets != IGNORED].all()


@needs_fastai
def test_fastai_goes_on_after_a_validation_as_if_there_was_none(text):
    peers = import_module("peers")
    task = {
        **text, "vocabulary": 60, "embedding": 12, "hidden": 16, "layers": 2, "batch": 4, "window": 10, "seed": 1,
        "rate": 0.01, "schedule": {"name": "flat_anneal", "flat_share": 0.5}, "budget": 1.0, "clock": "processor",
        "valid_window": [8, 7],
    }  # fmt: skip
    with peers.Peer("fastai", ORACLE, "fastai_lm.py", 1, task) as peer:
        before = [peer.ask(validate=True)["loss"] for _ in range(2)]
        done = [peer.train(seconds) for seconds in (0.3, 0.9)]
        after = [peer.ask(validate=True)["loss"], peer.train(0.2)["loss"], peer.ask(validate=True)["loss"]]
    assert peer.facts["parameters"] == 60 * 12 + 60 + 4 * 16 * (12 + 16 + 2) + 4 * 12 * (16 + 12 + 2)
    assert before[0] == before[1] == pytest.approx(math.log(60), abs=0.1)
    assert all(part["amount"] == 40 * part["steps"] for part in done)
    assert abs(after[0] - before[0]) > 1e-3 and abs(after[2] - after[0]) < 1e-4


@needs_fastai
def test_speed_is_compared_with_fastai_in_turn():
    row = json.loads(run("train_lm.py", "--quick", "--oracle", ORACLE, "--threads", 1, "--json"))[0]
    assert row["vocabulary"] == 300 and row["threads"] == 1
    assert {"fastai", "ours, float32", "ours, auto", "matmul, float32"} <= set(row["sides"])
    parameters = {side: found["parameters"] for side, found in row["sides"].items() if "matmul" not in side}
    assert len(set(parameters.values())) == 1
    ours = row["sides"]["ours, float32"]
    assert ours["rate"] > 0 and ours["of_fastai"] > 0 and 0 < ours["of_matmul"] < 1 and ours["memory"] > 50e6
