"""AlpacaEval's formula of length control: recovery of a known model, symmetry, and a published value."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xl_suite.judging.annotations import read_annotations, scale_preference
from xl_suite.scoring.alpaca_eval_length import control_as_alpaca_eval, is_alpaca_eval
from xl_suite.scoring.logistic import squash


def simulate(quality: float, seed: int, n: int = 797) -> tuple[np.ndarray, list[int], list[int]]:
    """A judge that likes length, slope 1, and a model that writes half as much again as the reference."""
    generator = np.random.default_rng(seed)
    reference = generator.lognormal(7, 0.5, n).astype(int) + 1
    model = (reference * generator.lognormal(np.log(1.5), 0.4, n)).astype(int) + 1
    lengths = np.tanh((model - reference) / ((model.mean() + reference.mean()) / 2))
    wins = (generator.random(n) < squash(quality + lengths)).astype(float)
    return wins, list(model), list(reference)


def test_finds_the_rate_at_equal_lengths_and_its_error() -> None:
    found = [control_as_alpaca_eval(*simulate(-0.4, seed), [True] * 797) for seed in range(60)]
    rates = np.array([one.win_rate for one in found if one])
    errors = np.array([one.standard_error for one in found if one])
    truth = 100 * float(squash(np.array([-0.4]))[0])
    assert abs(rates.mean() - truth) < 1
    raw = np.mean([simulate(-0.4, seed)[0].mean() for seed in range(60)]) * 100
    assert raw > truth + 5
    assert errors.mean() == pytest.approx(rates.std(), rel=0.3)
    assert np.mean(np.abs(rates - truth) < 1.96 * errors) > 0.85


def test_changing_sides_mirrors_and_order_does_not_matter() -> None:
    wins, model, reference = simulate(0.3, 1)
    one = control_as_alpaca_eval(wins, model, reference, [True] * 797)
    other = control_as_alpaca_eval(1 - wins, reference, model, [True] * 797)
    back = control_as_alpaca_eval(wins[::-1], model[::-1], reference[::-1], [True] * 797)
    assert one
    assert other
    assert back
    assert other.win_rate == pytest.approx(100 - one.win_rate)
    assert other.standard_error == pytest.approx(one.standard_error)
    assert back.win_rate == pytest.approx(one.win_rate)


def test_rows_left_out_and_too_few() -> None:
    wins, model, reference = simulate(0.3, 2)
    usable = [place < 100 for place in range(797)]
    part = control_as_alpaca_eval(wins, model, reference, usable)
    alone = control_as_alpaca_eval(wins[:100], model[:100], reference[:100], [True] * 100)
    assert part
    assert alone
    assert part.win_rate == alone.win_rate
    assert control_as_alpaca_eval(wins[:19], model[:19], reference[:19], [True] * 19) is None


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_one_side_always_wins(value: float) -> None:
    found = control_as_alpaca_eval(np.full(100, value), [10] * 100, [1000] * 100, [True] * 100)
    assert found
    assert found.win_rate == pytest.approx(100 * value, abs=1)
    assert np.isfinite(found.standard_error)


def test_published_value_of_a_real_model(shared_data: Path) -> None:
    """5.875 is published, with the difficulty by row number; ours knows lengths alone."""
    results = shared_data / "alpaca_eval" / "results"
    published = json.loads((results / "leaderboard.json").read_text())["alpaca-7b"]["length_controlled_winrate"]
    rows = read_annotations(results / "alpaca-7b" / "annotations.json.gz")
    found = control_as_alpaca_eval(
        np.array([scale_preference(row.preference) for row in rows], dtype=float),
        [len(row.output_2) for row in rows],
        [len(row.output_1) for row in rows],
        [True] * len(rows),
    )
    assert found
    assert found.win_rate == pytest.approx(float(published), abs=0.1)
    instructions = [row.instruction for row in rows]
    assert is_alpaca_eval(rows[0].annotator, instructions)
    assert not is_alpaca_eval("another judge", instructions)
    assert not is_alpaca_eval(rows[0].annotator, [*instructions[:-1], "another prompt"])


def test_slope_is_held_where_few_rows_speak_of_it() -> None:
    """A judge that does not look at lengths: 100 rows leave the slope near its prior of 1, 20,000 bring it to 0."""
    slopes = []
    for n in (100, 20_000):
        _, model, reference = simulate(0, 3, n)
        wins = (np.random.default_rng(4).random(n) < 0.5).astype(float)
        found = control_as_alpaca_eval(wins, model, reference, [True] * n)
        assert found
        slopes.append(found.slope)
    assert 0.6 < slopes[0] < 1.1
    assert abs(slopes[1]) < 0.15
