"""The measurement of large corpora beside small ones, at a size of seconds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ulmfit_core.data import tokens
from ulmfit_core.data.tokens import Tokens

ROOT = Path(__file__).parents[2]


@pytest.fixture
def flat():
    import flat

    return flat


def test_a_corpus_is_made_of_copies_and_cut_to_its_size(flat):
    given = [np.array([1, 2, 3]), np.array([4, 5])]
    for count in range(1, 12):
        made = [document.tolist() for document in flat.so_many(given, count)]
        assert sum(made, []) == ([1, 2, 3, 4, 5] * 3)[:count] and all(made)


def test_reading_a_corpus_through_is_measured(flat, tmp_path):
    tokens.write(tmp_path / "text", [np.arange(9, 50)] * 200, np.dtype(np.uint16))
    found = flat.read_through(tmp_path / "text")
    assert 0 < found["read_ms"] < 100 and found["read_memory"] > 2**20


def test_each_size_is_trained_and_read_and_told_of_as_json(tmp_path):
    tokens.write(tmp_path / "text", [np.arange(9, 50)] * 200, np.dtype(np.uint16))
    command = [sys.executable, "benchmarks/flat.py", "--tokens", tmp_path / "text", "--millions", "1"]
    command += ["--seconds", "0.3", "--rounds", "2", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-3000:]
    (row,) = json.loads(done.stdout)
    assert row["millions"] == row["of_smallest"] == 1 and row["rate"] > 0
    assert row["memory"] > 2**20 and row["read_ms"] > 0
    assert Tokens.open(tmp_path / "text").meta["tokens"] == 8200  # what was given stays as it was
