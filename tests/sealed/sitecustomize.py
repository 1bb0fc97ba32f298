"""The seal: a process that begins with it opens no connection, changes no file outside its folders, starts only itself.

Python imports a module of this name at its start, in every child too, when this folder is on PYTHONPATH.
SEALED_FOLDERS names the folders that may be changed, SEALED_LOG a file in one of them: each breach is written there,
with where it happened, and refused. What Python is asked to do is seen by an audit hook. What a library asks of the
system past Python (Qt, torch, Arrow) is not, so on Linux the kernel ends the process at any socket but a local one.
"""

import ctypes
import faulthandler
import os
import platform
import signal
import struct
import sys
import traceback

LOG = os.environ["SEALED_LOG"]
FOLDERS = [os.path.realpath(folder) + os.sep for folder in os.environ["SEALED_FOLDERS"].split(os.pathsep)]
HARMLESS = {"socket.__new__", "socket.gethostname"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PROGRAMS = {sys.executable, "uname"}  # Python's `platform` asks the second what processor this is
STARTS = {"os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn"}
# Of what changes files: how many arguments, from the first, are their paths, and which is the folder these start from.
CHANGES = {
    "os.mkdir": (1, 2), "os.remove": (1, 1), "os.rmdir": (1, 1), "os.rename": (2, 2), "os.link": (2, 2),
    "os.truncate": (1, None), "os.chmod": (1, 2), "os.chown": (1, 3), "os.utime": (1, 3), "sqlite3.connect": (1, None),
}  # fmt: skip
# From Linux's headers: what a processor is called there, and its number of the system call `socket`.
PROCESSORS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, JUMP_IF_EQUAL, RETURN, ALLOW, TRAP = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00030000


def watch(event, arguments):
    """The audit hook. What it does itself is reading, and writing to the log, which is allowed."""
    found = breach(event, arguments)
    if found:
        with open(LOG, "a", encoding="utf-8") as log:
            log.write(f"{found}\n{''.join(traceback.format_stack())}\n")
        raise PermissionError(f"sealed: {found}")


def breach(event, arguments):
    """What is forbidden of an event, or nothing."""
    if event.startswith("socket.") and event not in HARMLESS:
        return f"network: {event} {arguments!r}"
    if event in STARTS or event == "subprocess.Popen" and arguments[0] not in PROGRAMS:
        return f"program: {event} {arguments[:2]!r}"
    outside = [path for path in changed(event, arguments) if not is_own(path)]
    return f"file: {event} {outside!r}" if outside else ""


def changed(event, arguments):
    """The paths that an event changes. Of a file that is open already no path is told."""
    if event == "open":
        path, _, flags = arguments
        return [path] if flags & WRITING and not isinstance(path, int) else []
    if event == "os.symlink":
        return [arguments[1]]
    count, place = CHANGES.get(event, (0, None))
    start = arguments[place] if place is not None else -1
    if start != -1 and sys.platform != "linux":
        return []  # which folder that is cannot be asked
    folder = os.readlink(f"/proc/self/fd/{start}") if start != -1 else ""
    return [os.path.join(folder, os.fsdecode(path)) for path in arguments[:count] if not isinstance(path, int)]


def is_own(path):
    folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))
    # Not where a link at the end of the path leads to: to remove or replace it changes the link.
    whole = os.path.join(os.path.realpath(folder), name)
    return whole == os.devnull or any(f"{whole}{os.sep}".startswith(own) for own in FOLDERS)


def refuse_sockets():
    """Have the kernel end this process, and those it starts, at any socket but a local one (seccomp)."""
    processor, call = PROCESSORS[platform.machine()]
    code = [
        (LOAD, 0, 0, 4), (JUMP_IF_EQUAL, 0, 5, processor),  # another processor's calls have other numbers
        (LOAD, 0, 0, 0), (JUMP_IF_EQUAL, 0, 3, call),
        (LOAD, 0, 0, 16), (JUMP_IF_EQUAL, 1, 0, 1),  # the family; 1 is AF_UNIX
        (RETURN, 0, 0, TRAP), (RETURN, 0, 0, ALLOW),
    ]  # fmt: skip
    lines = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(lines))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel takes no filter")


sys.addaudithook(watch)
if sys.platform == "linux" and platform.machine() in PROCESSORS:
    # Before the process dies of the signal its log tells who asked.
    faulthandler.register(signal.SIGSYS, open(LOG, "a"), chain=True)  # noqa: SIM115
    refuse_sockets()
