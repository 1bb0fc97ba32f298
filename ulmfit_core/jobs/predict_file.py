"""The job of classifying a file: every readable row in, its label and probabilities out, in the rows' order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from ulmfit_core import events, files
from ulmfit_core.config import blend_note
from ulmfit_core.data.formats import BadRow
from ulmfit_core.data.gather import batches, read_another
from ulmfit_core.data.readers import Row
from ulmfit_core.errors import UserError
from ulmfit_core.inference.predictor import Prediction, Predictor
from ulmfit_core.project import Project
from ulmfit_core.run import Run

BATCH = 256


def predict_file(project: Project, run: Run, data: Path, out: Path | None = None) -> dict[str, Any]:
    """Classify each row of `data`, read with the project's text columns, streaming to `out`.

    `out` ends in .csv or .jsonl; without it the report holds the list under `predictions`. Raises UserError
    for another ending. Unreadable rows are counted and told, never dropped in silence.
    """
    lines = _lines_for(out) if out else None
    predictor = Predictor.load(project.bundle_folder("classify"))
    rows = read_another(data, project.recipe.data.model_copy(update={"label": ""}))
    bad: list[BadRow] = []
    predictions = _predictions(predictor, run.track(_usable(rows, bad), "Classifying", 0), run)
    if out and lines:
        count = _write(out, lines(predictor.labels, predictions))
        run.emit(events.Artefact("predictions", str(out)))
        report: dict[str, Any] = {"rows": count, "out": str(out)}
    else:
        listed = [as_record(prediction) for _, prediction in predictions]
        report = {"rows": len(listed), "predictions": listed}
    if predictor.blend_weight:
        run.message(f"The answers are {blend_note(predictor.blend_weight)}.")
        report["blend"] = {"weight": predictor.blend_weight}
    if bad:
        run.message(
            f"{len(bad)} rows of {data} could not be used; the first is row {bad[0].row}: {bad[0].reason}.", "warning"
        )
    return {**report, "bad_rows": len(bad)}


def as_record(prediction: Prediction) -> dict[str, Any]:
    """What JSON output holds for one text."""
    return {"text": prediction.text, "label": prediction.label, "probabilities": prediction.probabilities}


def _usable(rows: Iterable[Row | BadRow], bad: list[BadRow]) -> Iterator[Row]:
    for row in rows:
        if isinstance(row, BadRow):
            bad.append(row)
        else:
            yield row


def _predictions(predictor: Predictor, rows: Iterator[Row], run: Run) -> Iterator[tuple[Row, Prediction]]:
    for batch in batches(rows, BATCH):
        yield from zip(batch, predictor.predict([row.text for row in batch], run.poll), strict=True)


def _lines_for(out: Path) -> Callable[[list[str], Iterator[tuple[Row, Prediction]]], Iterator[str]]:
    formats = {".csv": _csv_lines, ".jsonl": _json_lines}
    if out.suffix not in formats:
        raise UserError(f"{out} cannot be written: choose a name that ends in .csv or .jsonl.")
    return formats[out.suffix]


def _json_lines(labels: list[str], predictions: Iterator[tuple[Row, Prediction]]) -> Iterator[str]:
    for row, prediction in predictions:
        named = {"id": row.id} if row.id else {}
        yield json.dumps({"row": row.number, **named, **as_record(prediction)}, ensure_ascii=False) + "\n"


def _csv_lines(labels: list[str], predictions: Iterator[tuple[Row, Prediction]]) -> Iterator[str]:
    first = next(predictions, None)
    named = first is not None and bool(first[0].id)
    yield files.csv_line(["row", *(["id"] if named else []), "text", "label", *(f"p({label})" for label in labels)])
    for row, prediction in chain([first] if first else [], predictions):
        shares = [f"{prediction.probabilities[label]:.6f}" for label in labels]
        cells = [*([row.id] if named else []), prediction.text, prediction.label]
        yield files.csv_line([str(row.number), *cells, *shares])


def _write(out: Path, lines: Iterator[str]) -> int:
    """Number of rows written; the header of a CSV is none."""
    count = -1 if out.suffix == ".csv" else 0
    with files.replacing_file(out) as log:
        for line in lines:
            log.write(line.encode())
            count += 1
    return count
