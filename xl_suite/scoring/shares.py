"""The exact upper bound of a share, given the observed count (Clopper and Pearson, 1934)."""

from __future__ import annotations

import math


def bound_share(count: int, total: int, confidence: float = 0.95) -> float:
    """The one-sided upper bound of a share after observing `count` in `total`; 1 for a total of 0.

    It is the share at which `count` or fewer would be seen with a probability of 1 - confidence.
    Raises ValueError unless 0 <= count <= total.
    """
    if not 0 <= count <= total:
        raise ValueError(f"{count} of {total} is not a share.")
    if count == total:
        return 1.0
    low, high = count / total, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _sum_binomial(count, total, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _sum_binomial(count: int, total: int, share: float) -> float:
    """The probability of `count` or fewer in `total`, for a share within (0, 1)."""
    logs = (
        math.lgamma(total + 1)
        - math.lgamma(k + 1)
        - math.lgamma(total - k + 1)
        + k * math.log(share)
        + (total - k) * math.log1p(-share)
        for k in range(count + 1)
    )
    return math.fsum(map(math.exp, logs))
