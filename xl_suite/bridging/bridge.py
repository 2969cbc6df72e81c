"""What a map of win rates is worth, language by language, and whether it may be used.

Everything is measured on families of models left out: siblings of a model are not new evidence about a model of
another family. The verdict of a language is an equivalence test: the mean difference between mapped and measured
rates lies, with its 90 % interval, within a margin that was set beforehand. It says whether *means* of models may be
compared across the two judges; a single model has the much wider prediction interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from xl_suite.bridging.linear_map import Map, Prediction
from xl_suite.bridging.rates import Rate, to_logit, to_percent
from xl_suite.errors import BadInput
from xl_suite.scoring.preferences import Array
from xl_suite.scoring.scores import NOT_AVERAGED
from xl_suite.scoring.student import find_t

LEAST_MODELS, LEAST_FAMILIES = 8, 4
MARGIN = 3.0
OVERALL = "overall"
COMPARABLE, NOT_COMPARABLE, NOT_KNOWN = "may be compared", "may not be compared", "not known"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A model's rates in percent, mapped by a map that has not seen its family; low, high: the 95 % interval.

    in_range: whether its old rate lies among those of the other families' models. Where it does not, `apply` would
    have refused it; it counts in the figures all the same, which it makes no better.
    """

    model: str
    family: str
    language: str
    old: float
    new: float
    mapped: float
    low: float
    high: float
    in_range: bool


@dataclass(frozen=True, slots=True)
class Worth:
    """What the map is worth in one language, or for the mean over all of them (OVERALL).

    Rates, errors, widths and differences are in percent points. Means are over families, each the mean of its models.
    error_map, error_none: mean absolute error of mapped rates, and of old rates taken for new ones. floor: the mean
    absolute error that the prompts drawn alone would cause. coverage: share of new rates in their 95 % prediction
    interval, with its standard error over families; width: the intervals' mean width. difference: mean of mapped less
    measured, with a 90 % interval. seen_low, seen_high: the old rates that the map has seen. usable: whether `apply`
    takes the language; reasons: why the verdict, or why not.
    """

    language: str
    n_models: int
    n_families: int
    n_out_of_range: int
    verdict: str
    usable: bool
    reasons: tuple[str, ...]
    seen_low: float | None = None
    seen_high: float | None = None
    error_map: float | None = None
    error_none: float | None = None
    floor: float | None = None
    coverage: float | None = None
    coverage_error: float | None = None
    width: float | None = None
    difference: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None


@dataclass(frozen=True, slots=True)
class Mapped:
    """An old rate as the new judge would have given it, in percent, with its 95 % prediction interval, or why not."""

    model: str
    language: str
    old: float
    mapped: float | None
    low: float | None
    high: float | None
    refused: str | None = None


