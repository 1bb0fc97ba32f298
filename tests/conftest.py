"""What all tests share: windows without a screen, the folder of public data, small data of their own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest

# How long an example takes says more about what else the machine does than about the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Trainings of tests do not measure which thread count is the fastest.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ERFREUT = (
    "Ein wunderschöner Film über zwei Geschwister und ihren Großvater",
    "Wir haben uns köstlich amüsiert und herzlich gelacht",
    "Die Schauspielerin überzeugt in jeder einzelnen Szene",
    "Selten war ein Nachmittag im Kino so kurzweilig",
)
ENTTAEUSCHT = (
    "Langweilige Handlung und hölzerne Gespräche",
    "Nach einer halben Stunde sind wir enttäuscht gegangen",
    "Die Geschichte schleppt sich von Anfang bis Ende dahin",
    "Schade um das Geld und um den verlorenen Abend",
)
POSITIVE = ("a warm and funny film", "the best day of the year", "she sings with joy", "what a lovely meal")
NEGATIVE = ("a cold and boring film", "the worst day of the year", "he leaves in tears", "what an awful meal")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder named by ULMFIT_DATA, by default ../shared/data beside the repository."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ULMFIT_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"needs the public data sets: {folder} is absent (set ULMFIT_DATA)")
    return folder


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A CSV of 80 short labelled texts, 40 of each class."""
    lines = ["text,label"]
    for number in range(40):
        lines.append(f"{POSITIVE[number % 4]} number {number},pos")
        lines.append(f"{NEGATIVE[number % 4]} number {number},neg")
    path = tmp_path / "reviews.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def german(tmp_path: Path) -> Path:
    """The same, in German."""
    lines = ["text,label"]
    for number in range(40):
        lines.append(f"{ERFREUT[number % 4]} Nummer {number},pos")
        lines.append(f"{ENTTAEUSCHT[number % 4]} Nummer {number},neg")
    path = tmp_path / "bewertungen.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class Refused(NamedTuple):
    """A file that cannot be imported, and what a person must be told about it."""

    path: Path
    sentence: str


REFUSED = {
    "broken": (
        b"text,label\na,x,y\nb\nc,x,y,z\nd,x\n",
        "broken.csv is broken or not separated by “,”: row 2 has 3 columns instead of 2, "
        "and 3 of 4 rows are like that.",
    ),
    "quote": (b'text,label\na,x\n"b,y\nc,x\n', "quote.csv is broken: a quote that opens in row 3 is never closed."),
    "empty": (b"", "empty.csv is empty. Choose a file with at least a few rows of text."),
    "oneclass": (
        b"text,label\naa,x\nbb,x\n",
        "oneclass.csv has only one class (“x”). A classifier needs at least two; "
        "choose another label column or add rows.",
    ),
    "column": (b"words,label\naa,x\nbb,y\n", "column.csv has no column “text”. Its columns are: “words”, “label”."),
    "binary": (
        bytes(range(256)) * 20,
        "binary.csv holds binary data, not text. Choose a table (CSV, Excel), JSON, Parquet, database or text file.",
    ),
}


@pytest.fixture(params=list(REFUSED))
def refused(request: pytest.FixtureRequest, tmp_path: Path) -> Refused:
    """Each kind of unusable file in turn; the window and the command line say the same of it."""
    content, sentence = REFUSED[request.param]
    path = tmp_path / f"{request.param}.csv"
    path.write_bytes(content)
    return Refused(path, sentence)
