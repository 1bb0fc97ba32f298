"""The time of day, which anyone may set, beside time that only passes."""

from __future__ import annotations

import time


class Clock:
    """The time of day as it was when this was made, gone on since: that somebody sets it meanwhile changes nothing.

    So the times of a run's events are in their order, and what lies between two of them is what has passed.
    """

    def __init__(self) -> None:
        self._began = time.time() - passed()

    def now(self) -> float:
        """Seconds since 1970."""
        return self._began + passed()


def passed() -> float:
    """Seconds since some moment before, those included in which the machine slept, as far as the system counts them."""
    for name in ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"):  # of Linux; of macOS, where it counts them and monotonic() not
        if hasattr(time, name):
            return time.clock_gettime(getattr(time, name))
    return time.monotonic()  # of Windows
