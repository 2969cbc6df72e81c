"""Where the terminology of one response drifts: a term of the source that its translation renders in several ways.

A sign, not a verdict: languages inflect, and a word may rightly have two translations. Terms are words that come
back in at least three segments; a term drifts where no word of the translation, compared by its first letters, is in
most of these segments while hardly in others.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from xl_suite.translation.signs import find_words

LEAST_SEGMENTS = 3  # in which a word is a term
LEAST_LETTERS = 5  # of a term; shorter words are mostly grammar
STEM = 5  # letters by which words of the translation are compared
HELD = 0.6  # share of a term's segments that its translation is in, at least
_HAN = re.compile("[\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Drift:
    """term: as the source has it, in lower case. segments: how many have it. held: how many of these share the word
    of the translation that is in most of them."""

    term: str
    segments: int
    held: int


def find_drift(sources: Sequence[str], translations: Sequence[str], language: str) -> list[Drift]:
    """The terms of a response whose translation changes from segment to segment, the most frequent first.

    sources, translations: of its segments, in order. language: ISO 639-3 of the translations.
    """
    found: dict[str, list[int]] = {}
    for place, source in enumerate(sources):
        for word in {word.casefold() for word in find_words(source) if len(word) >= LEAST_LETTERS and word.isalpha()}:
            found.setdefault(_singular(word), []).append(place)
    terms = {term: places for term, places in found.items() if len(places) >= LEAST_SEGMENTS}
    if not terms:
        return []
    stems = [_find_stems(text) for text in translations]
    spread = Counter(stem for own in stems for stem in own)
    drifts = []
    for term, places in terms.items():
        counts = Counter(stem for place in places for stem in stems[place])
        # A word that is everywhere, such as an article, is no translation of a term.
        held = max(
            (count for stem, count in counts.items() if len(places) == len(stems) or spread[stem] <= 2 * count),
            default=0,
        )
        if held < HELD * len(places):
            drifts.append(Drift(term, len(places), held))
    return sorted(drifts, key=lambda drift: (-drift.segments, drift.term))


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _find_stems(text: str) -> set[str]:
    """The first letters of the words of a text; pairs of characters where words have no spaces."""
    stems = {word.casefold()[:STEM] for word in find_words(text) if len(word) > 2 and not _HAN.search(word)}
    return stems | {text[place : place + 2] for place in range(len(text) - 1) if _HAN.match(text, place)}
