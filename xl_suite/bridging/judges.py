"""Two judges' verdicts on the same rows: how far they agree, beside how far the old judge agrees with itself.

What two judges can agree at most is what one of them agrees with itself when it is asked again: the noise ceiling.
Where weights are given they are 1 / the probability with which a row was drawn. Intervals resample prompts (or
families, for ranks), with the weights of `scoring.intervals`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xl_suite.scoring.agreement import to_outcomes
from xl_suite.scoring.intervals import draw_weights
from xl_suite.scoring.logistic import fit_logistic, squash
from xl_suite.scoring.preferences import Array

RESAMPLES = 2000
OUTCOMES = 3  # the reference wins, a draw, the model wins

PENALTY = 1e-3  # keeps the fit finite when one side wins every time


@dataclass(frozen=True, slots=True)
class Agreement:
    """n: pairs of verdicts. agreement: share with the same outcome; flips: share whose winner is the other side.

    kappa: Cohen's (1960), None where one outcome alone occurs; kappa_low, kappa_high: its 95 % interval over prompts.
    """

    n: int
    agreement: float
    flips: float
    kappa: float | None
    kappa_low: float | None
    kappa_high: float | None


@dataclass(frozen=True, slots=True)
class Ranks:
    """Kendall's tau-b of the models' rates under both judges, with a 95 % interval over families."""

    n_models: int
    tau: float
    tau_low: float
    tau_high: float


@dataclass(frozen=True, slots=True)
class LengthBias:
    """By how many logits a judge's preference rises when an answer is e times as long, models held apart.

    This is what length goes with on these rows, not what length alone does: longer answers may be better ones.
    """

    n: int
    slope: float
    standard_error: float


def compare_verdicts(
    one: Array, other: Array, weights: Array, prompts: Sequence[Hashable], *, seed: int = 0
) -> Agreement | None:
    """The agreement of pairs of preferences in [0, 1]; None where no pair is complete.

    A pair with a gap (NaN) is left out. For a judge's agreement with itself, give the pairs of its repeats.
    """
    both = ~np.isnan(one) & ~np.isnan(other)
    if not both.any():
        return None
    cells = (2 * to_outcomes(one[both])).astype(int) * OUTCOMES + (2 * to_outcomes(other[both])).astype(int)
    places = number([prompt for prompt, complete in zip(prompts, both, strict=True) if complete])
    counts = np.zeros((int(places.max()) + 1, OUTCOMES**2))
    np.add.at(counts, (places, cells), weights[both])
    total = counts.sum(axis=0)
    shares = total.reshape(OUTCOMES, OUTCOMES) / total.sum()
    kappa = _find_kappa(total[None, :])[0]
    drawn = np.concatenate([block[:, :-1] @ counts for block in draw_weights(len(counts), RESAMPLES, seed)])
    kappas = _find_kappa(drawn)
    known = kappas[~np.isnan(kappas)]
    bounds = (None, None) if np.isnan(kappa) else tuple(map(float, np.quantile(known, [0.025, 0.975])))
    return Agreement(
        n=int(both.sum()),
        agreement=float(np.trace(shares)),
        flips=float(shares[0, -1] + shares[-1, 0]),
        kappa=None if np.isnan(kappa) else float(kappa),
        kappa_low=bounds[0],
        kappa_high=bounds[1],
    )


def correlate_ranks(old: Array, new: Array, families: Sequence[str], *, seed: int = 0) -> Ranks | None:
    """How far two judges rank the models alike; None below three models, or where a judge gives all the same rate."""
    count = len(old)
    places = number(families)
    signs = np.sign(old[:, None] - old[None, :]), np.sign(new[:, None] - new[None, :])
    if count < 3 or not all(sign.any() for sign in signs):
        return None
    drawn = np.concatenate([block[:, :-1] for block in draw_weights(int(places.max()) + 1, RESAMPLES, seed)])
    taus = _find_tau(*signs, np.concatenate([np.ones((1, count)), drawn[:, places]]))
    low, high = np.quantile(taus[1:], [0.025, 0.975])
    return Ranks(count, float(taus[0]), float(low), float(high))


def measure_length_bias(
    preferences: Array, log_ratios: Array, models: Sequence[str], prompts: Sequence[Hashable]
) -> LengthBias | None:
    """A judge's slope on the logarithm of (the model's length / the reference's), with a level for each model.

    Every row counts alike. The error is a sandwich estimate, clustered on prompts. None where lengths do not differ
    within a model's rows.
    """
    known = ~np.isnan(preferences) & np.isfinite(log_ratios)
    if not known.any():
        return None
    places = number([model for model, one in zip(models, known, strict=True) if one])
    levels = (places[:, None] == np.arange(int(places.max()) + 1)).astype(float)
    x, y = log_ratios[known], preferences[known]
    if float(np.abs(x - levels @ (levels.T @ x / levels.sum(axis=0))).max()) < 1e-9:
        return None
    features = np.column_stack([levels, x])
    penalty = np.full(features.shape[1], PENALTY)
    fitted = fit_logistic(y, features, np.zeros(features.shape[1]), penalty)
    predicted = squash(features @ fitted)
    hessian = features.T @ (features * (predicted * (1 - predicted))[:, None]) + np.diag(penalty)
    clusters = number([prompt for prompt, one in zip(prompts, known, strict=True) if one])
    sums = np.zeros((int(clusters.max()) + 1, features.shape[1]))
    np.add.at(sums, clusters, features * (y - predicted)[:, None])
    influence = sums @ np.linalg.inv(hessian)[:, -1]
    return LengthBias(len(y), float(fitted[-1]), float(np.sqrt(np.sum(influence**2))))


def number(names: Sequence[Hashable]) -> NDArray[np.int64]:
    """The place of each name among the different ones."""
    places: dict[Hashable, int] = {}
    return np.array([places.setdefault(name, len(places)) for name in names], dtype=np.int64)


def _find_kappa(counts: Array) -> Array:
    """Kappa of each row of counts of the nine pairs of outcomes; NaN where chance alone explains everything."""
    shares = (counts / counts.sum(axis=1, keepdims=True)).reshape(-1, OUTCOMES, OUTCOMES)
    agreed = np.trace(shares, axis1=1, axis2=2)
    expected = np.sum(shares.sum(axis=2) * shares.sum(axis=1), axis=1)
    sure = expected >= 1 - 1e-12
    return np.where(sure, np.nan, (agreed - expected) / np.where(sure, 1, 1 - expected))


def _find_tau(one: Array, other: Array, weights: Array) -> Array:
    """Tau-b for each row of the models' weights, given the signs of their differences."""
    together = np.einsum("ri,ij,rj->r", weights, one * other, weights, optimize=True)
    untied = [np.einsum("ri,ij,rj->r", weights, np.abs(sign), weights, optimize=True) for sign in (one, other)]
    product = np.sqrt(untied[0] * untied[1])
    return np.where(product > 0, together / np.where(product > 0, product, 1), 0.0)
