"""The gate, row by row of its table, and what is beside it."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xl_suite.scoring import gating
from xl_suite.scoring.gating import GATES, VERDICTS, Gate, decide, gate_preferences

rows = st.lists(
    st.tuples(
        st.one_of(st.floats(0, 1), st.just(np.nan)), st.sampled_from(VERDICTS), st.sampled_from(VERDICTS)
    ),
    min_size=1,
    max_size=30,
)  # fmt: skip
MEANINGS = {"0": 0.0, "0, counted apart": 0.0, "1": 1.0, "the judge's": 0.7, "missing": np.nan}


def read_table() -> list[tuple[list[str], list[str], float]]:
    """The table of the module's documentation: verdicts of the model, of the reference, value of a preference .7."""
    lines = [line for line in (gating.__doc__ or "").splitlines() if line.startswith("|")][2:]
    read = []
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        read.append((read_verdicts(cells[0]), read_verdicts(cells[1]), MEANINGS[cells[2]]))
    return read


def read_verdicts(cell: str) -> list[str]:
    return list(VERDICTS) if cell == "any" else re.split(r", or |, | or ", cell.replace(" language", ""))


def test_the_documented_table_is_what_the_function_does() -> None:
    told: dict[tuple[str, str], float] = {}
    for models, references, value in read_table():
        for pair in product(models, references):
            assert pair not in told, "the table says it twice"
            told[pair] = value
    assert sorted(told) == sorted(product(VERDICTS, VERDICTS)), "the table leaves something out"
    for (model, reference), value in told.items():
        decision = decide(model, reference)
        np.testing.assert_equal(0.7 if decision is None else decision, value, err_msg=f"{model}, {reference}")


@pytest.mark.parametrize(
    ("model", "reference", "half", "model_alone"),
    [
        ("right", "right", 0.7, 0.7),
        ("wrong", "right", 0, 0),
        ("right", "wrong", 1, 0.7),
        ("right", "empty", 1, 1),
        ("wrong", "wrong", 0.5, 0),
        ("mixed", "empty", 0.5, 0),
        ("wrong", "mixed", 0, 0),
        ("undetermined", "wrong", 0.7, 0.7),
    ],
)
def test_named_methods(model: str, reference: str, half: float, model_alone: float) -> None:
    preferences = np.array([0.7])
    assert gate_preferences(preferences, [model], [reference], "both-wrong-half").values[0] == half
    assert gate_preferences(preferences, [model], [reference], "model").values[0] == model_alone
    assert gate_preferences(preferences, [model], [reference], "none").values[0] == 0.7


def test_empty_answers_lose_whatever_the_judge_says() -> None:
    gated = gate_preferences(np.full(100, 0.9), ["empty"] * 90 + ["right"] * 10, ["right"] * 100)
    assert gated.values.mean() == pytest.approx(0.09)
    assert (gated.n_lost, gated.n_judged) == (90, 10)


def test_what_has_no_verdict_is_missing_and_a_withheld_answer_loses_without_one() -> None:
    missing = np.array([np.nan] * 5)
    gated = gate_preferences(
        missing,
        ["wrong", "right", "withheld", "right", "failed"],
        ["right", "wrong", "right", "withheld", "right"],
    )
    np.testing.assert_equal(gated.values, [np.nan, np.nan, 0, 1, np.nan])
    assert (gated.n_lost, gated.n_won, gated.n_missing) == (1, 1, 3)


def test_bounds_and_counts() -> None:
    model = ["undetermined", "mixed", "right", "undetermined", "wrong"]
    reference = ["right", "right", "wrong", "empty", "wrong"]
    preferences = np.array([0.9, 0.8, 0.1, 0.3, 0.9])
    gated = gate_preferences(preferences, model, reference)
    np.testing.assert_equal(gated.values, [0.9, 0, 1, 1, 0])
    np.testing.assert_equal(gated.undetermined_lost, [0, 0, 1, 0, 0])
    np.testing.assert_equal(gated.mixed_judged, [0.9, 0.8, 1, 1, 0])
    assert (gated.n_lost, gated.n_won, gated.n_judged, gated.n_undetermined, gated.n_missing) == (2, 2, 1, 1, 0)
    np.testing.assert_equal(preferences[0], 0.9)  # the caller's array is not changed


@given(rows, st.sampled_from(GATES))
def test_bounds_enclose_and_counts_add_up(cases: list[tuple[float, str, str]], gate: Gate) -> None:
    preferences, model, reference = map(list, zip(*cases, strict=True))
    gated = gate_preferences(np.array(preferences), model, reference, gate)
    known = ~np.isnan(gated.values)
    if gate == "both":
        assert (gated.undetermined_lost[known] <= gated.values[known]).all()
        assert (gated.mixed_judged[known] >= gated.values[known]).all()
    counts = gated.n_lost + gated.n_won + gated.n_drawn + gated.n_judged + gated.n_missing
    assert counts == len(cases)
    assert int(known.sum()) == len(cases) - gated.n_missing


def test_what_is_no_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match="wrng"):
        decide("wrng", "right")
