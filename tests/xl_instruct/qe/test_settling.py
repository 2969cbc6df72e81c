"""Contests that rounding could decide are decided by the precise estimator, and no others."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from xl_instruct.qe.settling import TieBreak, find_close, measure_margin
from xl_instruct.qe.store import ScoreJournal
from xl_instruct.stages.quality import score_rows

STEP = 0.01


class Exact:
    """Scores by a hash of the translation."""

    name, licence, languages, range, fingerprint = "exact", "Apache-2.0", None, (0.0, 1.0), "exact"

    def __init__(self) -> None:
        self.scored: list[str] = []

    def __call__(self, sources: Sequence[str], translations: Sequence[str], language: str) -> list[float]:
        self.scored.extend(translations)
        return [zlib.crc32(text.encode()) / 2**32 for text in translations]


class Rounded(Exact):
    """The same, each score off by up to half a step."""

    name, fingerprint = "rounded", "rounded"

    def __init__(self) -> None:
        super().__init__()
        self.precise = Exact()

    def __call__(self, sources: Sequence[str], translations: Sequence[str], language: str) -> list[float]:
        return [round(score / STEP) * STEP for score in super().__call__(sources, translations, language)]


def make_rows(count: int, k: int = 3) -> list[dict[str, Any]]:
    draw = random.Random(2)
    return [
        {
            "id": number,
            "segments": [
                {
                    "kind": "text",
                    "text": f"sentence {number}",
                    "candidates": [
                        {"text": f"Satz {draw.random()}", "refused": ["copy"] if draw.random() < 0.1 else []}
                        for _ in range(k)
                    ],
                },
                {"kind": "space", "text": "\n"},
            ],
        }
        for number in range(count)
    ]


def winners(rows: Sequence[dict[str, Any]]) -> list[int]:
    found = []
    for row in rows:
        scores = [one["score"] for one in row["segments"][0]["candidates"]]
        found.append(max(range(len(scores)), key=lambda number: -1.0 if scores[number] is None else scores[number]))
    return found


def test_every_winner_is_the_precise_estimators_and_few_pairs_are_scored_again() -> None:
    rough, unsettled = Rounded(), Rounded()
    unsettled.precise = None  # type: ignore[assignment]
    expected = winners(list(score_rows(make_rows(800), "deu", Exact(), None)))
    assert winners(list(score_rows(make_rows(800), "deu", unsettled, None))) != expected, "a test without ties"
    assert winners(list(score_rows(make_rows(800), "deu", rough, None))) == expected
    again = [text for text in rough.precise.scored if text.startswith("Satz")]
    assert 0 < len(again) < 0.1 * 2400


def test_given_its_scores_a_segment_is_settled_by_itself(tmp_path: Path) -> None:
    def scores(rows: Sequence[dict[str, Any]]) -> dict[str, float | None]:
        return {one["text"]: one["score"] for row in rows for one in row["segments"][0]["candidates"]}

    rows = make_rows(200)
    whole = scores(list(score_rows(rows, "deu", Rounded(), None)))
    with ScoreJournal(tmp_path / "journal.sqlite") as store:
        parts = [list(score_rows([row], "deu", Rounded(), store)) for row in reversed(make_rows(200))]
        assert scores([row for part in parts for row in part]) == whole
        known = Rounded()
        assert scores(list(score_rows(make_rows(200), "deu", known, store))) == whole
    assert known.scored == known.precise.scored == [], "the journal knew all of it"


@pytest.mark.parametrize(
    ("scores", "texts", "close"),
    [
        ([0.5, 0.49, 0.3], "abc", [0, 1]),
        ([0.5, 0.47, 0.3], "abc", []),
        ([0.5, 0.5, 0.3], "aab", []),
        ([0.5, 0.5, 0.49], "aab", [0, 1, 2]),
        ([0.49, None, 0.5], "abc", [0, 2]),
        ([0.5], "a", []),
        ([None, None], "ab", []),
        ([], "", []),
    ],
)
def test_close_candidates_are_those_near_the_best(scores: list[float | None], texts: str, close: list[int]) -> None:
    candidates = [{"text": text, "score": score} for text, score in zip(texts, scores, strict=True)]
    assert find_close(candidates, 0.02) == [candidates[number] for number in close]


def test_the_margin_is_four_times_the_rounding_error() -> None:
    # An error equally likely anywhere within half a step has a root mean square of step / sqrt(12).
    assert measure_margin(Rounded(), Exact()) == pytest.approx(4 * STEP / 12**0.5, rel=0.25)
    assert measure_margin(Exact(), Exact()) == 0


def test_an_estimator_without_rounding_settles_nothing() -> None:
    contest = [("a", [{"text": "b", "score": 0.5}, {"text": "c", "score": 0.5}])]
    assert TieBreak(Exact(), None)(contest, "deu") == 0


def test_one_translator_does_not_load_the_precise_estimator() -> None:
    class Alone(Exact):
        @property
        def precise(self) -> Exact:
            raise AssertionError("loaded for nothing")

    assert len(list(score_rows(make_rows(20, k=1), "deu", Alone(), None))) == 20


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_settles_in_fp32_unless_told_not_to(
    precision: str, make_checkpoint: Callable[..., Path]
) -> None:
    pytest.importorskip("torch")
    from xl_instruct.qe.cometkiwi import load

    folder = str(make_checkpoint())
    exact = load(folder, device="cpu")
    settled = load(folder, device="cpu", precision=precision)
    assert exact.precise is None
    assert load(folder, device="cpu", precision=precision, settle=False).precise is None
    assert settled.precise is not None
    assert settled.precise.fingerprint == exact.fingerprint != settled.fingerprint
    assert settled.precise(["a river"], ["ein Fluss"]) == exact(["a river"], ["ein Fluss"])
    assert 0 < measure_margin(settled, settled.precise) < 0.1
