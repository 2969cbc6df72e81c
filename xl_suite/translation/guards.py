"""Guards: reasons why a candidate is not a translation of its source sentence, whatever quality estimation says.

A guard is made to be sure: a sound translation that it refuses costs more than a poor one that it lets through,
since quality estimation ranks the rest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from xl_suite.fidelity import judge_answers
from xl_suite.fidelity.verdicts import FidelityAnswer
from xl_suite.translation.headings import has_english_heading
from xl_suite.translation.numbers import compare_numbers
from xl_suite.translation.remarks import declines, has_remark
from xl_suite.translation.signs import (
    Signs,
    find_signs,
    find_words,
    has_latin_script,
    leave_out,
    measure_copy,
    measure_spans,
)
from xl_suite.translation.wrapping import has_wrapping

REASONS = {
    "empty": "nothing but whitespace",
    "wrong_language": "in another language, as a whole or in part (xl_suite.fidelity); too short to tell passes",
    "copied": "repeats half of the source's wording or more, untranslated, or keeps a heading or label in English",
    "lost_span": "lacks a protected span: code, URL, formula, tag or address",
    "lost_number": "lacks a number, date or time of the source in any form that its language has",
    "preamble": "talks about the translation, names its language, or has more around it: a paragraph, a remark, "
    "another version, quotes, bold, tokens of a chat template",
    "answer": "answers or refuses: the question it should translate is not a question any more, or it apologises",
    "length": "far longer or shorter than translations into this language are",
    "repetition": "repeats a phrase over and over",
}

FLAGS = {
    "ambiguous_date": "the source has a date whose day and month cannot be told apart",
    "ambiguous_time": "the half of the day cannot be told",
    "ambiguous_number": "a year is shortened, or a number copied that the language reads in another way",
    "converted_unit": "gives a value in another unit, about as large",
}

_FACTOR = 3.0  # of the expected length; translations of single sentences scatter widely, runaways far more
_SLACK_LONG, _SLACK_SHORT = 40, 10  # characters; short sentences scatter most
_COPIED = 0.5
_SAID_AGAIN = re.compile(r"(.{8,}?)(?:\s+\1){2,}", re.DOTALL)  # the same sentence three times
_PIECE, _LONGEST_UNIT = 8, 201
_LOOKED_AT = 6000  # characters at each end of a candidate where loops are looked for
_PARAGRAPHS = re.compile(r"\n\s*\n")
_QUESTION_MARKS = "?？؟;՞፧"
_QUESTION_WORDS = ("吗", "呢", "什么", "怎么", "如何", "为何", "哪", "谁", "क्या", "कैसे", "क्यों")
_REFUSAL = re.compile(
    r"\bas an ai\b|\bi(?:['’]m| am) (?:sorry|unable)\b|\bi can(?:not|['’]t) (?:help|assist|translate|fulfil|provide)|"
    r"\bals (?:ki|ai)[- ]|\bcomo (?:uma? )?(?:ia|modelo de ling)|\ben tant qu['’](?:ia|assistant)|"
    r"作为(?:一个|一名)?(?:ai|人工智能|语言模型)|\btekoäly(?:nä|mallina)\b|\bmi-?ként\b|\byapay zek[aâ] olarak",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Check:
    """What the guards say of one translation.

    refused: names of `REASONS`; empty: it is sound. flags: what cannot be told and so refuses nothing, as
    `name: text of the source` with a name of `FLAGS`. verdict: of `xl_suite.fidelity` on the translation without the
    protected spans.
    """

    refused: list[str]
    flags: list[str]
    verdict: str


def check_translation(source: str, translation: str, language: str, protected: Sequence[str] = ()) -> list[str]:
    """The names of all guards (`REASONS`) that refuse the translation of an English sentence; none: it is sound.

    language: ISO 639-3 code of the translation. protected: of the source's segment.
    Raises UnknownLanguage. `check_translations` is far faster for many.
    """
    return check_translations([source], [translation], language, [protected])[0]


def check_translations(
    sources: Sequence[str], translations: Sequence[str], language: str, protected: Sequence[Sequence[str]]
) -> list[list[str]]:
    """The reasons for each pair, in order; see `check_translation`."""
    return [check.refused for check in inspect_translations(sources, translations, language, protected)]


def inspect_translations(
    sources: Sequence[str], translations: Sequence[str], language: str, protected: Sequence[Sequence[str]]
) -> list[Check]:
    """What the guards say of each pair, in order, flags included; see `check_translation`."""
    signs = find_signs(language)
    bare = [leave_out(text, spans) for text, spans in zip(translations, protected, strict=True)]
    verdicts = judge_answers([FidelityAnswer(text) for text in bare], language)
    return [
        _check(source, translation, spans, signs, verdict.verdict)
        for source, translation, spans, verdict in zip(sources, translations, protected, verdicts, strict=True)
    ]


def _check(source: str, translation: str, protected: Sequence[str], signs: Signs, verdict: str) -> Check:
    if not translation.strip():
        return Check(["empty"], [], verdict)
    source, translation = source.strip(), translation.strip()
    bare_source, bare = leave_out(source, protected), leave_out(translation, protected)
    numbers = compare_numbers(bare_source, bare, signs.language)
    found = {
        "wrong_language": verdict in ("wrong", "mixed"),
        "copied": is_copied(bare_source, bare, signs.language)
        or has_english_heading(source, translation, signs.language),
        "lost_span": measure_spans(protected, translation) < 1,
        "lost_number": bool(numbers.lost),
        "preamble": has_preamble(source, translation, signs),
        "answer": is_answer(source, translation, signs.language),
        "length": not fits_length(bare_source, bare, signs),
        "repetition": is_repetitive(translation) and not is_repetitive(source),
    }
    return Check([reason for reason in REASONS if found.get(reason)], list(numbers.flags), verdict)


def is_copied(source: str, translation: str, language: str) -> bool:
    if language == "eng":
        return False
    words = find_words(source)
    if len(words) > 2:
        return measure_copy(source, translation) >= _COPIED
    # One or two words are often the same in two languages that share a script, and names in all.
    latin = has_latin_script(language)
    return (
        not latin
        and any(word.islower() and len(word) > 3 for word in words)
        and measure_copy(source, translation) == 1
    )


def has_preamble(source: str, translation: str, signs: Signs) -> bool:
    """Whether the translation begins with talk about itself, has something around it, or goes on after its end."""
    if has_wrapping(source, translation, signs.ratio) or has_remark(source, translation, signs.language):
        return True
    return "\n" in translation and bool(_PARAGRAPHS.search(translation)) and not _PARAGRAPHS.search(source)


def is_answer(source: str, translation: str, language: str) -> bool:
    """Whether a question lost its question mark, or the translator excuses itself where the source does not."""
    if _REFUSAL.search(translation) and not _REFUSAL.search(source):
        return True
    if declines(source, translation, language):
        return True
    asks = source.rstrip(" \"'”’)*_").endswith("?") and len(find_words(source)) > 2
    return asks and not any(mark in translation for mark in (*_QUESTION_MARKS, *_QUESTION_WORDS))


def fits_length(source: str, translation: str, signs: Signs) -> bool:
    expected = len(source) * signs.ratio
    longest = expected * _FACTOR + _SLACK_LONG * min(1.0, signs.ratio * 2)
    return expected / _FACTOR - _SLACK_SHORT <= len(translation) <= longest


def is_repetitive(text: str) -> bool:
    """Whether a unit of 3 to 201 signs is there five times in a row, or the whole is one sentence three times."""
    parts = (text,) if len(text) <= 2 * _LOOKED_AT else (text[:_LOOKED_AT], text[-_LOOKED_AT:])
    for part in parts:
        # What a loop repeats is there three times at least, also in pieces of eight signs; few texts have such a one.
        pieces = [part[place : place + _PIECE] for place in range(len(part) - _PIECE + 1)]
        counts = Counter(pieces)
        if not counts or max(counts.values()) < 3:
            continue
        if _find_loop(part, pieces, counts) or (part is parts[0] and _SAID_AGAIN.fullmatch(part.strip())):
            return True
    return False


def _find_loop(text: str, pieces: Sequence[str], counts: Counter[str]) -> bool:
    """Whether a unit is there five times in a row; each of its pieces stands at equal distances then."""
    places: dict[str, list[int]] = {}
    for place, piece in enumerate(pieces):
        if counts[piece] >= 3:
            places.setdefault(piece, []).append(place)
    for own in places.values():
        known = set(own)
        for number, place in enumerate(own):
            if text[place].isspace():
                continue
            for other in own[number + 1 :]:
                size = other - place
                if size > _LONGEST_UNIT:
                    break
                if size >= 3 and place + 2 * size in known and text.startswith(text[place:other] * 5, place):
                    return True
    return False
