"""A device that fails in mid-training: the failure says how it can go on, and on the CPU it does."""

import json
import shutil

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.core.toy import StopAfter
from tests.core.trained import project_of, rows
from ulmfit_core import device, events, faults
from ulmfit_core.__main__ import app
from ulmfit_core.config import set_value
from ulmfit_core.jobs import began, classify, finetune
from ulmfit_core.project import Project
from ulmfit_core.run import Run, launch, read_steps
from ulmfit_core.training.trainer import Trainer

SENTENCE = "CUDA error: unspecified launch failure\nCUDA kernel errors might be reported at some other call."
SETTINGS = {
    "finetune.enabled": True, "finetune.threads": 1, "finetune.epochs": 2, "finetune.checkpoint_seconds": 1e-9,
    "classify.epochs": 2, "classify.checkpoint_seconds": 1e-9, "classify.blend": "off",
}  # fmt: skip
STEPS = ("finetune", "classify")


def lost():
    return getattr(torch, "AcceleratorError", RuntimeError)(SENTENCE)


@pytest.fixture(autouse=True)
def no_device_was_lost(monkeypatch):
    monkeypatch.setattr(faults, "_lost", False)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return project_of(tmp_path_factory.mktemp("device"), rows(120), **SETTINGS)


@pytest.fixture
def project(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "project")
    return Project.open(tmp_path / "project")


@pytest.fixture
def failing(monkeypatch):
    """A device that fails in the step of a number, once."""

    def fail_in(step):
        plain, calls = Trainer._gradients, iter(range(10**9))

        def gradients(trainer, epoch):
            result = plain(trainer, epoch)
            if next(calls) == step:
                raise lost()
            return result

        monkeypatch.setattr(Trainer, "_gradients", gradients)

    return fail_in


def newest(project, step):
    return next(project.runs_of(step))


def prepare(project, step):
    project.recipe.finetune.enabled = step == "finetune"
    return project


@pytest.mark.parametrize("step", STEPS)
def test_the_failure_names_the_checkpoint_and_the_cpu_and_the_run_goes_on_there(project, step, failing, tmp_path):
    shutil.copytree(project.folder, tmp_path / "undisturbed")
    prepare(project, step)
    failing(5)
    ended = launch(project, step)
    run = newest(project, step)
    assert (ended.status, run.status, run.resumable) == ("failed", "failed", True)
    assert ended.reason == (
        "At step 6 the graphics card stopped working (CUDA error: unspecified launch failure). The last good "
        "checkpoint (step 5) is kept: the training can go on from there. Until the program is started anew it computes "
        "on the CPU, where the work can go on. If the card fails again after that, set “device” to cpu."
    )
    assert device.best_device().type == "cpu" and device.accelerator_figures() == ""
    assert launch(project, step, resume=run.folder).status == "done"
    undisturbed = prepare(Project.open(tmp_path / "undisturbed"), step)
    assert launch(undisturbed, step).status == "done"
    losses = [read_steps(newest(each, step).folder / "steps.f32")["loss"] for each in (project, undisturbed)]
    assert np.array_equal(*losses)


def test_the_command_line_says_how_to_go_on(project, failing):
    prepare(project, "finetune").save()
    failing(5)
    told = CliRunner().invoke(app, ["run", str(project.folder), "finetune"])
    assert str(told.exception).endswith(f"set “device” to cpu. Go on with: ulmfit run {project.folder} --resume")
    assert CliRunner().invoke(app, ["run", str(project.folder), "finetune", "--resume"]).exit_code == 0


def test_a_device_that_fails_elsewhere_is_told_without_a_checkpoint(project, monkeypatch):
    def nowhere(bundle, *_):
        raise lost()

    monkeypatch.setattr(finetune, "_start", nowhere)
    ended = launch(project, "finetune")
    assert ended.status == "failed" and ended.reason.startswith("The graphics card stopped working (CUDA error: unspec")
    assert faults.device_lost()


