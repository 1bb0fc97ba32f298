"""The command line in processes that may die at their n-th write: a parent that has loaded everything forks them.

Loading torch takes longer than all the work on a project of a few lines. Run it as ``python -m tests.crash.doomed``;
it reads a Request a line as JSON, answers with the process's id, and when that has ended with its status.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback
from dataclasses import dataclass
from typing import Any

from ulmfit_core import __main__, catalog
from ulmfit_core.data import numericalise

# Loaded by functions of the engine, not by its modules.
ALSO = ("sklearn.feature_extraction.text", "sklearn.linear_model", "sklearn.metrics", "pyarrow.parquet")
# Bytes of text in a part, so small that child processes encode the few texts there are.
PART_BYTES = {"pieces": 6000, "words": 6000}
# Python's audit events of what changes files, and where in their arguments paths and their folders' handles stand.
CHANGES = {
    "os.rename": ((0, 2), (1, 3)), "os.remove": ((0, 1),), "os.rmdir": ((0, 1),), "os.mkdir": ((0, 2),),
    "fsync": ((0, None),),
}  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True)
class Request:
    """`arguments` of the command line; die before the change `die_at` (from 1, 0: never) below the folder `under`.

    `log` takes what it says, `changes` a line for each change.
    """

    arguments: list[str]
    under: str
    log: str
    changes: str
    die_at: int = 0


def main() -> None:
    for name in ALSO:
        importlib.import_module(name)
    for job in catalog.JOBS.values():
        job.resolve()
    numericalise.PART_BYTES = PART_BYTES
    print("ready", flush=True)
    for line in sys.stdin:
        process = os.fork()
        if not process:
            become(Request(**json.loads(line)))
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


def become(request: Request) -> None:
    """Be the command line until the end of this process."""
    os.setsid()  # whoever belongs to it is known by that
    log = appending(request.log)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    watch(request)
    sys.argv = ["ulmfit", *request.arguments]
    status = 1
    try:
        __main__.main()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:  # nothing here may go on with the parent's loop
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(status)


def appending(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def watch(request: Request) -> None:
    """Note every change below a folder, and end this process as kill -9 does before the one that was asked for."""
    fsync, changes, log = os.fsync, 0, appending(request.changes)

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal changes
        touched = [path for path in touched_by(event, arguments) if path.startswith(request.under)]
        if touched:
            changes += 1
            os.write(log, f"{changes} {event} {' '.join(touched)}\n".encode())
            if changes == request.die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def heard_fsync(handle: int) -> None:
        hear("fsync", (handle,))
        fsync(handle)

    os.fsync = heard_fsync  # Python tells nobody of it
    sys.addaudithook(hear)


def touched_by(event: str, arguments: tuple[Any, ...]) -> list[str]:
    if event == "open":
        path, _, flags = arguments
        return [str(os.fsdecode(path))] if not isinstance(path, int) and flags & WRITING else []
    return [whole_path(arguments, *places) for places in CHANGES.get(event, ())]


def whole_path(arguments: tuple[Any, ...], path: int, folder: int | None) -> str:
    """An absolute path from a path, which may lie in the folder of an open handle or be one itself."""
    given = arguments[path]
    if isinstance(given, int):
        return os.readlink(f"/proc/self/fd/{given}")
    base = arguments[folder] if folder is not None else -1
    return os.path.join(os.readlink(f"/proc/self/fd/{base}") if base >= 0 else "", os.fsdecode(given))


if __name__ == "__main__":
    main()
