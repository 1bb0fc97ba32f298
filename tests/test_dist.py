"""What is handed out holds the program and nothing else, and works in an empty environment, from any folder.

The second half installs it, which takes minutes and a package index: it is marked `dist`, for `make dist-test`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.script import load
from tests.sealed.world import ROOT, SEALED, breaches, environment, plant, python, sealed

CODE = r"(studio|ulmfit_core)/([a-z0-9_]+/)*[a-z0-9_]+\.py"
RESOURCES = (
    r"resources/__init__\.py"
    r"|resources/sample/(README\.md|corpus\.txt|lines\.txt|verses\.csv)"
    r"|resources/support/(README\.md|messages\.csv|unlabelled\.txt)"
    r"|resources/starter/english/(MODEL_CARD\.md|model\.json|spm\.model|vocab\.json|weights\.safetensors)"
    r"|resources/themes/(studio\.qss|(dark|light)/[a-z-]+\.svg)"
)
IN_WHEEL = r"ulmfit_studio-[0-9.]+\.dist-info/(METADATA|WHEEL|RECORD|entry_points\.txt|top_level\.txt|licenses/LICENSE)"
IN_SOURCES = (
    r"CHANGELOG\.md|LICENSE|MANIFEST\.in|README\.md|SECURITY\.md|constraints\.txt|pyproject\.toml|PKG-INFO|setup\.cfg"
    r"|ulmfit_studio\.egg-info/[A-Za-z_-]+(\.txt)?"
)
# Where a person's or this project's folders lie on the machines that build it.
PLACES = re.compile(
    rb"(?<![A-Za-z0-9.])/(home|root|tmp|work|Users)/[A-Za-z0-9]|" + re.escape(str(ROOT).encode()) + rb"/"
)
PIP = ("-I", "-m", "pip")  # what lies on PYTHONPATH would count as installed


@pytest.fixture(scope="module")
def script():
    """scripts/dist.py."""
    return load("dist")


@pytest.fixture(scope="module")
def built(script, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the source distribution and the wheel."""
    out = tmp_path_factory.mktemp("dist")
    script.main(out)
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def sources(built: Path) -> dict[str, bytes]:
    """The files of the source distribution, without the folder that they all lie in."""
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        return {each.name.partition("/")[2]: archive.extractfile(each).read() for each in archive if each.isfile()}


def strangers(names: object, *allowed: str) -> list[str]:
    return [name for name in names if not re.fullmatch("|".join(allowed), name)]


