"""Running text where none is expected: in code, quotations, hashtags, addresses, formulas.

Code, names and titles say nothing about the language of an answer. A sentence does, whatever marks are put around
its words, so that what is left out of an answer is read once more for sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from xl_suite.fidelity.words import find_words

BLOCK_PROSE = 0.6  # part of the letters and of the lines of a block of code from which on its sentences are prose
LEAST_WORDS = 4  # of a sentence in code
FUNCTION_WORDS = 0.25  # part of the words of English that are on the list below; lists of names and terms have fewer
PLAIN_WORDS = 0.5  # part of the other words that begin with a small letter; titles have fewer

_ENGLISH = """
the of and to a in is it you that he was for on are with as i his they be at one have this from or had by but what
some we can out other were all there when up use your how said an each she which do their if will way about many then
them would these so her him has more could my than been who its now did get may over after also back any only where
most our before between here such because through while should those both during until very us me not no into just
"""
ENGLISH = frozenset(_ENGLISH.split())
_STRING = re.compile(r"\"([^\"\n]{8,2000})(?:\"|$)|(?<!\w)'([^'\n]{8,2000})'")
_KEY = re.compile(r"\s*\"[^\"\n]{1,80}\"\s*:")
_COMMENT = re.compile(r"(?:^|\s)(?:#+|//+|--+|/\*+|\*+|%+|;+|<!--|\"\"\"|''')\s*([^\n]*)")
_SIGNS = re.compile(r"[{}\[\]<>=;|\\^~@$*&#%+_()\"]+")
_CODE_SIGN = re.compile(r"[{}\[\]<>=;|\\^~@$*&#%+_]|\w\(|\.\w|\w/\w|::|->")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NO_WORD = re.compile(r"\\[A-Za-z]+|%[0-9A-Fa-f]{2}|[\W\d_]+")


def split_joined(text: str) -> str:
    """Words that code, addresses and hashtags write as one: `theOldBridge`, `the_old_bridge`, `the-old-bridge`."""
    plain = _NO_WORD.sub(" ", text)
    if _HUMP.search(plain):
        plain = _HUMP.sub(" ", plain).lower()
    return " ".join(plain.split())


def find_prose(code: str) -> Iterator[tuple[int, str]]:
    """(line from 0, sentence) of a block of code in which sentences outweigh code; nothing for one that is code.

    Sentences must have most of the letters, and of the lines too where they are comments: programs may have longer
    comments than statements. The keys of data don't count.
    """
    found: list[tuple[int, str]] = []
    letters = in_prose = lines = commented = 0
    for number, line in enumerate(code.split("\n")):
        line = _KEY.sub("", line, count=1)
        whole = _count_letters(line)
        if not whole:
            continue
        letters += whole
        lines += 1
        strings = [one or other for one, other in _STRING.findall(line)]
        comment = None if strings else _COMMENT.search(line)
        parts = strings or ([comment[1].rstrip("*/->\"' ")] if comment else _SIGNS.split(line))
        own = [part for part in parts if _is_sentence(part)]
        found += [(number, sentence) for sentence in own]
        in_prose += sum(map(_count_letters, own))
        commented += bool(comment and own)
    sentences = len({number for number, _ in found})
    if in_prose >= BLOCK_PROSE * letters and (not commented or sentences >= BLOCK_PROSE * lines):
        yield from found


def _is_sentence(text: str) -> bool:
    """Whether a line may be running text: enough words of small letters, hardly a sign of code."""
    words = find_words(text)
    if len(words) < LEAST_WORDS and not any(len(word) == 1 and ord(word) > 0x3000 for word in words):
        return False
    return len(_CODE_SIGN.findall(text)) * 40 <= len(text)


def is_english_prose(text: str) -> bool:
    """Whether text that is taken for English has the function words of sentences, and is not a list of titles."""
    words = find_words(text)
    others = [word for word in words if word.lower() not in ENGLISH]
    small = sum(word[0].islower() for word in others)
    return len(words) - len(others) >= FUNCTION_WORDS * len(words) and small >= PLAIN_WORDS * len(others)


def is_english_title(text: str) -> bool:
    """Whether all but the function words of English have a capital: `Gone with the Wind`, `Back to the Future`."""
    words = [word for word in find_words(text) if word.lower() not in ENGLISH and len(word) > 1]
    return len(words) > 1 and all(word != word.lower() for word in words) and not text.isupper()


def has_function_word(text: str) -> bool:
    return any(word.lower() in ENGLISH for word in find_words(text))


def _count_letters(text: str) -> int:
    return sum(map(len, find_words(text)))
