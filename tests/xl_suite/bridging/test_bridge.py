"""The map on simulated judges whose line is known, what it may be used for, and everything that it must refuse."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from xl_suite.bridging.bridge import COMPARABLE, NOT_COMPARABLE, NOT_KNOWN, OVERALL, decide, fit_bridge
from xl_suite.bridging.linear_map import Map
from xl_suite.bridging.rates import Rate, measure_rate, to_logit, to_percent
from xl_suite.errors import BadInput

LANGUAGES = ("deu", "gle")


def make_rates(
    models: int = 16,
    families: int = 8,
    *,
    shift: float = 0.4,
    slope: float = 0.8,
    family: float = 0.05,
    rest: float = 0.03,
    noise: float = 0.0025,
    languages: tuple[str, ...] = LANGUAGES,
    seed: int = 0,
) -> list[Rate]:
    """Rates on a line, with a spread of families and models, in logits, and an error variance of `noise` in each."""
    draw = np.random.default_rng(seed)
    tastes = draw.normal(0, family, families)
    rates = []
    for model in range(models):
        for language in languages:
            true = -1.5 + 2 * model / (models - 1) + draw.normal(0, 0.05)
            old = true + draw.normal(0, math.sqrt(noise))
            new = shift + slope * true + tastes[model % families] + draw.normal(0, math.hypot(rest, math.sqrt(noise)))
            name = f"m{model:02}"
            rates.append(Rate(name, f"f{model % families}", language, old, new, noise, noise, 0.0, 200))
    return rates


def test_rate_of_weighted_rows() -> None:
    old, new = np.array([1.0, 0, 0, 1, math.nan]), np.array([1.0, 0, 1, 0, 1])
    weights = np.array([1.0, 1, 2, 2, 1])
    rate = measure_rate(old, new, weights, model="m", family="f", language="deu")
    assert rate is not None
    # The fifth row has a gap. Kish: the four weights are worth 36 / 10 rows; half a row won and one lost are added.
    effective = 6**2 / 10
    assert to_percent(rate.old) == pytest.approx(100 * (effective * 3 / 6 + 0.5) / (effective + 1))
    assert rate.n == 4
    assert rate.covariance < 0 < rate.old_variance
    assert measure_rate(old * math.nan, new, weights, model="m", family="f", language="deu") is None


def test_rate_without_a_win_is_finite_and_wide() -> None:
    rate = measure_rate(np.zeros(50), np.ones(50), np.ones(50), model="m", family="f", language="deu")
    assert rate is not None
    assert rate.old == pytest.approx(-rate.new)
    assert rate.old_variance > 1


def test_errors_of_rates_are_those_of_many_samples() -> None:
    draw = np.random.default_rng(0)
    samples = []
    for _ in range(2000):
        shared = draw.random(150)
        old, new = (shared < 0.3).astype(float), (0.6 * shared + 0.4 * draw.random(150) < 0.4).astype(float)
        samples.append(measure_rate(old, new, np.ones(150), model="m", family="f", language="deu"))
    logits = np.array([(rate.old, rate.new) for rate in samples if rate])
    found = np.cov(logits.T)
    rates = [rate for rate in samples if rate]
    assert np.mean([rate.old_variance for rate in rates]) == pytest.approx(found[0, 0], rel=0.1)
    assert np.mean([rate.new_variance for rate in rates]) == pytest.approx(found[1, 1], rel=0.1)
    assert np.mean([rate.covariance for rate in rates]) == pytest.approx(found[0, 1], rel=0.1)


def test_map_finds_the_line() -> None:
    fitted = Map(make_rates(40, 10, family=0.02, noise=0.001))
    assert fitted.describe()["slope"] == pytest.approx(0.8, abs=0.05)
    for language in LANGUAGES:
        prediction = fitted.predict([Rate("x", "x", language, -0.5, -0.5, 0.001, 0.001, 0.0, 200)])
        assert float(prediction.center()[0]) == pytest.approx(0.4 - 0.8 * 0.5, abs=0.06)


def test_error_of_the_old_judge_does_not_flatten_the_line() -> None:
    """A fifth of the old rates' variance is error: least squares would give a slope of .64."""
    slopes = []
    for seed in range(4):
        rates = make_rates(300, 20, family=0.02, noise=0.085, languages=("deu",), seed=seed)
        least_squares = np.polyfit([rate.old for rate in rates], [rate.new for rate in rates], 1)[0]
        slopes.append((least_squares, Map(rates).describe()["slope"]))
    least_squares, slope = np.mean(slopes, axis=0)
    assert least_squares < 0.7
    assert slope == pytest.approx(0.8, abs=0.05)


def test_siblings_are_not_new_evidence() -> None:
    """The same twenty points, as models of four families or of twenty: the first leave the wider interval."""
    tastes = np.tile([-0.3, -0.1, 0.1, 0.3], 5)
    rates = make_rates(20, 4, family=0.0, languages=("deu",))
    rates = [replace(rate, new=rate.new + taste) for rate, taste in zip(rates, tastes, strict=True)]
    apart = [replace(rate, family=rate.model) for rate in rates]
    new = [Rate("x", "x", "deu", -0.5, -0.5, 0.0025, 0.0025, 0.0, 200)]
    assert Map(rates).predict(new).spread()[0] > 1.1 * Map(apart).predict(new).spread()[0]


def test_left_out_families_are_not_seen() -> None:
    """A change of a family's new rates must not move their own predictions when the family is left out."""
    rates = make_rates()
    moved = [replace(rate, new=rate.new + 2) if rate.family == "f3" else rate for rate in rates]
    before, after = (Map(some).leave_out("f3") for some in (rates, moved))
    for model, prediction in before.items():
        assert after[model].center() == pytest.approx(prediction.center(), abs=0.05)
    assert not np.allclose(Map(moved).leave_out("f1")["m01"].center(), Map(rates).leave_out("f1")["m01"].center())


