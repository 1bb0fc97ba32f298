"""The job of classifying a file: every row in, its answer and probabilities out, in the rows' order.

Rows are read a window at a time; within a window texts of about one length are read together, which is faster, and each
window is durable once it is written. So memory does not grow with the file, and what was stopped or killed goes on at
the last window: the windows after it are those of an undisturbed run, and so are the bytes.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ulmfit_core import __version__, device, events
from ulmfit_core.config import DataSettings, blend_note
from ulmfit_core.data.edits import version_of
from ulmfit_core.data.formats import BadRow
from ulmfit_core.data.readers import Row
from ulmfit_core.data.unseen import Unseen, open_unseen, settings_for
from ulmfit_core.errors import UserError
from ulmfit_core.inference.answer_files import AnsweredRow, AnswerFile, Layout, format_of
from ulmfit_core.inference.predictor import Prediction, Predictor, as_record
from ulmfit_core.jobs.unfinished import Part, part_of, path_hash, text_hash
from ulmfit_core.project import Project
from ulmfit_core.run import Run, Stopped
from ulmfit_core.text.portions import portions

# A window: what is answered and written as one, and what a stop loses at most. It takes a second or a few.
ROWS, CHARACTERS = 1024, 250_000
# Of a window, what is asked at once: the progress moves between these.
ROWS_AT_ONCE, CHARACTERS_AT_ONCE = 1024, 125_000
REASONS_KEPT = 100  # different ones that are counted
LABEL = "Answering"


@dataclass
class Tally:
    """What the answers amount to. `labels` counts the rows that were given each label as their answer.

    `labelled` rows have a label in the file, `given` of them got a label as their answer, and `agree` the same one.
    `changed`: cells of a CSV with an apostrophe before them. `seconds`: spent in all goes together.
    """

    rows: int = 0
    answered: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    not_sure: int = 0
    bad_rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    labelled: int = 0
    given: int = 0
    agree: int = 0
    changed: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, told: dict[str, Any]) -> Tally:
        tally = cls(**told)
        tally.labels, tally.reasons = Counter(tally.labels), Counter(tally.reasons)
        return tally

    def told(self) -> dict[str, Any]:
        """What `of` takes, also once it was JSON."""
        return dict(vars(self))

    def add(self, row: Row | BadRow, prediction: Prediction | None) -> None:
        self.rows += 1
        if prediction is None or isinstance(row, BadRow):
            self._leave_out(row.reason if isinstance(row, BadRow) else "")
            return
        self.answered += 1
        self.unknown += prediction.unknown
        withheld = prediction.unknown or prediction.unsure
        self.not_sure += prediction.unsure and not prediction.unknown
        self.labels.update([] if withheld else [prediction.label])
        if row.label:
            self.labelled += 1
            self.given += not withheld
            self.agree += not withheld and prediction.label == row.label

    def _leave_out(self, reason: str) -> None:
        self.bad_rows += 1
        if reason in self.reasons or len(self.reasons) < REASONS_KEPT:
            self.reasons[reason] += 1


def predict_file(
    project: Project, run: Run, data: Path, out: Path | None = None, *, keep: Sequence[str] = (),
    reading: dict[str, Any] | None = None, eight_bits: bool = False, go_on: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Answer each row of `data`, read with the project's text columns, streaming to `out`.

    `out` ends in .csv, .jsonl or .parquet; without it the report holds the answers under `predictions`. `keep`: columns
    of the input to stand beside, by name or number, or `all`. `reading`: DataSettings to read this file with in place
    of the project's, such as {"text": ["body"]}. `eight_bits`: faster and less exact. `go_on`: with the part of a run
    that was stopped or killed. A row that cannot be used keeps its place, without an answer and with the reason.

    The report: rows (answered and bad_rows together), labels, not_sure, unknown, reasons; agreement where the file has
    the project's label column. Raises UserError where a file cannot be read or written, for a column that is missing,
    and where there is nothing to go on with or something changed since.
    """
    shape = format_of(out) if out else None
    _refuse_own_place(data, out)
    settings = settings_for(data, project.recipe.data)
    source = open_unseen(data, DataSettings(**{**settings.model_dump(), **(reading or {})}), keep)
    _tell_reading(source, run)
    predictor = Predictor.of(project, eight_bits, run.poll)
    _tell_model(predictor, run)
    if out is None or shape is None:
        tally = Tally()
        listed = [as_record(row.prediction) for row in _answered(source, predictor, run, tally) if row.prediction]
        report: dict[str, Any] = _report(tally, predictor) | {"predictions": listed}
    else:
        layout = Layout(predictor.labels, source.several, bool(source.settings.id_column), source.kept)
        made_with = _made_with(project, source, eight_bits)
        tally = _write(shape(layout), out, made_with, go_on, source, predictor, run)
        run.emit(events.Artefact("predictions", str(out)))
        report = {**_report(tally, predictor), "out": str(out)}
    _tell_bad_rows(tally, data, run)
    return report


