"""AlpacaEval's length-controlled win rate, for its own judge and its own 805 prompts.

AlpacaEval's model (Dubois et al. 2024, arXiv 2404.04475) explains a preference by the model's quality, the
difference in length and the prompt's difficulty, which it downloads, and measures lengths in the model's own
standard deviations. Here a preference is

    logistic(quality + slope x tanh(difference)),   difference = (model - reference) / (mean length of the two)

with lengths in characters and the mean over both sides and all rows, so that the sides can change places. The
length-controlled win rate is logistic(quality), what the model predicts at equal lengths. The slope is held near
`SLOPE` by a ridge penalty: a model whose answers are all about as long as the reference's, or nearly all worse,
cannot show what length buys. The preferences may lie between 0 and 1, the errors are those of a sandwich estimate.
The slope and its penalty are of this judge on these prompts; any other is for `length_control`.

scripts/benchmarks/alpaca_eval_length.py compares it with AlpacaEval's published values: over 56 published models the
slope and penalty below came closest (mean error 0.7 points, rank correlation 0.99; other penalties and measures of
length, such as the logarithm of the ratio, came less close).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from xl_suite.scoring.logistic import fit_logistic, squash
from xl_suite.scoring.preferences import Array

JUDGE = "weighted_alpaca_eval_gpt4_turbo"
PROMPTS = 805
# SHA-256 of the instructions, sorted, with a zero byte between them.
PROMPTS_SHA256 = "b81218fd584118e2e49dd84d668c498e9377236c8a1acb5c395d4b398694c387"

SLOPE = 1.0
PENALTY = 30.0
QUALITY_PENALTY = 1e-3  # keeps the fit finite when one side always wins
LEAST_ROWS = 20


@dataclass(frozen=True, slots=True)
class AlpacaEvalControl:
    """AlpacaEval's rate at equal lengths and its error, in percent; n_rows: the rows of the fit."""

    win_rate: float
    standard_error: float
    slope: float
    n_rows: int


def is_alpaca_eval(annotator: str, instructions: Iterable[str]) -> bool:
    """Whether these are AlpacaEval's judge and exactly its 805 prompts."""
    if annotator != JUDGE:
        return False
    distinct = sorted(set(instructions))
    told = "\0".join(distinct).encode("utf-8", "surrogatepass")
    return len(distinct) == PROMPTS and hashlib.sha256(told).hexdigest() == PROMPTS_SHA256


def control_as_alpaca_eval(
    preferences: Array, model_lengths: Sequence[int], reference_lengths: Sequence[int], usable: Sequence[bool]
) -> AlpacaEvalControl | None:
    """The rate by AlpacaEval's formula; None with fewer than twenty usable rows.

    preferences: 0 to 1, NaN where the judgement failed. usable: rows where both answers are in the target language;
    the length of an answer in another language is no measure of verbosity.
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
    influence = 100 * at_equal * (1 - at_equal) * (scores @ np.linalg.inv(hessian)[:, 0])
    return AlpacaEvalControl(
        win_rate=at_equal * 100,
        standard_error=float(np.sqrt(n / (n - 1) * np.sum(influence**2))),
        slope=float(weights[1]),
        n_rows=n,
    )