def test_same_rates_same_map() -> None:
    assert fit_bridge(make_rates()).to_json() == fit_bridge(make_rates()).to_json()


def test_bridge_of_a_real_change_is_usable_and_comparable() -> None:
    bridge = fit_bridge(make_rates(24, 12))
    assert list(bridge.worth) == [*LANGUAGES, OVERALL]
    for worth in bridge.worth.values():
        assert worth.usable
        assert worth.verdict == COMPARABLE
        assert worth.error_map is not None
        assert worth.error_none is not None
        assert worth.error_map < worth.error_none / 2
        assert worth.coverage is not None
        assert worth.coverage > 0.8
        assert worth.width is not None
        assert worth.ci_low is not None
        assert worth.ci_high is not None
        assert worth.width > worth.ci_high - worth.ci_low
    (mapped,) = bridge.apply("new", {"deu": (30.0, 1.5)})
    assert mapped.mapped is not None
    assert mapped.low is not None
    assert mapped.high is not None
    assert mapped.mapped == pytest.approx(float(to_percent(0.4 + 0.8 * to_logit(30.0))), abs=2)
    assert mapped.low < mapped.mapped < mapped.high


def test_english_is_no_part_of_the_overall_rate() -> None:
    with_english = fit_bridge(make_rates(languages=("deu", "eng", "gle")))
    rows = {(one.model, one.language): one for one in with_english.left_out}
    both = [rows["m03", code] for code in ("deu", "gle")]
    assert rows["m03", OVERALL].mapped == pytest.approx(np.mean([one.mapped for one in both]))
    assert rows["m03", OVERALL].new == pytest.approx(np.mean([one.new for one in both]))
    # Errors of languages do not all go together: the mean's interval is narrower than theirs.
    widths = [with_english.worth[code].width or 0.0 for code in (OVERALL, "deu", "gle")]
    assert 0 < widths[0] < min(widths[1:])
    assert OVERALL not in fit_bridge(make_rates(languages=("deu", "eng"))).worth


@pytest.mark.parametrize(("models", "families"), [(7, 7), (12, 3)])
def test_refuses_too_few(models: int, families: int) -> None:
    with pytest.raises(BadInput, match=f"{models} models of {families} families: a bridge needs 8 models of 4"):
        fit_bridge(make_rates(models, families))


def test_refuses_a_rate_out_of_range() -> None:
    bridge = fit_bridge(make_rates())
    (mapped,) = bridge.apply("new", {"deu": (97.0, 1.0)})
    assert mapped.mapped is None
    assert mapped.refused is not None
    assert "outside the rates that the bridge has seen in deu" in mapped.refused


def test_language_without_rows_is_not_known() -> None:
    bridge = fit_bridge(make_rates(), languages=("deu", "mlt"))
    assert bridge.worth["mlt"].verdict == NOT_KNOWN
    (mapped,) = bridge.apply("new", {"mlt": (30.0, 1.5)})
    assert mapped.mapped is None
    assert mapped.refused is not None
    assert "no rows in mlt" in mapped.refused


def test_language_with_few_models_is_not_known() -> None:
    rates = [rate for rate in make_rates() if rate.language == "deu" or rate.model < "m05"]
    bridge = fit_bridge(rates)
    assert bridge.worth["deu"].usable
    assert bridge.worth["gle"].verdict == NOT_KNOWN
    (mapped,) = bridge.apply("new", {"gle": (30.0, 1.5)})
    assert mapped.refused is not None
    assert "5 models of 5 families have rows in gle" in mapped.refused


def test_map_that_gains_nothing_is_refused() -> None:
    """The same judge again, and one family that it likes less: what the map learns from it hurts all others."""
    rates = make_rates(8, 8, shift=0.0, slope=1.0, family=0.0, rest=0.0, noise=0.0004, languages=("deu",))
    rates = [replace(rate, new=rate.old - (0.8 if rate.family == "f4" else 0.0)) for rate in rates]
    bridge = fit_bridge(rates)
    worth = bridge.worth["deu"]
    assert not worth.usable
    (mapped,) = bridge.apply("new", {"deu": (30.0, 1.5)})
    assert mapped.refused is not None
    assert "does not beat no map" in mapped.refused


def test_missed_margin_is_not_known() -> None:
    bridge = fit_bridge(make_rates(8, 4, family=0.3), margin=1.0)
    assert bridge.worth["deu"].verdict == NOT_KNOWN
    assert "reaches over" in bridge.worth["deu"].reasons[0]
    with pytest.raises(BadInput, match="margin"):
        fit_bridge(make_rates(), margin=0)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-2.9, 2.9, COMPARABLE),
        (-3.1, 1, NOT_KNOWN),
        (2, 4, NOT_KNOWN),
        (3.1, 5, NOT_COMPARABLE),
        (-9, -4, NOT_COMPARABLE),
    ],
)
def test_verdicts(low: float, high: float, verdict: str) -> None:
    assert decide(low, high, 3.0)[0] == verdict


@pytest.mark.parametrize("rate", [(-1.0, 1.0), (101.0, 1.0), (50.0, -1.0), (math.nan, 1.0)])
def test_apply_refuses_what_is_not_a_rate(rate: tuple[float, float]) -> None:
    with pytest.raises(BadInput, match="not a win rate"):
        fit_bridge(make_rates()).apply("new", {"deu": rate})
