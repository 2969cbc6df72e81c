"""The score over several languages: macro averages, with errors and intervals clustered on prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np

from xl_suite.scoring.intervals import bound_means, standard_error_of_macro
from xl_suite.scoring.preferences import Array, average, macro_average
from xl_suite.scoring.score import Controlled, Counts, GateBounds, LanguageScore, OverallScore, Rate, Side
from xl_suite.scoring.variance import estimate_run_spread


def score_overall(
    languages: Mapping[str, LanguageScore],
    values: Array,
    gated: Array | None,
    controlled: Controlled,
    resamples: int,
    seed: int,
) -> OverallScore:
    """The means over the languages, each with the same weight.

    values, gated: preferences, runs x prompts x languages; gated is None without a gate. controlled: their mean at
    equal lengths.
    """
    own = list(languages.values())
    raw = _rate_macro(values, [one.raw for one in own], resamples, seed)
    return OverallScore(
        languages=tuple(languages),
        n_prompts=int((~np.isnan(average(values, axis=0))).any(axis=1).sum()),
        raw=raw,
        gated=Rate() if gated is None else _rate_macro(gated, [one.gated for one in own], resamples, seed),
        bounds=GateBounds(
            _average([one.bounds.if_undetermined_lost for one in own]),
            _average([one.bounds.if_mixed_judged for one in own]),
        ),
        controlled=controlled,
        counts=Counts(*(sum(getattr(one.counts, field.name) for one in own) for field in fields(Counts))),
        discrete_win_rate=_average([one.discrete_win_rate for one in own]),
        model=_average_sides([one.model for one in own]),
        reference=_average_sides([one.reference for one in own]),
        # The spread of runs needs prompts that were judged in every run and language.
        runs=estimate_run_spread(values.mean(axis=2), raw.ci_low or 0.0, raw.ci_high or 0.0),
    )


def _average_sides(sides: Sequence[Side]) -> Side:
    rates = [side.pass_rate for side in sides]
    known = [rate for rate in rates if rate is not None]
    return Side(
        avg_length=_average([side.avg_length for side in sides]),
        truncation_rate=_average([side.truncation_rate for side in sides]),
        pass_rate=sum(known) / len(rates) if len(known) == len(rates) else None,
    )


def _average(values: Sequence[float | None]) -> float | None:
    """The mean; None if any value is None."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _rate_macro(values: Array, own: Sequence[Rate], resamples: int, seed: int) -> Rate:
    """own: the languages' rates; their worst and best cases are averaged."""
    by_prompt = average(values, axis=0)
    bounds = bound_means(by_prompt, resamples=resamples, seed=seed)
    error = standard_error_of_macro(by_prompt)
    return Rate(
        win_rate=macro_average(by_prompt) * 100,
        standard_error=None if error is None else error * 100,
        ci_low=bounds.macro_low * 100,
        ci_high=bounds.macro_high * 100,
        worst=_average([one.worst for one in own]),
        best=_average([one.best for one in own]),
    )
