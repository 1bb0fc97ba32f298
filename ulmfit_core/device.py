"""Where the arithmetic runs: CUDA, Apple MPS or CPU, how many threads, in which precision."""

from __future__ import annotations

import contextlib
import os

import torch

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


def autocast(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """bfloat16 where a CUDA device has it; full precision elsewhere."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", torch.bfloat16)
    return contextlib.nullcontext()
