"""Which evaluation measured the very model that a training left: what the comparison of runs shows beside it.

A model is replaced by the next training that ends, and an evaluation measures the one that is there. No Qt here.
"""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import Any

from studio.screens.run_story import Stamp, Story, read_story, stamp_of
from ulmfit_core import provenance
from ulmfit_core.events import Artefact, Event

NEVER = float("inf")


def tested(story: Story) -> dict[str, Any]:
    """The report of the newest evaluation, on test rows, of the classifier that this run left; {} where there is none.

    Only on the data that the run had: other data has other test rows.
    """
    left = _left_at(story.events)
    if story.step != "classify" or left == NEVER:
        return {}
    replaced = min((at for at in map(_training, _others(story, "classify", left)) if at > left), default=NEVER)
    data = _data(story.info.folder)
    for folder in _others(story, "evaluate", left):
        began, report = _evaluation(folder, stamp_of(folder))
        if left < began < replaced and report.get("split") == "test" and _data(folder) == data:
            return report
    return {}


def _others(story: Story, job: str, after: float) -> list[Path]:
    """Folders of other runs of this job that wrote something `after` that time, the newest first."""
    folder = story.info.folder
    found = [path for path in folder.parent.glob(f"*-{job}") if path != folder]
    return sorted((path for path in found if _written(path) >= after), reverse=True)


def _written(folder: Path) -> float:
    """When its log was last written, in seconds since 1970; a copied folder may say a later time, never an earlier."""
    return stamp_of(folder)[1][0] / 1e9


def _training(folder: Path) -> float:
    return _left_of(folder, stamp_of(folder))


@functools.lru_cache(maxsize=512)
def _left_of(folder: Path, stamp: Stamp) -> float:
    story = _story(folder)
    return _left_at(story.events) if story else NEVER


@functools.lru_cache(maxsize=512)
def _evaluation(folder: Path, stamp: Stamp) -> tuple[float, dict[str, Any]]:
    """When it began, and its report; an unfinished one has none."""
    story = _story(folder)
    return (story.events[0].at, story.report) if story and story.events else (NEVER, {})


def _story(folder: Path) -> Story | None:
    """None where the run was removed meanwhile."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return read_story(folder)
    return None


def _left_at(told: list[Event]) -> float:
    """When a training left its classifier, in seconds since 1970; NEVER where it did not."""
    return next((one.at for one in reversed(told) if isinstance(one, Artefact) and one.kind == "bundle"), NEVER)


def _data(folder: Path) -> str:
    return str(provenance.read(folder).get("hashes", {}).get("data", ""))
