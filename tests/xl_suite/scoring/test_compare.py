"""Comparing two models: the test, Holm's correction, and what must not be compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from xl_suite.errors import BadInput
from xl_suite.judging.annotations import Annotation
from xl_suite.scoring.compare import UNSEEN, bound_difference, compare_models, correct_holm


def annotate(
    model: str, rate: float, seed: int, languages: tuple[str, ...] = ("deu",), n: int = 300
) -> list[Annotation]:
    generator = np.random.default_rng(seed)
    return [
        Annotation(
            instruction=f"{prompt} in {language}",
            output_1=f"reference {prompt} {language}",
            generator_1="reference",
            output_2=f"{model} {prompt}",
            generator_2=model,
            annotator="judge",
            preference=1.0 + float(generator.random() < rate),
            id=prompt,
            language=language,
            method="logprobs",
        )
        for language in languages
        for prompt in range(1, n + 1)
    ]


def test_the_interval_of_one_pair_of_columns_by_hand() -> None:
    stats = pytest.importorskip("scipy.stats")
    differences = np.array([0.9, -0.2, 0.4, 0.3, 0.5, -0.1, 0.6, 0.2])
    unseen = np.sqrt((np.sum(differences**4) + 1) / (np.sum(differences**2) + 1))
    seen = np.concatenate([differences, [unseen, -unseen]])
    weights = np.array([1.0] * 8 + [0.5, 0.5])
    more = 8 + UNSEEN
    center = differences.sum() / more
    squares = np.sum(weights * seen**2) - more * center**2
    spread = np.sqrt(squares / (more * (more - 1)))
    low, high, p_value, reach = bound_difference(differences[:, None])
    assert (low, high) == pytest.approx(stats.t.interval(0.95, more - 1, center, spread))
    assert p_value == pytest.approx(2 * stats.t.sf(center / spread, more - 1))
    assert reach == pytest.approx((stats.t.ppf(0.975, more - 1) + stats.norm.ppf(0.8)) * spread, rel=1e-5)


@pytest.mark.parametrize("n", [50, 200])
def test_interval_and_test_agree_and_hold_their_levels(n: int) -> None:
    """Wins and losses of two equal models, and of two that differ by 15 points."""
    generator = np.random.default_rng(n)
    for rate in (0.30, 0.45):
        rejected = held = 0
        for _ in range(400):
            one = (generator.random((n, 1)) < 0.3).astype(float) - (generator.random((n, 1)) < rate)
            low, high, p_value, _ = bound_difference(one)
            assert (low <= 0 <= high) == (p_value >= 0.05)
            rejected += p_value < 0.05
            held += low <= 0.3 - rate <= high
        assert held / 400 >= 0.92
        if rate == 0.30:
            assert rejected / 400 <= 0.08


def test_equal_answers_do_not_prove_equal_models() -> None:
    low, high, p_value, reach = bound_difference(np.zeros((100, 1)))
    assert (p_value, low) == (1, -high)
    assert 0 < high < reach < 0.1
    assert bound_difference(np.zeros((2, 1)))[3] > 0.9


def test_interval_holds_the_true_difference() -> None:
    """Models that differ on few prompts: rates of 1 and 0.2 %, so a true difference of 0.8 points."""
    generator = np.random.default_rng(6)
    held = 0
    for _ in range(300):
        wins = generator.random((797, 3))
        low, high, *_ = bound_difference((wins < 0.01).astype(float) - (wins > 0.998).astype(float))
        held += low <= 0.008 <= high
    assert held / 300 >= 0.92


def test_holm_by_hand() -> None:
    assert correct_holm([0.01, 0.04, 0.03, None]) == pytest.approx([0.03, 0.06, 0.06, None])
    assert correct_holm([0.9, 0.6]) == [1, 1]


def test_comparison_by_language_and_overall() -> None:
    languages = ("deu", "eng", "zho")
    found = compare_models(annotate("a", 0.7, 1, languages), annotate("b", 0.4, 2, languages))
    assert set(found.languages) == set(languages)
    assert found.overall is not None
    assert found.overall.difference == pytest.approx(30, abs=8)
    german, chinese = found.languages["deu"].difference, found.languages["zho"].difference
    assert found.overall.difference == pytest.approx((german + chinese) / 2)  # type: ignore[operator]
    assert found.overall.p_value is not None
    assert found.overall.p_value < 1e-6
    assert found.languages["deu"].p_holm == pytest.approx(3 * found.languages["deu"].p_value, rel=2)  # type: ignore[operator]
    # 80 % power: 2.8 standard errors; rates of .7 and .4 in 300 prompts.
    assert found.languages["deu"].smallest_detectable == pytest.approx(2.8 * 100 * (0.45 / 300) ** 0.5, rel=0.1)
    mirrored = compare_models(annotate("b", 0.4, 2, languages), annotate("a", 0.7, 1, languages))
    assert mirrored.overall is not None
    assert mirrored.overall.difference == pytest.approx(-found.overall.difference)  # type: ignore[operator]
    assert mirrored.overall.ci_low == pytest.approx(-found.overall.ci_high, abs=1e-4)  # type: ignore[operator]


def test_unshared_and_failed_prompts_are_counted() -> None:
    a, b = annotate("a", 0.5, 1), annotate("b", 0.5, 2)
    a[0] = replace(a[0], preference=None)
    found = compare_models(a, b[:-2])
    assert found.languages["deu"].n == 297
    assert (found.n_only_a, found.n_only_b) == (2, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotator": "another"}, "different judges"),
        ({"method": "parsed"}, "different methods"),
        ({"order": "both"}, "different orders"),
        ({"generator_1": "another"}, "different references"),
        ({"output_1": "another text"}, "different reference outputs for 300 prompts"),
        ({"instruction": "another text"}, "different instructions"),
        ({"language": "zho"}, "no prompts in a common language"),
    ],
)
def test_what_differs_is_refused(changes: dict[str, str], message: str) -> None:
    a, b = annotate("a", 0.5, 1), annotate("b", 0.5, 2)
    with pytest.raises(BadInput, match=message):
        compare_models(a, [replace(row, **changes) for row in b])
