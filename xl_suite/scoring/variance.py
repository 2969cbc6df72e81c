"""The model's own spread: what several runs of it add to the error from the prompts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xl_suite.scoring.preferences import Array

# Student's t, 97.5 %: degrees of freedom and quantile; between them it is nearly linear in 1 / degrees of freedom.
T_QUANTILES = (
    *((1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (5, 2.5706), (6, 2.4469), (7, 2.3646), (8, 2.3060)),
    *((10, 2.2281), (12, 2.1788), (15, 2.1314), (20, 2.0860), (30, 2.0423), (60, 2.0003), (math.inf, 1.9600)),
)

# The same for 95 %, which bounds a central interval of 90 %.
T_QUANTILES_90 = (
    *((1, 6.3138), (2, 2.9200), (3, 2.3534), (4, 2.1318), (5, 2.0150), (6, 1.9432), (7, 1.8946), (8, 1.8595)),
    *((10, 1.8125), (12, 1.7823), (15, 1.7531), (20, 1.7247), (30, 1.6973), (60, 1.6706), (math.inf, 1.6449)),
)


@dataclass(frozen=True, slots=True)
class RunSpread:
    """Variance components of a mean over prompts and runs, in percent points squared, and what they add up to.

    prompts, runs, residual: variances between prompts, between runs (what a run shifts for all prompts alike), and
    what is left, which is the model's randomness on each prompt; an estimate below zero is given as zero.
    standard_error: of the mean, for other prompts and other runs, in percent points; never below the prompts' own.
    ci_low, ci_high: the 95 % interval to match.
    """

    n_runs: int
    prompts: float
    runs: float
    residual: float
    standard_error: float
    ci_low: float
    ci_high: float


def estimate_run_spread(values: Array, ci_low: float, ci_high: float) -> RunSpread | None:
    """The spread of runs x prompts of values in [0, 1], prompts with a gap left out; None below 2 runs or prompts.

    A two-way layout with both ways random: the variance of the mean is (MS prompts + MS runs - MS residual) /
    (runs x prompts), with Satterthwaite's degrees of freedom. ci_low and ci_high (percent) are the interval over
    prompts, which is stretched about the mean, and so keeps its shape near 0 and 100.
    """
    complete = values[:, ~np.isnan(values).any(axis=0)] * 100
    s, n = complete.shape
    if s < 2 or n < 2:
        return None
    mean = float(complete.mean())
    prompt_means, run_means = complete.mean(axis=0), complete.mean(axis=1)
    ms_prompts = s * float(np.sum((prompt_means - mean) ** 2)) / (n - 1)
    ms_runs = n * float(np.sum((run_means - mean) ** 2)) / (s - 1)
    rest = complete - prompt_means - run_means[:, None] + mean
    ms_rest = float(np.sum(rest**2)) / ((s - 1) * (n - 1))
    total = max(ms_prompts, ms_prompts + ms_runs - ms_rest)
    stretch = 1.0
    if total > ms_prompts > 0:
        squares = ms_prompts**2 / (n - 1) + ms_runs**2 / (s - 1) + ms_rest**2 / ((s - 1) * (n - 1))
        stretch = math.sqrt(total / ms_prompts) * find_t(total**2 / squares) / find_t(math.inf)
    return RunSpread(
        n_runs=s,
        prompts=max(0.0, (ms_prompts - ms_rest) / s),
        runs=max(0.0, (ms_runs - ms_rest) / n),
        residual=ms_rest,
        standard_error=math.sqrt(total / (n * s)),
        ci_low=max(0.0, min(ci_low, mean - (mean - ci_low) * stretch)),
        ci_high=min(100.0, max(ci_high, mean + (ci_high - mean) * stretch)),
    )


def find_t(degrees: float, quantiles: Sequence[tuple[float, float]] = T_QUANTILES) -> float:
    """The 97.5 % quantile of Student's t, to 0.1 % from 2 degrees of freedom on (to 12 % between 1 and 2).

    quantiles: another table, such as that of 95 %.
    """
    inverse = [1 / known for known, _ in reversed(quantiles)]
    return float(np.interp(1 / max(degrees, 1.0), inverse, [quantile for _, quantile in reversed(quantiles)]))
