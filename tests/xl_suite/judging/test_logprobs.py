"""Preferences from log probabilities: one name without the other, and what a server may send in their place."""

from __future__ import annotations

import math
from typing import Any

import pytest

from xl_suite.judging.annotator import read_annotator
from xl_suite.judging.judge import for_judge
from xl_suite.judging.verdicts import explain_labels, parse_logprobs, weigh_labels

NAN = float("nan")


def content(**shares: float) -> list[dict[str, Any]]:
    """The logprobs of an answer of one token, whose top tokens have these probabilities."""
    return [{"top_logprobs": [{"token": token, "logprob": math.log(share)} for token, share in shares.items()]}]


@pytest.mark.parametrize(
    ("shares", "preference"),
    [
        ({"M": 0.98}, 2.0),
        ({"M": 1e-9, "A": 0.9}, 2.0),
        ({"m": 0.98}, 1.0),
        ({"m": 0.25, "M": 0.75}, 1.75),
        ({"m": 0.1, "M": 0.1, "A": 0.8}, 1.5),
    ],
)
def test_a_name_that_is_not_among_the_top_tokens_counts_zero(shares: dict[str, float], preference: float) -> None:
    assert parse_logprobs(content(**shares)) == pytest.approx(preference, abs=1e-12)


def test_probabilities_too_small_for_a_float_are_compared() -> None:
    top = [{"token": "m", "logprob": -9000.0}, {"token": "M", "logprob": -9000.0 + math.log(3)}]
    assert parse_logprobs([{"top_logprobs": top}]) == pytest.approx(1.75)


def test_no_name_among_the_top_tokens_is_no_preference() -> None:
    assert parse_logprobs(content(A=0.9, B=0.1)) is None
    assert parse_logprobs(content(m=0.9), numerator="m", denominators=("A", "B")) is None


def test_the_verdict_is_read_at_its_position() -> None:
    answer = [*content(M=0.9), *content(m=0.9)]
    assert [parse_logprobs(answer, position=place) for place in (0, 1, -1, -2)] == [2, 1, 1, 2]
    assert [parse_logprobs(answer, position=place) for place in (2, -3)] == [None, None]


@pytest.mark.parametrize(
    "malformed",
    [
        None,
        "mM",
        {"top_logprobs": []},
        7,
        [],
        [None],
        ["mM"],
        [[{"token": "M", "logprob": -0.1}]],
        [{}],
        [{"top_logprobs": None}],
        [{"top_logprobs": "mM"}],
        [{"top_logprobs": {"M": -0.1}}],
        [{"top_logprobs": []}],
        [{"top_logprobs": [None, "M", 1, ["M", -0.1]]}],
        [{"top_logprobs": [{"token": "M"}]}],
        [{"top_logprobs": [{"logprob": -0.1}]}],
        [{"top_logprobs": [{"token": "M", "logprob": "-0.1"}]}],
        [{"top_logprobs": [{"token": "M", "logprob": None}]}],
        [{"top_logprobs": [{"token": "M", "logprob": True}]}],
        [{"top_logprobs": [{"token": "M", "logprob": NAN}, {"token": "m", "logprob": NAN}]}],
        [{"top_logprobs": [{"token": ["M"], "logprob": -0.1}]}],
        [{"top_logprobs": [{"token": "M", "logprob": -math.inf}]}],
    ],
)
def test_malformed_logprobs_are_no_preference(malformed: Any) -> None:
    assert parse_logprobs(malformed) is None


def test_what_is_malformed_beside_a_name_does_not_count() -> None:
    top = [None, {"token": "m", "logprob": "high"}, {"token": "m", "logprob": NAN}, {"token": "M", "logprob": -0.1}]
    assert parse_logprobs([{"top_logprobs": top}]) == 2.0


def top(*tokens: tuple[str, float]) -> list[dict[str, Any]]:
    return [{"top_logprobs": [{"token": token, "logprob": math.log(share)} for token, share in tokens]}]


@pytest.mark.parametrize(
    ("tokens", "preference"),
    [
        ([(" m", 0.9), ("M", 0.001)], 1 + 0.001 / 0.901),  # AlpacaEval's rule, to the letter, gives 2
        ([("▁m", 0.2), ("▁M", 0.6)], 1.75),
        ([("Ġm", 0.3), ("m", 0.3), ("M\n", 0.2)], 1.25),
        ([("m", 0.8), ("the", 0.1)], 1.0),
        ([("M", 0.5)], 2.0),
    ],
)
def test_labels_are_matched_without_spaces_and_marks(tokens: list[tuple[str, float]], preference: float) -> None:
    assert weigh_labels(top(*tokens), ("m", "M")) == pytest.approx(preference)


@pytest.mark.parametrize(
    "content",
    [
        top(("m", 0.1), ("The", 0.8)),
        top(("**", 0.9), ("M", 0.05)),
        top(("<think>", 1.0)),
        top(("token_id:79", 0.9), ("token_id:44", 0.1)),
        [{"top_logprobs": []}],
        [{"top_logprobs": {"m": -0.1}}],
        [{"top_logprobs": [{"token": "m", "logprob": math.nan}]}],
        {"content": None},
        [],
        None,
    ],
)
def test_labels_with_little_probability_or_none_are_unread(content: Any) -> None:
    assert weigh_labels(content, ("m", "M")) is None


def test_missing_labels_are_told_from_labels_with_little_probability() -> None:
    missing = "the verdict's tokens are not among the top log probabilities"
    assert explain_labels(top(("**", 0.9)), ("m", "M")) == missing
    assert explain_labels(None, ("m", "M")) == missing
    told = "the verdict's tokens have 11.0% of the probability, less than 50%,"
    assert explain_labels(top(("The", 0.8), (" m", 0.1), ("M", 0.01)), ("m", "M")) == told


def test_only_the_own_judge_of_alpacaevals_prompt_is_read_to_the_letter() -> None:
    pytest.importorskip("alpaca_eval")
    faithful, local = read_annotator("xl_gpt4o"), read_annotator("xl_local")
    assert (faithful.exact, local.exact) == (True, False)
    assert for_judge(faithful, faithful.model).exact
    assert not for_judge(faithful, "another-judge").exact
