"""What all tests share: windows without a screen, the folder of public data, small data of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

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
