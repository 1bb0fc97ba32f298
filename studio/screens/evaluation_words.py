"""What an evaluation's report says in words and rows, for the Evaluate screen: pure functions of the report, no Qt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ulmfit_core import events
from ulmfit_core.config import blend_note
from ulmfit_core.inference.findings import (
    FEW_ROWS,
    FIGURES,
    SPLITS,
    chance_sentence,
    right_answers,
    simpler_means,
)
from ulmfit_core.project import Project
from ulmfit_core.reports import OF_EVALUATION

OF_ONE = ("mcc", "kappa")  # figures that may be below 0 and are not written as per cent


def newest_report(project: Project) -> tuple[Path, dict[str, Any]] | None:
    """The folder and the report of the newest finished evaluation."""
    run = next((run for run in project.runs_of("evaluate") if run.status == "done"), None)
    if run is None:
        return None
    last = events.read_events(run.folder / "events.jsonl")[-1]
    told = last.report if isinstance(last, events.Ended) else {}
    return (run.folder, told) if told.keys() >= OF_EVALUATION else None


def rows_sentence(report: dict[str, Any]) -> str:
    split = report["split"]
    rows = f"Measured on {report['rows']:,} {SPLITS.get(split, 'rows of ' + Path(split).name)}."
    if split == "valid":
        rows += " The best epoch was chosen by these: the figures flatter a little."
    return rows


def interval_sentence(report: dict[str, Any]) -> str:
    """How many are right, and what as many other texts might have shown; an older report says less."""
    accuracy = report.get("figures", {}).get("accuracy", {})
    if accuracy.get("low") is None:
        return chance_sentence(report)
    low, high = share(accuracy["low"], report["rows"]), share(accuracy["high"], report["rows"])
    right = f"{right_answers(report):,} of {report['rows']:,} right"
    return f"{right}: with as many other texts of this kind, between {low} and {high} would be no surprise."


def share(value: float, rows: int) -> str:
    """With a decimal only where there are rows enough for it to mean something."""
    return f"{value:.0%}" if rows < FEW_ROWS else f"{value:.1%}"


def compared(report: dict[str, Any]) -> dict[str, float]:
    return {"This classifier": report["accuracy"], **simpler_means(report)}


def verdict(report: dict[str, Any]) -> str:
    """The difference from the baseline in words, kind or not."""
    points = 100 * (report["accuracy"] - report["baseline_tfidf"]["accuracy"])
    baseline = "TF-IDF counts words with no sense of their order."
    if abs(points) < 0.05:
        return f"{baseline} The classifier is exactly as often right."
    side = "more" if points > 0 else "less"
    return f"{baseline} The classifier is right {side} often by {abs(points):.1f} points."


def blend_sentence(report: dict[str, Any]) -> str:
    """That the classifier's answers are not the network's alone, where they are not."""
    if "blend" not in report:
        return ""
    return f"Its answers are {blend_note(report['blend']['weight'])}."


def figure_rows(report: dict[str, Any]) -> list[list[str]]:
    """Name, value, interval of each figure; none of a report of an earlier version."""
    return [
        [FIGURES[name][0], figure(name, found["value"]), between(name, found)]
        for name, found in report.get("figures", {}).items() if name in FIGURES
    ]  # fmt: skip


def figure(name: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:.3f}" if name in OF_ONE else f"{value:.1%}"


def between(name: str, found: dict[str, Any]) -> str:
    if found.get("low") is None or found.get("high") is None:
        return "unknown"
    return f"{figure(name, found['low'])} to {figure(name, found['high'])}"


def class_rows(report: dict[str, Any]) -> list[list[str]]:
    return [
        [label, f"{row['support']:,.0f}", f"{row['precision']:.1%}", f"{row['recall']:.1%}", f"{row['f1']:.1%}"]
        for label, row in report["per_class"].items()
    ]