def shipped() -> dict[str, bytes]:
    """What of this tree belongs to the program."""
    paths = [path for package in ("resources", "studio", "ulmfit_core") for path in (ROOT / package).rglob("*")]
    kept = [path for path in paths if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")]
    return {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in kept}


def test_the_wheel_holds_the_program_and_nothing_else(wheel):
    assert strangers(wheel, CODE, RESOURCES, IN_WHEEL) == []
    assert {name: data for name, data in wheel.items() if not re.fullmatch(IN_WHEEL, name)} == shipped()


def test_the_sources_hold_the_program_and_what_builds_it(sources):
    assert strangers(sources, CODE, RESOURCES, IN_SOURCES) == []
    assert shipped().items() <= sources.items()
    for name in ("LICENSE", "README.md", "SECURITY.md", "constraints.txt", "pyproject.toml"):
        assert sources[name] == (ROOT / name).read_bytes()


def test_the_allow_list_can_refuse():
    refused = ["tests/test_dist.py", "resources/sample/imdb.csv", "docs/screenshots/welcome.png", "studio/notes.txt"]
    assert strangers([*refused, "studio/theme.py"], CODE, RESOURCES, IN_WHEEL) == refused


def test_the_licence_goes_with_the_wheel(wheel):
    (licence,) = (data for name, data in wheel.items() if name.endswith("licenses/LICENSE"))
    assert licence == (ROOT / "LICENSE").read_bytes()


def test_no_place_of_this_machine_is_told(wheel, sources):
    assert PLACES.search(b'"/home/ann/x"') and PLACES.search(str(ROOT).encode() + b"/x")
    for held in (wheel, sources):
        assert {name: found.group() for name, data in held.items() if (found := PLACES.search(data))} == {}


def test_no_file_of_the_public_data_is_handed_out(wheel, data_folder):
    held = {hashlib.sha256(data).digest(): name for name, data in wheel.items() if data}
    sizes = {len(data) for data in wheel.values()}
    same_size = [path for path in data_folder.rglob("*") if path.is_file() and path.stat().st_size in sizes]
    assert [path for path in same_size if hashlib.sha256(path.read_bytes()).digest() in held] == []


def test_the_same_files_give_the_same_wheel_in_another_folder_and_at_another_time(script, built, tmp_path):
    copy = script.copy_of_sources(tmp_path / "copy")
    for path in copy.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    again = script.build("wheel", copy, tmp_path)
    assert again.read_bytes() == next(built.glob("*.whl")).read_bytes()


# In an empty environment


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the programs of a fresh environment into which the wheel was installed with constraints.txt."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    programs = folder / ("Scripts" if sys.platform == "win32" else "bin")
    install = [programs / "python", *PIP, "install", "--quiet", "-c", ROOT / "constraints.txt"]
    subprocess.run([*install, next(built.glob("*.whl"))], check=True, cwd=folder, timeout=1200)
    yield programs
    shutil.rmtree(folder)  # gigabytes, which pytest would keep for a while


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has nothing to do with the repository, with modules in it that nobody may run."""
    folder = tmp_path_factory.mktemp("elsewhere")
    plant(folder)
    return folder


@pytest.mark.dist
@pytest.mark.timeout(1800)
def test_it_is_installed_whole_at_the_tested_versions(installed, tmp_path):
    def pip(*words: str) -> str:
        command = [installed / "python", *PIP, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path).stdout

    pip("check")
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    tested = dict(line.split("==") for line in lines if "==" in line)
    found = {each["name"]: each["version"].partition("+")[0] for each in json.loads(pip("list", "--format", "json"))}
    assert found.pop("ulmfit-studio") and found.pop("pip")
    known = {_plain(name): version for name, version in tested.items()}
    of_torch = re.compile("nvidia|cuda|triton")  # a build of torch brings the libraries of its device
    assert {n: v for n, v in found.items() if known.get(_plain(n)) != v and not of_torch.match(n)} == {}


def _plain(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.dist
@pytest.mark.timeout(1800)
def test_the_sample_and_the_window_work_from_another_folder(installed, elsewhere, tmp_path):
    sample = [installed / "ulmfit", "sample", "project"]
    env = environment(tmp_path)
    done = subprocess.run(sample, cwd=elsewhere, env=env, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    assert "TF-IDF" in done.stdout
    models = {path.parent.name for path in elsewhere.glob("project/models/*/weights.safetensors")}
    assert models == {"finetuned", "classifier"}
    visit = [SEALED / "open_window.py", elsewhere / "project", tmp_path / "last.png"]
    done = python(*visit, cwd=elsewhere, env=env, program=installed / "python")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "last.png").stat().st_size > 10_000
    version = [installed / "ulmfit-studio", "--version"]
    told = subprocess.run(version, cwd=elsewhere, env=env, capture_output=True, text=True)
    assert told.stdout.startswith("ULMFiT Studio ")
    found = python("-c", "import studio; print(studio.__file__)", cwd=elsewhere, env=env, program=installed / "python")
    assert Path(found.stdout).is_relative_to(installed.parent), "it was the installed program"
    assert not (elsewhere / "trace").exists(), "a module of the folder was run"


@pytest.mark.dist
@pytest.mark.timeout(600)
def test_what_is_installed_breaches_no_seal(installed, tmp_path):
    done = python(SEALED / "whole_way.py", tmp_path, cwd=tmp_path, env=sealed(tmp_path), program=installed / "python")
    assert done.returncode == 0, done.stderr
    assert breaches(tmp_path) == ""
