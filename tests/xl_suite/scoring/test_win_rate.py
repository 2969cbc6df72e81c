"""AlpacaEval's numbers: real judgements, and alpaca_eval's own function as the oracle."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from xl_suite.judging.annotations import read_annotations, scale_preference
from xl_suite.judging.verdicts import draw_order, parse_logprobs, turn
from xl_suite.scoring.preferences import tabulate_preferences
from xl_suite.scoring.win_rate import summarize_preferences

preferences = st.lists(
    st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 1.0]), st.none()), min_size=1, max_size=40
)


def test_published_numbers_of_a_real_model(shared_data: Path) -> None:
    results = shared_data / "alpaca_eval" / "results"
    published = json.loads((results / "leaderboard.json").read_text())["alpaca-7b"]
    rows = read_annotations(results / "alpaca-7b" / "annotations.json.gz")
    summary = summarize_preferences([scale_preference(row.preference) for row in rows])
    for key in ("win_rate", "standard_error", "discrete_win_rate"):
        assert getattr(summary, key) == pytest.approx(float(published[key]), abs=1e-9)
    for key in ("n_wins", "n_wins_base", "n_draws", "n_total"):
        assert getattr(summary, key) == int(published[key])
    assert summary.n_failed == 0
    assert tabulate_preferences(rows).values.shape == (1, 805, 1)


def test_logprobs_give_the_stored_preferences(shared_data: Path) -> None:
    rows = read_annotations(shared_data / "alpaca_eval" / "results" / "alpaca-7b" / "annotations.json.gz")
    parsed = 0
    for row in rows:
        if row.raw_completion is None:  # both answers are the same text: a draw that was never judged
            assert row.output_1 == row.output_2
            continue
        shown = parse_logprobs(row.raw_completion["logprobs"]["content"])
        assert shown is not None
        stored = turn(shown) if draw_order(row.instruction) else shown
        assert stored == pytest.approx(row.preference, abs=1e-6)
        parsed += 1
    assert parsed == 802


@settings(max_examples=examples(40))
@given(st.lists(st.sampled_from([-1.0, 0.0, 1.0, 1.2, 1.5, 1.500001, 1.8, 2.0, 2.6]), min_size=2, max_size=30))
def test_same_as_alpaca_eval(raw: list[float]) -> None:
    # Not asked: 0.6 or 2.4, which alpaca_eval rounds before it checks, so that they count in its discrete rate alone.
    metrics = pytest.importorskip("alpaca_eval.metrics")
    theirs = metrics.get_winrate([{"preference": value} for value in raw])
    ours = summarize_preferences([scale_preference(value) for value in raw])
    assert ours.n_total == theirs["n_total"]
    assert ours.n_failed == len(raw) - theirs["n_total"]
    if ours.n_total:
        assert ours.discrete_win_rate == pytest.approx(theirs["discrete_win_rate"])
    for key in ("win_rate", "n_wins", "n_wins_base", "n_draws"):
        if ours.n_total:
            assert getattr(ours, key) == pytest.approx(theirs[key])
    if ours.n_total > 1:
        assert ours.standard_error == pytest.approx(theirs["standard_error"], abs=1e-9)


@given(preferences, st.randoms())
def test_order_of_rows_is_nothing_and_changing_sides_mirrors(values: list[float | None], random: object) -> None:
    summary = summarize_preferences(values)
    shuffled = sorted(values, key=lambda value: random.random())  # type: ignore[attr-defined]
    mirrored = summarize_preferences([None if value is None else 1 - value for value in values])
    again = summarize_preferences(shuffled)
    assert (again.n_wins, again.n_failed) == (summary.n_wins, summary.n_failed)
    assert again.win_rate == pytest.approx(summary.win_rate)
    if summary.win_rate is not None and mirrored.win_rate is not None:
        assert mirrored.win_rate == pytest.approx(100 - summary.win_rate)


def test_nothing_judged() -> None:
    summary = summarize_preferences([None, float("nan")])
    assert (summary.win_rate, summary.standard_error, summary.n_total, summary.n_failed) == (None, None, 0, 2)


@pytest.mark.parametrize("values", [[0.7], [0.7, None], [float("nan"), 0.7]])
def test_one_judgement_has_a_rate_and_no_error(values: list[float | None]) -> None:
    summary = summarize_preferences(values)
    assert (summary.win_rate, summary.standard_error, summary.n_total) == (pytest.approx(70), None, 1)
    assert summarize_preferences([*values, 0.7]).standard_error == 0


@pytest.mark.parametrize(
    ("raw", "scaled"),
    [(0, 0.5), (1, 0), (1.5, 0.5), (2, 1), (-1, None), (None, None), (float("nan"), None), (3, None)],
)
def test_what_counts_as_a_preference(raw: float | None, scaled: float | None) -> None:
    assert scale_preference(raw) == scaled
