"""Memory that runs out in a pass: the step is dropped to its boundary and read again in smaller passes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.core.toy import StopAfter
from tests.core.trained import project_of, rows
from ulmfit_core import catalog, events, faults
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project
from ulmfit_core.run import Run, Stopped, read_steps
from ulmfit_core.training.trainer import Trainer

CPU = torch.device("cpu")
STAGES = ("finetune", "classify")
SETTINGS = {
    "finetune.enabled": True, "finetune.threads": 1, "finetune.epochs": 2,
    "finetune.batch_size": 8, "finetune.bptt": 12,
    "classify.epochs": 2, "classify.max_length": 40,
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return project_of(tmp_path_factory.mktemp("memory"), rows(80), **SETTINGS)


def make(project, name, drop_mult=1.0):
    """A fresh stage; the classifier begins with a fresh encoder."""
    changed = Project(project.folder, project.recipe.model_copy(deep=True))
    changed.recipe.finetune.enabled = name == "finetune"
    settings = getattr(changed.recipe, name)
    settings.drop_mult, settings.precision = drop_mult, "float32"
    if name == "classify":
        settings.head_drop = 0.1 * drop_mult
    stage, _ = catalog.resolve("stage", name)(changed, Run())
    return stage


class Memory:
    """Room for passes of `rows` rows, in the encoder of a stage; at a deeper place once it has run out `deep` times."""

    def __init__(self, stage, rows):
        self.rows, self.refused, self.largest = rows, 0, 0
        stage.model.encoder.register_forward_hook(self._look)

    def _look(self, module, given, result):
        count = len(given[0])
        if count > self.rows:
            self.refused += 1
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {count} rows.")
        self.largest = max(self.largest, count)


def train(stage, folder, resume=False, control=None):
    """The told events of a training and its weights."""
    told = []
    run = Run(folder, control, told.append)
    try:
        Trainer(stage, run, folder, CPU, 1).fit(resume)
    finally:
        run.close()
    return told


def losses(folder):
    return read_steps(folder / "steps.f32")["loss"]


def weights(stage):
    return {name: value.clone() for name, value in stage.model.state_dict().items()}


def same(first, second):
    return all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize("name", STAGES)
def test_a_training_without_dropout_learns_the_same_in_smaller_passes(project, tmp_path, name):
    free, short = make(project, name, drop_mult=0.0), make(project, name, drop_mult=0.0)
    memory = Memory(short, rows=3)
    train(free, tmp_path / "free")
    told = train(short, tmp_path / "short")
    halved = [event.text for event in told if isinstance(event, events.Message) and "memory ran out" in event.text]
    assert len(halved) == memory.refused == {"finetune": 2, "classify": 3}[name] and memory.largest == 2
    size = {"finetune": "4 rows of about 12 tokens", "classify": "8 documents"}[name]
    assert "in step 1." in halved[0] and f"of at most {size}" in halved[0]
    assert np.allclose(losses(tmp_path / "free"), losses(tmp_path / "short"), rtol=2e-3)
    figures = [[event.metrics for event in events.read_events(tmp_path / each / "events.jsonl")
                if isinstance(event, events.EpochEnded)] for each in ("free", "short")]  # fmt: skip
    for one, other in zip(*figures, strict=True):
        assert one["valid_loss"] == pytest.approx(other["valid_loss"], rel=2e-3)


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("at", [0, 1, 5])
def test_a_dropped_step_leaves_no_trace(project, tmp_path, name, at):
    """With every dropout on: as if passes had been that small from that step on."""
    disturbed, control = make(project, name), make(project, name)
    where = disturbed.model.head if name == "classify" else disturbed.model.encoder
    failing = where.register_forward_hook(fail_at(at))
    train(disturbed, tmp_path / "disturbed")
    failing.remove()
    halve_before(control, at)
    train(control, tmp_path / "control")
    assert same(weights(disturbed), weights(control))


def fail_at(call):
    """A hook that has no memory once: in its call of that number, after all else was done."""
    calls = iter(range(10**9))

    def hook(module, given, result):
        if module.training and next(calls) == call:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: can't allocate memory")

    return hook


def halve_before(stage, step):
    """Let passes be halved before the step of that number without any failure."""
    plain, calls = stage.backward, iter(range(10**9))

    def backward(*given):
        if next(calls) == step:
            stage.halve_passes()
        return plain(*given)

    stage.backward = backward


@pytest.mark.parametrize("name", STAGES)
def test_a_resumed_training_makes_the_same_small_passes(project, tmp_path, name):
    """Though there is memory enough again: other passes would draw other masks."""
    whole = make(project, name)
    Memory(whole, rows=3)
    train(whole, tmp_path / "whole")
    for polls in (5, 9):
        stage = make(project, name)
        Memory(stage, rows=3)
        with pytest.raises(Stopped):
            train(stage, tmp_path / f"{polls}", control=StopAfter(polls))
        resumed = make(project, name)
        train(resumed, tmp_path / f"{polls}", resume=True)
        assert same(weights(whole), weights(resumed))
        assert np.array_equal(losses(tmp_path / "whole"), losses(tmp_path / f"{polls}"))


@pytest.mark.parametrize("name", STAGES)
def test_without_memory_for_one_row_it_ends_with_a_sentence_and_can_go_on_later(project, tmp_path, name):
    stage, free = make(project, name), make(project, name)
    stage.settings.checkpoint_seconds = 1e-9
    memory = Memory(stage, rows=100)
    calls = iter(range(10**9))
    step = lambda *_: setattr(memory, "rows", 0) if next(calls) == 3 else None  # noqa: E731
    stage.model.encoder.register_forward_pre_hook(step)
    with pytest.raises(UserError) as refusal:
        train(stage, tmp_path / "run")
    saved = len(losses(tmp_path / "run"))
    assert f"The last good checkpoint (step {saved}) is kept: the training can go on from there." in str(refusal.value)
    assert "the memory ran out" in str(refusal.value) and "Close other programs" in str(refusal.value)
    assert saved > 0
    train(free, tmp_path / "run", resume=True)
    assert len(losses(tmp_path / "run")) == sum(free.steps_of_epoch(epoch) for epoch in range(2))


@pytest.mark.parametrize("name", STAGES)
def test_memory_that_runs_out_in_a_validation_halves_its_passes_too(project, tmp_path, name):
    stage, free = make(project, name), make(project, name)
    seen = []

    def look(module, given):
        if not module.training:
            seen.append(len(given[0]))
            if len(given[0]) > 3:
                raise MemoryError

    stage.model.encoder.register_forward_pre_hook(look)
    told = train(stage, tmp_path / "short")
    train(free, tmp_path / "free")
    first = [
        next(event.metrics["valid_loss"] for event in events.read_events(tmp_path / each / "events.jsonl")
             if isinstance(event, events.EpochEnded)) for each in ("short", "free")
    ]  # fmt: skip
    assert first[0] == pytest.approx(first[1], rel=1e-5)
    assert min(seen) >= 1 and any("memory ran out" in event.text for event in told if isinstance(event, events.Message))


def test_a_validation_is_halved_also_where_steps_read_one_row_already(project, tmp_path):
    changed = Project(project.folder, project.recipe.model_copy(deep=True))
    changed.recipe.finetune.tokens_per_pass = 12  # a window of one row
    stage = make(changed, "finetune")
    seen = Validating(stage, most=3)
    told = train(stage, tmp_path / "run")
    assert max(seen.read) == 2 and [event.epoch for event in told if isinstance(event, events.EpochEnded)] == [0, 1]


class Validating:
    """Memory for so many rows in a pass that does not learn; `read` are those of the passes that had it."""

    def __init__(self, stage, most):
        self.most, self.read = most, []
        stage.model.encoder.register_forward_pre_hook(self._look)

    def _look(self, module, given):
        if module.training:
            return
        if len(given[0]) > self.most:
            raise MemoryError
        self.read.append(len(given[0]))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 12 bytes."),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("std::bad_alloc"),
        MemoryError("Unable to allocate 7.45 GiB for an array"),
        OSError(12, "Cannot allocate memory"),
        RuntimeError("could not create a primitive"),
    ],
)
def test_want_of_memory_is_known_in_all_its_guises(error):
    assert faults.is_out_of_memory(error) and not faults.is_device_lost(error)
    assert faults.fault_of(error) is faults.MEMORY


@pytest.mark.parametrize(
    "error", [ValueError("out of memory"), RuntimeError("shapes do not match"), OSError(28, "No space left on device")]
)
def test_other_errors_are_not_taken_for_it(error):
    assert faults.fault_of(error) is None


# With a real allocation that fails

CHILD = """
import json, resource, sys
from pathlib import Path
import sklearn.metrics, torch
from ulmfit_core import catalog, events, run
from ulmfit_core.project import Project
from ulmfit_core.training import trainer

folder, step, megabytes = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
project, told = Project.open(folder), []
torch.backends.mkldnn.set_flags(False)  # it makes its kernels as it goes, of a size that nothing here decides
plain = trainer.Trainer._fit

def within(self, resume):
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (megabytes << 20), -1))
    try:
        return plain(self, resume)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (-1, -1))

trainer.Trainer._fit = within
ended = run.launch(project, step, sink=told.append)
messages = [event.text for event in told if isinstance(event, events.Message)]
print(json.dumps([ended.status, ended.reason, messages]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the address space")
def test_a_real_allocation_that_fails_makes_passes_smaller(tmp_path):
    texts = [(" ".join([text] * 40), label) for text, label in rows(64)]
    large = {"classify.batch_size": 40, "classify.epochs": 1, "classify.precision": "float32", "classify.bptt": 200}
    project = project_of(tmp_path, texts, **large)
    project.recipe.model.embedding, project.recipe.model.hidden = 100, 300
    project.save()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    command = [sys.executable, "-c", CHILD, str(project.folder), "classify", "120"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    status, reason, messages = json.loads(done.stdout.splitlines()[-1])
    assert any("The memory ran out in step 1." in text for text in messages)
    assert status == "done", reason
