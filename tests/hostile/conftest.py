"""Sound files and a canary, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile import fuzz


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fuzz.prepare(tmp_path_factory.mktemp("hostile"))
