"""The length-controlled win rate, for any set of prompts: what the win rate would be at equal lengths.

AlpacaEval's model (Dubois et al. 2024, arXiv 2404.04475) explains a preference by the model's quality, the
difference in length and the prompt's difficulty. It looks the difficulty up by row number, which is meaningless on
any other set of prompts, and measures lengths in the model's own standard deviations. Here a preference is

    logistic(quality + slope x tanh(difference)),   difference = (model - reference) / (mean length of the two)

with lengths in characters and the mean over both sides and all rows, so that the sides can change places. The
length-controlled win rate is logistic(quality), what the model predicts at equal lengths. The slope is held near
`SLOPE` by a ridge penalty: a model whose answers are all about as long as the reference's, or nearly all worse,
cannot show what length buys. The preferences may lie between 0 and 1, the errors are those of a sandwich
estimate, clustered on prompts. scripts/benchmarks/length_control.py compares it with AlpacaEval's published
values: over 56 published models the slope and penalty below came closest (mean error 0.7 points, rank correlation
0.99; other penalties and measures of length, such as the logarithm of the ratio, came less close).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xl_suite.scoring.preferences import Array

SLOPE = 1.0
PENALTY = 30.0
QUALITY_PENALTY = 1e-3  # keeps the fit finite when one side wins every time
LEAST_ROWS = 20


@dataclass(frozen=True, slots=True)
class LengthControl:
    """length_controlled_winrate and lc_standard_error in percent; n_rows: the rows of the fit.

    influence: what each of the rows given adds to the estimate's error, in percent points, 0 for rows left out;
    summed over languages by prompt, it gives the error of a macro average.
    """

    length_controlled_winrate: float
    lc_standard_error: float
    slope: float
    n_rows: int
    influence: Array


def control_length(
    preferences: Array, model_lengths: Sequence[int], reference_lengths: Sequence[int], usable: Sequence[bool]
) -> LengthControl | None:
    """The length-controlled win rate of one language; None with fewer than twenty usable rows.

    preferences: 0 to 1, NaN where the judgement failed. usable: rows where both answers are in the target language;
    the length of an answer in another language says nothing about verbosity.
    """
    rows = np.array(usable, dtype=bool) & ~np.isnan(preferences)
    n = int(rows.sum())
    if n < LEAST_ROWS:
        return None
    y = preferences[rows]
    model, reference = np.array(model_lengths, float)[rows], np.array(reference_lengths, float)[rows]
    mean = max(1.0, float(model.mean() + reference.mean()) / 2)
    features = np.column_stack([np.ones(n), np.tanh((model - reference) / mean)])
    prior, penalty = np.array([0.0, SLOPE]), np.array([QUALITY_PENALTY, PENALTY])
    weights = fit_logistic(y, features, prior, penalty)
    predicted = squash(features @ weights)
    hessian = features.T @ (features * (predicted * (1 - predicted))[:, None]) + np.diag(penalty)
    at_equal = float(squash(weights[:1])[0])
    scores = features * (y - predicted)[:, None]
    influence = np.zeros(len(preferences))
    influence[rows] = 100 * at_equal * (1 - at_equal) * (scores @ np.linalg.inv(hessian)[:, 0])
    return LengthControl(
        length_controlled_winrate=at_equal * 100,
        lc_standard_error=float(np.sqrt(n / (n - 1) * np.sum(influence**2))),
        slope=float(weights[1]),
        n_rows=n,
        influence=influence,
    )


def fit_logistic(y: Array, features: Array, prior: Array, penalty: Array) -> Array:
    """Newton's method for a logistic model of y in [0, 1], with each weight drawn to its prior by its penalty."""
    weights = prior.copy()
    for _ in range(200):
        predicted = squash(features @ weights)
        gradient = features.T @ (y - predicted) - penalty * (weights - prior)
        hessian = features.T @ (features * (predicted * (1 - predicted))[:, None]) + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        size = float(np.abs(step).max())
        # A long step from where the curve is flat would overshoot; the function is concave, so short ones get there.
        weights = weights + step * min(1.0, 1 / size if size > 0 else 1.0)
        if size < 1e-10:
            break
    return weights


def squash(x: Array) -> Array:
    """The logistic function, without overflow."""
    result: Array = 0.5 * (1 + np.tanh(x / 2))
    return result
