"""Runs the QRNN layer of fastai 1.0.61, which fastai 2 no longer has, and writes down its answers for `test_qrnn.py`.

    pip download --no-deps fastai==1.0.61 && python tests/parity/record_qrnn.py WHEEL tests/fixtures/parity

Runs in an environment with torch and safetensors, and imports nothing of this program. Only the layer's own file is
taken from the wheel: the rest of that fastai does not run on today's torch.
"""

from __future__ import annotations

import argparse
import functools
import sys
import types
import typing
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

MEMBER = "fastai/text/models/qrnn.py"
INPUTS, OUTPUTS, BATCH, TIME = 5, 4, 3, 6


def layer_of(wheel: Path) -> type[nn.Module]:
    """The class, run with the few names that its file expects of its package."""
    package = types.ModuleType("oracle.torch_core")
    package.__dict__.update(
        {"torch": torch, "nn": nn, "Tensor": Tensor, "Module": nn.Module, "Path": Path, "Tuple": tuple,
         "Optional": typing.Optional, "partial": functools.partial, "ifnone": lambda a, b: b if a is None else a}
    )  # fmt: skip
    for name in ("oracle", "oracle.text", "oracle.text.models"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["oracle.torch_core"] = package
    sys.modules["fastai"] = types.ModuleType("fastai")
    source = zipfile.ZipFile(wheel).read(MEMBER).decode("utf-8")
    names = {"__package__": "oracle.text.models", "__name__": "oracle.text.models.qrnn"}
    exec(compile(source, MEMBER, "exec"), names)
    return names["QRNNLayer"]


class Apart(nn.Module):
    """A linear layer whose output falls into copies: today's torch refuses to change parts of one tensor in place."""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        y.chunk = lambda parts, dim: [part.clone() for part in torch.chunk(y, parts, dim)]  # type: ignore[method-assign]
        return y


def record(layer: nn.Module, rng: np.random.Generator) -> dict[str, Tensor]:
    """Two stretches of a text one after the other; gradients of the second for a weighted sum of output and last c."""
    weight, bias = layer.linear.weight, layer.linear.bias
    for parameter in (weight, bias):
        parameter.data = _normal(rng, *parameter.shape)
    layer.linear = Apart(layer.linear)
    first, second = (_normal(rng, BATCH, TIME, INPUTS) for _ in range(2))
    probe, probe_c = _normal(rng, BATCH, TIME, OUTPUTS), _normal(rng, BATCH, OUTPUTS)
    out1, c1 = layer(first)
    c1 = c1.detach().requires_grad_()
    second.requires_grad_()
    out2, c2 = layer(second, c1)
    ((out2 * probe).sum() + (c2 * probe_c).sum()).backward()
    answers = {
        "weight": weight, "bias": bias, "x1": first, "x2": second, "probe": probe, "probe_c": probe_c, "out1": out1,
        "c1": c1, "out2": out2, "c2": c2, "grad/weight": weight.grad, "grad/bias": bias.grad, "grad/x2": second.grad,
        "grad/c1": c1.grad,
    }  # fmt: skip
    return {name: value.detach().clone() for name, value in answers.items()}


def _normal(rng: np.random.Generator, *shape: int) -> Tensor:
    return torch.from_numpy(rng.standard_normal(shape).astype(np.float32))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("wheel", type=Path)
    arguments.add_argument("folder", type=Path)
    options = arguments.parse_args()
    layer = layer_of(options.wheel)
    answers: dict[str, Tensor] = {}
    for window in (1, 2):
        made = layer(INPUTS, OUTPUTS, save_prev_x=True, window=window)
        parts = record(made, np.random.default_rng(window))
        answers |= {f"{window}/{name}": value for name, value in parts.items()}
    version = options.wheel.name.split("-")[1]
    facts = {"fastai": version, "torch": torch.__version__}
    save_file(answers, options.folder / "qrnn.safetensors", facts)


if __name__ == "__main__":
    main()
