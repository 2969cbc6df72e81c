"""Headings and labels that a translation leaves in English, such as `Key Takeaways` or `**Optimize Router**`.

Titles in capitals look like names, which stay as they are. What tells them apart is a list of words of which headings
consist and names hardly ever do (headings.tsv); words that other languages have borrowed, such as `software`, are not
in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from xl_suite.tables import read_table
from xl_suite.translation.signs import find_words, has_latin_script

_BOLD = re.compile(r"\*\*([^*\n]+?)\*\*")
_QUOTED = re.compile(r"[\"“”„«»「」『』《》]")
_MOST_WORDS = 8  # of a heading; a longer copy is found by its runs of words
# Words between those that count.
_SMALL_WORDS = "a an and as at by for from in into is of on or the to vs with your"
_SMALL = frozenset(_SMALL_WORDS.split())


@dataclass(frozen=True, slots=True)
class _Heading:
    """shared: `yes` for a word that another language in Latin letters may have as it is."""

    word: str
    shared: str


@cache
def _words() -> dict[str, bool]:
    """The words of headings, and whether another language may have them as they are."""
    rows = read_table("xl_suite.translation", "headings.tsv", _Heading)
    return {row.word: row.shared == "yes" for row in rows}


def is_english_heading(text: str, language: str) -> bool:
    """Whether a text is a heading in English that a translation into the language cannot have: half of its words
    that count, or more, are words of headings. A single one may be the same in two languages of one script."""
    if _QUOTED.search(text):
        return False
    words = [word.casefold() for word in find_words(text)]
    counted = [word for word in words if word not in _SMALL and not word.isdigit()]
    if not counted or len(words) > _MOST_WORDS:
        return False
    if len(counted) == 1 and has_latin_script(language):
        return _words().get(counted[0], True) is False
    return 2 * sum(word in _words() for word in counted) >= len(counted)


def has_english_heading(source: str, translation: str, language: str) -> bool:
    """Whether the translation keeps a heading of its English source, which is all of it or a label in bold."""
    if language == "eng":
        return False
    return any(is_english_heading(one, language) for one in _find_kept(source, translation))


def _find_kept(source: str, translation: str) -> Iterator[str]:
    """What may be a heading, and is in both texts."""
    if len(source) < 120 and _flatten(source) == _flatten(translation):
        yield source
    if "**" in source and "**" in translation:
        kept = {_flatten(found) for found in _BOLD.findall(translation)}
        yield from (found for found in _BOLD.findall(source) if _flatten(found) in kept)


def _flatten(text: str) -> str:
    return " ".join(find_words(text)).casefold()
