"""The soak of starts and stops: a handful of them in the real window, and what it takes for a fault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HELD = {"megabytes": 600.0, "python_threads": ["MainThread"], "system_threads": 4, "qthreads": 0, "none": 100_000}
FAULTS = {
    "Memory grew by 51 MB.": {"megabytes": 651.0},
    "1 threads of Python did not end.": {"python_threads": ["MainThread", "job finetune"]},
    "2 threads of the system did not end.": {"system_threads": 6},
    "1 QThreads did not end.": {"qthreads": 1},
    "1,500 references to None were lost.": {"none": 98_500},
}


@pytest.fixture
def soak():
    import soak

    return soak


@pytest.mark.slow
def test_a_few_starts_and_stops_leave_nothing_behind():
    command = [sys.executable, "benchmarks/soak.py", "--starts", "4", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250, env=environment)
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["faults"] == report["complaints"] == [], report
    assert (report["starts"], report["resumed"]) == (4, 2)
    assert report["end"]["python_threads"] == ["MainThread"] and report["end"]["megabytes"] > 100
    assert 0 < report["rest_seconds"]["median"] <= report["rest_seconds"]["max"]


@pytest.mark.parametrize(("sentence", "at_the_end"), FAULTS.items())
def test_what_is_left_behind_is_a_fault(soak, sentence, at_the_end):
    assert soak.faults({"first": HELD, "end": HELD | at_the_end, "complaints": []}) == [sentence]


def test_a_little_is_none_but_each_warning_is(soak):
    little = HELD | {"megabytes": 640.0, "none": 180_000, "system_threads": 3}
    assert soak.faults({"first": HELD, "end": little, "complaints": []}) == []
    told = soak.faults({"first": HELD, "end": little, "complaints": ["Qt: QTimer: no event loop"]})
    assert told == ["1 complaints, the first: ['Qt: QTimer: no event loop']"]
