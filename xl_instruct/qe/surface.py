"""`surface`: what a translation shows of its faults without a model. It is not a substitute for quality estimation.

It sees a wrong language, a copy, a cut, lost numbers and spans, and words out of order where order leaves a mark
(full stops, capitals, commas, names). It does not see meaning: a fluent sentence about something else scores high.
For the demo, for tests, and beside an estimator that reads.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

from xl_suite.errors import BadInput
from xl_suite.fidelity import judge_answers
from xl_suite.fidelity.verdicts import FidelityAnswer
from xl_suite.markdown.inline import find_spans
from xl_suite.translation.numbers import find_lost_numbers, find_numbers
from xl_suite.translation.signs import (
    Signs,
    find_signs,
    find_words,
    has_latin_script,
    leave_out,
    measure_copy,
    measure_spans,
)

_LANGUAGE = {"right": 1.0, "undetermined": 0.8, "empty": 0.8, "mixed": 0.4, "wrong": 0.05}
_ENDS = {".": ".", "。": ".", "।": ".", "!": "!", "！": "!", "?": "?", "？": "?", ":": ":", "：": ":"}
_CLOSERS = " \"'”’»)]*_）」』"
_STOP_INSIDE = re.compile(r"[.!?](?=\s+\S)|[。！？](?=.)|।(?=\s*\S)")
_MISPLACED = re.compile(r"^[,;.!?，。；！？、।]|[，、；][，、。；]|(?<=\s)[,;.!?](?=\s)|,[.;]")
_COMMA = re.compile(r"[,，、]")
_BEFORE_STOP = re.compile(r"([^\W_]+)(?=[,.;!?，。；！？।](?:\s|\Z)|\Z)")


# The verdict on a translation's language, and the spans of the source that were left out before.
Seen = tuple[str | None, list[str]]


class SurfaceEstimator:
    """Scores in [0, 1], the product of eight factors, each 1 where it finds no fault."""

    name = "surface"
    licence = "Apache-2.0"
    languages: frozenset[str] | None = None
    range = (0.0, 1.0)
    fingerprint = "surface-1"

    def __init__(self) -> None:
        self._seen: Mapping[tuple[str, str], Seen] = {}

    def take_verdicts(self, seen: Mapping[tuple[str, str], Seen]) -> None:
        """What the guards have found of the pairs that come next, so that no language is told twice."""
        self._seen = seen

    def __call__(self, sources: Sequence[str], translations: Sequence[str], language: str) -> list[float]:
        """One score per pair, higher is better. sources: English. Raises UnknownLanguage."""
        signs = find_signs(language)
        spans = [[source[span.start : span.end] for span in find_spans(source)] for source in sources]
        verdicts: list[str | None] = [
            verdict if seen == own else None
            for (verdict, seen), own in zip(
                (self._seen.get(pair, (None, [])) for pair in zip(sources, translations, strict=True)),
                spans,
                strict=True,
            )
        ]
        todo = [place for place, verdict in enumerate(verdicts) if verdict is None]
        bare = [FidelityAnswer(leave_out(translations[place], spans[place])) for place in todo]
        for place, found in zip(todo, judge_answers(bare, language), strict=True):
            verdicts[place] = found.verdict
        return [
            round(_score(source.strip(), translation.strip(), signs, verdict or "", own), 6)
            for source, translation, verdict, own in zip(sources, translations, verdicts, spans, strict=True)
        ]


def load(model: str = "") -> SurfaceEstimator:
    if model:
        raise BadInput(f"'surface' has no models, {model!r} was given. Write 'surface' alone.")
    return SurfaceEstimator()


def _score(source: str, translation: str, signs: Signs, verdict: str, spans: Sequence[str]) -> float:
    if not source or not translation:
        return 0.0
    bare_source, bare = leave_out(source, spans), leave_out(translation, spans)
    copied = 0.0 if signs.language == "eng" else measure_copy(bare_source, bare)
    numbers = set(find_numbers(bare_source))
    lost = find_lost_numbers(bare_source, bare, signs.language) if numbers else []
    return math.prod(
        (
            _LANGUAGE[verdict],
            1 - 0.9 * copied,
            _score_length(bare_source, bare, signs.ratio),
            1 - 0.6 * min(1.0, len(lost) / len(numbers) if numbers else 0.0),
            0.3 + 0.7 * measure_spans(spans, translation),
            _score_end(bare_source, bare),
            _score_begin(bare_source.strip(), bare.strip(), signs),
            _score_order(source, translation, signs),
        )
    )


def _score_length(source: str, translation: str, ratio: float) -> float:
    """1 at the length that translations into the language have, falling with the square of the log of the ratio."""
    stray = abs(math.log((len(translation) + 5) / (len(source) * ratio + 5)))
    return math.exp(-((max(0.0, stray - 0.2) / 0.8) ** 2))


def _score_end(source: str, translation: str) -> float:
    """Ends as the source does, with no more full stops inside and no punctuation out of its place."""
    wanted, found = (_ENDS.get(text.rstrip(_CLOSERS)[-1:], "") for text in (source, translation))
    extra = len(_STOP_INSIDE.findall(translation)) - len(_STOP_INSIDE.findall(source))
    return (
        (1.0 if wanted == found else 0.7)
        * 0.8 ** max(0, min(3, extra))
        * (0.8 if _MISPLACED.search(translation) else 1.0)
    )


def _score_begin(source: str, translation: str, signs: Signs) -> float:
    """Begins as a sentence does, and no word is inside that shows a capital only where one begins."""
    words = find_words(translation)
    if not words or not source:
        return 1.0
    first = words[0]
    odd = first in signs.bound or (first[0] in signs.bound and signs.language == "zho")
    odd = odd or (first[0].isdigit() and not source[0].isdigit())
    small = inside = False
    if has_latin_script(signs.language):
        # Irish eclipsis and Maltese articles put small letters before a capital.
        small = source[0].isupper() and translation[0].islower() and not any(map(str.isupper, first[:4]))
        inside = any(word in signs.capital for word in words[1:]) and not re.search(
            r"[.!?:\"“„«]\s*\S", translation[:-1]
        )
    return (0.8 if small else 1.0) * (0.85 if inside else 1.0) * (0.9 if odd else 1.0)


def _score_order(source: str, translation: str, signs: Signs) -> float:
    """The order of what both have (names, numbers), where the commas stand, and no word left hanging."""
    left, right = find_words(source), find_words(translation)
    hanging = any(word.casefold() in signs.open for word in _BEFORE_STOP.findall(translation))
    doubled = any(a == b and a.isalpha() for a, b in pairwise(right))
    places = {word: place for place, word in enumerate(right)} if len(right) < 500 else {}
    shared = [places[word] for word in dict.fromkeys(left) if word in places and len(word) > 1]
    pairs = list(combinations(shared, 2))
    ordered = sum(a < b for a, b in pairs) / len(pairs) if pairs else 1.0
    stray = _measure_stray(_COMMA, source, translation)
    return (0.75 + 0.25 * ordered) * (0.75 if hanging else 1.0) * (0.85 if doubled else 1.0) * (1 - 0.3 * stray)


def _measure_stray(mark: re.Pattern[str], source: str, translation: str) -> float:
    """How far the marks stand from where the source has them, as a share of the length; 0 for unequal numbers."""
    left, right = ([found.start() / len(text) for found in mark.finditer(text)] for text in (source, translation))
    if not left or len(left) != len(right):
        return 0.0
    return sum(abs(a - b) for a, b in zip(left, right, strict=True)) / len(left)
