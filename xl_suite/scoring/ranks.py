"""Ranks of several models as simultaneous intervals: with 95 % confidence, all of them are right.

Overlapping intervals do not test two models, and pairwise wins can be circular. So every pair is compared on the
prompts that all models have, as in `compare`. A difference counts if it is beyond the 95 % quantile, over resamples,
of the largest difference of any pair by chance (the maximum of studentised differences; Mogstad, Romano, Shaikh and
Wilhelm 2024, "Inference for ranks"). A model's best rank is one plus the number of models that are significantly
better; its worst rank is the number of models that are not significantly worse. scripts/benchmarks/ranks.py measures
it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xl_suite.scoring.compare import add_unseen, guess_square
from xl_suite.scoring.preferences import Array, average
from xl_suite.scoring.student import find_t

LEAST_PROMPTS = 10
BLOCK = 250  # resamples at a time: 40 models have 1,600 differences in each


@dataclass(frozen=True, slots=True)
class Rank:
    """best, worst: the interval of a model's rank, from 1."""

    best: int
    worst: int


def rank_models(
    values: Array, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[Rank, ...] | None:
    """The simultaneous rank intervals of models by their mean over languages; None with fewer than ten prompts.

    values: models x prompts x languages in [0, 1], NaN for what is missing; a prompt counts in a language where all
    models have it.
    """
    shared: NDArray[np.bool_] = np.all(~np.isnan(values), axis=0)
    rows, columns = shared.any(axis=1), shared.any(axis=0)
    if int(rows.sum()) < LEAST_PROMPTS:
        return None
    known = np.where(shared, values, np.nan)[:, rows][:, :, columns]
    influence = find_influence(known)
    means = np.stack([average(one, axis=0).mean() for one in known])
    models, n = influence.shape
    scaled = influence * math.sqrt(n / (n - 1))
    products = scaled @ scaled.T
    own = np.diag(products)
    errors = np.sqrt(np.maximum(own[:, None] + own - 2 * products, 0))
    across = np.stack([average(one, axis=1) for one in known])
    squares = np.stack([guess_square(one - across) for one in across])
    center, spread = add_unseen(means[:, None] - means, errors, n, squares)
    critical = _find_critical(scaled, errors, confidence, resamples, seed) * find_t(n - 1) / find_t(math.inf)
    better = center > critical * spread
    return tuple(Rank(1 + int(better[:, model].sum()), models - int(better[model].sum())) for model in range(models))


def find_influence(values: Array) -> Array:
    """The contribution of each prompt to a model's mean over languages, minus its expectation: models x prompts."""
    present = ~np.isnan(values[0])
    deviations = np.where(present, values - np.stack([average(one, axis=0) for one in values])[:, None], 0)
    influence: Array = (deviations / present.sum(axis=0)).sum(axis=2) / values.shape[2]
    return influence


def _find_critical(scaled: Array, errors: Array, confidence: float, resamples: int, seed: int) -> float:
    """The quantile of the largest studentised difference of any pair, by normal weights of the prompts."""
    measured = errors > 1e-12
    if not measured.any():
        return 0.0
    weights = np.where(measured, 1 / np.where(measured, errors, 1), 0)
    largest = np.concatenate(
        [
            (np.abs(drawn[:, :, None] - drawn[:, None, :]) * weights).max(axis=(1, 2))
            for drawn in _draw(scaled, resamples, seed)
        ]
    )
    return float(np.quantile(largest, confidence))


def _draw(scaled: Array, resamples: int, seed: int) -> Iterator[Array]:
    """Blocks of resampled deviations of the models' means, resamples x models."""
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, BLOCK):
        yield generator.standard_normal((min(BLOCK, resamples - start), scaled.shape[1])) @ scaled.T
