"""Where the arithmetic runs: CUDA, Apple MPS or CPU, how many threads, in which precision, in how much memory."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
from collections.abc import Callable, Iterator

import torch

from ulmfit_core import faults
from ulmfit_core.errors import UserError

# The largest pass through the network. On a CPU so that a stop is never long in coming; a GPU is busy with that many.
MOST_TOKENS_CPU = 5_120
MOST_TOKENS_GPU = 65_536
# What a pass may take of the device's memory; the rest is the system's, the window's and the data's.
SHARE_OF_MEMORY = 0.4
# Weight, gradient and two moments in float32.
BYTES_PER_PARAMETER = 16
# For one output of a recurrent layer at one token, its gates, masks and gradients: 41 to 47 were measured in float32
# (sizes 200/400 and 400/1152, three layers), 24 to 36 in bfloat16. The scores of the vocabulary are read in chunks.
BYTES_PER_OUTPUT = 48
# Taken for the memory where the system does not say (Windows).
USUAL_MEMORY = 8 << 30

# Parameters of glibc's mallopt: how much free memory is kept, and from which size on a tensor has a mapping of its own,
# which goes back to the system with it.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
LARGE = 1 << 20  # bytes of a tensor that has a mapping of its own where memory is short


def best_device(asked: str = "auto") -> torch.device:
    """The accelerator where there is one, otherwise the CPU. Under torchrun each process takes one of its own.

    The CPU too where it is `asked` for (“cpu”), and where the accelerator failed this process before.
    """
    if asked != "cpu" and not faults.device_lost() and torch.accelerator.is_available():
        accelerator = torch.accelerator.current_accelerator()
        if accelerator is not None:
            return _own(accelerator)
    return torch.device("cpu")


def _own(accelerator: torch.device) -> torch.device:
    """The accelerator with this process's number on the machine. Raises UserError where there are fewer."""
    number, count = int(os.environ.get("LOCAL_RANK", "0")), torch.accelerator.device_count()
    if "LOCAL_RANK" not in os.environ:
        return accelerator
    if number >= count:
        raise UserError(f"This machine has {count} devices to train on. Start torchrun with --nproc-per-node {count}.")
    if accelerator.type == "cuda":
        torch.cuda.set_device(number)  # where pinned memory belongs
    return torch.device(accelerator.type, number)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def given_threads(asked: int) -> int:
    """The thread count that a person set: the knob `threads`, otherwise OMP_NUM_THREADS; 0 where neither is set."""
    if asked or "OMP_NUM_THREADS" not in os.environ:
        return asked
    return torch.get_num_threads()


def default_threads(asked: int = 0) -> int:
    """The given count, otherwise all cores but one, which stays with the window and others.

    Threads that wait for each other on a busy core are slower than fewer threads that do not.
    """
    return given_threads(asked) or max(1, cores() - 1)


def tokens_per_pass(device: torch.device, outputs: int, parameters: int) -> int:
    """Largest pass through a network of `parameters`, whose recurrent layers have `outputs` outputs together.

    It follows from all the memory there is, not from what is free now: a resumed run makes the same passes.
    """
    room = SHARE_OF_MEMORY * _memory(device) - BYTES_PER_PARAMETER * parameters
    most = MOST_TOKENS_CPU if device.type == "cpu" else MOST_TOKENS_GPU
    return max(1, min(most, int(room / (BYTES_PER_OUTPUT * outputs))))


def _memory(device: torch.device) -> int:
    """Bytes of memory that the device has."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[1]
    if device.type == "mps":
        return torch.mps.recommended_max_memory()
    if not hasattr(os, "sysconf"):
        return USUAL_MEMORY
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def accelerator_figures() -> str:
    """What the accelerator at work is doing, in a line: its use, temperature and memory. Empty where there is none.

    It asks the driver, which takes a millisecond or two. Use and temperature are left out where the driver's library
    for Python (pynvml) is missing or does not say.
    """
    if faults.device_lost() or not (torch.cuda.is_available() and torch.cuda.is_initialized()):
        return ""
    told = [
        _asked(torch.cuda.utilization, "GPU {} %"), _asked(torch.cuda.temperature, "{} °C"),
        _asked(_memory_in_use, "GPU memory {} GB"),
    ]  # fmt: skip
    return "   ·   ".join(filter(None, told))


def _memory_in_use() -> str:
    free, total = torch.cuda.mem_get_info()
    return f"{(total - free) / 1e9:.1f} of {total / 1e9:.1f}"


def _asked(figure: Callable[[], object], text: str) -> str:
    """A figure in words. The driver has many ways of not knowing one, and its library many errors: none is shown."""
    try:
        return text.format(figure())
    except Exception:
        return ""


def number_format(device: torch.device, precision: str) -> torch.dtype:
    """What `precision` (auto, float32, bf16, fp16) means on this device.

    auto: bfloat16 on a CUDA device or CPU that has it in hardware, float16 on an older CUDA device, float32 elsewhere.
    Raises UserError for a format that the LSTM cannot be trained in here: torch has no float16 LSTM on a CPU.
    """
    halves = {"cuda": ("bf16", "fp16"), "cpu": ("bf16",)}.get(device.type, ())
    if precision == "auto":
        precision = _best_format(device)
    if precision != "float32" and precision not in halves:
        choice = " or ".join(["float32", *halves])
        raise UserError(f"There is no training in {precision} on this device ({device.type}). Set precision: {choice}.")
    return {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def _best_format(device: torch.device) -> str:
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if device.type == "cpu" and cpu_has_bf16() else "float32"


def cpu_has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 itself (AVX-512 BF16 or AMX). Emulated it would be slower than float32.

    torch has no such query for other processors than x86: they train in float32.
    """
    queries = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # some versions of torch lack one
    return any(getattr(torch.cpu, name, bool)() for name in queries)


def needs_scaling(device: torch.device, precision: str) -> bool:
    """Whether gradients need a GradScaler: float16 loses the small ones, bfloat16 does not.

    On CUDA torch runs an LSTM in float16 whichever half format is chosen (AutocastRNN.cpp), so both need it there.
    """
    return device.type == "cuda" and number_format(device, precision) != torch.float32


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


@contextlib.contextmanager
def kept_memory() -> Iterator[None]:
    """Within it memory that is freed stays with the process, to be used again by the next step; then it is given back.

    Each step asks for the same tensors, and the system hands out fresh memory page by page: a fifth of a training step
    was measured. This is glibc's way; elsewhere nothing is changed.
    """
    glibc = platform.libc_ver()[0] == "glibc"
    libc = ctypes.CDLL(None) if glibc else None
    if libc is not None:
        libc.mallopt(TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(MMAP_THRESHOLD, 32 << 20)  # older versions allow no more
        libc.mallopt(MMAP_THRESHOLD, 1 << 30)
    try:
        yield
    finally:
        if libc is not None:  # what glibc itself would have come to for large tensors
            libc.mallopt(TRIM_THRESHOLD, 64 << 20)
            libc.mallopt(MMAP_THRESHOLD, 32 << 20)
            libc.malloc_trim(0)


def give_back_memory(device: torch.device) -> None:
    """Let the system have what was freed and is kept for the next tensors: memory ran out, and others are wanted.

    From now on each large tensor goes back with its own mapping, though `kept_memory` is faster: what is kept lies in
    pieces of which none is large enough.
    """
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    elif platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(MMAP_THRESHOLD, LARGE)
        libc.malloc_trim(0)