@dataclass(frozen=True)
class Bridge:
    """A fitted map with its worth by language."""

    map: Map
    margin: float
    left_out: tuple[LeftOut, ...]
    worth: dict[str, Worth]

    def to_json(self) -> dict[str, Any]:
        return {
            "margin": self.margin,
            "n_models": len(self.map.models),
            "families": list(self.map.families),
            "map": self.map.describe(),
            "languages": {language: asdict(one) for language, one in self.worth.items()},
            "left_out": [asdict(one) for one in self.left_out],
        }

    def apply(self, model: str, rates: Mapping[str, tuple[float, float]]) -> list[Mapped]:
        """A model's old rates, mapped. rates: by language, (win rate, standard error) in percent.

        A language that may not be mapped gets its reason in place of a rate. With several languages a last row,
        OVERALL, is the mean over them, which needs them all. Raises BadInput for what is not a rate.
        """
        for language, (old, error) in rates.items():
            if not (0 <= old <= 100 and error >= 0):
                raise BadInput(
                    f"{model}, {language}: {old} with standard error {error} is not a win rate in percent."
                )
        refused = {language: self._refuse(language, old) for language, (old, _) in sorted(rates.items())}
        known = [language for language, reason in refused.items() if reason is None]
        found = {
            language: Mapped(model, language, rates[language][0], None, None, None, reason)
            for language, reason in refused.items()
        }
        prediction = self.map.predict([self._place(model, one, *rates[one]) for one in known]) if known else None
        if prediction is not None:
            mapped, (lows, highs) = to_percent(prediction.center()), prediction.bound(0.95)
            for place, language in enumerate(known):
                low, high = float(to_percent(lows[place])), float(to_percent(highs[place]))
                found[language] = Mapped(model, language, rates[language][0], float(mapped[place]), low, high)
        if len(rates) > 1:
            found[OVERALL] = self._average(model, rates, prediction if len(known) == len(rates) else None)
        return list(found.values())

    def _average(self, model: str, rates: Mapping[str, tuple[float, float]], prediction: Prediction | None) -> Mapped:
        old = float(np.mean([rate for rate, _ in rates.values()]))
        if prediction is None:
            return Mapped(model, OVERALL, old, None, None, None, "not every language could be mapped")
        if set(rates) == set(list_averaged(self.map)) and not self.worth[OVERALL].usable:
            return Mapped(model, OVERALL, old, None, None, None, "; ".join(self.worth[OVERALL].reasons))
        return Mapped(model, OVERALL, old, *prediction.bound_mean(0.95))

    def _refuse(self, language: str, old: float) -> str | None:
        worth = self.worth.get(language)
        if worth is None or worth.seen_low is None or worth.seen_high is None:
            return (
                f"not known: the bridge has no rows in {language}, and a map of other languages says nothing of it."
            )
        if not worth.usable:
            return "; ".join(worth.reasons)
        if not worth.seen_low <= old <= worth.seen_high:
            return (
                f"{old:.2f} % is outside the rates that the bridge has seen in {language}, {worth.seen_low:.2f} to "
                f"{worth.seen_high:.2f} %. Add a model of such a rate to the bridge."
            )
        return None

    def _place(self, model: str, language: str, old: float, error: float) -> Rate:
        """A rate that only the old judge has measured, with the new one's errors as the bridge's models have them."""
        logit = to_logit(old)
        variance = max((error / 100 / (old / 100 * (1 - old / 100))) ** 2, 1e-9)
        own = [rate for rate in self.map.rates if rate.language == language]
        ratio = float(np.median([rate.new_variance / rate.old_variance for rate in own]))
        together = float(np.median([rate.covariance / rate.old_variance for rate in own]))
        return Rate(model, "", language, logit, logit, variance, variance * ratio, variance * together, 0)


def fit_bridge(
    rates: Sequence[Rate], *, margin: float = MARGIN, languages: Sequence[str] = (), seed: int = 0
) -> Bridge:
    """Fits the map and measures it on families left out.

    languages: those asked for; one without rows is "not known". Raises BadInput under 8 models or 4 families.
    """
    if not 0 < margin < 100:
        raise BadInput(f"the margin is {margin}; it is in percent points, above 0 and below 100.")
    models = {rate.model for rate in rates}
    families = {rate.family for rate in rates}
    if len(models) < LEAST_MODELS or len(families) < LEAST_FAMILIES:
        raise BadInput(
            f"{len(models)} models of {len(families)} families: a bridge needs {LEAST_MODELS} models of "
            f"{LEAST_FAMILIES} families. The unit is the model, not the row, and siblings of one family are not new "
            "evidence. Collect more models."
        )
    fitted = Map(rates, seed)
    left_out = tuple(measure_left_out(fitted))
    wanted = sorted({*fitted.languages, *languages})
    wanted += [OVERALL] if len(list_averaged(fitted)) > 1 else []
    worth = {language: judge_language(fitted, left_out, language, margin) for language in wanted}
    return Bridge(fitted, margin, left_out, worth)


def measure_left_out(fitted: Map) -> list[LeftOut]:
    """Every model of the map as one of a family left out."""
    found = []
    for family in fitted.families:
        for model, prediction in fitted.leave_out(family).items():
            own = [rate for rate in fitted.rates if rate.model == model]
            mapped = to_percent(prediction.center())
            low, high = (to_percent(end) for end in prediction.bound(0.95))
            in_range = [
                bool(others) and min(others) <= rate.old <= max(others)
                for rate in own
                for others in [[r.old for r in fitted.rates if r.language == rate.language and r.family != family]]
            ]
            old, new = to_percent([rate.old for rate in own]), to_percent([rate.new for rate in own])
            for place, rate in enumerate(own):
                told = old[place], new[place], mapped[place], low[place], high[place]
                found.append(make_left_out(model, family, rate.language, told, in_range[place]))
            places = [place for place, rate in enumerate(own) if rate.language != NOT_AVERAGED]
            if 1 < len(places) == len(list_averaged(fitted)):
                bounds = prediction.select(places).bound_mean(0.95)
                told = old[places].mean(), new[places].mean(), *bounds
                found.append(make_left_out(model, family, OVERALL, told, all(in_range[place] for place in places)))
    return found


