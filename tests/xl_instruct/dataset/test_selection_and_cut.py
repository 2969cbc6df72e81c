"""Which candidate wins, and which rows the cut leaves."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xl_instruct.dataset.selection import Choice, choose
from xl_instruct.stages.filtering import Scores, cut


def segment(*candidates: float | None) -> dict[str, Any]:
    """A sentence whose candidates have these scores; None is one that guards refused."""
    return {
        "kind": "text",
        "text": "x",
        "candidates": [{"score": score, "refused": [] if score is not None else ["length"]} for score in candidates],
    }


CODE = {"kind": "code", "text": "```\n```"}


def test_the_best_sound_candidate_of_each_sentence_wins() -> None:
    choice = choose([segment(0.4, 0.6, 0.5), CODE, segment(0.9, None, 0.9)], "bestof3", "sentence")
    assert choice == Choice((1, 0), pytest.approx(0.75), 2, 0.6)


def test_naive_takes_the_first_translator_or_nothing() -> None:
    assert choose([segment(0.4, 0.6), segment(0.2, 0.9)], "naive", "sentence") == Choice(
        (0, 0), pytest.approx(0.3), 2, 0.2
    )
    assert isinstance(choose([segment(0.4, 0.6), segment(None, 0.9)], "naive", "sentence"), str)


def test_a_row_can_stay_with_one_translator() -> None:
    rows = [segment(0.9, 0.6, 0.7), segment(0.3, 0.7, None)]
    assert choose(rows, "bestof3", "row") == Choice((1, 1), pytest.approx(0.65), 2, 0.6)
    assert "no translator" in str(choose([segment(0.9, None), segment(None, 0.9)], "bestof2", "row"))


def test_a_sentence_without_a_sound_candidate_leaves_no_choice() -> None:
    assert choose([segment(0.9, 0.9), segment(None, None)], "bestof2", "sentence") == (
        "a segment without a sound candidate"
    )
    assert choose([CODE], "naive", "sentence") == "nothing to translate"


def fill(values: list[float], lengths: list[int] | None = None) -> Scores:
    scores = Scores()
    for number, value in enumerate(values):
        scores.add(number + 1, value, value, 1, lengths[number] if lengths else 10, 100 * number)
    return scores


@given(
    st.lists(st.lists(st.sampled_from([0.1, 0.5, 0.5, 0.9]) | st.floats(0, 1), max_size=40), min_size=1, max_size=3),
    st.floats(0, 0.99),
    st.sampled_from(["language", "global"]),
    st.sampled_from(["none", "length"]),
)
def test_the_cut_drops_its_share_and_keeps_the_best(
    groups: list[list[float]], drop: float, scope: Any, stratify: Any
) -> None:
    scores = {
        f"l{number}": fill(group, [len(group) - n for n in range(len(group))]) for number, group in enumerate(groups)
    }
    cuts = cut(scores, drop=drop, scope=scope, stratify=stratify, bins=3)
    assert set(cuts) == set(scores)
    for name, own in cuts.items():
        values = [scores[name].scores[number] for number in own.kept]
        assert values == sorted(values, reverse=True)
        assert len(set(own.kept)) == len(own.kept)
        assert own.dropped + len(own.kept) == len(scores[name])
        if own.kept:
            assert own.threshold == values[-1]
        if scope == "language" and stratify == "none":
            assert own.dropped == int(len(scores[name]) * drop + 1e-9)
            left = set(range(len(scores[name]))) - set(own.kept)
            assert all(scores[name].scores[number] <= own.threshold for number in left if own.kept)
    if stratify == "none" and scope == "global":
        assert sum(own.dropped for own in cuts.values()) == int(sum(map(len, groups)) * drop + 1e-9)


def test_strata_of_length_lose_equal_shares() -> None:
    # Short responses have the higher scores: without strata all that is dropped is long.
    values = [0.9 - 0.01 * number for number in range(20)]
    lengths = list(range(100, 2100, 100))
    plain = cut({"deu": fill(values, lengths)}, drop=0.5, scope="language", stratify="none", bins=2)["deu"]
    assert sorted(plain.kept) == list(range(10))
    even = cut({"deu": fill(values, lengths)}, drop=0.5, scope="language", stratify="length", bins=2)["deu"]
    assert sorted(even.kept) == [*range(5), *range(10, 15)]
    assert [longest for longest, _ in even.bins] == [1000, 2000]
