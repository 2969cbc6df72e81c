"""Kappa and alpha against examples worked from their definitions; families; self-preference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xl_suite.judging.annotations import Annotation
from xl_suite.scoring.agreement import (
    cohen_kappa,
    find_family,
    fleiss_kappa,
    krippendorff_alpha,
    to_outcomes,
)
from xl_suite.scoring.judges import NOT_IDENTIFIED, describe_judges, measure_agreement, measure_self_preference

# Krippendorff's own example of four observers and twelve units with gaps (2011, "Computing Krippendorff's alpha").
GAPS = np.nan
RELIABILITY = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, GAPS, GAPS, GAPS],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, GAPS, 3],
        [GAPS, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, GAPS],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, GAPS],
    ]
)


def test_alpha_of_krippendorffs_example() -> None:
    assert krippendorff_alpha(RELIABILITY, "nominal") == pytest.approx(0.743, abs=0.0005)
    assert krippendorff_alpha(RELIABILITY, "interval") == pytest.approx(0.849, abs=0.0005)


def test_cohen_by_hand() -> None:
    # 20 both win, 5 + 10 apart, 15 both lose: agreed .7; by chance .5 x .6 + .5 x .4 = .5.
    one = np.array([1.0] * 25 + [0.0] * 25)
    other = np.array([1.0] * 20 + [0.0] * 5 + [1.0] * 10 + [0.0] * 15)
    assert cohen_kappa(one, other) == pytest.approx(0.4)
    assert cohen_kappa(one, one) == 1
    assert cohen_kappa(one, np.full(50, np.nan)) is None
    assert cohen_kappa(np.ones(5), np.ones(5)) is None


def test_fleiss_by_hand() -> None:
    # Three judges, four prompts: 3-0, 2-1, 0-3, 1-2. Agreed (1 + 1/3 + 1 + 1/3) / 4 = 2/3; shares 1/2 and 1/2.
    outcomes = np.array([[1, 1, 0, 1], [1, 1, 0, 0], [1, 0, 0, 0]], dtype=float)
    assert fleiss_kappa(outcomes) == pytest.approx((2 / 3 - 1 / 2) / (1 / 2))
    assert fleiss_kappa(outcomes[:1]) is None


def test_outcomes_keep_only_exact_draws() -> None:
    np.testing.assert_equal(to_outcomes(np.array([0.2, 0.5, 0.5000001, 1, np.nan])), [0, 0.5, 1, 1, np.nan])


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("gpt-4o-2024-08-06", "OpenAI"),
        ("xl_gpt4o", "OpenAI"),
        ("xl_gpt4o-Qwen2.5-72B-Instruct", "Alibaba"),
        ("xl_gpt4o_crosslingual-gemma-3-27b-it", "Google"),
        ("xl_local-gpt-oss-20b", "OpenAI"),
        ("xl_local", None),
        ("weighted_alpaca_eval_gpt4_turbo", "OpenAI"),
        ("CohereForAI/aya-expanse-8b", "Cohere"),
        ("meta-llama/Llama-3.1-8B", "Meta"),
        ("utter-project/EuroLLM-9B-Instruct", "EuroLLM"),
        ("DeepSeek-R1-Distill-Qwen-7B", None),
        ("my-model", None),
    ],
)
def test_families(name: str, family: str | None) -> None:
    assert find_family(name) == family


def judge(name: str, rate: float, seed: int, **changes: Any) -> list[Annotation]:
    wins = np.random.default_rng(seed).random(400) < rate
    return [
        Annotation(
            instruction=str(place),
            output_1="a",
            generator_1=changes.get("reference", "base"),
            output_2="b",
            generator_2=changes.get("model", "gpt-4o"),
            annotator=name,
            preference=1.0 + win,
            id=place,
            language="deu",
        )
        for place, win in enumerate(wins)
    ]


@pytest.mark.parametrize(("side", "sign"), [("model", 1), ("reference", 1)])
def test_self_preference(side: str, sign: int) -> None:
    names = {"model": "gpt-4o"} if side == "model" else {"model": "base", "reference": "gpt-4o-mini"}
    own = 0.7 if side == "model" else 0.3
    judges = {
        "gpt4_judge": judge("gpt4_judge", own, 1, **names),
        "claude": judge("claude", 0.9, 2, **names),
        "people-ann": judge("people-ann", 0.5, 3, **names),
    }
    (found,) = measure_self_preference(judges)
    assert (found.annotator, found.family, found.side) == ("gpt4_judge", "OpenAI", side)
    assert found.favour == pytest.approx(20 * sign, abs=6)
    assert found.ci_low < found.favour < found.ci_high
    assert found.p_value < 0.01
    del judges["people-ann"]
    assert measure_self_preference(judges) == [], "other judges do not say what is right"
    told = describe_judges([row for rows in judges.values() for row in rows])
    assert told["self_preference"] == NOT_IDENTIFIED


def test_judges_that_agree_and_not() -> None:
    same = judge("one", 0.5, 1)
    described = describe_judges([*same, *judge("other", 0.5, 2)])
    assert described["agreement"]["fleiss"] == pytest.approx(0, abs=0.15)
    assert described["agreement"]["n_shared"] == 400
    full = measure_agreement({"one": same, "two": judge("two", 0.5, 1)})
    assert (full.fleiss, full.alpha_interval, full.cohen) == (1, 1, {"one / two": 1})
