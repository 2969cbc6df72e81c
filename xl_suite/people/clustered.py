"""Means of labels and their intervals, clustered by prompt and by annotator.

Labels of one prompt share the prompt, and labels of one person share the person: both are drawn, and an interval is
about other prompts of the kind and other people of the kind. A two-way layout with both ways random: the variance of
the mean is that between prompts and that between people, less what chance alone gives the latter.
scripts/benchmarks/people.py measures the coverage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from xl_suite.scoring.preferences import Array, average
from xl_suite.scoring.student import find_t

# Labels for each prompt from which people are told apart within prompts; below it, by their means.
_CROSSED = 1.5
_DRAWS = 20_000
# Added to the degrees of freedom between people: without it the intervals of two to four people are too wide where
# people hardly differ, with 1 they are too narrow where they do (89 % for four people).
_ADDED = 0.25


@dataclass(frozen=True, slots=True)
class Between:
    """The variance of people's means over their number, with its degrees of freedom, and what chance alone gives it.

    degrees: 0 for one person, of whom nothing is told.
    """

    means: float
    chance: float
    degrees: int


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its standard error and its 95 % interval; None where there are too few prompts."""

    value: float
    standard_error: float | None
    low: float | None
    high: float | None


def bound_mean(values: Array) -> Interval:
    """The mean over prompts of prompts x annotators (NaN where there is no label), each prompt with the same weight.

    Every prompt must have a label. With one annotator the interval covers prompts alone.
    """
    by_prompt = average(values, axis=1)
    n = len(by_prompt)
    if n < 2:
        return Interval(float(by_prompt.mean()), None, None, None)
    prompts = float(np.var(by_prompt, ddof=1)) / n
    return make_interval(float(by_prompt.mean()), prompts, n - 1, find_between(values))


def make_interval(value: float, prompts: float, degrees: int, people: Between) -> Interval:
    """The interval of a value whose variance is `prompts`, with its degrees of freedom, and what people add to it.

    A generalised confidence interval (Weerahandi 1993): both variances are drawn from what their estimates say of
    them, since few people say little of how much people differ, and an estimate of nothing is then often wrong.
    """
    error = math.sqrt(prompts + max(0.0, people.means - people.chance))
    if people.degrees < 1:
        reach = find_t(degrees) * error
    else:
        own, others, normal = _draw(degrees, people.degrees)
        spread = np.sqrt(prompts * own + np.maximum(0, people.means * others - people.chance))
        reach = float(np.quantile(normal * spread, 0.95))
    return Interval(value, error, value - reach, value + reach)


@lru_cache(maxsize=64)
def _draw(degrees: int, people: int) -> tuple[Array, Array, Array]:
    """Draws of the true over the estimated variance, for prompts and for people, and of how far a normal value is."""
    source = np.random.default_rng(0)
    return (
        degrees / source.chisquare(degrees, _DRAWS),
        people / source.chisquare(people + _ADDED, _DRAWS),
        np.abs(source.standard_normal(_DRAWS)),
    )


def find_between(values: Array) -> Between:
    """What people add to the variance of the mean of prompts x annotators."""
    known = ~np.isnan(values)
    values, known = values[:, known.any(axis=0)], known[:, known.any(axis=0)]
    n, people = values.shape
    if people < 2 or n < 2:
        return Between(0.0, 0.0, 0)
    each = known.sum(axis=1, keepdims=True)
    weights = np.where(known, 1 / (n * each), 0)
    crossed = float(each.mean()) >= _CROSSED
    by_prompt = average(values, axis=1)
    centre = by_prompt[:, None] if crossed else np.full((n, 1), by_prompt.mean())
    deviations = np.where(known, values - centre, 0)
    sums = (weights * deviations).sum(axis=0)
    means = people / (people - 1) * float(np.sum(sums**2))
    rest = np.where(known, deviations - sums / weights.sum(axis=0), 0)
    labels = float(each.mean())
    spent = n * labels / ((n - 1) * (labels - 1)) if crossed else n / max(1, n - people)
    chance = spent * float(np.sum(weights**2 * rest**2))
    return Between(means, chance, people - 1)
