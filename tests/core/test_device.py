"""What each device trains in: number format, threads, largest pass. Nothing here needs the device."""

import contextlib
import os
import platform
from pathlib import Path

import pytest
import torch

from ulmfit_core import device as devices
from ulmfit_core.errors import UserError

CPU, MPS = torch.device("cpu"), torch.device("mps")


@pytest.mark.parametrize("device, precision", [(CPU, "float32"), (MPS, "float32"), (MPS, "auto")])
def test_float32_is_cast_to_nothing(device, precision):
    assert devices.number_format(device, precision) == torch.float32
    assert not devices.needs_scaling(device, precision)
    assert isinstance(devices.autocast(device, precision), contextlib.nullcontext)


@pytest.mark.parametrize("query", ["_is_avx512_bf16_supported", "_is_amx_tile_supported"])
def test_a_cpu_trains_in_bf16_where_it_multiplies_that_itself(monkeypatch, query):
    queries = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    for name in queries:
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert devices.number_format(CPU, "auto") == torch.float32
    monkeypatch.setattr(torch.cpu, query, lambda: True)
    assert devices.number_format(CPU, "auto") == torch.bfloat16 and not devices.needs_scaling(CPU, "auto")
    assert devices.number_format(CPU, "float32") == devices.number_format(MPS, "auto") == torch.float32
    for name in queries:
        monkeypatch.delattr(torch.cpu, name)  # an older torch
    assert devices.number_format(CPU, "auto") == torch.float32


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="needs a system that tells of its processor")
def test_torch_and_the_system_agree_on_the_processor():
    flags = Path("/proc/cpuinfo").read_text().split()
    assert devices.cpu_has_bf16() == ("avx512_bf16" in flags or "amx_tile" in flags)


def test_a_graphics_card_may_be_told_any_format_and_scales_the_gradients_of_both_halves():
    card = torch.device("cuda")
    formats = {name: devices.number_format(card, name) for name in ("float32", "bf16", "fp16")}
    assert formats == {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    assert [name for name in formats if devices.needs_scaling(card, name)] == ["bf16", "fp16"]


def test_bf16_on_a_cpu_casts_inside_only():
    x = torch.ones(2, 2)
    with devices.autocast(CPU, "bf16"):
        assert (x @ x).dtype == torch.bfloat16
    assert (x @ x).dtype == torch.float32 and not devices.needs_scaling(CPU, "bf16")


@pytest.mark.parametrize(
    "device, precision, choice", [(CPU, "fp16", "float32 or bf16"), (MPS, "fp16", "float32"), (MPS, "bf16", "float32")]
)
def test_a_format_that_a_device_cannot_train_in_is_refused_with_a_choice(device, precision, choice):
    with pytest.raises(UserError, match=f"{precision} on this device .{device.type}.*Set precision: {choice}"):
        devices.autocast(device, precision)


@pytest.mark.parametrize(
    "asked, variable, given, default", [(0, None, 0, 3), (5, None, 5, 5), (0, "2", 2, 2), (5, "2", 5, 5)]
)
def test_the_knob_goes_before_the_variable_and_both_before_the_default(monkeypatch, asked, variable, given, default):
    monkeypatch.setattr(devices, "cores", lambda: 4)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    if variable:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
        torch.set_num_threads(int(variable))  # what torch makes of it when it is loaded
    try:
        assert (devices.given_threads(asked), devices.default_threads(asked)) == (given, default)
    finally:
        torch.set_num_threads(before)


OUTPUTS, PARAMETERS = 400 + 2 * 1152, 26_000_000  # the published sizes with 16,000 tokens


def pass_with(monkeypatch, device, gigabytes, parameters=PARAMETERS):
    monkeypatch.setattr(devices, "_memory", lambda device: gigabytes << 30)
    return devices.tokens_per_pass(torch.device(device), OUTPUTS, parameters)


@pytest.mark.parametrize("device, gigabytes", [("cpu", 1), ("cuda", 2), ("cuda", 16)])
def test_a_pass_is_as_large_as_memory_allows(monkeypatch, device, gigabytes):
    """Beside weights, gradients and moments, a pass takes 48 bytes for each output of each token."""
    tokens = pass_with(monkeypatch, device, gigabytes)
    room = devices.SHARE_OF_MEMORY * gigabytes * 2**30 - 4 * 4 * PARAMETERS
    assert 48 * OUTPUTS * tokens <= room < 48 * OUTPUTS * (tokens + 1)


def test_a_pass_is_no_larger_than_a_stop_may_wait_for(monkeypatch):
    assert pass_with(monkeypatch, "cpu", 4) == pass_with(monkeypatch, "cpu", 24) == devices.MOST_TOKENS_CPU
    assert pass_with(monkeypatch, "cuda", 80) == devices.MOST_TOKENS_GPU


def test_a_network_that_does_not_fit_is_tried_all_the_same(monkeypatch):
    assert pass_with(monkeypatch, "cpu", 1, parameters=30_000_000) == 1


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="needs a system that tells of its memory")
def test_the_memory_of_a_cpu_is_the_machines():
    kilobytes = int(Path("/proc/meminfo").read_text().split()[1])
    assert devices._memory(CPU) == kilobytes * 1024


def test_torch_really_has_no_float16_lstm_on_a_cpu():
    """The reason of the refusal; where this fails, a later torch has it and the table can allow it."""
    weights = [torch.zeros(16, 4), torch.zeros(16, 4), torch.zeros(16), torch.zeros(16)]
    state = (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4))
    with pytest.raises(RuntimeError), torch.autocast("cpu", torch.float16):
        torch.lstm(torch.ones(2, 3, 4), state, weights, True, 1, 0.0, True, False, True)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep memory")
def test_memory_is_kept_from_step_to_step_and_given_back_after_the_training():
    page = os.sysconf("SC_PAGE_SIZE")

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * page

    before = resident()
    with devices.kept_memory():
        torch.ones(50_000_000)
        assert resident() - before > 150_000_000
    assert resident() - before < 50_000_000
