"""The win rate at equal lengths, by a judge whose length slope is known.

A judge's slope cannot be estimated from the judgements to be controlled: longer answers of better models win because
they are better. So it is measured separately (`auditing.length_slope`) and only subtracted here. The joint effect of
length and quality is a regression of the preference on x, the logarithm of the ratio of lengths:

    logistic(a + b x),        and at equal lengths        logistic(a + (b - slope) x),

averaged over the rows, so that the correlation of quality with length is kept. b does not influence the slope. Errors
come from a sandwich estimate; the error of the slope is added by its derivative.

The slope was measured on pairs of equal content. Where pairs differ in quality, mean preferences move less with
length than that, because quality decides many of them. The correlation of a prompt's results between languages
shows how much less (`find_weakening`); differences that languages do not share look like the judge's chance and are
left out. scripts/benchmarks/length_control.py measures coverage and width, this case included.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xl_suite.scoring.logistic import fit_logistic, squash
from xl_suite.scoring.preferences import Array

LEAST_ROWS = 20
LEAST_OUTCOMES = 10.0  # wins, and losses: fewer determine no regression on lengths
COMPARABLE = 2.0  # the maximum ratio of two comparable lengths
PENALTY = 1e-6  # keeps the fit finite


# The variance of the normal variable, in units of a logit, by which a logistic function of a normal mean flattens:
# E[logistic(m + s z)] is about logistic(m / sqrt(1 + FLATTENING s^2)) (Zeger, Liang and Albert 1988).
FLATTENING = (16 * math.sqrt(3) / (15 * math.pi)) ** 2


@dataclass(frozen=True, slots=True)
class LengthFit:
    """The regression of preferences on lengths in one language.

    rows: the mask of the given rows that are used. ratios: logarithms of the ratios of lengths, model to reference.
    margins: a + b x. influence: the contribution of each row to (a, b), n x 2. residuals: preferences minus
    predictions.
    """

    rows: NDArray[np.bool_]
    ratios: Array
    margins: Array
    influence: Array
    residuals: Array

    @property
    def steepness(self) -> Array:
        """The change of each predicted preference for a change of one logit."""
        predicted = squash(self.margins)
        result: Array = predicted * (1 - predicted)
        return result


@dataclass(frozen=True, slots=True)
class LengthControl:
    """The win rate at equal lengths in percent. n_rows: the rows of the fit.

    influence: the contribution of each given row to the estimate's error in percent points, 0 for rows left out.
    slope_effect: the change of the rate, in percent points, for each unit of the judge's slope.
    """

    win_rate: float
    n_rows: int
    influence: Array
    slope_effect: float


def fit_lengths(
    preferences: Array, model_lengths: Sequence[int], reference_lengths: Sequence[int], usable: Sequence[bool]
) -> LengthFit | str:
    """The regression of one language, or why a rate at equal lengths is not identified.

    preferences: 0 to 1, NaN where the judgement failed. lengths: characters. usable: rows where both answers are in
    the target language; the length of an answer in another language is no measure of verbosity.
    """
    model, reference = np.array(model_lengths, float), np.array(reference_lengths, float)
    rows = np.array(usable, dtype=bool) & ~np.isnan(preferences) & (model > 0) & (reference > 0)
    n = int(rows.sum())
    if n < LEAST_ROWS:
        return f"{n} rows with both answers in the language, of {LEAST_ROWS} that are needed"
    y = preferences[rows]
    if min(float(y.sum()), n - float(y.sum())) < LEAST_OUTCOMES:
        return f"fewer than {LEAST_OUTCOMES:g} wins or losses"
    x = np.log(model[rows] / reference[rows])
    if int((np.abs(x) <= math.log(COMPARABLE)).sum()) < LEAST_ROWS:
        return f"fewer than {LEAST_ROWS} pairs of comparable length (up to {COMPARABLE:g} times)"
    features = np.column_stack([np.ones(n), x])
    penalty = np.full(2, PENALTY)
    weights = fit_logistic(y, features, np.zeros(2), penalty)
    predicted = squash(features @ weights)
    hessian = features.T @ (features * (predicted * (1 - predicted))[:, None]) + np.diag(penalty)
    residuals: Array = y - predicted
    influence: Array = (features * residuals[:, None]) @ np.linalg.inv(hessian)
    return LengthFit(rows, x, features @ weights, influence, residuals)


def control_length(fit: LengthFit, slope: float, weakening: float = 1.0) -> LengthControl:
    """The win rate of one language at equal lengths. slope: the judge's; weakening: see `find_weakening`."""
    at_equal = squash(fit.margins - weakening * slope * fit.ratios)
    steepness = at_equal * (1 - at_equal)
    n = len(at_equal)
    gradient = np.array([steepness.mean(), np.mean(steepness * fit.ratios)])
    influence = np.zeros(len(fit.rows))
    influence[fit.rows] = 100 * (fit.influence @ gradient + (at_equal - at_equal.mean()) / n)
    return LengthControl(float(at_equal.mean() * 100), n, influence, float(-100 * weakening * gradient[1]))


def find_weakening(residuals: Array, steepness: Array) -> float:
    """The fraction, 0 to 1, of the judge's slope that appears in mean preferences; 1 where languages share no
    prompts.

    residuals, steepness: prompts x languages, NaN where missing. The covariance of a prompt's residuals in two
    languages estimates the variance of their common part, on the scale of preferences.
    """
    present = ~np.isnan(residuals)
    r, w = np.where(present, residuals, 0), np.where(present, steepness, 0)
    products = float(np.sum(r.sum(axis=1) ** 2 - np.sum(r**2, axis=1)))
    scale = float(np.sum(w.sum(axis=1) ** 2 - np.sum(w**2, axis=1)))
    share = products / scale if scale > 0 else 0.0
    return math.sqrt(min(1.0, max(0.0, 1 - FLATTENING * share)))
