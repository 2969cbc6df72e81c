"""What precision a design buys: how wide the 95 % interval of a mapped rate will be, before any row is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xl_suite.bridging.linear_map import SPREADS, Map
from xl_suite.bridging.rates import Rate, to_logit, to_percent
from xl_suite.errors import BadInput
from xl_suite.scoring.student import find_t

# What is assumed of judges that nobody has asked yet, and written beside the widths: the standard deviation of a
# row's preference, the correlation of the two judges' errors, and the old rates from the lowest model to the highest.
PREFERENCE_SPREAD, CORRELATION = 0.42, 0.6
LOWEST, HIGHEST = 10.0, 70.0


@dataclass(frozen=True, slots=True)
class Precision:
    """Widths in percent points of the 95 % interval of a mapped rate of 30 %.

    one: for a model of a new family, measured on as many rows as the design's models; line: for the mean of many new
    families' models, which is what the line itself leaves open. languages: by code; overall: of the macro average.
    """

    languages: dict[str, tuple[float, float]]
    overall: tuple[float, float]
    assumed: dict[str, float]


def foresee(models: Sequence[tuple[str, str]], rows: dict[str, int]) -> Precision:
    """The precision of a design. models: (model, family). rows: per model, by language."""
    families = sorted({family for _, family in models})
    if len(families) < 2 or not rows or min(rows.values()) < 1:
        raise BadInput("a bridge's precision needs models of two families and a row in each language.")
    at = np.linspace(to_logit(LOWEST), to_logit(HIGHEST), len(models))
    # Models of a family are spread over the range, not side by side.
    ordered = sorted(models, key=lambda one: (sum(f == one[1] for _, f in models[: models.index(one)]), one))
    rates = [
        assume_rate(model, family, language, float(logit), count)
        for (model, family), logit in zip(ordered, at, strict=True)
        for language, count in sorted(rows.items())
    ]
    fitted = Map(rates, spreads=SPREADS)
    asked = [assume_rate("new", "new", language, to_logit(30.0), count) for language, count in sorted(rows.items())]
    prediction = fitted.predict(asked)
    # The spreads will be estimated from that many families: Student's t in place of the normal.
    reach = find_t(len(families) - 1)
    slope = 0.3 * 0.7 * 100
    covariance = prediction.covariances[0]
    line = fitted.line_covariance([(rate.language, rate.old) for rate in asked])
    by_language = {
        rate.language: (
            float(to_percent(rate.old + reach * spread) - to_percent(rate.old - reach * spread)),
            2 * reach * slope * float(np.sqrt(line[place, place])),
        )
        for place, (rate, spread) in enumerate(zip(asked, prediction.spread(), strict=True))
    }
    overall = tuple(2 * reach * slope * float(np.sqrt(matrix.mean())) for matrix in (covariance, line))
    assumed = {f"spread_{name}": value for name, value in SPREADS.items()}
    assumed |= {"preference_spread": PREFERENCE_SPREAD, "correlation": CORRELATION}
    return Precision(by_language, (overall[0], overall[1]), assumed | {"lowest": LOWEST, "highest": HIGHEST})


def assume_rate(model: str, family: str, language: str, logit: float, rows: int) -> Rate:
    share = float(to_percent(logit)) / 100
    variance = PREFERENCE_SPREAD**2 / rows / (share * (1 - share)) ** 2
    return Rate(model, family, language, logit, logit, variance, variance, CORRELATION * variance, rows)
