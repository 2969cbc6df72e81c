"""Rank intervals: they agree with the pairs' tests, hold together, and know what they cannot tell."""

from __future__ import annotations

import numpy as np
import pytest

from xl_suite.scoring.compare import compare_values
from xl_suite.scoring.ranks import Rank, rank_models


def draw(rates: list[float], prompts: int = 300, languages: int = 2, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    chances = np.array(rates)[:, None, None]
    return (generator.random((len(rates), prompts, languages)) < chances).astype(float)


def test_clear_models_have_one_rank_and_equal_ones_share_a_range() -> None:
    assert rank_models(draw([0.1, 0.9, 0.5, 0.5])) == (Rank(4, 4), Rank(1, 1), Rank(2, 3), Rank(2, 3))


def test_models_whose_own_intervals_overlap_can_be_told_apart() -> None:
    """Both win the same hard half of the prompts or lose it; what differs lies in few prompts."""
    values = np.repeat((np.arange(400) % 2).astype(float), 2).reshape(1, 400, 2).repeat(2, axis=0)
    values[1, :40:2] = 1.0
    errors = values.mean(axis=2).std(axis=1) / 20
    means = values.mean(axis=(1, 2))
    assert means[0] + 1.96 * errors[0] > means[1] - 1.96 * errors[1]
    assert rank_models(values) == (Rank(2, 2), Rank(1, 1))
    assert (compare_values(values[1], values[0]).p_value or 1) < 0.001


def test_missing_prompts_are_left_out_for_all() -> None:
    values = draw([0.2, 0.8], languages=3)
    values[0, 100:, 2] = np.nan
    values[1, :50] = np.nan
    assert rank_models(values) == rank_models(np.where(np.isnan(values).any(axis=0), np.nan, values))
    assert rank_models(values[:, :55]) is None, "five prompts are in common"
    assert rank_models(np.where(np.arange(300)[:, None] < 5, values, np.nan)) is None


def test_the_same_models_are_never_told_apart() -> None:
    values = draw([0.3]).repeat(5, axis=0)
    assert set(rank_models(values) or ()) == {Rank(1, 5)}


@pytest.mark.parametrize("rates", [[0.3] * 10, [0.01] * 10])
def test_few_families_of_equal_models_have_any_difference(rates: list[float]) -> None:
    found = [rank_models(draw(rates, 200, 1, seed), resamples=300, seed=seed) or () for seed in range(100)]
    assert sum(any(rank != Rank(1, 10) for rank in ranks) for ranks in found) <= 10
