"""What the answers to a file amount to, in sentences, from the report of the job `predict`. Loads no torch."""

from __future__ import annotations

from typing import Any

from ulmfit_core.config import NOT_SURE, UNKNOWN

MOST_LINES = 20
TIMED_ROWS = 100  # the speed of fewer is chance


def headline(report: dict[str, Any]) -> str:
    """How many rows were answered, how fast, how many could not be used."""
    bad = report["bad_rows"]
    left = f" {bad:,} of {report['rows']:,} rows could not be used." if bad else ""
    speed = f", {report['rows_per_second']:,.0f} a second" if report["rows"] >= TIMED_ROWS else ""
    return f"{report['answered']:,} rows answered{speed}.{left}"


def agreement(report: dict[str, Any]) -> str:
    """How often the answers are the labels that stand in the file; empty where it has none."""
    found = report.get("agreement")
    if not found:
        return ""
    rows, given, agree = found["rows"], found["given"], found["agree"]
    share = f" ({agree / given:.1%})" if given else ""
    if given == rows:
        return f"Of {rows:,} rows with a label in the file, {agree:,} are answered so{share}."
    return f"Of {rows:,} rows with a label in the file {given:,} got one as their answer, {agree:,} the same{share}."


def counts(report: dict[str, Any]) -> list[tuple[str, int]]:
    """Each answer with its number of rows, the commonest first, then what was withheld; none that never occurs."""
    labels = sorted(report["labels"].items(), key=lambda pair: -pair[1])
    withheld = [(NOT_SURE, report["not_sure"]), (UNKNOWN, report["unknown"])]
    return [(label, count) for label, count in (*labels, *withheld) if count]


def lines(report: dict[str, Any]) -> list[str]:
    """The report for a terminal."""
    found = counts(report)
    more = len(found) - MOST_LINES
    reasons = [f"  {count:,} because: {reason}" for reason, count in report["reasons"].items()]
    return [
        headline(report),
        *reasons,
        *(f"  {label}: {count:,}" for label, count in found[:MOST_LINES]),
        *([f"  and {more} labels more"] if more > 0 else []),
        *filter(None, [agreement(report)]),
        f"Written to {report['out']}",
    ]
