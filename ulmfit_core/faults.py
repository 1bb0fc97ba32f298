"""What the machine does to a job: memory that runs out, a device that is lost. Told from the error, without torch."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass

# torch and its libraries have one kind of error for nearly everything and tell these by their words. oneDNN has no
# other for want of memory than that it could not create something.
NO_MEMORY = re.compile(
    r"can't allocate memory|cannot allocate memory|not enough memory|out of memory|bad_alloc|STATUS_ALLOC_FAILED|"
    r"could not create a (primitive|memory object)",
    re.I,
)
LOST = re.compile(
    r"(CUDA|HIP|NCCL|XPU)( driver| runtime)? error|(cuDNN|CUBLAS|CUSOLVER|CUSPARSE|cuFFT)[ _](error|STATUS)|"
    r"DEVICE_LOST|no CUDA-capable device",
    re.I,
)
SHOWN = 120  # characters of an error's first line
# In the reason of a training that broke off through no fault of its own.
GOES_ON = "the training can go on from there"

_lost = False


@dataclass(frozen=True)
class Fault:
    """`what` happened, the middle of a sentence; `remedy`: what to do then, one sentence or more."""

    what: str
    remedy: str

    @property
    def sentence(self) -> str:
        return f"{self.what[0].upper()}{self.what[1:]}. {self.remedy}"


MEMORY = Fault(
    "the memory ran out",
    "Close other programs before you go on; if it comes again, a smaller network or shorter texts need less.",
)


def fault_of(error: BaseException) -> Fault | None:
    """What the machine did, or None where the error is none of its doing.

    A device that is lost is not used again by this process (`device_lost`): CUDA refuses all further work in it.
    """
    global _lost
    if is_out_of_memory(error):
        return MEMORY
    if not is_device_lost(error):
        return None
    _lost = True
    told = str(error).strip().splitlines()[0][:SHOWN]
    return Fault(
        f"the graphics card stopped working ({told})",
        "Until the program is started anew it computes on the CPU, where the work can go on. "
        "If the card fails again after that, set “device” to cpu.",
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a CPU or an accelerator had no room for what was asked for."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return "OutOfMemoryError" in _kinds(error) or (isinstance(error, RuntimeError) and _says(error, NO_MEMORY))


def is_device_lost(error: BaseException) -> bool:
    """Whether an accelerator failed, so that nothing of what it holds can be relied on."""
    if is_out_of_memory(error):
        return False
    return "AcceleratorError" in _kinds(error) or (isinstance(error, RuntimeError) and _says(error, LOST))


def device_lost() -> bool:
    """Whether the accelerator of this process failed before."""
    return _lost


def _kinds(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _says(error: BaseException, words: re.Pattern[str]) -> bool:
    return words.search(str(error)) is not None
