"""The words of a text as duplicates and overlaps are looked for: alike whatever the form of the text."""

from __future__ import annotations

import html
import re
import sys
import unicodedata
from functools import cache

_WORD = re.compile(r"[^\W_]+")
_TAG = re.compile(r"<(?:/?[A-Za-z][^<>]*|!--.*?--)>", re.DOTALL)
# Accents, soft hyphens and zero-width signs are not a part of what a word is.
_DROPPED = ("Mn", "Cf")


def split_words(text: str, *, tags: bool = True) -> list[str]:
    """The words, alike whatever their case, Unicode form, accents, punctuation and whitespace.

    tags: whether words of HTML tags count (a prompt may be about them); without them, entities are read as well.
    """
    if not tags:
        text = html.unescape(_TAG.sub(" ", text))
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).translate(_dropped_signs())
    return _WORD.findall(text.casefold())


@cache
def _dropped_signs() -> dict[int, None]:
    points = range(0x80, sys.maxunicode + 1)
    return {point: None for point in points if unicodedata.category(chr(point)) in _DROPPED}
