"""Two judges' verdicts: agreement with its interval, ranks, and what length goes with."""

from __future__ import annotations

import numpy as np
import pytest

from xl_suite.bridging.judges import compare_verdicts, correlate_ranks, measure_length_bias
from xl_suite.scoring.agreement import cohen_kappa, to_outcomes


def test_agreement_is_cohens() -> None:
    draw = np.random.default_rng(0)
    one = draw.random(300)
    other = np.clip(one + draw.normal(0, 0.3, 300), 0, 1)
    one[::50] = 0.5
    other[7] = np.nan
    found = compare_verdicts(one, other, np.ones(300), [f"p{place % 100}" for place in range(300)])
    assert found is not None
    assert found.n == 299
    assert found.kappa == pytest.approx(cohen_kappa(to_outcomes(one), to_outcomes(other)))
    assert found.kappa_low is not None
    assert found.kappa_high is not None
    assert found.kappa_low < found.kappa < found.kappa_high  # type: ignore[operator]
    assert found.flips + found.agreement < 1  # draws are neither


def test_agreement_interval_covers() -> None:
    """60 clusters of 3 rows, true agreement 3/4 with even margins: kappa 1/2, covered nine times in ten at least."""
    draw = np.random.default_rng(1)
    held = 0
    for number in range(100):
        one = draw.integers(0, 2, 180).astype(float)
        same = np.repeat(draw.random(60) < 0.75, 3)
        found = compare_verdicts(
            one, np.where(same, one, 1 - one), np.ones(180), np.repeat(np.arange(60), 3).tolist()
        )
        assert found is not None, number
        assert found.kappa_low is not None
        assert found.kappa_high is not None
        held += found.kappa_low <= 0.5 <= found.kappa_high
    assert held >= 88


def test_weights_count() -> None:
    one, other = np.array([1.0, 1, 0, 0]), np.array([1.0, 0, 0, 1])
    even = compare_verdicts(one, other, np.ones(4), [1, 2, 3, 4])
    heavy = compare_verdicts(one, other, np.array([3.0, 1, 3, 1]), [1, 2, 3, 4])
    assert even is not None
    assert heavy is not None
    assert (even.agreement, heavy.agreement) == (0.5, 0.75)
    assert (even.flips, heavy.flips) == (0.5, 0.25)


def test_agreement_that_cannot_be_told() -> None:
    gaps = np.full(3, np.nan)
    assert compare_verdicts(gaps, np.ones(3), np.ones(3), [1, 2, 3]) is None
    found = compare_verdicts(np.ones(3), np.ones(3), np.ones(3), [1, 2, 3])
    assert found is not None
    assert (found.agreement, found.kappa, found.kappa_low) == (1.0, None, None)


def test_ranks() -> None:
    old = np.array([10.0, 20, 30, 40, 50, 60])
    families = ["a", "a", "b", "b", "c", "c"]
    same = correlate_ranks(old, old**2, families)
    assert same is not None
    assert (same.tau, same.tau_low, same.tau_high) == pytest.approx((1, 1, 1))
    swapped = correlate_ranks(old, np.array([20.0, 10, 30, 40, 50, 60]), families)
    assert swapped is not None
    assert swapped.tau == pytest.approx(13 / 15)
    assert swapped.tau_low < swapped.tau
    assert correlate_ranks(old[:2], old[:2], families[:2]) is None
    assert correlate_ranks(old, np.ones(6), families) is None


def test_length_bias_is_found_within_models() -> None:
    """Models differ in quality and in length; the slope is that of rows of one model."""
    draw = np.random.default_rng(2)
    model = np.repeat(np.arange(6), 300)
    ratios = draw.normal(0, 0.5, 1800) + 0.3 * model
    logit = 0.7 * ratios - 0.8 * model
    wins = (draw.random(1800) < 1 / (1 + np.exp(-logit))).astype(float)
    found = measure_length_bias(wins, ratios, [f"m{one}" for one in model], list(range(1800)))
    assert found is not None
    assert found.slope == pytest.approx(0.7, abs=3 * found.standard_error)
    assert found.standard_error < 0.2
    assert measure_length_bias(wins, np.zeros(1800), [f"m{one}" for one in model], list(range(1800))) is None
