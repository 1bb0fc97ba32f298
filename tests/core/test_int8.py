"""Weights in eight bits: how exact they are, what a bundle of them holds, and what a damaged one is told."""

import json

import pytest
import safetensors.torch
import torch

from resources import resource_path
from ulmfit_core.config import ModelSettings, PretrainSettings
from ulmfit_core.errors import UserError
from ulmfit_core.models import bundle as bundles
from ulmfit_core.models import int8
from ulmfit_core.models.bundle import Bundle
from ulmfit_core.text.vocab import Vocabulary


@pytest.fixture
def folder(tmp_path):
    vocab = Vocabulary.load(resource_path("starter/english"))
    network = ModelSettings(embedding=8, hidden=12, layers=2)
    model = bundles.new_language_model(network, vocab.size, PretrainSettings())
    bundles.save(tmp_path / "whole", Bundle("language_model", network, model, vocab), "")
    bundles.save(tmp_path / "small", Bundle("language_model", network, model, vocab), "", eight_bits=True)
    return tmp_path


def test_no_weight_is_off_by_more_than_half_a_step_of_its_row():
    value = torch.randn(50, 30, generator=torch.Generator().manual_seed(3)) * torch.logspace(-6, 3, 50)[:, None]
    value[7] = 0
    weights = {"matrix": value, "bias": torch.tensor([0.1, 3e4]), "count": torch.tensor([[1, 2], [3, 4]])}
    back = int8.unpacked(int8.packed(weights))
    assert list(back) == list(weights)
    step = value.abs().amax(1, keepdim=True) / 127
    assert bool(((back["matrix"] - value).abs() <= 0.501 * step + 1e-12).all()) and not back["matrix"][7].any()
    assert torch.equal(back["bias"], weights["bias"]) and torch.equal(back["count"], weights["count"])


def test_a_bundle_of_eight_bits_is_a_quarter_as_large_and_answers_nearly_alike(folder):
    whole, small = (bundles.load(folder / name).model.state_dict() for name in ("whole", "small"))
    assert list(small) == list(whole)
    assert all(torch.allclose(small[name], whole[name], atol=float(whole[name].abs().max()) / 250) for name in whole)
    stored = safetensors.torch.load_file(folder / "small/weights.safetensors")
    assert {value.dtype for name, value in stored.items() if value.dim() == 2} == {torch.int8}
    formats = [json.loads((folder / name / "model.json").read_text())["format"] for name in ("whole", "small")]
    assert formats == [1, 3], "which a program that knows no eight bits refuses"


@pytest.mark.parametrize("harm", ["missing", "short", "infinite"])
def test_damaged_scales_are_refused_in_a_sentence(folder, harm):
    path = folder / "small/weights.safetensors"
    stored = safetensors.torch.load_file(path)
    name = next(name for name in stored if name.endswith(int8.SCALE))
    scale = stored.pop(name)
    if harm != "missing":
        stored[name] = scale[1:].clone() if harm == "short" else scale * float("inf")
    safetensors.torch.save_file(stored, path)
    with pytest.raises(UserError, match="weights.safetensors does not fit model.json .*scales of"):
        bundles.load(folder / "small")
