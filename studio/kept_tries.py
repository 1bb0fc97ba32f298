"""The tries that a person keeps of a project: texts with the answers that they got, in the project's `tries.json`.

The file is {"format": 1, "tries": [{"label": …, "probability": from 0 to 1, "text": …}, …]}, the newest first. It is
replaced whole at each change; one that cannot be read is left as it is, and nothing is kept until it is mended.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ulmfit_core import files, reading
from ulmfit_core.errors import UserError
from ulmfit_core.project import Project

NAME, FORMAT = "tries.json", 1
MOST = 1000  # the oldest give way to newer ones


@dataclass(frozen=True)
class Try:
    """A text, the answer it got, and its probability from 0 to 1."""

    label: str
    probability: float
    text: str


def read(project: Project) -> list[Try]:
    """The newest first. Raises UserError where the file is damaged or of a newer version."""
    path = project.folder / NAME
    try:
        known = reading.parsed(reading.text(path))
        if known["format"] != FORMAT:
            raise ValueError(f"its format is {known['format']}, not {FORMAT}")
        return [_try(one) for one in known["tries"]]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise UserError(_damaged(path, error)) from None


def _try(one: dict[str, Any]) -> Try:
    """Raises KeyError, TypeError or ValueError for what is none."""
    kept = Try(str(one["label"]), float(one["probability"]), str(one["text"]))
    f"{kept.label}{kept.text}".encode()  # half of a character is none, and could not be written again
    if not 0 <= kept.probability <= 1:
        raise ValueError(f"a probability is {kept.probability:g}")
    return kept


def add(project: Project, one: Try) -> list[Try]:
    """Keep one more. Returns all; raises UserError where that cannot be."""
    return _write(project, [one, *read(project)][:MOST])


def remove(project: Project, one: Try) -> list[Try]:
    """Keep it no longer; of several alike the newest goes. Returns the rest; raises UserError where that cannot be."""
    kept = read(project)
    if one in kept:
        kept.remove(one)
    return _write(project, kept)


def version_of(project: Project) -> object:
    """Changes with the file and with the project."""
    path = project.folder / NAME
    return (path, path.stat().st_mtime_ns) if path.exists() else path


def _write(project: Project, tries: list[Try]) -> list[Try]:
    project.refuse_if_read_only()
    path = project.folder / NAME
    try:
        files.write_json(path, {"format": FORMAT, "tries": [asdict(one) for one in tries]})
    except OSError as error:
        reason = f"The kept tries cannot be saved in {path}: {error.strerror}."
        raise UserError(f"{reason} Make room or allow writing there.") from None
    return tries


def _damaged(path: Path, error: Exception) -> str:
    reason = reading.shortened(str(error))
    return (
        f"The kept tries cannot be read: {path} is damaged ({reason}). Mend the file, or move it away to begin anew; "
        "it is left as it is until then."
    )
