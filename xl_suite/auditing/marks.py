"""When a card marks a judge: tests with a bound on false alarms over the whole card.

A card makes about a hundred comparisons, so one false alarm in twenty would mark every judge. The tests are exact,
and Holm's correction covers all defects and languages together: a judge that finds every defect in LEAST_FOUND of the
answers and has no position bias gets a mark in at most 5 % of audits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from xl_suite.scoring.compare import correct_holm

# The minimum share of planted defects that a judge must find to get no mark.
LEAST_FOUND = 0.7
LEVEL = 0.05

Mark = Literal["", "blind", "prefers the defect", "position"]


@dataclass(frozen=True, slots=True)
class Trial:
    """found: the number, of n answers, for which the judge preferred the one without the defect, over both orders; a
    tie does not count. worse: the number for which it preferred the one with the defect."""

    n: int
    found: int
    worse: int


@dataclass(frozen=True, slots=True)
class Places:
    """The number of a language's answers for which the judge favoured the first position over both orders, and the
    last."""

    first: int
    last: int


def mark_judge(trials: Sequence[Trial], places: Sequence[Places]) -> tuple[list[Mark], list[Mark]]:
    """The marks of the trials, one for each defect and language, and those for position bias in each language."""
    blind = [find_tail(one.found, one.n, LEAST_FOUND) for one in trials]
    fooled = [find_tail(one.n - one.worse, one.n, 0.5) for one in trials]
    biased = [compare_counts(one.first, one.last) for one in places]
    corrected = [1.0 if p is None else p for p in correct_holm([*blind, *fooled, *biased])]
    marks: list[Mark] = []
    for place in range(len(trials)):
        if corrected[len(trials) + place] <= LEVEL:
            marks.append("prefers the defect")
        else:
            marks.append("blind" if corrected[place] <= LEVEL else "")
    position: list[Mark] = ["position" if p <= LEVEL else "" for p in corrected[2 * len(trials) :]]
    return marks, position


def find_tail(count: int, n: int, share: float) -> float | None:
    """The chance of at most `count` of `n` where each has probability `share`; None for n = 0."""
    if n == 0:
        return None
    terms = (math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(count + 1))
    return min(1.0, math.fsum(terms))


def compare_counts(one: int, other: int) -> float | None:
    """Two-sided sign test of equal probabilities; None without observations."""
    if one + other == 0:
        return None
    tail = find_tail(min(one, other), one + other, 0.5)
    return None if tail is None else min(1.0, 2 * tail)
