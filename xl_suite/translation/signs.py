"""Outer signs of a translation: its length, its words and its form, language by language (signs.tsv)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from xl_suite.languages import find_language
from xl_suite.tables import read_table


@dataclass(frozen=True, slots=True)
class Signs:
    """A row of signs.tsv.

    ratio: characters of a translation per character of English (measured on the Universal Declaration of Human
    Rights, where the table has the language). names: of the language, in English and its own. translation: stems
    of words for "translation". open: words that no sentence ends with. capital: words with a capital only
    where a sentence begins. bound: words, or in Chinese characters, that no sentence begins with.
    """

    language: str
    ratio: float
    names: tuple[str, ...]
    translation: tuple[str, ...]
    open: tuple[str, ...]
    capital: tuple[str, ...]
    bound: tuple[str, ...]


# Characters per English character where only the script is known; rough, as the bounds around them are wide.
_SCRIPT_RATIOS = {"Hans": 0.27, "Hant": 0.27, "Jpan": 0.45, "Kore": 0.5, "Thai": 0.95, "Arab": 0.9, "Hebr": 0.8}
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


@cache
def find_signs(language: str) -> Signs:
    """The row of an ISO 639-3 language; one without words, with the ratio of its script, for those not in it."""
    for row in read_table("xl_suite.translation", "signs.tsv", Signs):
        if row.language == language:
            return row
    known = find_language(language)
    return Signs(language, _SCRIPT_RATIOS.get(known.script, 1.08), (known.name,), (), (), (), ())


def has_latin_script(language: str) -> bool:
    return find_language(language).script in ("Latn", "")


def leave_out(text: str, protected: Sequence[str]) -> str:
    """The text without its protected spans, each taken out once."""
    for span in protected:
        text = text.replace(span, " ", 1)
    return text


def find_words(text: str) -> list[str]:
    return _WORD.findall(text)


def measure_copy(source: str, translation: str) -> float:
    """The share of the source's wording that the translation repeats, in [0, 1].

    By runs of four words (all words, of a shorter source); words that begin with a capital are names as likely as
    not, and a run of nothing else counts for nothing.
    """
    words = find_words(source)
    size = min(4, len(words))
    found = [word.casefold() for word in find_words(translation)]
    own, shared = [word.casefold() for word in words], set(found)
    # A run that the translation has consists of words that it has, which are few where it is a translation.
    places = [place for place in range(len(words) - size + 1) if shared.issuperset(own[place : place + size])]
    if not places:
        return 0.0
    runs = [place for place in range(len(words) - size + 1) if _has_lower(words[place : place + size])]
    known = set(zip(*(found[i:] for i in range(size)), strict=False))
    copied = set(places).intersection(runs)
    return sum(tuple(own[place : place + size]) in known for place in copied) / len(runs) if runs else 0.0


def _has_lower(words: Sequence[str]) -> bool:
    return any(word[0].islower() for word in words)


def measure_spans(protected: Sequence[str], translation: str) -> float:
    """The share of the protected spans that the translation holds verbatim, as often as the source; 1 for none.

    HTML entities are not matter: `&amp;` may become a word, `&nbsp;` go.
    """
    wanted = [span for span in protected if not re.fullmatch(r"&#?\w+;", span)]
    if not wanted:
        return 1.0
    return sum(min(wanted.count(span), translation.count(span)) / wanted.count(span) for span in wanted) / len(wanted)


def normalise(text: str) -> str:
    """Lower case, compatibility forms, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
