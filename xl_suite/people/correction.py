"""A judge's win rate, corrected by labels that were drawn at random with known probabilities.

Prediction-powered inference (Angelopoulos et al. 2023, arXiv 2301.09633), with the judge's weight tuned as in PPI++
(arXiv 2311.01453). Here the labelled rows are a part of the judged ones, so the variance is that of two phases: all
judged rows are drawn from prompts of their kind, and the labelled ones from those.

    rate = w x mean of the judge over all rows + mean of (label - w x judge) over the labelled rows
    variance = var(label) / N + (1/n - 1/N) x var(label - w x judge) + what people add

It is right whatever the judge is worth: a bad one gets little weight. It needs the draw, since a row that was chosen
for a reason says nothing of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xl_suite.people.clustered import Interval, find_between, make_interval
from xl_suite.people.sheet import LEAST_ROWS
from xl_suite.scoring.preferences import Array, average

# Wins and losses among the labels below which an interval by a variance is not known to hold.
LEAST_OUTCOMES = 10
# The share of the drawn rows that must have a label: those without one may be another kind of row.
LEAST_ANSWERED = 0.95


@dataclass(frozen=True, slots=True)
class Correction:
    """A corrected rate, 0 to 1. weight: of the judge, 0 to 1. labels_alone: the same from the labels only."""

    rate: Interval
    weight: float
    labels_alone: Interval


def refuse_correction(
    probabilities: Sequence[float | None], labels: Array, *, n_drawn: int, n_rows: int
) -> str | None:
    """Why these labels must not correct a rate, in words; None where they may.

    probabilities: of each labelled row. labels: prompts x annotators, 0 to 1. n_rows: rows that were judged and could
    have been drawn.
    """
    if any(one is None for one in probabilities):
        return "rows without a known probability of being drawn: they may have been chosen for what is in them"
    if len(set(probabilities)) > 1 or any(abs(float(one or 0) - n_drawn / n_rows) > 1e-9 for one in probabilities):
        return "the probabilities are not those of one draw from the judged rows"
    n = len(labels)
    if n < LEAST_ANSWERED * n_drawn:
        return f"only {n} of the {n_drawn} drawn rows have a label"
    if n < min(LEAST_ROWS, n_rows):
        return f"{n} labelled rows, and {LEAST_ROWS} are needed"
    by_prompt = average(labels, axis=1)
    few = min(float(by_prompt.sum()), float((1 - by_prompt).sum()))
    return f"fewer than {LEAST_OUTCOMES} wins or losses among the labels" if few < LEAST_OUTCOMES else None


def correct_rate(judge: Array, labelled: Sequence[int], labels: Array) -> Correction:
    """The rate of all rows by people. judge: the judge's share for each row, 0 to 1; any value where it is unread.

    labelled: places of the labelled rows in `judge`, which were drawn at random. labels: those x annotators, 0 to 1.
    """
    own = judge[list(labelled)]
    people = average(labels, axis=1)
    n, rows = len(own), len(judge)
    spread = float(np.var(own, ddof=1))
    weight = float(np.clip(np.cov(people, own)[0, 1] / spread, 0, 1)) if spread > 1e-12 else 0.0
    rest = people - weight * own
    value = weight * float(judge.mean()) + float(rest.mean())
    own_variance = float(np.var(people, ddof=1))
    # One degree of freedom went into the weight.
    left = float(np.var(rest, ddof=1)) * (n - 1) / (n - 2)
    between = find_between(labels)
    corrected = make_interval(value, own_variance / rows + (1 / n - 1 / rows) * left, n - 2, between)
    alone = make_interval(float(people.mean()), own_variance / n, n - 1, between)
    return Correction(corrected, weight, alone)
