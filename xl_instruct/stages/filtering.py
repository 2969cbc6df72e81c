"""Stage 4: the cut. Rows whose score is among the lowest are left out (paper, section 4.4)."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True)
class Scores:
    """The scores of one language's rows in file order, 48 bytes a row.

    scores: passage scores. counts: segments that each is the mean of. lowest: of these the lowest score.
    lengths: characters of the English response. places: where the row is in its file. ids: the rows'.
    """

    scores: array[float] = field(default_factory=lambda: array("d"))
    lowest: array[float] = field(default_factory=lambda: array("d"))
    counts: array[int] = field(default_factory=lambda: array("q"))
    lengths: array[int] = field(default_factory=lambda: array("q"))
    places: array[int] = field(default_factory=lambda: array("q"))
    ids: array[int] = field(default_factory=lambda: array("q"))

    def add(self, id: int, score: float, lowest: float, count: int, length: int, place: int) -> None:
        self.scores.append(score)
        self.lowest.append(lowest)
        self.counts.append(count)
        self.lengths.append(length)
        self.places.append(place)
        self.ids.append(id)

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True)
class Cut:
    """What the cut of one language did. threshold: the lowest score kept; of each bin of lengths where the cut was
    stratified, as (longest length of the bin, lowest score kept). kept: numbers in `Scores`, best score first."""

    threshold: float
    bins: tuple[tuple[int, float], ...]
    kept: Sequence[int]
    dropped: int


def cut(
    scores: Mapping[str, Scores],
    *,
    drop: float,
    scope: Literal["language", "global"],
    stratify: Literal["none", "length"],
    bins: int,
) -> dict[str, Cut]:
    """Drops the share `drop` of rows with the lowest scores, rounded down, in each language or over all of them.

    Rows of equal score are dropped from the end. stratify: `length` sorts rows into `bins` of equally many by
    length and cuts each by itself.
    """
    if scope == "language":
        return {
            language: _cut_group({language: own}, drop, stratify, bins)[language] for language, own in scores.items()
        }
    return _cut_group(scores, drop, stratify, bins)


def _cut_group(scores: Mapping[str, Scores], drop: float, stratify: str, bins: int) -> dict[str, Cut]:
    import numpy as np

    languages = list(scores)
    of = np.concatenate([np.full(len(scores[code]), place) for place, code in enumerate(languages)] or [np.zeros(0)])
    values = np.concatenate([np.frombuffer(own.scores, dtype=np.float64) for own in scores.values()])
    lengths = np.concatenate([np.frombuffer(own.lengths, dtype=np.int64) for own in scores.values()])
    numbers = np.concatenate([np.arange(len(own)) for own in scores.values()])
    count = len(values)
    keep = np.ones(count, dtype=bool)
    edges: list[tuple[int, float]] = []
    if stratify == "length":
        by_length = np.lexsort((np.arange(count), lengths))
        groups = [group for group in np.array_split(by_length, min(bins, max(1, count))) if len(group)]
    else:
        groups = [np.arange(count)]
    for group in groups:
        # Best first; of equal scores the later row is the lower.
        order = group[np.lexsort((group, -values[group]))]
        kept = len(order) - math.floor(len(order) * drop + 1e-9)
        keep[order[kept:]] = False
        if stratify == "length" and kept:
            edges.append((int(lengths[group].max()), float(values[order[:kept]].min())))
    found = {}
    for number, code in enumerate(languages):
        own = np.flatnonzero((of == number) & keep)
        order = own[np.lexsort((own, -values[own]))]
        threshold = float(values[order[-1]]) if len(order) else math.nan
        found[code] = Cut(
            threshold, tuple(edges), array("q", numbers[order].tolist()), int((of == number).sum()) - len(order)
        )
    return found
