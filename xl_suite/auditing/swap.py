"""Language-swap probes: the same answer in English and in the language, and how far a judge favours English.

A translation differs from its original, so a preference may come from the language or from the translation. Two
directions separate these. Where the English text is the translation, English may have a disadvantage; where the other
text is the translation, English may have an advantage. If being a translation is never an advantage, the effect of
the language alone lies between the two. The control tests this assumption: it compares an answer with its translation
to English and back, so that only translation differs. If the control shows an advantage of translation, the effect is
not identified.

The prompts are unchanged; they ask for the answer in the language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xl_suite.auditing.probes import ENGLISH, Material, name_prompt
from xl_suite.auditing.rewriting import Task, Texts
from xl_suite.judging.pairs import Pair
from xl_suite.records import ModelOutput

TO_ENGLISH, FROM_ENGLISH, CONTROL = SWAPS = ("swap to English", "swap from English", "swap control")
ASSUMED = (
    "Assumed: being a translation is never an advantage to an answer, and the translator's two directions change "
    "nothing else that matters. The prompts ask for the language, so 50 % means that the judge accepts English. "
    "Published studies disagree whether judges favour English."
)


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of the win over n prompts with its 95 % interval; None without prompts."""

    n: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Swap:
    """A judge's preference for English in a language. to_english, from_english: English's share of the win where it
    is the translation, and where it is the original. control: the original's share against its back-translation.

    low, high: the bound on English's share, 0 and 1 where a direction is missing. verdict: `favours English`,
    `favours the language`, `not told`, or `not identified` where the control contradicts the assumption.
    """

    language: str
    to_english: Rate
    from_english: Rate
    control: Rate
    low: float
    high: float
    verdict: str

    def describe(self) -> str:
        return (
            f"{self.language}: English's share of the win between {self.low:.0%} and {self.high:.0%} "
            f"({self.verdict}; {self.to_english.n}, {self.from_english.n} and {self.control.n} pairs)"
        )


def bound_swap(language: str, rates: Mapping[str, Rate]) -> Swap:
    """The bound of one language. rates: by SWAPS; the control's rate is the back-translation's share."""
    none = Rate(0, None, None, None)
    to, origin, back = (rates.get(name, none) for name in SWAPS)
    control = none
    if back.value is not None and back.low is not None and back.high is not None:
        control = Rate(back.n, 1 - back.value, 1 - back.high, 1 - back.low)
    low = 0.0 if to.low is None else to.low
    high = 1.0 if origin.high is None else origin.high
    if control.high is None or control.high < 0.5 or low > high:
        verdict = "not identified"
    elif low > 0.5:
        verdict = "favours English"
    elif high < 0.5:
        verdict = "favours the language"
    else:
        verdict = "not told"
    return Swap(language, to, origin, control, low, high, verdict)


def list_tasks(material: Material) -> tuple[list[Task], list[Task]]:
    """The translations of the answers to English, and of their English originals to the language."""
    to, origin = [], []
    for row, language, text in _list_answers(material):
        to.append(Task(f"{TO_ENGLISH}/{language}/{row}", text, language, ENGLISH))
        if (english := material.english.get(row)) is not None:
            origin.append(Task(f"{FROM_ENGLISH}/{language}/{row}", english, ENGLISH, language))
    return to, origin


def list_back(material: Material, texts: Texts) -> list[Task]:
    """The back-translations of the texts translated to English."""
    return [
        Task(f"{CONTROL}/{language}/{row}", texts.by_row[name], ENGLISH, language)
        for row, language, _ in _list_answers(material)
        if (name := f"{TO_ENGLISH}/{language}/{row}") in texts.by_row
    ]


def probe_swaps(material: Material, texts: Texts) -> dict[tuple[str, str], list[Pair]]:
    """The pairs by language and name; the changed text is the English one, in the control the translation."""
    probes: dict[tuple[str, str], list[Pair]] = {}
    for language, rows in material.answers.items():
        if language == ENGLISH:
            continue
        for name in SWAPS:
            probes[language, name] = [
                pair for row in rows if (pair := _make_pair(row, language, name, material, texts)) is not None
            ]
    return probes


def _make_pair(row: ModelOutput, language: str, name: str, material: Material, texts: Texts) -> Pair | None:
    made = texts.by_row.get(f"{name}/{language}/{name_prompt(row)}")
    if made is None:
        return None
    clean, changed = (made, material.english[name_prompt(row)]) if name == FROM_ENGLISH else (row.output, made)
    sides = ("original", "translation") if name == CONTROL else ("in the language", "in English")
    return Pair(row.id, row.dataset, language, row.instruction, clean, sides[0], changed, sides[1], row.benchmark)


def _list_answers(material: Material) -> Sequence[tuple[Any, str, str]]:
    return [
        (name_prompt(row), language, row.output)
        for language, rows in material.answers.items()
        if language != ENGLISH
        for row in rows
    ]
