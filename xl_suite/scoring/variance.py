"""The model's own spread: what several runs of it add to the error from the prompts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from xl_suite.scoring.preferences import Array
from xl_suite.scoring.student import find_t


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
