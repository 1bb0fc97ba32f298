"""The thread count is the fastest of a fair measurement that changes nothing, unless a person gave one."""

import json
import shutil
import threading
import time

import numpy as np
import pytest
import torch

from tests.core.test_stages import make, project  # noqa: F401  (a fixture)
from tests.core.toy import ToyStage, toy_settings
from ulmfit_core import device as devices
from ulmfit_core import events
from ulmfit_core.config import set_value
from ulmfit_core.project import Project
from ulmfit_core.run import Control, Run, launch, read_steps
from ulmfit_core.training import threads


class PacedStage(ToyStage):
    """A stage whose pass of all its 8 rows takes `seconds` in so many threads; `passes` are (threads, rows) of each."""

    def __init__(self, seconds, **settings):
        super().__init__(toy_settings(**settings))
        self.seconds = seconds
        self.passes = []

    def rehearse(self, rows, rng):
        self.passes.append((torch.get_num_threads(), rows))
        time.sleep(self.seconds[torch.get_num_threads()] * min(rows, 8) / 8)
        return min(rows, 8)


@pytest.fixture(autouse=True)
def measured(monkeypatch):
    """As where nobody gave a number, but shorter; the number of this thread is given back."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "SECONDS", 0.2)
    with threads.kept():
        yield


@pytest.mark.parametrize(
    "cores, counts", [(1, [1]), (2, [1, 2]), (4, [1, 2, 3, 4]), (6, [1, 3, 5, 6]), (16, [1, 2, 4, 8, 15, 16])]
)
def test_all_cores_all_but_one_and_halves_are_tried(cores, counts):
    assert threads.candidates(cores) == counts


@pytest.mark.parametrize(
    "seconds, chosen",
    [
        ({1: [1.0, 9.0, 1.0], 2: [1.2, 1.2, 1.2]}, 1),  # one slow moment does not decide
        ({1: [2.0], 2: [1.0], 3: [0.5], 4: [0.6]}, 3),
        ({1: [2.0], 2: [1.02], 3: [1.0], 4: [0.995]}, 2),  # within 3 %
        ({1: [2.0], 2: [1.04], 3: [1.0], 4: [0.995]}, 3),
        ({1: [1.0], 2: []}, 1),
        ({1: [], 2: []}, 1),
    ],
)
def test_the_fewest_of_the_fastest_are_taken(seconds, chosen):
    assert threads.fastest(seconds) == chosen


def test_counts_are_measured_in_turn_on_as_many_rows_as_there_are():
    stage = PacedStage({1: 0.03, 2: 0.02, 3: 0.01})
    seconds = threads.measure(stage, Run(), [1, 2, 3])
    assert stage.passes[:3] == [(1, 4), (1, 8), (1, 16)]
    rounds = stage.passes[-3 * len(seconds[1]) :]
    assert [count for count, _ in rounds] == [1, 2, 3] * len(seconds[1]) and {rows for _, rows in rounds} == {8}
    assert threads.LEAST_ROUNDS <= len(seconds[1]) <= threads.MOST_ROUNDS
    assert threads.fastest(seconds) == 3


def test_a_slow_model_is_measured_on_a_part_of_a_pass_and_not_for_long():
    stage = PacedStage({1: 0.6, 2: 0.3})
    seconds = threads.measure(stage, Run(), [1, 2])
    assert {rows for _, rows in stage.passes} == {4} and len(seconds[1]) == threads.LEAST_ROUNDS
    assert threads.fastest(seconds) == 2


def test_where_threads_wait_for_each_other_more_of_them_are_not_tried():
    stage = PacedStage({1: 0.01, 2: 0.4, 3: 60.0, 4: 60.0})
    seconds = threads.measure(stage, Run(), [1, 2, 3, 4])
    assert {count for count, _ in stage.passes} == {1, 2} and threads.fastest(seconds) == 1


def test_a_stop_ends_the_measurement():
    control = Control()
    control.stop()
    stage = PacedStage({1: 0.0, 2: 0.0})
    assert threads.measure(stage, Run(control=control), [1, 2]) == {1: [], 2: []}


def test_a_number_that_a_person_gave_is_not_measured(monkeypatch):
    stage = PacedStage({}, threads=3)
    assert threads.choose(stage, Run()) == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert threads.choose(stage, Run()) == 3
    torch.set_num_threads(2)  # what torch makes of the variable when it is loaded
    assert threads.choose(PacedStage({}), Run()) == 2
    assert not stage.passes


def test_threads_of_a_training_end_with_it():
    before = torch.get_num_threads()
    with pytest.raises(KeyError), threads.kept():
        torch.set_num_threads(before + 1)
        raise KeyError
    assert torch.get_num_threads() == before


def shares(count):
    """Processor seconds of the process per second of a thread that computes with `count`: forward, backward."""
    torch.set_num_threads(count)
    x = torch.ones(1000, 1000, requires_grad=True)
    found = []
    for work in (lambda: x @ x, (x @ x).sum().backward):
        time.sleep(0.1)  # threads that wait for more to do are still at work for a moment
        process, own = time.process_time(), time.thread_time()
        work()
        found.append((time.process_time() - process) / (time.thread_time() - own))
    return found


def test_the_number_holds_for_the_thread_that_sets_it_forward_and_backward():
    """OpenMP keeps it for each calling thread; torch differentiates on a CPU in the thread that asks for it."""
    found = {}
    before = torch.get_num_threads()

    def work():
        found.update({count: shares(count) for count in (1, 2)})

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    assert torch.get_num_threads() == before
    assert max(found[1]) < 1.2
    if devices.cores() > 1:
        assert min(found[2]) > 1.2


@pytest.mark.parametrize("name", ["finetune", "classify"])
def test_the_measurement_leaves_the_stage_as_it_was(project, name):  # noqa: F811
    stage = make(project, name, drop_mult=1.0)
    before = {key: value.clone() for key, value in stage.model.state_dict().items()}
    drawn = torch.get_rng_state()
    seconds = threads.measure(stage, Run(), [1])
    assert len(seconds[1]) >= threads.LEAST_ROUNDS
    after = stage.model.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert all(parameter.grad is None for parameter in stage.model.parameters())
    assert torch.equal(torch.get_rng_state(), drawn)


@pytest.mark.parametrize("name", ["finetune", "classify"])
def test_a_rehearsal_is_a_training_pass_of_the_rows_that_are_asked_for(project, name):  # noqa: F811
    stage = make(project, name)
    assert [stage.rehearse(rows, torch.Generator()) for rows in (1, 5, 100)] == [1, 5, 12]
    learning = {key for key, value in stage.model.named_parameters() if value.grad is not None}
    assert learning == {key for key, _ in stage.model.named_parameters() if not key.startswith("head")}


def last_run(project):  # noqa: F811
    folder = project.runs()[-1].folder
    return folder, np.array(read_steps(folder / "steps.f32").values[:, :-1])


def trained(project, folder, count):  # noqa: F811
    """A copy of the project, its fine-tuning with `threads` set to `count`, and what was told."""
    shutil.copytree(project.folder, folder)
    copy, told = Project.open(folder), []
    for key, value in {"enabled": True, "epochs": 1, "threads": count}.items():
        set_value(copy.recipe, f"finetune.{key}", value)
    ended = launch(copy, "finetune", sink=told.append)
    assert ended.status == "done", ended.reason
    return copy, told


def test_a_run_with_the_measurement_equals_one_without_and_keeps_the_number(project, tmp_path):  # noqa: F811
    first, told = trained(project, tmp_path / "first", 0)
    folder, steps = last_run(first)
    chosen = json.loads((folder / "checkpoint" / "state.json").read_text())["threads"]
    cores = devices.cores()
    messages = [event.text for event in told if isinstance(event, events.Message)]
    assert cores == 1 or messages == [f"Computing in {chosen} of {cores} threads: measured fastest."]
    assert [event.threads for event in told if isinstance(event, events.Plan)] == [chosen]
    second, told = trained(project, tmp_path / "second", chosen)
    assert not [event for event in told if isinstance(event, events.Message)]
    assert np.array_equal(steps, last_run(second)[1])
    bundles = [copy.bundle_folder("finetune") / "weights.safetensors" for copy in (first, second)]
    assert bundles[0].read_bytes() == bundles[1].read_bytes()


def test_a_measurement_without_memory_leaves_the_training_to_find_out_how_much_fits(monkeypatch):
    class Large(PacedStage):
        def rehearse(self, rows, rng):
            self.model[0].weight.grad = torch.ones_like(self.model[0].weight)
            raise torch.OutOfMemoryError("CUDA out of memory.") if rows > 4 else MemoryError

    monkeypatch.setattr(devices, "cores", lambda: 3)
    stage = Large({})
    assert threads.choose(stage, Run()) == 2 and stage.model[0].weight.grad is None
