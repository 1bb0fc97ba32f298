"""What a sealed child process begins with: a home of its own, the seal, a folder full of traps, and how it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEALED = ROOT / "tests" / "sealed"
# A module that a stranger put beside the data: whoever imports it leaves a trace.
PLANTED = "open({trace!r}, 'a').write(__name__ + ' '); raise SystemExit(__name__ + ' was run')"
PLANTED_NAMES = ("torch", "numpy", "PySide6", "studio", "ulmfit_core", "resources", "random", "json")
NOT_INHERITED = ("XDG_", "PYTHON", "COV_", "PYTEST_", "TORCH")


def environment(folder: Path) -> dict[str, str]:
    """That of a user whose whole world is `folder`, and who has nothing installed beside the program."""
    for name in ("home", "tmp", "runtime"):
        (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    places = {"HOME": "home", "TMPDIR": "tmp", "XDG_RUNTIME_DIR": "runtime"}
    told = {"PYTHONDONTWRITEBYTECODE": "1", "QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1"}
    return kept | told | {name: str(folder / place) for name, place in places.items()}


def sealed(folder: Path) -> dict[str, str]:
    """The same under the seal, which records in `folder`/breaches."""
    seal = {"PYTHONPATH": str(SEALED), "SEALED_FOLDERS": str(folder), "SEALED_LOG": str(folder / "breaches")}
    return environment(folder) | seal


def breaches(folder: Path) -> str:
    return (folder / "breaches").read_text(encoding="utf-8")


def of_this_tree(env: dict[str, str]) -> dict[str, str]:
    """With the program as it stands in this repository."""
    return env | {"PYTHONPATH": os.pathsep.join(filter(None, (env.get("PYTHONPATH"), str(ROOT))))}


def plant(folder: Path) -> Path:
    """Put modules that nobody may run into a folder; returns the file that is there as soon as one was."""
    for name in PLANTED_NAMES:
        (folder / f"{name}.py").write_text(PLANTED.format(trace=str(folder / "trace")), encoding="utf-8")
    return folder / "trace"


def python(
    *words: object, cwd: Path, env: dict[str, str], within: Sequence[str] = (), program: str | Path = sys.executable,
    seconds: float = 200,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run Python with nothing on its path but what is installed and what `env` names."""
    command = [*within, str(program), "-P", *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=seconds)
