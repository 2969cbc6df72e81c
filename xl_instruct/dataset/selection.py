"""Which candidates make a translation, and what score the whole then has (paper, sections 4.3 and 4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from xl_instruct.segments import TRANSLATABLE
from xl_instruct.stages.files import Row

NAIVE = "naive"
DOCUMENT = "document"  # the arm of `stages.documents`


@dataclass(frozen=True, slots=True)
class Choice:
    """The winners of a row's translatable segments, in order, as places among each one's candidates.

    score: the mean of the winners' scores, each a segment's. lowest: the lowest of them.
    """

    winners: tuple[int, ...]
    score: float
    n_segments: int
    lowest: float


def choose(segments: Sequence[Row], translations: str, mix: Literal["sentence", "row"]) -> Choice | str:
    """The choice of one row, or why there is none.

    translations: `naive` takes the first translator's candidates, `document` those of that arm, anything else the
    best of all. mix: `sentence` takes the best sound candidate of each segment; `row` takes one translator for the
    whole row: that with the highest mean among those whose candidates are all sound. Equal scores go to the earlier
    translator.
    """
    todo = [segment for segment in view(segments, translations) if segment["kind"] in TRANSLATABLE]
    if not todo:
        return "nothing to translate"
    numbers = range(len(todo[0]["candidates"]))
    if translations in (NAIVE, DOCUMENT):
        return _choose_one(todo, [0])
    if mix == "row":
        return _choose_one(todo, numbers)
    winners = []
    for segment in todo:
        sound = [number for number in numbers if not segment["candidates"][number]["refused"]]
        if not sound:
            return "a segment without a sound candidate"
        winners.append(max(sound, key=lambda number: (segment["candidates"][number]["score"], -number)))
    return _measure(todo, winners)


def list_candidates(segment: Row) -> list[dict[str, Any]]:
    """The candidates of a segment, that of the document arm last, if there is one."""
    return [*segment["candidates"], *([segment["document"]] if "document" in segment else [])]


def view(segments: Sequence[Row], translations: str) -> Sequence[Row]:
    """The segments with the candidates of an arm: those of translators, or the one of the document arm."""
    if translations != DOCUMENT:
        return segments
    return [{**part, "candidates": [part["document"]]} if "document" in part else part for part in segments]


def _choose_one(todo: Sequence[Row], numbers: Sequence[int] | range) -> Choice | str:
    sound = [n for n in numbers if not any(segment["candidates"][n]["refused"] for segment in todo)]
    choices = [_measure(todo, [number] * len(todo)) for number in sound]
    if not choices:
        return (
            "no translator with sound candidates throughout"
            if len(numbers) > 1
            else ("a segment without a sound candidate")
        )
    return max(choices, key=lambda choice: (choice.score, -choice.winners[0]))


def _measure(todo: Sequence[Row], winners: Sequence[int]) -> Choice:
    scores = [segment["candidates"][winner]["score"] for segment, winner in zip(todo, winners, strict=True)]
    return Choice(tuple(winners), sum(scores) / len(scores), len(scores), min(scores))
