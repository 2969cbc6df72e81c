"""When a card marks a judge: tests whose false alarms are counted over the whole card.

A card makes some hundred comparisons, so that one chance find in twenty would mark every judge. The tests are exact,
and Holm's correction holds over all defects and languages together: a judge that finds every defect in LEAST_FOUND
of the answers and favours no place gets any mark at all in at most 5 % of audits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from xl_suite.scoring.compare import correct_holm

# The share of the planted defects that a judge must find, so as not to be called blind to them.
LEAST_FOUND = 0.7
LEVEL = 0.05

Mark = Literal["", "blind", "prefers the defect", "position"]


@dataclass(frozen=True, slots=True)
class Trial:
    """found: in how many of n answers the judge preferred the answer without the defect, over both orders; a tie is
    not found. worse: in how many it preferred the one with the defect."""

    n: int
    found: int
    worse: int


@dataclass(frozen=True, slots=True)
class Places:
    """In how many of the answers of a language the judge favoured the first place over both orders, and the last."""

    first: int
    last: int


def mark_judge(trials: Sequence[Trial], places: Sequence[Places]) -> tuple[list[Mark], list[Mark]]:
    """The marks of the trials, one for each defect and language, and those of the languages' places."""
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
    """The chance of at most `count` of `n` where each comes with chance `share`; None for n = 0."""
    if n == 0:
        return None
    terms = (math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(count + 1))
    return min(1.0, math.fsum(terms))


def compare_counts(one: int, other: int) -> float | None:
    """Two-sided sign test of equal chances; None where there is nothing to count."""
    if one + other == 0:
        return None
    tail = find_tail(min(one, other), one + other, 0.5)
    return None if tail is None else min(1.0, 2 * tail)
