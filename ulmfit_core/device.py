"""Where the arithmetic runs: CUDA, Apple MPS or CPU, how many threads, in which precision."""

from __future__ import annotations

import contextlib
import os

import torch

from ulmfit_core.errors import UserError

TOKENS_PER_PASS_CPU = 5_120
TOKENS_PER_PASS_GPU = 65_536


def best_device() -> torch.device:
    """The accelerator where there is one, otherwise the CPU."""
    if torch.accelerator.is_available():
        accelerator = torch.accelerator.current_accelerator()
        if accelerator is not None:
            return accelerator
    return torch.device("cpu")


def default_threads() -> int:
    """All cores but one, which stays with the window and others. OMP_NUM_THREADS overrules.

    Threads that wait for each other on a busy core are slower than fewer threads that do not.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return torch.get_num_threads()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores - 1)


def tokens_per_pass(device: torch.device) -> int:
    """Largest pass through the network, so that a stop is never long in coming."""
    return TOKENS_PER_PASS_CPU if device.type == "cpu" else TOKENS_PER_PASS_GPU


def number_format(device: torch.device, precision: str) -> torch.dtype:
    """What `precision` (auto, float32, bf16, fp16) means on this device.

    auto: bfloat16 on a CUDA device that has it in hardware, float16 on an older one, float32 elsewhere.
    Raises UserError for a format that the LSTM cannot be trained in here: torch has no float16 LSTM on a CPU.
    """
    halves = {"cuda": ("bf16", "fp16"), "cpu": ("bf16",)}.get(device.type, ())
    if precision == "auto":
        precision = _cuda_format() if device.type == "cuda" else "float32"
    if precision != "float32" and precision not in halves:
        choice = " or ".join(["float32", *halves])
        raise UserError(f"There is no training in {precision} on this device ({device.type}). Set precision: {choice}.")
    return {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def _cuda_format() -> str:
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def needs_scaling(device: torch.device, precision: str) -> bool:
    """Whether gradients need a GradScaler: float16 loses the small ones, bfloat16 does not."""
    return number_format(device, precision) == torch.float16


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """Half precision for a training pass through the network; losses, penalties and pooling stay outside.

    Validation and prediction run in float32, so that their figures do not depend on the training's format.
    Casts are not cached: a copy made where no gradient is wanted, in the part of a long document that is only
    read, must not stand in for the weight in the part that is learned from.
    """
    dtype = number_format(device, precision)
    if dtype == torch.float32:
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype, cache_enabled=False)
