"""Talk around a translation: openers, headings, notes, closing remarks and refusals, as chat models add them.

remarks.tsv has the patterns of each language; English ones count for all, since models fall back to it. A pattern
alone would meet sound translations, so that each is looked for only where the form shows that something is there that
the source does not have: a colon, a bracket, a sentence more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from xl_suite.tables import read_table
from xl_suite.translation.signs import find_signs

_LONGEST_HEAD, _LONGEST_REMARK = 90, 220
_INTRO = 25  # characters before a refusal comes to its point: `Je suis désolé`
_HEAD_WORDS = 5  # of a heading that does not name the language or the translation
_SHORT = 12  # characters of a bracket that is no note
_HEAD = re.compile(rf"\A\W*([^:：\n]{{1,{_LONGEST_HEAD}}})[ \u00a0\u202f]*(?:[:：](?!\d)|\n)")
_SENTENCE_END = re.compile(r"(?:[.!?…]+[\"'”’»)\]*_]*(?:\s+|(?=[(（\[])|\Z)|[。！？।]+[\"'”’」』）)】*_]*\s*|\n+)")
_BRACKETED = re.compile(r"[(（\[【][\s*_]*([^()（）\[\]【】]{2,200})[)）\]】]?")
_LABEL = re.compile(
    r"(?:^|\n|[.!?…。！？।\"'”’»）)]\s*)[\s*_>(（\[【-]*([^\s:：][^:：\n.!?。！？।]{0,40}?)[\s*_]*[:：]"
)
_BEGIN = "(?<![^\\W_])"
# What English has where such words are part of the text itself.
_OWN_OPENER = re.compile(
    r"\b(?:sure|certainly|of course|absolutely|okay|ok|yes|definitely|naturally|obviously|clearly|indeed|"
    r"exactly|right|well|good|great|fine|all ?right|gladly|no problem|with pleasure|agreed|true|"
    r"understood|got it|hello|hi|hey|so|now|please|undoubtedly|doubtless|without|evidently|truly|"
    r"really|surely|granted|admittedly)\b",
    re.IGNORECASE,
)
_OWN_HEAD = re.compile(
    r"\b(?:translat|output|answer|respon|result|version|original|source|sentence|here|this|that|these|"
    r"follow|below|outcome|conclu|repl|edition|text)",
    re.IGNORECASE,
)
_OWN_NOTE = re.compile(
    r"\b(?:note|notice|nb|explain|explan|alternat|or|either|literal|remark|comment|context|translat|observ|"
    r"attention|tip|hint|option|caution|choice|interpret|word for word|clarif|disclaimer|reminder|"
    r"description|instruction|step|variant|version)",
    re.IGNORECASE,
)
_OWN_CLOSING = re.compile(
    r"\b(?:hope|hoping|help|assist|question|welcome|glad|happy|luck|success|know|contact|pleas|feel free|"
    r"support|anything|else|need|if you|should you|literal|translat|inform|tell|wish|advice|advise|ask|"
    r"hesitat|serv|aid|dispos|word for word|assum|expect|trust|may you|all the best|you|there|try|"
    r"congrat)",
    re.IGNORECASE,
)
_OWN_DECLINE = re.compile(
    r"\b(?:sorry|apolog\w*|unfortunately|regret\w*|afraid|cannot|can['’]?t|couldn['’]t|won['’]t|unable|not|"
    r"pardon|excuse|forgive|sadly|impossible|no way|no longer|as an? (?:ai|artificial)|never|fail\w*|"
    r"incapable)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Remarks:
    """A row of remarks.tsv, each a pattern. openers: how an answer begins before it comes to the matter. heads: words
    of a heading over a translation. notes: how a note on it begins. closing: what a last sentence to the reader has.
    declines: a refusal."""

    language: str
    openers: str
    heads: str
    notes: str
    closing: str
    declines: str


@dataclass(frozen=True, slots=True)
class _Patterns:
    openers: re.Pattern[str]
    heads: re.Pattern[str]
    names: re.Pattern[str]  # stems of "translation", and of the language's names
    notes: re.Pattern[str]
    closing: re.Pattern[str]
    declines: re.Pattern[str]


@cache
def _find(language: str) -> _Patterns:
    """The patterns of a language together with those of English."""
    rows = {row.language: row for row in read_table("xl_suite.translation", "remarks.tsv", Remarks)}
    both = [rows[code] for code in dict.fromkeys((language, "eng")) if code in rows]
    signs = find_signs(language)
    own = [re.escape(stem) for stem in signs.translation]
    names = [re.escape(name) for name in signs.names]

    def join(*patterns: str) -> str:
        return "|".join(patterns)

    openers = join(*(row.openers for row in both))
    closing = join(*(row.closing for row in both))
    flags = re.IGNORECASE
    return _Patterns(
        re.compile(rf"\A\W*(?:{openers})\s*[,!.:，！：。—–-]", flags),
        re.compile(rf"{_BEGIN}(?:{join(*(row.heads for row in both), *own, *names)})", flags),
        re.compile(rf"{_BEGIN}(?:{join('translat', *own, *names)})", flags),
        re.compile(rf"\A\W*(?:{join(*(row.notes for row in both), *own)})", flags),
        re.compile(rf"{_BEGIN}(?:{closing})" if language != "zho" else closing, flags),
        re.compile(rf"\A[^\n]{{0,{_INTRO}}}?(?:{join(*(row.declines for row in both))})", flags),
    )


def has_remark(source: str, translation: str, language: str) -> bool:
    """Whether the translation begins, ends or is interrupted with talk to its reader that the source does not have.

    Both without outer white space; language: ISO 639-3 of the translation.
    """
    patterns = _find(language)
    return (
        has_head(source, translation, patterns)
        or has_opener(source, translation, patterns)
        or has_note(source, translation, patterns)
        or has_closing(source, translation, patterns)
    )


def declines(source: str, translation: str, language: str) -> bool:
    """Whether the translation begins with a refusal, and the source has nothing of the kind."""
    return bool(_find(language).declines.match(translation)) and not _OWN_DECLINE.search(source)


def has_head(source: str, translation: str, patterns: _Patterns) -> bool:
    found = _HEAD.match(translation)
    if (
        found is None
        or found.end() == len(translation)
        or _count_colons(translation) + translation.count("\n") <= _count_colons(source) + source.count("\n")
    ):
        return False
    short = len(found[1].split()) <= _HEAD_WORDS
    return bool((patterns.heads if short else patterns.names).search(found[1])) and not _OWN_HEAD.search(source)


def has_opener(source: str, translation: str, patterns: _Patterns) -> bool:
    return bool(patterns.openers.match(translation)) and not _OWN_OPENER.search(source)


def has_note(source: str, translation: str, patterns: _Patterns) -> bool:
    """A bracket that the source does not have, or a label with a colon, that begins as notes do."""
    if _OWN_NOTE.search(source):
        return False
    if _count_brackets(translation) > _count_brackets(source):
        # `(he or she)` is no note: a word for `or` alone needs more after it.
        for found in _BRACKETED.finditer(translation):
            if patterns.notes.match(found[1]) and (len(found[1].split()) > 2 or len(found[1]) > _SHORT):
                return True
    if _count_colons(translation) > _count_colons(source):
        return any(patterns.notes.match(found[1]) for found in _LABEL.finditer(translation))
    return False


def has_closing(source: str, translation: str, patterns: _Patterns) -> bool:
    """Whether there are more sentences than in the source, and the last of them is a remark."""
    extra = _find_extra(source, translation)
    return any(patterns.closing.search(part) for part in extra) and not _OWN_CLOSING.search(source)


def _find_extra(source: str, translation: str) -> list[str]:
    """The sentences at the end that are more than the source has; short ones, as remarks are."""
    parts = list(_cut(translation))
    if len(parts) < 2:
        return []
    more = len(parts) - max(1, sum(1 for _ in _cut(source)))
    return [part for part in parts[1:][-more:] if len(part) <= _LONGEST_REMARK] if more > 0 else []


def _cut(text: str) -> Iterator[str]:
    position = 0
    for found in _SENTENCE_END.finditer(text):
        if part := text[position : found.end()].strip():
            yield part
        position = found.end()
    if rest := text[position:].strip():
        yield rest


def _count_colons(text: str) -> int:
    return text.count(":") + text.count("：")


def _count_brackets(text: str) -> int:
    return sum(map(text.count, "(（[【"))
