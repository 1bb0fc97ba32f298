"""Opens content in a process of its own first, for code in C++ or Rust that trusts the counts in it: a damaged file can
make such code ask for more memory than there is, run in a circle, or read where nothing is, which ends the process.

The parent (`bears`) learns from the child, a module that calls `limit` first, whether its own process can do the same.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

MOST_MEMORY = 1024 * 2**20
MOST_SECONDS = 30.0


def bears(module: str, data: bytes) -> bool:
    """Whether a child process, which runs this module, lives through opening `data`, and does not refuse it."""
    command = [sys.executable, "-m", module]
    root = Path(__file__).parent.parent
    quiet = subprocess.DEVNULL
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(command, input=data, stdout=quiet, stderr=quiet, cwd=root, timeout=MOST_SECONDS)
        return done.returncode == 0
    return False


def limit() -> None:
    """Let this process have so much memory and no more."""
    with contextlib.suppress(ImportError):  # Windows has no such limit
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
