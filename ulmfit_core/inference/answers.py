"""Every answer of an evaluation, row by row: `answers.arrow` in the folder of its run.

An Arrow file (compressed with zstd) with a row for each measured text, in the order in which they were measured:

    text           the text
    id             its id in the data, "" where it has none
    row            its number in the imported data, counted from 0; -1 for a text of another file
    truth          place of its true label among the labels
    probabilities  the probability of each label, float32, in the order of the labels

The schema's metadata has `labels`, the names of the labels as a JSON list, and `format`, a number. The answer is the
label with the highest probability.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ulmfit_core import files
from ulmfit_core.errors import UserError
from ulmfit_core.inference.findings import WrongAnswer

NAME = "answers.arrow"
FORMAT = 1


@dataclass(frozen=True)
class Answers:
    """`truth` (texts,) places in `labels`, `probabilities` (texts, labels), `rows` (texts,) numbers in the dataset."""

    labels: list[str]
    texts: list[str]
    ids: list[str]
    rows: np.ndarray
    truth: np.ndarray
    probabilities: np.ndarray

    @property
    def given(self) -> np.ndarray:
        """(texts,) places of the answers in `labels`."""
        return self.probabilities.argmax(1)


def save(folder: Path, answers: Answers) -> Path:
    """Write the answers of a run into its folder, as a whole or not at all."""
    labels = len(answers.labels)
    shares = pa.FixedSizeListArray.from_arrays(pa.array(answers.probabilities.astype(np.float32).ravel()), labels)
    columns = {
        "text": pa.array(answers.texts, pa.large_string()), "id": pa.array(answers.ids, pa.large_string()),
        "row": pa.array(answers.rows, pa.int64()), "truth": pa.array(answers.truth, pa.int32()),
        "probabilities": shares,
    }  # fmt: skip
    told = {"labels": json.dumps(answers.labels, ensure_ascii=False), "format": str(FORMAT)}
    table = pa.table(columns).replace_schema_metadata(told)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    path = folder / NAME
    files.write_bytes(path, sink.getvalue().to_pybytes())
    return path


def load(folder: Path) -> Answers | None:
    """The answers of a run by its folder; None of an evaluation that kept none.

    Raises UserError where the file is damaged or of a newer version.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        told = table.schema.metadata
        if int(told[b"format"]) > FORMAT:
            raise UserError(f"{path} was written by a newer version of the program. Update it, or evaluate again.")
        labels = json.loads(told[b"labels"])
        shares = table.column("probabilities").combine_chunks().flatten().to_numpy().reshape(-1, len(labels))
    except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged ({str(error).splitlines()[0]}). Evaluate again.") from None
    texts, ids = table.column("text").to_pylist(), table.column("id").to_pylist()
    return Answers(labels, texts, ids, table.column("row").to_numpy(), table.column("truth").to_numpy(), shares)


def wrong(answers: Answers, most: int | None = None) -> list[WrongAnswer]:
    """The wrong answers, those first whose true label was thought least likely; at most so many."""
    given = answers.given
    places = np.flatnonzero(given != answers.truth)
    worst = np.argsort(answers.probabilities[places, answers.truth[places]], kind="stable")[:most]
    return [_wrong(answers, int(place), int(given[place])) for place in places[worst]]


def _wrong(answers: Answers, place: int, given: int) -> WrongAnswer:
    truth, shares = int(answers.truth[place]), answers.probabilities[place]
    labels = answers.labels
    return WrongAnswer(answers.texts[place], labels[truth], labels[given], float(shares[given]), float(shares[truth]))
