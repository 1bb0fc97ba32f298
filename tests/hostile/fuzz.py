"""Damages thousands of files and opens each as the program does: `python -m tests.hostile.fuzz --count 10000`.

Every file must be opened or refused with one sentence: no other exception, no crash, no hang, at most 1 GB of memory,
nothing touched outside of its folder, no code run. Rows are appended to --rows as they come, so that a stop loses
nothing and --rows goes on where it stands.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.hostile import sound
from tests.hostile.kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]
RENEWED = 150  # cases after which another child takes over, so that what one left behind says nothing of the next
PATIENCE = 12.0  # times what is allowed, by the clock: then the child stands still, and is ended
MOST_MEGABYTES = 1024


def plan(count: int, seed: int) -> list[tuple[int, str]]:
    """(seed, kind) of each case: a pure function of the two."""
    chance = random.Random(seed)
    names = chance.choices(list(KINDS), [kind.weight for kind in KINDS.values()], k=count)
    return [(seed * 1_000_000 + number, name) for number, name in enumerate(names)]


def prepare(place: Path) -> Path:
    """Sound files in `place`/sound and a canary beside them. Returns `place`."""
    sound.make(place / "sound")
    canary = place / "canary"
    canary.mkdir()
    (canary / "letter.txt").write_text("Nobody may touch this.\n")
    (canary / ".old.old-1").mkdir()
    (canary / "old").mkdir()
    return place


class Child:
    """One process at work on cases, started anew when it dies."""

    def __init__(self, place: Path):
        self._place = place
        self._work = Path(tempfile.mkdtemp(dir=place))
        self._start()

    def _start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.hostile.child",
            *map(str, (self._place / "sound", self._work, self._place / "canary")),
        ]
        home = {"HOME": str(self._work), "XDG_CONFIG_HOME": str(self._work), "XDG_DATA_HOME": str(self._work)}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            env={
                **os.environ,
                **home,
                "OMP_NUM_THREADS": "1",
                "CUDA_VISIBLE_DEVICES": "",
                "MALLOC_ARENA_MAX": "2",
                "QT_QPA_PLATFORM": "offscreen",
                "PYTHONPATH": str(ROOT),
            },
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._errors: list[str] = []
        threading.Thread(target=_pour, args=(self._process.stdout, self._lines.put), daemon=True).start()
        threading.Thread(target=_pour, args=(self._process.stderr, self._errors.append), daemon=True).start()

    def open(self, seed: int, name: str, patience: float = 0.0) -> dict[str, Any]:
        """What came of one case."""
        patience = patience or PATIENCE * KINDS[name].seconds
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([seed, name]) + "\n")
            self._process.stdin.flush()
            line = self._lines.get(timeout=patience)
        except (queue.Empty, BrokenPipeError):
            line = ""
        if line:
            found: dict[str, Any] = json.loads(line)
            return found
        return {"seed": seed, "kind": name, **self._fate(patience)}

    def _fate(self, patience: float) -> dict[str, Any]:
        """Why there was no answer; another child takes its place."""
        try:
            code: int | None = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            code = None
        self.close()
        said = "".join(self._errors[-30:])[-900:]
        self._start()
        if code is None:
            return {"outcome": "hang", "error": f"no answer within {patience:g} seconds. {said}", "seconds": patience}
        return {"outcome": "crash", "error": f"{signal.Signals(-code).name if code < 0 else code}. {said}"}

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def _pour(pipe: Iterable[str], put: Any) -> None:
    for line in pipe:
        put(line)
    put("")


def run(place: Path, cases: Iterable[tuple[int, str]]) -> Iterator[dict[str, Any]]:
    """The outcome of each case, in their order."""
    child = Child(place)
    try:
        child.open(0, "vocabulary", 120.0)  # torch and Qt are loaded
        for number, (seed, name) in enumerate(cases, 1):
            if number % RENEWED == 0:
                child.close()
                child = Child(place)
                child.open(0, "vocabulary", 120.0)
            found = child.open(seed, name)
            yield judged(found)
            if found["outcome"] in ("crash", "hang"):
                child.open(0, "vocabulary", 120.0)
    finally:
        child.close()


def judged(found: dict[str, Any]) -> dict[str, Any]:
    if found["outcome"] in ("opened", "refused"):
        if found["seconds"] > KINDS[found["kind"]].seconds:
            return found | {"outcome": "hang", "error": f"{found['seconds']} seconds"}
        if found["megabytes"] > MOST_MEGABYTES:
            return found | {"outcome": "memory", "error": f"{found['megabytes']} MB"}
    return found


def summary(rows: list[dict[str, Any]]) -> str:
    """Counts by kind and outcome, the slowest and largest, and each sort of fault once."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        counts[row["kind"]][row["outcome"]] += 1
    outcomes = sorted({row["outcome"] for row in rows})
    lines = [f"{'':24}" + "".join(f"{name:>9}" for name in outcomes)]
    lines += [f"{name:24}" + "".join(f"{counts[name][each]:>9}" for each in outcomes) for name in sorted(counts)]
    lines.append(
        f"{f'all {len(rows):,}':24}" + "".join(f"{sum(c[each] for c in counts.values()):>9}" for each in outcomes)
    )
    slowest = max(rows, key=lambda row: row.get("seconds", 0))
    largest = max(rows, key=lambda row: row.get("megabytes", 0))
    lines.append(f"most work {slowest.get('seconds')} s of processors ({slowest['kind']}, seed {slowest['seed']}), "
                 f"most memory {largest.get('megabytes')} MB ({largest['kind']}, seed {largest['seed']})")  # fmt: skip
    faults = Counter(
        (row.get("place", ""), row["error"].strip().splitlines()[-1][:150])
        for row in rows
        if row["outcome"] not in ("opened", "refused")
    )
    lines += [f"{count:5} × {place}  {error}" for (place, error), count in faults.most_common(200)]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="a kind of tests/hostile/kinds.py")
    parser.add_argument("--rows", type=Path, default=ROOT / "build" / "fuzz.jsonl")
    parser.add_argument("--place", type=Path, help="a folder of earlier use, with its sound files")
    options = parser.parse_args()
    rows = _known(options.rows)
    done = {row["seed"] for row in rows}
    cases = [case for case in plan(options.count, options.seed) if case[0] not in done]
    cases = [case for case in cases if options.only in (None, case[1])]
    with tempfile.TemporaryDirectory() as fresh:
        place = options.place or Path(fresh)
        if not (place / "sound").exists():
            prepare(place)
        options.rows.parent.mkdir(parents=True, exist_ok=True)
        with options.rows.open("a") as log:
            for found in run(place, cases):
                log.write(json.dumps(found) + "\n")
                log.flush()
                rows.append(found)
    print(summary(rows))
    return int(any(row["outcome"] not in ("opened", "refused") for row in rows))


def _known(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    sys.exit(main())
