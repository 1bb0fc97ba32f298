"""Every row of every table leads to something."""

import pytest

from ulmfit_core import catalog
from ulmfit_core.errors import UserError

ROWS = [(table, name) for table, rows in catalog.TABLES.items() for name in rows]


@pytest.mark.parametrize(("table", "name"), ROWS)
def test_every_row_resolves(table, name):
    assert callable(catalog.resolve(table, name))


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="There is no rules “klingon”. Choose one of: ulmfit, fastai, plain."):
        catalog.resolve("rules", "klingon")
