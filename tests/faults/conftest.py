"""What tests of a failing disk share: small projects, each a step further."""

from __future__ import annotations

import pytest

from tests.faults import material
from tests.faults.material import Material


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return material.make(tmp_path_factory.mktemp("tiny"))
