"""The comparison of prediction with fastai, at a size of seconds: both sides' children, and the figures of a row."""

import json
import os
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from ulmfit_core.inference.predictor import Predictor

ROOT = Path(__file__).parents[2]
ORACLE = Path(os.environ.get("ORACLE") or ROOT / ".venv-oracle/bin/python")
needs_fastai = pytest.mark.skipif(not ORACLE.exists(), reason="no Python with fastai (.venv-oracle, or $ORACLE)")
TEXTS = {
    "one": ["A good film, and a LONG one.", "Bad bad bad!"],
    "reviews": ["It was good. " * 40, "", "the film"],
    "short": ["good", "bad", "film"],
}
READ = "a good film and long one bad it was the ! . , " * 5


@pytest.fixture
def predict(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return import_module("predict")


@pytest.fixture
def task(predict, tmp_path):
    """A classifier of a few words and a few features, and the texts."""
    vocab = predict.word_vocabulary([READ])
    predict.random_bundle(tmp_path / "bundle", (12, 20, 2), vocab)
    (tmp_path / "texts.json").write_text(json.dumps(TEXTS), encoding="utf-8")
    return {
        "bundle": str(tmp_path / "bundle"), "texts": str(tmp_path / "texts.json"), "clock": "processor",
        "eight_bits": False,
    }  # fmt: skip


def test_our_child_answers_as_the_predictor_does_and_tells_the_seconds_of_each_work(predict, task):
    with predict.Peer("ours", sys.executable, "engine_predict.py", 1, task) as peer:
        told = np.array(peer.ask(told=True)["told"])
        seconds = {part: peer.ask(**{part: True})["seconds"] for part in predict.PARTS}
    np.testing.assert_allclose(told, Predictor.load(Path(task["bundle"])).probabilities(TEXTS["one"]), atol=1e-6)
    assert {part: len(found) for part, found in seconds.items()} == {
        "one": 2, "one_read": 2, "reviews": 1, "reviews_read": 1, "short": 1, "short_read": 1,
    }  # fmt: skip
    assert all(0 < value < 60 for found in seconds.values() for value in found)


@needs_fastai
def test_fastai_reads_the_same_tokens_with_the_same_weights(predict, task):
    with predict.Peer("ours", sys.executable, "engine_predict.py", 1, task) as ours:
        with predict.Peer("fastai", ORACLE, "fastai_predict.py", 1, task) as theirs:
            assert theirs.facts["tokens"] == ours.facts["tokens"]
            np.testing.assert_allclose(theirs.ask(told=True)["told"], ours.ask(told=True)["told"], atol=1e-5)
            assert len(theirs.ask(one=True)["seconds"]) == 2 and len(theirs.ask(reviews_read=True)["seconds"]) == 1


def test_ratios_are_medians_of_the_rounds_and_rates_are_texts_a_second(predict):
    parts = {part: [[4.0], [6.0], [8.0]] for part in predict.PARTS}
    row = {
        "kind": "speed", "threads": 1, "clock": "processor", "cpu": "a processor", "cores": 2,
        "texts": {"reviews": 60, "short": 600}, "from_fastai": {"ours": 2e-7, "ours_8": 5e-4},
        "seconds": {"fastai": parts, "ours": {**parts, "one": [[2.0], [2.0], [8.0]]}},
    }  # fmt: skip
    lines = predict.table([row]).splitlines()
    assert lines[2] == "| fastai | 6000, 7800 | 1.00 | 6000, 1.00 | 10.0 | 1.00 | 1.00 | 100.0 | 1.00 | 1.00 |"
    assert lines[3].startswith("| ours, float32 | 2000, 7400 | 2.00 | 6000, 1.00 | 10.0")
    assert "2e-07 in float32, 5e-04 in eight bits" in lines[5]
