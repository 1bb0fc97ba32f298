"""A classifier whose LSTM layers multiply in eight bits: faster on a CPU, with nearly the same answers.

Weights are whole numbers with one scale a row, as in a bundle of eight bits (`models/int8.py`). What they are
multiplied by is brought to 256 steps between its own smallest and largest number, for each pass and time step anew. So
an answer depends a little on which texts are read beside it; `docs/performance.md` says by how much. Cells, pooling and
head stay in float32.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from ulmfit_core.models import int8
from ulmfit_core.models.awd_lstm import WeightDropLSTM
from ulmfit_core.models.classifier import Classifier
from ulmfit_core.models.dropout import Rng

# torch's library of eight-bit products for x86. Those for other processors were not measured.
ENGINE = "fbgemm"


def refusal(model: Classifier) -> str:
    """Why this model cannot be read in eight bits here, as a sentence; "" where it can."""
    if model.encoder.embedding.device.type != "cpu":
        return "Eight bits are for processors; the accelerator computes in float32."
    if not hasattr(torch, "quantized_lstm") or ENGINE not in torch.backends.quantized.supported_engines:
        return "This build of torch cannot compute an LSTM in eight bits on this processor; float32 is used."
    if not all(isinstance(layer, WeightDropLSTM) for layer in model.encoder.layers):
        return "Only LSTM layers can be read in eight bits; this model has others, so float32 is used."
    return ""


def to_eight_bits(model: Classifier) -> None:
    """Replace the LSTM layers of a model that predicts on the CPU. It cannot be trained or saved after that."""
    model.encoder.layers = nn.ModuleList(EightBitLSTM(layer) for layer in model.encoder.layers)  # type: ignore[arg-type]


class EightBitLSTM(nn.Module):
    """One layer, as `WeightDropLSTM` without dropout: it has weights for the products and no parameters."""

    def __init__(self, layer: WeightDropLSTM):
        super().__init__()
        self.state_sizes = layer.state_sizes
        self.weight_drop = 0.0
        packed = [_packed(layer.weight_ih, layer.bias_ih), _packed(layer.weight_hh, layer.bias_hh)]
        biases = layer.bias_ih.detach(), layer.bias_hh.detach()  # the products add them; here they are for the form
        # Without VNNI the processor adds two products in 16 bits, which 7 bits on one side cannot overflow.
        seven_bits = not torch.cpu._is_vnni_supported()
        self._cell = torch.ops.quantized.make_quantized_cell_params_dynamic(*packed, *biases, seven_bits)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor], rng: Rng) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """`x` (batch, time, inputs) → (batch, time, outputs) and the new (h, c). No gradient, no dropout."""
        assert rng is None, "a layer in eight bits only predicts"
        output, h, c = torch.quantized_lstm(
            x, state, [self._cell], True, 1, 0.0, False, False, True, dtype=torch.qint8, use_dynamic=True
        )
        return output, (h, c)


def _packed(weight: Tensor, bias: Tensor) -> object:
    """A matrix in the order in which the processor reads it, with the bias that its products get."""
    stored = int8.packed({"weight": weight.detach()})
    scales, zeros = stored["weight" + int8.SCALE].double(), torch.zeros(len(weight), dtype=torch.long)
    with warnings.catch_warnings():  # this way to make such a tensor will leave torch one day: `refusal` then says so
        warnings.simplefilter("ignore")
        quantised = torch._make_per_channel_quantized_tensor(stored["weight"], scales, zeros, 0)
    return torch.ops.quantized.linear_prepack(quantised, bias.detach())
