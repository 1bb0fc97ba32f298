"""How many processor threads a training computes in: the fastest number in a short measurement.

All cores are the fastest on an idle machine with a large model. Where others compute beside it, threads wait for each
other at every matrix product, and a small model gives each too little to do: then fewer are faster.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from statistics import median

import torch

from ulmfit_core import device as devices
from ulmfit_core import faults
from ulmfit_core.run import Run
from ulmfit_core.training.stage import Stage

# Rounds of the measurement: at least so many, more while it has not taken SECONDS, so that small models are measured
# often and large ones not for long.
LEAST_ROUNDS, MOST_ROUNDS = 3, 15
SECONDS = 1.0
# Rows are added to a pass until it takes so long in one thread.
PASS_SECONDS = 0.25
# A count whose pass takes so many times what it takes in fewer threads, and over PASS_SECONDS, is given up, with all
# higher ones: where every core is taken, a pass that takes a moment in one thread can take minutes in more.
HOPELESS = 3.0
# As good as the fastest: then the fewer threads are taken.
TIE = 1.03


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Give the thread its number back, so that what follows a training does not inherit the training's."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose(stage: Stage, run: Run) -> int:
    """Threads to train `stage` in: as given by a person, otherwise the fastest of a measurement, which is told.

    Nothing of the training changes: the passes draw from a generator of their own, no weight, moment or statistic
    is touched, and the gradients are thrown away. A stop ends the measurement early.
    """
    given = devices.given_threads(stage.settings.threads)
    cores = devices.cores()
    if given or cores == 1 or next(stage.model.parameters()).device.type != "cpu":
        return devices.default_threads(stage.settings.threads)
    with kept():
        try:
            seconds = measure(stage, run, candidates(cores))
        except Exception as error:  # the training finds out how much fits, and does not end here
            if not faults.is_out_of_memory(error):
                raise
            stage.model.zero_grad(set_to_none=True)
            return devices.default_threads(stage.settings.threads)
    chosen = fastest(seconds)
    run.message(f"Computing in {chosen} of {cores} threads: measured fastest.")
    return chosen


def candidates(cores: int) -> list[int]:
    """Thread counts that are tried, from 1 up: halves of all cores, all but one, all."""
    halves = {cores >> shift for shift in range(cores.bit_length())}
    return sorted(halves | {max(1, cores - 1)})


def measure(stage: Stage, run: Run, counts: list[int]) -> dict[int, list[float]]:
    """Seconds of the same training pass by thread count, measured in turn, so that a busy moment hits all alike."""
    stage.model.train()
    began = time.perf_counter()
    rows = _rows(stage)
    seconds: dict[int, list[float]] = {count: [] for count in counts}
    for done in range(MOST_ROUNDS):
        if done >= LEAST_ROUNDS and time.perf_counter() - began > SECONDS:
            break
        for count in list(seconds):
            if run.control.stopping:
                return seconds
            seconds[count].append(_timed(stage, count, rows)[0])
            if _hopeless(seconds, count):
                seconds = {fewer: times for fewer, times in seconds.items() if fewer < count}
                break
    return seconds


def _hopeless(seconds: dict[int, list[float]], count: int) -> bool:
    fewer = [min(times) for other, times in seconds.items() if other < count]
    return bool(fewer) and seconds[count][-1] > max(PASS_SECONDS, HOPELESS * min(fewer))


def _rows(stage: Stage) -> int:
    """Rows of a pass that takes about PASS_SECONDS in one thread, or all that a pass has."""
    rows = 4
    while True:
        seconds, read = _timed(stage, 1, rows)
        if seconds > PASS_SECONDS or read < rows:
            return read
        rows *= 2


def _timed(stage: Stage, count: int, rows: int) -> tuple[float, int]:
    """Seconds of a pass in `count` threads, and the rows it read."""
    torch.set_num_threads(count)
    device = next(stage.model.parameters()).device
    began = time.perf_counter()
    read = stage.rehearse(rows, torch.Generator(device).manual_seed(0))
    seconds = time.perf_counter() - began
    stage.model.zero_grad(set_to_none=True)
    return seconds, read


def fastest(seconds: dict[int, list[float]]) -> int:
    """The fewest threads whose median is within TIE of the lowest; where nothing was measured the fewest of all."""
    medians = {count: median(times) for count, times in seconds.items() if times}
    lowest = min(medians.values(), default=0.0)
    return min((count for count, value in medians.items() if value <= TIE * lowest), default=min(seconds))
