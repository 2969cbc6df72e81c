"""The upper bound of a share against what is known of it."""

from __future__ import annotations

import pytest

from xl_suite.scoring.shares import bound_share


def test_bounds() -> None:
    assert bound_share(0, 200) == pytest.approx(1 - 0.05 ** (1 / 200))
    assert bound_share(0, 0) == bound_share(5, 5) == 1
    # Clopper and Pearson's table: 2 of 400.
    assert bound_share(2, 400) == pytest.approx(0.015655, abs=1e-5)
    assert bound_share(2, 400, 0.99) > bound_share(2, 400)


def test_not_a_share() -> None:
    with pytest.raises(ValueError, match="6 of 5 is not a share"):
        bound_share(6, 5)
