"""What leaves the program of an evaluation: every answer as CSV, all that is known of it as one HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ulmfit_core import files, provenance, reading, reports
from ulmfit_core.errors import UserError
from ulmfit_core.inference import html_report
from ulmfit_core.inference.answers import Answers, load
from ulmfit_core.inference.findings import FIGURES
from ulmfit_core.project import Project

HEADS = ("row", "id", "text", "truth", "answer", "right")


def write_csv(evaluated: Path, path: Path) -> None:
    """Write every answer of the run in the folder `evaluated` to a CSV, in the order in which they were measured.

    Its columns: row (number in the imported data from 0; empty for a row of another file), id, text, truth, answer,
    right (yes or no), p(LABEL) for each label with all digits that it has, and those kept beside the texts. No cell is
    one that a spreadsheet takes for a formula. Raises UserError where no answers were kept or `path` cannot be written.
    """
    _write(path, _lines(_answers(evaluated)))


def write_html(project: Project, evaluated: Path, path: Path) -> None:
    """Write the evaluation in the run's folder `evaluated` as one page that needs nothing else.

    Raises UserError where it was made by an earlier version, which kept less, or `path` cannot be written.
    """
    answers, report = _answers(evaluated), _report(evaluated)
    page = html_report.page(project.recipe.name, report, answers, _made(evaluated, report))
    _write(path, [page])


def _write(path: Path, parts: Iterable[str]) -> None:
    try:
        with files.replacing_file(path) as log:
            for part in parts:
                log.write(part.encode("utf-8", "replace"))
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}. Choose another place.") from None


def _answers(evaluated: Path) -> Answers:
    found = load(evaluated)
    if found is None:
        raise UserError(f"The evaluation {evaluated.name} kept no answers. Evaluate again.")
    return found


def _report(evaluated: Path) -> dict[str, Any]:
    try:
        report = reading.record(evaluated / "report.json", reports.Report)
    except FileNotFoundError:
        report = {}
    whole = report.keys() >= reports.OF_PAGE | reports.OF_EVALUATION
    if not whole or not report["figures"].keys() >= FIGURES.keys():
        raise UserError(f"The evaluation {evaluated.name} is of an earlier version, which kept less. Evaluate again.")
    return report


def _lines(answers: Answers) -> Iterator[str]:
    labels, given = answers.labels, answers.given
    yield files.csv_line([*HEADS, *(f"p({label})" for label in labels), *answers.kept])
    # Nine digits bring back every number of 32 bits, and nine digits of a share are no formula.
    shares = ",".join(["%.9g"] * len(labels))
    for place, truth in enumerate(answers.truth.tolist()):
        number, answer = int(answers.rows[place]), int(given[place])
        front = [
            str(number) if number >= 0 else "", answers.ids[place], answers.texts[place], labels[truth],
            labels[answer], "yes" if answer == truth else "no",
        ]  # fmt: skip
        behind = [cells[place] for cells in answers.kept.values()]
        ends = "," + files.csv_line(behind) if behind else "\n"
        yield f"{files.csv_line(front)[:-1]},{shares % tuple(answers.probabilities[place].tolist())}{ends}"


def _made(evaluated: Path, report: dict[str, Any]) -> dict[str, str]:
    """By what, when and from what the evaluation was made."""
    known = provenance.read(evaluated)
    names = {"program": "ULMFiT Studio", "torch": "torch", "python": "Python", "system": "System"}
    versions = {names.get(name, name): str(version) for name, version in known.get("versions", {}).items()}
    hashes = {f"Hash of the {name}": value for name, value in known.get("hashes", {}).items() if value}
    eight = {"Arithmetic": "network read in 8-bit numbers"} if report.get("eight_bits") else {}
    return {"Run": evaluated.name, **versions, **hashes, **eight}