def _refuse_own_place(data: Path, out: Path | None) -> None:
    if out and out.is_dir():
        raise UserError(f"{out} is a folder. Name a file that ends in .csv, .jsonl or .parquet.")
    if out and out.exists() and data.exists() and out.samefile(data):
        raise UserError(f"{out} is the file that is to be read. Choose another name for the answers.")


def _tell_reading(source: Unseen, run: Run) -> None:
    """Which column is taken for the text, since nobody chose it for this file."""
    names = " and ".join(f"“{name}”" for name in source.settings.text)
    run.message(f"The text of {source.path.name} is read from its column {names}.")
    if source.left_out:
        first = source.left_out[0]
        run.message(f"{len(source.left_out)} files are not read, the first is {first.file}: {first.reason}.", "warning")


def _tell_model(predictor: Predictor, run: Run) -> None:
    if predictor.refusal:  # of eight bits
        run.message(predictor.refusal, "warning")
    if predictor.blend_weight:
        run.message(f"The answers are {blend_note(predictor.blend_weight)}.")


# Answering


def _answered(source: Unseen, predictor: Predictor, run: Run, tally: Tally, skip: int = 0) -> Iterator[AnsweredRow]:
    """The rows with their answers, a window at a time, without those of the part that is done."""
    return chain.from_iterable(_answered_windows(source, predictor, run, tally, skip))


def _answered_windows(
    source: Unseen, predictor: Predictor, run: Run, tally: Tally, skip: int
) -> Iterator[list[AnsweredRow]]:
    began = time.monotonic() - tally.seconds
    paused = run.paused_seconds
    rows = source.rows()
    for number, _ in enumerate(islice(rows, skip)):
        if number % ROWS == 0:
            run.poll()
    for window in portions(rows, _length, ROWS, CHARACTERS):
        progress = _Progress(run, tally.rows, window, source.source.position.share)
        answers = _answers(predictor, window, progress)
        for row, answer in zip(window, answers, strict=True):
            tally.add(row, answer)
        tally.seconds = time.monotonic() - began - (run.paused_seconds - paused)
        yield [_answered_row(row, answer, source) for row, answer in zip(window, answers, strict=True)]


def _length(row: Row | BadRow) -> int:
    return len(row.text) if isinstance(row, Row) else 0


def _answers(predictor: Predictor, window: list[Row | BadRow], progress: _Progress) -> list[Prediction | None]:
    """In the order of the rows; None for one that cannot be used."""
    answers: list[Prediction | None] = [None] * len(window)
    for places in _slices(window):
        texts = [row.text for place in places if isinstance(row := window[place], Row)]
        for place, prediction in zip(places, predictor.predict(texts, progress.run.poll), strict=True):
            answers[place] = prediction
        progress.move(texts)
    return answers


def _slices(window: list[Row | BadRow]) -> Iterator[list[int]]:
    """Places of the usable rows by length, in groups that are asked at once."""
    lengths = {place: len(row.text) for place, row in enumerate(window) if isinstance(row, Row)}
    by_length = sorted(lengths, key=lengths.__getitem__)
    return portions(by_length, lengths.__getitem__, ROWS_AT_ONCE, CHARACTERS_AT_ONCE)


def _answered_row(row: Row | BadRow, answer: Prediction | None, source: Unseen) -> AnsweredRow:
    if isinstance(row, Row):
        return AnsweredRow(row.number, row.file or source.source.name, row.id, answer, "", row.kept)
    return AnsweredRow(row.row, row.file, "", None, row.reason)


