"""Every answer of an evaluation, row by row: `answers.arrow` in the folder of its run.

An Arrow file (compressed with zstd) with a row for each measured text, in the order in which they were measured:

    text           the text
    id             its id in the data, "" where it has none
    row            its number in the imported data, counted from 0; -1 for a text of another file
    truth          place of its true label among the labels
    probabilities  the probability of each label, float32, in the order of the labels
    network        the same of the network as it was trained; absent where it answers so
    kept           its cells in the columns that were kept beside the text; absent where there are none

The schema's metadata has `labels` and `kept`, the names of labels and kept columns as JSON lists, and `format`, a
number: 1 had neither `network` nor `kept`. The answer is the label with the highest probability.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ulmfit_core import files, reading
from ulmfit_core.data import arrow_table
from ulmfit_core.errors import UserError
from ulmfit_core.inference.findings import WrongAnswer

NAME = "answers.arrow"
FORMAT = 2
PART = 2048  # rows that are written at once


@dataclass(frozen=True)
class Answers:
    """`truth` (texts,) places in `labels`, `probabilities` (texts, labels), `rows` (texts,) numbers in the dataset.

    `network`: the network's own probabilities, which are those of the answers where it answers alone as it was trained;
    None where an earlier version did not keep them. `kept`: the cells of each column kept beside the texts.
    """

    labels: list[str]
    texts: list[str]
    ids: list[str]
    rows: np.ndarray
    truth: np.ndarray
    probabilities: np.ndarray
    network: np.ndarray | None = None
    kept: dict[str, list[str]] = field(default_factory=dict)

    @property
    def given(self) -> np.ndarray:
        """(texts,) places of the answers in `labels`."""
        return self.probabilities.argmax(1)


def save(folder: Path, answers: Answers) -> Path:
    """Write the answers of a run into its folder, as a whole or not at all, some rows at a time."""
    path = folder / NAME
    schema = _schema(answers)
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with (
        files.replacing_file(path) as log,
        pa.PythonFile(_Into(log), mode="w") as sink,
        pa.ipc.new_file(sink, schema, options=options) as writer,
    ):
        for part in _parts(answers):
            writer.write_batch(pa.record_batch(part, schema=schema))
    return path


class _Into(io.RawIOBase):
    """A log as the file that Arrow writes to."""

    def __init__(self, log: files.AppendLog):
        self._log = log

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._log.write(data)
        return len(data)


def _schema(answers: Answers) -> pa.Schema:
    shares = pa.list_(pa.float32(), len(answers.labels))
    columns = [
        ("text", pa.large_string()), ("id", pa.large_string()), ("row", pa.int64()), ("truth", pa.int32()),
        ("probabilities", shares), *([("network", shares)] if _has_network(answers) else []),
        *([("kept", pa.list_(pa.large_string()))] if answers.kept else []),
    ]  # fmt: skip
    told = {"labels": answers.labels, "kept": list(answers.kept)}
    written = {name: json.dumps(names, ensure_ascii=False) for name, names in told.items()}
    return pa.schema(columns, {**written, "format": str(FORMAT)})


def _has_network(answers: Answers) -> bool:
    """Whether the network's own probabilities are others than those of the answers."""
    return answers.network is not None and answers.network is not answers.probabilities


def _parts(answers: Answers) -> Iterator[dict[str, Any]]:
    for start in range(0, len(answers.truth), PART):
        part = slice(start, start + PART)
        columns: dict[str, Any] = {
            "text": answers.texts[part], "id": answers.ids[part], "row": answers.rows[part],
            "truth": answers.truth[part].astype(np.int32), "probabilities": _shares(answers.probabilities[part]),
        }  # fmt: skip
        if answers.network is not None and _has_network(answers):
            columns["network"] = _shares(answers.network[part])
        if answers.kept:
            columns["kept"] = [list(cells) for cells in zip(*(cells[part] for cells in answers.kept.values()))]
        yield columns