@pytest.mark.parametrize(
    "error",
    [
        lost(),
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling cublasSgemm"),
        RuntimeError("CUDA driver error: unknown error"),
        RuntimeError("HIP error: the operation cannot be performed in the present state"),
        RuntimeError("level_zero backend failed with error: 20 (UR_RESULT_ERROR_DEVICE_LOST)"),
        RuntimeError("No CUDA-capable device is detected"),
    ],
)
def test_a_lost_device_is_known_in_all_its_guises(error):
    assert faults.is_device_lost(error) and not faults.is_out_of_memory(error)
    fault = faults.fault_of(error)
    assert fault is not None and str(error).splitlines()[0] in fault.what and faults.device_lost()


def test_other_errors_lose_no_device():
    assert faults.fault_of(RuntimeError("The size of tensor a (3) must match the size of tensor b (4)")) is None
    assert not faults.device_lost()


# On the CPU


def test_the_setting_keeps_the_graphics_card_out_and_enters_no_fingerprint(project, monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    assert device.best_device().type == "cuda" and device.best_device("cpu").type == "cpu"
    before = [project.fingerprint(step) for step in STEPS]
    for step in STEPS:
        set_value(project.recipe, f"{step}.device", "cpu")
    assert [project.fingerprint(step) for step in STEPS] == before
    for make_stage in (finetune.make_stage, classify.make_stage):
        project.recipe.finetune.enabled = make_stage is finetune.make_stage
        stage, _ = make_stage(project, Run())
        assert next(stage.model.parameters()).device.type == "cpu"


def test_a_training_begun_on_a_graphics_card_goes_on_with_its_sizes(project, tmp_path):
    """A card takes other batches than a CPU: with those the steps would be others, and the state of another shape."""
    sizes = {"finetune": {"batch_size": 12, "bptt": 15}, "classify": {"batch_size": 24}}
    for step in STEPS:
        prepare(project, step)
        for name, size in sizes[step].items():
            set_value(project.recipe, f"{step}.{name}", size)
        assert launch(project, step).status == "done"
        noted = json.loads((newest(project, step).folder / began.NAME).read_text(encoding="utf-8"))
        assert noted["sizes"] == sizes[step]
        whole = read_steps(newest(project, step).folder / "steps.f32")["loss"]
        assert launch(project, step, control=StopAfter(9)).status == "stopped"
        for name in sizes[step]:
            set_value(project.recipe, f"{step}.{name}", 0)
        ended = launch(project, step, resume=newest(project, step).folder)
        assert ended.status == "done", ended.reason
        assert np.array_equal(whole, read_steps(newest(project, step).folder / "steps.f32")["loss"])


@pytest.mark.parametrize("step", STEPS)
def test_a_checkpoint_of_a_graphics_card_goes_on_and_is_then_one_of_the_cpu(project, step):
    prepare(project, step)
    assert launch(project, step, control=StopAfter(9)).status == "stopped"
    folder = newest(project, step).folder
    state = folder / "checkpoint" / "state.json"
    record = json.loads(state.read_text(encoding="utf-8"))
    record |= {"device": "cuda", "scaler": {"scale": 65536.0, "growth_factor": 2.0, "backoff_factor": 0.5,
                                            "growth_interval": 2000, "_growth_tracker": 3}}  # fmt: skip
    state.write_text(json.dumps(record), encoding="utf-8")
    said = []
    for polls, told in ((5, 1), (None, 0)):
        heard = []
        ended = launch(project, step, control=StopAfter(polls), sink=heard.append, resume=folder)
        said.append(sum(isinstance(event, events.Message) and "goes on on cpu" in event.text for event in heard))
        assert said[-1] == told
    assert ended.status == "done", ended.reason
    steps = read_steps(folder / "steps.f32")["step"]
    assert np.array_equal(steps, np.arange(1, len(steps) + 1))
