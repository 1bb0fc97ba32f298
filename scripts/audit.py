"""Look whether what is installed is what was tested, and whether a vulnerability of it is known.

Run it as ``python scripts/audit.py``. It compares the environment with constraints.txt, lets pip check that all fits
together, and asks the database of open source vulnerabilities (https://osv.dev) about every name and version listed.
The names and versions are all that it sends. Where the database cannot be reached it says so, and the rest holds.
Ends with 1 if anything is amiss.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
SERVICE = "https://api.osv.dev/v1/querybatch"
SECONDS = 60
# Not listed: the program itself, and what every environment begins with.
UNLISTED = {"ulmfit-studio", "pip"}
# A build of torch for an accelerator brings the libraries of that device, at versions of its own.
OF_TORCH = re.compile("nvidia-|cuda-|triton")


def main() -> int:
    versions = listed()
    amiss = list(deviations(versions)) + list(misfits())
    try:
        found = vulnerabilities(versions)
    except OSError as error:
        found = []
        print(f"Known vulnerabilities were NOT looked for: {SERVICE} cannot be reached ({error}).")
    else:
        print(f"{SERVICE} knows of {len(found) or 'no'} vulnerable versions among {len(versions)}.")
    for line in [*amiss, *found]:
        print(line)
    if not amiss:
        print(f"What is installed is what constraints.txt lists ({len(versions)} versions), and fits together.")
    return 1 if amiss or found else 0


# What is installed


def listed() -> dict[str, str]:
    """Version by name, both as indexes compare them, of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version.strip() for name, version in pairs}


def installed() -> dict[str, str]:
    """The same of the environment that this Python is of; without local suffixes such as +cpu."""
    found = ((each.name, each.version) for each in importlib.metadata.distributions())
    return {canonicalize_name(name): version.partition("+")[0] for name, version in found}


def needed() -> set[str]:
    """The names of all that the program and its checks need here, directly or not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    waiting = [*map(Requirement, project["dependencies"] + project["optional-dependencies"]["test"])]
    names: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name not in names or requirement.extras:
            waiting += [each for each in _needs(name) if _holds(each, requirement.extras)]
        names.add(name)
    return names


def _needs(name: str) -> list[Requirement]:
    """What a distribution asks for; nothing where it is not installed, which `deviations` tells of."""
    try:
        return [*map(Requirement, importlib.metadata.requires(name) or [])]
    except importlib.metadata.PackageNotFoundError:
        return []


def _holds(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in (extras or {""}))


def deviations(versions: dict[str, str]) -> Iterator[str]:
    """A line for each distribution that is needed or installed and not the one that constraints.txt lists."""
    here, wanted = installed(), needed()
    for name in sorted(wanted | here.keys() - UNLISTED):
        if OF_TORCH.match(name):
            continue
        if name not in versions:
            yield f"{name} {here.get(name, '')} is not listed in constraints.txt."
        elif here.get(name) != versions[name]:
            yield f"{name} is {here.get(name, 'missing')}, and constraints.txt lists {versions[name]}."
    for name in sorted(versions.keys() - wanted):
        yield f"{name} is listed in constraints.txt, and nothing needs it."


def misfits() -> Iterator[str]:
    """What `pip check` has to say against the environment."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "check"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        yield from (done.stdout or done.stderr).strip().splitlines()


# What is known of it


def vulnerabilities(versions: dict[str, str], service: str = SERVICE) -> list[str]:
    """A line for each version of which a vulnerability is known. Raises OSError where the service does not answer."""
    asked = [{"package": {"ecosystem": "PyPI", "name": name}, "version": version} for name, version in versions.items()]
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(service, json.dumps({"queries": asked}).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            results = json.load(answer)["results"]
    except (ValueError, KeyError) as error:
        raise OSError(f"it answered with something else: {error!r}") from None
    if len(results) != len(asked):
        raise OSError(f"it answered {len(results)} of {len(asked)} questions")
    known = {name: [each["id"] for each in result.get("vulns", [])] for name, result in zip(versions, results)}
    found = ((f"{name} {versions[name]}", ids) for name, ids in known.items() if ids)
    return [f"{what}: {', '.join(ids)} (https://osv.dev/{ids[0]})" for what, ids in found]


if __name__ == "__main__":
    sys.exit(main())
