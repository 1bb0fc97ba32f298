"""Says what the kills in a file of rows came to: ``python -m tests.crash.summary FILE``."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any


def lines(rows: list[dict[str, Any]]) -> list[str]:
    hits = [row for row in rows if row["hit"]]
    ways = Counter(told_way(row) for row in hits)
    stages = Counter(row["stage"] for row in hits)
    trained = [row for row in hits if row["saved"] or row["step"]]
    return [
        f"{len(hits)} kills ({', '.join(f'{count} {way}' for way, count in ways.items())}); "
        f"{len(rows) - len(hits)} came after the end.",
        *(f"  {count:4}  {stage}" for stage, count in stages.most_common()),
        f"In {len(trained)} trainings at most {most(trained, 'lost_seconds'):.2f} s and "
        f"{max((row['step'] - row['saved'] for row in trained), default=0)} steps were lost.",
        f"Processes of a killed one lived on for at most {most(hits, 'orphans_seconds'):.2f} s.",
    ]


def told_way(row: dict[str, Any]) -> str:
    if row["by"] == "changes":
        return "before a change of a file"
    return "by the clock, of a started process" if row["started"] else "by the clock, of a forked process"


def most(rows: list[dict[str, Any]], name: str) -> float:
    return max((row[name] for row in rows), default=0.0)


if __name__ == "__main__":
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    print("\n".join(lines([json.loads(line) for line in text.splitlines()])))
