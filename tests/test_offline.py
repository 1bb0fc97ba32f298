"""Nothing leaves the machine: the sample and the window do their work sealed, and where there is no network at all.

The seal (tests/sealed/sitecustomize.py) refuses and records; the empty network namespace has nothing to speak to. Each
is shown to stop what it is for before it is trusted. Both also see that no file changes outside the program's places,
and that no module is run that lies in the folder in which the program starts.
"""

from __future__ import annotations

import ast
import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.sealed.world import ROOT, SEALED, breaches, environment, of_this_tree, plant, python, sealed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the seal knows only how POSIX systems name places")
SOURCES = [*(ROOT / "ulmfit_core").rglob("*.py"), *(ROOT / "studio").rglob("*.py")]
# The one module that speaks of sockets asks for this computer's name.
SPEAKERS = {
    "aiohttp", "asyncio", "ftplib", "http", "httpx", "imaplib", "poplib", "requests", "smtplib", "socket",
    "socketserver", "ssl", "telnetlib", "urllib.request", "urllib3", "webbrowser", "xmlrpc", "PySide6.QtNetwork",
}  # fmt: skip
BREACHES = {
    "connect": "import socket; socket.socket(socket.AF_UNIX).connect('/tmp/none')",
    "look up": "import socket; socket.getaddrinfo('localhost', 9)",
    "send": "import socket; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'x', '/tmp/none')",
    "write": f"open({str(ROOT / 'not-there' / 'x')!r}, 'w')",
    "rename": f"import os; os.rename({str(ROOT / 'not-there')!r}, 'mine')",
    "program": "import subprocess; subprocess.run(['true'])",
    "child": "import subprocess, sys; code = 'import socket; socket.getaddrinfo(None, 9)'; "
    "subprocess.run([sys.executable, '-c', code])",
}
OF_LIBRARY = "import ctypes; ctypes.CDLL(None).socket(2, 2, 0)"  # AF_INET, SOCK_DGRAM
# What a place without network and with a read-only disk must answer; 101 is ENETUNREACH, 30 is EROFS.
PROBE = f"""
import os, socket
def failure(act):
    try:
        act()
    except OSError as error:
        return error.errno
print(failure(lambda: socket.create_connection(("127.0.0.1", 9), 5)))
print(failure(lambda: os.utime({str(ROOT)!r})))
"""


def whole_way(folder: Path, env: dict[str, str], within: Sequence[str] = ()) -> None:
    """The sample on the command line, then the window on its project, in processes that start in a folder of traps."""
    trace = plant(folder)
    done = python(SEALED / "whole_way.py", folder, cwd=folder, env=env, within=within)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (folder / "out").iterdir()} == {
        "evaluation.csv", "evaluation.html", "answers.parquet", "left-out.csv", "scratch",
    }  # fmt: skip
    picture = folder / "last.png"
    done = python(SEALED / "open_window.py", folder / "project", picture, cwd=folder, env=env, within=within)
    assert done.returncode == 0, done.stderr
    assert picture.stat().st_size > 10_000, "a whole window was drawn"
    assert not trace.exists(), "a module that lay beside the data was run"


def test_no_module_can_speak_to_a_network() -> None:
    speakers = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            speakers |= {(path.name, name) for name in _imported(node) if _speaks(name)}
    assert speakers == {("lock.py", "socket")}


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def _speaks(name: str) -> bool:
    return any(name == speaker or name.startswith(f"{speaker}.") for speaker in SPEAKERS)


def test_the_window_hands_the_system_only_local_places() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in SOURCES)
    assert text.count("openUrl(") == text.count("openUrl(QUrl.fromLocalFile(") > 0


@pytest.mark.parametrize("code", BREACHES.values(), ids=BREACHES)
def test_the_seal_refuses_and_records(code: str, tmp_path: Path) -> None:
    done = python("-c", code, cwd=tmp_path, env=sealed(tmp_path))
    assert "PermissionError: sealed: " in done.stderr
    assert len([line for line in breaches(tmp_path).splitlines() if line and not line.startswith(" ")]) == 1


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"), reason="needs Linux's seccomp"
)
def test_the_kernel_ends_what_opens_a_socket_past_python(tmp_path: Path) -> None:
    done = python("-c", OF_LIBRARY, cwd=tmp_path, env=sealed(tmp_path))
    assert done.returncode != 0 and 'File "<string>", line 1' in breaches(tmp_path)
    assert python("-c", OF_LIBRARY, cwd=tmp_path, env=environment(tmp_path)).returncode == 0, "it was the seal's doing"


def test_what_the_program_may_do_is_not_refused(tmp_path: Path) -> None:
    code = "import os, socket; os.mkdir('new'); open('new/file', 'w'); socket.gethostname(); os.rename('new', 'old')"
    done = python("-c", code, cwd=tmp_path, env=sealed(tmp_path))
    assert (done.returncode, done.stderr, breaches(tmp_path)) == (0, "", "")


def test_a_planted_module_leaves_a_trace(tmp_path: Path) -> None:
    trace = plant(tmp_path)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import torch"
    python("-c", code, cwd=tmp_path, env=environment(tmp_path))
    assert trace.read_text(encoding="utf-8") == "torch "


@pytest.mark.slow
def test_sealed_the_whole_way_breaches_nothing(tmp_path: Path) -> None:
    whole_way(tmp_path, of_this_tree(sealed(tmp_path)))
    assert breaches(tmp_path) == ""


@pytest.fixture
def alone(tmp_path: Path) -> list[str]:
    """How a command begins that runs in an empty network namespace and changes only `tmp_path`."""
    if not shutil.which("unshare"):
        pytest.skip("needs Linux's unshare")
    within = ["unshare", "--map-root-user", "--net", "--mount", str(SEALED / "alone.sh"), str(tmp_path)]
    done = python("-c", PROBE, cwd=tmp_path, env=environment(tmp_path), within=within)
    if done.returncode:
        pytest.skip(f"this system allows no namespaces: {done.stderr.strip()}")
    assert done.stdout.split() == ["101", "30"], "neither network nor disk can be had there"
    return within


@pytest.mark.slow
def test_where_there_is_no_network_and_no_other_place_the_whole_way_is_the_same(tmp_path: Path, alone) -> None:
    whole_way(tmp_path, of_this_tree(environment(tmp_path)), within=alone)
