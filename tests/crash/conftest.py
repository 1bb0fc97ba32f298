"""The undisturbed life of the project, lived once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.life import Life


@pytest.fixture(scope="session")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    made = Life(tmp_path_factory.mktemp("life"))
    yield made
    made.shell.close()
