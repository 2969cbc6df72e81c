"""Student's t distribution, exact for any degrees of freedom, without scipy, which no other part of scoring needs."""

from __future__ import annotations

import math
from functools import lru_cache


@lru_cache(maxsize=4096)
def find_t(degrees: float, confidence: float = 0.95) -> float:
    """How many standard errors a central interval of `confidence` reaches to each side; degrees may be infinite."""
    low, high = 0.0, 2.0
    while beyond(high, degrees) > 1 - confidence:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        if beyond(middle, degrees) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def beyond(t: float, degrees: float) -> float:
    """The probability of a value at least as far from 0 as `t`, on either side: the two-sided p-value."""
    if math.isinf(t):
        return 0.0
    if math.isinf(degrees):
        return math.erfc(abs(t) / math.sqrt(2))
    return _incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t))


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (DLMF 8.17.22, Lentz's method)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    tiny = 1e-300
    numerator, denominator = 1.0, 1 / _away(1 - (a + b) * x / (a + 1), tiny)
    value = denominator
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            denominator = 1 / _away(1 + term * denominator, tiny)
            numerator = _away(1 + term / numerator, tiny)
            value *= denominator * numerator
        if abs(denominator * numerator - 1) < 1e-15:
            break
    return front * value / a


def _away(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
