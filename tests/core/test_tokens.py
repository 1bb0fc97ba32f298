"""Token ids on disk come back as they were, whatever their width."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ulmfit_core.data import tokens
from ulmfit_core.data.tokens import Tokens
from ulmfit_core.errors import UserError

DOCUMENTS = [np.array([2, 7, 65535]), np.array([2]), np.array([], np.int64), np.array([2, 3])]


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_documents_come_back(tmp_path, dtype):
    tokens.write(tmp_path / "t", iter(DOCUMENTS), dtype, {"fingerprint": "abc"})
    opened = Tokens.open(tmp_path / "t")
    assert opened.ids.dtype == dtype and isinstance(opened.ids, np.memmap)
    assert opened.lengths.tolist() == [3, 1, 0, 2] and len(opened) == 4
    assert [opened[i].tolist() for i in range(4)] == [document.tolist() for document in DOCUMENTS]
    assert opened.meta["fingerprint"] == "abc" and opened.offsets.dtype == np.int64


def test_nothing_at_all_can_be_written(tmp_path):
    opened = tokens.write(tmp_path / "t", [], np.uint16)
    assert len(opened) == 0 and opened.ids.tolist() == []


def test_a_failure_leaves_no_folder(tmp_path):
    def failing():
        yield DOCUMENTS[0]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        tokens.write(tmp_path / "t", failing(), np.uint16)
    assert list(tmp_path.iterdir()) == []


def test_missing_tokens_are_refused(tmp_path):
    with pytest.raises(UserError, match="There are no encoded texts in"):
        Tokens.open(tmp_path)


@given(st.lists(st.lists(st.integers(0, 65535))))
def test_any_documents(tmp_path_factory, documents):
    folder = tmp_path_factory.mktemp("tokens") / "t"
    opened = tokens.write(folder, map(np.array, documents), np.uint16)
    assert [list(map(int, opened[i])) for i in range(len(opened))] == documents
