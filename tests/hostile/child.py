"""The process in which damaged files are opened: it reads seeds, one a line, and tells what came of each, one a line.

Its parent (`fuzz.py`) knows by the seed what was at work when it dies or hangs.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

from tests.hostile.kinds import KINDS
from tests.hostile.mutate import Damage

HEADROOM = 2**31  # bytes of addresses beyond those of the program itself: what asks for more gets none
LONGEST = 1500  # characters of a sentence for a person


def main() -> None:
    sound, work, canary = map(Path, sys.argv[1:4])
    limit = _memory("VmSize") * 1024 + HEADROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for line in sys.stdin:
        seed, name = json.loads(line)
        print(json.dumps({"seed": seed, "kind": name, **_case(seed, name, sound, work, canary)}), flush=True)


def _case(seed: int, name: str, sound: Path, work: Path, canary: Path) -> dict[str, Any]:
    chance, kind, target = random.Random(seed), KINDS[name], work / "case"
    remove(target)
    names = kind.copy(sound, chance.choice(kind.folders), target)
    file = chance.choice(names)
    damage = Damage(target, file, chance, canary)
    if seed >= 0:  # below, the files stay sound
        damage.apply()
    before = tree(canary)
    Path("/proc/self/clear_refs").write_text("5")
    began = _worked()
    found = _opened(kind.door, target)
    told = {"file": file, "damage": damage.told, "seconds": round(_worked() - began, 3), **found}
    told["megabytes"] = _memory("VmHWM") // 1024
    if tree(canary) != before:
        told |= {"outcome": "touched", "error": f"{sorted(tree(canary).items() ^ before.items())[:3]}"}
    return told


def _opened(door: Any, target: Path) -> dict[str, Any]:
    try:
        sentences = door(target)
    except BaseException as error:  # whatever it is, it is told, and the next file comes
        trace = traceback.extract_tb(error.__traceback__)
        place = next((f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(trace)
                      if "ulmfit_core" in f.filename or "/studio/" in f.filename), "")  # fmt: skip
        return {"outcome": "fault", "error": f"{type(error).__name__}: {error}"[-900:], "place": place}
    odd = [text for text in sentences if not text.strip() or "\n" in text.strip() or len(text) > LONGEST]
    if odd:
        return {"outcome": "fault", "error": f"no sentence: {odd[0][:300]!r} of {len(odd[0])} characters", "place": ""}
    return {"outcome": "refused" if sentences else "opened", "sentence": sentences[0] if sentences else ""}


def _worked() -> float:
    """Seconds that processors worked for this process and its children, whatever else the machine does."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in (own, children))


def tree(folder: Path) -> dict[str, str]:
    """A hash of each file below a folder, and its mode."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path.relative_to(folder))] = f"{hashlib.sha256(content).hexdigest()[:16]} {path.lstat().st_mode:o}"
    return found


def remove(target: Path) -> None:
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.exists():
        shutil.rmtree(target)


def _memory(name: str) -> int:
    """Kilobytes, of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    main()
