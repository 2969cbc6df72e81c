"""Best of k in low precision: contests that its rounding could decide are decided in full precision.

Rounding to bf16 moves every score a little, which matters only between candidates that are nearly level. How much
it moves them depends on the checkpoint, so it is measured on fixed pairs; candidates nearer to their segment's best
than that are scored again. Given its scores a segment is settled by itself. But a score in low precision also moves
with the batch that it is computed in, by about as much as by its rounding: the winners hold in any batch, while which
contests count as close, and the last digits, are the same only for the same pairs in the same windows (see `store`).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any

from xl_instruct.qe import QualityEstimator
from xl_instruct.qe.store import ScoreStore, score_pairs

# Two scores' difference errs by sqrt(2) times a score's root mean square error, so this is 2.8 standard deviations.
_MARGIN = 4.0


class TieBreak:
    """Settles close contests with the estimator's `precise`, where it has one (see `QualityEstimator`)."""

    def __init__(self, estimator: QualityEstimator, store: ScoreStore | None):
        self._estimator, self._store = estimator, store
        self._margin: float | None = None

    def __call__(self, contests: Iterable[tuple[str, Sequence[dict[str, Any]]]], language: str) -> int:
        """Puts precise scores in the place of those that are too close to call; returns how many.

        contests: a segment's text and its candidates, which have `text` and `score` (None: not in the contest).
        Without candidates that compete, as with one translator, the precise estimator is not even loaded.
        """
        open_ones = [contest for contest in contests if find_close(contest[1], math.inf)]
        precise: QualityEstimator | None = getattr(self._estimator, "precise", None) if open_ones else None
        if precise is None:
            return 0
        if self._margin is None:
            self._margin = measure_margin(self._estimator, precise, self._store)
        close = [(source, one) for source, candidates in open_ones for one in find_close(candidates, self._margin)]
        pairs = [(source, one["text"]) for source, one in close]
        for (_, one), score in zip(close, score_pairs(precise, pairs, language, self._store), strict=True):
            one["score"] = score
        return len(close)


def find_close(candidates: Sequence[dict[str, Any]], margin: float) -> list[dict[str, Any]]:
    """The candidates within `margin` of the best, where they are different texts; else none."""
    scored = [one for one in candidates if one["score"] is not None]
    best = max((one["score"] for one in scored), default=0.0)
    near = [one for one in scored if best - one["score"] <= margin]
    return near if len({one["text"] for one in near}) > 1 else []


def measure_margin(estimator: QualityEstimator, precise: QualityEstimator, store: ScoreStore | None = None) -> float:
    """The difference of two scores below which the estimator's rounding may decide, on pairs good and bad."""
    lines = files("xl_instruct.qe").joinpath("calibration.tsv").read_text("utf-8").splitlines()
    rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    pairs = [(left["source"], right["translation"]) for left in rows for right in rows]
    rough, exact = (score_pairs(one, pairs, "", store) for one in (estimator, precise))
    squares = [(a - b) ** 2 for a, b in zip(rough, exact, strict=True) if a is not None and b is not None]
    return _MARGIN * math.sqrt(math.fsum(squares) / len(squares)) if squares else math.inf
