"""Win rates of the same rows under two judges, on the logit, with the error that the drawn prompts leave in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from xl_suite.scoring.preferences import Array


@dataclass(frozen=True, slots=True)
class Rate:
    """One model in one language under both judges.

    old, new: logits of the win rates. old_variance, new_variance, covariance: of their errors, which are those of
    the prompts drawn; both judges saw the same prompts, so the errors go together. n: rows that both judged.
    """

    model: str
    family: str
    language: str
    old: float
    new: float
    old_variance: float
    new_variance: float
    covariance: float
    n: int


def measure_rate(old: Array, new: Array, weights: Array, *, model: str, family: str, language: str) -> Rate | None:
    """The rates of one model in one language; None where no row was judged by both.

    old, new: preferences in [0, 1] of the same rows, NaN where a judgement failed. weights: 1 / the probability
    with which each row was drawn.

    Half a row that is won and half a row that is lost, under both judges, are added: the logit of a model that
    never won stays finite, with the wide error that it deserves. The variances are those of weighted means (Hajek),
    carried to the logit by the derivative.
    """
    both = ~np.isnan(old) & ~np.isnan(new)
    if not both.any():
        return None
    old, new, weights = old[both], new[both], weights[both]
    effective = float(weights.sum() ** 2 / np.sum(weights**2))
    share = np.append(weights / weights.sum() * effective, [0.5, 0.5]) / (effective + 1)
    values = np.stack([np.append(old, [0.0, 1.0]), np.append(new, [0.0, 1.0])])
    means = values @ share
    # The two halves count as one row, by their share; a row's part in the error is the square of its share.
    squares = share**2
    squares[-2:] = 0.5 / (effective + 1) ** 2
    errors = (values - means[:, None]) * np.sqrt(squares)
    covariance = errors @ errors.T
    slopes = 1 / (means * (1 - means))
    covariance *= slopes[:, None] * slopes[None, :]
    logits = np.log(means / (1 - means))
    return Rate(
        model=model,
        family=family,
        language=language,
        old=float(logits[0]),
        new=float(logits[1]),
        old_variance=float(covariance[0, 0]),
        new_variance=float(covariance[1, 1]),
        covariance=float(covariance[0, 1]),
        n=int(both.sum()),
    )


def to_percent(logits: ArrayLike) -> Array:
    """Win rates in percent of logits."""
    return np.asarray(50 * (1 + np.tanh(np.asarray(logits) / 2)))


def to_logit(percent: float) -> float:
    return float(np.log(percent / (100 - percent)))