def make_left_out(
    model: str, family: str, language: str, told: tuple[float, float, float, float, float], in_range: bool
) -> LeftOut:
    """told: old, new, mapped, low, high."""
    old, new, mapped, low, high = map(float, told)
    return LeftOut(model, family, language, old, new, mapped, low, high, in_range)


def list_averaged(fitted: Map) -> list[str]:
    """The languages whose mean is the overall rate: all but English, as everywhere."""
    return [language for language in fitted.languages if language != NOT_AVERAGED]


def judge_language(fitted: Map, left_out: Sequence[LeftOut], language: str, margin: float) -> Worth:
    """What the map is worth in one language, from the models left out."""
    own = [one for one in left_out if one.language == language]
    families = sorted({one.family for one in own})
    counts = (len(own), len(families), sum(not one.in_range for one in own))
    if not own:
        reason = f"no rows in {language}: a map of other languages says nothing of it"
        return Worth(language, *counts, NOT_KNOWN, False, (reason,))
    seen = (min(one.old for one in own), max(one.old for one in own))
    if len(own) < LEAST_MODELS or len(families) < LEAST_FAMILIES:
        reason = (
            f"{len(own)} models of {len(families)} families have rows in {language}; {LEAST_MODELS} of "
            f"{LEAST_FAMILIES} are needed"
        )
        return Worth(language, *counts, NOT_KNOWN, False, (reason,), *seen)
    values = np.array(
        [
            (abs(r.mapped - r.new), abs(r.old - r.new), r.low <= r.new <= r.high, r.high - r.low, r.mapped - r.new)
            for r in own
        ]
    )
    by_family = np.stack([values[[row.family == family for row in own]].mean(axis=0) for family in families])
    error_map, error_none, coverage, width, difference = map(float, by_family.mean(axis=0))
    count = len(families)
    deviations: Array = by_family.std(axis=0, ddof=1) / np.sqrt(count)
    # The families' spread can be small by chance, so the line's own error is a floor under the difference's. What is
    # left out was predicted from one family less, and the families' spread has that in it already.
    error = max(float(deviations[4]), line_error(fitted, language) * count / (count - 1))
    reach = find_t(count - 1, 0.9) * error
    low, high = difference - reach, difference + reach
    verdict, reasons = decide(low, high, margin)
    usable = error_map < error_none
    if not usable:
        reasons = (
            *reasons,
            f"the map does not beat no map: with families left out its mean error is {error_map:.2f} points, and "
            f"{error_none:.2f} when the old rate is taken for the new one",
        )
    return Worth(
        language,
        *counts,
        verdict,
        usable,
        reasons,
        *seen,
        error_map,
        error_none,
        find_floor(fitted, language),
        coverage,
        float(deviations[2]),
        width,
        difference,
        low,
        high,
    )


def decide(low: float, high: float, margin: float) -> tuple[str, tuple[str, ...]]:
    """The verdict of the equivalence test on a 90 % interval, with its reason."""
    shown = f"the mean difference's 90 % interval, {low:+.2f} to {high:+.2f} points,"
    if -margin <= low and high <= margin:
        return COMPARABLE, (f"{shown} lies within ±{margin:g}",)
    if low > margin or high < -margin:
        return NOT_COMPARABLE, (f"{shown} lies beyond ±{margin:g}",)
    return NOT_KNOWN, (f"{shown} reaches over ±{margin:g}",)


def line_error(fitted: Map, language: str) -> float:
    """The standard error of the line itself at the language's mean old rate, in percent points."""
    codes = list_averaged(fitted) if language == OVERALL else [language]
    middles = [float(np.mean([rate.old for rate in fitted.rates if rate.language == code])) for code in codes]
    shares = to_percent(middles) / 100
    slopes = 100 * shares * (1 - shares) / len(codes)
    covariance = fitted.line_covariance(list(zip(codes, middles, strict=True)))
    return float(np.sqrt(slopes @ covariance @ slopes))


def find_floor(fitted: Map, language: str) -> float | None:
    """The mean absolute error that the prompts drawn would cause alone, had the two judges the same taste.

    None over all languages, whose prompts are the same: how their errors go together is not measured.
    """
    if language == OVERALL:
        return None
    errors = []
    for rate in fitted.rates:
        if rate.language == language:
            share = float(to_percent(rate.new)) / 100
            variance = max(rate.old_variance + rate.new_variance - 2 * rate.covariance, 0.0)
            errors.append(100 * share * (1 - share) * np.sqrt(variance * 2 / np.pi))
    return float(np.mean(errors))
