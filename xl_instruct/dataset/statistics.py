"""What a run's report and card tell of its scores: histograms and counts, of a size that does not grow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from xl_instruct.dataset.selection import DOCUMENT, Choice, list_candidates
from xl_instruct.segments import TRANSLATABLE
from xl_instruct.stages.files import Row

BINS = 40  # of scores from 0 to 1; what is outside goes into the first or last
LENGTH_BINS = 24
# Edges of lengths double: 2 bins for each factor of two, from 16 characters.
_FIRST_LENGTH = 16


@dataclass(slots=True)
class Statistics:
    """rows: histograms of passage scores by (config, language). segments: of segments' scores by (language, model).
    wins: segments won in the best-of-k choice, refused: candidates refused by guard, flags: candidates flagged by
    name, all by (language, model ...). lengths: by (config, bin of lengths): number of rows and sum of their scores.
    repeats: segments asked."""

    rows: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    segments: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    wins: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    flags: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    candidates: Counter[tuple[str, str]] = field(default_factory=Counter)
    lengths: dict[tuple[str, int], tuple[int, float]] = field(default_factory=dict)

    def add(self, language: str, row: Row, choices: Mapping[str, Choice]) -> None:
        todo = [segment for segment in row["segments"] if segment["kind"] in TRANSLATABLE]
        for segment in todo:
            for candidate in list_candidates(segment):
                key = (language, candidate["model"])
                self.candidates[key] += 1
                for guard in candidate["refused"]:
                    self.refused[*key, guard] += 1
                for name in {flag.partition(":")[0] for flag in candidate.get("flags", ())}:
                    self.flags[*key, name] += 1
                if candidate["score"] is not None:
                    self.segments.setdefault(key, [0] * BINS)[_bin(candidate["score"])] += 1
        length = _bin_length(sum(len(segment["text"]) for segment in row["segments"]))
        for name, choice in choices.items():
            self.rows.setdefault((name, language), [0] * BINS)[_bin(choice.score)] += 1
            count, total = self.lengths.get((name, length), (0, 0.0))
            self.lengths[name, length] = (count + 1, total + choice.score)
        mixed = [choice for name, choice in choices.items() if name != DOCUMENT]
        if mixed:
            best = mixed[-1]
            for segment, winner in zip(todo, best.winners, strict=True):
                self.wins[language, segment["candidates"][winner]["model"]] += 1


def length_of_bin(number: int) -> int:
    """The shortest length in a bin, in characters."""
    return round(_FIRST_LENGTH * 2 ** (number / 2))


def _bin(score: float) -> int:
    return min(BINS - 1, max(0, int(score * BINS)))


def _bin_length(length: int) -> int:
    number = 0
    while number < LENGTH_BINS - 1 and length_of_bin(number + 1) <= length:
        number += 1
    return number
