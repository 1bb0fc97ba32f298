"""The layer for bfloat16 computes what torch.lstm computes, forward and back, and stands in for it where it should."""

import pytest
import torch

from ulmfit_core.models import lstm
from ulmfit_core.models.awd_lstm import WeightDropLSTM


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def problem(batch=3, time=7, inputs=5, features=4, dtype=torch.float64):
    """Input (batch, time, inputs), state and weights of a layer, all of which learn."""
    shapes = [
        (batch, time, inputs), (1, batch, features), (1, batch, features), (4 * features, inputs),
        (4 * features, features), (4 * features,), (4 * features,),
    ]  # fmt: skip
    generator = rng()
    drawn = [torch.randn(shape, generator=generator, dtype=torch.float64) / 4 for shape in shapes]
    return [tensor.to(dtype).requires_grad_() for tensor in drawn]


def ours(x, h, c, *weights):
    output, (h, c) = lstm.lstm(x, (h, c), weights, x.dtype)
    return output, h, c


def torchs(x, h, c, *weights):
    return torch.lstm(x, (h, c), list(weights), True, 1, 0.0, True, False, True)


def both(function, tensors):
    """The outputs, and the gradient of every tensor under a weighted sum of all outputs."""
    outputs = function(*tensors)
    generator = rng(1)
    total = sum(
        (part * torch.randn(part.shape, generator=generator, dtype=torch.float64).to(part.dtype)).sum()
        for part in outputs
    )
    return [part.detach() for part in outputs], torch.autograd.grad(total, tensors)


@pytest.mark.parametrize("chunk", [1, 50, lstm.CHUNK])
def test_gradients_are_those_of_finite_differences(monkeypatch, chunk):
    monkeypatch.setattr(lstm, "CHUNK", chunk)
    assert torch.autograd.gradcheck(ours, problem(2, 5, 3, 2))


@pytest.mark.parametrize("batch, time, inputs, features", [(3, 7, 5, 4), (1, 1, 2, 3), (8, 20, 24, 32)])
def test_in_float32_it_is_torchs_lstm(batch, time, inputs, features):
    tensors = problem(batch, time, inputs, features, torch.float32)
    values, gradients = both(ours, tensors)
    wanted, wanted_gradients = both(torchs, tensors)
    for value, want in zip([*values, *gradients], [*wanted, *wanted_gradients], strict=True):
        assert (value - want).abs().max() <= 1e-6 * max(1.0, float(want.abs().max()))


def test_bfloat16_is_as_near_to_the_truth_as_torchs():
    exact = problem(8, 30, 24, 32)
    half = [tensor.detach().bfloat16().requires_grad_() for tensor in exact]
    truth, theirs, own = (both(*case) for case in ((torchs, exact), (torchs, half), (ours, half)))
    for place, want in enumerate([*truth[0], *truth[1]]):
        error, others = (
            float((torch.as_tensor([*case[0], *case[1]][place]).double() - want).norm()) for case in (own, theirs)
        )
        assert error <= 1.5 * others


def test_the_carried_state_keeps_its_format():
    x, h, c, *weights = problem(dtype=torch.float32)
    output, (new_h, new_c) = lstm.lstm(x, (h, c), weights, torch.bfloat16)
    assert output.dtype == torch.bfloat16 and new_h.dtype == new_c.dtype == torch.float32
    assert torch.equal(new_h[0], output[:, -1].float())


@pytest.mark.parametrize("large", [True, False])
def test_a_large_layer_uses_it_in_bfloat16_training_alone(monkeypatch, large):
    layer = WeightDropLSTM(6, 8, 0.0)
    layer.reset(rng())
    monkeypatch.setattr(lstm, "LARGE", 4 * 8 * (6 + 8) + (not large))
    calls = []
    monkeypatch.setattr(lstm, "lstm", lambda *arguments, own=lstm.lstm: calls.append(1) or own(*arguments))
    x, state = torch.randn(2, 5, 6, generator=rng()), (torch.zeros(1, 2, 8), torch.zeros(1, 2, 8))
    exact, _ = layer(x, state, None)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        layer(x, state, None)
    assert not calls
    with torch.autocast("cpu", torch.bfloat16):
        output, _ = layer(x, state, None)
    assert len(calls) == large and output.dtype == torch.bfloat16
    assert (output.float() - exact).abs().max() < 0.02
    output.sum().backward()
    assert all(parameter.grad.dtype == torch.float32 and parameter.grad.any() for parameter in layer.parameters())
