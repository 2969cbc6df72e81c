"""Intervals against Clopper and Pearson's, invariants, and coverage on simulated judges with fixed seeds."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tests.examples import examples
from xl_suite.scoring.intervals import (
    Resampled,
    bound_macro,
    bound_means,
    draw_weights,
    guess_unseen,
    resample_means,
    standard_error_of_macro,
)
from xl_suite.scoring.preferences import average

tables = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12),
    elements=st.one_of(st.just(math.nan), st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1)),
)


def find_root(f: Callable[[float], float]) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) > 0 else (low, middle)
    return low


def clopper_pearson(wins: int, n: int) -> tuple[float, float]:
    """From the definition: the rates at which so many wins, or more (fewer), have a chance of 2.5 %."""

    def at_most(k: int, p: float) -> float:
        return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))

    low = find_root(lambda p: 0.025 - (1 - at_most(wins - 1, p))) if wins else 0.0
    high = find_root(lambda p: at_most(wins, p) - 0.025) if wins < n else 1.0
    return low, high


@pytest.mark.parametrize("wins", [0, 1, 5, 40, 99, 100])
def test_wins_and_losses_give_clopper_and_pearsons_interval(wins: int) -> None:
    values = np.array([[1.0]] * wins + [[0.0]] * (100 - wins))
    found = bound_means(values, resamples=40_000)
    low, high = clopper_pearson(wins, 100)
    assert found.low[0] == pytest.approx(low, abs=0.003)
    assert found.high[0] == pytest.approx(high, abs=0.003)
    assert (found.macro_low, found.macro_high) == pytest.approx((found.low[0], found.high[0]), abs=1e-5)


@given(tables)
@settings(max_examples=examples(60))
def test_bounds_stay_on_the_scale_and_hold_the_estimate(values: np.ndarray) -> None:
    found = bound_means(values, resamples=300)
    means = average(values, axis=0)
    for mean, low, high in zip(means, found.low, found.high, strict=True):
        assert 0 <= low <= high <= 1
        if not math.isnan(mean):
            assert low <= mean + 1e-6
            assert high >= mean - 1e-6
    assert 0 <= found.macro_low <= found.macro_high <= 1
    if not np.isnan(means).all():
        assert found.macro_low - 1e-6 <= np.nanmean(means) <= found.macro_high + 1e-6


@given(tables)
@settings(max_examples=examples(60))
def test_changing_sides_mirrors_the_intervals(values: np.ndarray) -> None:
    found, mirrored = bound_means(values, resamples=300), bound_means(1 - values, resamples=300)
    assert mirrored.low == pytest.approx([1 - high for high in found.high], abs=1e-5)
    assert mirrored.macro_high == pytest.approx(1 - found.macro_low, abs=1e-5)


def test_prompts_that_agree_across_languages_are_worth_one_language() -> None:
    generator = np.random.default_rng(3)
    one = (generator.random((797, 1)) < 0.3).astype(float)
    same = bound_means(np.repeat(one, 11, axis=1))
    apart = bound_means((generator.random((797, 11)) < 0.3).astype(float))
    assert same.macro_high - same.macro_low == pytest.approx(same.high[0] - same.low[0], rel=1e-4)
    assert apart.macro_high - apart.macro_low < 0.5 * (same.macro_high - same.macro_low)
    assert standard_error_of_macro(np.repeat(one, 11, axis=1)) == pytest.approx(one.std(ddof=1) / math.sqrt(797))


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.3, 1.0])
@pytest.mark.parametrize("shared", [False, True])
def test_an_unseen_win_is_shared_as_those_seen_are_and_as_three_won_everywhere(rate: float, shared: bool) -> None:
    """The mean, over all wins in any language, of the share of languages in which the win's prompt is won."""
    wins = np.random.default_rng(2).random((200, 1 if shared else 11)) < rate
    wins = np.broadcast_to(wins, (200, 11)) if shared else wins
    everywhere = np.ones((3, 11), dtype=bool)
    prompts, _ = np.nonzero(np.concatenate([wins, everywhere]))
    expected = np.mean(np.concatenate([wins, everywhere]).mean(axis=1)[prompts])
    assert guess_unseen(wins.mean(axis=1)) == pytest.approx(expected)
    if shared or rate in (0, 1):
        assert expected == pytest.approx(1)


def test_wins_that_languages_do_not_share_narrow_the_macro_interval() -> None:
    wins = (np.random.default_rng(4).random((300, 11)) < 0.05).astype(float)
    resampled = resample_means(wins, 2000)
    low, high = bound_macro(wins, resampled, 0.025)
    assert high < np.quantile(resampled.add_unseen(1).mean(axis=1), 0.975) - 0.001
    low, high = bound_macro(1 - wins, resample_means(1 - wins, 2000), 0.025)
    assert low > np.quantile(resample_means(1 - wins, 2000).add_unseen(0).mean(axis=1), 0.025) + 0.001


def test_prompts_without_any_judgement_do_not_count() -> None:
    values = np.random.default_rng(6).random((60, 3))
    resampled = resample_means(values, 500)
    more = np.concatenate([values, np.full((5, 3), math.nan)])
    assert bound_macro(more, resampled, 0.025) == bound_macro(values, resampled, 0.025)


def test_same_seed_same_bounds_and_blocks_do_not_matter() -> None:
    values = np.random.default_rng(0).random((50, 3))
    assert bound_means(values, seed=7) == bound_means(values, seed=7)
    assert bound_means(values, seed=7) != bound_means(values, seed=8)
    sizes = [len(block) for block in draw_weights(50, 2500, 7)]
    assert sum(sizes) == 2500
    assert max(sizes) <= 1000


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.2, 0.65])
@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_coverage_of_simulated_judges(rate: float, correlation: float) -> None:
    """200 simulations of 797 prompts x 5 languages; 91 % is three standard errors below 95 % (language: more)."""
    simulations, languages = 200, 5
    generator = np.random.default_rng(5)
    cut = np.quantile(generator.standard_normal(2_000_000), 1 - rate)
    shared = math.sqrt(correlation) * generator.standard_normal((797, simulations, 1))
    normals = shared + math.sqrt(1 - correlation) * generator.standard_normal((797, simulations, languages))
    values = (normals > cut).astype(float)
    resampled = resample_means(values.reshape(797, -1), 4000)
    low = np.quantile(resampled.add_unseen(0), 0.025, axis=0)
    high = np.quantile(resampled.add_unseen(1), 0.975, axis=0)
    assert np.mean((low <= rate) & (rate <= high)) >= 0.925
    held = 0
    for number in range(simulations):
        columns = slice(number * languages, (number + 1) * languages)
        part = Resampled(resampled.sums[:, columns], resampled.weights, resampled.unseen)
        bottom, top = bound_macro(values[:, number], part, 0.025)
        held += bottom <= rate <= top
    assert held / simulations >= 0.91
