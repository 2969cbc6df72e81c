"""The effect of the answers' order on a judge, where both orders were judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from xl_suite.judging.annotations import Annotation, scale_preference


@dataclass(frozen=True, slots=True)
class OrderEffect:
    """Over the prompts that were judged in both orders, n of them.

    flip_rate: share of prompts whose winner changes with the order. position_bias: the mean share of the win that
    went to the answer shown first, minus one half: 0 without a bias, +1/2 if the first answer always wins.
    """

    n: int
    flip_rate: float
    position_bias: float


def measure_order(annotations: Iterable[Annotation]) -> OrderEffect | None:
    """The effect of the order in one language; None where no prompt was judged in both."""
    shares: dict[tuple[int | str, int], dict[str, float]] = {}
    for row in annotations:
        share = scale_preference(row.preference)
        if share is not None and row.order in ("12", "21"):
            shares.setdefault((row.prompt, row.sample), {})[row.order] = share
    both = [(orders["12"], orders["21"]) for orders in shares.values() if len(orders) == 2]
    if not both:
        return None
    flips = sum((one - 0.5) * (other - 0.5) < 0 for one, other in both)
    # In order 12 the reference is shown first; its share is one minus the model's.
    first = sum((1 - one) + other for one, other in both) / (2 * len(both))
    return OrderEffect(len(both), flips / len(both), first - 0.5)