def _shares(probabilities: np.ndarray) -> pa.Array:
    numbers = pa.array(probabilities.astype(np.float32, copy=False).ravel())
    return pa.FixedSizeListArray.from_arrays(numbers, probabilities.shape[1])


def load(folder: Path) -> Answers | None:
    """The answers of a run by its folder; None of an evaluation that kept none.

    Raises UserError where the file is damaged or of a newer version.
    """
    path = folder / NAME
    try:
        table = arrow_table.opened(path)
        written = int((table.schema.metadata or {})[b"format"])
        if written > FORMAT:
            raise UserError(f"{path} was written by a newer version of the program. Update it, or evaluate again.")
        return _answers(table, written)
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged ({reading.shortened(str(error))}). Evaluate again.") from None


def _answers(table: pa.Table, written: int) -> Answers:
    """Raises KeyError, TypeError or ValueError for a table that holds no answers of the format `written`."""
    told = table.schema.metadata
    labels, kept = _names(told[b"labels"]), _names(told.get(b"kept", b"[]"))
    _check(table, labels, kept)
    shares = _matrix(table, "probabilities", len(labels))
    network = shares if written > 1 else None
    if "network" in table.column_names:
        network = _matrix(table, "network", len(labels))
    cells = table.column("kept").to_pylist() if kept else []
    return Answers(
        labels, table.column("text").to_pylist(), table.column("id").to_pylist(), table.column("row").to_numpy(),
        table.column("truth").to_numpy(), shares, network,
        {name: [row[place] for row in cells] for place, name in enumerate(kept)},
    )  # fmt: skip


def _names(written: bytes) -> list[str]:
    names = reading.parsed(written)
    if not isinstance(names, list) or not all(type(name) is str for name in names):
        raise ValueError("it has no list of names")
    return names


def _check(table: pa.Table, labels: list[str], kept: list[str]) -> None:
    """Raises ValueError where its columns are not those of answers, or a true label is none."""
    if not labels or not len(table):
        raise ValueError("it has no labels or no answers")
    text, shares = pa.large_string(), pa.list_(pa.float32(), len(labels))
    columns = {"text": text, "id": text, "row": pa.int64(), "truth": pa.int32(), "probabilities": shares}
    columns |= {"network": shares} if "network" in table.column_names else {}
    columns |= {"kept": pa.list_(text)} if kept else {}
    arrow_table.check(table, columns)
    truth = table.column("truth").to_numpy()
    if len(truth) and not (0 <= truth.min() <= truth.max() < len(labels)):
        raise ValueError("a true label is none of the labels")
    if kept and any(len(row) != len(kept) for row in table.column("kept").to_pylist()):
        raise ValueError("a row has not as many cells as there are columns")


def _matrix(table: pa.Table, name: str, labels: int) -> np.ndarray:
    numbers: np.ndarray = table.column(name).combine_chunks().flatten().to_numpy()
    if not bool(np.isfinite(numbers).all()):
        raise ValueError("a probability is no number")
    return numbers.reshape(-1, labels)


def worst(answers: Answers, most: int | None = None) -> list[int]:
    """Places of the wrong answers, those first whose true label was thought least likely; at most so many."""
    places = np.flatnonzero(answers.given != answers.truth)
    order = np.argsort(answers.probabilities[places, answers.truth[places]], kind="stable")[:most]
    found: list[int] = places[order].tolist()
    return found


def wrong(answers: Answers, most: int | None = None) -> list[WrongAnswer]:
    """The wrong answers, the worst first; at most so many."""
    given = answers.given
    return [_wrong(answers, place, int(given[place])) for place in worst(answers, most)]


def _wrong(answers: Answers, place: int, given: int) -> WrongAnswer:
    truth, shares = int(answers.truth[place]), answers.probabilities[place]
    labels = answers.labels
    return WrongAnswer(answers.texts[place], labels[truth], labels[given], float(shares[given]), float(shares[truth]))