class _Progress:
    """Rows done of how many there seem to be, from how much of the file was read for them."""

    def __init__(self, run: Run, done: int, window: Sequence[Row | BadRow], share: float):
        self.run, self._done, self._rows = run, float(done), len(window)
        self._characters = sum(map(_length, window))
        self._total = max((done + len(window)) / min(share, 1.0) if share > 0 else 0.0, done + len(window))
        run.emit(events.Progress(LABEL, self._done, self._total))

    def move(self, texts: Sequence[str]) -> None:
        self._done += self._rows * sum(map(len, texts)) / self._characters
        self.run.emit(events.Progress(LABEL, self._done, self._total))


# Writing


def _made_with(project: Project, source: Unseen, eight_bits: bool) -> dict[str, str]:
    """A hash of each thing that the answers' bytes depend on."""
    paths = [source.path, *([Path(source.settings.labels_file)] if source.settings.labels_file else [])]
    asked = [source.settings.model_dump(mode="json", exclude={"data"}), project.recipe.answers.model_dump(), eight_bits]
    program = [__version__, device.best_device().type]
    return {
        "the input": text_hash(str([path_hash(path) for path in paths])),
        "the classifier": _model_hash(project),
        "the settings": text_hash(json.dumps(asked, sort_keys=True)),
        "the program": text_hash(str(program)),
    }


def _model_hash(project: Project) -> str:
    """Of its files, and of the corrections that were kept since, which may add a label."""
    folder = project.bundle_folder("classify")
    parts = [(path.name, path_hash(path)) for path in sorted(folder.iterdir())]
    return text_hash(str([*parts, version_of(project)]))


def _write(
    shape: AnswerFile, out: Path, made_with: dict[str, str], go_on: bool, source: Unseen, predictor: Predictor, run: Run
) -> Tally:
    """Answer into the part for `out`, window by window, and let it become `out`. A stop leaves the part and says so."""
    part = Part(out, made_with, go_on)
    tally = Tally.of(part.told)
    try:
        if part.dropped.get("rows"):
            run.message(f"It starts anew: the {part.dropped['rows']:,} rows of an unfinished go are dropped.")
        if part.is_empty:
            part.keep(shape.head(), tally.told())
        for window in _answered_windows(source, predictor, run, tally, tally.rows):
            data = shape.encode(window)
            tally.changed += shape.changed
            part.keep(data, tally.told())
        part.finish(shape.finish)
    except Stopped:
        run.message(
            f"The {tally.rows:,} rows that are answered are kept in {part_of(out)}. "
            "It can go on from there (on the command line: the same command with --resume)."
        )
        raise
    finally:
        part.close()
    _tell_changed(tally, out, run)
    return tally


# Telling


def _report(tally: Tally, predictor: Predictor) -> dict[str, Any]:
    seconds = tally.seconds
    report: dict[str, Any] = {
        "rows": tally.rows, "answered": tally.answered, "bad_rows": tally.bad_rows, "reasons": dict(tally.reasons),
        "labels": {label: tally.labels[label] for label in predictor.labels}, "not_sure": tally.not_sure,
        "unknown": tally.unknown, "seconds": seconds, "rows_per_second": tally.rows / seconds if seconds else 0.0,
    }  # fmt: skip
    if tally.labelled:
        report["agreement"] = {"rows": tally.labelled, "given": tally.given, "agree": tally.agree}
    if predictor.blend_weight:
        report["blend"] = {"weight": predictor.blend_weight}
    return report


def _tell_bad_rows(tally: Tally, data: Path, run: Run) -> None:
    if tally.bad_rows:
        (reason, count), *others = tally.reasons.most_common()
        more = f" and {len(others)} other reasons" if others else ""
        run.message(
            f"{tally.bad_rows:,} rows of {data} could not be used ({count:,} because: {reason}{more}). They stand in "
            "their places without an answer, with the reason.", "warning",
        )  # fmt: skip


def _tell_changed(tally: Tally, out: Path, run: Run) -> None:
    if tally.changed:
        run.message(
            f"Cells of {out.name} that begin like a formula of a spreadsheet (= + - @): {tally.changed:,}. "
            "An apostrophe stands before them, so that none is carried out; JSON lines and Parquet keep every text."
        )
