"""Build what is handed out: the source distribution, and the wheel from it. Run it as ``python scripts/dist.py [OUT]``.

Both are built of a copy in which nothing lies but what they consist of: what an earlier build, a test or an editor left
in the repository cannot come in. With the setuptools of constraints.txt the same files give a wheel of the same bytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("resources", "studio", "ulmfit_core")
FILES = ("CHANGELOG.md", "LICENSE", "MANIFEST.in", "README.md", "SECURITY.md", "constraints.txt", "pyproject.toml")
NO_PART = shutil.ignore_patterns("__pycache__", "*.py[cod]", ".*", "*~")
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, 'build_' + sys.argv[1])(sys.argv[2])"
# The time that every file in the wheel bears, in seconds since 1970: the first one that a zip file can tell.
TIME = "315532800"


def main(out: Path) -> list[Path]:
    """Replace what an earlier build left in the folder `out`; returns source distribution and wheel."""
    out.mkdir(parents=True, exist_ok=True)
    for old in [*out.glob("ulmfit_studio-*.tar.gz"), *out.glob("ulmfit_studio-*.whl")]:
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="ulmfit-dist-") as place:
        copy = copy_of_sources(Path(place) / "sources")
        sources = build("sdist", copy, out)
        shutil.unpack_archive(sources, place)
        return [sources, build("wheel", Path(place) / sources.name.removesuffix(".tar.gz"), out)]


def copy_of_sources(folder: Path) -> Path:
    """What the distributions consist of, with the same rights wherever it is built."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=NO_PART)
    for name in FILES:
        shutil.copy2(ROOT / name, folder / name)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def build(kind: str, folder: Path, out: Path) -> Path:
    """`kind` is sdist or wheel. Ends with what setuptools says where it refuses."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": TIME}
    command = [sys.executable, "-P", "-c", BUILD, kind, str(out.absolute())]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return next(out.glob("*.tar.gz" if kind == "sdist" else "*.whl"))


if __name__ == "__main__":
    for built in main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"):
        print(f"{built}  {built.stat().st_size / 1e6:.1f} MB")
