"""Answers to the rows of a file as a file again: CSV, JSON lines or Parquet, written part by part.

A part is bytes behind those before it. Parquet tells at its end what it holds, so that its parts are an Arrow stream,
which is written over into Parquet when it is whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ulmfit_core import files
from ulmfit_core.errors import UserError
from ulmfit_core.inference.predictor import Prediction, as_record

DECIMALS = 8


@dataclass(frozen=True)
class AnsweredRow:
    """A row of the input with its answer; `prediction` is None where it could not be used, and `reason` says why."""

    number: int
    file: str
    id: str
    prediction: Prediction | None
    reason: str = ""
    kept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """Which columns there are besides those that always are. `kept`: the columns of the input, by their names there."""

    labels: list[str]
    file: bool
    id: bool
    kept: list[str]

    @property
    def front(self) -> list[str]:
        """What says which row it is."""
        return ["row", *(["file"] if self.file else []), *(["id"] if self.id else [])]

    @property
    def shares(self) -> list[str]:
        return [f"p({label})" for label in self.labels]

    @property
    def names_of_kept(self) -> list[str]:
        """The kept columns under names that no other column has."""
        taken = {*self.front, "text", "label", "answer", "probability", "probabilities", "familiar", "reason"}
        names = list[str]()
        for name in self.kept:
            names.append(_free(name, taken | {*self.shares, *names}))
        return names

    def place(self, row: AnsweredRow) -> list[Any]:
        """The values of `front`."""
        return [row.number, *([row.file] if self.file else []), *([row.id] if self.id else [])]

    def beside(self, row: AnsweredRow) -> tuple[str, ...]:
        """The kept cells; empty where the row could not be read."""
        return row.kept or ("",) * len(self.kept)


def _free(name: str, taken: set[str]) -> str:
    tries = [name, f"{name} (input)", *(f"{name} (input {number})" for number in range(2, len(taken) + 3))]
    return next(each for each in tries if each not in taken)


class CsvFile:
    """UTF-8 with a head line. `changed`: cells of what was encoded last before which an apostrophe stands."""

    def __init__(self, layout: Layout):
        self._layout = layout
        self.changed = 0

    def head(self) -> bytes:
        layout = self._layout
        middle = ["text", "label", "answer", "probability", *layout.shares, "reason"]
        return files.csv_line([*layout.front, *middle, *layout.names_of_kept]).encode()

    def encode(self, rows: Sequence[AnsweredRow]) -> bytes:
        self.changed = sum(files.safe_cell(cell) is not cell for row in rows for cell in _texts(row))
        return "".join(files.csv_line(self._cells(row)) for row in rows).encode()

    def finish(self, part: Path, out: Path) -> None:
        files.promote(part, out)

    def _cells(self, row: AnsweredRow) -> list[str]:
        layout, told = self._layout, row.prediction
        front = [str(value) for value in layout.place(row)]
        if told is None:
            return [*front, *[""] * (4 + len(layout.labels)), row.reason, *layout.beside(row)]
        shares = [f"{told.probabilities[label]:.6f}" for label in layout.labels]
        answer = [told.text, told.label, told.answer, f"{told.probabilities[told.label]:.6f}"]
        return [*front, *answer, *shares, "", *layout.beside(row)]


def _texts(row: AnsweredRow) -> Iterator[str]:
    """The cells that are no numbers of ours, each label once."""
    yield from (row.id, *row.kept)
    if row.prediction:
        yield from (row.prediction.text, row.prediction.label)


class JsonLinesFile:
    """One object a row, all with the same keys; null where a row could not be used.

    Probabilities have DECIMALS, else those of many labels would fill most of the file with digits that mean nothing.
    """

    changed = 0

    def __init__(self, layout: Layout):
        self._layout = layout
        self._names = layout.names_of_kept

    def head(self) -> bytes:
        return b""

    def encode(self, rows: Sequence[AnsweredRow]) -> bytes:
        return "".join(json.dumps(self._record(row), ensure_ascii=False) + "\n" for row in rows).encode()

    def finish(self, part: Path, out: Path) -> None:
        files.promote(part, out)

    def _record(self, row: AnsweredRow) -> dict[str, Any]:
        layout, told = self._layout, row.prediction
        place = dict(zip(layout.front, layout.place(row), strict=True))
        shares = {label: round(share, DECIMALS) for label, share in told.probabilities.items()} if told else {}
        answer = as_record(told) | {"probabilities": shares} if told else dict.fromkeys(self._blank)
        share = shares[told.label] if told else None
        kept = dict(zip(self._names, layout.beside(row), strict=True))
        return {**place, **answer, "probability": share, "reason": row.reason or None, **kept}

    @property
    def _blank(self) -> list[str]:
        return list(as_record(Prediction("", "", {})))


class ParquetFile:
    """A row group for each part; compressed with zstd."""

    changed = 0

    def __init__(self, layout: Layout):
        self._layout = layout
        text, real = pa.large_string(), pa.float32()
        front = [(name, pa.int64() if name == "row" else text) for name in layout.front]
        answer = [("text", text), ("label", text), ("answer", text), ("probability", real)]
        rest = [*((name, real) for name in layout.shares), ("reason", text)]
        self._schema = pa.schema([*front, *answer, *rest, *((name, text) for name in layout.names_of_kept)])

    def head(self) -> bytes:
        return bytes(self._schema.serialize())

    def encode(self, rows: Sequence[AnsweredRow]) -> bytes:
        columns = zip(*map(self._values, rows), strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        return bytes(pa.record_batch(arrays, schema=self._schema).serialize())

    def finish(self, part: Path, out: Path) -> None:
        whole = part.with_name(f"{part.name}.whole")
        with (
            pa.OSFile(str(part)) as source, pa.ipc.open_stream(source) as batches,
            pq.ParquetWriter(str(whole), self._schema, compression="zstd") as writer,
        ):  # fmt: skip
            for batch in batches:
                writer.write_batch(batch)
        files.promote(whole, out)
        part.unlink()

    def _values(self, row: AnsweredRow) -> list[Any]:
        layout, told = self._layout, row.prediction
        if told is None:
            answer: list[Any] = [None] * (4 + len(layout.labels))
        else:
            answer = [told.text, told.label, told.answer, told.probabilities[told.label]]
            answer += [told.probabilities[label] for label in layout.labels]
        return [*layout.place(row), *answer, row.reason or None, *layout.beside(row)]


AnswerFile = CsvFile | JsonLinesFile | ParquetFile
FORMATS: dict[str, type[AnswerFile]] = {".csv": CsvFile, ".jsonl": JsonLinesFile, ".parquet": ParquetFile}


def format_of(out: Path) -> type[AnswerFile]:
    """By the ending of the name. Raises UserError for another one."""
    if out.suffix.lower() not in FORMATS:
        raise UserError(f"{out} cannot be written: choose a name that ends in .csv, .jsonl or .parquet.")
    return FORMATS[out.suffix.lower()]
