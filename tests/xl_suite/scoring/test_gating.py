"""The gate, as a pure function."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xl_suite.scoring.gating import VERDICTS, gate_preferences

rows = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(VERDICTS), st.sampled_from(VERDICTS), st.booleans()),
    min_size=1,
    max_size=30,
)


@pytest.mark.parametrize(
    ("model", "reference", "both", "model_alone"),
    [
        ("right", "right", 0.7, 0.7),
        ("wrong", "right", 0, 0),
        ("right", "wrong", 1, 0.7),
        ("wrong", "wrong", 0.5, 0),
        ("mixed", "right", 0.7, 0.7),
        ("undetermined", "undetermined", 0.7, 0.7),
        ("mixed", "wrong", 1, 0.7),
        ("wrong", "mixed", 0, 0),
    ],
)
def test_each_case(model: str, reference: str, both: float, model_alone: float) -> None:
    preferences = np.array([0.7])
    assert gate_preferences(preferences, [model], [reference], [True]).values[0] == both
    assert gate_preferences(preferences, [model], [reference], [True], "model").values[0] == model_alone
    assert gate_preferences(preferences, [model], [reference], [True], "none").values[0] == 0.7
    other = gate_preferences(preferences, [model], [reference], [False])
    assert (other.values[0], other.n_not_expected) == (0.7, 1)


def test_counts() -> None:
    model = ["wrong", "right", "wrong", "mixed", "right", "wrong", "wrong"]
    reference = ["right", "wrong", "wrong", "right", "right", "right", "right"]
    preferences = np.array([0.9, 0.1, 0.9, 0.3, 0.2, 0.8, np.nan])
    gated = gate_preferences(preferences, model, reference, [True] * 5 + [False, True])
    np.testing.assert_equal(gated.values, [0, 1, 0.5, 0.3, 0.2, 0.8, np.nan])
    counts = (gated.n_model_wrong, gated.n_reference_wrong, gated.n_both_wrong, gated.n_unsure, gated.n_not_expected)
    assert counts == (1, 1, 1, 1, 1)
    np.testing.assert_equal(preferences[0], 0.9)  # the caller's array is not changed


@given(rows)
def test_changing_sides_mirrors(cases: list[tuple[float, str, str, bool]]) -> None:
    preferences, model, reference, expected = map(list, zip(*cases, strict=True))
    gated = gate_preferences(np.array(preferences), model, reference, expected)
    mirrored = gate_preferences(1 - np.array(preferences), reference, model, expected)
    assert mirrored.values == pytest.approx(1 - gated.values)
    assert mirrored.n_unsure == gated.n_unsure
