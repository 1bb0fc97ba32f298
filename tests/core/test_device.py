"""Which number format each device trains in, and what is refused with advice. Nothing here needs the device."""

import contextlib

import pytest
import torch

from ulmfit_core import device as devices
from ulmfit_core.errors import UserError

CPU, MPS = torch.device("cpu"), torch.device("mps")


@pytest.mark.parametrize("device", [CPU, MPS])
@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_cpu_and_mps_train_in_float32_by_default(device, precision):
    assert devices.number_format(device, precision) == torch.float32
    assert not devices.needs_scaling(device, precision)
    assert isinstance(devices.autocast(device, precision), contextlib.nullcontext)


def test_a_graphics_card_may_be_told_any_format_and_only_fp16_needs_scaling():
    card = torch.device("cuda")
    formats = {name: devices.number_format(card, name) for name in ("float32", "bf16", "fp16")}
    assert formats == {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    assert [name for name in formats if devices.needs_scaling(card, name)] == ["fp16"]


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


def test_torch_really_has_no_float16_lstm_on_a_cpu():
    """The reason of the refusal; where this fails, a later torch has it and the table can allow it."""
    weights = [torch.zeros(16, 4), torch.zeros(16, 4), torch.zeros(16), torch.zeros(16)]
    state = (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4))
    with pytest.raises(RuntimeError), torch.autocast("cpu", torch.float16):
        torch.lstm(torch.ones(2, 3, 4), state, weights, True, 1, 0.0, True, False, True)
