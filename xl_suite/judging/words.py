"""The words with which judges label a verdict or a score, in the languages of words.tsv.

The words of all languages are used together, since judges often answer in another language than the prompt's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from xl_suite.errors import BadRecord
from xl_suite.judging.plain import normalise
from xl_suite.tables import read_table

# The roles of words. `verdict` and `score` label a value; `answer` may label a verdict or the answer to the prompt
# itself. `modifier` and `article` stand next to these (final, the), `connective` starts a sentence (therefore),
# `copula` connects them with the value (is), and `suffix` follows it. `key` names a value in structured output only,
# `marker` one in double brackets only (Output: [[A]]). `wrapper` precedes a label (Assistant A), `points` and
# `out_of` follow a score (4 points, 4 of 5).
ROLES = (
    *("verdict", "answer", "score", "modifier", "article", "connective", "copula", "suffix"),
    *("key", "marker", "tie", "wrapper", "points", "out_of"),
)
# Scripts without spaces between words.
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")


@dataclass(frozen=True, slots=True)
class _Row:
    language: str
    role: str
    words: str


@cache
def list_words(role: str) -> frozenset[str]:
    """The words of a role in all languages, in lower case. Raises BadRecord where the table has another role."""
    words: set[str] = set()
    for number, row in enumerate(read_table("xl_suite.judging", "words.tsv", _Row), start=1):
        if row.role not in ROLES:
            raise BadRecord("words.tsv", f"{row.role!r} is not a role; valid: {', '.join(ROLES)}.", row=number)
        if row.role == role:
            words.update(normalise(word).casefold() for word in row.words.split("; "))
    return frozenset(words)


@cache
def match_words(role: str) -> str:
    """A regular expression for any word of a role, the longest first, for use with IGNORECASE."""
    return "|".join(re.escape(word) for word in sorted(list_words(role), key=lambda word: (-len(word), word)))


@cache
def match_separator() -> str:
    """A regular expression for what is between a noun and its value: a colon, an arrow, a dash, or `is`."""
    unspaced = {re.escape(word) for word in list_words("copula") if _UNSPACED.search(word)}
    spaced = {re.escape(word) for word in list_words("copula")} - unspaced
    return (
        r"(?:\s*(?:[:=]|->|=>|→|⇒)\s*|\s+[-–—]\s+"
        rf"|\s+(?:{'|'.join(sorted(spaced))})(?:\s*:\s*|\s+)|\s*(?:{'|'.join(sorted(unspaced))})\s*:?\s*)"
    )


@cache
def match_label(noun: str) -> str:
    """A regular expression for a label of role `noun` up to its separator: `So my final score (1-5)`."""
    modifiers = match_words("modifier")
    return (
        rf"(?:(?:{match_words('connective')})\s*[,،、]?\s*)?(?:(?:{match_words('article')})\s+)?"
        rf"(?:(?:{modifiers})\s*)*(?:{match_words(noun)})(?:\s+(?:{modifiers}))*"
        r"(?:\s*[(\[]\s*(?:\d\s*[-–]\s*\d+|/\s*\d+)\s*[)\]])?"
    )


def is_key(name: str, nouns: Iterable[str]) -> bool:
    """Whether a key of structured output names a value: `final_verdict`, `Winner`, `bewertung`."""
    words = re.sub(r"[\s_-]+", " ", normalise(name)).strip()
    return words.casefold() in list_words("key") or any(
        re.fullmatch(match_label(noun), words, re.IGNORECASE) for noun in nouns
    )
